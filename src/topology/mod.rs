//! What is to run, and how to get there from what runs.
//!
//! [`plan`] is arithmetic: two configurations in, the difference as steps out. [`Running`] is what is
//! up; `apply` takes a plan's steps, and goes back when one fails. `watch` keeps an eye on the
//! cluster. The start of the daemon is the plan that leads from nothing to the configuration.

mod apply;
mod asking;
mod group;
mod groups;
mod listen;
pub mod plan;
mod producers;
mod running;
mod shown;
mod steer;
#[cfg(test)]
mod tests;
mod topics;
mod transactions;
mod watch;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use tokio::sync::mpsc::UnboundedSender;

use crate::handlers;
use crate::kafka::{Cluster, KafkaError, Partition, TopicState};
use crate::member;
use crate::observe::{Board, Metrics};

pub use apply::{ApplyError, Taken};
pub use running::Running;
pub use shown::Shown;
pub use steer::Holding;
pub use watch::Watcher;

/// What everything that runs stands on.
#[derive(Clone)]
pub struct Ground {
    pub cluster: Arc<Cluster>,
    pub board: Board,
    pub metrics: Metrics,
    /// Topics that the config or the broker knows.
    pub topics: Arc<ArcSwap<HashSet<String>>>,
    /// Whether no broker answers.
    pub away: Arc<AtomicBool>,
    /// Where the daemon hears what happens.
    pub news: UnboundedSender<News>,
}

/// Something that happened, for the daemon to act on and to tell.
#[derive(Debug)]
pub enum News {
    Member {
        group: Arc<str>,
        member: String,
        event: member::Event,
    },
    Handler(handlers::Event),
    /// What the cluster says of its topics, asked about once a second.
    Cluster(Result<BTreeMap<String, TopicState>, KafkaError>),
    /// Where partitions end that members hold and do not read.
    Ends(Vec<(Partition, i64)>),
}
