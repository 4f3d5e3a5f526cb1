//! `deliveryd produce`: sends messages, from the command line or one a line from standard input.

use std::io::{self, BufRead, IsTerminal};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;

use super::cluster::{cluster, partition, topic};
use super::{Exit, Output};
use crate::control::Wanted;
use crate::kafka::{Cluster, DeliveryReports, Outgoing, SendError, Sender};

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd produce Delivery '{\"id\": 1}' --key k1\n  \
    generate | deliveryd produce Delivery --key-separator :      lines of KEY:VALUE\n  \
    deliveryd produce Delivery --key k1 --tombstone\n\n\
    Without VALUE, or with -, each line of standard input is a message. With --config it needs no\n\
    running daemon; on the embedded broker the daemon has to run. Keys go to the partition where\n\
    Java's client puts them.";

/// What `produce` takes.
#[derive(Debug, Clone, Args)]
pub struct ProduceArgs {
    topic: String,
    /// The message; `-` or none: one message a line from standard input
    value: Option<String>,
    /// The key of each message
    #[arg(long, conflicts_with = "key_separator")]
    key: Option<String>,
    /// A header of each message; may be given several times
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Header>,
    /// The partition; else the key decides
    #[arg(long)]
    partition: Option<i32>,
    /// Each message begins with its key, up to this text
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A message without a value, which deletes its key in a compacted topic
    #[arg(long, conflicts_with_all = ["value", "key_separator"])]
    tombstone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

/// Everything is acknowledged within this time, or it is a failure.
const FLUSH: Duration = Duration::from_secs(60);
/// One wait for room in the producer's queue.
const ROOM: Duration = Duration::from_secs(1);

/// Sends, waits until the broker has everything, and says how much.
///
/// # Errors
/// What the writers say, and the reader.
pub fn produce(args: &ProduceArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let cluster = match cluster(wanted, "produce") {
        Ok(cluster) => cluster,
        Err(why) => return why.show("nothing was sent", output),
    };
    let sending = topic(&cluster, &args.topic)
        .and_then(|found| partition(&args.topic, &found, args.partition))
        .and_then(|()| Sending::new(&cluster, args));
    let mut sending = match sending {
        Ok(sending) => sending,
        Err(why) => return failed(&why, output),
    };
    let sent = match &args.value {
        _ if args.tombstone => sending.send(args.key.as_deref().map(str::as_bytes), None),
        Some(value) if value != "-" => sending.send_one(value.as_bytes()),
        _ => sending.send_lines(output)?,
    };
    let result = sent.and(sending.finish());
    let count = sending.counts.acknowledged.load(Ordering::Relaxed);
    let messages = if count == 1 { "message" } else { "messages" };
    writeln!(output.out, "{count} {messages} written to {}", args.topic)?;
    match result {
        Ok(()) => Ok(Exit::Done),
        Err(why) => failed(&why, output),
    }
}

fn failed(why: &str, output: &mut Output<'_>) -> io::Result<Exit> {
    writeln!(output.err, "error: {why}")?;
    Ok(Exit::Failed)
}

#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    /// Why the first one was refused.
    why: OnceLock<String>,
}

struct Sending<'a> {
    args: &'a ProduceArgs,
    sender: Sender,
    reports: Arc<DeliveryReports>,
    counts: Arc<Counts>,
}

impl<'a> Sending<'a> {
    fn new(cluster: &Cluster, args: &'a ProduceArgs) -> Result<Self, String> {
        let sender = Sender::new(cluster, &cluster.properties, &cluster.instance);
        let counts = Arc::new(Counts::default());
        let told = counts.clone();
        let reports = DeliveryReports::new(move |error| match error {
            None => drop(told.acknowledged.fetch_add(1, Ordering::Relaxed)),
            Some(error) => {
                told.refused.fetch_add(1, Ordering::Relaxed);
                told.why.get_or_init(|| error.message);
            }
        });
        Ok(Self {
            args,
            sender: sender.map_err(|error| error.message)?,
            reports,
            counts,
        })
    }

    /// One message a line, until the end.
    fn send_lines(&mut self, output: &mut Output<'_>) -> io::Result<Result<(), String>> {
        let input = io::stdin();
        if input.is_terminal() {
            writeln!(output.err, "one message a line; Ctrl-D ends")?;
        }
        let mut input = input.lock();
        let mut line = Vec::new();
        for number in 1u64.. {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if let Err(why) = self.send_one(&line) {
                return Ok(Err(format!("line {number}: {why}")));
            }
        }
        Ok(Ok(()))
    }

    fn send_one(&mut self, text: &[u8]) -> Result<(), String> {
        match key_and_value(self.args, text) {
            Some((key, value)) => self.send(key, Some(value)),
            None => Err("there is no key separator in it".to_owned()),
        }
    }

    fn send(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        loop {
            let headers = self.args.headers.iter();
            let mut headers =
                headers.map(|header| (header.name.as_str(), Some(header.value.as_bytes())));
            let outgoing = Outgoing {
                topic: &self.args.topic,
                partition: self.args.partition,
                timestamp: None,
                key,
                value,
                headers: &mut headers,
            };
            match self.sender.send(outgoing, &self.reports) {
                Ok(()) => return Ok(()),
                Err(SendError::Refused(error)) => return Err(error.message),
                Err(SendError::Full) => drop(self.sender.wait_for_room(ROOM)),
            }
        }
    }

    /// Waits for the broker's answers.
    fn finish(&mut self) -> Result<(), String> {
        self.sender.flush(FLUSH).map_err(|error| error.message)?;
        match self.counts.refused.load(Ordering::Relaxed) {
            0 => Ok(()),
            refused => {
                let why = self.counts.why.get().map_or("no reason", String::as_str);
                Err(format!("{refused} not written: {why}"))
            }
        }
    }
}

/// `None`: the line has no key, and is to have one.
fn key_and_value<'l>(
    args: &'l ProduceArgs,
    line: &'l [u8],
) -> Option<(Option<&'l [u8]>, &'l [u8])> {
    let Some(separator) = &args.key_separator else {
        return Some((args.key.as_deref().map(str::as_bytes), line));
    };
    let at = memchr::memmem::find(line, separator.as_bytes())?;
    Some((Some(&line[..at]), &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProduceArgs,
    }

    fn args(line: &[&str]) -> ProduceArgs {
        let line = ["produce", "Delivery"].iter().chain(line);
        Line::try_parse_from(line).unwrap().args
    }

    /// The key is the same for all, or before the separator of each line; bytes need not be text.
    #[test]
    fn lines_have_keys() {
        let all = args(&["--key", "k"]);
        let line = key_and_value(&all, b"a:b\xff");
        assert_eq!(line, Some((Some(&b"k"[..]), &b"a:b\xff"[..])));
        let each = args(&["--key-separator", ":"]);
        let line = key_and_value(&each, b"a:b:c");
        assert_eq!(line, Some((Some(&b"a"[..]), &b"b:c"[..])));
        assert_eq!(key_and_value(&each, b"abc"), None);
    }

    /// A header is a name and a value, which may have `=` in it.
    #[test]
    fn headers_are_read() {
        let header = |text: &str| text.parse::<Header>().map(|h| (h.name, h.value));
        let pair = ("a".to_owned(), "b=c".to_owned());
        assert_eq!(header("a=b=c"), Ok(pair));
        assert!(header("a").is_err() && header("=b").is_err());
    }
}
