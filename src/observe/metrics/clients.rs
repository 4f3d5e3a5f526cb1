//! What only the Kafka clients know: how each is connected to the brokers, how long these take to
//! answer, and what is fetched and not handled yet.
//!
//! Each client keeps its last word here while it lives. A scrape puts them together by broker, so that
//! the series are as many as the cluster has brokers, however many members there are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::gauges::{Labels, Out};

/// A client's connection to one broker. Times are seconds of the interval before it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// `host:port`.
    pub broker: String,
    pub state: ConnectionState,
    /// Requests that were answered.
    pub answers: u64,
    /// From request to answer, together.
    pub seconds: f64,
    /// The longest of them.
    pub longest: f64,
}

/// See [`Connection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionState {
    /// The client has not needed it.
    Unused,
    Connecting,
    Up,
    Down,
}

impl ConnectionState {
    const ALL: [Self; 4] = [Self::Unused, Self::Connecting, Self::Up, Self::Down];

    fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One client's place in the metrics. Dropped, what it told is gone.
#[derive(Debug)]
pub struct ClientMetrics {
    number: u64,
    clients: Clients,
}

/// All clients. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    next: u64,
    clients: BTreeMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    kind: &'static str,
    /// A consumer's group and member.
    member: Option<(String, String)>,
    connections: Vec<Connection>,
    /// Messages and bytes.
    prefetched: Option<(u64, u64)>,
}

impl Clients {
    /// A place for a member's consumer.
    pub(super) fn consumer(&self, group: &str, member: &str) -> ClientMetrics {
        self.add("consumer", Some((group.to_owned(), member.to_owned())))
    }

    /// A place for a producer's client.
    pub(super) fn producer(&self) -> ClientMetrics {
        self.add("producer", None)
    }

