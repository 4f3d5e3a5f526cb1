//! A handler's own tests: `NAME.test.rhai` beside `NAME.rhai`, run in the handler's cage, without a
//! broker.
//!
//! [`Suite::load`] reads a test file and the handler that it is about, [`Suite::run`] runs its
//! `fn test_…()` one by one, each with an engine and a handler of its own. [`check`] is both, for a
//! version that is to be taken. [`compare()`] runs a message through two versions of a handler. Nothing here knows Kafka or the command line.

mod asserts;
mod calls;
mod compare;
mod context;
mod diff;
mod emitted;
mod expected;
mod logs;
mod message;
mod run;
mod suite;
#[cfg(test)]
mod tests;
mod values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use compare::{Comparison, Side, compare};
pub use suite::{Suite, check};

use super::{Kind, Program};
use crate::config::Limits;
use crate::diagnostic::Diagnostic;

/// How the name of a test file ends.
pub const SUFFIX: &str = ".test.rhai";

/// The cage of tests: the handler's own, and what a whole test may take.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub limits: Limits,
    /// One call of the handler.
    pub call: Duration,
    /// One test, with all its calls.
    pub test: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            call: Duration::from_secs(1),
            test: Duration::from_secs(5),
        }
    }
}

/// How one test ended.
#[derive(Debug, Clone)]
pub struct Tested {
    /// `test_…`.
    pub name: String,
    pub took: Duration,
    /// Why it failed, the assert first; empty where it passed.
    pub failure: Vec<Diagnostic>,
    /// Whether it failed because a handler that it names does not compile.
    pub not_compiled: bool,
    /// What the test and its handler printed.
    pub printed: Vec<String>,
    /// Handlers that it named, with their modules.
    pub files: Vec<PathBuf>,
}

impl Tested {
    pub fn passed(&self) -> bool {
        self.failure.is_empty()
    }
}

/// The handler that a test file is about, by its name: `a.rhai` for `a.test.rhai`.
pub fn handler_of(test_file: &Path) -> Option<PathBuf> {
    let name = test_file.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    Some(test_file.with_file_name(format!("{name}.rhai")))
}

/// The test file of a handler, by its name.
pub fn tests_of(handler: &Path) -> PathBuf {
    let stem = handler.file_stem().unwrap_or_default().to_string_lossy();
    handler.with_file_name(format!("{stem}{SUFFIX}"))
}

/// Loads a file as what it is: a consumer's handler or a producer's generator. `None`: it is
/// neither, but a module of them.
///
/// # Errors
/// Every mistake in it.
fn load_handler(file: &Path, limits: &Limits) -> Result<Option<Arc<Program>>, Vec<Diagnostic>> {
    let module = Program::load(file, Kind::Test, limits)?;
    let functions = module.functions(limits);
    let has = |wanted: &str| functions.iter().any(|name| name == wanted);
    let kind = match (has("handle"), has("generate")) {
        (false, false) => return Ok(None),
        (false, true) => Kind::Producer,
        (true, _) => Kind::Consumer,
    };
    Program::load(file, kind, limits).map(|program| Some(Arc::new(program)))
}
