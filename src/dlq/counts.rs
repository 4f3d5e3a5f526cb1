//! How many dead letters there are of what kind: by topic and group, and of each by reason, handler
//! version and time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Letter;

/// Kinds of one group that are told apart; reasons may name what is different each time.
const MOST_KINDS: usize = 1000;
/// Letters of other tools that are named.
const MOST_NAMED: usize = 20;
/// Times that are told apart.
const MOST_TIMES: usize = 12;
/// How long a time is, in milliseconds, from the finest on.
const STEPS: [i64; 8] = [
    60_000,
    10 * 60_000,
    3_600_000,
    6 * 3_600_000,
    86_400_000,
    7 * 86_400_000,
    30 * 86_400_000,
    365 * 86_400_000,
];

/// Letters by topic.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<String, OfTopic>);

/// The letters of one dead-letter topic.
#[derive(Debug, Default)]
pub struct OfTopic {
    pub groups: BTreeMap<String, OfGroup>,
    pub foreign: Foreign,
}

/// What another tool has written.
#[derive(Debug, Default, Serialize)]
pub struct Foreign {
    pub count: u64,
    /// The first of them.
    pub letters: Vec<Named>,
}

#[derive(Debug, Serialize)]
pub struct Named {
    pub at: String,
    /// What it lacks.
    pub why: String,
}

/// The letters of one group in one topic.
#[derive(Debug, Default)]
pub struct OfGroup {
    pub count: Count,
    kinds: BTreeMap<(String, String), Kind>,
    times: Times,
}

/// Not yet replayed, and replayed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    pub open: u64,
    pub replayed: u64,
}

/// Letters with the same reason and handler version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Kind {
    pub reason: String,
    /// The handler's version.
    pub handler: String,
    #[serde(flatten)]
    pub count: Count,
    /// The first and the last failure, in milliseconds since 1970.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// Letters that failed within one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Its beginning, in milliseconds since 1970.
    pub from: i64,
    /// How long it is.
    pub seconds: i64,
    #[serde(flatten)]
    pub count: Count,
}

impl Count {
    fn add(&mut self, replayed: bool) {
        match replayed {
            true => self.replayed += 1,
            false => self.open += 1,
        }
    }
}

impl Counts {
    /// Begins with these topics, also where they have no letters.
    pub fn of(topics: impl IntoIterator<Item = String>) -> Self {
        let topics = topics.into_iter();
        Self(topics.map(|topic| (topic, OfTopic::default())).collect())
    }

    pub fn add(&mut self, letter: &Letter) {
        let topic = self.0.entry(letter.place.topic.clone()).or_default();
        let own = match &letter.provenance {
            Ok(own) => own,
            Err(why) => {
                topic.foreign.count += 1;
                if topic.foreign.letters.len() < MOST_NAMED {
                    topic.foreign.letters.push(Named {
                        at: letter.place.to_string(),
                        why: why.clone(),
                    });
                }
                return;
            }
        };
        let group = topic.groups.entry(own.group.clone()).or_default();
        group.count.add(letter.replayed);
        let mut kind = (own.reason.clone(), own.handler.clone());
        if group.kinds.len() >= MOST_KINDS && !group.kinds.contains_key(&kind) {
            kind = ("(other reasons)".to_owned(), String::new());
        }
        let kind = group.kinds.entry(kind).or_default();
        kind.count.add(letter.replayed);
        if let Some(time) = letter.time() {
            kind.first = Some(kind.first.map_or(time, |first| first.min(time)));
            kind.last = kind.last.max(Some(time));
            group.times.add(time, letter.replayed);
        }
    }

    /// By topic.
    pub fn topics(&self) -> &BTreeMap<String, OfTopic> {
        &self.0
    }
}

impl OfGroup {
    /// The most frequent open ones first.
    pub fn kinds(&self) -> Vec<Kind> {
        let named = self.kinds.iter().map(|((reason, handler), kind)| Kind {
            reason: reason.clone(),
            handler: handler.clone(),
            ..kind.clone()
        });
        let mut kinds: Vec<Kind> = named.collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse((kind.count.open, kind.count.replayed)));
        kinds
    }

    /// From the earliest on; times without letters are left out.
    pub fn times(&self) -> Vec<Time> {
        self.times.list()
    }
}

/// Letters by the time of their failure, in steps as fine as the list stays short.
#[derive(Debug, Default)]
struct Times {
    step: usize,
    counts: BTreeMap<i64, Count>,
}

impl Times {
    fn add(&mut self, time: i64, replayed: bool) {
        let from = self.beginning(time);
        self.counts.entry(from).or_default().add(replayed);
        while self.counts.len() > MOST_TIMES && self.step + 1 < STEPS.len() {
            self.step += 1;
            for (time, count) in std::mem::take(&mut self.counts) {
                let from = self.beginning(time);
                let sum = self.counts.entry(from).or_default();
                sum.open += count.open;
                sum.replayed += count.replayed;
            }
        }
    }

    fn beginning(&self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(STEPS[self.step]))
    }

    fn list(&self) -> Vec<Time> {
        let seconds = STEPS[self.step] / 1000;
        let times = self.counts.iter().map(|(from, count)| Time {
            from: *from,
            seconds,
            count: *count,
        });
        times.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Provenance, Record};
    use crate::dlq::Place;

    fn letter(offset: i64, reason: &str, time: i64, replayed: bool) -> Letter {
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
                handler: "v1".to_owned(),
                reason: reason.to_owned(),
                position: None,
                attempts: None,
                first_failure: None,
                last_failure: Some(time),
            }),
            replayed,
        }
    }

    /// What is open counts, the most frequent first, with its first and last time.
    #[test]
    fn letters_are_counted_by_reason() {
        let mut counts = Counts::default();
        counts.add(&letter(0, "rare", 5, false));
        for n in 0..3 {
            counts.add(&letter(n, "often", 10 - n, n == 0));
        }
        let group = &counts.topics()["orders.dead"].groups["billing"];
        let sum = Count {
            open: 3,
            replayed: 1,
        };
        assert_eq!(group.count, sum);
        let kinds = group.kinds();
        assert_eq!(
            (kinds[0].reason.as_str(), kinds[0].count.open),
            ("often", 2)
        );
        assert_eq!((kinds[0].first, kinds[0].last), (Some(8), Some(10)));
        assert_eq!(kinds[1].reason, "rare");
    }

    /// Times are as fine as the list stays short, and none is lost when they become coarser.
    #[test]
    fn times_become_coarser_instead_of_many() {
        let mut counts = Counts::default();
        let hour = 3_600_000;
        for n in 0..100 {
            counts.add(&letter(n, "r", n * hour, false));
        }
        let times = counts.topics()["orders.dead"].groups["billing"].times();
        assert_eq!(times.len(), 5);
        assert_eq!((times[0].from, times[0].seconds), (0, 86_400));
        assert_eq!(times.iter().map(|time| time.count.open).sum::<u64>(), 100);
    }

    /// Reasons that are different each time do not fill the memory.
    #[test]
    fn kinds_are_bounded() {
        let mut counts = Counts::default();
        for n in 0..2_000 {
            counts.add(&letter(n, &format!("order {n}"), n, false));
        }
        let kinds = counts.topics()["orders.dead"].groups["billing"].kinds();
        assert_eq!(kinds.len(), MOST_KINDS + 1);
        assert_eq!(kinds[0].reason, "(other reasons)");
        assert_eq!(kinds[0].count.open, 1000);
    }
}
