//! A member's transaction as a state, without any client.
//!
//! [`Transaction::add`] when a message goes into it, [`Transaction::step`] once a round tells what is to
//! be done, [`Transaction::heard`] what became of it.
//!
//! ```text
//! Starting ─► Idle ─► Open ─► Closing ─► Committing ─► Idle
//!                       └────────┴───────────┴─► Aborting ─► Idle, and read again
//! ```
//!
//! It is open while messages go into it; closing when its time is over, and nothing starts until what
//! was sent is acknowledged, because only then is a commit quick. What can't be committed is doomed: it
//! is aborted, and everything that was in it is read again. A producer that was fenced has no way back:
//! the member makes another one, which begins at `Starting`.

use std::time::{Duration, Instant};

use crate::kafka::{KafkaError, TransactionOutcome};

/// After an abort that no message was to blame for, doubled with each one that follows.
const REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// So long before a commit the group is looked after. Else the commit itself brings librdkafka's thread to
/// send the heartbeat that is due and, in a rebalance, to join again, which makes the group refuse the
/// commit that is on its way.
const LOOK_BEFORE: Duration = Duration::from_millis(20);

/// What a member with `exactly_once` has at the broker.
#[derive(Debug)]
pub(super) struct Transaction {
    phase: Phase,
    /// Whether the producer is in a transaction; without anything sent it need not be.
    begun: bool,
    /// Bytes of what was sent in it.
    bytes: u64,
    /// The group has been looked after before its commit.
    looked: bool,
    doom: Option<Doom>,
    /// Aborts in a row that no message was to blame for.
    failures: u32,
    /// After such an abort nothing starts before this time.
    rests_until: Option<Instant>,
    /// The message in it is under suspicion, and has it for itself.
    alone: bool,
    /// A message waits for one that it has for itself.
    wanted_alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The transactional id is being taken over.
    Starting,
    Idle,
    Open {
        since: Instant,
    },
    Closing,
    Committing,
    Aborting,
}

/// Why a transaction can't be committed.
#[derive(Debug)]
struct Doom {
    why: String,
    /// One of its messages was refused, and waits for its retry: no other need wait.
    by_message: bool,
}

/// What bounds a transaction, and what else there is to consider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) now: Instant,
    pub(super) interval: Duration,
    /// Most bytes in one transaction.
    pub(super) bytes: u64,
    /// Somebody waits for a commit, even for one of offsets alone.
    pub(super) hurry: bool,
    /// Something sent is not acknowledged.
    pub(super) unanswered: bool,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Send what waits for company.
    Flush,
    /// Commit; `begin`: there is no transaction at the producer yet.
    Commit {
        begin: bool,
    },
    /// Abort what was sent, for this reason.
    Abort(String),
    /// Nothing was sent: only read again.
    ReadAgain(String),
}

/// What follows from what was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Begin to work: the transactional id is ours.
    Ready,
    /// The offsets of the last commit are the group's.
    Committed,
    /// What was in it is to be read again.
    ReadAgain,
    /// It can't be committed: it is to be doomed with this error.
    Refused(KafkaError),
    /// Another producer is needed.
    Broken(KafkaError),
}

