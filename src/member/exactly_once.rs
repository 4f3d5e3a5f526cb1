//! A member's way through its transactions, with `guarantee = "exactly_once"`.
//!
//! A transaction holds a stretch of each partition: what the handlers of its messages emitted, their
//! dead letters, and the offset behind the last of them. So it must never be committed when a message
//! in it is not finished; then [`Member::read_again`] goes back to the group's offsets.
//!
//! Before the first message of a partition starts, and after the last, a commit says who holds it: what
//! a member leaves open when it dies or hangs can then be ended by the next holder at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::delivery::{Delivery, LaneId, with_holder};
use crate::kafka::{
    Commit, Emitter, Heir, Inheritance, KafkaError, Partition, Transactions, client_id,
};

use super::lane::{Lane, Mode};
use super::lost_end::LastCommits;
use super::transaction::{Bounds, Heard, Step, Transaction};
use super::turn::Member;
use super::{Event, Setup};

/// What a member has for its transactions.
pub(super) struct ExactlyOnce {
    pub(super) state: Transaction,
    transactions: Transactions,
    /// The transactional id.
    id: String,
    /// What the commit under way carries.
    signed: Vec<Signed>,
    last_commits: LastCommits,
    /// Partitions are being freed of what earlier holders left open.
    inheritance: Option<Inheritance>,
    told_trouble: Option<Instant>,
    /// The consumer has joined the group.
    joined: bool,
    /// Why this producer can't go on.
    broken: Option<KafkaError>,
}

/// A partition's part of a commit.
#[derive(Debug)]
struct Signed {
    lane: LaneId,
    offset: i64,
    list: String,
    /// It is given up with it.
    released: bool,
}

/// For a look at a partition's beginning.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two words about the same trouble.
const TELL_AGAIN: Duration = Duration::from_secs(30);

impl ExactlyOnce {
    pub(super) fn new(setup: &Setup, wake: Arc<Notify>) -> Result<(Emitter, Self), KafkaError> {
        Self::with(setup, wake, Transaction::new(), Duration::ZERO)
    }

    fn with(
        setup: &Setup,
        wake: Arc<Notify>,
        state: Transaction,
        rest: Duration,
    ) -> Result<(Emitter, Self), KafkaError> {
        let id = client_id(&setup.cluster.instance, &setup.group_id, setup.number);
        let (emitter, transactions) = Transactions::new(&setup.cluster, &setup.group, &id, wake)?;
        // Before it joins: whoever is in the group has ended what it left open in an earlier life.
        transactions.init(rest);
        let new = Self {
            state,
            transactions,
            id,
            signed: Vec::new(),
            last_commits: LastCommits::default(),
            inheritance: None,
            told_trouble: None,
            joined: false,
            broken: None,
        };
        Ok((emitter, new))
    }

    /// A message that an earlier holder finished is passed over: that moves the group's offset.
    pub(super) fn pass_over(&mut self, lane: &mut Lane, now: Instant) {
        lane.dirty = true;
        self.state.add(now, 0);
    }

    /// The transactional id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn last_commits(&self) -> &LastCommits {
        &self.last_commits
    }

    /// Whether partitions wait for what earlier holders left open, or this one itself; the end wakes
    /// the loop.
    pub(super) fn holds_up(&self) -> bool {
        self.inheritance.is_some() || self.state.is_in_doubt()
    }
}

impl Member {
    /// Goes on with the transaction, once a round.
    ///
    /// # Errors
    /// The member can't go on with its clients.
    pub(super) fn transact(&mut self) -> Result<(), KafkaError> {
        let Some(own) = &mut self.exactly_once else {
            return Ok(());
        };
        if let Some(error) = own.broken.take() {
            self.replace_producer(&error)?;
            return Ok(());
        }
        if let Some(error) = own.transactions.trouble() {
            self.tell_trouble(error);
        }
        while let Some(own) = &mut self.exactly_once
            && let Some(outcome) = own.transactions.outcome()
        {
            match own.state.heard(outcome, self.now) {
                Heard::Ready => self.begin_or_go_on()?,
                Heard::Committed => self.take_committed(),
                Heard::ReadAgain => self.read_again()?,
                Heard::Refused(error) => {
                    self.tally.commits_refused += 1;
                    self.transaction_failed(error);
                }
                Heard::Broken(error) => self.replace_producer(&error)?,
            }
        }
        if let Some(own) = &mut self.exactly_once
            && own.state.may_have_failed()
            && let Some(error) = own.transactions.failure()
        {
            self.transaction_failed(error);
        }
        if let Some(own) = &mut self.exactly_once
            && own
                .state
                .looks_after_the_group(self.now, self.group.transaction_interval)
        {
            self.consumer.look_after_the_group();
        }
        let bounds = self.bounds();
        let Some(own) = &mut self.exactly_once else {
            return Ok(());
        };
        match own.state.step(bounds) {
            Step::Nothing => Ok(()),
            Step::Flush => {
                if let Some(emitter) = &self.emitter {
                    emitter.hurry();
                }
                Ok(())
            }
            Step::Commit { begin } => self.commit_transaction(begin),
            Step::Abort(why) => {
                tracing::warn!("a transaction is aborted, and its messages are read again: {why}");
                self.drop_flights();
                if let Some(own) = &self.exactly_once {
                    own.transactions.abort();
                }
                Ok(())
            }
            Step::ReadAgain(why) => {
                tracing::warn!("messages are read again: {why}");
                self.drop_flights();
                self.read_again()
            }
        }
    }

