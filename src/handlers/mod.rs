//! The store of handler programs: which version runs, and how a changed file becomes the next one.
//!
//! A [`Slot`] is what a group's members or a producer share: they compare its generation before each
//! message and take `current` when it has moved. The [`Store`] watches the files of every slot,
//! loads what changed and sets the slot, or keeps the mistakes beside the version that goes on.
//! Nothing here knows Kafka, members, or what a program does.

#[cfg(test)]
mod desk;
mod entry;
mod gathered;
mod paths;
mod slot;
mod store;
#[cfg(test)]
mod tests;
mod watching;
mod worker;

use std::path::{Path, PathBuf};

use crate::config::Limits;
use crate::diagnostic::Diagnostic;
use crate::script::{Kind, Program};

pub use slot::Slot;
pub use store::{Change, Check, Event, Outcome, Store, Timing, Watched};

/// The slot of a group or a producer.
pub type HandlerSlot = Slot<Program>;

/// The store of the daemon's handlers.
pub type HandlerStore = Store<Program>;

/// What the store needs to know of a program; [`Program`] is the real one.
pub trait Loaded: Sized + Send + Sync + 'static {
    /// Reads and checks `file` and all that it imports.
    ///
    /// # Errors
    /// Every mistake found.
    fn load(file: &Path, kind: Kind, limits: &Limits) -> Result<Self, Vec<Diagnostic>>;
    /// Equal for equal sources.
    fn version(&self) -> &str;
    /// Every file that it was read from.
    fn files(&self) -> &[PathBuf];
}

impl Loaded for Program {
    fn load(file: &Path, kind: Kind, limits: &Limits) -> Result<Self, Vec<Diagnostic>> {
        Program::load(file, kind, limits)
    }
    fn version(&self) -> &str {
        Program::version(self)
    }
    fn files(&self) -> &[PathBuf] {
        Program::files(self)
    }
}
