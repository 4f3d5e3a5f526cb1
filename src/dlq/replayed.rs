//! What has been replayed of a dead-letter topic, by each group: [`Replayed::contains`],
//! [`Replayed::insert`], and the records that keep it.
//!
//! It is kept in a compacted topic beside the dead letters, `TOPIC.replayed`, because a record there can
//! be written in one transaction with what is replayed. A group's commit could too, but its metadata has
//! room for few gaps, and the broker forgets it a week after the last one (`offsets.retention.minutes`)
//! while the letters may stay.
//!
//! One record holds 4,096 neighbouring offsets of one group and partition, so that each is small and
//! only those are written that have changed. Its key names the topic by its id too: a topic that was
//! deleted and made anew has other letters at the same offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Offsets in one record.
const CHUNK: i64 = 4096;
const WORDS: usize = CHUNK as usize / 64;

/// The topic that keeps what has been replayed of `topic`.
pub fn kept_in(topic: &str) -> String {
    format!("{topic}.replayed")
}

/// What has been replayed of one dead-letter topic.
#[derive(Debug)]
pub struct Replayed {
    topic_id: String,
    chunks: BTreeMap<Name, Box<[u64; WORDS]>>,
    /// Changed and not yet handed out.
    changed: BTreeSet<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    group: String,
    partition: i32,
    /// The first offset.
    from: i64,
}

/// A record's key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key<'a> {
    group: std::borrow::Cow<'a, str>,
    topic_id: std::borrow::Cow<'a, str>,
    partition: i32,
    from: i64,
}

