//! `deliveryd check`: validate everything, compile every handler, touch nothing.

use std::collections::BTreeSet;
use std::io;

use super::{Exit, Output};
use crate::config::{Config, Invocation};
use crate::diagnostic::shown_path;
use crate::preflight;

/// Loads the configuration, says what is wrong with it or what is in it.
///
/// # Errors
/// What the writers say.
pub fn check(invocation: &Invocation, output: &mut Output<'_>) -> io::Result<Exit> {
    match preflight::check(invocation) {
        Ok(checked) => {
            output.warnings(&checked.warnings)?;
            writeln!(output.out, "{}", summary(&checked.config))?;
            Ok(Exit::Done)
        }
        Err(failed) => output.failed(&failed, "nothing was started"),
    }
}

fn summary(config: &Config) -> String {
    let counted = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let members: usize = config
        .groups
        .values()
        .map(|group| group.members as usize)
        .sum();
    let consumers = config.groups.values().map(|group| &group.handler);
    let handlers = consumers.chain(config.producers.values().map(|producer| &producer.handler));
    format!(
        "{} is good: {}, {}, {} with {}, {}",
        shown_path(&config.file),
        counted(config.topics.len(), "topic"),
        counted(config.producers.len(), "producer"),
        counted(config.groups.len(), "group"),
        counted(members, "member"),
        counted(handlers.collect::<BTreeSet<_>>().len(), "handler"),
    )
}
