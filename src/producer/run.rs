//! The producer's loop: wait until a message is due or a command comes, make it, hand it over.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::config::{Producer, Rate};
use crate::delivery::Effects;
use crate::diagnostic::Place;
use crate::script::{Failure, Outcome};

use super::shortfall::Shortfall;
use super::status::{Progress, Shared, State};
use super::{Complaints, Pace, Sent, Sink, Source, Turn};

/// Messages made before commands are looked at again.
const BATCH: u64 = 64;
/// The same for a slow generator.
const BATCH_TIME: Duration = Duration::from_millis(10);
/// A full sink is waited for in pieces, so that commands are not.
const ROOM_WAIT: Duration = Duration::from_millis(50);
/// After a failure of the generator, doubling with each further one. Short, because a mended
/// version is taken at the next message.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

pub enum Command {
    Rate(Rate),
    Change(Box<Producer>, u64),
    Pause,
    Resume,
    Stop { flush: Duration },
}

/// What the loop does next.
enum Next {
    Work,
    WaitUntil(Instant),
    /// Only a command changes anything.
    Wait,
}

pub struct Run<'a, S> {
    name: &'a str,
    config: Producer,
    source: S,
    sink: Box<dyn Sink + Send>,
    pace: Pace,
    shortfall: Shortfall,
    complaints: Complaints,
    progress: Progress,
    /// The first emit of the last call that has not gone yet.
    unsent: Option<usize>,
    paused: bool,
    /// Failures in a row, and when to try again.
    failing: Option<(u32, Instant)>,
    state: State,
    shared: &'a Shared,
    on_metrics: Box<dyn FnMut(&Effects) + Send>,
}

impl<'a, S: Source> Run<'a, S> {
    pub fn new(
        name: &'a str,
        config: Producer,
        source: S,
        sink: Box<dyn Sink + Send>,
        progress: Progress,
        shared: &'a Shared,
        on_metrics: Box<dyn FnMut(&Effects) + Send>,
    ) -> Self {
        let now = Instant::now();
        Self {
            name,
            pace: Pace::new(config.rate, now),
            config,
            source,
            sink,
            shortfall: Shortfall::new(now),
            complaints: Complaints::new(now),
            progress,
            unsent: None,
            paused: false,
            failing: None,
            state: State::Running,
            shared,
            on_metrics,
        }
    }

    /// Makes no messages until it is resumed.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Returns when it was told to stop, or nobody is left who could tell it.
    pub fn serve(mut self, commands: &Receiver<Command>) {
        loop {
            let command = match self.work() {
                Next::Work => commands.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                Next::WaitUntil(at) => {
                    commands.recv_timeout(at.saturating_duration_since(Instant::now()))
                }
                Next::Wait => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(Command::Stop { flush }) => return self.finish(flush),
                Ok(command) => self.take(command),
            }
        }
    }

