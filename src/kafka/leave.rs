//! How a member leaves its group, within a time limit even when the broker is away.

use std::time::{Duration, Instant};

use super::Rebalance;
use super::consumer::{Consumer, list};
use super::error::KafkaError;

/// How long one round of serving the closing consumer waits.
const ROUND: Duration = Duration::from_millis(10);
/// For the answer to a request to join: the others hear of it with their next heartbeat, and the default
/// of `heartbeat.interval.ms` is 3 s.
const JOINING: Duration = Duration::from_secs(10);
/// For freeing the client after it has closed; its threads end within this unless one is connecting.
const FREEING: Duration = Duration::from_millis(500);

impl Consumer {
    /// Leaves the group (static members too) and closes. Commit first: heartbeats stop here.
    /// `for_good` is false when a static member will be back under its id and must keep its place.
    ///
    /// Returns after `timeout` at the latest; what is not done by then is given up, and the group
    /// notices at the session timeout.
    pub fn leave(self, for_good: bool, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        self.drop_messages();
        self.answer_what_is_asked();
        self.context.close();
        // In the classic protocol a member that closes sends LeaveGroup only if it is dynamic, has
        // partitions, and is not just joining; else the others wait for it until the session timeout,
        // their commits included. One that unsubscribes sends it always, if need be when the rebalance
        // is over; then the member id is empty.
        let keeps_place = self.is_static && !for_good;
        if self.is_classic && self.is_static && for_good {
            self.hear_of_joining(deadline);
        }
        if self.is_classic && !keeps_place && self.member_id().is_some() {
            match self.client.unsubscribe() {
                Ok(()) => {
                    while self.member_id().is_some() && Instant::now() < deadline {
                        self.serve_closing();
                    }
                }
                Err(error) => tracing::warn!(%error, "a member could not leave its group"),
            }
        }
        let closed = match self.client.begin_close(&self.queue) {
            Ok(()) => {
                while !self.client.closed() && Instant::now() < deadline {
                    self.serve_closing();
                }
                self.client.closed()
            }
            Err(error) => {
                tracing::warn!(%error, "a consumer could not be closed");
                false
            }
        };
        if !closed {
            tracing::warn!(
                "a member could not take leave of its group within {timeout:?}; the group notices at the session timeout"
            );
        }
        let destroyed = self.context.destroyed.clone();
        drop(self);
        let left = deadline.saturating_duration_since(Instant::now());
        if !destroyed.wait(left.min(FREEING)) {
            tracing::debug!("a consumer's threads are still ending");
        }
    }

    /// A static member has its place from its request to join on, and learns its id with the answer, which
    /// comes when the others have joined anew. Without the id its place could not be given up.
    fn hear_of_joining(&self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + JOINING);
        while self.member_id().is_none() && Instant::now() < deadline {
            self.serve_closing();
        }
    }

    /// The group may wait for an answer; without one librdkafka neither joins nor leaves.
    fn answer_what_is_asked(&self) {
        let answered = |result: Result<(), KafkaError>| {
            if let Err(error) = result {
                tracing::debug!(%error, "the last answer to the group was refused");
            }
        };
        let next = || self.context.heard().or_else(|| self.next_rebalance());
        while let Some(question) = next() {
            answered(match question {
                // Taken, to be given up again: what was not taken could not be given up later.
                Rebalance::Assign(partitions) => self.client.assign(&list(&partitions)),
                Rebalance::Revoke { partitions, .. } => self.client.unassign(&list(&partitions)),
            });
            self.context.answered();
        }
    }

    fn serve_closing(&self) {
        let mut dropped = Vec::new();
        self.queue.take::<64>(64, ROUND, &mut dropped);
    }
}