impl Replayed {
    /// Nothing yet, of the topic with this id.
    pub fn new(topic_id: String) -> Self {
        Self {
            topic_id,
            chunks: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Takes up a record; a later one with the same key replaces it. Whether it is one of ours; one
    /// about a topic of another id is, and says nothing here.
    pub fn read(&mut self, key: &[u8], value: &[u8]) -> bool {
        let Ok(key) = serde_json::from_slice::<Key<'_>>(key) else {
            return false;
        };
        let Ok(ranges) = serde_json::from_slice::<Vec<(i64, i64)>>(value) else {
            return false;
        };
        if key.topic_id != self.topic_id {
            return true;
        }
        let name = Name {
            group: key.group.into_owned(),
            partition: key.partition,
            from: key.from,
        };
        let mut words = Box::new([0; WORDS]);
        let here = key.from..key.from.saturating_add(CHUNK);
        for (start, end) in ranges {
            for offset in start.max(here.start)..end.min(here.end) {
                let (word, bit) = bit(offset - key.from);
                words[word] |= bit;
            }
        }
        self.chunks.insert(name, words);
        true
    }

    /// Whether a group has replayed the letter at this offset.
    pub fn contains(&self, group: &str, partition: i32, offset: i64) -> bool {
        let name = Name::of(group, partition, offset);
        let (word, bit) = bit(offset - name.from);
        let chunk = self.chunks.get(&name);
        chunk.is_some_and(|words| words[word] & bit != 0)
    }

    /// Notes that a group has replayed it.
    pub fn insert(&mut self, group: &str, partition: i32, offset: i64) {
        let name = Name::of(group, partition, offset);
        let (word, bit) = bit(offset - name.from);
        if !self.changed.contains(&name) {
            self.changed.insert(name.clone());
        }
        let words = self.chunks.entry(name);
        words.or_insert_with(|| Box::new([0; WORDS]))[word] |= bit;
    }

    /// The records, key and value, of what was inserted since the last call.
    pub fn take_changed(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let changed = std::mem::take(&mut self.changed);
        let records = changed.into_iter().filter_map(|name| {
            let words = self.chunks.get(&name)?;
            let key = Key {
                group: name.group.as_str().into(),
                topic_id: self.topic_id.as_str().into(),
                partition: name.partition,
                from: name.from,
            };
            let ranges: Vec<(i64, i64)> = ranges(words)
                .map(|range| (name.from + range.start, name.from + range.end))
                .collect();
            // Texts and numbers always are JSON.
            Some((
                serde_json::to_vec(&key).ok()?,
                serde_json::to_vec(&ranges).ok()?,
            ))
        });
        records.collect()
    }
}

impl Name {
    fn of(group: &str, partition: i32, offset: i64) -> Self {
        Self {
            group: group.to_owned(),
            partition,
            from: offset - offset.rem_euclid(CHUNK),
        }
    }
}

/// The word and the bit of an offset within its chunk.
fn bit(offset: i64) -> (usize, u64) {
    let offset = offset.rem_euclid(CHUNK) as usize;
    (offset / 64, 1 << (offset % 64))
}

fn ranges(words: &[u64; WORDS]) -> impl Iterator<Item = Range<i64>> {
    let set = |offset: &i64| {
        let (word, bit) = bit(*offset);
        words[word] & bit != 0
    };
    let mut offsets = (0..CHUNK).peekable();
    std::iter::from_fn(move || {
        let start = offsets.find(set)?;
        let mut end = start + 1;
        while offsets.next_if(set).is_some() {
            end += 1;
        }
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(records: &[(Vec<u8>, Vec<u8>)], topic_id: &str) -> Replayed {
        let mut read = Replayed::new(topic_id.to_owned());
        for (key, value) in records {
            assert!(read.read(key, value));
        }
        read
    }

    /// A record can be read by people: whose letters, of which topic, from where to where.
    #[test]
    fn records_are_plain_json() {
        let mut replayed = Replayed::new("id".to_owned());
        for offset in [4097, 4098, 4100] {
            replayed.insert("g", 2, offset);
        }
        let records = replayed.take_changed();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [(key, value)] = &records[..] else {
            panic!("{records:?}");
        };
        assert_eq!(
            text(key),
            r#"{"group":"g","topic_id":"id","partition":2,"from":4096}"#
        );
        assert_eq!(text(value), "[[4097,4099],[4100,4101]]");
        assert_eq!(replayed.take_changed(), [], "told once");
    }

    /// A topic that was made anew, another group and another partition have letters of their own.
    #[test]
    fn what_was_replayed_elsewhere_does_not_count() {
        let mut replayed = Replayed::new("id".to_owned());
        replayed.insert("g", 0, 1);
        let records = replayed.take_changed();
        let same = again(&records, "id");
        assert!(same.contains("g", 0, 1));
        assert!(
            !same.contains("g", 1, 1) && !same.contains("h", 0, 1) && !same.contains("g", 0, 2)
        );
        assert!(!again(&records, "another").contains("g", 0, 1));
    }

    /// What others write into the topic is left alone.
    #[test]
    fn foreign_records_are_none() {
        let mut replayed = Replayed::new("id".to_owned());
        assert!(!replayed.read(b"hello", b"[]"));
        let key = br#"{"group":"g","topic_id":"id","partition":0,"from":9223372036854775807}"#;
        assert!(!replayed.read(key, b"{}"));
        assert!(replayed.read(key, b"[[-5,9223372036854775807]]"));
    }

    proptest! {
        /// Records, read in the order in which they were written, say exactly what was replayed.
        #[test]
        fn what_is_written_is_read(batches in prop::collection::vec(prop::collection::vec(0i64..10_000, 0..50), 0..5)) {
            let mut replayed = Replayed::new("id".to_owned());
            let mut records = Vec::new();
            let mut all = BTreeSet::new();
            for batch in batches {
                batch.iter().for_each(|offset| replayed.insert("g", 0, *offset));
                all.extend(batch);
                records.extend(replayed.take_changed());
            }
            let read = again(&records, "id");
            for offset in 0..10_000 {
                prop_assert_eq!(read.contains("g", 0, offset), all.contains(&offset));
            }
        }
    }
}
