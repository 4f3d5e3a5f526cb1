//! How a member leaves its group, within a time limit even when the broker is away.

use std::time::{Duration, Instant};

use super::Rebalance;
use super::consumer::{Consumer, list};

/// How long one round of serving the closing consumer waits.
const ROUND: Duration = Duration::from_millis(10);
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
        // While a question of the group is unanswered, librdkafka neither leaves nor closes.
        let answered = match self.context.close() {
            None => Ok(()),
            Some(Rebalance::Assign(_)) => self.client.assign(&list(&[])),
            Some(Rebalance::Revoke { partitions, .. }) => self.client.unassign(&list(&partitions)),
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "answering a rebalance while leaving");
        }
        // librdkafka sends no LeaveGroup for a static member that closes, but does for one that
        // unsubscribes; the member id is empty when that is done.
        if self.is_static && for_good && self.member_id().is_some() {
            match self.client.unsubscribe() {
                Ok(()) => {
                    while self.member_id().is_some() && Instant::now() < deadline {
                        self.serve_closing();
                    }
                }
                Err(error) => tracing::warn!(%error, "a static member could not leave its group"),
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

    fn serve_closing(&self) {
        let mut dropped = Vec::new();
        self.queue.take::<64>(64, ROUND, &mut dropped);
    }
}
