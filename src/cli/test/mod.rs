//! `deliveryd test`: the handlers' own tests, without a broker.
//!
//! `find` says which files, `runner` runs them on a thread that scripts may use, `report` writes what
//! comes of it, `junit` the same for CI, `watch` runs again what changed. `recorded` is
//! `--from-topic`: messages of a cluster through two versions of a handler.

mod find;
mod junit;
mod recorded;
mod report;
mod runner;
mod watch;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Output};
use crate::config::{Permissive, load};
use crate::control::Wanted;
use find::{Planned, Wrong};

/// What `deliveryd test` takes.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Test files, handlers or folders [default: the folders of the config's handlers, else ./handlers]
    pub paths: Vec<PathBuf>,
    /// Run only tests whose name or file contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Stay, and run again what a saved file may have changed
    #[arg(long)]
    pub watch: bool,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub junit: Option<PathBuf>,
    #[command(flatten)]
    pub recorded: Recorded,
}

/// `--from-topic` and what goes with it.
#[derive(Debug, Args)]
pub struct Recorded {
    /// Instead: run a topic's last messages through two versions of a handler, and show where they differ
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["paths", "filter", "watch", "junit"])]
    pub from_topic: Option<String>,
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 100, requires = "from_topic")]
    pub last: usize,
    /// The other version [default: the one that the daemon runs now]
    #[arg(long, value_name = "FILE", requires = "from_topic")]
    pub against: Option<PathBuf>,
    /// The version to try [default: the group's handler on disk]
    #[arg(long, value_name = "FILE", requires = "from_topic")]
    pub handler: Option<PathBuf>,
    /// The group whose handler it is, if more than one reads the topic
    #[arg(long, value_name = "GROUP", requires = "from_topic")]
    pub group: Option<String>,
}

/// Runs the tests, or compares versions; `daemon` says which config and which daemon are meant.
///
/// # Errors
/// What the writers say.
pub fn test(args: TestArgs, daemon: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    // Results go to standard output, which may be a file while standard error is a terminal.
    let colour = output.colour && io::stdout().is_terminal();
    if let Some(topic) = &args.recorded.from_topic {
        return recorded::compare(topic, &args.recorded, daemon, colour, output);
    }
    let config = match &daemon.config {
        None => None,
        // Handlers are compiled when they are tested, each with its own message.
        Some(invocation) => match load(invocation, &Permissive) {
            Ok(loaded) => Some(loaded.config),
            Err(failed) => return output.failed(&failed, "no test was run"),
        },
    };
    let plan = || find::planned(&args.paths, config.as_ref());
    let planned = match plan() {
        Ok(planned) => planned,
        Err(Wrong(message)) => {
            writeln!(output.err, "error: {message}")?;
            return Ok(Exit::Usage);
        }
    };
    let filter = args.filter.as_deref().unwrap_or_default();
    if args.watch {
        let folders = find::folders(&args.paths, config.as_ref());
        return watch::watch(&folders, plan, filter, colour, output);
    }
    let report = once(&planned, filter, colour, output)?;
    let Some(file) = &args.junit else {
        return Ok(report.exit());
    };
    match junit::write(file, &report) {
        Ok(()) => Ok(report.exit()),
        Err(error) => {
            let file = crate::diagnostic::shown_path(file);
            writeln!(output.err, "error: {file} can't be written: {error}")?;
            Ok(Exit::Failed)
        }
    }
}

/// Runs what is planned and writes what comes of it.
fn once(
    planned: &[Planned],
    filter: &str,
    colour: bool,
    output: &mut Output<'_>,
) -> io::Result<report::Report> {
    let mut report = report::Report::new(colour);
    runner::run(planned, filter, |event| report.take(event, output.out))?;
    report.sum_up(filter, output)?;
    Ok(report)
}
