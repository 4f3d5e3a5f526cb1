//! What the tests work at: a directory with handlers, a store that watches it, what it told.
//!
//! The programs are pretended: a file is right unless it is empty or says `broken`, and each line
//! `use NAME` imports that file from its directory. An empty file is one that was caught between the
//! opening and the writing; whether the store sees it is chance, and no test minds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::config::Watch;
use crate::diagnostic::Place;

#[derive(Debug)]
pub(super) struct Pretended {
    text: String,
    files: Vec<PathBuf>,
}

impl Loaded for Pretended {
    fn load(file: &Path, _: Kind, _: &Limits) -> Result<Self, Vec<Diagnostic>> {
        *loads().entry(file.to_path_buf()).or_default() += 1;
        let mut program = Self {
            text: String::new(),
            files: Vec::new(),
        };
        program.read(file)?;
        Ok(program)
    }
    fn version(&self) -> &str {
        &self.text
    }
    fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

/// How often each handler was loaded, by its file.
static LOADS: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

fn loads() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    LOADS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pretended {
    fn read(&mut self, file: &Path) -> Result<(), Vec<Diagnostic>> {
        let text = fs::read_to_string(file).map_err(|error| vec![mistake(&error.to_string())])?;
        if text.is_empty() {
            return Err(vec![mistake(HALF_WRITTEN)]);
        }
        if text.contains("broken") {
            return Err(vec![mistake(text.trim())]);
        }
        self.files.push(file.to_path_buf());
        let dir = file.parent().expect("a file is in a directory");
        for module in text.lines().filter_map(|line| line.strip_prefix("use ")) {
            self.read(&dir.join(module))?;
        }
        self.text.push_str(&text);
        Ok(())
    }
}

pub(super) fn mistake(message: &str) -> Diagnostic {
    Diagnostic {
        message: message.to_owned(),
        place: Place::Nowhere,
        label: String::new(),
        hints: Vec::new(),
    }
}

fn half_written(change: &Change) -> bool {
    matches!(&change.outcome, Outcome::Refused(mistakes) if mistakes[0].message == HALF_WRITTEN)
}

/// A directory with handlers, a store that watches them, and what the store told.
pub(super) struct Desk {
    pub dir: PathBuf,
    pub store: Store<Pretended>,
    events: Receiver<Event>,
    _temp: TempDir,
}

const HALF_WRITTEN: &str = "half-written";
const DEADLINE: Duration = Duration::from_secs(10);

impl Desk {
    pub fn new(mode: Watch) -> Self {
        Self::with(mode, Timing::default().quiet)
    }

    pub fn with(mode: Watch, quiet: Duration) -> Self {
        Self::timed(mode, |timing| {
            timing.quiet = quiet;
            timing.longest = timing.longest.max(quiet * 10);
        })
    }

    /// With other times than the tests' usual ones.
    pub fn timed(mode: Watch, change: impl FnOnce(&mut Timing)) -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let (tell, events) = mpsc::channel();
        let mut timing = Timing {
            writing: DEADLINE,
            settle: Duration::from_millis(60),
            poll: Duration::from_millis(20),
            ..Timing::default()
        };
        change(&mut timing);
        let on_event = move |event| tell.send(event).expect("the test listens");
        Self {
            dir: fs::canonicalize(temp.path()).expect("it is there"),
            store: Store::start(mode, timing, on_event).expect("a thread"),
            events,
            _temp: temp,
        }
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// Writes beside and renames, so that nobody sees half of it.
    pub fn replace(&self, name: &str, text: &str) {
        self.write(".beside", text);
        fs::rename(self.dir.join(".beside"), self.dir.join(name)).expect("renamed");
    }

    pub fn slot(&self, name: &str, file: &str) -> Arc<Slot<Pretended>> {
        let slot = self.loaded(name, file);
        self.store.add(self.watched(&slot, file));
        slot
    }

    pub fn loaded(&self, name: &str, file: &str) -> Arc<Slot<Pretended>> {
        let program = Pretended::load(&self.dir.join(file), Kind::Consumer, &Limits::default());
        let program = Arc::new(program.expect("a good handler"));
        Arc::new(Slot::new(Kind::Consumer, name, program))
    }

    pub fn watched(&self, slot: &Arc<Slot<Pretended>>, file: &str) -> Watched<Pretended> {
        Watched {
            slot: slot.clone(),
            file: self.dir.join(file),
            limits: Limits::default(),
            check: None,
        }
    }

    pub fn next(&self) -> Change {
        loop {
            match self.events.recv_timeout(DEADLINE) {
                Ok(Event::Handler(change)) if half_written(&change) => {}
                Ok(Event::Handler(change)) => return change,
                other => panic!("a change was expected, not {other:?}"),
            }
        }
    }

    /// The next event is a change to `text`.
    pub fn changes_to(&self, slot: &Slot<Pretended>, text: &str) -> Change {
        let change = self.next();
        match &change.outcome {
            Outcome::Changed { to, .. } => assert_eq!(to, text),
            other => panic!("a change to {text:?} was expected, not {other:?}"),
        }
        assert_eq!(slot.current().version(), text);
        assert_eq!(slot.error(), None);
        change
    }

    pub fn refuses(&self, slot: &Slot<Pretended>, message: &str) {
        let change = self.next();
        match &change.outcome {
            Outcome::Refused(mistakes) => assert!(
                mistakes[0].message.contains(message),
                "{message:?} was expected in {mistakes:?}"
            ),
            other => panic!("a refusal was expected, not {other:?}"),
        }
        assert_eq!(change.from, slot.current().version());
        assert!(slot.error().is_some());
    }

    /// How often a handler was loaded so far.
    pub fn loads_of(&self, file: &str) -> usize {
        loads()
            .get(&self.dir.join(file))
            .copied()
            .unwrap_or_default()
    }

    /// Nothing is told for a while. On a slow machine it may just not have come yet, so that what is
    /// told next has to prove it.
    pub fn nothing_for(&self, time: Duration) {
        let told = self.events.recv_timeout(time);
        assert_eq!(told, Err(RecvTimeoutError::Timeout));
    }

    /// Nothing was told, after the store has looked at everything once more.
    pub fn nothing_more(&self) {
        self.store.check_now();
        let told: Vec<Event> = self.events.try_iter().collect();
        assert_eq!(told, []);
    }
}
