//! What is said to steer what runs: pause, resume, seek, the log's level, and the tap.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::diagnostic::printable;

pub const PAUSE: &str = "/v1/pause";
pub const RESUME: &str = "/v1/resume";
/// Says what [`SEEK`] would do, and does nothing.
pub const SEEK_PLAN: &str = "/v1/seek/plan";
pub const SEEK: &str = "/v1/seek";
pub const LOG_LEVEL: &str = "/v1/log-level";
pub const TAP: &str = "/v1/tap";

/// What a command is about: a producer, a group, or a part of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A group; or a producer, where no group has this name.
    pub name: String,
    /// Which of the two, where there are both.
    #[serde(default)]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub topic: Option<String>,
    /// Of the topic.
    #[serde(default)]
    pub partition: Option<i32>,
}

/// As on the command line.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // From outside, and on its way into the log.
        f.write_str(&printable(&self.name))?;
        if let Some(topic) = &self.topic {
            write!(f, " {}", printable(topic))?;
        }
        match self.partition {
            Some(partition) => write!(f, ":{partition}"),
            None => Ok(()),
        }
    }
}

/// See [`Target`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Group,
    Producer,
}

/// The body of a resume.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    pub target: Target,
    /// Gives up the message that the partition is stuck at, into its dead-letter topic.
    #[serde(default)]
    pub dead_letter_one: bool,
}

/// What a pause or a resume has done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Steered {
    /// One sentence.
    pub done: String,
    /// The partitions here that it was about, as they are now.
    pub partitions: Vec<Held>,
    /// Those that other processes hold: nothing was done there.
    pub elsewhere: Vec<Elsewhere>,
    /// What to know besides, one sentence each.
    pub notes: Vec<String>,
}

/// A partition that a member of this process holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Held {
    pub topic: String,
    pub partition: i32,
    pub member: String,
    pub paused: bool,
    /// Why it does not go on by itself.
    pub stuck: Option<String>,
}

/// A partition that nobody in this process holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Elsewhere {
    pub topic: String,
    pub partition: i32,
    /// The client id and address of its holder; `None`: nobody has it now.
    pub owner: Option<String>,
}

/// The body of a plan to seek.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeekTo {
    pub target: Target,
    pub to: Place,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The first message that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    Offset(i64),
    /// The first message not before this time, in milliseconds since the epoch.
    Time(i64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::Time(milliseconds) => match Timestamp::from_millisecond(*milliseconds) {
                Ok(time) => write!(f, "{time}"),
                Err(_) => write!(f, "{milliseconds} ms"),
            },
        }
    }
}

/// What a seek would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeekPlan {
    pub moves: Vec<Move>,
    pub elsewhere: Vec<Elsewhere>,
    pub notes: Vec<String>,
}

/// One partition's move.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Move {
    pub topic: String,
    pub partition: i32,
    pub member: String,
    /// The group's offset now; `None`: it has none yet.
    pub from: Option<i64>,
    /// The next offset to be handled.
    pub to: i64,
    /// Messages started and not finished, which the seek waits for or gives up.
    pub unfinished: u64,
}

/// The body of a seek: what a plan has said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    pub group: String,
    pub moves: Vec<SeekMove>,
}

impl fmt::Display for Seek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.group))?;
        let moves = self.moves.iter();
        for SeekMove {
            topic,
            partition,
            to,
        } in moves
        {
            write!(f, " {}:{partition} to {to}", printable(topic))?;
        }
        Ok(())
    }
}

/// See [`Seek`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeekMove {
    pub topic: String,
    pub partition: i32,
    pub to: i64,
}

/// What a seek has done, partition by partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sought {
    pub partitions: Vec<SoughtPartition>,
}

/// See [`Sought`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SoughtPartition {
    pub topic: String,
    pub partition: i32,
    pub to: i64,
    /// Messages that were waiting, for a retry or for somebody to act, and were given up.
    pub given_up: u64,
    /// Why it was not done; nothing has changed then.
    pub error: Option<String>,
}

/// The body of a change of the log's level.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLevel {
    /// A level, or a list such as `info,deliveryd::member=debug`; `None` only asks.
    #[serde(default)]
    pub level: Option<String>,
}

/// The log's level.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Level {
    pub before: String,
    pub now: String,
}

/// The body of a tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapWanted {
    pub group: String,
    /// Each member shows one of so many messages.
    #[serde(default = "one")]
    pub sample: u64,
    /// Most messages a second, of all members together.
    #[serde(default = "default_rate")]
    pub rate: u32,
    /// Keys, values and header values, not only their sizes.
    #[serde(default)]
    pub values: bool,
}

fn one() -> u64 {
    1
}

/// See [`TapWanted::rate`].
pub const TAP_RATE: u32 = 20;

fn default_rate() -> u32 {
    TAP_RATE
}

/// One line of a tap's answer, which goes on until the caller hangs up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tapped {
    /// It has begun.
    Listening { members: u32 },
    /// A call of the handler that has ended.
    Message(Box<TappedMessage>),
    /// So many more that would have been shown were left out since the last such line.
    LeftOut(u64),
}

/// See [`Tapped`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TappedMessage {
    pub member: String,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    pub attempt: u32,
    pub key: Content,
    pub value: Content,
    pub headers: Vec<(String, Content)>,
    /// `done`, `failed` or `rejected`.
    pub outcome: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// How many messages the call emitted, by topic.
    pub emits: Vec<(String, u64)>,
}

/// What a message holds, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// `None` is Kafka's null.
    pub bytes: Option<u64>,
    /// Its text, or its beginning; `None` where it is masked, null, or no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same in base64, where it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Whether only its beginning is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
