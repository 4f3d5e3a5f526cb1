//! What members and producers hold of the board.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::corner::Corner;
use super::{Board, lock};
use crate::observe::status::{MemberStatus, ProducerStatus};

/// How often a member or producer publishes while nothing remarkable happens.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// One member's place on the board. Dropped, the member is gone from it, its totals are not.
#[derive(Debug)]
pub struct MemberBoard {
    pub(super) board: Board,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) corner: Arc<Corner<MemberStatus>>,
    pub(super) published: Option<Instant>,
}

impl MemberBoard {
    /// `GROUP-N`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loop went round. Call it every round, and at least once a second while idle.
    pub fn beat(&self, now: Instant) {
        self.corner.pulse.beat(now);
    }

    /// What one call may take, when a reload has changed `handler_timeout`.
    pub fn expect(&self, longest_call: Duration) {
        self.corner.pulse.expect(longest_call);
    }

    /// Whether it is time to publish again. A change of state or partitions need not wait for it.
    pub fn is_due(&self, now: Instant) -> bool {
        self.published
            .is_none_or(|last| now.saturating_duration_since(last) >= PUBLISH_EVERY)
    }

    /// Publishes a new status. Its name is set here.
    pub fn publish(&mut self, mut status: MemberStatus) {
        status.name.clone_from(&self.name);
        self.update(|shown| *shown = status);
    }

    /// Changes what is published, in place.
    pub fn update(&mut self, change: impl FnOnce(&mut MemberStatus)) {
        change(&mut lock(&self.corner.status));
        self.published = Some(Instant::now());
        self.board.changed();
    }
}

impl Drop for MemberBoard {
    fn drop(&mut self) {
        self.board.leave(&self.group, &self.corner);
    }
}

/// One producer's place on the board; it stays after the producer has finished.
#[derive(Debug)]
pub struct ProducerBoard {
    pub(super) board: Board,
    pub(super) corner: Arc<Corner<ProducerStatus>>,
    pub(super) published: Option<Instant>,
}

impl ProducerBoard {
    /// The loop went round. Call it every round, and at least once a second while waiting.
    pub fn beat(&self, now: Instant) {
        self.corner.pulse.beat(now);
    }

    /// Whether it is time to publish again.
    pub fn is_due(&self, now: Instant) -> bool {
        self.published
            .is_none_or(|last| now.saturating_duration_since(last) >= PUBLISH_EVERY)
    }

    /// Changes what is published, in place.
    pub fn update(&mut self, change: impl FnOnce(&mut ProducerStatus)) {
        change(&mut lock(&self.corner.status));
        self.published = Some(Instant::now());
        self.board.changed();
    }
}
