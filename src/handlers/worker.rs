//! The store's thread: waits for events, gathers them, loads what changed, sets the slots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::config::Watch;
use crate::diagnostic::{Diagnostic, Place};
use crate::script::Kind;

use super::Loaded;
use super::paths::Ways;
use super::store::{Change, Event, Outcome, Timing, Watched};
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

/// What a file held when it was last read; `None`: it could not be read.
type Print = Option<[u8; 32]>;

struct Entry<P> {
    watched: Watched<P>,
    /// Of every known file, taken before the load that they led to.
    prints: BTreeMap<PathBuf, Print>,
}

/// Loads of one look at the files, so that groups with the same handler share one program.
type Loads<P> = Vec<(usize, Result<Arc<P>, Arc<Vec<Diagnostic>>>)>;

pub struct Worker<P> {
    mode: Watch,
    timing: Timing,
    entries: Vec<Entry<P>>,
    watching: Option<Watching>,
    /// Why the files are polled although events were asked for.
    polling: Option<String>,
    /// When gathered events are read: after quiet, at the latest.
    pending: Option<(Instant, Instant)>,
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
            pending: None,
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
            let wake = match (self.pending, polls) {
                (Some((quiet, latest)), _) => Some(quiet.min(latest)),
                (None, true) => Some(next_poll),
                (None, false) => None,
            };
            let input = match wake {
                Some(at) => inputs.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match input {
                Ok(input) => {
                    if !self.take(input) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    next_poll = Instant::now() + self.timing.poll;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
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
                self.entries.push(Entry {
                    watched: *watched,
                    prints: BTreeMap::new(),
                });
                if self.mode != Watch::Off {
                    self.look();
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
                    self.pending = None;
                    self.follow();
                } else {
                    self.look();
                }
                done
            }
            Input::CheckNow(done) => {
                self.look();
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
            let slot = &entry.watched.slot;
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
            let latest = self.pending.map_or(now + self.timing.longest, |(_, at)| at);
            self.pending = Some((now + self.timing.quiet, latest));
        }
    }

    /// Compares every file with what it was, and loads what changed.
    fn look(&mut self) {
        self.pending = None;
        self.follow();
        for _ in 0..MOST_ROUNDS {
            self.load_changed();
            // Watches are set before the files are read again, so that no change falls between.
            if !self.follow() {
                return;
            }
        }
    }

    fn load_changed(&mut self) {
        let mut loads = Loads::new();
        let mut changes: Vec<Change> = Vec::new();
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let prints = prints(&entry.watched);
            // A refused version may wait for a file that is not known here: always try again.
            if prints == entry.prints && entry.watched.slot.error().is_none() {
                continue;
            }
            self.entries[index].prints = prints;
            let loaded = self.load(index, &mut loads);
            let Some(mut change) = settle(&self.entries[index].watched, loaded) else {
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

    fn load(&self, index: usize, loads: &mut Loads<P>) -> Result<Arc<P>, Arc<Vec<Diagnostic>>> {
        let wanted = &self.entries[index].watched;
        let same = loads.iter().find(|(other, _)| {
            let other = &self.entries[*other].watched;
            other.file == wanted.file
                && other.limits == wanted.limits
                && other.slot.kind() == wanted.slot.kind()
        });
        if let Some((_, loaded)) = same {
            return loaded.clone();
        }
        let loaded = contained(&wanted.file, || {
            P::load(&wanted.file, wanted.slot.kind(), &wanted.limits)
        });
        let loaded = loaded.map(Arc::new).map_err(Arc::new);
        loads.push((index, loaded.clone()));
        loaded
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
        for Entry { watched, .. } in &self.entries {
            for file in files(watched) {
                ways.add(&file);
            }
            let Some(home) = watched.file.parent() else {
                continue;
            };
            if watched.slot.error().is_some() {
                ways.add_below(home, MOST_MODULE_DIRS);
            }
            homes.extend(fs::canonicalize(home));
        }
        (ways, homes)
    }
}

/// The files that the running program was read from, and the one it is to be read from.
fn files<P: Loaded>(watched: &Watched<P>) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = watched.slot.current().files().iter().cloned().collect();
    files.insert(watched.file.clone());
    files
}

fn prints<P: Loaded>(watched: &Watched<P>) -> BTreeMap<PathBuf, Print> {
    files(watched)
        .into_iter()
        .map(|file| {
            let print = fs::read(&file)
                .ok()
                .map(|bytes| Sha256::digest(bytes).into());
            (file, print)
        })
        .collect()
}

/// Sets the slot to what was loaded, or keeps the mistakes; says what is new in that.
fn settle<P: Loaded>(
    watched: &Watched<P>,
    loaded: Result<Arc<P>, Arc<Vec<Diagnostic>>>,
) -> Option<Change> {
    let slot = &watched.slot;
    let running = slot.current();
    let refused_before = slot.error();
    let from = running.version().to_owned();
    let checked = loaded.and_then(|program| {
        if program.version() == from {
            return Ok(program);
        }
        match &watched.check {
            Some(check) => contained(&watched.file, || check(&program))
                .map(|()| program)
                .map_err(Arc::new),
            None => Ok(program),
        }
    });
    let outcome = match checked {
        Err(mistakes) if refused_before.as_ref() == Some(&mistakes) => return None,
        Err(mistakes) => {
            slot.set_error(Some(mistakes.clone()));
            Outcome::Refused(mistakes)
        }
        Ok(program) if program.version() == from => {
            slot.set_error(None);
            refused_before.map(|_| Outcome::Mended)?
        }
        Ok(program) => {
            let to = program.version().to_owned();
            slot.set(program);
            Outcome::Changed {
                to,
                mended: refused_before.is_some(),
            }
        }
    };
    Some(Change {
        file: watched.file.clone(),
        from,
        outcome,
        slots: vec![(slot.kind(), slot.name().clone())],
    })
}

/// A panic in a load or a check refuses the version; it does not end the watching.
fn contained<T>(
    file: &Path,
    run: impl FnOnce() -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Diagnostic>> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(vec![Diagnostic {
            message: format!(
                "loading {} failed inside deliveryd: {}",
                file.display(),
                crate::panic_text(panic.as_ref())
            ),
            place: Place::Nowhere,
            label: String::new(),
            hints: Vec::new(),
        }])
    })
}
