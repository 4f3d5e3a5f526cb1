//! A group's handler for single messages, outside the group: the call, the group's policy where it
//! fails, and the dead letter. [`Lone::call`] says what follows, [`Lone::send`] sends the effects.
//!
//! Dead letters that are replayed straight to their group go through here. Nothing is subscribed,
//! assigned or committed, so `on_assign` and `on_revoke` are not called.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::{Group, Then};
use crate::delivery::Record;
use crate::diagnostic::Diagnostic;
use crate::kafka::Outgoing;
use crate::script::{Failure, Handler, Outcome, Program};

use super::letter::{LastAttempt, Letter};
use super::lines::Lines;
use super::publish::refusal;
use super::retry::backoff;
use super::trial::settings;

/// A handler, and what its last call left to be sent.
pub struct Lone {
    handler: Handler,
    group_id: Arc<str>,
    group: Arc<Group>,
    /// Topics that may be emitted to.
    topics: HashSet<String>,
    /// Goes after the emits.
    letter: Option<Letter>,
    lines: Lines,
}

/// A message and its attempts so far.
pub struct Attempt<'a> {
    pub record: &'a Rc<Record>,
    /// Which attempt this is, from 1.
    pub number: u32,
    /// When the message failed for the first time, if it has.
    pub first_failure: Option<SystemTime>,
}

/// What follows a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The effects are to be sent, and with that the message is finished.
    Send(Ending),
    /// Another attempt after so long.
    Again(Duration),
    /// The group's policy is to stop here, for this reason.
    Stop(String),
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Handled,
    /// It goes to the dead letters again.
    DeadLettered,
    Skipped,
}

impl Lone {
    /// Builds the handler and calls its `on_start`. `topics` are those that the config or the brokers
    /// know. To be called, and used, on a thread with [`crate::script::STACK_SIZE`].
    ///
    /// # Errors
    /// What goes wrong at the script's top level.
    pub fn start(
        program: &Arc<Program>,
        group_id: &str,
        group: &Arc<Group>,
        topics: HashSet<String>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let group_id: Arc<str> = group_id.into();
        let member: Arc<str> = format!("{group_id}-replay").into();
        let mut lone = Self {
            handler: Handler::new(program, settings(&group_id, &member, group))?,
            group_id,
            group: group.clone(),
            topics,
            letter: None,
            lines: Lines::new(Instant::now()),
        };
        let outcome = lone.handler.on_start();
        tell_failed("on_start", &outcome);
        Ok(lone)
    }

    /// Calls the handler's `on_stop`.
    pub fn stop(mut self) {
        let outcome = self.handler.on_stop();
        tell_failed("on_stop", &outcome);
    }

    /// Calls the handler.
    pub fn call(&mut self, attempt: &Attempt<'_>) -> Next {
        self.letter = None;
        match self.handler.handle(attempt.record, attempt.number) {
            Outcome::Failed(failure) => self.failed(attempt, *failure),
            Outcome::Rejected(failure) => {
                let policy = &self.group.on_failure;
                match policy.then {
                    Then::Skip if policy.topic.is_none() => self.skip(attempt, &failure),
                    Then::Stop if policy.topic.is_none() => self.halt(attempt, *failure),
                    _ => self.give_up(attempt, &failure),
                }
            }
            Outcome::Done => match self.refused_topic() {
                None => Next::Send(Ending::Handled),
                Some(reason) => self.refused(attempt, reason),
            },
        }
    }

    /// What follows when the broker refuses what the last call emitted.
    pub fn refused(&mut self, attempt: &Attempt<'_>, reason: String) -> Next {
        let diagnostic = None;
        self.failed(attempt, Failure { reason, diagnostic })
    }

