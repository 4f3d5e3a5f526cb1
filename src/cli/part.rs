//! A group or a part of it, as it is written on the command line: `GROUP [TOPIC[:PARTITION]]`.

use std::str::FromStr;

use clap::Args;

use crate::control::protocol::{Elsewhere, Held, Kind, Target};

/// What a command is about.
#[derive(Debug, Clone, Args)]
pub struct PartArgs {
    /// A group; or a producer
    name: String,
    /// One topic of it, or one partition
    #[arg(value_name = "TOPIC[:PARTITION]")]
    part: Option<Part>,
    /// NAME is a group's, where a producer has it too
    #[arg(long, conflicts_with = "producer")]
    group: bool,
    /// NAME is a producer's, where a group has it too
    #[arg(long, conflicts_with = "part")]
    producer: bool,
}

impl PartArgs {
    /// As it is asked over the control socket.
    pub fn target(self) -> Target {
        let kind = match (self.group, self.producer) {
            (true, _) => Some(Kind::Group),
            (_, true) => Some(Kind::Producer),
            _ => None,
        };
        target(self.name, kind, self.part)
    }
}

/// As it is asked over the control socket.
pub fn target(name: String, kind: Option<Kind>, part: Option<Part>) -> Target {
    Target {
        name,
        kind,
        partition: part.as_ref().and_then(|part| part.partition),
        topic: part.map(|part| part.topic),
    }
}

/// `TOPIC`, or `TOPIC:PARTITION`; also `TOPIC/PARTITION`, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    topic: String,
    partition: Option<i32>,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Neither character can be in a topic's name.
        let (topic, number) = match text.rsplit_once([':', '/']) {
            None => (text, None),
            Some((topic, number)) => (topic, Some(number)),
        };
        let partition = number.map(|number| {
            let parsed = number.parse::<i32>().ok().filter(|number| *number >= 0);
            parsed.ok_or_else(|| format!("`{number}` is no partition's number"))
        });
        if topic.is_empty() {
            return Err("the topic's name is missing".to_owned());
        }
        Ok(Self {
            topic: topic.to_owned(),
            partition: partition.transpose()?,
        })
    }
}

/// `Delivery/3 is held by host-b-orders-1 (10.0.0.5)`.
pub fn elsewhere(elsewhere: &Elsewhere) -> String {
    let (topic, partition) = (&elsewhere.topic, elsewhere.partition);
    match &elsewhere.owner {
        Some(owner) => format!("{topic}/{partition} is held by {owner}"),
        None => format!("{topic}/{partition} is held by nobody that is known"),
    }
}

/// `Delivery/0   group-1-1   paused`.
pub fn row(held: &Held) -> Vec<String> {
    let state = match (&held.stuck, held.paused) {
        (_, true) => "paused".to_owned(),
        (Some(reason), false) => format!("stuck: {reason}"),
        (None, false) => "goes on".to_owned(),
    };
    let partition = format!("{}/{}", held.topic, held.partition);
    vec![partition, held.member.clone(), state]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A topic, one partition of it, and what is neither.
    #[test]
    fn parts_are_read() {
        let part = |topic: &str, partition| {
            Ok(Part {
                topic: topic.to_owned(),
                partition,
            })
        };
        assert_eq!("orders.v1".parse(), part("orders.v1", None));
        assert_eq!("orders:3".parse(), part("orders", Some(3)));
        assert_eq!("orders/0".parse(), part("orders", Some(0)));
        for wrong in [":1", "orders:x", "orders:-1", "orders:"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
