//! The handle of a running producer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::{Producer, Rate};

use super::run::{Command, Run};
use super::status::{ProducerStatus, Shared, State};
use super::{Deliveries, Hooks, ProducerSetup, Progress, ScriptSource, Sink, Source};

/// What a producer of any source is started with: a [`ProducerSetup`] without the script.
pub(super) struct Setup {
    pub name: Arc<str>,
    pub config: Producer,
    pub sink: Box<dyn Sink + Send>,
    pub deliveries: Arc<Deliveries>,
    pub progress: Progress,
    pub paused: bool,
    pub hooks: Hooks,
}

/// A producer on its thread. Dropping it stops the thread without sending what is still queued.
pub struct ProducerTask {
    name: Arc<str>,
    commands: Sender<Command>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ProducerTask {
    /// Starts to produce at once.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(setup: ProducerSetup) -> std::io::Result<Self> {
        let ProducerSetup {
            name,
            config,
            slot,
            sink,
            deliveries,
            progress,
            paused,
            hooks,
        } = setup;
        let setup = Setup {
            name: name.clone(),
            config: config.clone(),
            sink,
            deliveries,
            progress,
            paused,
            hooks,
        };
        let settings = slot.settings();
        Self::start_with(setup, move || {
            ScriptSource::new(name, config, slot, settings)
        })
    }

    /// Starts with any source; it is made on the producer's thread.
    pub(super) fn start_with<S: Source>(
        setup: Setup,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let shared = Arc::new(Shared::new(setup.deliveries.clone(), setup.progress));
        let name = setup.name.clone();
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("producer {name}"))
            .stack_size(crate::script::STACK_SIZE)
            .spawn(move || produce(setup, make, &inbox, &theirs))?;
        Ok(Self {
            name,
            commands,
            shared,
            thread: Some(thread),
        })
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn status(&self) -> ProducerStatus {
        self.shared.status()
    }

    /// Another rate, at once and evenly.
    pub fn set_rate(&self, rate: Rate) {
        self.tell(Command::Rate(rate));
    }

    /// Takes over rate, count, parameters and limits of `config`, which are these `settings` of the
    /// slot. Another topic, seed or file needs another producer or, for the file, another program in
    /// the slot.
    pub fn change(&self, config: Producer, settings: u64) {
        self.tell(Command::Change(Box::new(config), settings));
    }

    /// Makes no messages until `resume`.
    pub fn pause(&self) {
        self.tell(Command::Pause);
    }

    /// Goes on from now; what the pause left out is not made good.
    pub fn resume(&self) {
        self.tell(Command::Resume);
    }

    /// Makes no further message, sends what is queued for up to `flush`, and ends. Does not wait for
    /// it; a call of the generator that is under way is finished first.
    pub fn stop(&self, flush: Duration) {
        self.tell(Command::Stop { flush });
    }

    /// Waits for the end; `None` when it has not come in time. Blocks.
    pub fn wait(&self, most: Duration) -> Option<State> {
        self.shared.wait(most)
    }

    fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            // It has ended; its state says how.
            tracing::debug!(producer = %self.name, "a command for a producer that has ended");
        }
    }
}

impl Drop for ProducerTask {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(producer = %self.name, "producer {} died while ending", self.name);
        }
    }
}

/// The thread: runs until told to stop, and says how it ended, panics included.
fn produce<S: Source>(
    setup: Setup,
    make: impl FnOnce() -> S,
    inbox: &Receiver<Command>,
    shared: &Shared,
) {
    let name = setup.name;
    let Hooks { on_metrics, on_end } = setup.hooks;
    let (config, sink, progress) = (setup.config, setup.sink, setup.progress);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut run = Run::new(&name, config, make(), sink, progress, shared, on_metrics);
        if setup.paused {
            run.pause();
        }
        run.serve(inbox);
    }));
    let state = match ran {
        Ok(()) => State::Stopped,
        Err(panic) => State::Died(crate::panic_text(panic.as_ref())),
    };
    if let State::Died(reason) = &state {
        tracing::error!(producer = %name, "producer {name} died: {reason}");
    }
    shared.show(state.clone());
    on_end(&state);
}
