//! Whether the daemon would start again with what is on disk now: its configuration and its handlers.
//!
//! A file that is broken while the daemon runs hurts nobody until the restart. So they are looked at
//! every second, and checked when they have changed and then stood still for a moment.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Failed, HandlerKind, Invocation};
use crate::diagnostic::{Diagnostic, Place, shown_path};
use crate::observe::Board;
use crate::preflight::{self, Checked};

const LOOK: Duration = Duration::from_secs(1);
/// What is broken may be mended by a file that nobody looks at, such as one with a secret.
const BROKEN_AGAIN: u32 = 15;

/// A file as it is, without being read: changed and written when, how large, which. `None`: not there.
type Seen = Option<(i64, i64, i64, u64, u64)>;

/// Shows on the board why the files would not start again, as long as they would not. Does not end.
pub(super) async fn follow(board: Board, invocation: Invocation) {
    let mut eye = Eye::new(invocation);
    let mut problem: Option<String> = None;
    loop {
        let looking = tokio::task::spawn_blocking(move || {
            let news = eye.look();
            (eye, news)
        });
        let news;
        (eye, news) = match looking.await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!("what is on disk is no longer looked at: {error}");
                return;
            }
        };
        if let Some(found) = news
            && found != problem
        {
            match &found {
                Some(why) => tracing::warn!("{why}"),
                None => tracing::info!("what is on disk would start again"),
            }
            board.set_on_disk(found.clone());
            problem = found;
        }
        tokio::time::sleep(LOOK).await;
    }
}

struct Eye {
    invocation: Invocation,
    files: Vec<PathBuf>,
    /// As they were when they were checked last.
    checked: BTreeMap<PathBuf, Seen>,
    /// As they were at the last look.
    last: BTreeMap<PathBuf, Seen>,
    /// Looks since something broken was checked.
    broken_for: Option<u32>,
}

impl Eye {
    fn new(invocation: Invocation) -> Self {
        Self {
            files: vec![invocation.file.clone()],
            invocation,
            checked: BTreeMap::new(),
            last: BTreeMap::new(),
            broken_for: None,
        }
    }

    /// What a check says, where one was made: why the files would not start again, if so.
    fn look(&mut self) -> Option<Option<String>> {
        let now = self.seen();
        let stands_still = now == self.last;
        self.last = now;
        self.broken_for = self.broken_for.map(|looks| looks + 1);
        let again = self.broken_for.is_some_and(|looks| looks >= BROKEN_AGAIN);
        if !stands_still || (self.last == self.checked && !again) {
            return None;
        }
        let result = preflight::check(&self.invocation);
        self.checked = self.last.clone();
        match result {
            Ok(checked) => {
                self.broken_for = None;
                self.files = files(&self.invocation.file, &checked);
                // Of files that are new to us there is nothing to compare with yet.
                self.checked = self.seen();
                self.last = self.checked.clone();
                Some(None)
            }
            Err(failed) => {
                self.broken_for = Some(0);
                Some(Some(in_words(&self.invocation.file, &failed)))
            }
        }
    }

    fn seen(&self) -> BTreeMap<PathBuf, Seen> {
        let seen = |file: &PathBuf| {
            let about = fs::metadata(file).ok().map(|about| {
                (
                    about.mtime(),
                    about.mtime_nsec(),
                    about.ctime_nsec(),
                    about.len(),
                    about.ino(),
                )
            });
            (file.clone(), about)
        };
        self.files.iter().map(seen).collect()
    }
}

/// The configuration, the handlers, and what they import.
fn files(config: &Path, checked: &Checked) -> Vec<PathBuf> {
    let mut files = vec![config.to_owned()];
    let groups = checked.config.groups.values();
    let producers = checked.config.producers.values();
    let handlers = groups
        .map(|group| (HandlerKind::Consumer, &group.handler))
        .chain(producers.map(|producer| (HandlerKind::Producer, &producer.handler)));
    for (kind, file) in handlers {
        let program = match kind {
            HandlerKind::Consumer => checked.programs.consumer(file),
            HandlerKind::Producer => checked.programs.producer(file),
        };
        files.extend(program.iter().flat_map(|program| program.files().to_vec()));
    }
    files.sort();
    files.dedup();
    files
}

