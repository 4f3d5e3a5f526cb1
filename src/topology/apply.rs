//! Taking a plan's steps, and going back when one fails.

use std::time::{Duration, Instant};

use crate::preflight::{Checked, Programs};

use super::Running;
use super::plan::{Plan, Step};

impl Running {
    /// Takes the steps of `plan`, after which `wanted` is what runs, as this generation. Returns what
    /// was done, one line each, with the time that it took.
    ///
    /// # Errors
    /// Which step failed and why. What ran before runs again then: the steps taken are undone, the
    /// last one first. Topics stay as they have become.
    pub async fn apply(
        &mut self,
        plan: Plan,
        wanted: Checked,
        generation: u64,
    ) -> Result<Vec<(String, Duration)>, String> {
        let before = self.programs.clone();
        let mut lines = Vec::new();
        let mut taken: Vec<Step> = Vec::new();
        for step in plan.steps {
            let began = Instant::now();
            let outcome = self.take(&step, &wanted.programs).await;
            lines.extend(step.lines().into_iter().map(|line| (line, began.elapsed())));
            taken.push(step);
            if let Err(reason) = outcome {
                self.go_back(taken, &before).await;
                return Err(reason);
            }
        }
        self.set_config(wanted, generation);
        Ok(lines)
    }

    async fn go_back(&mut self, taken: Vec<Step>, programs: &Programs) {
        for back in taken.iter().rev().filter_map(Step::inverse) {
            if let Err(reason) = self.take(&back, programs).await {
                tracing::error!("going back failed: {reason}");
            }
        }
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
            Step::AddGroup { group, now } => self.add_group(group, now, programs).await,
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
