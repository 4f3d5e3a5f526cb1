//! How a plan reads: each value as the configuration file spells it, each change in one line.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::{
    Brokers, Guarantee, Ordering, OutOfRange, Protocol, Rate, Rotate, Start, Then, Watch,
};

use super::fields::Change;
use super::topics::NeededTopic;
use super::{Plan, Refusal, Step};

/// Longer values are cut, in characters.
const MOST_CHARACTERS: usize = 60;

pub(super) fn plain<T: Display>(value: &T) -> String {
    value.to_string()
}

pub(super) fn text(value: &str) -> String {
    let value = format!("{value:?}");
    match value.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…\"", &value[..end]),
        None => value,
    }
}

pub(super) fn json(value: &serde_json::Value) -> String {
    let value = value.to_string();
    match value.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

/// A name as a key in the file; quoted where TOML wants it so.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn list(values: &[String]) -> String {
    format!("[{}]", values.join(", "))
}

pub(super) fn duration(value: &Duration) -> String {
    humantime::format_duration(*value).to_string()
}

pub(super) fn size(bytes: &u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let exact = |shift: u32| *bytes > 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(_, shift)| exact(*shift)) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

pub(super) fn rate(rate: &Rate) -> String {
    match rate {
        Rate::Unlimited => "unlimited".to_owned(),
        Rate::PerSecond(rate) => format!("{rate}/s"),
    }
}

pub(super) fn address(address: Option<SocketAddr>) -> String {
    address.map_or("off".to_owned(), |address| address.to_string())
}

pub(super) fn brokers(brokers: &Brokers) -> String {
    match brokers {
        Brokers::Embedded => "embedded".to_owned(),
        Brokers::Servers(servers) => servers.clone(),
    }
}

pub(super) fn start(start: &Start) -> String {
    match start {
        Start::Earliest => "earliest".to_owned(),
        Start::Latest => "latest".to_owned(),
        Start::Time(milliseconds) => jiff::Timestamp::from_millisecond(*milliseconds)
            .map_or_else(|_| format!("{milliseconds} ms"), |time| time.to_string()),
    }
}

macro_rules! spelled {
    ($name:ident, $type:ident { $($variant:ident => $text:literal),+ }) => {
        pub(super) fn $name(value: &$type) -> String {
            match value { $($type::$variant => $text),+ }.to_owned()
        }
    };
}

spelled!(out_of_range, OutOfRange { Stop => "stop", Earliest => "earliest", Latest => "latest" });
spelled!(ordering, Ordering { Partition => "partition", Key => "key", None => "none" });
spelled!(guarantee, Guarantee {
    AtLeastOnce => "at_least_once", ExactlyOnce => "exactly_once", AtMostOnce => "at_most_once"
});
spelled!(protocol, Protocol { Classic => "classic", Consumer => "consumer" });
spelled!(then, Then { DeadLetter => "dead_letter", Skip => "skip", Stop => "stop" });
spelled!(rotate, Rotate {
    Minutely => "minutely", Hourly => "hourly", Daily => "daily", Never => "never"
});
spelled!(watch, Watch { Events => "events", Poll => "poll", Off => "off" });

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some((was, now)) => write!(f, "{} {was} → {now}", self.setting)?,
            None => write!(f, "{}: changed", self.setting)?,
        }
        match self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} can't be changed while it runs: {}",
            self.setting, self.change, self.instead
        )
    }
}

