//! Rhai handlers: compiled, caged, called.
//!
//! A [`Program`] is a checked set of sources that can go anywhere; a [`Handler`] is one member's own
//! engine with that program compiled into it and lives on the member's thread. [`testing`] runs the
//! tests that stand beside handlers. Nothing here knows
//! Kafka: a record comes in, an [`Outcome`] and [`Effects`](crate::delivery::Effects) come out.

mod api;
mod body;
mod check;
mod compiled;
mod diagnose;
mod engine;
mod explain;
mod generator;
pub mod guide;
mod handler;
mod json;
mod left;
pub mod memory;
mod meter;
mod natives;
mod program;
mod runtime;
mod state;
mod strings;
pub mod testing;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::time::Duration;

pub use explain::{Explained, explain};
pub use generator::Generator;
pub use handler::Handler;
pub use program::Program;

use crate::config::{Limits, Params};
use crate::diagnostic::Diagnostic;

/// The stack, in bytes, of a thread that calls scripts.
///
/// A part is for the script's own calls (`SCRIPT_STACK`); the rest for Rhai to copy and drop a
/// chain of as many values as a call may hold (`MAX_PIECES`), each inside the one before: that
/// takes about 1 KiB of stack a level in a debug build, and a level is at least two pieces. Only
/// what is touched costs memory.
pub const STACK_SIZE: usize = 128 << 20;

/// How deep the script's calls and expressions may reach into the stack. The default depth limits
/// need half of it in a debug build.
const SCRIPT_STACK: usize = 32 << 20;

/// The most pieces of memory that a call may hold at once.
const MAX_PIECES: isize = 1 << 17;

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
    /// Whether functions are compiled. No call can tell but by its time.
    pub compile: bool,
}

impl Settings {
    fn terms(&self) -> runtime::Terms {
        runtime::Terms {
            timeout: self.timeout,
            compile: self.compile,
        }
    }
}

/// How one call of `handle` ended.
#[derive(Debug, Clone)]
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
