//! Steering a running daemon: pause, resume, seek, the log's level, and what is on disk; and looking
//! into its topics and its handlers' messages while it runs.

mod support;

#[path = "steering/daemon.rs"]
mod daemon;
#[path = "steering/pause.rs"]
mod pause;
#[path = "steering/seek.rs"]
mod seek;
#[path = "steering/stuck.rs"]
mod stuck;
#[path = "steering/tap.rs"]
mod tap;
#[path = "steering/topics.rs"]
mod topics;

use std::time::Duration;

use support::{Answer, Daemon, Setup, Status};

/// The machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(40);

/// One group of two members on the embedded broker, and a producer.
fn embedded() -> Daemon {
    let toml = "[topics.Delivery]\npartitions = 2\n\
        [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 50.0\n\
        [groups.first]\ntopics = [\"Delivery\"]\nhandler = \"handle.rhai\"\nmembers = 2\n";
    let daemon = Setup::new("embedded", toml)
        .handler("handle.rhai", "fn handle(msg) {}")
        .handler(
            "generate.rhai",
            "fn generate(n) { #{ value: `${n}`, partition: n % 2 } }",
        )
        .start();
    daemon.wait_until("both members", SOON, |status| {
        status.shares("first") == [1, 1] && status.handled("first") > 0
    });
    begun(daemon)
}

/// Waits until the daemon takes commands: its members may be at work before.
fn begun(daemon: Daemon) -> Daemon {
    daemon.wait_until("the start to be over", SOON, |status| {
        status.state() == "running"
    });
    daemon
}

/// What a command printed; it has to go well.
#[track_caller]
fn done(answer: Answer) -> String {
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    answer.out
}

/// What a command complained of; it has to fail with 1.
#[track_caller]
fn refused(answer: Answer) -> String {
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    answer.err
}

/// Each partition of a group here: whether it is paused, why it is stuck.
fn partitions(status: &Status, group: &str) -> Vec<(i64, bool, Option<String>)> {
    let members = status.group(group)["members"].as_array();
    let held = members.into_iter().flatten().flat_map(|member| {
        let partitions = member["partitions"].as_array();
        partitions.cloned().unwrap_or_default()
    });
    let mut found: Vec<_> = held
        .map(|each| {
            (
                each["partition"].as_i64().unwrap_or(-1),
                each["paused"] == true,
                each["stuck"].as_str().map(str::to_owned),
            )
        })
        .collect();
    found.sort();
    found
}

/// Which partitions of a group are paused here.
fn paused(status: &Status, group: &str) -> Vec<i64> {
    let all = partitions(status, group).into_iter();
    all.filter(|(_, paused, _)| *paused)
        .map(|(number, _, _)| number)
        .collect()
}
