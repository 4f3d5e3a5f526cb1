//! The board: everyone who runs writes their own corner, readers take a snapshot of all of it.
//!
//! The daemon sets what concerns all; a member gets a [`MemberBoard`] and a producer a
//! [`ProducerBoard`] to publish on. A corner is locked by its one writer and, briefly, by a reader;
//! nothing is done per message. When a member's handle is dropped it leaves the board, and what it
//! counted stays in its group's totals.

mod corner;
mod handles;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::clock;
use super::pulse::Pulse;
use super::status::{
    BrokerState, BrokerStatus, DaemonState, HandlerStatus, Lessons, MemberStatus, ProducerState,
    ProducerStatus, Rate, Rebalance, Reload, Status, TopicStatus, Totals,
};
pub use corner::GroupInfo;
use corner::{Corner, GroupCorner};
pub use handles::{MemberBoard, ProducerBoard};

/// Reloads and rebalances that are remembered, each.
const REMEMBERED: usize = 20;

/// See the module. Clones are the same board.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    instance: String,
    started_at: Timestamp,
    daemon: Mutex<Daemon>,
    groups: Mutex<BTreeMap<String, GroupCorner>>,
    producers: Mutex<BTreeMap<String, Arc<Corner<ProducerStatus>>>>,
    /// What those counted that are no longer on the board: the groups' totals and the closing
    /// lines need it. Locked after `groups` and `producers`, and while holding them.
    gone: Mutex<Summary>,
    /// Of the daemon's own loop.
    pulse: Pulse,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Daemon {
    config: PathBuf,
    state: DaemonState,
    generation: u64,
    brokers: BrokerStatus,
    reloads: VecDeque<Reload>,
    on_disk: Option<String>,
    topics: BTreeMap<String, TopicStatus>,
    lessons: Lessons,
}

/// A loop that has stopped going round.
#[derive(Debug, Clone, PartialEq)]
pub struct Wedged {
    /// `member group-1-2`, `producer random` or `the daemon`.
    pub who: String,
    pub silent_for: Duration,
}

impl fmt::Display for Wedged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.silent_for.as_secs();
        write!(f, "{} has not gone round for {seconds} s", self.who)
    }
}

/// What was done since the start, for the closing lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// By group and member, those that left included.
    pub groups: BTreeMap<String, BTreeMap<String, Totals>>,
    /// Produced and failed, by producer.
    pub producers: BTreeMap<String, (u64, u64)>,
}

impl Summary {
    fn count_member(&mut self, group: &str, status: &MemberStatus) {
        let members = self.groups.entry(group.to_owned()).or_default();
        *members.entry(status.name.clone()).or_default() += status.totals;
    }

    fn count_producer(&mut self, name: &str, status: &ProducerStatus) {
        let (produced, failed) = self.producers.entry(name.to_owned()).or_default();
        *produced += status.produced;
        *failed += status.failed;
    }
}

impl Board {
    /// An empty board of a daemon that starts now with generation 1.
    pub fn new(instance: &str) -> Self {
        Self(Arc::new(Shared {
            instance: instance.to_owned(),
            started_at: clock::now(),
            daemon: Mutex::new(Daemon {
                generation: 1,
                ..Daemon::default()
            }),
            groups: Mutex::default(),
            producers: Mutex::default(),
            gone: Mutex::default(),
            pulse: Pulse::new(Duration::ZERO),
            changes: watch::Sender::new(0),
        }))
    }

    /// Counts up whenever something is written; for readers that follow along.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The daemon's own loop went round; it says so every second.
    pub fn beat(&self) {
        self.0.pulse.beat(Instant::now());
    }

    /// The configuration's file.
    pub fn set_config(&self, file: &Path) {
        self.daemon(|daemon| daemon.config = file.to_owned());
    }

    pub fn set_state(&self, state: DaemonState) {
        self.daemon(|daemon| daemon.state = state);
    }

    pub fn set_brokers(&self, brokers: BrokerStatus) {
        self.daemon(|daemon| daemon.brokers = brokers);
    }

    /// Whether the brokers can be reached, and what is wrong if not.
    pub fn set_broker_state(&self, state: BrokerState, reason: Option<String>) {
        self.daemon(|daemon| {
            daemon.brokers.state = state;
            daemon.brokers.reason = reason;
        });
    }

