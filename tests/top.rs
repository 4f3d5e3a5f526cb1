//! `deliveryd top` at a real terminal, beside a real daemon.

mod support;
#[path = "top/terminal.rs"]
mod terminal;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Daemon, Setup, wait_for};
use terminal::Terminal;

const SOON: Duration = Duration::from_secs(60);

fn lesson() -> Setup {
    Setup::copy_of_repository("default.toml")
}

fn deliveryd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deliveryd"));
    command.args(arguments);
    command
}

fn top(daemon: &Daemon, columns: u16, rows: u16) -> Terminal {
    let mut command = deliveryd(&["top", "--control"]);
    command.arg(daemon.dir().join("control.sock"));
    Terminal::start(command, columns, rows)
}

/// `NAME [0]` for each member that holds one partition, as the status has it.
fn members(daemon: &Daemon, group: &str) -> Vec<String> {
    let status = daemon.status();
    let members = status.group(group)["members"].as_array().cloned();
    let member = |member: &serde_json::Value| {
        let name = member["name"].as_str().unwrap_or_default();
        let held = member["partitions"].as_array().cloned().unwrap_or_default();
        let chips = held.iter().map(|held| format!("[{}]", held["partition"]));
        let chips: Vec<String> = chips.collect();
        match chips.is_empty() {
            true => format!("{name} {}", member["state"].as_str().unwrap_or_default()),
            false => format!("{name} {}", chips.join(" ")),
        }
    };
    members.unwrap_or_default().iter().map(member).collect()
}

#[track_caller]
fn wait_until_shown(terminal: &Terminal, daemon: &Daemon, group: &str, busy: usize) {
    wait_for("the screen to show who holds what", SOON, || {
        let (members, text) = (members(daemon, group), terminal.text());
        let settled = members.iter().filter(|it| it.contains('[')).count() == busy;
        match settled && members.iter().all(|member| text.contains(member)) {
            true => Ok(()),
            false => Err(format!("{members:?} in\n{text}")),
        }
    });
}

/// It shows who holds what, follows a reload and a resized terminal, and `q` leaves the terminal as it
/// was.
#[test]
fn top_shows_who_holds_what_and_follows_a_rebalance() {
    let daemon = lesson().start();
    let mut terminal = top(&daemon, 80, 24);
    wait_until_shown(&terminal, &daemon, "group-1", 2);
    wait_until_shown(&terminal, &daemon, "group-2", 1);
    terminal.wait_for(&[
        "running   generation 1",
        "✓ shared partitions",
        "○ idle spare",
    ]);

    daemon.edit_config("members = 2", "members = 3");
    daemon.reload();
    terminal.wait_for(&["3 members, 1 idle", "generation 2", "✓ idle spare"]);
    wait_until_shown(&terminal, &daemon, "group-1", 2);

    terminal.press("2");
    terminal.wait_for(&["most ", "idle: "]);
    terminal.press("?");
    terminal.wait_for(&["Ctrl-C", "a page"]);
    terminal.resize(40, 12);
    // crossterm overlooks a key that comes in the same moment, until the next one.
    terminal.wait_for(&["1-9 of"]);
    terminal.press("1");
    terminal.wait_for(&["group-1   Delivery", "q quit"]);
    let wide = terminal
        .text()
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(wide <= Some(40), "{}", terminal.text());
    terminal.press("q");
    assert_eq!(terminal.ended().code(), Some(0), "{}", terminal.text());
    terminal.wait_until_given_back();
}

/// A signal or Ctrl-C ends it too, and leaves the terminal as it was.
#[test]
fn top_gives_the_terminal_back_when_it_is_ended() {
    let daemon = lesson().start();
    let mut terminal = top(&daemon, 80, 24);
    terminal.wait_for(&["group-1-1"]);
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.ended().signal(), Some(libc::SIGTERM));
    terminal.wait_until_given_back();

    let mut terminal = top(&daemon, 80, 24);
    terminal.wait_for(&["group-1-1"]);
    terminal.press("\u{3}");
    assert_eq!(terminal.ended().code(), Some(0));
    terminal.wait_until_given_back();
}

/// While the daemon is away that is said; the next one is followed.
#[test]
fn top_survives_a_restart_of_the_daemon() {
    let daemon = lesson().start();
    let mut terminal = top(&daemon, 100, 30);
    wait_until_shown(&terminal, &daemon, "group-1", 2);
    let daemon = daemon.kill_and_start(|| {
        terminal.wait_for(&["no answer since", "what is shown is old", "group-1-1 ["]);
    });
    terminal.wait_for(&["q quit"]);
    wait_until_shown(&terminal, &daemon, "group-1", 2);
    terminal.press("\u{1b}");
    assert_eq!(terminal.ended().code(), Some(0));
}

/// Neither `top` nor `status` needs the configuration's file: the default place is enough.
#[test]
fn top_and_status_need_no_config_file() {
    let runtime = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let socket = runtime.path().join("deliveryd/control.sock");
    let daemon = lesson()
        .set("daemon.control", &format!("{socket:?}"))
        .start();
    daemon.wait_until("the groups", SOON, |status| status.state() == "running");
    let config = daemon.setup().config().to_owned();
    fs::remove_file(&config).unwrap_or_else(|error| panic!("{error}"));

    let at_home = |arguments: &[&str]| {
        let mut command = deliveryd(arguments);
        command
            .env("XDG_RUNTIME_DIR", runtime.path())
            .env_remove("RUNTIME_DIRECTORY");
        command
    };
    let config = config.to_string_lossy().into_owned();
    for arguments in [&["status"][..], &["status", "--config", config.as_str()]] {
        let output = at_home(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{error}"));
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("group group-1"), "{arguments:?}: {output:?}");
    }
    // What the daemon remembers comes over the socket too: a rate takes two samples.
    wait_for("the throughput", SOON, || {
        let output = at_home(&["status"])
            .output()
            .map_err(|error| error.to_string())?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let group = shown
            .lines()
            .find(|line| line.starts_with("group group-1 "));
        match group.is_some_and(|line| line.contains("/s   ")) {
            true => Ok(()),
            false => Err(shown),
        }
    });
    let json = at_home(&["status", "--json"])
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap_or_default();
    assert_eq!(json["groups"]["group-2"]["members"][0]["name"], "group-2-1");
    let mut terminal = Terminal::start(at_home(&["top"]), 80, 24);
    terminal.wait_for(&["group-1-1", "group-2-1"]);
    terminal.press("q");
    assert_eq!(terminal.ended().code(), Some(0));
}

/// Where there is no terminal, or no daemon, one line says so, and nothing is drawn.
#[test]
fn top_without_terminal_or_daemon_says_so() {
    let output = deliveryd(&["top"])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains("needs a terminal") && told.contains("deliveryd status"),
        "{told}"
    );

    let nowhere = Path::new("/nowhere/control.sock");
    let mut command = deliveryd(&["top", "--control"]);
    command.arg(nowhere);
    let mut terminal = Terminal::start(command, 80, 24);
    assert_eq!(terminal.ended().code(), Some(1));
    terminal.wait_for(&["error: no deliveryd answers: /nowhere/control.sock is not there"]);
    terminal.wait_until_given_back();
}
