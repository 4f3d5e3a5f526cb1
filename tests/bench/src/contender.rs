//! Who is compared, and one run of each: start it, let it read the whole topic, see what it cost.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bare::Kind;
use crate::measure::{Run, cpu_time, peak_memory};
use crate::records;
use crate::support::process::Process;
use crate::support::{Daemon, Kafka, Probe, Setup, Status, unique};

/// For one contender to read the topic.
const PATIENCE: Duration = Duration::from_secs(600);

/// Somebody to compare.
#[derive(Debug)]
pub struct Contender {
    pub name: &'static str,
    /// Whose cost per message this one's is a multiple of.
    pub floor: &'static str,
    /// The most that the multiple may be.
    pub at_most: Option<f64>,
    pub work: Work,
}

/// What it runs.
#[derive(Debug)]
pub enum Work {
    Bare(Kind),
    /// A handler's source.
    Handler(&'static str),
    /// The same with `guarantee = "exactly_once"`.
    Once(&'static str),
}

pub const NOTHING: &str = "fn handle(msg) {}\n";
pub const FILTER: &str = "\
fn handle(msg) {
    if msg.json.city == \"Riga\" && msg.json.weight_g > 8000 {
        count(\"heavy_to_riga\");
    }
}
";
const ENRICH: &str = "\
fn handle(msg) {
    let delivery = msg.json;
    let total = 0;
    for item in delivery.items {
        total += item.quantity * item.price;
    }
    delivery.total = total;
    emit(params.output, delivery);
}
";
pub const COPY: &str = "fn handle(msg) { emit(params.output, msg.value); }\n";

const EMPTY_LOOP: &str = "rdkafka BaseConsumer, nothing else";
const ENRICH_LOOP: &str = "rdkafka, serde_json, enrich, produce";
const ENRICH_HANDLER: &str = "deliveryd, enrich, produce";

pub const CONTENDERS: &[Contender] = &[
    bare(EMPTY_LOOP, Kind::Base),
    bare("rdkafka StreamConsumer, nothing else", Kind::Stream),
    bare(ENRICH_LOOP, Kind::Enrich),
    handler("deliveryd, empty handler", EMPTY_LOOP, 1.5, NOTHING),
    handler(
        "deliveryd, filter on two JSON fields",
        EMPTY_LOOP,
        3.0,
        FILTER,
    ),
    handler(ENRICH_HANDLER, ENRICH_LOOP, 3.0, ENRICH),
    Contender {
        name: "deliveryd, enrich, produce, exactly once",
        floor: ENRICH_HANDLER,
        at_most: Some(1.5),
        work: Work::Once(ENRICH),
    },
];

const fn bare(name: &'static str, kind: Kind) -> Contender {
    Contender {
        name,
        floor: name,
        at_most: None,
        work: Work::Bare(kind),
    }
}

const fn handler(
    name: &'static str,
    floor: &'static str,
    at_most: f64,
    source: &'static str,
) -> Contender {
    Contender {
        name,
        floor,
        at_most: Some(at_most),
        work: Work::Handler(source),
    }
}

/// The cluster with the topic that everyone reads.
pub struct Ground<'a> {
    pub servers: String,
    pub probe: Probe,
    pub input: String,
    pub messages: u64,
    deliveryd: Option<PathBuf>,
    _kafka: &'a Kafka,
}