    /// A topic that has just been created or grown; the next [`Board::set_topics`] overrides it.
    pub fn set_topic(&self, name: &str, topic: TopicStatus) {
        self.daemon(|daemon| {
            daemon.topics.insert(name.to_owned(), topic);
        });
    }

    /// The topics that the config names, as the cluster has them.
    pub fn set_topics(&self, topics: BTreeMap<String, TopicStatus>) {
        self.daemon(|daemon| daemon.topics = topics);
    }

    /// Why the files on disk would not start again; `None` when they would.
    pub fn set_on_disk(&self, problem: Option<String>) {
        self.daemon(|daemon| daemon.on_disk = problem);
    }

    /// What has been seen of the five lessons.
    pub fn set_lessons(&self, lessons: Lessons) {
        self.daemon(|daemon| daemon.lessons = lessons);
    }

    /// Notes a reload's result; if it went well its generation is in force from now on.
    pub fn reloaded(&self, reload: Reload) {
        self.daemon(|daemon| {
            if reload.ok {
                daemon.generation = reload.generation;
            }
            remember(&mut daemon.reloads, reload);
        });
    }

    /// Shows a group, or changes what is shown of it.
    pub fn set_group(&self, group: &str, info: GroupInfo) {
        self.create_group(group, |corner| corner.info = info);
    }

    /// Shows which handler a group runs, and why a changed one is refused.
    pub fn set_group_handler(&self, group: &str, handler: HandlerStatus) {
        self.group(group, |corner| corner.info.handler = handler);
    }

    /// Shows that a group goes on from offsets which it had before it was started here.
    pub fn set_group_continues(&self, group: &str) {
        self.group(group, |corner| corner.continues = true);
    }

    /// Shows a group as paused by command, or no longer.
    pub fn set_group_paused(&self, group: &str, paused: bool) {
        self.group(group, |corner| corner.info.paused = paused);
    }

    /// Notes a rebalance that is over.
    pub fn rebalanced(&self, group: &str, rebalance: Rebalance) {
        self.group(group, |corner| {
            corner.rebalances += 1;
            remember(&mut corner.history, rebalance);
        });
    }

    /// Takes a group off the board, after its members have left. What they counted is kept.
    pub fn remove_group(&self, group: &str) {
        lock(&self.0.groups).remove(group);
        self.changed();
    }

    /// A place for member `number` of `group`. `longest_call` is its `handler_timeout`.
    pub fn member(&self, group: &str, number: u32, longest_call: Duration) -> MemberBoard {
        let name = format!("{group}-{number}");
        let corner = Arc::new(Corner {
            status: Mutex::new(MemberStatus {
                name: name.clone(),
                ..MemberStatus::default()
            }),
            pulse: Pulse::new(longest_call),
        });
        self.create_group(group, |place| {
            place.members.push((number, Arc::clone(&corner)));
            place.members.sort_by_key(|(number, _)| *number);
        });
        MemberBoard {
            board: self.clone(),
            group: group.to_owned(),
            name,
            corner,
            published: None,
        }
    }

    /// A place for a producer. `longest_call` is what one call of its generator may take.
    pub fn producer(
        &self,
        name: &str,
        topic: &str,
        rate: Rate,
        longest_call: Duration,
    ) -> ProducerBoard {
        let corner = Arc::new(Corner {
            status: Mutex::new(ProducerStatus {
                topic: topic.to_owned(),
                rate,
                state: ProducerState::Starting,
                reason: None,
                produced: 0,
                failed: 0,
                handler: HandlerStatus::default(),
                silent_seconds: 0.0,
            }),
            pulse: Pulse::new(longest_call),
        });
        self.replace_producer(name, Some(Arc::clone(&corner)));
        ProducerBoard {
            board: self.clone(),
            corner,
            published: None,
        }
    }

    /// What a producer that was taken off had counted is counted on by the one that takes its place.
    pub fn counts_on(&self, name: &str, produced: u64, failed: u64) {
        if let Some(gone) = lock(&self.0.gone).producers.get_mut(name) {
            gone.0 = gone.0.saturating_sub(produced);
            gone.1 = gone.1.saturating_sub(failed);
        }
    }

    /// Takes a producer off the board.
    pub fn remove_producer(&self, name: &str) {
        self.replace_producer(name, None);
    }

