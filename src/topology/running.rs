//! What is up: the connections, the groups, the producers, and the handlers under watch.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::{Brokers, Config, Daemon, HandlerKind, Kafka, Log, Watch};
use crate::handlers::{HandlerSlot, HandlerStore, Timing};
use crate::kafka::{Admin, Cluster, Embedded, KafkaError, Sender};
use crate::member::MemberHandle;
use crate::observe::metrics::ClientMetrics;
use crate::observe::status::{BrokerStatus, HandlerStatus};
use crate::observe::{Board, LogGuard, Metrics};
use crate::preflight::{Checked, Programs};
use crate::script::Program;

use super::apply::Gone;
use super::group::RunningGroup;
use super::listen::connections;
use super::shown::Shown;
use super::{Ground, News, Watcher};

/// Everything that runs. Steps change it; nothing else does.
pub struct Running {
    pub(super) config: Config,
    generation: u64,
    pub(super) programs: Programs,
    pub(super) ground: Ground,
    pub(super) admin: Admin,
    pub(super) sender: Sender,
    /// What the sender tells of itself.
    sending: ClientMetrics,
    /// Lives as long as everything that talks to it.
    pub(super) embedded: Option<Embedded>,
    pub(super) handlers: HandlerStore,
    pub(super) gone: Gone,
    /// Topics that the configuration needs and the cluster has lost.
    pub(super) lost: BTreeSet<String>,
    pub(super) groups: BTreeMap<String, RunningGroup>,
    /// Producers, and what is looked at of groups.
    pub(super) shown: Arc<Shown>,
    pub(super) log: Arc<LogGuard>,
    #[cfg(test)]
    pub(super) fault: Option<super::tests::Fault>,
}

impl Running {
    /// The ground for `config`, with nothing on it yet: the embedded broker if there is to be one, and
    /// clients that need no broker to be made.
    ///
    /// # Errors
    /// No client or thread can be made.
    pub fn new(
        config: &Config,
        board: Board,
        metrics: Metrics,
        log: LogGuard,
        news: UnboundedSender<News>,
    ) -> Result<Self, String> {
        let embedded = match config.kafka.brokers {
            Brokers::Embedded => Some(Embedded::start().map_err(|error| error.message)?),
            Brokers::Servers(_) => None,
        };
        let cluster = Arc::new(cluster(config, &config.kafka, embedded.as_ref()));
        let (admin, sender) =
            clients(&cluster, embedded.as_ref()).map_err(|error| error.message)?;
        let handler_news = news.clone();
        let handlers = HandlerStore::start(config.daemon.watch, Timing::default(), move |event| {
            if handler_news.send(News::Handler(event)).is_err() {
                tracing::debug!("the daemon no longer listens");
            }
        })
        .map_err(|error| format!("no thread to watch handlers: {error}"))?;
        let nothing = Config {
            topics: BTreeMap::new(),
            producers: BTreeMap::new(),
            groups: BTreeMap::new(),
            ..config.clone()
        };
        let away = Arc::new(AtomicBool::new(false));
        let sending = metrics.any_producer();
        let log = Arc::new(log);
        let shown = Shown::new(board.clone(), away.clone(), nothing.clone(), log.clone());
        Ok(Self {
            config: nothing,
            generation: 0,
            programs: Programs::default(),
            shown: Arc::new(shown),
            ground: Ground {
                cluster,
                board,
                metrics,
                topics: Arc::new(ArcSwap::default()),
                away: away.clone(),
                news,
            },
            admin,
            sender,
            sending,
            embedded,
            handlers,
            gone: Gone::default(),
            lost: BTreeSet::new(),
            groups: BTreeMap::new(),
            log,
            #[cfg(test)]
            fault: None,
        })
    }

