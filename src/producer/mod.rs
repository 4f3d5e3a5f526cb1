//! A configured producer: a thread that makes messages at a pace and hands them to Kafka.
//!
//! A thread of its own, because a Rhai engine can't leave the thread it was made on, and a slow
//! generator must hold up nobody else. `start`, `set_rate` or `change` while it runs, `stop`. Kafka
//! is behind [`Sink`], the script behind [`Source`]; nothing here knows either.

mod complaints;
mod deliveries;
mod pace;
mod run;
mod shortfall;
mod source;
mod status;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::config::Producer;
use crate::delivery::{Effects, Emit};
use crate::handlers::HandlerSlot;

pub use complaints::Complaints;
pub use deliveries::Deliveries;
pub use pace::{Pace, Turn};
pub use source::{ScriptSource, Source, try_generator};
pub use status::{ProducerStatus, Progress, State};
pub use task::ProducerTask;

/// Where messages go. What becomes of a queued one is told to the producer's [`Deliveries`].
pub trait Sink {
    /// Queues one message.
    fn send(&mut self, emit: &Emit<'_>) -> Sent;
    /// Waits until `send` may succeed again; returns whether there is room.
    fn wait_for_room(&mut self, most: Duration) -> bool;
    /// Sends what is queued and waits for its acknowledgements.
    ///
    /// # Errors
    /// One line: how much is still unacknowledged when the time is over, and why.
    fn flush(&mut self, most: Duration) -> Result<(), String>;
}

/// What became of a message that was to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Queued,
    /// Too much is unacknowledged; the same message is offered again.
    Full,
    /// It can never be sent; the reason in one line.
    Refused(String),
}

/// What a producer is started with.
pub struct ProducerSetup {
    pub name: Arc<str>,
    pub config: Producer,
    pub slot: Arc<HandlerSlot>,
    pub sink: Box<dyn Sink + Send>,
    /// Shared with whoever acknowledges.
    pub deliveries: Arc<Deliveries>,
    /// Where an earlier producer of this name ended, when this one replaces it.
    pub progress: Progress,
    /// It makes nothing until it is resumed.
    pub paused: bool,
    pub hooks: Hooks,
}

/// What the producer's thread tells others.
pub struct Hooks {
    /// After each call that counted or observed something for the user's own metrics.
    pub on_metrics: Box<dyn FnMut(&Effects) + Send>,
    /// Once, when the thread ends, as the last thing that it does.
    pub on_end: Box<dyn FnOnce(&State) + Send>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            on_metrics: Box::new(|_| {}),
            on_end: Box::new(|_| {}),
        }
    }
}