impl Step {
    /// What the step does, a line for each change.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::ChangeKafka { changes, .. } => each("kafka", changes, ""),
            Self::EnsureTopic { topic, was, now } => topic_lines(topic, was.as_ref(), now),
            Self::ChangeLog { changes, .. } => each("log", changes, ""),
            Self::ChangeDaemon { changes, .. } => each("daemon", changes, ""),
            Self::ChangeGroup { group, changes, .. } => each(group, changes, ""),
            Self::AddGroup { group, now } => vec![format!(
                "group {group}: added ({} of {})",
                counted(now.members, "member"),
                now.topics.join(", ")
            )],
            Self::RemoveGroup { group, .. } => vec![format!("group {group}: removed")],
            Self::StartMembers {
                group, was, now, ..
            }
            | Self::StopMembers {
                group, was, now, ..
            } => vec![format!(
                "{group}: members {} → {}",
                was.members, now.members
            )],
            Self::ReplaceMembers { group, changes, .. } if changes.is_empty() => {
                vec![format!(
                    "{group}: members replaced one after another (kafka settings)"
                )]
            }
            Self::ReplaceMembers { group, changes, .. } => {
                each(group, changes, " (members replaced one after another)")
            }
            Self::AddProducer { producer, now } => vec![format!(
                "producer {producer}: added ({} to {})",
                rate(&now.rate),
                now.topic
            )],
            Self::RemoveProducer { producer, .. } => vec![format!("producer {producer}: removed")],
            Self::ChangeProducer {
                producer, changes, ..
            } => each(&format!("producer {producer}"), changes, ""),
            Self::ReplaceProducer {
                producer, changes, ..
            } if changes.is_empty() => {
                vec![format!("producer {producer}: replaced (kafka settings)")]
            }
            Self::ReplaceProducer {
                producer, changes, ..
            } => each(&format!("producer {producer}"), changes, " (replaced)"),
        }
    }

    /// `+` for what comes, `-` for what goes, `~` for what changes.
    pub fn mark(&self) -> char {
        match self {
            Self::EnsureTopic { was: None, .. }
            | Self::AddGroup { .. }
            | Self::AddProducer { .. } => '+',
            Self::RemoveGroup { .. } | Self::RemoveProducer { .. } => '-',
            _ => '~',
        }
    }
}

fn each(subject: &str, changes: &[Change], end: &str) -> Vec<String> {
    changes
        .iter()
        .map(|change| format!("{subject}: {change}{end}"))
        .collect()
}

fn topic_lines(topic: &str, was: Option<&NeededTopic>, now: &NeededTopic) -> Vec<String> {
    let sized = |number: Option<i32>| {
        number.map_or("as the topic has it".to_owned(), |number| {
            number.to_string()
        })
    };
    let Some(was) = was else {
        return vec![new_topic(topic, now)];
    };
    let mut lines = Vec::new();
    if was.partitions != now.partitions {
        let warning = match (was.partitions, now.partitions) {
            (Some(_), Some(_)) => {
                " (keys will map to other partitions: order per key is not kept across this moment)"
            }
            _ => "",
        };
        let (was, now) = (sized(was.partitions), sized(now.partitions));
        lines.push(format!("topic {topic}: partitions {was} → {now}{warning}"));
    }
    if was.replication != now.replication && now.dead_letters_of.is_empty() {
        let (was, now) = (sized(was.replication), sized(now.replication));
        lines.push(format!("topic {topic}: replication {was} → {now}"));
    }
    if was.config != now.config {
        lines.push(format!(
            "topic {topic}: config changed (a topic that is there keeps its own; \
             `kafka-configs --alter` changes it)"
        ));
    }
    if was.create != now.create {
        lines.push(format!(
            "topic {topic}: create {} → {}",
            was.create, now.create
        ));
    }
    if lines.is_empty() {
        lines.push(format!("topic {topic}: looked for on the new brokers"));
    }
    lines
}

fn new_topic(topic: &str, now: &NeededTopic) -> String {
    let size = now
        .partitions
        .map(|partitions| counted(partitions, "partition"));
    if !now.create {
        return format!("topic {topic}: must be there already");
    }
    if now.dead_letters_of.is_empty() {
        return format!("topic {topic}: added ({})", size.unwrap_or_default());
    }
    let sources: Vec<&str> = now.dead_letters_of.iter().map(String::as_str).collect();
    format!(
        "topic {topic}: added ({}, for dead letters of {})",
        size.unwrap_or_else(|| "partitions as its source has them".to_owned()),
        sources.join(", ")
    )
}

fn counted(number: impl Display, what: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Like a diff: what is refused first, then what comes, changes and goes, then what to know.
impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for refusal in &self.refused {
            writeln!(f, "! {refusal}")?;
        }
        for step in &self.steps {
            for line in step.lines() {
                writeln!(f, "{} {line}", step.mark())?;
            }
        }
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        if self.is_empty() {
            writeln!(f, "nothing to change")?;
        }
        Ok(())
    }
}