    /// The transactional id is ours: join the group, or go on where the producer before has failed.
    fn begin_or_go_on(&mut self) -> Result<(), KafkaError> {
        let Some(own) = &mut self.exactly_once else {
            return Ok(());
        };
        if !own.joined {
            own.joined = true;
            self.awake.is_outside();
            return self.consumer.subscribe(&self.group.topics);
        }
        self.is_let_in();
        // Whether its last commit came through is known only to the broker.
        let dirty = self.lanes.iter().filter(|(_, lane)| lane.dirty);
        let partitions: Vec<Partition> = dirty.map(|(_, lane)| lane.partition.clone()).collect();
        for committed in self.settled_offsets(&partitions)? {
            let is_it = |lane: &&mut Lane| lane.partition == committed.partition;
            let found = self.lanes.iter_mut().map(|(_, lane)| lane).find(is_it);
            if let (Some(lane), Some(offset)) = (found, committed.offset) {
                lane.committed = Some(offset);
                lane.list = committed.metadata;
            }
        }
        self.read_again()
    }

    /// Goes on with another producer: this one was fenced, or does not answer any more. The consumer
    /// keeps its place in the group.
    fn replace_producer(&mut self, error: &KafkaError) -> Result<(), KafkaError> {
        tracing::error!("the producer can not go on, making another one: {error}");
        if error.is_denied() {
            self.is_kept_out(error);
        }
        self.drop_flights();
        self.flights.clear();
        let Some(old) = &mut self.exactly_once else {
            return Ok(());
        };
        let state = old.state.anew(self.now);
        // One that was refused at once would be refused again at once.
        let rest = state.rest_left(self.now);
        let wake = self.inbox.wake.clone();
        let (emitter, mut new) = ExactlyOnce::with(&self.setup, wake, state, rest)?;
        new.joined = old.joined;
        new.last_commits = std::mem::take(&mut old.last_commits);
        self.emitter = Some(emitter);
        self.exactly_once = Some(new);
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        let leaves = self
            .leave
            .as_ref()
            .is_some_and(|leave| leave.is_committing());
        let unclaimed = |lane: &Lane| lane.unclaimed && !matches!(lane.mode, Mode::Leaving { .. });
        Bounds {
            now: self.now,
            interval: self.group.transaction_interval,
            bytes: self.group.buffer,
            hurry: leaves || self.lanes.iter().any(|(_, lane)| unclaimed(lane)),
            unanswered: self.sending.is_some() || !self.flights.is_empty(),
        }
    }

    /// Everything in the transaction is acknowledged: its offsets go along, with the group's metadata
    /// of this moment.
    fn commit_transaction(&mut self, begin: bool) -> Result<(), KafkaError> {
        let Some(own) = &mut self.exactly_once else {
            return Ok(());
        };
        let mut offsets = Vec::new();
        own.signed.clear();
        for (_, lane) in &self.lanes {
            let leaving = matches!(lane.mode, Mode::Leaving { .. });
            let releases = leaving && !lane.released;
            if !(lane.dirty || lane.unclaimed && !leaving || releases) {
                continue;
            }
            let (offset, list) = lane.tracker.position();
            own.signed.push(Signed {
                lane: lane.id,
                offset,
                list: list.clone(),
                released: leaving,
            });
            offsets.push(Commit {
                partition: lane.partition.clone(),
                offset,
                metadata: match leaving {
                    true => list,
                    false => with_holder(&list, &own.id),
                },
            });
        }
        if offsets.is_empty() {
            own.state.is_empty_after_all();
            return Ok(());
        }
        let Some(group) = self.consumer.group_metadata() else {
            own.state.is_empty_after_all();
            return Ok(());
        };
        own.transactions.commit(begin, &offsets, group)
    }

