//! `deliveryd dlq list`: how many dead letters there are, of what kind.

use std::io;

use serde_json::{Value, json};

use super::args::Which;
use super::{Desk, Trouble, run, told, written};
use crate::cli::table::table;
use crate::cli::{Exit, Output};
use crate::control::Wanted;
use crate::dlq::counts::{Count, OfGroup, OfTopic};
use crate::dlq::{Counts, Next};
use crate::observe::logs::escaped;

/// Reasons shown of one group; JSON has more.
const MOST: usize = 20;
/// So much of a reason is shown.
const WIDEST: usize = 100;

/// Reads the dead-letter topics, and prints what is in them.
///
/// # Errors
/// What the writers say.
pub(super) fn list(
    which: &Which,
    json: bool,
    daemon: &Wanted,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let (counts, missing) = match counted(which, daemon) {
        Ok(counted) => counted,
        Err(trouble) => return told(trouble, "nothing was read", output),
    };
    if json {
        let text = serde_json::to_string_pretty(&as_json(&counts, &missing));
        writeln!(output.out, "{}", text.map_err(io::Error::other)?)?;
    } else {
        output
            .out
            .write_all(as_text(&counts, &missing).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn counted(which: &Which, daemon: &Wanted) -> Result<(Counts, Vec<String>), Trouble> {
    let desk = Desk::open(which, &[], daemon)?;
    run(async {
        let mut letters = desk.letters().await?;
        let missing = letters.missing().to_vec();
        let there = desk.topics.iter().filter(|topic| !missing.contains(topic));
        let mut counts = Counts::of(there.cloned());
        loop {
            match letters.next_letter()? {
                Next::Letter(letter) if desk.filter.takes(&letter) => counts.add(&letter),
                Next::Letter(_) | Next::Nothing => {}
                Next::End => return Ok((counts, missing)),
            }
        }
    })
}

fn as_text(counts: &Counts, missing: &[String]) -> String {
    let mut lines = Vec::new();
    for (name, topic) in counts.topics() {
        if topic.groups.is_empty() && topic.foreign.count == 0 {
            lines.extend([format!("{name}   no dead letters"), String::new()]);
        }
        for (group, of) in &topic.groups {
            lines.push(format!("{name}   group {group}   {}", sum(of.count)));
            lines.extend(group_lines(of));
            lines.push(String::new());
        }
        lines.extend(foreign_lines(name, topic));
    }
    for name in missing {
        lines.extend([
            format!("{name}   no dead letters: there is no such topic"),
            String::new(),
        ]);
    }
    lines.pop();
    lines
        .iter()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn sum(count: Count) -> String {
    format!("{} open, {} replayed", count.open, count.replayed)
}

fn group_lines(group: &OfGroup) -> Vec<String> {
    let row = |cells: [String; 6]| cells.to_vec();
    let heads = ["  open", "replayed", "first", "last", "handler", "reason"];
    let mut rows = vec![row(heads.map(str::to_owned))];
    let kinds = group.kinds();
    let time = |time: Option<i64>| time.map_or("?".to_owned(), written);
    rows.extend(kinds.iter().take(MOST).map(|kind| {
        row([
            format!("  {}", kind.count.open),
            kind.count.replayed.to_string(),
            time(kind.first),
            time(kind.last),
            short(&kind.handler, 12),
            short(&kind.reason, WIDEST),
        ])
    }));
    let mut lines = table(&rows, &[0, 1]);
    if kinds.len() > MOST {
        let more = &kinds[MOST..];
        let letters: u64 = more
            .iter()
            .map(|kind| kind.count.open + kind.count.replayed)
            .sum();
        lines.push(format!(
            "  and {letters} more for {} other reasons; --json has them",
            more.len()
        ));
    }
    let times = group.times();
    if times.len() > 1 {
        lines.push(String::new());
        let long = times.first().map_or(0, |time| time.seconds.unsigned_abs());
        let long = humantime::format_duration(std::time::Duration::from_secs(long)).to_string();
        let row = |cells: [String; 3]| cells.to_vec();
        let mut rows = vec![row([
            "  open".into(),
            "replayed".into(),
            format!("within {long} from"),
        ])];
        rows.extend(times.iter().map(|time| {
            let Count { open, replayed } = time.count;
            row([
                format!("  {open}"),
                replayed.to_string(),
                written(time.from),
            ])
        }));
        lines.extend(table(&rows, &[0, 1]));
    }
    lines
}

fn foreign_lines(name: &str, topic: &OfTopic) -> Vec<String> {
    let foreign = &topic.foreign;
    if foreign.count == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "{name}   {} not written by deliveryd; they stay",
        foreign.count
    )];
    let named = foreign.letters.iter();
    lines.extend(named.map(|letter| format!("  {}   {}", letter.at, short(&letter.why, WIDEST))));
    let more = foreign.count - foreign.letters.len() as u64;
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.push(String::new());
    lines
}

/// On one line, without what could move the cursor, and not too long.
fn short(text: &str, most: usize) -> String {
    let mut line = String::new();
    escaped(&mut line, text);
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn as_json(counts: &Counts, missing: &[String]) -> Value {
    let group = |of: &OfGroup| {
        json!({
            "open": of.count.open,
            "replayed": of.count.replayed,
            "kinds": of.kinds(),
            "times": of.times(),
        })
    };
    let topics = counts.topics().iter().map(|(name, topic)| {
        let groups = topic
            .groups
            .iter()
            .map(|(name, of)| (name.clone(), group(of)));
        let groups: serde_json::Map<String, Value> = groups.collect();
        let found = json!({"exists": true, "groups": groups, "foreign": topic.foreign});
        (name.clone(), found)
    });
    let none = missing
        .iter()
        .map(|name| (name.clone(), json!({"exists": false})));
    let topics: serde_json::Map<String, Value> = topics.chain(none).collect();
    json!({ "topics": topics })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Provenance, Record};
    use crate::dlq::{Letter, Place};

    fn letter(offset: i64, reason: &str, replayed: bool) -> Letter {
        let time = 1_800_000_000_000 + offset * 3_600_000;
        Letter {
            place: Place {
                topic: "orders.dead".to_owned(),
                partition: 0,
                offset,
            },
            record: Record::default(),
            provenance: Ok(Provenance {
                topic: "orders".to_owned(),
                partition: 0,
                offset,
                timestamp: None,
                group: "billing".to_owned(),
                handler: "0123456789ab".to_owned(),
                reason: reason.to_owned(),
                position: None,
                attempts: Some(4),
                first_failure: None,
                last_failure: Some(time),
            }),
            replayed,
        }
    }

    fn sample() -> Counts {
        let mut counts = Counts::of(["empty.dead".to_owned()]);
        counts.add(&letter(0, "`weight_kg` is missing", true));
        counts.add(&letter(1, "`weight_kg` is missing", false));
        counts.add(&letter(1, "two\nlines", false));
        counts.add(&Letter {
            provenance: Err("it has no header deliveryd-topic".to_owned()),
            ..letter(7, "", false)
        });
        counts
    }

    /// At a glance: how many are open, since when, why; and what is not ours.
    #[test]
    fn the_list_is_a_page_of_text() {
        let expected = "\
empty.dead   no dead letters

orders.dead   group billing   2 open, 1 replayed
  open   replayed   first                  last                   handler        reason
     1          1   2027-01-15T08:00:00Z   2027-01-15T09:00:00Z   0123456789ab   `weight_kg` is missing
     1          0   2027-01-15T09:00:00Z   2027-01-15T09:00:00Z   0123456789ab   two\\nlines

  open   replayed   within 1m from
     0          1   2027-01-15T08:00:00Z
     2          0   2027-01-15T09:00:00Z

orders.dead   1 not written by deliveryd; they stay
  orders.dead/0@7   it has no header deliveryd-topic

other.dead   no dead letters: there is no such topic
";
        assert_eq!(as_text(&sample(), &["other.dead".to_owned()]), expected);
    }

    /// Scripts find every count by its name.
    #[test]
    fn the_list_is_json_for_scripts() {
        let json = as_json(&sample(), &["other.dead".to_owned()]);
        let billing = &json["topics"]["orders.dead"]["groups"]["billing"];
        assert_eq!(
            (&billing["open"], &billing["replayed"]),
            (&json!(2), &json!(1))
        );
        assert_eq!(billing["kinds"][0]["reason"], "`weight_kg` is missing");
        assert_eq!(billing["times"][0]["replayed"], 1);
        assert_eq!(json["topics"]["orders.dead"]["foreign"]["count"], 1);
        assert_eq!(json["topics"]["other.dead"]["exists"], false);
    }
}
