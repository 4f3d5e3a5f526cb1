//! The commands, one file each: they take what was parsed, write to a writer, and say the exit code.

mod check;
mod config_schema;
mod config_show;

use std::io::{self, Write};

pub use check::check;
pub use config_schema::config_schema;
pub use config_show::config_show;

use crate::config::Failed;
use crate::diagnostic::{Diagnostic, Severity, write};

/// How a command ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1: failed while running.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 78 (`EX_CONFIG` of sysexits.h): the configuration or a handler is wrong.
    Config,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Where a command writes: its result, its complaints, and whether these are coloured.
pub struct Output<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    pub colour: bool,
}

impl Output<'_> {
    /// Shows all mistakes of a configuration; `state` says how the world stands.
    ///
    /// # Errors
    /// What the writer says.
    pub fn failed(&mut self, failed: &Failed, state: &str) -> io::Result<Exit> {
        let mut text = String::new();
        failed
            .write(&mut text, state, self.colour)
            .map_err(io::Error::other)?;
        self.err.write_all(text.as_bytes())?;
        Ok(Exit::Config)
    }

    /// Shows warnings.
    ///
    /// # Errors
    /// What the writer says.
    pub fn warnings(&mut self, warnings: &[Diagnostic]) -> io::Result<()> {
        for warning in warnings {
            let mut text = String::new();
            write(&mut text, Severity::Warning, warning, self.colour).map_err(io::Error::other)?;
            writeln!(self.err, "{text}")?;
        }
        Ok(())
    }
}
