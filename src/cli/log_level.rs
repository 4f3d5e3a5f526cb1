//! `deliveryd log-level`: what the log shows, while the daemon runs.

use std::io;

use super::{Exit, Output, remote};
use crate::control::protocol::SetLevel;
use crate::control::{Client, Wanted};

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd log-level                                  what it is\n  \
    deliveryd log-level debug\n  \
    deliveryd log-level info,deliveryd::member=debug     one module more\n\n\
    It holds until the daemon ends, or a reload changes the [log] table.";

/// Changes the level, or says which one is in force.
///
/// # Errors
/// What the writers say.
pub fn log_level(
    level: Option<String>,
    wanted: &Wanted,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let changes = level.is_some();
    let order = SetLevel { level };
    remote::asked(
        wanted,
        |client: &Client| client.log_level(&order),
        |level, output| {
            match changes {
                true => writeln!(output.out, "log level {} → {}", level.before, level.now)?,
                false => writeln!(output.out, "{}", level.now)?,
            }
            Ok(Exit::Done)
        },
        output,
    )
}
