//! A lane: one partition that this member holds, with all that it knows of it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::config::Ordering;
use crate::delivery::{Delivery, LaneId, Record, Tracker};
use crate::kafka::Partition;

use super::again::Past;
use super::gate::Gate;
use super::room::{Room, Waiting};

/// One partition of a member, from its assignment to its end.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) partition: Partition,
    pub(super) tracker: Tracker,
    pub(super) gate: Gate,
    /// Taken from the client, not yet started, in offset order.
    pub(super) held: VecDeque<Rc<Record>>,
    pub(super) held_bytes: usize,
    /// Started before, and free to go on: what waited behind a retry, in order.
    pub(super) ready: VecDeque<Delivery>,
    /// What was started and waits: for a retry, behind one, or for somebody to act.
    pub(super) waiting: Waiting,
    pub(super) mode: Mode,
    /// The client was told not to fetch, for too much is held.
    pub(super) fetch_paused: bool,
    /// The user said so.
    pub(super) user_paused: bool,
    /// The user moves the group's offset.
    pub(super) seeking: bool,
    /// The last commit was refused; whether it may be taken when it is sent again.
    pub(super) refused: Option<bool>,
    /// One past the last offset taken from the client.
    pub(super) position: i64,
    /// What the broker has.
    pub(super) committed: Option<i64>,
    /// Where it began is not committed yet.
    pub(super) begins: bool,
    /// The last commit was refused, and may be taken when it is sent again.
    pub(super) commit_again: bool,
    /// With `at_most_once`: one past the last offset for which a commit was sent.
    pub(super) claimed: i64,
    /// When the newest message that is finished was written, in milliseconds since the epoch.
    pub(super) last_timestamp: Option<i64>,
    /// When nothing was left in it that was not handled, in milliseconds since the epoch.
    pub(super) caught_up: Option<i64>,
    /// Its end, as the daemon has asked for it: the client hears of it only while it fetches.
    pub(super) end_told: Option<i64>,
    /// With `exactly_once`: no commit says yet that this member holds it, so nothing may start.
    pub(super) unclaimed: bool,
    /// With `exactly_once`: the last commit says that nobody holds it any more.
    pub(super) released: bool,
    /// With `exactly_once`: something of it is in the transaction under way.
    pub(super) dirty: bool,
    /// The brokers take no lists of a useful length (`offset.metadata.max.bytes`): offsets go alone.
    pub(super) unlisted: bool,
    /// What the last commit lists as finished beyond its offset.
    pub(super) list: String,
    /// With `exactly_once`, of messages that are read again: what is known of them, by offset.
    pub(super) pasts: BTreeMap<i64, Past>,
    /// With `exactly_once`: messages before this offset have a transaction each.
    pub(super) alone_before: i64,
    /// Why the brokers do not let it be read.
    pub(super) denied: Option<String>,
}

/// Whether a lane may start messages.
#[derive(Debug)]
pub(super) enum Mode {
    Open,
    /// A message can not be finished; it is kept until somebody resumes or mends the handler.
    Stuck {
        reason: String,
        /// In the order in which they got stuck; none where the partition itself is the trouble, such
        /// as an offset that is gone.
        deliveries: Vec<Delivery>,
    },
    /// It is being given up: nothing starts, what is in flight may still finish.
    Leaving {
        /// What is held is committed already, and so must be handled before.
        finishes_held: bool,
    },
}

impl Lane {
    pub(super) fn new(
        id: LaneId,
        partition: Partition,
        ordering: Ordering,
        committed: Option<i64>,
        metadata: &str,
    ) -> Self {
        // Without a commit the partition begins at its beginning, wherever that is by now.
        let next = committed.unwrap_or(0);
        Self {
            id,
            partition,
            tracker: Tracker::new(next, metadata),
            gate: Gate::new(ordering),
            held: VecDeque::new(),
            held_bytes: 0,
            ready: VecDeque::new(),
            waiting: Waiting::default(),
            mode: Mode::Open,
            fetch_paused: false,
            user_paused: false,
            seeking: false,
            refused: None,
            position: next,
            committed,
            begins: false,
            commit_again: false,
            claimed: next,
            last_timestamp: None,
            caught_up: None,
            end_told: None,
            unclaimed: false,
            released: false,
            dirty: false,
            unlisted: false,
            list: metadata.to_owned(),
            pasts: BTreeMap::new(),
            alone_before: 0,
            denied: None,
        }
    }

    /// Whether it begins wherever its partition does and nothing of it was read yet.
    pub(super) fn begins_anywhere(&self) -> bool {
        self.committed.is_none() && self.position == 0
    }

