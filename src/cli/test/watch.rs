//! `--watch`: stays, and runs again the test files whose outcome a saved file may have changed.
//!
//! An event only says when to look; what changed is known by the files' content, so a file that is
//! saved in two steps, or saved without a change, makes no second run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};

use super::find::{Planned, Wrong};
use super::once;
use crate::cli::{Exit, Output};

/// Files that are saved together come together.
const QUIET: Duration = Duration::from_millis(50);

/// A file's content; `None`: it could not be read.
type Print = Option<[u8; 32]>;

/// What a test file's outcome hangs on, as it was before its last run.
#[derive(Debug, PartialEq, Eq, Default)]
struct Known {
    prints: BTreeMap<PathBuf, Print>,
    /// It may wait for a file that is not known here.
    broken: bool,
}

/// Runs everything in `roots`, and then what changes, until it is interrupted.
pub(super) fn watch(
    roots: &[PathBuf],
    plan: impl Fn() -> Result<Vec<Planned>, Wrong>,
    filter: &str,
    colour: bool,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let (tell, events) = mpsc::channel();
    let mut watcher = match notify::recommended_watcher(tell) {
        Ok(watcher) => watcher,
        Err(error) => return trouble(&error, output),
    };
    let mut folders = BTreeSet::new();
    let mut known: BTreeMap<PathBuf, Known> = BTreeMap::new();
    loop {
        let planned = plan().unwrap_or_else(|Wrong(why)| {
            tracing::debug!("nothing to test: {why}");
            Vec::new()
        });
        let homes = planned.iter().filter_map(|planned| planned.file.parent());
        for folder in roots.iter().map(PathBuf::as_path).chain(homes) {
            if folders.insert(folder.to_owned())
                && let Err(error) = watcher.watch(folder, RecursiveMode::Recursive)
            {
                return trouble(&error, output);
            }
        }
        let changed = changed(planned, &mut known);
        if !changed.is_empty() {
            let report = once(&changed, filter, colour, output)?;
            for file in &report.files {
                let tested = file.tested.iter().flat_map(|tested| &tested.files);
                let files: BTreeSet<PathBuf> = file.files.iter().chain(tested).cloned().collect();
                let known = known.entry(file.file.clone()).or_default();
                // What was read before the run stays: a change in between must not be missed.
                for file in files {
                    let print = print(&file);
                    known.prints.entry(file).or_insert(print);
                }
                known.broken = file.not_compiled();
            }
            writeln!(output.out, "waiting for a change; Ctrl-C ends this\n")?;
            output.out.flush()?;
        }
        if wait(&events).is_none() {
            return Ok(Exit::Failed);
        }
    }
}

/// Those that are new, hang on a file that is not what it was, or are broken and may be mended.
fn changed(planned: Vec<Planned>, known: &mut BTreeMap<PathBuf, Known>) -> Vec<Planned> {
    let there: BTreeSet<&Path> = planned.iter().map(|planned| &*planned.file).collect();
    known.retain(|file, _| there.contains(&**file));
    let mut changed = Vec::new();
    for planned in planned {
        let own = known.entry(planned.file.clone()).or_default();
        let files = own.prints.keys().chain([&planned.file]);
        let now: BTreeMap<PathBuf, Print> = files.map(|file| (file.clone(), print(file))).collect();
        if own.prints != now || own.broken {
            own.prints = now;
            changed.push(planned);
        }
    }
    changed
}

fn print(file: &Path) -> Print {
    let bytes = std::fs::read(file).ok()?;
    Some(Sha256::digest(bytes).into())
}

/// Waits for a change and until it is quiet again; `None` when no more can come.
fn wait(events: &Receiver<notify::Result<notify::Event>>) -> Option<()> {
    while !changes(&events.recv().ok()?) {}
    loop {
        match events.recv_timeout(QUIET) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Some(()),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Whether something was written; our own reading makes events too.
fn changes(event: &notify::Result<notify::Event>) -> bool {
    let written = AccessKind::Close(AccessMode::Write);
    match event {
        Ok(event) => event.kind == EventKind::Access(written) || !event.kind.is_access(),
        // Something was missed, and the files themselves will tell.
        Err(_) => true,
    }
}

fn trouble(error: &notify::Error, output: &mut Output<'_>) -> io::Result<Exit> {
    writeln!(output.err, "error: can't watch the files: {error}")?;
    Ok(Exit::Failed)
}
