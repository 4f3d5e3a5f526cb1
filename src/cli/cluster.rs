//! The cluster that `produce` and `read` talk to: the configuration's, or the running daemon's.

use std::io;

use super::{Exit, Output, remote};
use crate::config::{Brokers, Config, Failed, Invocation, Permissive, Properties, load, suggest};
use crate::control::{Client, ClientError, Wanted};
use crate::kafka::{Admin, Cluster, KafkaError, TopicState};

/// Why nothing can be asked.
pub enum NoCluster {
    /// The configuration is wrong.
    Mistakes(Failed),
    /// No daemon answers, and without it the cluster is not known.
    Nobody(ClientError),
}

impl NoCluster {
    /// Shows it; `state` says how the world stands.
    ///
    /// # Errors
    /// What the writers say.
    pub fn show(&self, state: &str, output: &mut Output<'_>) -> io::Result<Exit> {
        match self {
            Self::Mistakes(failed) => output.failed(failed, state),
            Self::Nobody(error) => remote::failed(error, output),
        }
    }
}

/// Where the brokers are and what they want to know. `who` makes the client's id.
///
/// With `--config` no daemon is needed, unless its brokers are the embedded one, which lives in the
/// daemon. Without it the running daemon says where its brokers are and what its configuration is.
///
/// # Errors
/// See [`NoCluster`].
pub fn cluster(wanted: &Wanted, who: &str) -> Result<Cluster, NoCluster> {
    if let Some(invocation) = &wanted.config {
        let config = load(invocation, &Permissive).map_err(NoCluster::Mistakes)?;
        let config = config.config;
        if let Brokers::Servers(servers) = &config.kafka.brokers {
            return Ok(of_config(&config, servers.clone(), who));
        }
    }
    let status = Client::find(wanted).and_then(|client| client.status());
    let status = status.map_err(NoCluster::Nobody)?;
    let brokers = status.brokers;
    if brokers.embedded {
        return Ok(Cluster {
            servers: brokers.servers,
            embedded: true,
            // It asks for none.
            properties: Properties::new(),
            instance: format!("{}-{who}", status.instance),
        });
    }
    let invocation = wanted.config.clone().unwrap_or_else(|| Invocation {
        file: status.config.clone(),
        sets: Vec::new(),
        env: wanted.env.clone(),
    });
    let config = load(&invocation, &Permissive).map_err(NoCluster::Mistakes)?;
    Ok(of_config(&config.config, brokers.servers, who))
}

fn of_config(config: &Config, servers: String, who: &str) -> Cluster {
    Cluster {
        servers,
        embedded: false,
        properties: config.kafka.properties.clone(),
        instance: format!("{}-{who}", config.daemon.instance),
    }
}

/// A topic as the cluster has it. Blocks until it is known.
///
/// # Errors
/// One sentence: no broker answers, or there is no such topic.
pub fn topic(cluster: &Cluster, name: &str) -> Result<TopicState, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let told = |error: KafkaError| error.message;
    let admin = Admin::new(cluster, None).map_err(told)?;
    let mut topics = runtime.block_on(admin.describe(&[])).map_err(told)?;
    if let Some(found) = topics.remove(name) {
        return Ok(found);
    }
    let near = suggest(name, topics.keys().map(String::as_str));
    let near = near.map(|near| format!("; did you mean `{near}`?"));
    Err(format!(
        "the cluster at {} has no topic `{name}`, or its ACLs hide it from this client{}",
        cluster.servers,
        near.unwrap_or_default()
    ))
}

/// The partition, where the topic has it.
///
/// # Errors
/// One sentence that says which there are.
pub fn partition(topic: &str, found: &TopicState, wanted: Option<i32>) -> Result<(), String> {
    match wanted {
        Some(wanted) if !(0..found.partitions).contains(&wanted) => Err(format!(
            "topic {topic} has no partition {wanted}; it has 0 to {}",
            found.partitions - 1
        )),
        _ => Ok(()),
    }
}
