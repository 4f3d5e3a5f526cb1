//! Locked brokers: TLS, logins and ACLs of real Kafka. The daemon does its whole work over each of them,
//! what is wrong is told in one line with the way out, and it goes on when that is mended. And no secret
//! is ever told.

mod support;

#[path = "security/certificates.rs"]
mod certificates;
#[path = "security/doors.rs"]
mod doors;
#[path = "security/logins.rs"]
mod logins;
#[path = "security/rights.rs"]
mod rights;
#[path = "security/secrets.rs"]
mod secrets;
#[path = "security/tls.rs"]
mod tls;

use std::time::Duration;

use support::{Daemon, Kafka, Probe, Setup, wait_for};

/// For a start with topics to make; the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(40);

/// A producer writes ten messages, a group copies them, and gives the fourth up.
struct Job {
    input: String,
    output: String,
    group: String,
    probe: Probe,
}

const COPY: &str = r#"
fn handle(msg) {
    if msg.value == "3" { reject("a three"); }
    emit(params.out, msg.value);
}
"#;

impl Job {
    fn new(kafka: &Kafka, name: &str) -> Job {
        let input = support::unique(name);
        Job {
            output: format!("{input}.out"),
            group: format!("{input}.group"),
            input,
            probe: kafka.probe(),
        }
    }

    /// Topics that the daemon makes itself, `properties` as further lines of `[kafka.properties]`.
    fn setup(&self, servers: &str, properties: &str) -> Setup {
        let (input, output, group) = (&self.input, &self.output, &self.group);
        let toml = format!(
            "[kafka.properties]\n{properties}\n\n\
             [topics.{input:?}]\npartitions = 1\n[topics.{output:?}]\npartitions = 1\n\n\
             [producers.ten]\ntopic = {input:?}\nhandler = \"ten.rhai\"\nrate = 50.0\ncount = 10\n\n\
             [groups.{group:?}]\ntopics = [{input:?}]\nhandler = \"copy.rhai\"\n\
             commit_interval = \"100ms\"\nparams = {{ out = {output:?} }}\n\
             on_failure = {{ retries = 0 }}\n"
        );
        Setup::new(servers, &toml)
            .handler("copy.rhai", COPY)
            .handler("ten.rhai", "fn generate(n) { `${n}` }")
    }

    /// Waits until all of it is done: written, copied, given up, committed.
    #[track_caller]
    fn wait_until_done(&self, daemon: &Daemon) {
        let Job {
            input,
            output,
            group,
            probe,
        } = self;
        wait_for("the whole job", SOON, || {
            let there = |topic: &str| match probe.partitions(topic) {
                Some(_) => probe.end_offsets(topic).values().sum::<i64>(),
                None => -1,
            };
            let found = [there(input), there(output), there(&format!("{input}.dead"))];
            let committed: i64 = match found[0] {
                -1 => 0,
                _ => probe.committed(group, input).values().sum(),
            };
            match (found, committed) {
                ([10, 9, 1], 10) => Ok(()),
                other => Err(format!("{other:?}\n{}", daemon.output.tail())),
            }
        });
    }
}

/// What follows the time on the first line with `needle`.
#[track_caller]
fn told(daemon: &Daemon, needle: &str) -> String {
    let line = daemon.wait_for_line(needle, SOON);
    line.split_once(' ')
        .map_or(line.clone(), |(_, said)| said.to_owned())
}

/// The line after the first one with `needle`: its hint.
#[track_caller]
fn hint(daemon: &Daemon, needle: &str) -> String {
    let found = wait_for(&format!("a line after {needle:?}"), SOON, || {
        let text = daemon.output.text();
        let mut lines = text.lines().skip_while(|line| !line.contains(needle));
        lines.nth(1).map(str::to_owned).ok_or(text)
    });
    found.trim().to_owned()
}

/// It runs, says what it waits for, and is not ready.
#[track_caller]
fn assert_waits(daemon: &Daemon) {
    daemon.wait_until("it to wait", SOON, |status| {
        status.state() == "waiting_for_broker"
    });
    assert_eq!(daemon.get("/healthz").code, 200);
    assert_eq!(daemon.get("/readyz").code, 503);
}

/// Each of the commands that ask the brokers themselves ends with 1 and just this error.
#[track_caller]
fn assert_commands_say(setup: &Setup, job: &Job, error: &str) {
    let (input, group) = (job.input.as_str(), job.group.as_str());
    for arguments in [
        &["produce", input, "x"][..],
        &["read", input, "--last", "1"],
        &["dlq", "list"],
        &["dlq", "replay", "--group", group, "--dry-run"],
        &["verify", "--group", group, "--duration", "1s"],
    ] {
        let answer = setup.ask(arguments);
        assert_eq!(answer.code, Some(1), "{arguments:?}: {answer:#?}");
        let complaints = answer.err.trim_end();
        // `verify` says first what it would do.
        let last = complaints.lines().last().unwrap_or_default();
        assert_eq!(
            last,
            format!("error: {error}"),
            "{arguments:?}: {answer:#?}"
        );
    }
}