    fn take(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Rate(rate) => self.set_rate(rate, now),
            Command::Change(config, settings) => {
                self.source.configure(&config, settings);
                self.set_rate(config.rate, now);
                self.config = *config;
            }
            Command::Pause => self.pause(),
            Command::Resume if self.paused => {
                self.paused = false;
                self.pace.restart(now);
                self.shortfall = Shortfall::new(now);
            }
            Command::Resume | Command::Stop { .. } => {}
        }
    }

    fn set_rate(&mut self, rate: Rate, now: Instant) {
        if rate != self.pace.rate() {
            self.pace.set_rate(rate, now);
            self.shortfall = Shortfall::new(now);
        }
    }

    fn finish(mut self, flush: Duration) {
        if let Err(reason) = self.sink.flush(flush) {
            tracing::warn!(producer = self.name, "producer {}: {reason}", self.name);
        }
    }

    fn work(&mut self) -> Next {
        let now = Instant::now();
        if self.unsent.is_some() && !self.send() {
            let room = self.sink.wait_for_room(ROOM_WAIT);
            if !room {
                self.shortfall.rested();
                self.show(State::Waiting);
            }
            return Next::Work;
        }
        let next = self.next(now);
        match next {
            // Time without work says nothing about the rate that is within reach.
            Next::Wait | Next::WaitUntil(_) => self.shortfall.rested(),
            Next::Work => {}
        }
        next
    }

    fn next(&mut self, now: Instant) -> Next {
        if self.paused {
            self.show(State::Paused);
            return Next::Wait;
        }
        if self.reached_count() {
            self.show(State::Finished);
            return Next::Wait;
        }
        if let Some((_, again)) = self.failing {
            if now < again {
                return Next::WaitUntil(again);
            }
        } else {
            self.show(State::Running);
        }
        match self.pace.due(now) {
            Turn::Now(messages) => {
                self.batch(messages.min(BATCH), now);
                Next::Work
            }
            Turn::At(at) => Next::WaitUntil(at),
        }
    }

    fn batch(&mut self, messages: u64, begin: Instant) {
        let before = self.progress.queued;
        for _ in 0..messages {
            if self.reached_count() || !self.generate() || !self.send() {
                break;
            }
            if begin.elapsed() > BATCH_TIME {
                break;
            }
        }
        self.shared.show_progress(self.progress);
        let sent = self.progress.queued - before;
        let rate = self.pace.rate();
        if let Some(reached) = self.shortfall.sent(sent, rate, Instant::now())
            && let Rate::PerSecond(wanted) = rate
        {
            tracing::warn!(
                producer = self.name,
                left_out = self.pace.left_out(),
                "producer {}: {wanted}/s is out of reach, it makes {reached:.0}/s",
                self.name
            );
        }
    }

    fn reached_count(&self) -> bool {
        self.config
            .count
            .is_some_and(|count| self.progress.queued >= count)
    }

    /// Makes the next message; false when the generator failed.
    fn generate(&mut self) -> bool {
        let n = self.progress.next;
        self.progress.next += 1;
        self.pace.sent();
        match self.source.generate(n) {
            Outcome::Done => {
                if self.failing.take().is_some() {
                    self.shared.show_failure(None);
                }
                let effects = self.source.effects();
                if !effects.counts.is_empty() || !effects.observations.is_empty() {
                    (self.on_metrics)(effects);
                }
                self.unsent = Some(0);
                true
            }
            Outcome::Rejected(failure) | Outcome::Failed(failure) => {
                self.failed(n, *failure);
                false
            }
        }
    }

    fn failed(&mut self, n: u64, failure: Failure) {
        let now = Instant::now();
        let in_a_row = self.failing.map_or(0, |(in_a_row, _)| in_a_row);
        let backoff = FIRST_BACKOFF * 2u32.saturating_pow(in_a_row.min(10));
        self.failing = Some((in_a_row + 1, now + backoff.min(LONGEST_BACKOFF)));
        // By its place where that is known: the words may carry values that differ each time.
        let place = place(&failure);
        let key = place.as_deref().unwrap_or(&failure.reason);
        if let Some(untold) = self.complaints.note(key, now) {
            tracing::warn!(
                producer = self.name,
                n,
                untold,
                place,
                "producer {}: the generator failed: {}",
                self.name,
                failure.reason
            );
        }
        self.shared.show_failure(Some(failure));
        self.show(State::Failing);
    }

    /// Hands over what the last call made; false when the sink is full before the end.
    fn send(&mut self) -> bool {
        let Some(first) = self.unsent else {
            return true;
        };
        for (index, emit) in self.source.effects().emits().enumerate().skip(first) {
            match self.sink.send(&emit) {
                Sent::Queued => self.progress.queued += 1,
                Sent::Full => {
                    self.unsent = Some(index);
                    return false;
                }
                Sent::Refused(reason) => self.shared.deliveries.refused(&reason),
            }
        }
        self.unsent = None;
        true
    }

    fn show(&mut self, state: State) {
        if self.state != state {
            self.shared.show_progress(self.progress);
            self.state = state.clone();
            self.shared.show(state);
        }
    }
}

fn place(failure: &Failure) -> Option<String> {
    match &failure.diagnostic.as_ref()?.place {
        Place::File {
            path, line, column, ..
        } => Some(format!("{path}:{line}:{column}")),
        Place::Layer(layer) => Some(layer.clone()),
        Place::Nowhere => None,
    }
}
