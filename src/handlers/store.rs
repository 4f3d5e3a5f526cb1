//! The store's outside: slots come and go, the mode changes, events are told.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::{Limits, Watch};
use crate::diagnostic::Diagnostic;
use crate::script::{Kind, Program};

use super::worker::{Input, Worker};
use super::{Loaded, Slot};

/// Looks at a version that compiled before it is taken, such as by running its tests.
pub type Check<P> = Arc<dyn Fn(&Arc<P>) -> Result<(), Vec<Diagnostic>> + Send + Sync>;

/// A slot and where its program comes from.
pub struct Watched<P = Program> {
    pub slot: Arc<Slot<P>>,
    /// The handler's file, absolute.
    pub file: PathBuf,
    pub limits: Limits,
    /// Runs on the store's thread; `None` takes every version that loads.
    pub check: Option<Check<P>>,
}

/// What the store tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A handler's file is not what it was.
    Handler(Change),
    /// The kernel can't tell of changes; the files are polled instead until it can.
    /// Told once per distinct reason.
    Polling { reason: String },
    /// The watching ended by a fault of its own; handlers stay as they are.
    Died { reason: String },
}

/// What became of a change on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub file: PathBuf,
    /// The version that ran until now.
    pub from: String,
    pub outcome: Outcome,
    /// Kind and name of each slot that it is about: those that share a file are told together.
    pub slots: Vec<(Kind, Arc<str>)>,
}

/// How a change on disk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new version is in the slots.
    Changed {
        to: String,
        /// Whether a version in between had been refused.
        mended: bool,
    },
    /// The version on disk is wrong; the running one goes on. Told once per distinct mistake.
    Refused(Arc<Vec<Diagnostic>>),
    /// After a refusal the file is again what runs.
    Mended,
}

/// How long the store waits.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Without an event, before changes are read: files that are saved together come together.
    pub quiet: Duration,
    /// At most, however many events follow.
    pub longest: Duration,
    /// For a file that somebody has written to and not closed, from the first event on.
    pub writing: Duration,
    /// Until a version that is wrong is told, and is looked at once more before: it may be half of
    /// what is being saved. Where files are polled, also until one that changed is read.
    pub settle: Duration,
    /// Between two looks at the files where they are polled.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(30),
            longest: Duration::from_millis(100),
            writing: Duration::from_secs(5),
            settle: Duration::from_millis(250),
            poll: Duration::from_secs(1),
        }
    }
}

/// Watches the files of every slot on a thread of its own, until dropped.
///
/// Its methods return when what they ask for is in force; a load that is under way is waited for.
pub struct Store<P = Program> {
    inputs: Sender<Input<P>>,
    thread: Option<JoinHandle<()>>,
}

impl<P: Loaded> Store<P> {
    /// `on_event` is called on the store's thread and must not call the store.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(
        mode: Watch,
        timing: Timing,
        on_event: impl Fn(Event) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (inputs, outputs) = mpsc::channel();
        let worker = Worker::new(mode, timing, inputs.clone(), Box::new(on_event));
        let thread = std::thread::Builder::new()
            .name("handlers".to_owned())
            .stack_size(crate::script::STACK_SIZE)
            .spawn(move || worker.run(&outputs))?;
        Ok(Self {
            inputs,
            thread: Some(thread),
        })
    }

    /// Watches for `watched.slot`, in place of what was watched for its kind and name before. What
    /// changed since its program was loaded is found at once (unless the mode is off).
    ///
    /// A slot moves to another file by `remove`, `slot.set`, `add`, in this order, so that the old
    /// file can not come in between.
    pub fn add(&self, watched: Watched<P>) {
        self.ask(|done| Input::Add(Box::new(watched), done));
    }

    /// Stops watching for this slot; it is not set any more when this returns.
    pub fn remove(&self, kind: Kind, name: &str) {
        self.ask(|done| Input::Remove(kind, name.to_owned(), done));
    }

    /// Watches in another way from now on.
    pub fn set_mode(&self, mode: Watch) {
        self.ask(|done| Input::Mode(mode, done));
    }

    /// Looks at every file now, whatever the mode.
    pub fn check_now(&self) {
        self.ask(|done| Input::CheckNow(done));
    }

    fn ask(&self, input: impl FnOnce(Sender<()>) -> Input<P>) {
        let (done, wait) = mpsc::channel();
        // A thread that ended has told so by `Event::Died`.
        if self.inputs.send(input(done)).is_err() || wait.recv().is_err() {
            tracing::error!("handler files are not watched any more; restart deliveryd");
        }
    }
}

impl<P> Drop for Store<P> {
    fn drop(&mut self) {
        if self.inputs.send(Input::Stop).is_err() {
            tracing::debug!("the handler store had ended before");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the handler store ended with a panic");
        }
    }
}
