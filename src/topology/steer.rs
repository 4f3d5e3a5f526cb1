//! Steering what runs: pause, resume, seek and tap, as far as members and producers are told.
//!
//! Each member answers for the partitions that it holds. One that is in a long call answers when that
//! is over, so it is waited for only so long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::kafka::{KafkaError, Owner, Partition, Spot, Target};
use crate::member::{Command, GivenUp, PartitionReport, Scope, SeekAnswer, Tap};

use super::Running;
use super::group::RunningGroup;
use super::plan::NeededTopic;

/// Members answer at their next round.
const ANSWER: Duration = Duration::from_secs(5);

/// What a group's members here hold, as they say.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// By partition: who has it, and how it is.
    pub held: BTreeMap<Partition, (String, PartitionReport)>,
    /// Members that are busy and will follow when their call is over.
    pub busy: Vec<String>,
}

impl RunningGroup {
    /// Has the members follow what is paused and who taps, and say what they hold.
    pub(super) async fn follow(&self) -> Holding {
        let asked: Vec<_> = self
            .members
            .values()
            .map(|member| {
                let (reply, answer) = oneshot::channel();
                member.handle.tell(Command::Follow(reply));
                (member.handle.name.clone(), answer)
            })
            .collect();
        let mut holding = Holding::default();
        let deadline = tokio::time::Instant::now() + ANSWER;
        for (name, answer) in asked {
            match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(reports)) => {
                    let named = |report: PartitionReport| {
                        (report.partition.clone(), (name.clone(), report))
                    };
                    holding.held.extend(reports.into_iter().map(named));
                }
                // Also one that is at its end, or makes a new client: it reads it when it begins.
                Ok(Err(_)) | Err(_) => holding.busy.push(name),
            }
        }
        holding
    }

    fn tell(&self, member: &str, command: Command) {
        let named = self
            .members
            .values()
            .find(|each| each.handle.name == member);
        if let Some(member) = named {
            member.handle.tell(command);
        }
    }
}

impl Running {
    /// The topics of a group that runs.
    pub fn topics_of(&self, group: &str) -> Option<&[String]> {
        Some(&self.groups.get(group)?.config.topics)
    }

    /// What the members here hold; nothing for a group that does not run.
    pub async fn holding(&self, group: &str) -> Holding {
        match self.groups.get(group) {
            Some(group) => group.follow().await,
            None => Holding::default(),
        }
    }

    /// Pauses or resumes a part of a group. Returns what the members hold then.
    pub async fn set_paused(&self, name: &str, scope: &Scope, paused: bool) -> Holding {
        let Some(group) = self.groups.get(name) else {
            return Holding::default();
        };
        group.shared.set_paused(scope, paused);
        let whole = group.shared.pauses().holds_group();
        self.ground.board.set_group_paused(name, whole);
        group.follow().await
    }

    /// Has the members try again what is stuck there.
    pub fn resume_stuck_in(&self, name: &str, partition: Option<&Partition>) {
        if let Some(group) = self.groups.get(name) {
            for member in group.members.values() {
                member.handle.tell(Command::Resume(partition.cloned()));
            }
        }
    }

    /// Tells the members where partitions end that stand still.
    pub fn tell_ends(&self, ends: Vec<(Partition, i64)>) {
        let ends: Arc<[_]> = ends.into();
        let members = self
            .groups
            .values()
            .flat_map(|group| group.members.values());
        for member in members {
            member.handle.tell(Command::Ends(ends.clone()));
        }
    }

    /// Gets a stuck partition past its message, which becomes a dead letter.
    ///
    /// # Errors
    /// Why it can not, one sentence.
    pub async fn give_up_stuck(
        &mut self,
        name: &str,
        member: &str,
        partition: &Partition,
    ) -> Result<GivenUp, String> {
        let Some(group) = self.groups.get(name) else {
            return Err(format!("group {name} does not run"));
        };
        let topic = group.config.on_failure.dead_letter_topic(&partition.topic);
        // A group whose policy needs none has not made sure that there is one.
        if !self.ground.topics.load().contains(&topic) {
            let needed = NeededTopic::for_dead_letters_of(&partition.topic);
            self.ensure_topic(&topic, &needed)
                .await
                .map_err(|why| format!("topic {topic}: {why}"))?;
        }
        let (reply, answer) = oneshot::channel();
        if let Some(group) = self.groups.get(name) {
            group.tell(member, Command::GiveUp(partition.clone(), reply));
        }
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(format!("{member} ended meanwhile")),
            Err(_) => Err(format!(
                "{member} is busy; it is done when its call is over"
            )),
        }
    }

    /// Where a place is in each of these partitions.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn spots(
        &self,
        partitions: &[Partition],
        target: Target,
    ) -> Result<Vec<Spot>, KafkaError> {
        self.admin.spots(partitions, target).await
    }

    /// Who holds a group's partitions, in whatever process.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn owners(&self, group: &str) -> Result<BTreeMap<Partition, Owner>, KafkaError> {
        self.admin.owners(group).await
    }

    /// All partitions of these topics that there are.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn partitions_of(&self, topics: &[String]) -> Result<Vec<Partition>, KafkaError> {
        let found = self.admin.describe(topics).await?;
        let of_topic = found.into_iter().flat_map(|(name, state)| {
            let topic: Arc<str> = name.into();
            let number = 0..state.partitions;
            number.map(move |number| Partition {
                topic: topic.clone(),
                number,
            })
        });
        Ok(of_topic.collect())
    }

    /// Begins to move a group's offset in a partition that `member` holds.
    pub fn begin_seek(
        &self,
        group: &str,
        member: &str,
        partition: Partition,
        to: i64,
    ) -> oneshot::Receiver<SeekAnswer> {
        let (reply, answer) = oneshot::channel();
        if let Some(group) = self.groups.get(group) {
            group.tell(
                member,
                Command::Seek {
                    partition,
                    to,
                    reply,
                },
            );
        }
        answer
    }

    /// Shows a group's messages to one more who watches. Returns how many members there are.
    pub async fn tap(&self, group: &str, tap: Arc<Tap>) -> Option<u32> {
        let group = self.groups.get(group)?;
        group.shared.add_tap(tap);
        // Those that are busy follow later.
        group.follow().await;
        Some(u32::try_from(group.members.len()).unwrap_or(u32::MAX))
    }

    /// Pauses or resumes a producer. False: there is none of that name.
    pub fn set_producer_paused(&self, name: &str, paused: bool) -> bool {
        self.shown.set_producer_paused(name, paused)
    }
}