    /// Whether the handler may be called for it.
    pub(super) fn is_open(&self) -> bool {
        let open = match self.mode {
            Mode::Open => true,
            Mode::Leaving { finishes_held } => finishes_held,
            Mode::Stuck { .. } => false,
        };
        open && !self.unclaimed && !self.is_held_by_user()
    }

    /// Whether the user wants nothing of it to start.
    pub(super) fn is_held_by_user(&self) -> bool {
        self.user_paused || self.seeking
    }

    /// Whether the next message in line may start.
    pub(super) fn may_start(&mut self, room: Room) -> bool {
        self.is_open()
            && !self.gate.holds_everything()
            && !self.waiting.is_full(room)
            && !self.tracker.list_is_full()
    }

    /// A message that was started for lane `id` is finished. False: that is this partition's former self, or
    /// another partition that had this place before, so nothing here is finished by it.
    pub(super) fn finish(&mut self, id: LaneId, record: &Record) -> bool {
        if self.id != id {
            return false;
        }
        self.tracker.finished(record.offset);
        self.last_timestamp = record.timestamp;
        true
    }

    /// What is still heard of messages until now is of an epoch that is over.
    pub(super) fn begin_epoch(&mut self, epoch: u64) {
        self.id.epoch = epoch;
        self.waiting = Waiting::default();
    }

    /// Whether a message is to have a transaction for itself.
    pub(super) fn runs_alone(&self, offset: i64) -> bool {
        offset < self.alone_before || self.pasts.get(&offset).is_some_and(Past::is_suspect)
    }

    pub(super) fn hold(&mut self, record: Rc<Record>) {
        self.held_bytes += record.size();
        self.held.push_back(record);
    }

    pub(super) fn take_held(&mut self) -> Option<Rc<Record>> {
        let record = self.held.pop_front()?;
        self.held_bytes -= record.size();
        Some(record)
    }

    /// With `at_most_once`: what to commit so that the next holder handles what was claimed and not done,
    /// if there is such.
    pub(super) fn take_claim_back(&mut self) -> Option<(i64, String)> {
        let (next, list) = self.tracker.position();
        let ahead = self.claimed > next;
        self.claimed = self.claimed.min(next);
        ahead.then_some((next, list))
    }

    /// The broker refused what was committed last; `passing`: it may take it later.
    pub(super) fn commit_refused(&mut self, passing: bool) {
        self.commit_again = passing;
        self.refused = Some(passing);
        self.tracker.commit_refused();
        if let Some(committed) = self.committed {
            self.claimed = committed;
        }
        if matches!(
            self.mode,
            Mode::Leaving {
                finishes_held: true
            }
        ) {
            // The next holder handles it.
            self.drop_held_from(self.claimed);
        }
    }

    /// Forgets what is held from `offset` on.
    pub(super) fn drop_held_from(&mut self, offset: i64) {
        while let Some(last) = self.held.pop_back() {
            if last.offset < offset {
                self.held.push_back(last);
                return;
            }
            self.held_bytes -= last.size();
        }
    }

    /// Goes on with the bookkeeping at another offset, which the group has committed.
    pub(super) fn begin_at(&mut self, tracker: Tracker, offset: i64) {
        self.drop_held();
        self.tracker = tracker;
        self.move_to(offset);
        self.claimed = offset;
        self.last_timestamp = None;
        self.caught_up = None;
        self.commit_again = false;
        self.list.clear();
        self.pasts.clear();
        self.alone_before = 0;
    }

    /// The client goes on at this offset.
    pub(super) fn move_to(&mut self, offset: i64) {
        self.position = offset;
    }

