//! Rhai handlers: compiled, caged, called.
//!
//! A [`Program`] is a checked set of sources that can go anywhere; a [`Handler`] is one member's own
//! engine with that program compiled into it and lives on the member's thread. Nothing here knows
//! Kafka: a record comes in, an [`Outcome`] and [`Effects`] come out.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Limits, Params};
use crate::delivery::{Effects, Record};
use crate::diagnostic::Diagnostic;

/// What a script is for, and so which functions it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `handle(msg)`.
    Consumer,
    /// `generate(n)`.
    Producer,
}

/// A handler file and every module it imports, read once and checked. Shared between threads.
#[derive(Debug)]
pub struct Program {}

impl Program {
    /// Reads `file` and its imports, compiles and checks them in an engine of these limits.
    ///
    /// # Errors
    /// Every mistake found: unreadable files, syntax, a missing or wrong `handle`/`generate`,
    /// imports that leave the folder.
    pub fn load(_file: &Path, _kind: Kind, _limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
        todo!()
    }
    /// The first 12 hexadecimal digits of the SHA-256 of all sources.
    pub fn version(&self) -> &str {
        todo!()
    }
    /// The handler's file, absolute.
    pub fn file(&self) -> &Path {
        todo!()
    }
    /// Every file it was read from, the handler's own first.
    pub fn files(&self) -> &[PathBuf] {
        todo!()
    }
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

/// One member's engine with its program.
pub struct Handler {}

impl Handler {
    /// Compiles `program` for one thread.
    ///
    /// # Errors
    /// What the compiler says; not expected of a program that was loaded with the same limits.
    pub fn new(_program: &Arc<Program>, _settings: Settings) -> Result<Handler, Vec<Diagnostic>> {
        todo!()
    }
    pub fn program(&self) -> &Arc<Program> {
        todo!()
    }
    /// Calls `handle(msg)`. `attempt` counts from 1. The effects of earlier calls are discarded first.
    pub fn handle(&mut self, _record: &Rc<Record>, _attempt: u32) -> Outcome {
        todo!()
    }
    /// Calls `on_failed(msg, reason)` where the script has it; its effects can then be taken.
    pub fn on_failed(&mut self, _record: &Rc<Record>, _attempt: u32, _reason: &str) -> Outcome {
        todo!()
    }
    /// The effects of the last call.
    pub fn effects(&self) -> &Effects {
        todo!()
    }
    /// Life cycle; a script without the function is fine. `partitions` as (topic, partition).
    pub fn on_start(&mut self) -> Outcome {
        todo!()
    }
    pub fn on_assign(&mut self, _partitions: &[(Arc<str>, i32)]) -> Outcome {
        todo!()
    }
    pub fn on_revoke(&mut self, _partitions: &[(Arc<str>, i32)]) -> Outcome {
        todo!()
    }
    pub fn on_stop(&mut self) -> Outcome {
        todo!()
    }
}

/// A producer's engine: `generate(n)` as an emit to `topic`.
pub struct Generator {}

impl Generator {
    /// # Errors
    /// What the compiler says.
    pub fn new(
        _program: &Arc<Program>,
        _settings: Settings,
        _topic: &str,
    ) -> Result<Generator, Vec<Diagnostic>> {
        todo!()
    }
    /// Calls `generate(n)`, `n` counting from 0; on `Done` the effects hold the one message.
    pub fn generate(&mut self, _n: u64) -> Outcome {
        todo!()
    }
    pub fn effects(&self) -> &Effects {
        todo!()
    }
}
