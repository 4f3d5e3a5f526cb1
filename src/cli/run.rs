//! `deliveryd` and `deliveryd run`: the daemon.

use std::io;

use super::{Exit, Output};
use crate::config::Invocation;
use crate::observe::{Format, logs};
use crate::{daemon, preflight};

/// Checks everything, and runs until a signal says stop.
///
/// # Errors
/// What the writers say.
pub fn run(invocation: Invocation, format: Format, output: &mut Output<'_>) -> io::Result<Exit> {
    let checked = match preflight::check(&invocation) {
        Ok(checked) => checked,
        Err(failed) => return output.failed(&failed, "nothing was started"),
    };
    output.warnings(&checked.warnings)?;
    let log = match logs::init(&checked.config.log, format) {
        Ok(log) => log,
        Err(error) => {
            writeln!(output.err, "error: {error}")?;
            return Ok(Exit::Failed);
        }
    };
    match daemon::run(invocation, checked, log) {
        Ok(()) => Ok(Exit::Done),
        Err(reason) => {
            writeln!(output.err, "error: {reason}")?;
            Ok(Exit::Failed)
        }
    }
}
