//! `deliveryd read`: the last messages of a topic, and what comes. No group sees it.

use std::io;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::{cluster, partition, topic};
use super::{Exit, Output};
use crate::control::Wanted;
use crate::delivery::Record;
use crate::kafka::TopicReader;
use crate::observe::escaped;

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd read Delivery                    the last ten messages\n  \
    deliveryd read Delivery --last 0 --follow  what comes from now on\n  \
    deliveryd read Delivery --last 1000 --json | jq .value\n\n\
    It joins no group and commits nothing. With --config it needs no running daemon; on the embedded\n\
    broker the daemon has to run.";

/// What `read` takes.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    topic: String,
    /// So many of the newest messages
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    /// Go on with what comes, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Only this partition
    #[arg(long)]
    partition: Option<i32>,
    /// One object a line
    #[arg(long)]
    json: bool,
}

/// One wait for messages.
const WAIT: Duration = Duration::from_secs(1);

/// Reads and prints.
///
/// # Errors
/// What the writers say.
pub fn read(args: &ReadArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let cluster = match cluster(wanted, "read") {
        Ok(cluster) => cluster,
        Err(why) => return why.show("nothing was read", output),
    };
    let reader = topic(&cluster, &args.topic)
        .and_then(|found| partition(&args.topic, &found, args.partition))
        .and_then(|()| {
            TopicReader::open(
                &cluster,
                &args.topic,
                args.partition,
                args.last,
                args.follow,
            )
            .map_err(|error| error.message)
        });
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(why) => return failed(&why, output),
    };
    match reader.last() {
        Ok(records) => {
            for record in &records {
                show(record, args.json, output)?;
            }
        }
        Err(error) => return failed(&error.message, output),
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    loop {
        match reader.next(WAIT) {
            Ok(Some(record)) => show(&record, args.json, output)?,
            Ok(None) => output.out.flush()?,
            Err(error) => return failed(&error.message, output),
        }
    }
}

fn failed(why: &str, output: &mut Output<'_>) -> io::Result<Exit> {
    writeln!(output.err, "error: {why}")?;
    Ok(Exit::Failed)
}

fn show(record: &Record, json: bool, output: &mut Output<'_>) -> io::Result<()> {
    match json {
        true => writeln!(output.out, "{}", object(record)),
        false => writeln!(output.out, "{}", line(record)),
    }
}

fn line(record: &Record) -> String {
    let time = record
        .timestamp
        .and_then(|time| Timestamp::from_millisecond(time).ok())
        .map_or("no time".to_owned(), |time| {
            time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        });
    let mut line = format!(
        "{}/{}@{}  {time}  ",
        record.topic, record.partition, record.offset
    );
    add(&mut line, record.key());
    line.push_str("  ");
    add(&mut line, record.value());
    for (name, value) in record.headers() {
        line.push_str("  ");
        escaped(&mut line, name);
        line.push('=');
        add(&mut line, value);
    }
    line
}

/// Text as it stands, made harmless for a terminal; of other bytes only how many.
fn add(line: &mut String, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| (bytes.len(), std::str::from_utf8(bytes))) {
        None => line.push_str("null"),
        Some((_, Ok(text))) => escaped(line, text),
        Some((length, Err(_))) => line.push_str(&format!("({length} bytes)")),
    }
}

fn object(record: &Record) -> Value {
    let headers: Vec<Value> = record
        .headers()
        .map(|(name, value)| json!([name, bytes(value)]))
        .collect();
    json!({
        "topic": &*record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": bytes(record.key()),
        "value": bytes(record.value()),
        "headers": headers,
    })
}

/// A string, `null`, or an object with the bytes in base64.
fn bytes(bytes: Option<&[u8]>) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => Value::Null,
        Some(Ok(text)) => Value::from(text),
        Some(Err(bytes)) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::default();
        record.topic = "Delivery".into();
        record.partition = 1;
        record.offset = 42;
        record.timestamp = Some(1_769_846_400_123);
        record.set_key(Some(b"k1"));
        record.set_value(Some("{\"a\": \"ü\u{1b}[31m\"}".as_bytes()));
        record.add_header("source", Some(b"web"));
        record.add_header("raw", Some(b"\xff\xfe"));
        record.add_header("none", None);
        record
    }

    /// One line for people, in which nothing acts on the terminal.
    #[test]
    fn a_message_is_a_line() {
        let expected = "Delivery/1@42  2026-01-31T08:00:00.123Z  k1  \
                        {\"a\": \"ü\\u{1b}[31m\"}  source=web  raw=(2 bytes)  none=null";
        assert_eq!(line(&record()), expected);
    }

    /// One object for scripts, in which nothing is lost.
    #[test]
    fn a_message_is_an_object() {
        let expected = json!({
            "topic": "Delivery", "partition": 1, "offset": 42, "timestamp": 1_769_846_400_123_i64,
            "key": "k1", "value": "{\"a\": \"ü\u{1b}[31m\"}",
            "headers": [["source", "web"], ["raw", { "base64": "//4=" }], ["none", null]],
        });
        assert_eq!(object(&record()), expected);
    }
}
