//! What a member does for whoever steers it: pauses, taps, seeks, and messages to be given up.

use tokio::sync::oneshot;

use crate::kafka::Partition;

use super::report::PartitionReport;
use super::tap::Watched;
use super::turn::Member;

impl Member {
    /// Goes on with what takes more than a moment.
    pub(super) fn steer(&mut self) {
        if !self.to_give_up.is_empty() {
            self.give_up_stuck();
        }
        if !self.seeks.is_empty() {
            self.go_on_seeking();
        }
    }

    /// Takes up what the user has paused and who watches, and says what it holds.
    pub(super) fn follow(&mut self, reply: oneshot::Sender<Vec<PartitionReport>>) {
        self.follow_pauses();
        self.follow_taps();
        if reply.send(self.partition_reports()).is_err() {
            tracing::debug!("who asked has gone");
        }
        self.publish_now();
        // What was paused may go on.
        self.inbox.wake.notify_one();
    }

    fn follow_pauses(&mut self) {
        let pauses = self.setup.shared.pauses();
        for (_, lane) in &mut self.lanes {
            lane.user_paused = pauses.holds(&lane.partition);
        }
    }

    /// Lets the lag of partitions that stand still grow with them.
    pub(super) fn hear_ends(&mut self, ends: &[(Partition, i64)]) {
        for (_, lane) in &mut self.lanes {
            let told = ends
                .iter()
                .find(|(partition, _)| *partition == lane.partition);
            if let Some((_, end)) = told {
                lane.end_told = Some(*end);
            }
        }
        self.tally.touch();
    }

    pub(super) fn follow_taps(&mut self) {
        let taps = self.setup.shared.taps();
        self.watched
            .retain(|watched| taps.iter().any(|tap| watched.is(tap)));
        for tap in taps {
            let known = self.watched.iter().any(|watched| watched.is(&tap));
            if !known && !tap.is_over() {
                self.watched.push(Watched::new(tap));
            }
        }
    }
}
