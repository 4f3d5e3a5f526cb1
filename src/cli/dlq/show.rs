//! `deliveryd dlq show`: dead letters one by one, with their reason and where they came from.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::args::ShowArgs;
use super::{Desk, Trouble, run, told, written};
use crate::cli::{Exit, Output};
use crate::control::Wanted;
use crate::delivery::Provenance;
use crate::dlq::{Letter, Next, Place};
use crate::observe::logs::escaped;

/// What is to be printed, and what is said about it.
struct Found {
    /// By time.
    letters: Vec<Letter>,
    /// How many there are with those that are not shown.
    all: u64,
    /// Places where there is no letter.
    nowhere: Vec<Place>,
}

/// Reads the dead-letter topics, and prints the letters that are meant.
///
/// # Errors
/// What the writers say.
pub(super) fn show(args: &ShowArgs, daemon: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let found = match found(args, daemon) {
        Ok(found) => found,
        Err(trouble) => return told(trouble, "nothing was read", output),
    };
    for letter in &found.letters {
        match args.json {
            true => writeln!(output.out, "{}", as_json(letter, args.values))?,
            false => writeln!(output.out, "{}", as_text(letter, args.values))?,
        }
    }
    for place in &found.nowhere {
        writeln!(output.err, "error: there is no dead letter at {place}")?;
    }
    let shown = found.letters.len() as u64;
    if shown < found.all {
        let all = found.all;
        writeln!(
            output.err,
            "the last {shown} of {all}; --last {all} shows all"
        )?;
    } else if shown == 0 && found.nowhere.is_empty() {
        writeln!(output.err, "no dead letters")?;
    }
    match found.nowhere.is_empty() {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}

fn found(args: &ShowArgs, daemon: &Wanted) -> Result<Found, Trouble> {
    let desk = Desk::open(&args.which, &args.places, daemon)?;
    run(async {
        let mut letters = desk.letters().await?;
        let mut newest = BTreeMap::new();
        let mut all = 0;
        let mut nowhere = args.places.clone();
        loop {
            match letters.next_letter()? {
                Next::End => break,
                Next::Nothing => {}
                Next::Letter(letter) => {
                    nowhere.retain(|place| *place != letter.place);
                    if desk.filter.takes(&letter) {
                        all += 1;
                        newest.insert((letter.time(), letter.place.clone()), *letter);
                        if newest.len() > args.last {
                            newest.pop_first();
                        }
                    }
                }
            }
        }
        Ok(Found {
            letters: newest.into_values().collect(),
            all,
            nowhere,
        })
    })
}

fn as_text(letter: &Letter, values: bool) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, text: &str| {
        let mut safe = String::new();
        escaped(&mut safe, text);
        lines.push(format!("  {name:<8}  {safe}"));
    };
    match &letter.provenance {
        Ok(own) => own_lines(own, &mut line),
        Err(why) => line("foreign", &format!("not written by deliveryd: {why}")),
    }
    let record = &letter.record;
    line("key", &record.key().map_or("none".to_owned(), quoted));
    let headers: Vec<_> = record.headers().collect();
    match values {
        true => {
            for (name, value) in headers {
                let value = value.map_or("null".to_owned(), quoted);
                line("header", &format!("{name} = {value}"));
            }
            line("value", &record.value().map_or("null".to_owned(), text));
        }
        false => {
            let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
            let names = names
                .into_iter()
                .filter(|name| !name.starts_with("deliveryd-"));
            let names = names.collect::<Vec<_>>().join(", ");
            if !names.is_empty() {
                line("headers", &names);
            }
            let size = record.value().map(<[u8]>::len);
            let size = size.map_or("null".to_owned(), |size| {
                format!("{size} bytes; --values shows them")
            });
            line("value", &size);
        }
    }
    let group = letter
        .provenance
        .as_ref()
        .ok()
        .map(|own| format!("   group {}", own.group));
    let time = letter.time().map(|time| format!("   {}", written(time)));
    let replayed = if letter.replayed { "   replayed" } else { "" };
    format!(
        "{}{}{}{replayed}\n{}\n",
        letter.place,
        group.unwrap_or_default(),
        time.unwrap_or_default(),
        lines.join("\n")
    )
}

fn own_lines(own: &Provenance, line: &mut impl FnMut(&str, &str)) {
    line("reason", &own.reason);
    if let Some(position) = &own.position {
        line("at", position);
    }
    let time = own.timestamp.map(|time| format!(", of {}", written(time)));
    line(
        "from",
        &format!(
            "{}/{}@{}{}",
            own.topic,
            own.partition,
            own.offset,
            time.unwrap_or_default()
        ),
    );
    let attempts = match own.attempts {
        Some(1) => ", 1 attempt".to_owned(),
        Some(many) => format!(", {many} attempts"),
        None => String::new(),
    };
    let since = own
        .first_failure
        .map(|time| format!(" since {}", written(time)));
    line(
        "handler",
        &format!(
            "version {}{attempts}{}",
            own.handler,
            since.unwrap_or_default()
        ),
    );
}

