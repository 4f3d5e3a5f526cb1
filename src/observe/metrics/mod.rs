//! The metrics that Prometheus scrapes.
//!
//! Members and producers fetch their handles once and add whole batches to them. What is true now
//! (lag, states, versions) is read from the board at each scrape and kept nowhere.
//!
//! Counters never go back and are never removed while the process lives: those of a member that left
//! stay at their last value and go on when one of its name comes again. That is what `rate()` and
//! `increase()` expect; who wants only what runs now looks at the gauges, whose series go with what
//! they describe. Only the counters of a handler's versions are bounded: see `versions`.

mod clients;
mod exposition;
mod gauges;
mod process;
#[cfg(test)]
mod tests;
mod timings;
mod user;
mod versions;

use std::fmt::{self, Write};
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::board::Board;
pub use clients::{ClientMetrics, Connection, ConnectionState};
pub use exposition::Exposition;
pub use timings::{Histogram, Timings};
pub use user::{NAMES_PER_GROUP, UserMetrics};
pub use versions::{CallCounters, VERSIONS_PER_GROUP};

/// Upper bounds in seconds: a call of a compiled script to its timeout.
const HANDLER_SECONDS: &[f64] = &[
    0.000_001, 0.000_005, 0.000_025, 0.000_1, 0.000_5, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0,
];
/// Upper bounds in seconds.
const REBALANCE_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// How a message was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The handler returned and what it emitted is acknowledged.
    Done,
    /// Given up; its dead letter is acknowledged.
    DeadLettered,
    /// Given up by the policy `skip`.
    Skipped,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::DeadLettered, Self::Skipped];
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Done => "done",
            Self::DeadLettered => "dead_lettered",
            Self::Skipped => "skipped",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    group: Arc<str>,
    member: Arc<str>,
    topic: Arc<str>,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMember {
    group: Arc<str>,
    member: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGroup {
    group: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Produced {
    producer: Arc<str>,
    topic: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadResult {
    result: &'static str,
}

/// All metrics of the process. Clones are the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    handled: Family<Handled, Counter>,
    failed: Family<OfMember, Counter>,
    retried: Family<OfMember, Counter>,
    commits_refused: Family<OfMember, Counter>,
    produced: Family<Produced, Counter>,
    produce_failed: Family<Produced, Counter>,
    handler_seconds: Family<OfGroup, Histogram, fn() -> Histogram>,
    rebalances: Family<OfGroup, Counter>,
    rebalance_seconds: Family<OfGroup, Histogram, fn() -> Histogram>,
    reloads: Family<ReloadResult, Counter>,
    versions: versions::Versions,
    user: user::UserRegistry,
    clients: clients::Clients,
}

impl Metrics {
    /// Metrics that read what is true now from `board`.
    pub fn new(board: &Board) -> Self {
        let mut inner = Inner {
            registry: Registry::default(),
            handled: Family::default(),
            failed: Family::default(),
            retried: Family::default(),
            commits_refused: Family::default(),
            produced: Family::default(),
            produce_failed: Family::default(),
            handler_seconds: Family::new_with_constructor(|| Histogram::new(HANDLER_SECONDS)),
            rebalances: Family::default(),
            rebalance_seconds: Family::new_with_constructor(|| Histogram::new(REBALANCE_SECONDS)),
            reloads: Family::default(),
            versions: versions::Versions::default(),
            user: user::UserRegistry::default(),
            clients: clients::Clients::default(),
        };
        inner.register(board);
        for result in ["ok", "refused"] {
            // Both are there from the start: an alert on a missing series never fires.
            inner.reloads.get_or_create_owned(&ReloadResult { result });
        }
        Self(Arc::new(inner))
    }

    /// A group's handles.
    pub fn group(&self, group: &str) -> GroupMetrics {
        let group: Arc<str> = Arc::from(group);
        let labels = OfGroup {
            group: Arc::clone(&group),
        };
        GroupMetrics {
            handler_seconds: self.0.handler_seconds.get_or_create_owned(&labels),
            rebalances: self.0.rebalances.get_or_create_owned(&labels),
            rebalance_seconds: self.0.rebalance_seconds.get_or_create_owned(&labels),
            group,
            all: self.clone(),
        }
    }

    /// What the script of a group or a producer counts and observes itself.
    pub fn user(&self, group: &str) -> UserMetrics {
        UserMetrics::new(&Arc::from(group), &self.0.user)
    }

    /// A producer's handles.
    pub fn producer(&self, producer: &str, topic: &str) -> ProducerMetrics {
        let labels = Produced {
            producer: Arc::from(producer),
            topic: Arc::from(topic),
        };
        ProducerMetrics {
            produced: self.0.produced.get_or_create_owned(&labels),
            failed: self.0.produce_failed.get_or_create_owned(&labels),
        }
    }

    /// What the client of a member's consumer tells of itself.
    pub fn consumer(&self, group: &str, member: &str) -> ClientMetrics {
        self.0.clients.consumer(group, member)
    }

    /// The same of a client that produces.
    pub fn any_producer(&self) -> ClientMetrics {
        self.0.clients.producer()
    }

    /// Counts a reload that was applied or refused.
    pub fn reloaded(&self, ok: bool) {
        let result = if ok { "ok" } else { "refused" };
        let reloads = &self.0.reloads;
        reloads.get_or_create_owned(&ReloadResult { result }).inc();
    }

    /// Everything, as text.
    pub fn text(&self, exposition: Exposition) -> String {
        let mut text = String::new();
        // Writing to a String fails only when a collector says so, and ours don't.
        if prometheus_client::encoding::text::encode(&mut text, &self.0.registry).is_err() {
            tracing::error!("the metrics could not be written as text");
        }
        match exposition {
            Exposition::OpenMetrics => text,
            Exposition::Prometheus => exposition::to_prometheus(&text),
        }
    }
}

impl Inner {
    fn register(&mut self, board: &Board) {
        let started = board.snapshot().started_at.as_millisecond() as f64 / 1e3;
        let registry = &mut self.registry;
        registry.register_collector(Box::new(gauges::Gauges(board.clone())));
        registry.register_collector(Box::new(process::Process { started }));
        registry.register_collector(Box::new(self.user.clone()));
        registry.register_collector(Box::new(self.clients.clone()));
        let registry = registry.sub_registry_with_prefix("deliveryd");
        registry.register(
            "messages_handled",
            "Messages finished, by how",
            self.handled.clone(),
        );
        registry.register(
            "handler_failures",
            "Calls of a handler that ended in an error or a rejection, each attempt counted",
            self.failed.clone(),
        );
        registry.register(
            "messages_retried",
            "Failed calls that were tried again",
            self.retried.clone(),
        );
        registry.register(
            "commits_refused",
            "Commits that the broker refused",
            self.commits_refused.clone(),
        );
        registry.register(
            "messages_produced",
            "Messages of producers that the broker acknowledged",
            self.produced.clone(),
        );
        registry.register(
            "messages_produce_failed",
            "Messages of producers that were not made or not taken",
            self.produce_failed.clone(),
        );
        registry.register(
            "handler_seconds",
            "Time of one call of a handler",
            self.handler_seconds.clone(),
        );
        registry.register(
            "handler_calls",
            "Calls of a group's handler by its version and how they ended, of the newest versions",
            self.versions.calls(),
        );
        registry.register(
            "rebalances",
            "Rebalances that are over",
            self.rebalances.clone(),
        );
        registry.register(
            "rebalance_seconds",
            "Time from the first sign of a rebalance to the last new owner",
            self.rebalance_seconds.clone(),
        );
        registry.register(
            "reloads",
            "Reloads of the configuration, by result",
            self.reloads.clone(),
        );
    }
}

/// One group's handles.
#[derive(Clone)]
pub struct GroupMetrics {
    group: Arc<str>,
    all: Metrics,
    /// For [`Histogram::timings`] of each member.
    pub handler_seconds: Histogram,
    pub rebalances: Counter,
    pub rebalance_seconds: Histogram,
}

impl GroupMetrics {
    /// One member's handles, to be fetched once when it starts.
    pub fn member(&self, member: &str) -> MemberMetrics {
        let labels = OfMember {
            group: Arc::clone(&self.group),
            member: Arc::from(member),
        };
        let all = &self.all.0;
        MemberMetrics {
            failed: all.failed.get_or_create_owned(&labels),
            retried: all.retried.get_or_create_owned(&labels),
            commits_refused: all.commits_refused.get_or_create_owned(&labels),
            handler_seconds: self.handler_seconds.timings(),
            user: UserMetrics::new(&self.group, &all.user),
            version: None,
            labels,
            all: self.all.clone(),
            topics: Vec::new(),
        }
    }
}

/// One member's handles. Counters are added to in batches; `flush` makes the rest visible.
pub struct MemberMetrics {
    labels: OfMember,
    all: Metrics,
    topics: Vec<(Arc<str>, [Counter; 3])>,
    /// The version that calls were last counted for.
    version: Option<(Arc<str>, CallCounters)>,
    /// Calls that ended in an error or a rejection.
    pub failed: Counter,
    /// Of those, the ones that are tried again.
    pub retried: Counter,
    pub commits_refused: Counter,
    /// Seconds of each call.
    pub handler_seconds: Timings,
    /// What the handler counts and observes itself.
    pub user: UserMetrics,
}

impl MemberMetrics {
    /// The counter of messages of `topic` that were finished so; add a batch with `inc_by`.
    pub fn handled(&mut self, topic: &Arc<str>, outcome: Outcome) -> &Counter {
        // A member has a handful of topics: looking through them is quicker than hashing.
        let known = self.topics.iter().position(|(known, _)| known == topic);
        let at = known.unwrap_or_else(|| {
            let counters = Outcome::ALL.map(|outcome| {
                self.all.0.handled.get_or_create_owned(&Handled {
                    group: Arc::clone(&self.labels.group),
                    member: Arc::clone(&self.labels.member),
                    topic: Arc::clone(topic),
                    outcome,
                })
            });
            self.topics.push((Arc::clone(topic), counters));
            self.topics.len() - 1
        });
        &self.topics[at].1[outcome as usize]
    }

    /// The counters of the calls of one version of the group's handler.
    pub fn of_version(&mut self, version: &str) -> &CallCounters {
        let known = self.version.take();
        let known = known.filter(|(known, _)| **known == *version);
        let (_, counters) = self.version.insert(known.unwrap_or_else(|| {
            let versions = &self.all.0.versions;
            (version.into(), versions.of(&self.labels.group, version))
        }));
        counters
    }

    /// Makes visible what was timed and observed since the last time.
    pub fn flush(&mut self) {
        self.handler_seconds.flush();
        self.user.flush();
    }
}

/// One producer's handles.
#[derive(Debug, Clone)]
pub struct ProducerMetrics {
    /// Acknowledged by the broker.
    pub produced: Counter,
    /// Not made by the generator, or not taken by the broker.
    pub failed: Counter,
}