impl Transaction {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Starting,
            begun: false,
            bytes: 0,
            looked: false,
            doom: None,
            failures: 0,
            rests_until: None,
            alone: false,
            wanted_alone: false,
        }
    }

    /// The next one's first state, with another producer because this one's failed.
    pub(super) fn anew(&self, now: Instant) -> Self {
        let mut new = Self {
            failures: self.failures,
            ..Self::new()
        };
        new.rest(now);
        new
    }

    /// How long it rests from now on.
    pub(super) fn rest_left(&self, now: Instant) -> Duration {
        let left = self
            .rests_until
            .map(|until| until.saturating_duration_since(now));
        left.unwrap_or_default()
    }

    fn rest(&mut self, now: Instant) {
        let rest = REST.saturating_mul(1 << self.failures.min(10));
        self.rests_until = Some(now + rest.min(LONGEST_REST));
        self.failures += 1;
    }

    /// Whether the handler may be called for a message that then goes into it.
    pub(super) fn takes(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Open { .. })
            && !self.alone
            && self.doom.is_none()
            && self.rests_until.is_none_or(|until| until <= now)
    }

    /// Whether a message can have it for itself now; if not, it will soon.
    pub(super) fn makes_room(&mut self) -> bool {
        self.wanted_alone = self.phase != Phase::Idle;
        !self.wanted_alone
    }

    /// The message that is handled next has it for itself.
    pub(super) fn begin_alone(&mut self) {
        self.alone = true;
    }

    /// Whether there is one message in it at most.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// A message goes into it, with so many bytes to send.
    pub(super) fn add(&mut self, now: Instant, bytes: u64) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Open { since: now };
        }
        self.bytes += bytes;
    }

    /// Whether the producer must begin before it sends.
    pub(super) fn must_begin(&self) -> bool {
        !self.begun
    }

    pub(super) fn has_begun(&mut self) {
        self.begun = true;
    }

    /// It must not be committed. `by_message`: one of its messages was refused.
    pub(super) fn doom(&mut self, why: String, by_message: bool) {
        match self.phase {
            // Its offsets are on their way with all that belongs to them, or it is over anyway.
            Phase::Starting | Phase::Committing => {}
            // Whose fault it was may be heard late.
            _ => match &mut self.doom {
                None => self.doom = Some(Doom { why, by_message }),
                Some(doom) => doom.by_message |= by_message,
            },
        }
    }

    /// Whether it waits for acknowledgements, which a producer whose transaction has failed never gets.
    pub(super) fn may_have_failed(&self) -> bool {
        self.phase == Phase::Closing && self.begun && self.doom.is_none()
    }

    /// Whether nothing of it is under way.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Starting) && self.doom.is_none()
    }

    /// Whether the group's offsets may still change by what was sent: whoever asks for them now may get
    /// those from before. A member that has lost its partitions can get them back meanwhile, in the same
    /// generation, and then the group takes the commit too.
    pub(super) fn is_in_doubt(&self) -> bool {
        let stands = matches!(
            self.phase,
            Phase::Idle | Phase::Open { .. } | Phase::Closing
        );
        !stands || self.doom.is_some()
    }

    /// Whether something of it is at the broker and neither committed nor on its way to be.
    pub(super) fn can_be_doomed(&self) -> bool {
        matches!(self.phase, Phase::Open { .. } | Phase::Closing)
    }

    /// When something is to be done that nothing else wakes the loop for.
    pub(super) fn due(&self, interval: Duration) -> Option<Instant> {
        match self.phase {
            Phase::Open { since } if self.looked => Some(since + interval),
            Phase::Open { since } => Some(since + interval.saturating_sub(LOOK_BEFORE)),
            Phase::Idle => self.rests_until,
            _ => None,
        }
    }

    /// Whether the group is to be looked after now, once in each transaction.
    pub(super) fn looks_after_the_group(&mut self, now: Instant, interval: Duration) -> bool {
        let begins = matches!(self.phase, Phase::Open { .. }) && !self.looked;
        self.looked |= begins && self.due(interval).is_some_and(|due| due <= now);
        begins && self.looked
    }

    pub(super) fn step(&mut self, bounds: Bounds) -> Step {
        self.rests_until = self.rests_until.filter(|until| *until > bounds.now);
        let stands = matches!(
            self.phase,
            Phase::Idle | Phase::Open { .. } | Phase::Closing
        );
        if stands && let Some(doom) = &self.doom {
            let why = doom.why.clone();
            if self.begun {
                self.phase = Phase::Aborting;
                return Step::Abort(why);
            }
            self.is_over_badly(bounds.now);
            return Step::ReadAgain(why);
        }
        // Whatever had it for itself did not go in.
        self.alone &= self.phase != Phase::Idle;
        let over = match self.phase {
            Phase::Open { since } => {
                self.alone
                    || self.wanted_alone
                    || bounds.hurry
                    || bounds.bytes <= self.bytes
                    || since + bounds.interval <= bounds.now
            }
            Phase::Idle => bounds.hurry && self.rests_until.is_none(),
            _ => false,
        };
        if over {
            self.phase = Phase::Closing;
            if bounds.unanswered {
                return Step::Flush;
            }
        }
        if self.phase == Phase::Closing && !bounds.unanswered {
            self.phase = Phase::Committing;
            return Step::Commit { begin: !self.begun };
        }
        Step::Nothing
    }

    /// There was nothing to commit after all.
    pub(super) fn is_empty_after_all(&mut self) {
        if self.begun {
            self.phase = Phase::Closing;
            self.doom("it has effects and no offsets".to_owned(), false);
        } else {
            self.is_over();
        }
    }

    pub(super) fn heard(&mut self, outcome: TransactionOutcome, now: Instant) -> Heard {
        match outcome {
            TransactionOutcome::Ready => {
                self.phase = Phase::Idle;
                Heard::Ready
            }
            TransactionOutcome::Committed => {
                self.failures = 0;
                self.is_over();
                Heard::Committed
            }
            TransactionOutcome::MustAbort(error) => {
                // One of offsets alone was begun by the commit.
                self.begun = true;
                self.phase = Phase::Closing;
                Heard::Refused(error)
            }
            TransactionOutcome::Aborted => {
                self.is_over_badly(now);
                Heard::ReadAgain
            }
            TransactionOutcome::Broken(error) => Heard::Broken(error),
        }
    }

    fn is_over_badly(&mut self, now: Instant) {
        if self.doom.as_ref().is_some_and(|doom| !doom.by_message) {
            self.rest(now);
        }
        self.is_over();
    }

    fn is_over(&mut self) {
        self.phase = Phase::Idle;
        self.begun = false;
        self.bytes = 0;
        self.looked = false;
        self.doom = None;
        self.alone = false;
        self.wanted_alone = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn ready() -> (Transaction, Bounds) {
        let mut transaction = Transaction::new();
        let now = Instant::now();
        assert!(!transaction.takes(now), "not before the id is ours");
        let heard = transaction.heard(TransactionOutcome::Ready, now);
        assert!(matches!(heard, Heard::Ready));
        let bounds = Bounds {
            now,
            interval: INTERVAL,
            bytes: 1000,
            hurry: false,
            unanswered: false,
        };
        (transaction, bounds)
    }

    fn with_effects() -> (Transaction, Bounds) {
        let (mut transaction, bounds) = ready();
        transaction.add(bounds.now, 10);
        transaction.has_begun();
        (transaction, bounds)
    }

    fn error() -> KafkaError {
        KafkaError {
            message: "the group has moved on".into(),
            code: "ILLEGAL_GENERATION".into(),
            retriable: false,
            fatal: false,
            aborts: true,
        }
    }

    /// It takes messages until its interval is over, then waits for what was sent, then commits.
    #[test]
    fn a_transaction_is_committed_when_its_time_is_over_and_all_is_acknowledged() {
        let (mut transaction, mut bounds) = with_effects();
        bounds.unanswered = true;
        assert_eq!(transaction.step(bounds), Step::Nothing);
        assert!(transaction.takes(bounds.now));
        let look = bounds.now + INTERVAL - LOOK_BEFORE;
        assert_eq!(transaction.due(INTERVAL), Some(look));
        assert!(!transaction.looks_after_the_group(bounds.now, INTERVAL));
        assert!(transaction.looks_after_the_group(look, INTERVAL));
        assert!(!transaction.looks_after_the_group(look, INTERVAL), "once");
        assert_eq!(transaction.due(INTERVAL), Some(bounds.now + INTERVAL));
        bounds.now += INTERVAL;
        assert_eq!(transaction.step(bounds), Step::Flush);
        assert!(!transaction.takes(bounds.now), "nothing starts any more");
        assert_eq!(transaction.step(bounds), Step::Nothing);
        bounds.unanswered = false;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        assert_eq!(transaction.step(bounds), Step::Nothing);
        let heard = transaction.heard(TransactionOutcome::Committed, bounds.now);
        assert!(matches!(heard, Heard::Committed));
        assert!(transaction.takes(bounds.now) && transaction.is_settled());
    }

    /// It does not grow beyond its bytes.
    #[test]
    fn a_full_transaction_is_committed_before_its_time() {
        let (mut transaction, bounds) = with_effects();
        transaction.add(bounds.now, 990);
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
    }

    /// Nothing in it and nobody waiting: no transaction.
    #[test]
    fn nothing_is_committed_where_there_is_nothing() {
        let (mut transaction, mut bounds) = ready();
        bounds.now += INTERVAL * 10;
        assert_eq!(transaction.step(bounds), Step::Nothing);
        assert_eq!(transaction.due(INTERVAL), None);
        bounds.hurry = true;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: true });
        transaction.is_empty_after_all();
        assert!(transaction.is_settled());
    }

    /// What must not be committed is aborted, at once, and what was in it is read again.
    #[test]
    fn a_doomed_transaction_is_aborted() {
        let (mut transaction, mut bounds) = with_effects();
        bounds.unanswered = true;
        transaction.doom("the partitions are gone".into(), false);
        assert!(!transaction.takes(bounds.now));
        let why = "the partitions are gone".to_owned();
        assert_eq!(transaction.step(bounds), Step::Abort(why));
        assert_eq!(transaction.step(bounds), Step::Nothing);
        let heard = transaction.heard(TransactionOutcome::Aborted, bounds.now);
        assert!(matches!(heard, Heard::ReadAgain));
        assert!(!transaction.takes(bounds.now), "it rests");
        assert!(transaction.takes(bounds.now + REST));
    }

    /// Nothing was sent: there is nothing to abort at the broker.
    #[test]
    fn a_doomed_transaction_without_effects_is_only_read_again() {
        let (mut transaction, bounds) = ready();
        transaction.add(bounds.now, 0);
        transaction.doom("why".into(), true);
        assert_eq!(transaction.step(bounds), Step::ReadAgain("why".into()));
        assert!(transaction.takes(bounds.now), "the message waits, no other");
    }

    /// A commit that the group refuses is aborted; one that fails again and again rests longer.
    #[test]
    fn a_refused_commit_is_aborted_and_rests_longer_each_time() {
        let (mut transaction, mut bounds) = ready();
        let mut rests = Vec::new();
        for _ in 0..8 {
            bounds.hurry = true;
            assert_eq!(transaction.step(bounds), Step::Commit { begin: true });
            let heard = transaction.heard(TransactionOutcome::MustAbort(error()), bounds.now);
            let Heard::Refused(error) = heard else {
                panic!("{heard:?}");
            };
            transaction.doom(error.message, false);
            let why = "the group has moved on".to_owned();
            assert_eq!(transaction.step(bounds), Step::Abort(why));
            transaction.heard(TransactionOutcome::Aborted, bounds.now);
            assert_eq!(transaction.step(bounds), Step::Nothing, "it rests");
            let until = transaction.due(INTERVAL).expect("a rest");
            rests.push((until - bounds.now).as_millis());
            bounds.now = until;
        }
        assert_eq!(rests, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    /// What is on its way to be committed is not aborted any more: its offsets go with it.
    #[test]
    fn a_commit_under_way_is_not_doomed() {
        let (mut transaction, mut bounds) = with_effects();
        bounds.hurry = true;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        transaction.doom("too late".into(), false);
        assert_eq!(transaction.step(bounds), Step::Nothing);
        transaction.heard(TransactionOutcome::Committed, bounds.now);
        assert!(transaction.is_settled());
    }

    /// Until a commit is answered, by the broker or by the next producer's beginning, nobody knows where
    /// a partition that comes back goes on.
    #[test]
    fn the_offsets_are_in_doubt_until_a_commit_or_an_abort_is_over() {
        assert!(Transaction::new().is_in_doubt(), "an earlier life's");
        let (mut transaction, mut bounds) = with_effects();
        assert!(!transaction.is_in_doubt(), "nothing is under way");
        bounds.hurry = true;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        assert!(transaction.is_in_doubt());
        assert!(transaction.anew(bounds.now).is_in_doubt());
        transaction.heard(TransactionOutcome::Committed, bounds.now);
        assert!(!transaction.is_in_doubt());

        let (mut transaction, bounds) = with_effects();
        transaction.doom("the partitions are gone".into(), false);
        assert!(transaction.is_in_doubt());
        assert!(matches!(transaction.step(bounds), Step::Abort(_)));
        assert!(transaction.is_in_doubt());
        transaction.heard(TransactionOutcome::Aborted, bounds.now);
        assert!(!transaction.is_in_doubt());
    }

    /// A message under suspicion has a transaction for itself, so that it alone is to blame.
    #[test]
    fn a_suspect_has_a_transaction_for_itself() {
        let (mut transaction, bounds) = with_effects();
        assert!(!transaction.makes_room(), "there are others in it");
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        transaction.heard(TransactionOutcome::Committed, bounds.now);
        assert!(transaction.makes_room());
        transaction.begin_alone();
        transaction.add(bounds.now, 10);
        transaction.has_begun();
        assert!(!transaction.takes(bounds.now), "no other");
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        transaction.heard(TransactionOutcome::Committed, bounds.now);
        assert!(transaction.takes(bounds.now));
    }

    /// Effects without offsets are never committed.
    #[test]
    fn effects_without_offsets_are_aborted() {
        let (mut transaction, mut bounds) = with_effects();
        bounds.hurry = true;
        assert_eq!(transaction.step(bounds), Step::Commit { begin: false });
        transaction.is_empty_after_all();
        assert!(matches!(transaction.step(bounds), Step::Abort(_)));
    }

    /// Whoever was fenced begins anew with another producer, and longer after each time.
    #[test]
    fn a_fenced_producer_has_no_way_back() {
        let (mut transaction, bounds) = with_effects();
        let fenced = KafkaError {
            fatal: true,
            ..error()
        };
        let heard = transaction.heard(TransactionOutcome::Broken(fenced), bounds.now);
        assert!(matches!(heard, Heard::Broken(error) if error.fatal));
        let mut next = transaction.anew(bounds.now);
        assert!(next.is_settled() && !next.takes(bounds.now));
        assert_eq!(next.rest_left(bounds.now), REST);
        next.heard(TransactionOutcome::Ready, bounds.now);
        assert!(!next.takes(bounds.now) && next.takes(bounds.now + REST));
        let after = next.anew(bounds.now);
        assert_eq!(after.rests_until, Some(bounds.now + REST * 2));
    }
}
