//! Real Kafka for one test or one test binary: one broker or three, KRaft or with ZooKeeper.
//!
//! [`Kafka::shared`] is the one that most tests use; [`Kafka::start`] gives a test its own, whose
//! brokers it may kill and start again. Ready means that every broker answered, not that time passed.

use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::jars::Release;
use super::ports::Port;
use super::probe::Probe;
use super::proxy::{Proxies, Through};
use super::run_dir::RunDir;
use super::server::{self, Properties, SMALL_JVM, Server};
use super::tools::Tools;
use super::wait::wait_for;

/// Two cores start a JVM in a few seconds; a machine that is busy with other tests takes longer.
const START: Duration = Duration::from_secs(90);

/// Sixteen bytes in URL-safe base64, as `kafka-storage random-uuid` would make them.
pub const CLUSTER_ID: &str = "ZGVsaXZlcnlkLXRlc3RzIQ";

/// What to start.
#[derive(Debug, Clone)]
pub struct Settings {
    release: Release,
    brokers: usize,
    jvm: &'static [&'static str],
    proxied: bool,
    properties: Properties,
    /// More of `listeners`, each with a comma before it.
    listeners: String,
    /// More arguments of `kafka-storage format`.
    format: Vec<String>,
}

impl Settings {
    /// Current Kafka; every node is broker and controller.
    pub fn kraft(brokers: usize) -> Settings {
        Settings {
            release: Release::Current,
            brokers,
            jvm: SMALL_JVM,
            proxied: false,
            properties: Properties::new(),
            listeners: String::new(),
            format: Vec::new(),
        }
    }

    /// One broker of Kafka 3.3.1 and its ZooKeeper.
    pub fn zookeeper() -> Settings {
        Settings {
            release: Release::Zookeeper,
            ..Settings::kraft(1)
        }
    }

    /// Not the current release but this one.
    pub fn release(self, release: Release) -> Settings {
        Settings { release, ..self }
    }

    /// One more line of every broker's server.properties.
    pub fn with(mut self, property: &str, value: &str) -> Settings {
        self.properties
            .insert(property.to_owned(), value.to_owned());
        self
    }

    /// With a second way to the brokers, through [`Proxies`]. Not with ZooKeeper.
    pub fn proxied(mut self) -> Settings {
        self.proxied = true;
        self
    }

    /// With a further listener, `NAME://ADDRESS`; its protocol is the caller's to map. For one broker.
    pub fn listener(mut self, listener: &str) -> Settings {
        self.listeners.push_str(&format!(",{listener}"));
        self
    }

    /// One more argument of `kafka-storage format`.
    pub fn format(mut self, argument: &str) -> Settings {
        self.format.push(argument.to_owned());
        self
    }

    /// Other options for the brokers' JVM, for measurements.
    pub fn jvm(mut self, options: &'static [&'static str]) -> Settings {
        self.jvm = options;
        self
    }
}

/// A running cluster; gone when dropped, and with the test process in any case.
#[derive(Debug)]
pub struct Kafka {
    settings: Settings,
    brokers: Vec<Broker>,
    zookeeper: Option<Server>,
    proxies: Option<Proxies>,
    _ports: Vec<Port>,
    _dir: RunDir,
}

#[derive(Debug)]
struct Broker {
    name: String,
    address: String,
    properties: PathBuf,
    server: Mutex<Option<Server>>,
}

