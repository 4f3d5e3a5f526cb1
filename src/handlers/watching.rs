//! The kernel's watches on the directories that matter, kept in step with where paths lead now.
//!
//! `follow` sets and lifts watches, `matters` tells whether an event can change a program. What a
//! program is, and when to look, is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::paths::Ways;

/// Which directory a path led to when its watch was set: device and inode.
type Identity = (u64, u64);

/// The watches that are set.
pub struct Watching {
    watcher: RecommendedWatcher,
    set: BTreeMap<PathBuf, Identity>,
    ways: Ways,
    /// Where modules are: any `.rhai` file below matters.
    homes: BTreeSet<PathBuf>,
    /// Handlers and modules that were written to and not closed since.
    open: BTreeSet<PathBuf>,
}

impl Watching {
    /// # Errors
    /// The kernel has no further watcher to give, or none at all.
    pub fn new(on_event: impl notify::EventHandler) -> Result<Self, notify::Error> {
        Ok(Self {
            watcher: notify::recommended_watcher(on_event)?,
            set: BTreeMap::new(),
            ways: Ways::default(),
            homes: BTreeSet::new(),
            open: BTreeSet::new(),
        })
    }

    /// Watches all of `ways` and nothing else. Returns whether a watch was set, after which what
    /// happened before is unknown: look at the files again.
    ///
    /// # Errors
    /// One line about the first directory that is needed and can't be watched; the others are.
    pub fn follow(&mut self, ways: Ways, homes: BTreeSet<PathBuf>) -> (bool, Result<(), String>) {
        let mut found = BTreeMap::new();
        for dir in &ways.dirs {
            if let Ok(metadata) = fs::metadata(dir) {
                found.insert(dir.clone(), (metadata.dev(), metadata.ino()));
            }
        }
        let gone: Vec<PathBuf> = self
            .set
            .iter()
            .filter(|(dir, identity)| found.get(*dir) != Some(identity))
            .map(|(dir, _)| dir.clone())
            .collect();
        for dir in gone {
            self.lift(&dir);
        }
        let mut added = false;
        let mut trouble = Ok(());
        for (dir, identity) in found {
            if self.set.contains_key(&dir) {
                continue;
            }
            match self.watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.set.insert(dir, identity);
                    added = true;
                }
                // An ancestor that may not be read is seldom replaced; a vanished one is seen next time.
                Err(error) if ways.needed.contains(&dir) && dir.exists() && trouble.is_ok() => {
                    trouble = Err(describe(&dir, &error));
                }
                Err(_) => {}
            }
        }
        self.ways = ways;
        self.homes = homes;
        (added, trouble)
    }

    /// Whether `event` may have changed a program. Forgets the watches that it took along.
    pub fn matters(&mut self, event: &notify::Event) -> bool {
        if event.need_rescan() {
            self.give_up_waiting();
            return true;
        }
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                for path in &event.paths {
                    self.open.remove(path);
                }
            }
            // Our own reading makes these.
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) => self.note_open(&event.paths),
            // A directory that was moved takes its watches along, and may come back as itself.
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                for path in &event.paths {
                    self.open.retain(|open| !open.starts_with(path));
                    self.forget_below(path);
                }
            }
            _ => {}
        }
        event.paths.iter().any(|path| self.concerns(path))
    }

    /// Whether a handler or a module is being written: what stands there may be half of it.
    pub fn sees_writing(&self) -> bool {
        !self.open.is_empty()
    }

    /// Waits for none of those that are being written any longer.
    pub fn give_up_waiting(&mut self) {
        self.open.clear();
    }

    fn note_open(&mut self, paths: &[PathBuf]) {
        for path in paths {
            let is_script = path.extension().is_some_and(|kind| kind == "rhai");
            if is_script || self.ways.names.contains(path) {
                self.open.insert(path.clone());
            }
        }
    }

    fn concerns(&self, path: &Path) -> bool {
        if self.ways.names.contains(path) || self.ways.needed.contains(path) {
            return true;
        }
        // Modules by their extension; without one, it may be a directory of them.
        let kind = path.extension();
        kind.is_none_or(|kind| kind == "rhai")
            && self.homes.iter().any(|home| path.starts_with(home))
    }

    fn forget_below(&mut self, path: &Path) {
        let below: Vec<PathBuf> = self
            .set
            .keys()
            .filter(|dir| dir.starts_with(path))
            .cloned()
            .collect();
        for dir in below {
            self.lift(&dir);
        }
    }

    fn lift(&mut self, dir: &Path) {
        self.set.remove(dir);
        // The watcher has lifted it already where the directory was removed or moved.
        if let Err(error) = self.watcher.unwatch(dir) {
            tracing::trace!(dir = %dir.display(), %error, "watch lifted before");
        }
    }
}

fn describe(dir: &Path, error: &notify::Error) -> String {
    let hint = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "; raise `fs.inotify.max_user_watches`, or set `daemon.watch = \"poll\"`"
        }
        _ => "",
    };
    format!("can't watch {}: {error}{hint}", dir.display())
}