    /// Forgets what was taken from the client and not started.
    pub(super) fn drop_held(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Why it does not go on, if so.
    pub(super) fn standstill(&self) -> Option<&str> {
        self.stuck_reason().or(self.denied.as_deref())
    }

    /// Why it can not go on by itself, if so.
    pub(super) fn stuck_reason(&self) -> Option<&str> {
        match &self.mode {
            Mode::Stuck { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Verdict;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What happens to a partition, over any number of holders.
    #[derive(Debug, Clone)]
    enum Step {
        /// The next message in line starts, if it may.
        Start,
        /// The answer for something in flight, be it of this holder or of one before.
        Answer { pick: usize, verdict: Verdict },
        /// A commit that the broker takes, or refuses.
        Commit { taken: bool },
        /// The next holder begins where the last commit that was taken says.
        Revoke,
        /// The same holder goes back there, as after a transaction that was aborted.
        ReadAgain,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let verdict = prop_oneof![
            3 => Just(Verdict::Handled),
            1 => Just(Verdict::Abandoned),
        ];
        let step = prop_oneof![
            6 => Just(Step::Start),
            6 => (any::<usize>(), verdict).prop_map(|(pick, verdict)| Step::Answer { pick, verdict }),
            2 => any::<bool>().prop_map(|taken| Step::Commit { taken }),
            1 => Just(Step::Revoke),
            1 => Just(Step::ReadAgain),
        ];
        prop::collection::vec(step, 0..300)
    }

    /// A partition, and beside it a model that only knows which messages are done in which epoch.
    struct Run {
        lane: Lane,
        next: i64,
        /// The most that `next` ever was.
        end: i64,
        in_flight: Vec<(LaneId, i64)>,
        /// Of this epoch.
        done: BTreeSet<i64>,
        /// What the last commit says that was taken: its offset, its list, and all that it covers.
        taken: (i64, String),
        covered: BTreeSet<i64>,
    }

    const ROOM: Room = Room {
        messages: 1000,
        bytes: 1 << 20,
        lanes: 1,
    };

    fn lane(epoch: u64, (offset, list): &(i64, String)) -> Lane {
        let partition = Partition {
            topic: "t".into(),
            number: 0,
        };
        let id = LaneId { index: 0, epoch };
        Lane::new(id, partition, Ordering::None, Some(*offset), list)
    }

    fn record(offset: i64) -> Record {
        let mut record = Record::default();
        record.offset = offset;
        record
    }

    impl Run {
        fn start(&mut self) {
            if !self.lane.may_start(ROOM) {
                return;
            }
            let offset = self.next;
            self.next += 1;
            self.end = self.end.max(self.next);
            let again = self.lane.tracker.was_done_before(offset);
            assert_eq!(
                again,
                self.covered.contains(&offset),
                "{offset} of epoch {}",
                self.lane.id.epoch
            );
            self.lane.tracker.started(offset, None);
            if again {
                assert!(self.lane.finish(self.lane.id, &record(offset)));
                self.done.insert(offset);
            } else {
                self.in_flight.push((self.lane.id, offset));
            }
        }

        fn answer(&mut self, pick: usize, verdict: Verdict) {
            if self.in_flight.is_empty() {
                return;
            }
            let (id, offset) = self.in_flight.swap_remove(pick % self.in_flight.len());
            if !verdict.is_finished() {
                // It waits on, for whoever is asked next.
                return self.in_flight.push((id, offset));
            }
            let counts = self.lane.finish(id, &record(offset));
            assert_eq!(counts, id == self.lane.id, "an answer of {id:?}");
            if counts {
                self.done.insert(offset);
            }
        }

        fn commit(&mut self, taken: bool) {
            let Some((offset, list)) = self.lane.tracker.committable() else {
                return;
            };
            if !taken {
                return self.lane.commit_refused(true);
            }
            let mut covered: BTreeSet<i64> = (0..offset).collect();
            let mut next = Tracker::new(offset, &list);
            covered.extend((offset..self.end).filter(|offset| next.was_done_before(*offset)));
            let known = &self.done | &self.covered;
            assert!(covered.is_subset(&known), "{covered:?} of {known:?}");
            self.taken = (offset, list);
            self.covered = covered;
        }

        fn go_back(&mut self) {
            self.next = self.taken.0;
            self.done = self.covered.clone();
        }
    }

    proptest! {
        /// Whatever is answered, and however late: only what this epoch has started is finished by it, no
        /// commit covers anything else, and what a commit covers never starts again.
        #[test]
        fn late_answers_finish_nothing(steps in steps()) {
            let taken = (0, String::new());
            let mut run = Run {
                lane: lane(1, &taken),
                next: 0,
                end: 0,
                in_flight: Vec::new(),
                done: BTreeSet::new(),
                taken,
                covered: BTreeSet::new(),
            };
            for step in steps {
                match step {
                    Step::Start => run.start(),
                    Step::Answer { pick, verdict } => run.answer(pick, verdict),
                    Step::Commit { taken } => run.commit(taken),
                    Step::Revoke => {
                        run.lane = lane(run.lane.id.epoch + 1, &run.taken);
                        run.go_back();
                    }
                    Step::ReadAgain => {
                        run.lane.begin_epoch(run.lane.id.epoch + 1);
                        run.lane.tracker = Tracker::new(run.taken.0, &run.taken.1);
                        run.go_back();
                    }
                }
            }
        }
    }
}
