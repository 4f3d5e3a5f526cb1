//! `deliveryd dlq`: dead letters listed, shown and replayed, without a running daemon.

mod args;
mod list;
mod progress;
mod replay;
mod show;

use std::collections::BTreeSet;
use std::io;

use super::cluster::NoCluster;
use super::{Exit, Output};
use crate::config::{Config, Failed, Group, Permissive, load, suggest};
use crate::control::Wanted;
use crate::dlq::{Filter, Letters, Place};
use crate::kafka::{Admin, Cluster, KafkaError};
use crate::observe::Format;

pub use args::DlqCommand;
use args::Which;

/// Why a command can not be done.
enum Trouble {
    /// The command line asks for what can not be.
    Usage(String),
    Config(Box<Failed>),
    /// The cluster does not do what is asked.
    Failed(String),
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Self {
        Self::Failed(error.message)
    }
}

/// Does what is said; `daemon` says which config, and for the embedded broker which daemon.
///
/// # Errors
/// What the writers say.
pub fn dlq(
    command: &DlqCommand,
    format: Format,
    daemon: &Wanted,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    match command {
        DlqCommand::List { which, json } => list::list(which, *json, daemon, output),
        DlqCommand::Show(args) => show::show(args, daemon, output),
        DlqCommand::Replay(args) => replay::replay(args, format, daemon, output),
    }
}

/// Where letters are and which of them are meant.
struct Desk {
    config: Config,
    cluster: Cluster,
    admin: Admin,
    /// The dead-letter topics.
    topics: Vec<String>,
    filter: Filter,
}

impl Desk {
    fn open(which: &Which, places: &[Place], daemon: &Wanted) -> Result<Self, Trouble> {
        let Some(invocation) = &daemon.config else {
            return Err(Trouble::Usage(
                "which configuration? Say --config FILE: it names the brokers and the groups"
                    .to_owned(),
            ));
        };
        // No handler is run here but one, which is compiled then.
        let config = match load(invocation, &Permissive) {
            Ok(loaded) => loaded.config,
            Err(failed) => return Err(Trouble::Config(Box::new(failed))),
        };
        if let Some(id) = &which.group
            && !config.groups.contains_key(id)
        {
            return Err(Trouble::Usage(no_group(id, &config)));
        }
        let topics = topics(which, places, &config);
        let cluster = cluster(daemon)?;
        Ok(Self {
            admin: Admin::new(&cluster, None)?,
            topics,
            filter: which.filter(places),
            config,
            cluster,
        })
    }

    /// The group that is named, or the only one.
    fn one_group(&self) -> Result<(&String, &Group), Trouble> {
        let groups = &self.config.groups;
        let named = self.filter.group.as_ref();
        let found = match named {
            Some(id) => groups.get_key_value(id),
            None => groups.iter().next().filter(|_| groups.len() == 1),
        };
        found.ok_or_else(|| {
            let ids: Vec<&str> = groups.keys().map(String::as_str).collect();
            Trouble::Usage(match ids.is_empty() {
                true => "the configuration has no group".to_owned(),
                false => format!("whose dead letters? Say --group: {}", ids.join(", ")),
            })
        })
    }

    async fn letters(&self) -> Result<Letters, KafkaError> {
        Letters::open(&self.cluster, &self.admin, &self.topics, &self.filter).await
    }
}

fn no_group(id: &str, config: &Config) -> String {
    let ids = || config.groups.keys().map(String::as_str);
    match suggest(id, ids()) {
        Some(meant) => format!("the configuration has no group {id}; did you mean {meant}?"),
        None => format!(
            "the configuration has no group {id}; it has {}",
            ids().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The topics that are named, else those of the group, else those of all groups.
fn topics(which: &Which, places: &[Place], config: &Config) -> Vec<String> {
    let mut topics: BTreeSet<String> = places.iter().map(|place| place.topic.clone()).collect();
    topics.extend(which.topics.iter().cloned());
    if topics.is_empty() {
        for (id, group) in &config.groups {
            if which.group.as_ref().is_none_or(|wanted| wanted == id) {
                let sources = group.topics.iter();
                topics.extend(sources.map(|topic| group.on_failure.dead_letter_topic(topic)));
            }
        }
    }
    topics.into_iter().collect()
}

/// The cluster of the configuration; the embedded one is in the running daemon.
fn cluster(daemon: &Wanted) -> Result<Cluster, Trouble> {
    super::cluster::cluster(daemon, "dlq").map_err(|none| match none {
        NoCluster::Mistakes(failed) => Trouble::Config(Box::new(failed)),
        NoCluster::Nobody(error) => Trouble::Failed(format!(
            "with `brokers = \"embedded\"` dead letters are in the memory of the running daemon: {error}"
        )),
    })
}

/// Runs what waits for brokers, and tells what goes wrong.
fn run<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::Failed(format!("no runtime: {error}")))?;
    runtime.block_on(work)
}

fn told(trouble: Trouble, state: &str, output: &mut Output<'_>) -> io::Result<Exit> {
    match trouble {
        Trouble::Config(failed) => output.failed(&failed, state),
        Trouble::Usage(message) => {
            writeln!(output.err, "error: {message}")?;
            Ok(Exit::Usage)
        }
        Trouble::Failed(message) => {
            writeln!(output.err, "error: {message}")?;
            Ok(Exit::Failed)
        }
    }
}

/// A time as people and machines read it: RFC 3339, in UTC, to the second.
fn written(millis: i64) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => format!("{millis} ms"),
    }
}
