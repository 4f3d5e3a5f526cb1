//! `deliveryd seek`: shows what would move, asks, and moves a group's offsets.

use std::io::{self, BufRead, IsTerminal};
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use super::part::{Part, elsewhere, target};
use super::table::{row, table};
use super::{Exit, Output, remote};
use crate::control::protocol::{Kind, Move, Place, Seek, SeekMove, SeekPlan, SeekTo, Sought};
use crate::control::{Client, ClientError, Wanted};
use crate::observe::now;

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd seek group-1 --to earliest                   all its topics, from the beginning\n  \
    deliveryd seek group-1 Delivery:1 --to 4711            one partition, to an offset\n  \
    deliveryd seek group-1 Delivery --to -1h               what was written in the last hour again\n  \
    deliveryd seek group-1 --to 2026-01-31T08:00:00Z --yes\n\n\
    First it shows what would move and asks; --dry-run only shows, --yes does not ask. It moves the\n\
    partitions that this daemon holds, while it runs: what the handler has returned from is finished\n\
    first; what waits for a retry, and what is stuck, is given up.";

/// What `seek` takes.
#[derive(Debug, Clone, Args)]
pub struct SeekArgs {
    /// The group
    group: String,
    /// One topic of it, or one partition
    #[arg(value_name = "TOPIC[:PARTITION]")]
    part: Option<Part>,
    /// Where to go on: earliest, latest, an offset, a time such as 2026-01-31T08:00:00Z, or -1h
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    to: To,
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only say what would move
    #[arg(long)]
    dry_run: bool,
}

/// A place, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct To(Place);

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = match text {
            "earliest" => Place::Earliest,
            "latest" => Place::Latest,
            _ => place(text).ok_or_else(|| {
                "expected earliest, latest, an offset, a time such as 2026-01-31T08:00:00Z, \
                 or a while ago such as -1h"
                    .to_owned()
            })?,
        };
        Ok(Self(place))
    }
}

fn place(text: &str) -> Option<Place> {
    if let Ok(offset) = text.parse::<i64>() {
        return (offset >= 0).then_some(Place::Offset(offset));
    }
    if let Some(ago) = text.strip_prefix('-') {
        let ago = humantime::parse_duration(ago).ok()?;
        let time = now().checked_sub(ago).ok()?;
        return Some(Place::Time(time.as_millisecond()));
    }
    let time = text.parse::<Timestamp>().ok()?;
    Some(Place::Time(time.as_millisecond()))
}

/// Asks the daemon what would move, the user whether to, and the daemon to do it.
///
/// # Errors
/// What the writers say.
pub fn seek(args: SeekArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let to = args.to.0;
    let order = SeekTo {
        target: target(args.group.clone(), Some(Kind::Group), args.part),
        to,
    };
    let found = Client::find(wanted);
    let plan = found.and_then(|client| Ok((client.plan_seek(&order)?, client)));
    let (plan, client) = match plan {
        Ok(plan) => plan,
        Err(error) => return remote::failed(&error, output),
    };
    show_plan(&args.group, to, &plan, output)?;
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if !args.yes && !confirmed(output)? {
        writeln!(output.err, "nothing was moved")?;
        return Ok(Exit::Failed);
    }
    show_result(
        &args.group,
        client.seek(&moves(args.group.clone(), &plan)),
        output,
    )
}

/// What was shown is what is done, wherever the end of a topic is by then.
fn moves(group: String, plan: &SeekPlan) -> Seek {
    let moves = plan.moves.iter().map(|each| SeekMove {
        topic: each.topic.clone(),
        partition: each.partition,
        to: each.to,
    });
    Seek {
        group,
        moves: moves.collect(),
    }
}

fn show_plan(group: &str, to: Place, plan: &SeekPlan, output: &mut Output<'_>) -> io::Result<()> {
    writeln!(output.out, "{group} would go to {to}:")?;
    let rows: Vec<Vec<String>> = plan.moves.iter().map(move_row).collect();
    for line in table(&rows, &[2, 4]) {
        writeln!(output.out, "  {}", line.trim_end())?;
    }
    for partition in &plan.elsewhere {
        writeln!(output.out, "  {}: it stays as it is", elsewhere(partition))?;
    }
    for note in &plan.notes {
        writeln!(output.out, "  {note}")?;
    }
    Ok(())
}

