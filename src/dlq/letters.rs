//! The letters of dead-letter topics, one after another: [`Letters::open`], [`Letters::next_letter`].

use std::collections::BTreeMap;

use super::replayed::{Replayed, kept_in};
use super::{Filter, Place};
use crate::delivery::{Provenance, Record};
use crate::kafka::{Admin, Cluster, KafkaError, Range, Scan, Scanned};

/// One message of a dead-letter topic.
#[derive(Debug)]
pub struct Letter {
    pub place: Place,
    pub record: Record,
    /// Or why it is not one that deliveryd wrote.
    pub provenance: Result<Provenance, String>,
    /// Whether its group has replayed it.
    pub replayed: bool,
}

impl Letter {
    /// When it became a dead letter, in milliseconds since 1970; of what another tool wrote, its own
    /// time.
    pub fn time(&self) -> Option<i64> {
        let own = self.provenance.as_ref().ok();
        own.and_then(|own| own.last_failure)
            .or(self.record.timestamp)
    }
}

/// What [`Letters::next_letter`] found.
pub enum Next {
    Letter(Box<Letter>),
    /// Nothing has come within a fifth of a second.
    Nothing,
    /// Everything that was there when it was opened has been looked at.
    End,
}

/// The letters of some topics, as they were when this was opened.
pub struct Letters {
    scan: Scan,
    replayed: BTreeMap<String, Replayed>,
    /// The topics that do not exist.
    missing: Vec<String>,
    total: u64,
    record: Record,
}

impl Letters {
    /// Looks what is there, and what of it has been replayed. With places in the filter, nothing but
    /// what lies between them is read.
    ///
    /// # Errors
    /// What the brokers say.
    pub async fn open(
        cluster: &Cluster,
        admin: &Admin,
        topics: &[String],
        filter: &Filter,
    ) -> Result<Self, KafkaError> {
        // Asked first, because it does not take long to say that there is no broker.
        let there = admin.describe(topics).await?;
        let mut scan = Scan::new(cluster, &cluster.instance)?;
        let (mut missing, mut ranges) = (Vec::new(), Vec::new());
        let mut replayed = BTreeMap::new();
        for topic in topics {
            let found = match there.contains_key(topic) {
                true => scan.ranges(topic)?,
                false => None,
            };
            let Some(found) = found else {
                missing.push(topic.clone());
                continue;
            };
            let id = admin.topic_id(topic).await?;
            replayed.insert(topic.clone(), read_replayed(&mut scan, topic, id)?);
            ranges.extend(
                found
                    .into_iter()
                    .filter_map(|range| narrowed(range, filter)),
            );
        }
        let total = ranges
            .iter()
            .map(|range| (range.end - range.first).unsigned_abs());
        let total = total.sum();
        scan.begin(ranges)?;
        Ok(Self {
            scan,
            replayed,
            missing,
            total,
            record: Record::default(),
        })
    }

    /// The topics that do not exist.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// How many offsets there are to look at; not every one need be a message.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The next letter: of a partition in its order, partitions in any. Blocks for a fifth of a second
    /// at most.
    ///
    /// # Errors
    /// What the brokers say, or their silence.
    pub fn next_letter(&mut self) -> Result<Next, KafkaError> {
        match self.scan.next(&mut self.record)? {
            Scanned::Nothing => Ok(Next::Nothing),
            Scanned::End => Ok(Next::End),
            Scanned::Record => {
                let record = std::mem::take(&mut self.record);
                Ok(Next::Letter(Box::new(self.letter(record))))
            }
        }
    }

    /// What has been replayed of a topic.
    pub fn replayed_of(&mut self, topic: &str) -> Option<&mut Replayed> {
        self.replayed.get_mut(topic)
    }

    fn letter(&self, record: Record) -> Letter {
        let place = Place {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        let provenance = Provenance::of(&record);
        let replayed = self.replayed.get(&place.topic);
        let replayed = replayed
            .zip(provenance.as_ref().ok())
            .is_some_and(|(replayed, own)| {
                replayed.contains(&own.group, place.partition, place.offset)
            });
        Letter {
            place,
            record,
            provenance,
            replayed,
        }
    }
}

fn read_replayed(scan: &mut Scan, topic: &str, topic_id: String) -> Result<Replayed, KafkaError> {
    let kept_in = kept_in(topic);
    let mut replayed = Replayed::new(topic_id);
    scan.begin(scan.ranges(&kept_in)?.unwrap_or_default())?;
    let mut record = Record::default();
    loop {
        match scan.next(&mut record)? {
            Scanned::End => return Ok(replayed),
            Scanned::Nothing => {}
            Scanned::Record => {
                let parts = record.key().zip(record.value());
                let ours = parts.is_some_and(|(key, value)| replayed.read(key, value));
                if !ours {
                    tracing::warn!(
                        "{kept_in}@{} is of another tool; it is left alone",
                        record.offset
                    );
                }
            }
        }
    }
}

/// What of a partition has to be read for the places that a filter names.
fn narrowed(mut range: Range, filter: &Filter) -> Option<Range> {
    if filter.places.is_empty() {
        return Some(range);
    }
    let here = filter.places.iter().filter(|place| {
        *place.topic == *range.partition.topic && place.partition == range.partition.number
    });
    let offsets: Vec<i64> = here.map(|place| place.offset).collect();
    range.first = range.first.max(*offsets.iter().min()?);
    range.end = range.end.min(offsets.iter().max()?.saturating_add(1));
    (range.first < range.end).then_some(range)
}
