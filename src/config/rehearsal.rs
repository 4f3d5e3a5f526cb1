//! A rehearsal: one group as `deliveryd verify` runs it, under another group id and on temporary topics.
//!
//! [`Rehearsal::apply`] makes the configuration of one process out of the user's own; what the members
//! have to know of it goes with their group as [`Stage`]. Real topics see nothing of it: every name that
//! is read or written is that of a temporary topic, and the handler sees only the real ones.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::types::{Config, Start, Topic, Watch};

/// The name of every topic and group of a rehearsal begins so.
pub const PREFIX: &str = "deliveryd-verify.";

/// Below Kafka's 249, with room for `.dead` behind it.
const LONGEST: usize = 240;

/// One process of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Tells this run's topics from those of others.
    pub run: String,
    /// The group's own id.
    pub group: String,
    /// From 1.
    pub process: u32,
    /// Where its socket goes.
    pub directory: PathBuf,
}

/// What a rehearsed group's members know beside its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub run: String,
    /// The group's own id, as the handler sees it.
    pub group: String,
    /// The temporary topics that the group reads, each with the real one's name.
    pub reads: BTreeMap<String, Arc<str>>,
    /// Real topics that the configuration names: a handler may emit to them.
    pub topics: BTreeMap<String, Topic>,
}

impl Stage {
    /// Where receipts go.
    pub fn receipts(&self) -> String {
        receipts(&self.run)
    }

    /// The temporary topic that stands for `real`.
    pub fn temporary(&self, real: &str) -> String {
        temporary(&self.run, real)
    }

    /// The name of a topic as the handler is to see it.
    pub fn real<'a>(&'a self, topic: &'a Arc<str>) -> &'a Arc<str> {
        self.reads.get(&**topic).unwrap_or(topic)
    }

    /// Whether the group itself reads the real topic.
    pub fn reads_real(&self, topic: &str) -> bool {
        self.reads.values().any(|real| **real == *topic)
    }
}

/// The name that stands for a real topic or group in a run.
pub fn temporary(run: &str, real: &str) -> String {
    let whole = format!("{PREFIX}{run}.{real}");
    if whole.len() <= LONGEST {
        return whole;
    }
    let hash = format!("-{:016x}", XxHash3_64::oneshot(real.as_bytes()));
    // Kafka's names are ASCII; a group's need not be.
    let end = whole.floor_char_boundary(LONGEST - hash.len());
    format!("{}{hash}", &whole[..end])
}

/// The topic of a run's receipts.
pub fn receipts(run: &str) -> String {
    format!("{PREFIX}{run}-receipts")
}

/// The run that a topic or group belongs to, if to any.
pub fn run_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PREFIX)?;
    let run = rest.strip_suffix("-receipts").unwrap_or(rest);
    Some(run.split_once('.').map_or(run, |(run, _)| run))
}

impl Rehearsal {
    /// Leaves of `config` only the group, on temporary topics.
    ///
    /// # Errors
    /// There is no such group.
    pub fn apply(&self, config: &mut Config) -> Result<(), String> {
        let known = known_topics(config);
        let Some(mut group) = config.groups.remove(&self.group) else {
            return Err(format!("there is no group `{}`", self.group));
        };
        let reads: BTreeMap<String, Arc<str>> = group
            .topics
            .iter()
            .map(|real| (temporary(&self.run, real), Arc::from(real.as_str())))
            .collect();
        group.topics = reads.keys().cloned().collect();
        group.start = Start::Earliest;
        group.on_failure.topic = group
            .on_failure
            .topic
            .map(|topic| temporary(&self.run, &topic));
        // They are made before any process starts, as large as the real ones.
        let topic = Topic {
            partitions: None,
            replication: None,
            config: BTreeMap::new(),
            create: false,
        };
        config.topics = group
            .topics
            .iter()
            .map(|name| (name.clone(), topic.clone()))
            .collect();
        group.stage = Some(Arc::new(Stage {
            run: self.run.clone(),
            group: self.group.clone(),
            reads,
            topics: known,
        }));
        config.groups = BTreeMap::from([(temporary(&self.run, &self.group), group)]);
        config.producers.clear();
        config.log.file = None;
        config.daemon.instance = format!("{PREFIX}{}-{}", self.run, self.process);
        config.daemon.http = None;
        config.daemon.watch = Watch::Off;
        config.daemon.control = self.socket();
        Ok(())
    }

