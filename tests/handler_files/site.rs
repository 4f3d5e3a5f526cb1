//! A daemon whose handler files are changed, and what is looked at then.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Daemon, Setup, Status};

pub const SOON: Duration = Duration::from_secs(30);

/// A handler that logs `word` with each message.
pub fn saying(word: &str) -> String {
    format!("fn handle(msg) {{\n    info(\"{word} \" + msg.offset);\n}}\n")
}

/// Three members on two partitions, so that one idles, and a producer for them.
pub fn setup(handler: &str) -> Setup {
    let toml = format!(
        "[topics.Delivery]\npartitions = 2\n\n\
         [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 100.0\n\n\
         [groups.readers]\ntopics = [\"Delivery\"]\nmembers = 3\nhandler = {handler:?}\n"
    );
    let generate = "fn generate(n) { #{ key: `k-${n}`, value: `v-${n}` } }\n";
    Setup::new("embedded", &toml).handler("generate.rhai", generate)
}

/// The same with a handler that says `one`, at work.
pub fn start(handler: &str) -> Daemon {
    at_work(setup(handler).handler(handler, &saying("one")))
}

pub fn at_work(setup: Setup) -> Daemon {
    let daemon = setup.start();
    daemon.wait_for_line("one ", SOON);
    daemon.wait_until("three members, one of them idle", SOON, |status| {
        status.shares("readers") == [0, 1, 1]
    });
    daemon
}

pub fn write(file: &Path, text: &str) {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
    }
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// Runs a tool in the daemon's folder.
pub fn run(daemon: &Daemon, command: &str) {
    let output = Command::new("sh")
        .args(["-euc", command])
        .current_dir(daemon.dir())
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        other => panic!("{command}: {other:?}"),
    }
}

pub fn versions(status: &Status, group: &str) -> Vec<String> {
    let members = status.group(group)["members"].as_array();
    let version =
        |member: &serde_json::Value| member["handler_version"].as_str().map(str::to_owned);
    members.into_iter().flatten().filter_map(version).collect()
}

pub fn error(status: &Status) -> &serde_json::Value {
    &status.group("readers")["handler"]["error"]
}

pub fn refused(daemon: &Daemon) -> f64 {
    daemon.metric("deliveryd_handler_refused", "group=\"readers\"")
}

/// A message was handled under the version that says `word`, and every member runs that version.
#[track_caller]
pub fn takes(daemon: &Daemon, word: &str) {
    daemon.wait_for_line(&format!("{word} "), SOON);
    let status = daemon.wait_until("every member to run it", SOON, |status| {
        let in_force = &status.group("readers")["handler"]["version"];
        let members = versions(status, "readers");
        members.len() == 3 && members.iter().all(|version| in_force == version)
    });
    assert!(error(&status).is_null(), "{status}");
    assert_eq!(refused(daemon), 0.0);
}

/// The old version goes on, and log, status and metric say what is wrong with the new one.
#[track_caller]
pub fn refuses(daemon: &Daemon, why: &str) {
    let what = format!("the refusal {why:?}");
    let status = daemon.wait_until(&what, SOON, |status| {
        error(status)
            .as_str()
            .is_some_and(|text| text.contains(why))
    });
    assert_eq!(refused(daemon), 1.0);
    assert!(daemon.output.line_with(why).is_some(), "it is in the log");
    let handled = status.handled("readers");
    daemon.wait_until("work to go on", SOON, |status| {
        status.handled("readers") > handled + 20
    });
    assert_eq!(daemon.status().counter("readers", "failed"), 0);
}