fn move_row(each: &Move) -> Vec<String> {
    let from = each.from.map_or("none".to_owned(), |from| from.to_string());
    let what = match each.from.map(|from| each.to - from) {
        None => String::new(),
        Some(0) => "as it is".to_owned(),
        Some(ahead @ 1..) => format!("{ahead} passed over"),
        Some(back) => format!("{} again", -back),
    };
    let unfinished = match each.unfinished {
        0 => String::new(),
        n => format!("{n} in flight or waiting"),
    };
    row([
        &format!("{}/{}", each.topic, each.partition),
        &each.member,
        &from,
        "→",
        &each.to.to_string(),
        &what,
        &unfinished,
    ])
}

/// Asks whoever sits at the terminal; where nobody does, that is a no.
fn confirmed(output: &mut Output<'_>) -> io::Result<bool> {
    let input = io::stdin();
    if !input.is_terminal() {
        writeln!(output.err, "say --yes to do it")?;
        return Ok(false);
    }
    write!(output.err, "move them? [y/N] ")?;
    output.err.flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn show_result(
    group: &str,
    result: Result<Sought, ClientError>,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let sought = match result {
        Ok(sought) => sought,
        Err(error) => return remote::failed(&error, output),
    };
    let mut exit = Exit::Done;
    for each in &sought.partitions {
        let name = format!("{}/{}", each.topic, each.partition);
        match (&each.error, each.given_up) {
            (Some(why), _) => {
                exit = Exit::Failed;
                writeln!(output.err, "error: {name} is not moved: {why}")?;
            }
            (None, 0) => writeln!(output.out, "{group} goes on at {name}@{}", each.to)?,
            (None, given_up) => writeln!(
                output.out,
                "{group} goes on at {name}@{}; {given_up} that waited were given up",
                each.to
            )?,
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::run;
    use crate::control::protocol::{Elsewhere, SoughtPartition};

    /// All ways to say where.
    #[test]
    fn places_are_read() {
        let read = |text: &str| text.parse::<To>().map(|to| to.0);
        assert_eq!(read("earliest"), Ok(Place::Earliest));
        assert_eq!(read("latest"), Ok(Place::Latest));
        assert_eq!(read("4711"), Ok(Place::Offset(4711)));
        let time = Place::Time(1_769_846_400_000);
        assert_eq!(read("2026-01-31T08:00:00Z"), Ok(time));
        assert_eq!(read("2026-01-31T09:00:00+01:00"), Ok(time));
        let before = now().as_millisecond() - 3_600_000;
        let Ok(Place::Time(ago)) = read("-1h") else {
            panic!("an hour ago");
        };
        assert!((before..before + 60_000).contains(&ago), "{ago} {before}");
        for wrong in ["-5", "soon", "1h", "2026-01-31", "-", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// What would move where, with how many messages that means.
    #[test]
    fn a_plan_says_what_it_means() {
        let each = |partition, from, to, unfinished| Move {
            topic: "Delivery".to_owned(),
            partition,
            member: "orders-1".to_owned(),
            from,
            to,
            unfinished,
        };
        let plan = SeekPlan {
            moves: vec![
                each(0, Some(120), 0, 2),
                each(1, Some(7), 9, 0),
                each(2, Some(5), 5, 0),
                each(10, None, 0, 0),
            ],
            elsewhere: vec![Elsewhere {
                topic: "Delivery".to_owned(),
                partition: 3,
                owner: None,
            }],
            notes: Vec::new(),
        };
        let (out, _, _) = run(|output| {
            show_plan("orders", Place::Earliest, &plan, output)?;
            Ok(Exit::Done)
        });
        let expected = "\
orders would go to earliest:
  Delivery/0    orders-1    120   →   0   120 again       2 in flight or waiting
  Delivery/1    orders-1      7   →   9   2 passed over
  Delivery/2    orders-1      5   →   5   as it is
  Delivery/10   orders-1   none   →   0
  Delivery/3 is held by nobody that is known: it stays as it is
";
        assert_eq!(out, expected);
    }

    /// One partition that could not be moved makes it a failure, and the others are told.
    #[test]
    fn a_failed_move_is_a_failure() {
        let each = |partition, error: Option<&str>| SoughtPartition {
            topic: "Delivery".to_owned(),
            partition,
            to: 5,
            given_up: 0,
            error: error.map(str::to_owned),
        };
        let partitions = vec![each(0, None), each(1, Some("it is not held here"))];
        let result = Ok(Sought { partitions });
        let (out, err, exit) = run(|output| show_result("orders", result, output));
        assert_eq!(out, "orders goes on at Delivery/0@5\n");
        assert_eq!(err, "error: Delivery/1 is not moved: it is not held here\n");
        assert_eq!(exit, Exit::Failed);
    }
}