    /// The process's control socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(format!("{}.sock", self.process))
    }
}

/// What the configuration names as topics: its tables', and those that dead letters go to.
fn known_topics(config: &Config) -> BTreeMap<String, Topic> {
    let mut known = config.topics.clone();
    for group in config.groups.values() {
        for topic in &group.topics {
            let source = config.topics.get(topic);
            let dead = group.on_failure.dead_letter_topic(topic);
            if let (Some(source), false) = (source, known.contains_key(&dead)) {
                known.insert(dead, source.clone());
            }
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::super::load::{Invocation, Permissive, load};
    use super::*;

    fn config() -> Config {
        let invocation = Invocation {
            file: PathBuf::from("config/default.toml"),
            sets: vec![
                "groups.group-1.on_failure.topic=Failed".into(),
                "log.file=/var/log/real.log".into(),
            ],
            env: BTreeMap::new(),
        };
        let loaded = load(&invocation, &Permissive);
        loaded.unwrap_or_else(|failed| panic!("{failed:?}")).config
    }

    fn rehearsal() -> Rehearsal {
        Rehearsal {
            run: "r1".into(),
            group: "group-1".into(),
            process: 2,
            directory: "/run/x".into(),
        }
    }

    /// Nothing of the real cluster or of the real daemon's places is left in the configuration.
    #[test]
    fn nothing_real_is_left() {
        let real = config();
        let mut config = real.clone();
        rehearsal().apply(&mut config).expect("the group is there");
        assert_eq!(
            config.topics.keys().collect::<Vec<_>>(),
            ["deliveryd-verify.r1.Delivery"]
        );
        let (id, group) = config.groups.first_key_value().expect("one group");
        assert_eq!(
            (id.as_str(), config.groups.len()),
            ("deliveryd-verify.r1.group-1", 1)
        );
        assert_eq!(group.topics, ["deliveryd-verify.r1.Delivery"]);
        let dead = group.on_failure.dead_letter_topic(&group.topics[0]);
        assert_eq!(dead, "deliveryd-verify.r1.Failed");
        assert!(config.producers.is_empty() && config.log.file.is_none());
        assert_eq!(config.daemon.http, None);
        assert_eq!(config.daemon.instance, "deliveryd-verify.r1-2");
        assert_eq!(config.daemon.control, PathBuf::from("/run/x/2.sock"));
        assert_eq!(config.kafka, real.kafka);
    }

    /// Everything else that the group was given stays as it is, and the handler sees the real names.
    #[test]
    fn the_group_keeps_its_settings_and_its_names() {
        let real = config();
        let mut config = real.clone();
        rehearsal().apply(&mut config).expect("the group is there");
        let group = config.groups.values().next().expect("one group");
        let stage = group.stage.clone().expect("a stage");
        assert_eq!(stage.group, "group-1");
        assert_eq!(
            **stage.real(&Arc::from("deliveryd-verify.r1.Delivery")),
            *"Delivery"
        );
        assert_eq!(**stage.real(&Arc::from("Other")), *"Other");
        assert!(stage.reads_real("Delivery") && !stage.reads_real("deliveryd-verify.r1.Delivery"));
        assert!(stage.topics.contains_key("Delivery") && stage.topics.contains_key("Failed"));
        let mut back = group.clone();
        back.topics = real.groups["group-1"].topics.clone();
        back.on_failure.topic = Some("Failed".into());
        back.stage = None;
        assert_eq!(back, real.groups["group-1"]);
    }

    /// A group that is not there is named.
    #[test]
    fn a_group_that_is_not_there_is_named() {
        let mut rehearsal = rehearsal();
        rehearsal.group = "none".into();
        let error = rehearsal.apply(&mut config()).expect_err("no such group");
        assert_eq!(error, "there is no group `none`");
    }

    /// Names stay within Kafka's limit, differ where the real ones do, and lead back to their run.
    #[test]
    fn long_names_stay_apart() {
        let long = |last: &str| temporary("r1", &format!("{}{last}", "x".repeat(240)));
        assert!(long("a").len() <= LONGEST);
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a"), long("a"));
        for name in [long("a"), temporary("r1", "a.b-receipts"), receipts("r1")] {
            assert_eq!(run_of(&name), Some("r1"), "{name}");
        }
        assert_eq!(run_of("Delivery"), None);
    }
}