    /// Gives each message of the last call to `send`, the dead letter last, until one fails; begins with
    /// the one numbered `from`.
    ///
    /// # Errors
    /// The number of the message that failed, and what `send` says.
    pub fn send<E>(
        &self,
        from: usize,
        mut send: impl FnMut(Outgoing<'_, '_>) -> Result<(), E>,
        letter_of: &Record,
    ) -> Result<(), (usize, E)> {
        let emits = self.handler.effects().emits();
        let count = emits.len();
        for (number, emit) in emits.enumerate().skip(from) {
            let mut headers = emit.headers();
            send(Outgoing::of(&emit, &mut headers)).map_err(|error| (number, error))?;
        }
        let Some(letter) = &self.letter else {
            return Ok(());
        };
        letter.give(letter_of, send).map_err(|error| (count, error))
    }

    fn failed(&mut self, attempt: &Attempt<'_>, failure: Failure) -> Next {
        let policy = &self.group.on_failure;
        if attempt.number > policy.retries {
            return match policy.then {
                Then::DeadLetter => self.give_up(attempt, &failure),
                Then::Skip => self.skip(attempt, &failure),
                Then::Stop => self.halt(attempt, failure),
            };
        }
        let wait = backoff(policy, attempt.number);
        let next = format!(
            "attempt {} of {}, next in {} ms",
            attempt.number,
            policy.retries + 1,
            wait.as_millis()
        );
        self.tell(attempt, &failure, &next);
        Next::Again(wait)
    }

    fn give_up(&mut self, attempt: &Attempt<'_>, failure: &Failure) -> Next {
        self.tell(attempt, failure, "dead letter again");
        let policy = &self.group.on_failure;
        let last = LastAttempt {
            record: attempt.record,
            attempts: attempt.number,
            first_failure: attempt.first_failure,
            failure,
        };
        self.letter = Some(Letter::new(
            policy.dead_letter_topic(&attempt.record.topic),
            &last,
            &self.group_id,
            self.handler.program().version(),
        ));
        self.call_on_failed(attempt, failure, Ending::DeadLettered)
    }

    fn skip(&mut self, attempt: &Attempt<'_>, failure: &Failure) -> Next {
        self.tell(attempt, failure, "skipped");
        self.call_on_failed(attempt, failure, Ending::Skipped)
    }

    fn halt(&mut self, attempt: &Attempt<'_>, failure: Failure) -> Next {
        self.tell(attempt, &failure, "the replay stops here");
        Next::Stop(failure.reason)
    }

    /// Calls `on_failed`; what it emits goes along, and if it fails itself nothing of it does.
    fn call_on_failed(&mut self, attempt: &Attempt<'_>, failure: &Failure, ending: Ending) -> Next {
        let outcome = self
            .handler
            .on_failed(attempt.record, attempt.number, &failure.reason);
        if let Outcome::Failed(failure) | Outcome::Rejected(failure) = outcome {
            self.tell(attempt, &failure, "in on_failed");
        }
        match self.refused_topic() {
            None => Next::Send(ending),
            Some(reason) => Next::Stop(format!("in on_failed: {reason}")),
        }
    }

    /// One line for a failure, and the script's place where it is known.
    fn tell(&mut self, attempt: &Attempt<'_>, failure: &Failure, what_next: &str) {
        let Some(left_out) = self.lines.may_tell(Instant::now()) else {
            return;
        };
        if left_out > 0 {
            tracing::warn!("{left_out} more failures were not logged");
        }
        let record = attempt.record;
        tracing::warn!(
            topic = %record.topic,
            partition = record.partition,
            offset = record.offset,
            frame = frame(failure),
            "handler failed ({what_next}): {}",
            failure.reason
        );
    }

    fn refused_topic(&self) -> Option<String> {
        let mut emits = self.handler.effects().emits();
        emits.find_map(|emit| {
            let topic = emit.topic();
            let reads = self.group.topics.iter().any(|read| **read == **topic);
            refusal(topic, reads, self.topics.contains(&**topic), &self.group_id)
        })
    }
}

fn tell_failed(function: &str, outcome: &Outcome) {
    if let Outcome::Failed(failure) | Outcome::Rejected(failure) = outcome {
        let frame = frame(failure);
        tracing::warn!(frame, "{function} failed: {}", failure.reason);
    }
}

fn frame(failure: &Failure) -> Option<String> {
    failure.diagnostic.as_ref().map(Diagnostic::frame)
}
