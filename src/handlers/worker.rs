//! The store's thread: waits for events, gathers them, loads what changed, sets the slots.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::config::Watch;
use crate::script::Kind;

use super::Loaded;
use super::entry::{Entry, Judged, Loads};
use super::gathered::Gathered;
use super::paths::Ways;
use super::store::{Change, Event, Timing, Watched};
use super::watching::Watching;

/// Directories searched for modules that a broken version may have begun to import.
const MOST_MODULE_DIRS: usize = 256;
/// Changing a program's imports can change where to look, which can show a further change.
const MOST_ROUNDS: usize = 4;

/// What the thread is told.
pub enum Input<P> {
    Files(Result<notify::Event, notify::Error>),
    Add(Box<Watched<P>>, Sender<()>),
    Remove(Kind, String, Sender<()>),
    Mode(Watch, Sender<()>),
    CheckNow(Sender<()>),
    Stop,
}

/// How a look comes about, and so what it may believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Somebody asks: what is there counts.
    Asked,
    /// The same of what was added, while everything else is left for its time.
    Added,
    /// After events; what is wrong may be half of what is being saved.
    Events,
    /// Nobody says whether a file that changed is complete.
    Polled,
}

pub struct Worker<P> {
    mode: Watch,
    timing: Timing,
    entries: Vec<Entry<P>>,
    watching: Option<Watching>,
    /// Why the files are polled although events were asked for.
    polling: Option<String>,
    /// Events that wait for the next look.
    gathered: Option<Gathered>,
    inputs: Sender<Input<P>>,
    on_event: Box<dyn Fn(Event) + Send>,
}

impl<P: Loaded> Worker<P> {
    pub fn new(
        mode: Watch,
        timing: Timing,
        inputs: Sender<Input<P>>,
        on_event: Box<dyn Fn(Event) + Send>,
    ) -> Self {
        Self {
            mode,
            timing,
            entries: Vec::new(),
            watching: None,
            polling: None,
            gathered: None,
            inputs,
            on_event,
        }
    }

    pub fn run(mut self, inputs: &Receiver<Input<P>>) {
        let ran = catch_unwind(AssertUnwindSafe(|| self.serve(inputs)));
        if let Err(panic) = ran {
            (self.on_event)(Event::Died {
                reason: crate::panic_text(panic.as_ref()),
            });
        }
    }