impl Kafka {
    /// One broker for all tests of a binary.
    pub fn shared() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Kafka::start(Settings::kraft(1)))
    }

    /// Starts a cluster and waits until it answers.
    pub fn start(settings: Settings) -> Kafka {
        let kafka = match settings.release {
            Release::Current | Release::FourZero => Self::prepare_kraft(settings),
            Release::Zookeeper => Self::prepare_zookeeper(settings),
        };
        for broker in &kafka.brokers {
            broker.start(&kafka.settings);
        }
        kafka.wait_until_ready();
        kafka
    }

    /// `bootstrap.servers`.
    pub fn servers(&self) -> String {
        let addresses: Vec<&str> = self.brokers.iter().map(|b| b.address.as_str()).collect();
        addresses.join(",")
    }

    /// The way through proxies, of a cluster that has one.
    pub fn proxies(&self) -> &Proxies {
        match &self.proxies {
            Some(proxies) => proxies,
            None => panic!("the cluster was not started with proxies"),
        }
    }

    /// A client to look with.
    pub fn probe(&self) -> Probe {
        Probe::new(&self.servers())
    }

    /// Kafka's console tools, always those of the current release.
    pub fn tools(&self) -> Tools {
        Tools::new(&self.servers())
    }

    /// How often a group of the classic protocol has been rebalanced, as the brokers' logs tell it.
    pub fn rebalances(&self, group: &str) -> usize {
        let needle = format!("Stabilized group {group} generation ");
        let logs = self.brokers.iter().map(|broker| {
            let log = broker.properties.with_extension("log");
            std::fs::read_to_string(&log)
                .unwrap_or_else(|error| panic!("can't read {}: {error}", log.display()))
        });
        logs.map(|log| log.matches(&needle).count()).sum()
    }

    /// `kill -9`. Brokers count from 1, as their ids do.
    pub fn kill_broker(&self, id: usize) {
        if let Some(mut server) = self.broker(id).server().take() {
            server.process.kill();
        }
    }

    /// Sends a signal to a broker, such as `libc::SIGSTOP`.
    pub fn signal_broker(&self, id: usize, signal: i32) {
        if let Some(server) = self.broker(id).server().as_ref() {
            server.process.signal(signal);
        }
    }

    /// No file of this broker may grow beyond so many bytes, as if its disk were full.
    pub fn limit_files(&self, id: usize, bytes: u64) {
        if let Some(server) = self.broker(id).server().as_ref() {
            server.process.limit_files(bytes);
        }
    }

    /// Waits until a broker has stopped by itself.
    #[track_caller]
    pub fn wait_for_end(&self, id: usize, deadline: Duration) {
        let broker = self.broker(id);
        wait_for(
            &format!("the end of {}", broker.name),
            deadline,
            || match broker
                .server()
                .as_mut()
                .map(|server| server.process.ended())
            {
                Some(None) => Err("it runs".to_owned()),
                Some(Some(_)) | None => Ok(()),
            },
        );
    }

    /// Starts a broker that was killed, on its old port with its old data.
    ///
    /// Not with ZooKeeper, which refuses the broker's id until the killed one's session has expired.
    pub fn start_broker(&self, id: usize) {
        self.start_brokers(id..=id);
    }

    /// The same for several at once. Returns when all of them listened again, which is earlier than
    /// when the cluster lists them.
    pub fn start_brokers(&self, ids: RangeInclusive<usize>) -> Instant {
        for id in ids.clone() {
            self.broker(id).start(&self.settings);
        }
        for id in ids {
            let broker = self.broker(id);
            wait_for("a broker to listen", START, || {
                broker.check_alive();
                let answer = TcpStream::connect(&broker.address);
                answer.map(drop).map_err(|error| error.to_string())
            });
        }
        let listened = Instant::now();
        self.wait_until_ready();
        listened
    }

    fn broker(&self, id: usize) -> &Broker {
        let broker = id.checked_sub(1).and_then(|index| self.brokers.get(index));
        broker.unwrap_or_else(|| panic!("there is no broker {id}"))
    }

    /// Until the cluster lists every broker as alive.
    fn wait_until_ready(&self) {
        let probe = self.probe();
        wait_for("Kafka to answer", START, || {
            for broker in &self.brokers {
                broker.check_alive();
            }
            let alive = probe.brokers()?;
            match alive == self.brokers.len() {
                true => Ok(()),
                false => Err(format!("{alive} of {} brokers", self.brokers.len())),
            }
        });
    }

    fn prepare_kraft(settings: Settings) -> Kafka {
        let dir = RunDir::create();
        let count = settings.brokers;
        let ports: Vec<(Port, Port)> = (0..count).map(|_| (Port::claim(), Port::claim())).collect();
        let voters: Vec<String> = (1..)
            .zip(&ports)
            .map(|(id, (_, controller))| format!("{id}@{}", controller.address()))
            .collect();
        let mut brokers = Vec::new();
        let mut through = Through::default();
        for (id, (client, controller)) in (1..).zip(&ports) {
            let mut properties = common(&settings, count);
            let (client, controller) = (client.address(), controller.address());
            let mut listeners = format!("PLAINTEXT://{client},CONTROLLER://{controller}");
            if settings.proxied {
                listeners += &through.listener(&mut properties, &client);
            }
            listeners += &settings.listeners;
            set(&mut properties, "process.roles", "broker,controller");
            set(&mut properties, "node.id", &id.to_string());
            set(
                &mut properties,
                "controller.quorum.voters",
                &voters.join(","),
            );
            set(&mut properties, "controller.listener.names", "CONTROLLER");
            set(&mut properties, "listeners", &listeners);
            brokers.push(Broker::prepare(&dir, id, client, properties, &settings));
        }
        for broker in &brokers {
            let properties = &broker.properties;
            server::format(settings.release, CLUSTER_ID, properties, &settings.format);
        }
        Kafka {
            settings,
            brokers,
            zookeeper: None,
            proxies: (!through.fronts.is_empty()).then(|| through.start()),
            _ports: ports.into_iter().flat_map(|(a, b)| [a, b]).collect(),
            _dir: dir,
        }
    }

    fn prepare_zookeeper(settings: Settings) -> Kafka {
        let dir = RunDir::create();
        let (client, zookeeper_port) = (Port::claim(), Port::claim());
        let zookeeper = start_zookeeper(&settings, &dir, &zookeeper_port);
        let mut properties = common(&settings, 1);
        let listeners = format!("PLAINTEXT://{}", client.address());
        set(&mut properties, "broker.id", "1");
        set(
            &mut properties,
            "zookeeper.connect",
            &zookeeper_port.address(),
        );
        set(&mut properties, "listeners", &listeners);
        let broker = Broker::prepare(&dir, 1, client.address(), properties, &settings);
        Kafka {
            settings,
            brokers: vec![broker],
            zookeeper: Some(zookeeper),
            proxies: None,
            _ports: vec![client, zookeeper_port],
            _dir: dir,
        }
    }
}

