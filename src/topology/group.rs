//! A group that runs: its members, and the handler that they share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Group;
use crate::handlers::HandlerSlot;
use crate::member::{Command, GroupShared, MemberHandle, Setup};
use crate::observe::{Board, Metrics};
use crate::script::Program;

use super::Ground;
use super::listen::Listener;

/// Beyond what it has for draining, a member that leaves may take so long for its last commit.
const LAST_COMMIT: Duration = Duration::from_secs(6);

/// A member is waited for so long when the next one of its group is to be replaced.
const JOINING: Duration = Duration::from_secs(60);

/// One consumer group, as far as this process has members of it.
pub(super) struct RunningGroup {
    name: Arc<str>,
    pub(super) config: Arc<Group>,
    pub(super) slot: Arc<HandlerSlot>,
    pub(super) shared: Arc<GroupShared>,
    pub(super) members: BTreeMap<u32, RunningMember>,
    /// Told to stop, and not yet at their end.
    leaving: Vec<RunningMember>,
}

pub(super) struct RunningMember {
    pub(super) handle: MemberHandle,
    joined: watch::Receiver<bool>,
}

impl RunningGroup {
    pub(super) fn new(
        name: &str,
        config: Arc<Group>,
        slot: Arc<HandlerSlot>,
        ground: &Ground,
    ) -> Self {
        Self {
            name: Arc::from(name),
            shared: Arc::new(GroupShared::new(&config, ground.topics.clone())),
            config,
            slot,
            members: BTreeMap::new(),
            leaving: Vec::new(),
        }
    }

    /// Starts the members that do not run yet.
    pub(super) fn start(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        ground: &Ground,
    ) -> Result<(), String> {
        for number in numbers {
            if !self.members.contains_key(&number) {
                let member = self.member(number, ground)?;
                self.members.insert(number, member);
            }
        }
        Ok(())
    }

    fn member(&self, number: u32, ground: &Ground) -> Result<RunningMember, String> {
        let (board, metrics): (&Board, &Metrics) = (&ground.board, &ground.metrics);
        let (sender, joined) = watch::channel(false);
        let place = board.member(&self.name, number, self.config.handler_timeout);
        let listener = Listener {
            group: self.name.clone(),
            metrics: metrics.group(&self.name).member(place.name()),
            consumer: metrics.consumer(&self.name, place.name()),
            producer: metrics.any_producer(),
            board: place,
            counted: (0, 0, 0),
            away: ground.away.clone(),
            news: ground.news.clone(),
            joined: sender,
        };
        let handle = MemberHandle::start(Setup {
            cluster: ground.cluster.clone(),
            group_id: self.name.clone(),
            group: self.config.clone(),
            settings: self.slot.settings(),
            number,
            slot: self.slot.clone(),
            shared: self.shared.clone(),
            observer: Box::new(listener),
        })
        .map_err(|error| format!("member {number} of {} has no thread: {error}", self.name))?;
        Ok(RunningMember { handle, joined })
    }

    /// Takes up settings that need no new client, and with them the program that comes with them.
    pub(super) fn change(&mut self, config: Arc<Group>, program: Option<Arc<Program>>) {
        if let Some(program) = program {
            self.slot.set_with_settings(program);
        }
        self.config = config;
        self.shared.rate.set(self.config.rate);
        for member in self.members.values() {
            let (config, settings) = (self.config.clone(), self.slot.settings());
            member.handle.tell(Command::Change(config, settings));
        }
    }

    pub(super) fn resume_stuck(&self) {
        for member in self.members.values() {
            member.handle.tell(Command::Resume(None));
        }
    }

    pub(super) fn refresh_topics(&self) {
        for member in self.members.values() {
            member.handle.tell(Command::RefreshTopics);
        }
    }

    /// Tells members to drain, commit and leave, and waits until they have. May be dropped half way:
    /// the next call goes on.
    pub(super) async fn stop(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        for_good: bool,
        within: Duration,
    ) -> Result<(), String> {
        self.tell_to_stop(numbers, for_good, within);
        self.all_have_left().await
    }

    /// The same without waiting.
    pub(super) fn tell_to_stop(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        for_good: bool,
        within: Duration,
    ) {
        let deadline = Instant::now() + within;
        for number in numbers {
            if let Some(member) = self.members.remove(&number) {
                member.handle.tell(Command::Stop { for_good, deadline });
                self.leaving.push(member);
            }
        }
    }

    /// Waits for the members that were told to stop.
    pub(super) async fn all_have_left(&mut self) -> Result<(), String> {
        let mut result = Ok(());
        while let Some(member) = self.leaving.last_mut() {
            member.handle.ended().await;
            if let Some(member) = self.leaving.pop() {
                let name = member.handle.name.clone();
                if let Err(reason) = member.handle.join() {
                    tracing::error!("{name} ended badly: {reason}");
                    result = Err(format!("{name} ended badly: {reason}"));
                }
            }
        }
        result
    }

    /// Gives each member a new client, one after another, so that partitions keep moving forward. Those
    /// that are not replaced yet go on with the program that they have.
    pub(super) async fn replace(
        &mut self,
        numbers: &[u32],
        config: Arc<Group>,
        program: Option<Arc<Program>>,
        ground: &Ground,
    ) -> Result<(), String> {
        if let Some(program) = program {
            self.slot.set_with_settings(program);
        }
        // Its static id comes back at once, so its place is kept. One that does not come back gives its
        // partitions up, which nobody would read until the session timeout.
        let for_good = !config.static_membership;
        self.config = config;
        self.shared.rate.set(self.config.rate);
        for number in numbers {
            self.stop([*number], for_good, self.stop_time()).await?;
            self.start([*number], ground)?;
            self.wait_until_joined(*number).await?;
        }
        Ok(())
    }

    /// How long a member of this group may take to leave.
    pub(super) fn stop_time(&self) -> Duration {
        self.config.drain_timeout + LAST_COMMIT
    }

    /// Waits until the group has given a member its assignment.
    pub(super) async fn wait_until_joined(&mut self, number: u32) -> Result<(), String> {
        let Some(member) = self.members.get_mut(&number) else {
            return Ok(());
        };
        let joined = member.joined.wait_for(|joined| *joined);
        match tokio::time::timeout(JOINING, joined).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(format!("{} ended before it joined", member.handle.name)),
            Err(_) => Err(format!(
                "{} did not join its group within {} s; the log says why",
                member.handle.name,
                JOINING.as_secs()
            )),
        }
    }

    /// Members that are at their end without having been asked, taken out.
    pub(super) fn take_dead(&mut self) -> Vec<MemberHandle> {
        let dead: Vec<u32> = self
            .members
            .iter()
            .filter(|(_, member)| member.handle.has_ended())
            .map(|(number, _)| *number)
            .collect();
        dead.iter()
            .filter_map(|number| self.members.remove(number))
            .map(|member| member.handle)
            .collect()
    }
}