    /// Everything, now.
    pub fn snapshot(&self) -> Status {
        let now = Instant::now();
        let groups = {
            let groups = lock(&self.0.groups);
            let gone = lock(&self.0.gone);
            let snapshot = |(name, corner): (&String, &GroupCorner)| {
                (name.clone(), corner.snapshot(now, gone.groups.get(name)))
            };
            groups.iter().map(snapshot).collect()
        };
        let producers = lock(&self.0.producers)
            .iter()
            .map(|(name, corner)| (name.clone(), corner.snapshot(now)))
            .collect();
        let daemon = lock(&self.0.daemon);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.0.instance.clone(),
            config: daemon.config.clone(),
            started_at: self.0.started_at,
            generation: daemon.generation,
            state: daemon.state,
            brokers: daemon.brokers.clone(),
            last_reload: daemon.reloads.back().cloned(),
            reloads: daemon.reloads.iter().cloned().collect(),
            on_disk: daemon.on_disk.clone(),
            topics: daemon.topics.clone(),
            producers,
            groups,
            lessons: daemon.lessons.clone(),
        }
    }

    /// The loops that have not gone round for longer than slow work explains.
    pub fn wedged(&self) -> Vec<Wedged> {
        self.wedged_at(Instant::now())
    }

    fn wedged_at(&self, now: Instant) -> Vec<Wedged> {
        let mut wedged = Vec::new();
        let mut look = |who: String, pulse: &Pulse| {
            if pulse.is_wedged(now) {
                let silent_for = pulse.silent_for(now);
                wedged.push(Wedged { who, silent_for });
            }
        };
        look("the daemon".to_owned(), &self.0.pulse);
        for corner in lock(&self.0.groups).values() {
            for (_, member) in &corner.members {
                let name = lock(&member.status).name.clone();
                look(format!("member {name}"), &member.pulse);
            }
        }
        for (name, corner) in lock(&self.0.producers).iter() {
            let state = lock(&corner.status).state;
            if !matches!(state, ProducerState::Finished | ProducerState::Stopped) {
                look(format!("producer {name}"), &corner.pulse);
            }
        }
        wedged
    }

    /// What was done since the start, by those that are gone too.
    pub fn summary(&self) -> Summary {
        let groups = lock(&self.0.groups);
        let producers = lock(&self.0.producers);
        let mut summary = lock(&self.0.gone).clone();
        for (group, corner) in groups.iter() {
            summary.groups.entry(group.clone()).or_default();
            for (_, member) in &corner.members {
                summary.count_member(group, &lock(&member.status));
            }
        }
        for (name, corner) in producers.iter() {
            summary.count_producer(name, &lock(&corner.status));
        }
        summary
    }

    /// A member leaves: its group's totals keep what it counted.
    fn leave(&self, group: &str, member: &Arc<Corner<MemberStatus>>) {
        {
            let mut groups = lock(&self.0.groups);
            if let Some(corner) = groups.get_mut(group) {
                corner
                    .members
                    .retain(|(_, other)| !Arc::ptr_eq(other, member));
            }
            lock(&self.0.gone).count_member(group, &lock(&member.status));
        }
        self.changed();
    }

    fn replace_producer(&self, name: &str, by: Option<Arc<Corner<ProducerStatus>>>) {
        {
            let mut producers = lock(&self.0.producers);
            let before = match by {
                Some(corner) => producers.insert(name.to_owned(), corner),
                None => producers.remove(name),
            };
            if let Some(before) = before {
                lock(&self.0.gone).count_producer(name, &lock(&before.status));
            }
        }
        self.changed();
    }

    fn daemon(&self, change: impl FnOnce(&mut Daemon)) {
        change(&mut lock(&self.0.daemon));
        self.changed();
    }

    fn create_group(&self, group: &str, change: impl FnOnce(&mut GroupCorner)) {
        change(lock(&self.0.groups).entry(group.to_owned()).or_default());
        self.changed();
    }

    /// Changes a group that is there: news of a removed one must not bring it back.
    fn group(&self, group: &str, change: impl FnOnce(&mut GroupCorner)) {
        if let Some(corner) = lock(&self.0.groups).get_mut(group) {
            change(corner);
        }
        self.changed();
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }
}

fn remember<T>(history: &mut VecDeque<T>, latest: T) {
    history.push_back(latest);
    while history.len() > REMEMBERED {
        history.pop_front();
    }
}

/// A panic elsewhere leaves a status that is old at worst: it is still the best there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
