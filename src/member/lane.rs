//! A lane: one partition that this member holds, with all that it knows of it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::config::Ordering;
use crate::delivery::{Delivery, LaneId, Record, Tracker};
use crate::kafka::Partition;

use super::again::Past;
use super::gate::Gate;

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
    /// The end that the client has reached: beyond `position` where what follows is no message.
    pub(super) passed: i64,
    /// Its end, as the daemon has asked for it: the client hears of it only while it fetches.
    pub(super) end_told: Option<i64>,
    /// With `exactly_once`: no commit says yet that this member holds it, so nothing may start.
    pub(super) unclaimed: bool,
    /// With `exactly_once`: the last commit says that nobody holds it any more.
    pub(super) released: bool,
    /// With `exactly_once`: something of it is in the transaction under way.
    pub(super) dirty: bool,
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
            passed: next,
            end_told: None,
            unclaimed: false,
            released: false,
            dirty: false,
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
    pub(super) fn may_start(&mut self) -> bool {
        self.is_open() && !self.gate.holds_everything() && !self.tracker.list_is_full()
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
        self.passed = offset;
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
