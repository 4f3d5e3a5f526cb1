//! The probe looks where partitions end and how far groups have come.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};

use super::{ANSWER, Probe};
use crate::support::wait_for;

impl Probe {
    /// Each partition's end: the offset after its last message.
    pub fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let consumer = self.consumer("probe");
        let partitions = self.partitions(topic).unwrap_or_default() as i32;
        let end = |partition| {
            // A broker that is just back may not lead its partitions yet.
            let what = format!("the end of {topic}/{partition}");
            wait_for(&what, ANSWER * 2, || {
                let watermarks = consumer.fetch_watermarks(topic, partition, ANSWER);
                let (_, end) = watermarks.map_err(|error| error.to_string())?;
                Ok((partition, end))
            })
        };
        (0..partitions).map(end).collect()
    }

    /// The group's committed offsets in `topic`; partitions without one are not in it.
    pub fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let partitions = self.partitions(topic).unwrap_or_default() as i32;
        let found = self.offsets_of(group, topic, 0..partitions);
        let elements = found.elements();
        let offset = |element: &TopicPartitionListElem<'_>| {
            Some((
                element.partition(),
                element.offset().to_raw().filter(|raw| *raw >= 0)?,
            ))
        };
        elements.iter().filter_map(offset).collect()
    }

    /// The metadata of the group's commit of one partition; empty where there is none.
    pub fn committed_metadata(&self, group: &str, topic: &str, partition: i32) -> String {
        let found = self.offsets_of(group, topic, partition..partition + 1);
        let metadata = found
            .elements()
            .first()
            .map(|each| each.metadata().to_owned());
        metadata.unwrap_or_default()
    }

    fn offsets_of(&self, group: &str, topic: &str, partitions: Range<i32>) -> TopicPartitionList {
        let consumer: BaseConsumer = self
            .config("probe")
            .set("group.id", group)
            // Without waiting for a transaction that is still open.
            .set("isolation.level", "read_uncommitted")
            .create()
            .unwrap_or_else(|error| panic!("a consumer: {error}"));
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(topic, partition);
        }
        // A broker that is just back may not coordinate its groups yet.
        wait_for(&format!("the offsets of {group}"), ANSWER * 2, || {
            let found = consumer.committed_offsets(asked.clone(), ANSWER);
            found.map_err(|error| error.to_string())
        })
    }

    /// What the coordinator says of a group: `Stable`, `PreparingRebalance` and the like.
    pub fn group_state(&self, group: &str) -> String {
        let list = self
            .consumer("groups")
            .fetch_group_list(Some(group), ANSWER)
            .unwrap_or_else(|error| panic!("group {group}: {error}"));
        let mut groups = list.groups().iter();
        groups
            .next()
            .map_or_else(String::new, |found| found.state().to_owned())
    }

    /// Commits one offset of a group that nobody is in, as another tool might.
    pub fn commit(&self, group: &str, topic: &str, offset: i64, metadata: &str) {
        let consumer: BaseConsumer = self
            .config("probe")
            .set("group.id", group)
            .create()
            .unwrap_or_else(|error| panic!("a consumer: {error}"));
        let mut offsets = TopicPartitionList::new();
        let mut partition = offsets.add_partition(topic, 0);
        partition.set_metadata(metadata);
        if let Err(error) = partition.set_offset(Offset::Offset(offset)) {
            panic!("{topic}/0@{offset}: {error}");
        }
        if let Err(error) = consumer.commit(&offsets, CommitMode::Sync) {
            panic!("a commit of {group}: {error}");
        }
    }

    /// Waits until the group has committed the whole topic.
    #[track_caller]
    pub fn wait_until_committed(&self, group: &str, topic: &str, deadline: Duration) {
        let what = format!("{group} to commit all of {topic}");
        wait_for(&what, deadline, || {
            let mut ends = self.end_offsets(topic);
            ends.retain(|_, end| *end > 0);
            let mut committed = self.committed(group, topic);
            committed.retain(|_, offset| *offset > 0);
            match committed == ends {
                true => Ok(()),
                false => Err(format!("committed {committed:?} of {ends:?}")),
            }
        });
    }
}