    /// What runs.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The reload whose configuration is in force; 1 is the start's, 0 is none yet.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    pub(super) fn set_config(&mut self, checked: Checked, generation: u64) {
        self.shown.set_config(checked.config.clone());
        self.config = checked.config;
        self.programs = checked.programs;
        self.generation = generation;
        for (name, group) in &self.groups {
            self.show_group(name, group);
        }
    }

    pub(super) fn connect(&mut self, kafka: &Kafka) -> Result<(), String> {
        let cluster = Arc::new(cluster(&self.config, kafka, self.embedded.as_ref()));
        let (admin, sender) =
            clients(&cluster, self.embedded.as_ref()).map_err(|error| error.message)?;
        self.ground.board.set_brokers(BrokerStatus {
            servers: cluster.servers.clone(),
            embedded: cluster.embedded,
            ..BrokerStatus::default()
        });
        self.ground.cluster = cluster;
        self.admin = admin;
        self.sender = sender;
        Ok(())
    }

    /// Passes on what the producers' client tells of itself.
    pub fn note_statistics(&self) {
        if let Some(statistics) = self.sender.statistics() {
            self.sending.connected(connections(statistics));
        }
    }

    pub(super) fn change_log(&mut self, log: &Log) -> Result<(), String> {
        self.log.apply(log).map_err(|error| error.to_string())
    }

    pub(super) fn change_daemon(&mut self, daemon: &Daemon) {
        self.handlers.set_mode(daemon.watch);
    }

    /// What may be looked at while this changes.
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    /// The programs that run now, whatever was read from disk since the last reload.
    pub(super) fn programs_in_use(&self) -> Programs {
        let mut programs = Programs::default();
        for group in self.groups.values() {
            let program = group.slot.current();
            programs.insert(&group.config.handler, HandlerKind::Consumer, program);
        }
        for producer in self.shown.producers().values() {
            let program = producer.slot.current();
            let file = program.file().to_owned();
            programs.insert(&file, HandlerKind::Producer, program);
        }
        programs
    }

    /// The handlers whose contents differ from what runs, although their settings do not: one line
    /// each. A watched file is taken up by itself within moments.
    pub fn changed_handlers(&self, wanted: &Checked) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |who: &str, slot: &HandlerSlot, now: Option<Arc<Program>>| {
            let was = slot.current();
            if let Some(now) = now
                && now.file() == was.file()
                && now.version() != was.version()
            {
                let file = crate::diagnostic::shown_path(now.file());
                let (was, now) = (was.version(), now.version());
                lines.push(format!("{who}: {file} changed, version {was} → {now}"));
            }
        };
        for (name, group) in &self.groups {
            if let Some(now) = wanted.config.groups.get(name) {
                compare(name, &group.slot, wanted.programs.consumer(&now.handler));
            }
        }
        for (name, producer) in self.shown.producers().iter() {
            if let Some(now) = wanted.config.producers.get(name) {
                let program = wanted.programs.producer(&now.handler);
                compare(&format!("producer {name}"), &producer.slot, program);
            }
        }
        lines
    }

    /// Watches the cluster's topics until what is returned is dropped.
    pub fn watch_cluster(&self) -> Watcher {
        Watcher::start(
            self.admin.clone(),
            self.ground.board.clone(),
            self.ground.news.clone(),
        )
    }

    /// Looks at every handler file now, whatever the watch mode.
    pub fn check_handlers_now(&self) {
        self.handlers.check_now();
    }

    /// Takes note of the topics that the broker knows; those of the config are known anyway.
    pub fn know_topics(&self, broker: impl Iterator<Item = String>) {
        let known: HashSet<String> = broker.chain(self.config.topics.keys().cloned()).collect();
        self.ground.topics.store(Arc::new(known));
    }

    /// Has everything that is stuck tried again.
    pub fn resume_stuck(&self) {
        for group in self.groups.values() {
            group.resume_stuck();
        }
    }

    /// Lets a group's members see new partitions of a topic.
    pub fn refresh_readers_of(&self, topic: &str) {
        for name in self.readers_of(topic) {
            self.groups[&name].refresh_topics();
        }
    }

    /// The groups that read a topic.
    pub fn readers_of(&self, topic: &str) -> Vec<String> {
        let readers = self
            .groups
            .iter()
            .filter(|(_, group)| group.config.topics.iter().any(|read| read == topic));
        readers.map(|(name, _)| name.clone()).collect()
    }

    /// Members that are at their end without having been asked.
    pub fn take_dead_members(&mut self) -> Vec<MemberHandle> {
        self.groups
            .values_mut()
            .flat_map(RunningGroup::take_dead)
            .collect()
    }

    /// Stops everything in order: producers first, then all members at once, each of which drains,
    /// commits and leaves. Whoever is not done by `deadline` is left behind.
    ///
    /// # Errors
    /// Names what did not end in time or ended badly.
    pub async fn stop(&mut self, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        let mut result = Ok(());
        let names: Vec<String> = self.shown.producers().keys().cloned().collect();
        for name in names {
            result = result.and(self.remove_producer_within(&name, within).await);
        }
        for group in self.groups.values_mut() {
            let numbers: Vec<u32> = group.members.keys().copied().collect();
            // A static member will be back under its id; its place is kept.
            group.tell_to_stop(numbers, false, within);
        }
        for (name, group) in &mut self.groups {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left + Duration::from_secs(2);
            let outcome = tokio::time::timeout(left, group.all_have_left()).await;
            result = result.and(outcome.unwrap_or_else(|_| {
                Err(format!("members of {name} did not end within {within:?}"))
            }));
        }
        result
    }
}

/// The program that other settings bring along: that of another file, or what the file holds by now
/// where nobody watches it. A watched file is taken up by itself, in its newest version.
pub(super) fn comes_along(
    running: &Config,
    slot: &HandlerSlot,
    compiled: Option<Arc<Program>>,
) -> Result<Option<Arc<Program>>, ()> {
    let program = compiled.ok_or(())?;
    let was = slot.current();
    let unwatched = running.daemon.watch == Watch::Off && program.version() != was.version();
    Ok((unwatched || program.file() != was.file()).then_some(program))
}

fn cluster(config: &Config, kafka: &Kafka, embedded: Option<&Embedded>) -> Cluster {
    let servers = match (&kafka.brokers, embedded) {
        (Brokers::Servers(servers), _) => servers.clone(),
        (Brokers::Embedded, broker) => broker
            .map(|broker| broker.servers().to_owned())
            .unwrap_or_default(),
    };
    Cluster {
        servers,
        embedded: embedded.is_some(),
        properties: kafka.properties.clone(),
        instance: config.daemon.instance.clone(),
    }
}

fn clients(cluster: &Cluster, embedded: Option<&Embedded>) -> Result<(Admin, Sender), KafkaError> {
    let admin = Admin::new(cluster, embedded)?;
    let client_id = format!("{}-producers", cluster.instance);
    let sender = Sender::new(cluster, &cluster.properties, &client_id)?;
    Ok((admin, sender))
}

pub(super) fn handler_status(slot: &HandlerSlot) -> HandlerStatus {
    let program = slot.current();
    HandlerStatus {
        file: crate::diagnostic::shown_path(program.file()),
        version: program.version().to_owned(),
        error: slot.error().map(|mistakes| {
            let texts: Vec<String> = mistakes.iter().map(|mistake| mistake.render()).collect();
            texts.join("\n")
        }),
    }
}
