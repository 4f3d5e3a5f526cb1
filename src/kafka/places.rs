//! Where to go in a partition, and who holds it: what a user asks who moves a group about.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::topic_partition_list::Offset;

use super::admin::{Admin, REQUEST, Shared, blocking};
use super::error::KafkaError;
use super::{Partition, consumer};

/// A place in any partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The first message that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    Offset(i64),
    /// The first message not before this time, in milliseconds since the epoch; behind the last one
    /// where there is none.
    Time(i64),
}

/// A place in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub partition: Partition,
    /// The next offset to be read; within what is there.
    pub offset: i64,
    /// The first offset that is there.
    pub first: i64,
    /// The one after the last.
    pub end: i64,
}

/// Who holds a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub client_id: String,
    pub host: String,
}

impl Admin {
    /// Where `target` is in each of these partitions.
    ///
    /// # Errors
    /// The cluster does not say; the embedded broker knows no times.
    pub async fn spots(
        &self,
        partitions: &[Partition],
        target: Target,
    ) -> Result<Vec<Spot>, KafkaError> {
        let (shared, partitions) = (self.shared.clone(), partitions.to_vec());
        blocking(move || shared.spots(&partitions, target)).await
    }

    /// Who holds a group's partitions, in whatever process.
    ///
    /// # Errors
    /// The coordinator does not say; the embedded broker knows no owners.
    pub async fn owners(&self, group: &str) -> Result<BTreeMap<Partition, Owner>, KafkaError> {
        let (shared, group) = (self.shared.clone(), group.to_owned());
        blocking(move || {
            let members =
                shared.ask_of_group(&group, |client| client.group_members(&group, REQUEST))?;
            let mut owners = BTreeMap::new();
            for member in members {
                for held in member.holds {
                    let partition = Partition {
                        topic: Arc::from(held.topic),
                        number: held.partition,
                    };
                    let owner = Owner {
                        client_id: member.client_id.clone(),
                        host: member.host.trim_start_matches('/').to_owned(),
                    };
                    owners.insert(partition, owner);
                }
            }
            Ok(owners)
        })
        .await
    }
}

impl Shared {
    fn spots(&self, partitions: &[Partition], target: Target) -> Result<Vec<Spot>, KafkaError> {
        let times = match target {
            Target::Time(_) if self.cluster.embedded => {
                return Err(KafkaError::new(
                    "_NOT_IMPLEMENTED",
                    "the embedded broker knows no times; say earliest, latest or an offset".into(),
                ));
            }
            Target::Time(time) => self.at_time(partitions, time)?,
            Target::Earliest | Target::Latest | Target::Offset(_) => BTreeMap::new(),
        };
        let spot = |partition: &Partition| {
            let (topic, number) = (&partition.topic, partition.number);
            let (first, end) = self.ask(|client| client.watermarks(topic, number, REQUEST))?;
            let offset = match target {
                Target::Earliest => first,
                Target::Latest => end,
                Target::Offset(offset) => offset.clamp(first, end.max(first)),
                Target::Time(_) => times.get(partition).copied().unwrap_or(end),
            };
            Ok(Spot {
                partition: partition.clone(),
                offset,
                first,
                end,
            })
        };
        partitions.iter().map(spot).collect()
    }

    fn at_time(
        &self,
        partitions: &[Partition],
        time: i64,
    ) -> Result<BTreeMap<Partition, i64>, KafkaError> {
        let mut list = consumer::list(partitions);
        list.set_all_offsets(Offset::Offset(time))?;
        self.ask(|client| client.offsets_for_times(&list, REQUEST))?;
        let found = consumer::committed(&list).into_iter();
        Ok(found
            .filter_map(|found| Some((found.partition, found.offset?)))
            .collect())
    }
}
