//! `test_before_swap = true`: a version of a handler is taken when its own tests pass, and not before.

mod support;

use std::fs;
use std::time::Duration;

use support::{Daemon, Setup, Status};

const SOON: Duration = Duration::from_secs(30);

/// Logs `one N`, by way of a module.
const HANDLER: &str =
    "import \"lib/word\" as word;\nfn handle(msg) { info(word::word() + \" \" + msg.value); }\n";
const MODULE: &str = "fn word() { \"one\" }\n";
const TESTS: &str = "fn test_word() {\n    let run = handle(message(#{ value: \"7\" }));\n    \
                     assert_eq(run.logs[0].text, \"one 7\");\n}\n";

fn setup(test_before_swap: bool) -> Setup {
    let toml = format!(
        "[topics.Delivery]\npartitions = 2\n\n\
         [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 50.0\n\n\
         [groups.readers]\ntopics = [\"Delivery\"]\nmembers = 2\nhandler = \"handle.rhai\"\n\
         test_before_swap = {test_before_swap}\n"
    );
    Setup::new("embedded", &toml)
        .handler("generate.rhai", "fn generate(n) { n }\n")
        .handler("handle.rhai", HANDLER)
        .handler("lib/word.rhai", MODULE)
        .handler("handle.test.rhai", TESTS)
}

fn error(status: &Status) -> Option<String> {
    let error = &status.group("readers")["handler"]["error"];
    error.as_str().map(str::to_owned)
}

/// Waits until two more lines with this word have come.
fn goes_on_with(daemon: &Daemon, word: &str) {
    let before = daemon.output.count(word);
    daemon.wait_until("messages under the version", SOON, |_| {
        daemon.output.count(word) >= before + 2
    });
}

/// A failing test keeps the new version out, with its error in log, status and metric; the old one goes
/// on. When the tests pass again, whichever file was mended, the version is taken.
#[test]
fn a_version_is_taken_when_its_tests_pass() {
    let daemon = setup(true).start();
    goes_on_with(&daemon, "one ");
    daemon.edit_handler("lib/word.rhai", "one", "two");
    let status = daemon.wait_until("the refusal in the status", SOON, |status| {
        error(status).is_some()
    });
    let told = error(&status).unwrap_or_default();
    for part in [
        "test_word failed: the values differ",
        "handle.test.rhai:3:5",
        "expected \"one 7\"",
        "found    \"two 7\"",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
        daemon.wait_for_line(part, SOON);
    }
    let refused = daemon.metric("deliveryd_handler_refused", "group=\"readers\"");
    assert_eq!(refused, 1.0);
    goes_on_with(&daemon, "one ");
    assert_eq!(daemon.output.count("two 1"), 0, "the version was taken");

    // What was wrong was the test.
    daemon.edit_handler("handle.test.rhai", "one 7", "two 7");
    daemon.wait_until("the version to be taken", SOON, |status| {
        error(status).is_none()
    });
    goes_on_with(&daemon, "two ");
    assert_eq!(
        daemon.status().counter("readers", "rebalances"),
        status.counter("readers", "rebalances")
    );
}

/// Without the setting a version is taken that compiles, whatever its tests say.
#[test]
fn without_the_setting_tests_have_no_say() {
    let daemon = setup(false).start();
    goes_on_with(&daemon, "one ");
    daemon.edit_handler("lib/word.rhai", "one", "two");
    goes_on_with(&daemon, "two ");
}

/// An endless test refuses its version within the limits, and the members handle on meanwhile.
#[test]
fn an_endless_test_holds_up_nobody() {
    let daemon = setup(true).start();
    goes_on_with(&daemon, "one ");
    let tests = daemon.dir().join("handle.test.rhai");
    fs::write(tests, "fn test_endless() { loop { } }\n").unwrap_or_else(|error| panic!("{error}"));
    daemon.edit_handler("lib/word.rhai", "one", "two");
    daemon.wait_until("the refusal in the status", SOON, |status| {
        error(status).is_some_and(|told| told.contains("test_endless failed"))
    });
    goes_on_with(&daemon, "one ");
}

/// `check`, and the start, refuse a handler whose tests fail or that has none.
#[test]
fn the_check_runs_the_tests() {
    let good = setup(true).argument("check").run();
    assert_eq!(good.status.code(), Some(0), "{}", good.output);
    let failing = TESTS.replace("one 7", "three 7");
    for argument in ["check", "run"] {
        let failing = setup(true).handler("handle.test.rhai", &failing);
        let exit = failing.argument(argument).run();
        assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
        assert!(exit.output.contains("test_word failed"), "{}", exit.output);
        assert!(exit.output.contains("1 mistake; nothing was started."));
    }
    let toml = "[topics.Delivery]\n[groups.readers]\ntopics = [\"Delivery\"]\nhandler = \"a.rhai\"\n\
                test_before_swap = true\n";
    let untested = Setup::new("embedded", toml).handler("a.rhai", "fn handle(msg) { }\n");
    let exit = untested.argument("check").run();
    assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
    for part in [
        "`test_before_swap` is on, and a.rhai has no tests",
        "write a.test.rhai",
    ] {
        assert!(exit.output.contains(part), "{}", exit.output);
    }
}
