//! The last messages of a topic, read by nobody's group: [`last_messages`].

use super::Cluster;
use super::error::KafkaError;
use super::scan::{Scan, Scanned};
use crate::delivery::Record;

/// The `last` newest messages of all partitions of `topic`, oldest first: by their time, and within a
/// partition by offset. Fewer where there are fewer. Blocks until they are here.
///
/// # Errors
/// No broker, no such topic, no right to read it, or no message for half a minute.
pub fn last_messages(
    cluster: &Cluster,
    topic: &str,
    last: usize,
) -> Result<Vec<Record>, KafkaError> {
    let mut scan = Scan::new(cluster, &format!("{}-reader", cluster.instance))?;
    let mut ranges = scan.ranges(topic)?.ok_or_else(|| {
        let text = format!("the cluster has no topic {topic}");
        KafkaError::new("UNKNOWN_TOPIC_OR_PART", text)
    })?;
    let most = i64::try_from(last).unwrap_or(i64::MAX);
    for range in &mut ranges {
        range.first = range.first.max(range.end.saturating_sub(most));
    }
    scan.begin(ranges)?;
    let mut records = Vec::new();
    let mut record = Record::default();
    loop {
        match scan.next(&mut record)? {
            Scanned::Record => records.push(std::mem::take(&mut record)),
            Scanned::Nothing => {}
            Scanned::End => break,
        }
    }
    // Stable, so that equal times keep the order of their partition.
    records.sort_by_key(|record: &Record| (record.partition, record.offset));
    records.sort_by_key(|record| record.timestamp);
    records.drain(..records.len().saturating_sub(last));
    Ok(records)
}
