//! `deliveryd pause` and `deliveryd resume`: a group, a part of it, or a producer.

use std::io;

use clap::Args;

use super::part::{PartArgs, elsewhere, row};
use super::table::table;
use super::{Exit, Output, remote};
use crate::control::protocol::{Resume, Steered};
use crate::control::{Client, Wanted};

pub const PAUSE_EXAMPLES: &str = "Examples:\n  \
    deliveryd pause group-1                  every partition of it that this daemon holds\n  \
    deliveryd pause group-1 Delivery:1       one partition\n  \
    deliveryd pause random                   a producer\n\n\
    What is in flight is finished. The members keep their place in the group. A pause outlives\n\
    rebalances and reloads, and ends with the daemon.";

pub const RESUME_EXAMPLES: &str = "Examples:\n  \
    deliveryd resume group-1                             what is paused, and what is stuck\n  \
    deliveryd resume group-1 Delivery:1 --dead-letter-one\n\n\
    What is stuck is tried again. With --dead-letter-one the message that a partition is stuck at\n\
    goes to the group's dead-letter topic, and the partition goes on behind it.";

/// What `resume` takes.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    part: PartArgs,
    /// Give up the message that the partition is stuck at
    #[arg(long, conflicts_with = "producer", requires = "part")]
    dead_letter_one: bool,
}

/// Has something start nothing more.
///
/// # Errors
/// What the writers say.
pub fn pause(part: PartArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let target = part.target();
    remote::asked(
        wanted,
        |client: &Client| client.pause(&target),
        |steered, output| show(&steered, output),
        output,
    )
}

/// Has what is paused or stuck go on.
///
/// # Errors
/// What the writers say.
pub fn resume(args: ResumeArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let order = Resume {
        target: args.part.target(),
        dead_letter_one: args.dead_letter_one,
    };
    remote::asked(
        wanted,
        |client: &Client| client.resume(&order),
        |steered, output| show(&steered, output),
        output,
    )
}

fn show(steered: &Steered, output: &mut Output<'_>) -> io::Result<Exit> {
    writeln!(output.out, "{}", steered.done)?;
    let rows: Vec<Vec<String>> = steered.partitions.iter().map(row).collect();
    for line in table(&rows, &[]) {
        writeln!(output.out, "  {}", line.trim_end())?;
    }
    for partition in &steered.elsewhere {
        writeln!(
            output.out,
            "  {}: nothing was done there",
            elsewhere(partition)
        )?;
    }
    for note in &steered.notes {
        writeln!(output.out, "  {note}")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::run;
    use crate::control::protocol::{Elsewhere, Held};

    /// What was done, to which partitions, and whom to ask for the others.
    #[test]
    fn what_was_done_and_what_not_is_told() {
        let held = |partition, member: &str, paused, stuck: Option<&str>| Held {
            topic: "Delivery".to_owned(),
            partition,
            member: member.to_owned(),
            paused,
            stuck: stuck.map(str::to_owned),
        };
        let steered = Steered {
            done: "orders goes on here".to_owned(),
            partitions: vec![
                held(0, "orders-1", false, None),
                held(10, "orders-2", false, Some("no such topic")),
            ],
            elsewhere: vec![Elsewhere {
                topic: "Delivery".to_owned(),
                partition: 3,
                owner: Some("host-b-orders-1 (10.0.0.5)".to_owned()),
            }],
            notes: vec!["orders-3 is in a call, and follows when that is over".to_owned()],
        };
        let (out, err, exit) = run(|output| show(&steered, output));
        let expected = "\
orders goes on here
  Delivery/0    orders-1   goes on
  Delivery/10   orders-2   stuck: no such topic
  Delivery/3 is held by host-b-orders-1 (10.0.0.5): nothing was done there
  orders-3 is in a call, and follows when that is over
";
        assert_eq!(
            (out.as_str(), err.as_str(), exit),
            (expected, "", Exit::Done)
        );
    }
}