impl Broker {
    fn prepare(
        dir: &RunDir,
        id: usize,
        address: String,
        mut properties: Properties,
        settings: &Settings,
    ) -> Broker {
        let name = format!("broker-{id}");
        let data = dir.path().join(format!("{name}-data"));
        set(&mut properties, "log.dirs", &data.display().to_string());
        properties.extend(settings.properties.clone());
        Broker {
            properties: server::write_properties(dir.path(), &name, &properties),
            name,
            address,
            server: Mutex::new(None),
        }
    }

    fn start(&self, settings: &Settings) {
        let server = server::kafka(settings.release, settings.jvm, &self.name, &self.properties);
        *self.server() = Some(server);
    }

    /// A broker that refuses its settings has said why in its log.
    fn check_alive(&self) {
        if let Some(server) = self.server().as_mut()
            && let Some(status) = server.process.ended()
        {
            panic!("{} ended ({status}):\n{}", self.name, server.log_tail());
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_zookeeper(settings: &Settings, dir: &RunDir, port: &Port) -> Server {
    let mut properties = Properties::new();
    let data = dir.path().join("zookeeper-data");
    set(&mut properties, "dataDir", &data.display().to_string());
    set(&mut properties, "clientPortAddress", "127.0.0.1");
    set(&mut properties, "clientPort", &port.number.to_string());
    // It would listen on 8080.
    set(&mut properties, "admin.enableServer", "false");
    let file = server::write_properties(dir.path(), "zookeeper", &properties);
    server::zookeeper(settings.release, "zookeeper", &file)
}

/// What all test brokers share: small, quick to form groups, replicated as far as brokers reach.
fn common(settings: &Settings, brokers: usize) -> Properties {
    let copies = brokers.min(3).to_string();
    let in_sync = brokers.min(2).to_string();
    let mut properties = Properties::new();
    for (name, value) in [
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "1000"),
        ("offsets.topic.replication.factor", &copies),
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.replication.factor", &copies),
        ("transaction.state.log.min.isr", &in_sync),
        ("transaction.state.log.num.partitions", "4"),
        ("log.cleaner.dedupe.buffer.size", "8388608"),
        ("auto.create.topics.enable", "false"),
    ] {
        set(&mut properties, name, value);
    }
    if settings.release != Release::Zookeeper {
        set(
            &mut properties,
            "share.coordinator.state.topic.replication.factor",
            &copies,
        );
        set(
            &mut properties,
            "share.coordinator.state.topic.min.isr",
            &in_sync,
        );
        // Members of KIP-848 hear of a rebalance with their next heartbeat (default 5 s).
        set(
            &mut properties,
            "group.consumer.min.heartbeat.interval.ms",
            "100",
        );
        set(
            &mut properties,
            "group.consumer.heartbeat.interval.ms",
            "300",
        );
        // A broker that was killed is out of the cluster after this time (default 9 s).
        set(&mut properties, "broker.session.timeout.ms", "3000");
        set(&mut properties, "broker.heartbeat.interval.ms", "500");
    }
    properties
}

fn set(properties: &mut Properties, name: &str, value: &str) {
    properties.insert(name.to_owned(), value.to_owned());
}
