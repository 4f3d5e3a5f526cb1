//! One slot under watch: what its files held, and what is thought of what they hold now.
//!
//! `has_changed` compares, `judge` loads and checks, `settle` sets the slot. Until then a version that
//! is wrong is only in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, Place};

use super::store::{Change, Outcome, Watched};
use super::{Loaded, Slot};

/// A larger file is no handler; the loader says so.
const LARGEST_FILE: u64 = 4 << 20;

type Mistakes = Arc<Vec<Diagnostic>>;

/// What a file held when it was last read; `None`: it could not be read.
type Print = Option<[u8; 32]>;

type Prints = BTreeMap<PathBuf, Print>;

pub(super) struct Entry<P> {
    watched: Watched<P>,
    /// Until the first look is over.
    new: bool,
    /// Of every known file, taken before the load that they led to.
    prints: Prints,
    /// Of files that are polled and have changed, and when to see whether they still do.
    glimpsed: Option<(Prints, Instant)>,
    /// When a version that is wrong, and was not told yet, is looked at again.
    doubt: Option<Instant>,
}

/// What is thought of the version on disk.
pub(super) enum Judged<P> {
    Running,
    New(Arc<P>),
    Wrong(Mistakes),
}

/// Loads of one look at the files, so that groups with the same handler share one program.
pub(super) struct Loads<P>(Vec<(Key, Result<Arc<P>, Mistakes>)>);

type Key = (PathBuf, crate::config::Limits, crate::script::Kind);

impl<P> Default for Loads<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Loaded> Entry<P> {
    pub(super) fn new(watched: Watched<P>) -> Self {
        Self {
            watched,
            new: true,
            prints: Prints::new(),
            glimpsed: None,
            doubt: None,
        }
    }

    pub(super) fn slot(&self) -> &Slot<P> {
        &self.watched.slot
    }

    /// The folder that its modules are in.
    pub(super) fn home(&self) -> Option<&Path> {
        self.watched.file.parent()
    }

    /// Whether no look was taken since it was added.
    pub(super) fn is_new(&self) -> bool {
        self.new
    }

    pub(super) fn was_looked_at(&mut self) {
        self.new = false;
    }

    /// Whether the version on disk is wrong, or seems to be.
    pub(super) fn is_wrong(&self) -> bool {
        self.doubt.is_some() || self.slot().error().is_some()
    }

    /// When to look at it again although nothing may happen until then.
    pub(super) fn due(&self) -> Option<Instant> {
        let glimpsed = self.glimpsed.as_ref().map(|(_, due)| *due);
        self.doubt.into_iter().chain(glimpsed).min()
    }

    pub(super) fn forget_doubts(&mut self) {
        self.doubt = None;
        self.glimpsed = None;
    }

    /// The files that the running program was read from, and the one it is to be read from.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        let mut files: BTreeSet<PathBuf> = self.slot().current().files().iter().cloned().collect();
        files.insert(self.watched.file.clone());
        files
    }

    /// Whether it is to be loaded: a file holds something else than before. With `stays`, only when it
    /// has held that for so long.
    pub(super) fn has_changed(&mut self, now: Instant, stays: Option<Duration>) -> bool {
        let files = self.files();
        let prints: Prints = files
            .into_iter()
            .map(|file| {
                let print = print(&file);
                (file, print)
            })
            .collect();
        // A version that is wrong may wait for a file that is not known here: always try again.
        if prints == self.prints && !self.is_wrong() {
            self.glimpsed = None;
            return false;
        }
        if let Some(stays) = stays
            && prints != self.prints
        {
            match &self.glimpsed {
                Some((before, due)) if *before == prints && now >= *due => {}
                Some((before, _)) if *before == prints => return false,
                _ => {
                    self.glimpsed = Some((prints, now + stays));
                    return false;
                }
            }
        }
        self.glimpsed = None;
        self.prints = prints;
        true
    }

    /// Loads and checks what the files hold now.
    pub(super) fn judge(&self, loads: &mut Loads<P>) -> Judged<P> {
        let running = self.slot().current();
        let checked = self.load(loads).and_then(|program| {
            if program.version() == running.version() {
                return Ok(None);
            }
            match &self.watched.check {
                Some(check) => contained(&self.watched.file, || check(&program))
                    .map(|()| Some(program))
                    .map_err(Arc::new),
                None => Ok(Some(program)),
            }
        });
        match checked {
            Ok(None) => Judged::Running,
            Ok(Some(program)) => Judged::New(program),
            Err(mistakes) => Judged::Wrong(mistakes),
        }
    }

    fn load(&self, loads: &mut Loads<P>) -> Result<Arc<P>, Mistakes> {
        let Watched {
            slot, file, limits, ..
        } = &self.watched;
        let key = (file.clone(), *limits, slot.kind());
        if let Some((_, loaded)) = loads.0.iter().find(|(known, _)| *known == key) {
            return loaded.clone();
        }
        let loaded = contained(file, || P::load(file, slot.kind(), limits));
        let loaded = loaded.map(Arc::new).map_err(Arc::new);
        loads.0.push((key, loaded.clone()));
        loaded
    }

    /// Whether a version that is wrong, and not known to be, may still become right: `settle` has not
    /// passed since it was first seen.
    pub(super) fn is_in_doubt(
        &mut self,
        mistakes: &Mistakes,
        now: Instant,
        settle: Duration,
    ) -> bool {
        let known = self.slot().error().as_ref() == Some(mistakes);
        !known && now < *self.doubt.get_or_insert(now + settle)
    }

    /// Sets the slot to what is new, or keeps the mistakes; says what has changed by that.
    pub(super) fn settle(&mut self, judged: Judged<P>) -> Option<Change> {
        self.doubt = None;
        let slot = &self.watched.slot;
        let refused_before = slot.error();
        let from = slot.current().version().to_owned();
        let outcome = match judged {
            Judged::Wrong(mistakes) if refused_before.as_ref() == Some(&mistakes) => return None,
            Judged::Wrong(mistakes) => {
                slot.set_error(Some(mistakes.clone()));
                Outcome::Refused(mistakes)
            }
            Judged::Running => {
                slot.set_error(None);
                refused_before.map(|_| Outcome::Mended)?
            }
            Judged::New(program) => {
                let to = program.version().to_owned();
                slot.set(program);
                Outcome::Changed {
                    to,
                    mended: refused_before.is_some(),
                }
            }
        };
        Some(Change {
            file: self.watched.file.clone(),
            from,
            outcome,
            slots: vec![(slot.kind(), slot.name().clone())],
        })
    }
}

/// Only of what can be a handler: reading a pipe would wait for its writer.
fn print(path: &Path) -> Print {
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > LARGEST_FILE {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(LARGEST_FILE)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(Sha256::digest(bytes).into())
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