/// One line: where, what, and what it means.
fn in_words(config: &Path, failed: &Failed) -> String {
    let first = failed.mistakes.first();
    let what = first.map_or("it is not valid", |mistake| mistake.message.as_str());
    let at = first.and_then(place).unwrap_or_else(|| shown_path(config));
    let more = match failed.mistakes.len() {
        0 | 1 => String::new(),
        2 => " (and 1 more mistake)".to_owned(),
        more => format!(" (and {} more mistakes)", more - 1),
    };
    format!(
        "what is on disk would not start again: {at}: {what}{more}; \
         `deliveryd check --config {}` shows it",
        shown_path(config)
    )
}

fn place(mistake: &Diagnostic) -> Option<String> {
    match &mistake.place {
        Place::File {
            path, line, column, ..
        } => Some(format!("{path}:{line}:{column}")),
        Place::Layer(layer) => Some(layer.clone()),
        Place::Nowhere => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str =
        "[topics.a]\n[groups.g]\ntopics = [\"a\"]\nhandler = \"handle.rhai\"\nmembers = 1\n";

    fn eye(dir: &Path) -> Eye {
        let config = dir.join("deliveryd.toml");
        fs::write(&config, CONFIG).unwrap();
        fs::write(
            dir.join("handle.rhai"),
            "import \"lib\" as lib;\nfn handle(msg) {}",
        )
        .unwrap();
        fs::write(dir.join("lib.rhai"), "fn f() { 1 }").unwrap();
        Eye::new(Invocation {
            file: config,
            sets: Vec::new(),
            env: BTreeMap::new(),
        })
    }

    /// Looks until a check was made.
    fn checked(eye: &mut Eye) -> Option<String> {
        for _ in 0..3 {
            if let Some(found) = eye.look() {
                return found;
            }
        }
        panic!("nothing was checked");
    }

    /// The configuration, a handler and what it imports are checked when they change, and only then.
    #[test]
    fn what_changes_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let mut eye = eye(dir.path());
        assert_eq!(checked(&mut eye), None);
        assert_eq!(eye.look(), None, "nothing has changed");

        fs::write(dir.path().join("lib.rhai"), "fn f( { 1 }").unwrap();
        let broken = checked(&mut eye).unwrap();
        assert!(broken.contains("lib.rhai:1:"), "{broken}");
        assert!(broken.contains("`deliveryd check --config "), "{broken}");
        fs::write(dir.path().join("lib.rhai"), "fn f() { 22 }").unwrap();
        assert_eq!(checked(&mut eye), None);

        let wrong = CONFIG.replace("members", "membres");
        fs::write(dir.path().join("deliveryd.toml"), wrong).unwrap();
        let broken = checked(&mut eye).unwrap();
        assert!(
            broken.contains("deliveryd.toml:5:1: unknown setting `membres`"),
            "{broken}"
        );
        fs::remove_file(dir.path().join("deliveryd.toml")).unwrap();
        assert!(checked(&mut eye).is_some());
    }

    /// A file that is being written is left until it stands still.
    #[test]
    fn a_file_under_way_is_not_checked() {
        let dir = tempfile::tempdir().unwrap();
        let mut eye = eye(dir.path());
        checked(&mut eye);
        for size in 1..4 {
            fs::write(dir.path().join("handle.rhai"), "fn".repeat(size)).unwrap();
            assert_eq!(eye.look(), None);
        }
        assert!(checked(&mut eye).is_some());
    }

    /// What is broken is looked at again now and then: a secret's file may have come.
    #[test]
    fn what_is_broken_is_checked_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut eye = eye(dir.path());
        fs::write(dir.path().join("handle.rhai"), "fn").unwrap();
        assert!(checked(&mut eye).is_some());
        let looks = (0..BROKEN_AGAIN * 2).filter(|_| eye.look().is_some());
        assert_eq!(looks.count(), 2);
    }
}