/// A text in quotation marks, or how many bytes it is not one of.
fn quoted(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{text}\""),
        Err(_) => text(bytes),
    }
}

/// A text, or in base 64 what is none.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!(
            "{} bytes that are no text: {}",
            bytes.len(),
            BASE64.encode(bytes)
        ),
    }
}

/// A text, or an object with what is none in base 64.
fn json_of(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
        None => Value::Null,
        Some((Ok(text), _)) => text.into(),
        Some((Err(_), bytes)) => json!({"base64": BASE64.encode(bytes)}),
    }
}

fn as_json(letter: &Letter, values: bool) -> Value {
    let record = &letter.record;
    let mut object = json!({
        "at": letter.place.to_string(),
        "time": letter.time(),
        "replayed": letter.replayed,
        "key": json_of(record.key()),
    });
    match &letter.provenance {
        Ok(own) => {
            object["group"] = own.group.clone().into();
            object["reason"] = own.reason.clone().into();
            object["position"] = own.position.clone().into();
            object["handler"] = own.handler.clone().into();
            object["attempts"] = own.attempts.into();
            object["first_failure"] = own.first_failure.into();
            object["last_failure"] = own.last_failure.into();
            object["origin"] = json!({
                "topic": own.topic,
                "partition": own.partition,
                "offset": own.offset,
                "timestamp": own.timestamp,
            });
        }
        Err(why) => object["foreign"] = why.clone().into(),
    }
    if values {
        let headers = record.headers();
        let headers = headers.map(|(name, value)| json!([name, json_of(value)]));
        object["headers"] = headers.collect();
        object["value"] = json_of(record.value());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Record, provenance};

    fn letter() -> Letter {
        let mut record = Record::default();
        record.set_key(Some(b"k-1"));
        record.set_value(Some(b"{\"id\":1}"));
        record.add_header("trace", Some(b"t\x1b[2J"));
        for (name, value) in [
            (provenance::TOPIC, "orders"),
            (provenance::PARTITION, "1"),
            (provenance::OFFSET, "4711"),
            (provenance::GROUP, "billing"),
            (provenance::HANDLER, "0123456789ab"),
            (provenance::REASON, "`weight_kg` is missing"),
            (provenance::POSITION, "handlers/enrich.rhai:14:20"),
            (provenance::ATTEMPTS, "4"),
            (provenance::FIRST_FAILURE, "1800000000000"),
            (provenance::LAST_FAILURE, "1800000001000"),
            (provenance::TIMESTAMP, "1799999999000"),
        ] {
            record.add_header(name, Some(value.as_bytes()));
        }
        Letter {
            place: "orders.dead/0@17".parse().unwrap(),
            provenance: Provenance::of(&record),
            record,
            replayed: true,
        }
    }

    /// Everything that tells what happened, and nothing of what the message holds.
    #[test]
    fn a_letter_is_shown_without_its_value() {
        let expected = "\
orders.dead/0@17   group billing   2027-01-15T08:00:01Z   replayed
  reason    `weight_kg` is missing
  at        handlers/enrich.rhai:14:20
  from      orders/1@4711, of 2027-01-15T07:59:59Z
  handler   version 0123456789ab, 4 attempts since 2027-01-15T08:00:00Z
  key       \"k-1\"
  headers   trace
  value     8 bytes; --values shows them
";
        assert_eq!(as_text(&letter(), false), expected);
        let json = as_json(&letter(), false);
        assert_eq!(json["origin"]["offset"], 4711);
        assert_eq!((json.get("value"), json.get("headers")), (None, None));
    }

    /// Values come on request, and can not draw on the terminal.
    #[test]
    fn values_are_shown_on_request() {
        let text = as_text(&letter(), true);
        assert!(text.contains("value     {\"id\":1}"), "{text}");
        assert!(text.contains("trace = \"t\\u{1b}[2J\""), "{text}");
        assert_eq!(as_json(&letter(), true)["value"], "{\"id\":1}");
    }

    /// What another tool wrote is shown as such, and what is no text in base 64.
    #[test]
    fn foreign_letters_are_shown_too() {
        let mut record = Record::default();
        record.set_value(Some(b"\xff"));
        let letter = Letter {
            provenance: Provenance::of(&record),
            record,
            replayed: false,
            ..letter()
        };
        let text = as_text(&letter, true);
        assert!(text.contains("not written by deliveryd: it has no header deliveryd-topic"));
        assert!(text.contains("1 bytes that are no text: /w=="), "{text}");
        assert_eq!(as_json(&letter, true)["value"]["base64"], "/w==");
    }
}
