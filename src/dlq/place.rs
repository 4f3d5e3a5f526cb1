//! Places as people write them: a dead letter's own, `TOPIC/PARTITION@OFFSET`, and where it came from,
//! of which the end may be left out.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Where a dead letter is: its topic's partition and offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Where messages were read before they became dead letters. What is not given is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub topic: String,
    pub partition: Option<i32>,
    /// First and last.
    pub offsets: Option<RangeInclusive<i64>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (topic, rest) = text.split_once('/')?;
            let (partition, offset) = rest.split_once('@')?;
            Some(Self {
                topic: named(topic)?,
                partition: number(partition)?,
                offset: number(offset)?,
            })
        };
        parsed().ok_or("expected TOPIC/PARTITION@OFFSET, such as orders.dead/0@17")
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let Some((topic, rest)) = text.split_once('/') else {
                return Some(Self {
                    topic: named(text)?,
                    partition: None,
                    offsets: None,
                });
            };
            let (partition, offsets) = match rest.split_once('@') {
                Some((partition, offsets)) => (partition, Some(range(offsets)?)),
                None => (rest, None),
            };
            Some(Self {
                topic: named(topic)?,
                partition: Some(number(partition)?),
                offsets,
            })
        };
        parsed().ok_or(
            "expected TOPIC, TOPIC/PARTITION, TOPIC/PARTITION@OFFSET or TOPIC/PARTITION@FIRST-LAST",
        )
    }
}

impl Origin {
    /// Whether a message that was read there is meant.
    pub fn holds(&self, topic: &str, partition: i32, offset: i64) -> bool {
        self.topic == topic
            && self.partition.is_none_or(|wanted| wanted == partition)
            && self
                .offsets
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&offset))
    }
}

fn named(topic: &str) -> Option<String> {
    (!topic.is_empty() && !topic.contains('@')).then(|| topic.to_owned())
}

/// Partitions and offsets are never negative, and need no sign.
fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    T::try_from(text.parse::<u64>().ok().filter(|_| number)?).ok()
}

fn range(text: &str) -> Option<RangeInclusive<i64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown can be given.
    #[test]
    fn places_are_read_as_they_are_written() {
        let place: Place = "orders.v1-a.dead/12@4711".parse().expect("a place");
        assert_eq!((place.partition, place.offset), (12, 4711));
        assert_eq!(place.to_string(), "orders.v1-a.dead/12@4711");
        for wrong in [
            "orders", "orders/1", "/1@2", "o/x@1", "o/1@", "o/1@-2", "o/+1@2",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    /// The less is given, the more is meant.
    #[test]
    fn origins_leave_out_what_does_not_matter() {
        let holds = |text: &str, partition, offset| {
            let origin: Origin = text.parse().expect("an origin");
            origin.holds("orders", partition, offset)
        };
        assert!(holds("orders", 3, 9) && !holds("order", 3, 9));
        assert!(holds("orders/3", 3, 9) && !holds("orders/3", 2, 9));
        assert!(holds("orders/3@9", 3, 9) && !holds("orders/3@9", 3, 8));
        assert!(holds("orders/3@7-9", 3, 9) && !holds("orders/3@7-9", 3, 10));
        for wrong in ["", "orders/", "orders/1@9-7", "orders/1@7..9", "orders@7"] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
