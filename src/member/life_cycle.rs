//! The handler's life-cycle functions, and how their failures are told.

use std::sync::Arc;

use crate::kafka::Partition;
use crate::script::Outcome;

use super::turn::Member;

impl Member {
    pub(super) fn call_on_start(&mut self) {
        let outcome = self.handler.on_start();
        self.tell_life_cycle("on_start", outcome);
    }

    pub(super) fn call_on_stop(&mut self) {
        let outcome = self.handler.on_stop();
        self.tell_life_cycle("on_stop", outcome);
    }

    pub(super) fn call_on_assign(&mut self, partitions: &[Partition]) {
        let outcome = self.handler.on_assign(&self.names(partitions));
        self.tell_life_cycle("on_assign", outcome);
    }

    pub(super) fn call_on_revoke(&mut self, partitions: &[Partition]) {
        let outcome = self.handler.on_revoke(&self.names(partitions));
        self.tell_life_cycle("on_revoke", outcome);
    }

    fn tell_life_cycle(&mut self, function: &str, outcome: Outcome) {
        if let Outcome::Failed(failure) | Outcome::Rejected(failure) = outcome {
            let frame = failure
                .diagnostic
                .as_ref()
                .map(|diagnostic| diagnostic.frame());
            tracing::warn!(frame, "{function} failed: {}", failure.reason);
        }
    }

    /// The partitions as the handler is to see them.
    fn names(&self, partitions: &[Partition]) -> Vec<(Arc<str>, i32)> {
        let shown = |topic: &Arc<str>| match &self.group.stage {
            Some(stage) => stage.real(topic).clone(),
            None => topic.clone(),
        };
        partitions
            .iter()
            .map(|partition| (shown(&partition.topic), partition.number))
            .collect()
    }
}
