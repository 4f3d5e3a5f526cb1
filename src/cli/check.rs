//! `deliveryd check`: validate everything, compile every handler, touch nothing.

use std::collections::BTreeSet;
use std::io;

use super::{Exit, Output};
use crate::config::{Config, Invocation, Limits};
use crate::diagnostic::shown_path;
use crate::preflight::{self, Checked};
use crate::script::{Explained, Program, explain};

/// What `deliveryd check` can be asked for.
#[derive(Debug, Default, clap::Args)]
pub struct CheckArgs {
    /// Say of each handler's functions which are compiled, and what is left to the interpreter
    #[arg(long)]
    explain: bool,
}

/// Loads the configuration, says what is wrong with it or what is in it.
///
/// # Errors
/// What the writers say.
pub fn check(
    args: &CheckArgs,
    invocation: &Invocation,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    match preflight::check(invocation) {
        Ok(checked) => {
            output.warnings(&checked.warnings)?;
            writeln!(output.out, "{}", summary(&checked.config))?;
            if args.explain {
                write!(output.out, "{}", explanation(&checked))?;
            }
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

/// What becomes of each function, handler by handler.
fn explanation(checked: &Checked) -> String {
    let groups = checked.config.groups.values().filter_map(|group| {
        let program = checked.programs.consumer(&group.handler)?;
        Some((program, group.limits, group.compile))
    });
    let producers = checked.config.producers.values().filter_map(|producer| {
        let program = checked.programs.producer(&producer.handler)?;
        Some((program, producer.limits, producer.compile))
    });
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for (program, limits, compile) in groups.chain(producers) {
        if told.insert((program.file().to_owned(), compile)) {
            text.push_str(&explained(&program, &limits, compile));
        }
    }
    text
}

fn explained(program: &Program, limits: &Limits, compile: bool) -> String {
    if !compile {
        let file = shown_path(program.file());
        return format!("{file}: interpreted, because of `compile = false`\n");
    }
    let functions = explain(program, limits);
    functions.iter().map(lines).collect()
}

fn lines(explained: &Explained) -> String {
    let Explained {
        file,
        function,
        compiled,
        left,
    } = explained;
    let mut text = match compiled {
        Ok(()) => format!("{file}: fn {function} is compiled\n"),
        Err(why) => format!("{file}: fn {function} is interpreted: {why}\n"),
    };
    for (line, column, what) in left {
        text.push_str(&format!(
            "  {line}:{column} {what} is left to the interpreter\n"
        ));
    }
    text
}
