//! A verify that runs on the shared broker, and what is on that broker of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::{Answer, Case, Kafka, Setup, wait_for};

/// A whole run, with the session of a killed member waited for.
const RUN: Duration = Duration::from_secs(150);
/// For a run to get going.
pub const SOON: Duration = Duration::from_secs(60);

/// A verify that runs.
pub struct Verify {
    pub process: Process,
    output: Output,
    out: Output,
    readers: Vec<std::thread::JoinHandle<()>>,
    _setup: Setup,
}

impl Verify {
    pub fn start(setup: Setup, arguments: &[&str]) -> Verify {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deliveryd"));
        command
            .args(["--config", "deliveryd.toml", "verify"])
            .args(arguments)
            .current_dir(setup.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process::spawn("verify", command);
        let (out, output) = (Output::default(), Output::default());
        let child = process.child();
        let readers = [
            child.stdout.take().map(|text| out.collect(text)),
            child.stderr.take().map(|text| output.collect(text)),
        ];
        Verify {
            process,
            output,
            out,
            readers: readers.into_iter().flatten().collect(),
            _setup: setup,
        }
    }

    /// The run's name, as soon as it says so.
    pub fn run(&self) -> String {
        let line = wait_for("the run's name", SOON, || {
            self.output
                .line_with("temporary topics and groups: ")
                .ok_or_else(|| self.output.tail())
        });
        let (_, rest) = line.split_once("deliveryd-verify.").unwrap_or_default();
        rest.trim_end_matches('…').to_owned()
    }

    pub fn end(mut self) -> Answer {
        let (status, _) = self.process.wait(RUN);
        for reader in self.readers.drain(..) {
            assert!(reader.join().is_ok(), "a reader panicked");
        }
        Answer {
            code: status.code(),
            out: self.out.text(),
            err: self.output.text(),
        }
    }
}

/// Runs it to its end.
pub fn verify(setup: Setup, arguments: &[&str]) -> Answer {
    Verify::start(setup, arguments).end()
}

/// Runs it to its end on a terminal of its own; with all that was shown there.
pub fn in_a_terminal(config: &str, setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_deliveryd");
    let line = format!("{program} --config {config} verify {}", arguments.join(" "));
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm")
        .current_dir(setup.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut process = Process::spawn("script", command);
    let shown = Output::default();
    let reader = process.child().stdout.take().map(|out| shown.collect(out));
    let (status, _) = process.wait(RUN);
    assert!(reader.is_some_and(|reader| reader.join().is_ok()));
    (status.code(), shown.text())
}

pub fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:#?}"))
}

/// The topics and groups on the shared broker whose names contain `text`.
pub fn named(text: &str) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", Kafka::shared().servers())
        .create()
        .unwrap_or_else(|error| panic!("a consumer: {error}"));
    let metadata = consumer.fetch_metadata(None, SOON);
    let metadata = metadata.unwrap_or_else(|error| panic!("metadata: {error}"));
    let groups = consumer.fetch_group_list(None, SOON);
    let groups = groups.unwrap_or_else(|error| panic!("groups: {error}"));
    let topics = metadata.topics().iter().map(|topic| topic.name());
    let groups = groups.groups().iter().map(|group| group.name());
    let names = topics.chain(groups).filter(|name| name.contains(text));
    names.map(str::to_owned).collect()
}

/// Nothing of this run is on the cluster. A topic that was deleted may be listed for a moment.
#[track_caller]
pub fn assert_nothing_left(run: &str) {
    wait_for("everything to be removed", SOON, || match &named(run)[..] {
        [] => Ok(()),
        left => Err(format!("{left:?}")),
    });
}

/// Waits for the first receipt of a run.
#[track_caller]
pub fn wait_until_written(case: &Case, topic: &str) {
    wait_for("receipts", SOON, || {
        let written = match case.probe.partitions(topic) {
            Some(_) => case.probe.end_offsets(topic)[&0],
            None => 0,
        };
        match written {
            1.. => Ok(()),
            none => Err(format!("{none} receipts")),
        }
    });
}
