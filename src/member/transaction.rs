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
mod tests;