    fn serve(&mut self, inputs: &Receiver<Input<P>>) {
        let mut next_poll = Instant::now() + self.timing.poll;
        loop {
            let polls = self.mode == Watch::Poll || self.polling.is_some();
            let due = self.due(polls.then_some(next_poll));
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            let input = match left {
                // Before the next event: in a busy folder there is always one.
                Some(Duration::ZERO) => Err(RecvTimeoutError::Timeout),
                Some(left) => inputs.recv_timeout(left),
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match input {
                Ok(input) => {
                    if !self.take(input) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !self.waits_for_a_writer() {
                        self.look(if polls { Look::Polled } else { Look::Events });
                        next_poll = Instant::now() + self.timing.poll;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// When to look next.
    fn due(&self, next_poll: Option<Instant>) -> Option<Instant> {
        let events = self.gathered.as_ref().map(Gathered::due);
        if self
            .gathered
            .as_ref()
            .is_some_and(Gathered::waits_for_writer)
        {
            return events;
        }
        let doubts = self.entries.iter().filter_map(Entry::due).min();
        [events, doubts, next_poll].into_iter().flatten().min()
    }

    /// Whether the next look is put off until a file is closed that somebody is writing.
    fn waits_for_a_writer(&mut self) -> bool {
        let Some(watching) = &mut self.watching else {
            return false;
        };
        if !watching.sees_writing() {
            return false;
        }
        let now = Instant::now();
        let gathered = self
            .gathered
            .get_or_insert_with(|| Gathered::new(now, &self.timing));
        if gathered.wait_for_writer(now) {
            return true;
        }
        watching.give_up_waiting();
        false
    }

    /// Returns whether to go on.
    fn take(&mut self, input: Input<P>) -> bool {
        let done = match input {
            Input::Files(event) => {
                self.gather(event);
                return true;
            }
            Input::Stop => return false,
            Input::Add(watched, done) => {
                self.drop_entry(watched.slot.kind(), watched.slot.name());
                self.entries.push(Entry::new(*watched));
                if self.mode != Watch::Off {
                    self.look(Look::Added);
                }
                done
            }
            Input::Remove(kind, name, done) => {
                self.drop_entry(kind, &name);
                self.follow();
                done
            }
            Input::Mode(mode, done) => {
                self.mode = mode;
                if mode == Watch::Off {
                    self.gathered = None;
                    self.entries.iter_mut().for_each(Entry::forget_doubts);
                    self.follow();
                } else {
                    self.look(Look::Asked);
                }
                done
            }
            Input::CheckNow(done) => {
                self.look(Look::Asked);
                done
            }
        };
        if done.send(()).is_err() {
            tracing::debug!("nobody waits for the handler store's answer");
        }
        true
    }

    fn drop_entry(&mut self, kind: Kind, name: &str) {
        self.entries.retain(|entry| {
            let slot = entry.slot();
            slot.kind() != kind || &**slot.name() != name
        });
    }

    fn gather(&mut self, event: Result<notify::Event, notify::Error>) {
        let Some(watching) = &mut self.watching else {
            return;
        };
        let matters = match &event {
            Ok(event) => watching.matters(event),
            // Something was missed, and the files themselves will tell.
            Err(_) => true,
        };
        if matters {
            let now = Instant::now();
            self.gathered
                .get_or_insert_with(|| Gathered::new(now, &self.timing))
                .one_more(now, &self.timing);
        }
    }

    /// Compares every file with what it was, and loads what changed.
    fn look(&mut self, how: Look) {
        if how != Look::Added {
            self.gathered = None;
        }
        self.follow();
        for _ in 0..MOST_ROUNDS {
            self.load_changed(how);
            // Watches are set before the files are read again, so that no change falls between.
            if !self.follow() {
                break;
            }
        }
        self.entries.iter_mut().for_each(Entry::was_looked_at);
    }

    fn load_changed(&mut self, how: Look) {
        let now = Instant::now();
        let mut loads = Loads::default();
        let mut changes: Vec<Change> = Vec::new();
        for entry in &mut self.entries {
            let settle = match how {
                Look::Asked => None,
                Look::Added if entry.is_new() => None,
                Look::Added => continue,
                Look::Events | Look::Polled => Some(self.timing.settle),
            };
            if !entry.has_changed(now, settle.filter(|_| how == Look::Polled)) {
                continue;
            }
            let judged = entry.judge(&mut loads);
            if let (Judged::Wrong(mistakes), Some(settle)) = (&judged, settle)
                && entry.is_in_doubt(mistakes, now, settle)
            {
                continue;
            }
            let Some(mut change) = entry.settle(judged) else {
                continue;
            };
            let same = |earlier: &&mut Change| {
                (&earlier.file, &earlier.from, &earlier.outcome)
                    == (&change.file, &change.from, &change.outcome)
            };
            match changes.iter_mut().find(same) {
                Some(earlier) => earlier.slots.append(&mut change.slots),
                None => changes.push(change),
            }
        }
        for change in changes {
            (self.on_event)(Event::Handler(change));
        }
    }

    /// Sets the watches to where the paths lead now; returns whether one was added.
    fn follow(&mut self) -> bool {
        if self.mode != Watch::Events || self.entries.is_empty() {
            self.watching = None;
            self.polling = None;
            return false;
        }
        if self.watching.is_none() {
            let inputs = self.inputs.clone();
            let watching = Watching::new(move |event| {
                // The store is being dropped when nobody listens.
                if inputs.send(Input::Files(event)).is_err() {
                    tracing::trace!("a file event after the end");
                }
            });
            match watching {
                Ok(watching) => self.watching = Some(watching),
                Err(error) => {
                    self.poll_because(Some(format!("can't watch files: {error}")));
                    return false;
                }
            }
        }
        let (ways, homes) = self.ways();
        let Some(watching) = &mut self.watching else {
            return false;
        };
        let (added, trouble) = watching.follow(ways, homes);
        self.poll_because(trouble.err());
        added
    }

    fn poll_because(&mut self, reason: Option<String>) {
        if let Some(reason) = &reason
            && self.polling.as_ref() != Some(reason)
        {
            (self.on_event)(Event::Polling {
                reason: reason.clone(),
            });
        }
        self.polling = reason;
    }

    fn ways(&self) -> (Ways, BTreeSet<PathBuf>) {
        let mut ways = Ways::default();
        let mut homes = BTreeSet::new();
        for entry in &self.entries {
            for file in entry.files() {
                ways.add(&file);
            }
            let Some(home) = entry.home() else {
                continue;
            };
            if entry.is_wrong() {
                ways.add_below(home, MOST_MODULE_DIRS);
            }
            homes.extend(fs::canonicalize(home));
        }
        (ways, homes)
    }
}
