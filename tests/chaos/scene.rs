//! The scene: the brokers, three daemons in one group, and what they are told to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::scale::Scale;
use crate::support::{Daemon, Kafka, Release, Settings, Setup};

/// Of the input and of the output.
pub const PARTITIONS: i32 = 6;

/// Daemons.
pub const THREE: usize = 3;

/// For a fleet that was struck to be whole again.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the fleet: seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(200);

/// What the group promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    AtLeastOnce,
    ExactlyOnce,
}

impl Mode {
    /// As the setting names it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::AtLeastOnce => "at_least_once",
            Mode::ExactlyOnce => "exactly_once",
        }
    }
}

/// The topics of one mode.
#[derive(Debug, Clone)]
pub struct Topics {
    pub input: String,
    pub out: String,
    pub dead: String,
}

/// The brokers that both modes share; the third daemon reaches them through proxies.
pub fn brokers(count: usize) -> &'static Kafka {
    static BROKERS: OnceLock<Kafka> = OnceLock::new();
    BROKERS.get_or_init(|| {
        let jvm = &[
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
        ];
        let settings = Settings::kraft(count)
            .release(Release::FourZero)
            .jvm(jvm)
            .proxied()
            .with("min.insync.replicas", if count == 1 { "1" } else { "2" })
            // A broker on a busy machine is not to be taken for a dead one, nor a dead one for long for
            // a living one: the members' sessions are longer.
            .with("broker.session.timeout.ms", "4000");
        Kafka::start(settings)
    })
}

/// See the module.
pub struct Scene {
    pub kafka: &'static Kafka,
    pub mode: Mode,
    pub topics: Topics,
    /// A failure of a daemon to start ends the test, so that nobody meets an empty place.
    stations: Vec<Mutex<Station>>,
    /// Looks up the group's offsets.
    offsets: BaseConsumer,
}

/// A daemon's place.
struct Station {
    daemon: Option<Daemon>,
    members: u32,
    /// Of the handler on its disk.
    version: u32,
}

impl Scene {
    /// Makes the topics and starts the daemons.
    pub fn new(mode: Mode, scale: &Scale) -> Scene {
        let kafka = brokers(scale.brokers);
        let probe = kafka.probe();
        let input = mode.name().to_owned();
        let topics = Topics {
            out: format!("{input}.out"),
            dead: format!("{input}.dead"),
            input,
        };
        for (topic, partitions) in [
            (&topics.input, PARTITIONS),
            (&topics.out, PARTITIONS),
            (&topics.dead, 1),
        ] {
            probe.create_topic_with(topic, partitions, scale.brokers as i32, &[]);
        }
        let station = |name: &str, servers: &str| {
            let setup = Setup::named(name, servers, &toml(mode, &topics, scale.session))
                .handler("copy.rhai", &handler(0));
            let setup = match &scale.program {
                Some(program) => setup.program(program),
                None => setup,
            };
            let setup = match &scale.logs {
                Some(dir) => {
                    let file = format!("{dir}/{}-{name}.log", mode.name());
                    setup.set("log.file", &format!("{file:?}"))
                }
                None => setup,
            };
            Mutex::new(Station {
                daemon: Some(setup.start()),
                members: 1,
                version: 0,
            })
        };
        let (direct, proxied) = (kafka.servers(), kafka.proxies().servers());
        let stations = [("a", &direct), ("b", &direct), ("c", &proxied)];
        Scene {
            kafka,
            mode,
            stations: stations
                .into_iter()
                .map(|(name, servers)| station(name, servers))
                .collect(),
            offsets: offsets(&direct, mode.name()),
            topics,
        }
    }

    fn station(&self, index: usize) -> MutexGuard<'_, Station> {
        self.stations[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What a daemon is told; others wait for their turn with it.
    pub fn with<T>(&self, index: usize, tell: impl FnOnce(&Daemon) -> T) -> T {
        match &self.station(index).daemon {
            Some(daemon) => tell(daemon),
            None => panic!("no daemon {index}"),
        }
    }

    /// Another daemon takes the place of the one that is there.
    pub fn replace(&self, index: usize, by: impl FnOnce(Daemon) -> Daemon) {
        let mut station = self.station(index);
        if let Some(daemon) = station.daemon.take() {
            station.daemon = Some(by(daemon));
        }
    }

    /// The partitions of the input that a daemon holds.
    pub fn held(&self, index: usize) -> BTreeSet<i32> {
        let status = self.with(index, Daemon::try_status);
        let assigned = status.map(|status| status.assigned(self.mode.name()));
        let numbers = assigned.unwrap_or_default().into_iter();
        numbers.map(|(_, partition)| partition as i32).collect()
    }

    /// The group's offsets; none where no broker answers.
    pub fn committed(&self) -> BTreeMap<i32, i64> {
        let mut asked = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            asked.add_partition(&self.topics.input, partition);
        }
        let found = self
            .offsets
            .committed_offsets(asked, Duration::from_secs(2));
        let found = found.unwrap_or_default();
        let elements = found.elements();
        let offset =
            |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element
                .offset()
            {
                rdkafka::Offset::Offset(offset) => Some((element.partition(), offset)),
                _ => None,
            };
        elements.iter().filter_map(offset).collect()
    }

