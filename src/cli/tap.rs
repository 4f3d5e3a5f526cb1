//! `deliveryd tap`: a group's messages as its handlers see them, and what came of each call.

use std::io;

use clap::Args;

use super::{Exit, Output, remote};
use crate::control::protocol::{Content, TAP_RATE, TapWanted, Tapped, TappedMessage};
use crate::control::{Client, Wanted};
use crate::observe::escaped;

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd tap group-1                      sizes and results, at most 20 a second\n  \
    deliveryd tap group-1 --values             with what the messages hold\n  \
    deliveryd tap group-1 --sample 1000        of each member one message in 1000\n\n\
    Members never wait for it: what is too much is left out and counted.";

/// What `tap` takes.
#[derive(Debug, Clone, Args)]
pub struct TapArgs {
    group: String,
    /// Of each member one message in N
    #[arg(long, value_name = "N", default_value_t = 1)]
    sample: u64,
    /// At most so many a second, of all members together
    #[arg(long, value_name = "N", default_value_t = TAP_RATE)]
    rate: u32,
    /// Show keys, values and header values, not only their sizes
    #[arg(long)]
    values: bool,
    /// End after so many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// One object a line
    #[arg(long)]
    json: bool,
}

/// Shows messages until Ctrl-C, the daemon's end or `--count`.
///
/// # Errors
/// What the writers say.
pub fn tap(args: &TapArgs, wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let order = TapWanted {
        group: args.group.clone(),
        sample: args.sample,
        rate: args.rate,
        values: args.values,
    };
    let mut left = args.count;
    let watched = Client::find(wanted).and_then(|client| {
        client.tap(&order, |tapped| {
            show(&tapped, args, output)?;
            if let (Tapped::Message(_), Some(left)) = (&tapped, &mut left) {
                *left = left.saturating_sub(1);
            }
            match left {
                // Not an error: the way to hang up.
                Some(0) => Err(io::ErrorKind::Interrupted.into()),
                _ => Ok(()),
            }
        })
    });
    match watched {
        Ok(Ok(())) => {
            writeln!(output.err, "the daemon has ended it")?;
            Ok(Exit::Done)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(Exit::Done),
        Ok(Err(error)) => Err(error),
        Err(error) => remote::failed(&error, output),
    }
}

fn show(tapped: &Tapped, args: &TapArgs, output: &mut Output<'_>) -> io::Result<()> {
    match tapped {
        Tapped::Message(message) if args.json => {
            let text = serde_json::to_string(message).map_err(io::Error::other)?;
            writeln!(output.out, "{text}")?;
        }
        Tapped::Message(message) => {
            for line in lines(message, args.values) {
                writeln!(output.out, "{line}")?;
            }
        }
        // For people, and no part of what is piped on.
        Tapped::Listening { members } => {
            let (group, members) = (&args.group, numbered(u64::from(*members), "member"));
            let masked = if args.values {
                ""
            } else {
                "; --values shows what they hold"
            };
            writeln!(output.err, "watching {group}, {members}{masked}")?;
        }
        Tapped::LeftOut(count) => writeln!(output.err, "{count} more were left out")?,
    }
    output.out.flush()
}

fn numbered(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn lines(message: &TappedMessage, values: bool) -> Vec<String> {
    let mut first = format!(
        "{}/{}@{}  {}",
        message.topic, message.partition, message.offset, message.member
    );
    if !values {
        first.push_str(&format!(
            "  key {}, value {}",
            size(&message.key),
            size(&message.value)
        ));
    }
    first.push_str(&format!("  {}", message.outcome));
    if message.attempt > 1 {
        first.push_str(&format!(" (attempt {})", message.attempt));
    }
    if let Some(reason) = &message.reason {
        first.push_str(": ");
        escaped(&mut first, reason);
    }
    for (topic, count) in &message.emits {
        first.push_str(&format!("  → {topic} ×{count}"));
    }
    let mut lines = vec![first];
    if values {
        lines.push(named("key", &message.key));
        lines.push(named("value", &message.value));
        for (name, value) in &message.headers {
            lines.push(named(name, value));
        }
    }
    lines
}

fn size(content: &Content) -> String {
    match content.bytes {
        None => "null".to_owned(),
        Some(bytes) => numbered(bytes, "byte"),
    }
}

fn named(name: &str, content: &Content) -> String {
    let mut line = String::from("  ");
    escaped(&mut line, name);
    line.push_str(": ");
    match &content.text {
        Some(text) => escaped(&mut line, text),
        None => line.push_str(&size(content)),
    }
    if content.cut {
        line.push_str(&format!(" … ({} in all)", size(content)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: u64, text: Option<&str>) -> Content {
        Content {
            bytes: Some(bytes),
            text: text.map(str::to_owned),
            ..Content::default()
        }
    }

    fn message() -> TappedMessage {
        TappedMessage {
            member: "orders-1".to_owned(),
            topic: "Delivery".to_owned(),
            partition: 0,
            offset: 42,
            timestamp: None,
            attempt: 1,
            key: content(1, None),
            value: content(20, None),
            headers: Vec::new(),
            outcome: "done".to_owned(),
            reason: None,
            emits: vec![("Out".to_owned(), 2)],
        }
    }

    /// Masked, a message is one line: where it is from, how large it is, what came of it.
    #[test]
    fn a_masked_message_is_one_line() {
        let expected = "Delivery/0@42  orders-1  key 1 byte, value 20 bytes  done  → Out ×2";
        assert_eq!(lines(&message(), false), [expected]);
    }

    /// With values, what it holds is below it, harmless for the terminal.
    #[test]
    fn values_stand_below() {
        let message = TappedMessage {
            attempt: 2,
            key: Content::default(),
            value: Content {
                cut: true,
                ..content(20_000, Some("a\u{1b}b"))
            },
            headers: vec![("raw".to_owned(), content(2, None))],
            outcome: "failed".to_owned(),
            reason: Some("no weight".to_owned()),
            emits: Vec::new(),
            ..message()
        };
        let expected = [
            "Delivery/0@42  orders-1  failed (attempt 2): no weight",
            "  key: null",
            "  value: a\\u{1b}b … (20000 bytes in all)",
            "  raw: 2 bytes",
        ];
        assert_eq!(lines(&message, true), expected);
    }
}
