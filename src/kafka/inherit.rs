//! What a member with transactions does before it begins with partitions that others have held.
//!
//! A member that was killed or hangs leaves a transaction open, which holds up every reader of what it
//! wrote, and the next holder too, until it times out. Its next holder has another transactional id, so
//! it ends that transaction by taking over the id for a moment: this fences the one who hangs. Who that
//! is stands in the metadata of the group's offsets, where each holder names itself before it begins
//! and takes its name off when it gives a partition up in order.
//!
//! A holder that is still, or again, in the group is left alone: it takes its id over itself before it
//! joins.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::admin::group_client;
use super::consumer::{found, list};
use super::context::{Context, lock};
use super::error::KafkaError;
use super::raw::Client;
use super::{Cluster, Committed, Partition, settings};
use crate::config::Group;
use crate::delivery::holder;

/// One request to the broker.
const REQUEST: Duration = Duration::from_secs(5);
/// For taking over one id.
const FENCING: Duration = Duration::from_secs(10);
/// How long a first attempt at it lasts, doubled with each that follows.
const ATTEMPT: Duration = Duration::from_millis(150);

/// The work under way, on a thread of its own.
pub struct Inheritance {
    result: Arc<Mutex<Option<Fenced>>>,
}

/// The transactional ids that were fenced.
type Fenced = Result<Vec<String>, KafkaError>;

/// Whose partitions are taken over by whom.
pub struct Heir<'a> {
    pub cluster: &'a Cluster,
    pub group_id: &'a str,
    pub group: &'a Group,
    /// Its own transactional id.
    pub id: &'a str,
}

impl Inheritance {
    /// Begins to end what earlier holders of these partitions have left open. `wake` is told at the end.
    pub fn begin(
        heir: &Heir<'_>,
        partitions: &[Partition],
        wake: Arc<Notify>,
    ) -> Result<Inheritance, KafkaError> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        let task = Task {
            cluster: heir.cluster.clone(),
            group_id: heir.group_id.to_owned(),
            group: heir.group.clone(),
            id: heir.id.to_owned(),
            partitions: partitions.to_vec(),
        };
        std::thread::Builder::new()
            .name("inherit".into())
            .spawn(move || {
                let done = task.end_transactions();
                *lock(&slot) = Some(done);
                wake.notify_one();
            })
            .map_err(|error| {
                KafkaError::new("_CRIT_SYS_RESOURCE", format!("no thread: {error}"))
            })?;
        Ok(Inheritance { result })
    }

    /// The transactional ids that were fenced, when it is done.
    pub fn done(&self) -> Option<Result<Vec<String>, KafkaError>> {
        lock(&self.result).take()
    }
}

/// The group's offsets of these partitions, whatever transactions are open over them; as an outsider.
pub fn open_offsets(
    cluster: &Cluster,
    group_id: &str,
    partitions: &[Partition],
) -> Result<Vec<Committed>, KafkaError> {
    let name = format!("{}-{group_id}-offsets", cluster.instance);
    let (client, context) = group_client(cluster, &name, group_id)?;
    let results = client.group_offsets(group_id, &list(partitions), REQUEST);
    Ok(found(results.map_err(|error| context.explain(error))?))
}

struct Task {
    cluster: Cluster,
    group_id: String,
    group: Group,
    id: String,
    partitions: Vec<Partition>,
}

impl Task {
    fn end_transactions(&self) -> Fenced {
        let name = format!("{}-heir", self.id);
        let (client, context) = group_client(&self.cluster, &name, &self.group_id)?;
        let explain = |error| context.explain(error);
        let committed = client.group_offsets(&self.group_id, &list(&self.partitions), REQUEST);
        let committed = committed.map_err(explain)?;
        let mut holders: BTreeSet<String> = committed
            .iter()
            .filter_map(|partition| holder(&partition.metadata))
            .filter(|holder| *holder != self.id)
            .map(str::to_owned)
            .collect();
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let members = client.group_members(&self.group_id, REQUEST);
        for member in members.map_err(explain)? {
            holders.remove(&member.client_id);
        }
        let mut fenced = Vec::new();
        for holder in holders {
            match self.fence(&holder) {
                Ok(()) => fenced.push(holder),
                // Its transaction ends by its timeout then.
                Err(error) if error.is_denied() => {
                    tracing::warn!("can't end what {holder} left open: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(fenced)
    }

    /// While the coordinator ends a transaction, some milliseconds, it puts off whoever takes the id over,
    /// and librdkafka asks again only after half a second (`rd_kafka_idemp_pid_timer_restart`); another
    /// client asks at once.
    fn fence(&self, id: &str) -> Result<(), KafkaError> {
        let config = settings::transactional(&self.cluster, &self.group, id);
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        let deadline = Instant::now() + FENCING;
        let mut attempt = ATTEMPT;
        loop {
            let context = Context::new(id, &self.cluster.servers);
            let client = Client::new(kind, &config, context, false)?;
            match client.init_transactions(attempt) {
                Err(error) if error.retriable && Instant::now() < deadline => attempt *= 2,
                result => {
                    let what = format!("what {id} left open can't be ended");
                    return result.map_err(|error| error.while_trying(&what));
                }
            }
        }
    }
}
