//! Taking a plan's steps, and going back when one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::member::GroupShared;
use crate::observe::rebalances;
use crate::preflight::{Checked, Programs};

use super::Running;
use super::plan::{Plan, Step};
use super::producers::Before;

/// After its members have joined, a group is given so long to share its partitions out. Where other
/// processes have members too, it can not be seen when that is over.
const SHARING_OUT: Duration = Duration::from_secs(10);

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What changed, one line each.
    pub lines: Vec<String>,
    /// Until it was in force: for members that were started, until they have joined.
    pub took: Duration,
}

/// Why a plan was not carried through. What ran before runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyError {
    /// Which step failed and why, one sentence.
    pub reason: String,
    /// What was done before, the failed step included, and was undone.
    pub undone: Vec<Taken>,
    /// Topics that were created or grown before, one line each: those are never undone.
    pub stays: Vec<String>,
    /// What could not be undone, one sentence each.
    pub left: Vec<String>,
}

/// What was taken away on the way, for the case that it has to come back as it was.
#[derive(Default)]
pub(super) struct Gone {
    pub producers: BTreeMap<String, Before>,
    pub groups: BTreeMap<String, Arc<GroupShared>>,
}

/// Why a step failed, with what it is about where the reason does not begin with that.
fn said(step: &Step, reason: String) -> String {
    let begins = match step {
        Step::EnsureTopic { topic, .. } => reason.starts_with(&format!("topic `{topic}`")),
        _ => false,
    };
    match begins {
        true => reason,
        false => format!("{}: {reason}", step.subject()),
    }
}

/// Members that were started and are to join.
struct Joining {
    /// Their step among those taken.
    step: usize,
    began: Instant,
    group: String,
    numbers: Vec<u32>,
}

/// A plan on its way.
#[derive(Default)]
struct Way {
    steps: Vec<Step>,
    taken: Vec<Taken>,
    joining: Vec<Joining>,
    /// The step that failed itself.
    failed: Option<usize>,
}

impl Way {
    /// What can be undone, and the lines of what stays.
    fn parted(&self) -> (Vec<Taken>, Vec<String>) {
        let (mut undone, mut stays) = (Vec::new(), Vec::new());
        for (at, (step, taken)) in self.steps.iter().zip(&self.taken).enumerate() {
            if step.inverse().is_some() {
                undone.push(taken.clone());
            } else if self.failed != Some(at) {
                stays.extend(taken.lines.iter().cloned());
            }
        }
        (undone, stays)
    }
}

impl Running {
    /// Takes the steps of `plan`, after which `wanted` is what runs, as this generation. Returns what
    /// was done.
    ///
    /// While something runs already, this waits until it is in force: members that were started have
    /// joined, and nothing is taken away before. At the daemon's start it does not, because then the
    /// broker may be away for as long as it likes.
    ///
    /// # Errors
    /// Which step failed and why. What ran before runs again then: the steps taken are undone, the
    /// last one first. Topics stay as they have become.
    pub async fn apply(
        &mut self,
        plan: Plan,
        wanted: Checked,
        generation: u64,
    ) -> Result<Vec<Taken>, ApplyError> {
        let before = self.programs_in_use();
        self.gone = Gone::default();
        let mut way = Way::default();
        let result = match self.go(plan.steps, &wanted.programs, &mut way).await {
            Ok(()) => {
                self.set_config(wanted, generation);
                Ok(way.taken)
            }
            Err(reason) => {
                let (undone, stays) = way.parted();
                let left = self.go_back(way.steps, &before).await;
                Err(ApplyError {
                    reason,
                    undone,
                    stays,
                    left,
                })
            }
        };
        self.gone = Gone::default();
        result
    }

    /// Takes back what a start that was cut short has done, so that another one can begin from
    /// `nothing`, which is what ran before it.
    ///
    /// # Errors
    /// What can't be stopped or connected; one sentence.
    pub async fn take_back(&mut self, nothing: &Config) -> Result<(), String> {
        let producers: Vec<String> = self.shown.producers().keys().cloned().collect();
        for producer in producers {
            self.remove_producer(&producer).await?;
        }
        let groups: Vec<String> = self.groups.keys().cloned().collect();
        for group in groups {
            self.remove_group(&group).await?;
        }
        self.connect(&nothing.kafka)?;
        self.change_log(&nothing.log)?;
        self.change_daemon(&nothing.daemon);
        Ok(())
    }