impl<'a> Ground<'a> {
    /// Fills the topic.
    pub fn prepare(kafka: &'a Kafka, messages: u64, deliveryd: Option<PathBuf>) -> Ground<'a> {
        let (servers, probe) = (kafka.servers(), kafka.probe());
        let input = "deliveries".to_owned();
        probe.create_topic(&input, 2);
        eprintln!("writing {messages} messages of {} bytes", records::SIZE);
        records::fill(&servers, &input, messages);
        let written: i64 = probe.end_offsets(&input).values().sum();
        assert_eq!(written as u64, messages);
        Ground {
            servers,
            probe,
            input,
            messages,
            deliveryd,
            _kafka: kafka,
        }
    }

    /// Those that can be run: without a deliveryd the bare ones.
    pub fn able<'c>(&self, all: &'c [Contender]) -> Vec<&'c Contender> {
        let able =
            |each: &&Contender| self.deliveryd.is_some() || matches!(each.work, Work::Bare(_));
        all.iter().filter(able).collect()
    }

    /// Whether there is a deliveryd to measure.
    pub fn has_deliveryd(&self) -> bool {
        self.deliveryd.is_some()
    }

    /// Reads the whole topic once in a process of its own.
    pub fn run(&self, contender: &Contender) -> Run {
        let output = unique("enriched");
        self.probe
            .create_topic_with(&output, 2, 1, &[("retention.bytes", "1048576")]);
        match contender.work {
            Work::Bare(kind) => self.run_bare(kind, &output),
            Work::Handler(source) => self.run_deliveryd(source, &output, ""),
            Work::Once(source) => {
                self.run_deliveryd(source, &output, "guarantee = \"exactly_once\"\n")
            }
        }
    }

    fn run_bare(&self, kind: Kind, output: &str) -> Run {
        let mut process = self.spawn_bare(kind, &self.input, self.messages, output);
        let id = process.id();
        let child = process.child();
        let Some(stdout) = child.stdout.take() else {
            panic!("the child has no output");
        };
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("ready"));
        let started = cpu_time(id);
        let done = lines.next().unwrap_or_default();
        let cpu = cpu_time(id).saturating_sub(started);
        let seconds = done
            .strip_prefix("done ")
            .and_then(|text| text.parse().ok());
        let seconds = seconds.unwrap_or_else(|| panic!("the child said {done:?}"));
        Run {
            messages: self.messages,
            cpu,
            wall: Duration::from_secs_f64(seconds),
            peak: peak_memory(id),
        }
    }

    /// One of the bare loops; it ends when its input does, or when dropped.
    pub fn spawn_bare(&self, kind: Kind, input: &str, messages: u64, output: &str) -> Process {
        let this = std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
        let mut command = Command::new(this);
        command
            .args(["child", kind.name(), &self.servers, input])
            .args([&messages.to_string(), output])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Process::spawn(kind.name(), command)
    }

    fn run_deliveryd(&self, source: &str, output: &str, settings: &str) -> Run {
        let group = unique("bench");
        let settings = format!("start = \"earliest\"\n{settings}");
        let daemon = self.start_deliveryd(&group, &self.input, output, source, &settings);
        let started = cpu_time(daemon.id());
        let status = daemon.wait_until("the first messages to be handled", PATIENCE, |status| {
            status.handled(&group) > 0
        });
        let (begin, already) = (Instant::now(), status.handled(&group));
        daemon.wait_until("the whole topic to be handled", PATIENCE, |status| {
            status.handled(&group) >= self.messages
        });
        let cpu = cpu_time(daemon.id()).saturating_sub(started);
        // What was handled before the first look is in the time in proportion.
        let rest = self.messages.saturating_sub(already).max(1);
        let run = Run {
            messages: self.messages,
            cpu,
            wall: begin.elapsed().mul_f64(self.messages as f64 / rest as f64),
            peak: peak_memory(daemon.id()),
        };
        let status = daemon.status();
        check(&status, &group, self.messages);
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        run
    }

    /// deliveryd with one member that reads `input`; `settings` are further lines of its group.
    pub fn start_deliveryd(
        &self,
        group: &str,
        input: &str,
        output: &str,
        source: &str,
        settings: &str,
    ) -> Daemon {
        self.setup_deliveryd(group, input, output, source, settings)
            .start()
    }

    /// The same, not started.
    pub fn setup_deliveryd(
        &self,
        group: &str,
        input: &str,
        output: &str,
        source: &str,
        settings: &str,
    ) -> Setup {
        let Some(program) = &self.deliveryd else {
            panic!("there is no deliveryd to run");
        };
        let toml = format!(
            "[topics.{input:?}]\npartitions = 2\n[topics.{output:?}]\npartitions = 2\n\
             [groups.{group:?}]\ntopics = [{input:?}]\nmembers = 1\nhandler = \"handler.rhai\"\n\
             {settings}params = {{ output = {output:?} }}\n"
        );
        Setup::named("bench", &self.servers, &toml)
            .handler("handler.rhai", source)
            .program(program)
    }
}

/// A run that failed its messages would look cheap.
fn check(status: &Status, group: &str, messages: u64) {
    for failure in ["failed", "retried", "dead_lettered"] {
        assert_eq!(status.counter(group, failure), 0, "{failure}: {status}");
    }
    assert_eq!(status.handled(group), messages, "{status}");
}