    /// Saves another version of a daemon's handler, or a broken one.
    pub fn edit(&self, index: usize, broken: bool) {
        let mut station = self.station(index);
        station.version += 1;
        let text = match broken {
            true => format!("fn handle(msg) {{ // {}\n", station.version),
            false => handler(station.version),
        };
        if let Some(daemon) = &station.daemon {
            let file = daemon.dir().join("copy.rhai");
            let beside = file.with_extension("new");
            let saved =
                std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &file));
            saved.unwrap_or_else(|error| panic!("can't write {}: {error}", file.display()));
        }
    }

    /// Gives a daemon another number of members in its config, and hangs up.
    pub fn hang_up(&self, index: usize, members: u32) {
        let mut station = self.station(index);
        let (before, now) = (station.members, members);
        if let Some(daemon) = &station.daemon {
            daemon.edit_config(
                &format!("members = {before}\n"),
                &format!("members = {now}\n"),
            );
            daemon.signal(libc::SIGHUP);
        }
        station.members = members;
    }

    /// Good handlers and one member each, everywhere.
    pub fn mend(&self) {
        for index in 0..THREE {
            self.edit(index, false);
            self.hang_up(index, 1);
        }
    }

    /// Waits until every daemon has its share and nearly nothing before it.
    #[track_caller]
    pub fn settle(&self) {
        let begin = Instant::now();
        loop {
            let seen: Vec<String> = (0..THREE).filter_map(|index| self.unrest(index)).collect();
            if seen.is_empty() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "no rest: {}", seen.join("\n"));
            rest(LOOK);
        }
    }

    /// Why a daemon is not at rest; none ends by itself, whatever strikes.
    fn unrest(&self, index: usize) -> Option<String> {
        let group = self.mode.name();
        if let Some(daemon) = &mut self.station(index).daemon
            && let Some(status) = daemon.ended()
        {
            panic!("daemon {index}, {status}: {}", daemon.output.tail());
        }
        let tail = || self.with(index, |daemon| daemon.output.tail());
        let status = match self.with(index, Daemon::try_status) {
            Ok(status) => status,
            Err(error) => return Some(format!("{error}\n{}", tail())),
        };
        let lags = status.group(group)["members"].as_array().into_iter();
        let lags = lags
            .flatten()
            .filter_map(|member| member["partitions"].as_array());
        let lag: i64 = lags
            .flatten()
            .map(|partition| partition["lag"].as_i64().unwrap_or(i64::from(i32::MAX)))
            .sum();
        let share = PARTITIONS as usize / THREE;
        let at_rest = status.shares(group) == [share]
            && status.members(group)[0].state == "running"
            && lag < 1000;
        (!at_rest).then(|| format!("{:#}, lag {lag}\n{}", status.group(group), tail()))
    }

    /// Stops the daemons in order.
    pub fn stop(self) {
        for station in self.stations {
            let station = station.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(daemon) = station.daemon {
                let exit = daemon.stop();
                assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
            }
        }
    }
}

/// Lets time pass, which is what the load needs.
pub fn rest(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn toml(mode: Mode, topics: &Topics, session: Duration) -> String {
    let Topics { input, out, dead } = topics;
    let mut toml = String::new();
    for topic in [input, out, dead] {
        toml += &format!("[topics.{topic:?}]\ncreate = false\n\n");
    }
    let name = mode.name();
    let commits = match mode {
        Mode::AtLeastOnce => "commit_interval = \"100ms\"",
        Mode::ExactlyOnce => "transaction_interval = \"100ms\"",
    };
    let group = format!(
        "[groups.{name}]\ntopics = [{input:?}]\nhandler = \"copy.rhai\"\nstart = \"earliest\"\n\
         members = 1\nguarantee = {name:?}\n{commits}\nstatic_membership = true\n\
         params = {{ out = {out:?} }}\n\
         properties = {{ \"session.timeout.ms\" = \"{}\" }}\n\
         on_failure = {{ retries = 1, backoff = \"10ms\" }}\n",
        session.as_millis()
    );
    toml.push_str(&group);
    toml
}

/// Copies with a total, and fails at poison.
fn handler(version: u32) -> String {
    format!(
        "const VERSION = {version};\n\
         fn handle(msg) {{\n\
             let d = msg.json;\n\
             if d.poison {{ throw \"poison\"; }}\n\
             let total = 0;\n\
             for item in d.items {{ total += item.count * item.price; }}\n\
             d.total = total;\n\
             d.version = global::VERSION;\n\
             d.partition = msg.partition;\n\
             d.offset = msg.offset;\n\
             emit(params.out, d);\n\
         }}\n"
    )
}

fn offsets(servers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("client.id", "offsets")
        .set("group.id", group)
        .set("isolation.level", "read_uncommitted")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"))
}
