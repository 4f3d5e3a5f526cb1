//! Warnings of handlers, as a user meets them: shown by `check`, at the start, at a reload and when a
//! file changes; refusing nothing.

mod support;

use std::time::Duration;

use support::{Daemon, Setup, Status};

const SOON: Duration = Duration::from_secs(20);

/// One group that reads what one producer writes.
fn setup(handler: &str) -> Setup {
    let toml = "[topics.Delivery]\npartitions = 1\n\n\
                [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 50.0\n\n\
                [groups.readers]\ntopics = [\"Delivery\"]\nhandler = \"handle.rhai\"\n";
    Setup::new("embedded", toml)
        .handler("generate.rhai", "fn generate(n) { `v-${n}` }\n")
        .handler("handle.rhai", handler)
}

const TRIMMED: &str = "fn handle(msg) {\n    let value = msg.value.trim();\n    debug(value);\n}\n";

fn handles(daemon: &Daemon, more: u64) {
    let before = daemon.status().handled("readers");
    daemon.wait_until("further messages", SOON, |status: &Status| {
        status.handled("readers") >= before + more
    });
}

/// `check` shows the warning with its place, and finds the configuration good all the same.
#[test]
fn check_shows_warnings_and_is_content() {
    let exit = setup(TRIMMED).argument("check").run();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    for part in [
        "warning: `trim` changes its value in place, and returns ()",
        "handle.rhai:2:27",
        "write `msg.value.trim();` as a statement of its own, then use `msg.value`",
        "is good: 1 topic, 1 producer, 1 group with 1 member, 2 handlers",
    ] {
        assert!(exit.output.contains(part), "{part}: {}", exit.output);
    }
}

/// The daemon says it at its start, and handles messages.
#[test]
fn the_daemon_starts_with_warnings() {
    let daemon = setup(TRIMMED).start();
    daemon.wait_for_line("`trim` changes its value in place", SOON);
    handles(&daemon, 5);
}

/// A changed file is taken with its warnings, which know the config's topics.
#[test]
fn a_changed_handler_brings_its_warnings() {
    let daemon = setup("fn handle(msg) { }\n").start();
    handles(&daemon, 5);
    assert_eq!(daemon.output.count("WARN"), 0, "{}", daemon.output.text());
    daemon.edit_handler(
        "handle.rhai",
        "{ }",
        "{ if msg.key == \"never\" { emit(\"Delivry\", 1); } }",
    );
    daemon.wait_for_line("the config knows no topic `Delivry`", SOON);
    let hint = daemon.wait_for_line("did you mean `Delivery`?", SOON);
    assert!(!hint.contains("error"), "{hint}");
    handles(&daemon, 5);
}

/// A reload tells of warnings as warnings, and goes through.
#[test]
fn a_reload_tells_of_warnings() {
    let daemon = setup("fn handle(msg) { if msg.key == \"never\" { emit(\"elsewhere\", 1); } }\n");
    let daemon = daemon.start();
    daemon.wait_for_line("the config knows no topic `elsewhere`", SOON);
    handles(&daemon, 5);
    let told = || daemon.output.count("the config knows no topic `elsewhere`");
    let before = told();
    daemon.edit_config("rate = 50.0", "rate = 60.0");
    daemon.reload();
    daemon.wait_until("the warning after the reload", SOON, |_| told() > before);
    assert_eq!(daemon.output.count("error:"), 0, "{}", daemon.output.text());
    handles(&daemon, 5);
}
