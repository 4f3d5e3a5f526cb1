//! Signals as values: what the process was asked, in the order in which it was asked.
//!
//! signal-hook writes into a pipe inside the handler, so nothing blocks there; a thread of its own
//! reads the pipe. A hangup that the kernel sends because the terminal was closed is an orderly stop;
//! one that a process sends is a reload.

use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, SignalsInfo, exfiltrator::WithOrigin};
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::mpsc::UnboundedSender;

/// What a signal asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Stop(&'static str),
    Reload,
}

/// The thread that listens, until dropped.
#[derive(Debug)]
pub struct Signals {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Listens for SIGTERM, SIGINT and SIGHUP, and hands on what they ask. The second stop signal ends
    /// the process at once, with the status that shells give for it.
    ///
    /// # Errors
    /// The system refuses a handler or the thread.
    pub fn listen(to: UnboundedSender<Asked>) -> io::Result<Self> {
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut stopping = false;
                for origin in signals.forever() {
                    let asked = asked(&origin);
                    if matches!(asked, Asked::Stop(_)) {
                        if stopping {
                            signal_hook::low_level::exit(128 + origin.signal);
                        }
                        stopping = true;
                    }
                    if to.send(asked).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the signal thread panicked");
        }
    }
}

fn asked(origin: &Origin) -> Asked {
    match (origin.signal, origin.cause) {
        (SIGINT, _) => Asked::Stop("SIGINT"),
        (SIGHUP, Cause::Kernel) => Asked::Stop("the terminal was closed"),
        (SIGHUP, _) => Asked::Reload,
        _ => Asked::Stop("SIGTERM"),
    }
}