    async fn go(
        &mut self,
        steps: Vec<Step>,
        programs: &Programs,
        way: &mut Way,
    ) -> Result<(), String> {
        let waits = self.generation() > 0;
        let mut touched = BTreeSet::new();
        for step in steps {
            if step.takes_away() {
                self.wait_for_joining(way).await?;
            }
            let began = Instant::now();
            // Noted before it is tried: half of it may be done when it fails.
            way.steps.push(step.clone());
            way.taken.push(Taken {
                lines: step.lines(),
                took: Duration::ZERO,
            });
            let at = way.taken.len() - 1;
            let outcome = self.try_step(&step, at, programs).await;
            way.taken[at].took = began.elapsed();
            if let Err(reason) = outcome {
                way.failed = Some(at);
                return Err(said(&step, reason));
            }
            if waits && let Some((group, numbers)) = step.starts() {
                way.joining.push(Joining {
                    step: at,
                    began,
                    group: group.to_owned(),
                    numbers,
                });
            }
            touched.extend(self.groups_moved_by(&step));
        }
        self.wait_for_joining(way).await?;
        if waits && !rebalances::at_rest(&self.ground.board, &touched, SHARING_OUT).await {
            tracing::debug!(?touched, "the partitions are still being shared out");
        }
        Ok(())
    }

    async fn wait_for_joining(&mut self, way: &mut Way) -> Result<(), String> {
        for joining in way.joining.drain(..) {
            let Some(group) = self.groups.get_mut(&joining.group) else {
                continue;
            };
            for number in joining.numbers {
                group.wait_until_joined(number).await?;
            }
            way.taken[joining.step].took = joining.began.elapsed();
        }
        Ok(())
    }

    /// The groups whose partitions this step moves.
    fn groups_moved_by(&self, step: &Step) -> Vec<String> {
        match step {
            Step::AddGroup { group, .. }
            | Step::StartMembers { group, .. }
            | Step::StopMembers { group, .. }
            | Step::ReplaceMembers { group, .. } => vec![group.clone()],
            Step::EnsureTopic {
                topic,
                was: Some(_),
                ..
            } => self.readers_of(topic),
            _ => Vec::new(),
        }
    }

    /// Undoes what was taken, the last step first. Returns what could not be undone.
    async fn go_back(&mut self, taken: Vec<Step>, programs: &Programs) -> Vec<String> {
        let mut left = Vec::new();
        for back in taken.iter().rev().filter_map(Step::inverse) {
            if let Err(reason) = self.take(&back, programs).await {
                left.push(format!("{}: {reason}", back.subject()));
            }
        }
        for (name, group) in &self.groups {
            self.show_group(name, group);
        }
        left
    }

    #[cfg(not(test))]
    async fn try_step(
        &mut self,
        step: &Step,
        _at: usize,
        programs: &Programs,
    ) -> Result<(), String> {
        self.step(step, programs).await
    }

    /// With the fault that a test wants in this step.
    #[cfg(test)]
    async fn try_step(
        &mut self,
        step: &Step,
        at: usize,
        programs: &Programs,
    ) -> Result<(), String> {
        let fault = self.fault.filter(|fault| fault.at == at);
        if fault.is_none_or(|fault| fault.afterwards) {
            self.step(step, programs).await?;
        }
        match fault {
            Some(_) => Err("injected".to_owned()),
            None => Ok(()),
        }
    }

    async fn step(&mut self, step: &Step, programs: &Programs) -> Result<(), String> {
        // Going back, a group has its offsets and transactions already, and needs no broker for them.
        if let Step::AddGroup { group, now } | Step::ReplaceMembers { group, now, .. } = step {
            self.check_transactions(group, now).await?;
        }
        if let Step::ReplaceMembers {
            group, was, now, ..
        } = step
        {
            self.begin_in_added_topics(group, was, now).await?;
        }
        if let Step::AddGroup { group, now } = step {
            let continues = self.begin_where_said(group, now).await?;
            self.take(step, programs).await?;
            if continues {
                self.ground.board.set_group_continues(group);
            }
            return Ok(());
        }
        self.take(step, programs).await
    }

    async fn take(&mut self, step: &Step, programs: &Programs) -> Result<(), String> {
        match step {
            Step::ChangeKafka { now, .. } => self.connect(now),
            Step::EnsureTopic { topic, now, .. } => self.ensure_topic(topic, now).await,
            Step::ChangeLog { now, .. } => self.change_log(now),
            Step::ChangeDaemon { now, .. } => {
                self.change_daemon(now);
                Ok(())
            }
            Step::ChangeGroup { group, now, .. } => self.change_group(group, now, programs),
            Step::AddGroup { group, now } => self.add_group(group, now, programs),
            Step::StartMembers {
                group,
                numbers,
                now,
                ..
            } => self.start_members(group, numbers, now),
            Step::StopMembers {
                group,
                numbers,
                now,
                ..
            } => self.stop_members(group, numbers, now).await,
            Step::ReplaceMembers {
                group,
                numbers,
                now,
                ..
            } => self.replace_members(group, numbers, now, programs).await,
            Step::RemoveGroup { group, .. } => self.remove_group(group).await,
            Step::AddProducer { producer, now } => self.add_producer(producer, now, programs),
            Step::ChangeProducer { producer, now, .. } => {
                self.change_producer(producer, now, programs)
            }
            Step::ReplaceProducer { producer, now, .. } => {
                self.replace_producer(producer, now, programs).await
            }
            Step::RemoveProducer { producer, .. } => self.remove_producer(producer).await,
        }
    }
}
