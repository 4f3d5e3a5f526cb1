//! `deliveryd rehearse`, which `deliveryd verify` starts and nobody else: the daemon with one group of
//! its configuration, on temporary topics.

use std::io;
use std::path::PathBuf;

use clap::Args;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::{Exit, Output};
use crate::config::{Invocation, Rehearsal};
use crate::observe::{Format, logs};
use crate::{daemon, preflight};

#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The group's own id
    #[arg(long)]
    group: String,
    /// Names the temporary topics
    #[arg(long)]
    run: String,
    /// The number of this process
    #[arg(long)]
    process: u32,
    /// Where its socket goes
    #[arg(long)]
    directory: PathBuf,
    /// The process that rehearses; this one ends with it
    #[arg(long)]
    parent: i32,
}

/// Runs until it is told to stop, or until its parent is gone.
///
/// # Errors
/// What the writers say.
pub fn rehearse(
    args: RehearseArgs,
    mut invocation: Invocation,
    format: Format,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    // Even a process that stands still must not outlive whoever would let it go on.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(args.parent) {
        writeln!(output.err, "error: started by `deliveryd verify` only")?;
        return Ok(Exit::Usage);
    }
    let mut checked = match preflight::check(&invocation) {
        Ok(checked) => checked,
        Err(failed) => return output.failed(&failed, "nothing was started"),
    };
    let rehearsal = Rehearsal {
        run: args.run,
        group: args.group,
        process: args.process,
        directory: args.directory,
    };
    if let Err(reason) = rehearsal.apply(&mut checked.config) {
        writeln!(output.err, "error: {reason}")?;
        return Ok(Exit::Usage);
    }
    // A reload would bring the real topics back: there is nothing that it could read.
    invocation.file = rehearsal
        .directory
        .join("a-rehearsal-is-never-reloaded.toml");
    invocation.sets.clear();
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