    fn add(&self, kind: &'static str, member: Option<(String, String)>) -> ClientMetrics {
        let mut known = self.known();
        known.next += 1;
        let number = known.next;
        let client = Client {
            kind,
            member,
            connections: Vec::new(),
            prefetched: None,
        };
        known.clients.insert(number, client);
        ClientMetrics {
            number,
            clients: self.clone(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientMetrics {
    /// How it is connected now, in place of what it told before.
    pub fn connected(&self, connections: Vec<Connection>) {
        self.change(|client| client.connections = connections);
    }

    /// Messages and bytes that are fetched and not handed over.
    pub fn prefetched(&self, messages: u64, bytes: u64) {
        self.change(|client| client.prefetched = Some((messages, bytes)));
    }

    fn change(&self, change: impl FnOnce(&mut Client)) {
        if let Some(client) = self.clients.known().clients.get_mut(&self.number) {
            change(client);
        }
    }
}

impl Drop for ClientMetrics {
    fn drop(&mut self) {
        self.clients.known().clients.remove(&self.number);
    }
}

/// All clients of a kind and their connections to one broker.
#[derive(Debug, Default)]
struct Together {
    states: BTreeMap<ConnectionState, u32>,
    answers: u64,
    seconds: f64,
    longest: f64,
}

impl Known {
    /// By kind of client and broker.
    fn together(&self) -> BTreeMap<(&str, &str), Together> {
        let mut all: BTreeMap<(&str, &str), Together> = BTreeMap::new();
        for client in self.clients.values() {
            for connection in &client.connections {
                let one = all.entry((client.kind, &connection.broker)).or_default();
                *one.states.entry(connection.state).or_default() += 1;
                one.answers += connection.answers;
                one.seconds += connection.seconds;
                one.longest = one.longest.max(connection.longest);
            }
        }
        all
    }
}

impl Collector for Clients {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let known = self.known();
        let mut out = Out { encoder };
        connections(&mut out, &known)?;
        prefetched(&mut out, &known)
    }
}

fn connections(out: &mut Out<'_>, known: &Known) -> fmt::Result {
    let together = known.together();
    out.gauge(
        "deliveryd_broker_connections",
        "Connections of the process's clients to a broker, by state.",
        together.iter().flat_map(|(of, each)| {
            ConnectionState::ALL.into_iter().map(|state| {
                let mut labels = of_broker(of);
                labels.push(("state", state.as_str().to_owned()));
                (
                    labels,
                    f64::from(each.states.get(&state).copied().unwrap_or(0)),
                )
            })
        }),
    )?;
    // Where nothing was asked there is no time to tell.
    let answered = || together.iter().filter(|(_, each)| each.answers > 0);
    out.gauge(
        "deliveryd_broker_round_trip_seconds",
        "Mean time from request to answer; a consumer's fetch waits there for messages when there are none.",
        answered().map(|(of, each)| (of_broker(of), each.seconds / each.answers as f64)),
    )?;
    out.gauge(
        "deliveryd_broker_round_trip_max_seconds",
        "Longest time from request to answer.",
        answered().map(|(of, each)| (of_broker(of), each.longest)),
    )
}

fn of_broker((kind, broker): &(&str, &str)) -> Labels {
    vec![
        ("broker", (*broker).to_owned()),
        ("client", (*kind).to_owned()),
    ]
}

fn prefetched(out: &mut Out<'_>, known: &Known) -> fmt::Result {
    let each = |value: fn((u64, u64)) -> u64| {
        // The newest first: while one member replaces another of its name, it is the one that counts.
        known.clients.values().rev().filter_map(move |client| {
            let (group, member) = client.member.as_ref()?;
            let labels = vec![("group", group.clone()), ("member", member.clone())];
            Some((labels, value(client.prefetched?) as f64))
        })
    };
    out.gauge(
        "deliveryd_prefetched_messages",
        "Messages fetched and not yet taken by the member.",
        each(|(messages, _)| messages),
    )?;
    out.gauge(
        "deliveryd_prefetched_bytes",
        "Bytes of the messages fetched and not yet taken by the member.",
        each(|(_, bytes)| bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Exposition, Metrics};
    use super::*;
    use crate::observe::board::Board;

    fn connection(broker: &str, state: ConnectionState, answers: u64, seconds: f64) -> Connection {
        Connection {
            broker: broker.to_owned(),
            state,
            answers,
            seconds,
            longest: seconds / 2.0,
        }
    }

    fn series(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.text(Exposition::Prometheus);
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(str::to_owned).collect()
    }

    /// However many members there are, a broker has one mean, one maximum and a count for each state.
    #[test]
    fn clients_are_put_together_by_broker() {
        let metrics = Metrics::new(&Board::new("host-a"));
        let members: Vec<ClientMetrics> = (0..50)
            .map(|n| metrics.consumer("g", &format!("g-{n}")))
            .collect();
        for member in &members {
            member.connected(vec![
                connection("a:1", ConnectionState::Up, 10, 2.0),
                connection("b:1", ConnectionState::Unused, 0, 0.0),
            ]);
        }
        members[7].connected(vec![connection("a:1", ConnectionState::Down, 10, 12.0)]);
        let up = r#"{broker="a:1",client="consumer",state="up"} 49"#;
        let down = r#"{broker="a:1",client="consumer",state="down"} 1"#;
        let connections = series(&metrics, "deliveryd_broker_connections{");
        assert_eq!(connections.len(), 8, "{connections:#?}");
        assert!(connections.iter().any(|line| line.contains(up)));
        assert!(connections.iter().any(|line| line.contains(down)));
        assert_eq!(
            series(&metrics, "deliveryd_broker_round_trip_seconds{"),
            [r#"deliveryd_broker_round_trip_seconds{broker="a:1",client="consumer"} 0.22"#]
        );
        assert_eq!(
            series(&metrics, "deliveryd_broker_round_trip_max_seconds{"),
            [r#"deliveryd_broker_round_trip_max_seconds{broker="a:1",client="consumer"} 6.0"#]
        );
    }

    /// What a client told goes with it.
    #[test]
    fn a_client_that_is_gone_leaves_nothing() {
        let metrics = Metrics::new(&Board::new("host-a"));
        let member = metrics.consumer("g", "g-1");
        member.prefetched(7, 700);
        member.connected(vec![connection("a:1", ConnectionState::Up, 1, 1.0)]);
        let bytes = r#"deliveryd_prefetched_bytes{group="g",member="g-1"} 700.0"#;
        assert_eq!(series(&metrics, "deliveryd_prefetched_bytes{"), [bytes]);
        drop(member);
        assert!(series(&metrics, "deliveryd_prefetched_").is_empty());
        assert!(series(&metrics, "deliveryd_broker_connections{").is_empty());
    }
}