    fn take_committed(&mut self) {
        let Some(own) = &mut self.exactly_once else {
            return;
        };
        for signed in own.signed.drain(..) {
            let id = signed.lane;
            let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) else {
                continue;
            };
            match signed.released {
                true => own.last_commits.remove(&lane.partition),
                false => own
                    .last_commits
                    .insert(&lane.partition, signed.offset, &signed.list),
            }
            lane.committed = Some(signed.offset);
            lane.list = signed.list;
            lane.unclaimed = false;
            if std::mem::take(&mut lane.begins) {
                self.setup.shared.has_begun(&lane.partition);
            }
            lane.released = signed.released;
            lane.dirty = false;
            lane.pasts.retain(|offset, _| *offset >= signed.offset);
        }
        self.tally.committed();
        self.inbox.wake.notify_one();
    }

    /// A message goes into the transaction, with its effects. False: nothing can any more.
    pub(super) fn enter_transaction(
        &mut self,
        delivery: &Delivery,
        bytes: usize,
        sends: bool,
    ) -> bool {
        let Some(own) = &mut self.exactly_once else {
            return true;
        };
        let id = delivery.lane();
        if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
            lane.dirty = true;
        }
        own.state.add(self.now, bytes as u64);
        if sends && own.state.must_begin() {
            if let Err(error) = own.transactions.begin() {
                own.broken = Some(error);
                return false;
            }
            own.state.has_begun();
        }
        true
    }

    /// The producer takes nothing more, or has lost what it took.
    pub(super) fn producer_failed(&mut self, error: KafkaError) {
        let Some(own) = &mut self.exactly_once else {
            return;
        };
        // That nothing is taken any more has its own reason.
        let failure = || own.transactions.failure();
        let error = match own.state.can_be_doomed() && !own.state.must_begin() {
            true => failure().unwrap_or(error),
            false => error,
        };
        self.transaction_failed(error);
    }

    fn transaction_failed(&mut self, error: KafkaError) {
        if is_about_a_topic(&error) {
            self.suspect_all(&error.message);
        }
        let by_message = is_about_a_topic(&error);
        let Some(own) = &mut self.exactly_once else {
            return;
        };
        if error.fatal {
            own.broken = Some(error);
        } else {
            own.state.doom(error.message, by_message);
        }
    }

    /// The transaction must not be committed.
    pub(super) fn doom(&mut self, why: String) {
        if let Some(own) = &mut self.exactly_once {
            own.state.doom(why, false);
        }
    }

    /// Partitions went away: what was handled of them and not committed must not stay.
    pub(super) fn doom_if_in_it(&mut self, lanes: &[LaneId], why: &str) {
        let Some(own) = &mut self.exactly_once else {
            return;
        };
        let dirty = |id: &LaneId| {
            self.lanes
                .get(id.index)
                .is_some_and(|lane| lane.id == *id && lane.dirty)
        };
        if own.state.can_be_doomed() && lanes.iter().any(dirty) {
            own.state.doom(why.to_owned(), false);
        }
    }

    /// Ends what earlier holders of these partitions, this member among them, have left open. Whether
    /// that is done.
    ///
    /// # Errors
    /// It failed, and must be tried again.
    pub(super) fn inherit(&mut self, partitions: &[Partition]) -> Result<bool, KafkaError> {
        let Some(own) = &mut self.exactly_once else {
            return Ok(true);
        };
        let Some(inheritance) = &own.inheritance else {
            if own.state.is_in_doubt() {
                return Ok(false);
            }
            let heir = Heir {
                cluster: &self.setup.cluster,
                group_id: &self.setup.group_id,
                group: &self.group,
                id: &own.id,
            };
            let wake = self.inbox.wake.clone();
            let begun = Inheritance::begin(&heir, partitions, wake)?;
            own.inheritance = Some(begun);
            return Ok(false);
        };
        let Some(done) = inheritance.done() else {
            return Ok(false);
        };
        own.inheritance = None;
        for id in done? {
            tracing::info!("ended what {id} left open: it holds the partitions no more");
        }
        Ok(true)
    }

    /// Where a partition begins of which the group has no offset, for it must have one to go back to.
    pub(super) fn beginning_of(&self, partition: &Partition) -> Result<i64, KafkaError> {
        let (first, _) = self.consumer.watermarks(partition, ANSWER)?;
        Ok(first)
    }

    fn tell_trouble(&mut self, error: KafkaError) {
        let Some(own) = &mut self.exactly_once else {
            return;
        };
        let told = own.told_trouble;
        let long_ago = told.is_none_or(|told| self.now.duration_since(told) >= TELL_AGAIN);
        if error.is_outage() {
            self.setup.observer.event(Event::Trouble(error));
        } else if error.code == "_TIMED_OUT" || !long_ago {
            tracing::debug!(%error, "a transaction takes its time");
        } else {
            own.told_trouble = Some(self.now);
            tracing::warn!("transactions do not get on: {error}; trying again");
        }
    }
}

/// Whether a topic is denied to a transaction as a whole, and not one of its messages.
fn is_about_a_topic(error: &KafkaError) -> bool {
    matches!(
        error.code.as_str(),
        "TOPIC_AUTHORIZATION_FAILED" | "UNKNOWN_TOPIC_OR_PART"
    )
}
