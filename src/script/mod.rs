//! Rhai handlers: compiled, caged, called.
//!
//! A [`Program`] is a checked set of sources that can go anywhere; a [`Handler`] is one member's own
//! engine with that program compiled into it and lives on the member's thread. [`testing`] runs the
//! tests that stand beside handlers. Nothing here knows
//! Kafka: a record comes in, an [`Outcome`] and [`Effects`](crate::delivery::Effects) come out.

mod api;
mod body;
mod check;
mod diagnose;
mod engine;
mod generator;
mod handler;
mod json;
pub mod memory;
mod meter;
mod program;
mod runtime;
mod state;
mod strings;
pub mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use generator::Generator;
pub use handler::Handler;
pub use program::Program;

use crate::config::{Limits, Params};
use crate::diagnostic::Diagnostic;

/// The stack, in bytes, that a thread needs to call scripts with the default limits.
///
/// A script that nests expressions in calls as deeply as it may, or drops an array of 10,000 levels,
/// goes far beyond the 2 MiB that a Rust thread has by itself. Only what is touched costs memory.
pub const STACK_SIZE: usize = 16 << 20;

/// What a script is for, and so which functions it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `handle(msg)`.
    Consumer,
    /// `generate(n)`.
    Producer,
    /// `test_…()`, any number of them.
    Test,
}

/// Who calls: shown to the script as `msg.group`, `msg.member`, and on each of its log lines.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The group's id, or for a generator the producer's name.
    pub group: Arc<str>,
    /// The member's name, `GROUP-N`; for a generator the producer's name.
    pub member: Arc<str>,
}

/// What an engine is built with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub caller: Caller,
    pub limits: Limits,
    pub params: Params,
    /// One call.
    pub timeout: Duration,
    /// For a generator; `None` is a random seed.
    pub seed: Option<u64>,
}

/// How one call of `handle` ended.
#[derive(Debug)]
pub enum Outcome {
    /// It returned; its effects may leave.
    Done,
    /// `reject(reason)`, or a value that is not JSON where JSON was asked for: no retry.
    Rejected(Box<Failure>),
    /// Thrown, `retry(reason)`, a runtime error, a limit, a panic: `on_failure` decides.
    Failed(Box<Failure>),
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// One line.
    pub reason: String,
    /// With file, line and mark, where the script's place is known.
    pub diagnostic: Option<Diagnostic>,
}
