//! The commands that talk to the running daemon, and what the service manager hears of it.

mod support;

#[path = "control/interrupt.rs"]
mod interrupt;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use support::{Daemon, Setup, wait_for};

const SOON: Duration = Duration::from_secs(30);

/// One group of two members on the embedded broker.
const TOML: &str = "[topics.Delivery]\npartitions = 2\n\
    [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 20.0\n\
    [groups.first]\ntopics = [\"Delivery\"]\nhandler = \"handle.rhai\"\nmembers = 2\n";

fn setup(toml: &str) -> Setup {
    Setup::new("embedded", toml)
        .handler("handle.rhai", "fn handle(msg) {}")
        .handler("generate.rhai", "fn generate(n) { `${n}` }")
}

fn start() -> Daemon {
    let daemon = setup(TOML).start();
    daemon.wait_until("both members", SOON, |status| {
        status.shares("first") == [1, 1]
    });
    daemon
}

/// `plan` says what a reload would do and does nothing; `reload` does it, waits until the new member is
/// in the group, and says so; both exit with 0, and with 78 where the configuration is wrong.
#[test]
fn plan_says_what_reload_does() {
    let daemon = start();
    let plan = daemon.command(&["plan"]);
    assert_eq!(
        plan.out, "nothing to change; generation 1 runs\n",
        "{plan:?}"
    );
    assert_eq!(plan.code, Some(0));

    daemon.edit_config("members = 2", "members = 3");
    let plan = daemon.command(&["plan"]);
    let expected = "~ first: members 2 → 3\n\
                    1 change; generation 1 runs, `deliveryd reload` makes them\n";
    assert_eq!((plan.out.as_str(), plan.code), (expected, Some(0)));
    assert_eq!(daemon.status().generation(), 1, "a plan does nothing");

    let printed = daemon.reload_now();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("first: members 2 → 3  "), "{printed}");
    assert!(
        lines[1].starts_with("generation 2 is in force after "),
        "{printed}"
    );
    // It is in force: the third one is in the group, and idles.
    let status = daemon.status();
    assert_eq!(status.shares("first"), [0, 1, 1], "{status}");
    let states: Vec<String> = status
        .members("first")
        .into_iter()
        .map(|m| m.state)
        .collect();
    assert!(states.contains(&"idle".to_owned()), "{states:?}");

    daemon.edit_config("members = 3", "membres = 3");
    let plan = daemon.command(&["plan"]);
    assert_eq!((plan.code, plan.out.as_str()), (Some(78), ""), "{plan:?}");
    assert!(plan.err.contains("did you mean `members`?"), "{plan:?}");
    let reload = daemon.command(&["reload"]);
    assert_eq!(
        (reload.code, reload.out.as_str()),
        (Some(78), ""),
        "{reload:?}"
    );
    assert!(reload.err.contains("did you mean `members`?"), "{reload:?}");
    assert!(
        reload
            .err
            .ends_with("1 mistake; generation 2 still runs.\n"),
        "{reload:?}"
    );
}

/// The result of a reload is the same everywhere: in the answer, in the log, in the status with its
/// history, and in the metrics; SIGHUP and the command are one thing.
#[test]
fn a_reloads_result_is_the_same_everywhere() {
    let daemon = start();
    daemon.edit_config("rate = 20.0", "rate = 30.0");
    let printed = daemon.reload_now();
    let line = "producer steady: rate 20/s → 30/s";
    assert!(printed.starts_with(line), "{printed}");
    daemon.wait_for_line(&format!("reload 2: {line}"), SOON);
    let status = daemon.status();
    assert_eq!(status.generation(), 2);
    assert_eq!(status.at("/last_reload/summary/0"), line);
    let by = status.at("/last_reload/by").as_str().unwrap_or_default();
    assert!(by.starts_with("deliveryd reload (user "), "{status}");
    assert_eq!(
        daemon.metric("deliveryd_reloads_total", "result=\"ok\""),
        1.0
    );
    assert_eq!(daemon.metric("deliveryd_config_generation", ""), 2.0);

    daemon.edit_config("rate = 30.0", "rate = 0.0");
    let status = daemon.reload();
    assert_eq!(status.generation(), 2, "the last good one runs");
    assert_eq!(status.at("/last_reload/generation"), 3);
    assert_eq!(status.at("/last_reload/ok"), false);
    assert_eq!(status.at("/last_reload/by"), "SIGHUP");
    assert_eq!(status.at("/reloads/0/generation"), 2);
    assert_eq!(
        daemon.metric("deliveryd_reloads_total", "result=\"refused\""),
        1.0
    );
    assert_eq!(daemon.metric("deliveryd_config_generation", ""), 2.0);
    daemon.wait_for_line("reload 3 refused: ", SOON);

    let shown = daemon.command(&["status"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for words in [
        "generation 2",
        "group first",
        "first-2",
        "reload 2 ",
        "reload 3 ",
        "by SIGHUP",
    ] {
        assert!(shown.out.contains(words), "no {words:?} in:\n{}", shown.out);
    }
    let json = daemon.command(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap_or_default();
    assert_eq!(json["generation"], 2);
    assert_eq!(json["reloads"].as_array().map(Vec::len), Some(2));
}

/// Requests at the same time are made one after another, and each is answered.
#[test]
fn requests_at_once_are_serialised() {
    let daemon = start();
    daemon.edit_config("members = 2", "members = 4");
    let answers: Vec<support::Answer> = std::thread::scope(|scope| {
        let ask = |command: &'static str| {
            let daemon = &daemon;
            scope.spawn(move || daemon.command(&[command]))
        };
        let asked = ["reload", "plan", "reload", "reload", "plan"].map(ask);
        daemon.signal(libc::SIGHUP);
        let answered = asked.into_iter().map(|thread| thread.join());
        answered
            .map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    assert!(
        answers.iter().all(|answer| answer.code == Some(0)),
        "{answers:#?}"
    );
    let status = daemon.wait_until("four reloads", SOON, |status| {
        status.at("/reloads").as_array().map(Vec::len) == Some(4)
    });
    let reloads = status
        .at("/reloads")
        .as_array()
        .cloned()
        .unwrap_or_default();
    let line = "first: members 2 → 4";
    let made = reloads.iter().filter(|reload| reload["summary"][0] == line);
    assert_eq!(made.count(), 1, "{status}");
    assert!(
        reloads.iter().all(|reload| reload["ok"] == true),
        "{status}"
    );
    assert_eq!(status.generation(), 5);
    assert_eq!(status.members("first").len(), 4);
}

/// A reload that is asked for while the daemon stops is refused, and the stop goes on.
#[test]
fn a_reload_during_shutdown_is_refused() {
    let busy = "fn handle(msg) { if msg.value == \"0\" { print(\"busy\"); loop {} } }";
    // One call that takes its time, so that there is a stop to ask in.
    let limits = "handler_timeout = \"15s\"\ndrain_timeout = \"20s\"\n\
                  limits = { operations = 100_000_000_000 }\non_failure = { then = \"skip\", retries = 0 }\n";
    let daemon = setup(&format!("{TOML}{limits}"))
        .handler("handle.rhai", busy)
        .start();
    daemon.wait_for_line("busy", SOON);
    daemon.signal(libc::SIGTERM);
    wait_for("the stop", SOON, || {
        let status = daemon.command(&["status"]);
        match status.out.contains("   stopping   ") {
            true => Ok(()),
            false => Err(format!("{status:?}")),
        }
    });
    daemon.signal(libc::SIGHUP);
    for command in ["reload", "plan"] {
        let refused = daemon.command(&[command]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert_eq!(refused.err, "error: deliveryd is stopping\n");
    }
    let socket = daemon.dir().join("control.sock");
    daemon.wait_for_line("the reload is refused: deliveryd is stopping", SOON);
    let dir = daemon.dir().to_owned();
    let exit = daemon.wait();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    assert!(
        !socket.exists(),
        "the socket goes with the daemon: {}",
        dir.display()
    );
}

/// A stop that comes during a reload goes first, and whoever waited is told.
#[test]
fn a_stop_ends_a_reload() {
    let daemon = start();
    daemon.edit_config("members = 2", "members = 40");
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| daemon.command(&["reload"]));
        daemon.wait_until("the reload", SOON, |status| status.state() == "reloading");
        daemon.signal(libc::SIGTERM);
        asked.join()
    });
    let answer = answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let exit = daemon.wait();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
}

/// Without a broker the daemon runs all the same: it answers, says what it waits for, and stops.
#[test]
fn commands_are_answered_without_a_broker() {
    let toml = TOML.replace("rate = 20.0", "rate = 1.0");
    let daemon = Setup::new("127.0.0.1:1", &toml)
        .handler("handle.rhai", "fn handle(msg) {}")
        .handler("generate.rhai", "fn generate(n) { `${n}` }")
        .start();
    wait_for("the broker to be missed", SOON, || {
        let status = daemon.command(&["status"]);
        let told = status.out.contains("waiting for broker") && status.out.contains("down: ");
        told.then_some(()).ok_or_else(|| format!("{status:?}"))
    });
    let refused = daemon.command(&["plan"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("still starting"), "{refused:?}");
    let taken = daemon.command(&["reload"]);
    let expected = "the start begins anew with it; \
                    waiting for the broker at 127.0.0.1:1: connection refused\n";
    assert_eq!((taken.out.as_str(), taken.code), (expected, Some(0)));
    assert_eq!(daemon.stop().status.code(), Some(0));
}

/// Nobody answers: the error says where it looked and what to do.
#[test]
fn nobody_answering_is_told() {
    let daemon = start();
    let dir = daemon.dir().to_owned();
    let missing = dir.join("none.sock");
    let answer = std::process::Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .args(["status", "--control"])
        .arg(&missing)
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answer.status.code(), Some(1));
    let told = String::from_utf8_lossy(&answer.stderr);
    let expected = format!(
        "error: no deliveryd answers: {} is not there",
        missing.display()
    );
    assert!(told.starts_with(&expected), "{told}");

    // By its configuration, which names the socket.
    let found = std::process::Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .args(["status", "--config"])
        .arg(dir.join("deliveryd.toml"))
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(String::from_utf8_lossy(&found.stdout).contains("group first"));
}

/// A second daemon does not take the first one's socket.
#[test]
fn a_second_daemon_leaves_the_socket_alone() {
    let daemon = start();
    let socket = format!("{:?}", daemon.dir().join("control.sock"));
    let exit = setup(TOML).set("daemon.control", &socket).run();
    assert_eq!(exit.status.code(), Some(1), "{}", exit.output);
    let expected = format!(
        "it belongs to another deliveryd (\"test\", process {})",
        daemon.id()
    );
    assert!(exit.output.contains(&expected), "{}", exit.output);
    assert_eq!(daemon.command(&["status"]).code, Some(0));
}

/// The sources that run are what the handler endpoint gives, not what lies on disk by now.
#[test]
fn the_running_sources_can_be_had() {
    let daemon = setup(TOML)
        .handler("lib/money.rhai", "fn cents(n) { n }")
        .handler(
            "handle.rhai",
            "import \"lib/money\" as money;\nfn handle(msg) { money::cents(1); }",
        )
        .set("daemon.watch", "\"off\"")
        .start();
    daemon.wait_until_assigned("first", 2);
    daemon.edit_handler("lib/money.rhai", "{ n }", "{ n * 2 }");
    let socket = daemon.dir().join("control.sock");
    let answer = exchange(&socket, "/v1/handlers/first");
    assert_eq!(answer["file"], "handle.rhai");
    assert_eq!(answer["files"]["lib/money.rhai"], "fn cents(n) { n }");
    let status = daemon.status();
    assert_eq!(
        answer["version"],
        status.group("first")["handler"]["version"]
    );
    let unknown = exchange(&socket, "/v1/handlers/second");
    assert!(
        unknown["error"]
            .to_string()
            .contains("the groups here: first")
    );
}

/// The service manager hears READY without waiting for a broker, RELOADING with the time and READY
/// again around a reload, good or bad, STOPPING at the end, and in between what goes on.
#[test]
fn the_service_manager_is_told() {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap_or_else(|error| panic!("{error}"));
    let waited = socket.set_read_timeout(Some(Duration::from_millis(100)));
    waited.unwrap_or_else(|error| panic!("{error}"));
    let heard = Heard { socket };

    let away = Setup::new("127.0.0.1:1", TOML)
        .handler("handle.rhai", "fn handle(msg) {}")
        .handler("generate.rhai", "fn generate(n) { `${n}` }")
        .environment("NOTIFY_SOCKET", &path.display().to_string())
        .start();
    heard.wait_for("READY=1");
    heard.wait_for("STATUS=waiting for the broker at 127.0.0.1:1: ");
    assert!(away.stop().status.success());
    heard.wait_for("STOPPING=1");

    let daemon = setup(TOML)
        .environment("NOTIFY_SOCKET", &path.display().to_string())
        .start();
    heard.wait_for("READY=1");
    heard.wait_for("STATUS=generation 1; 1 group, 2 members");
    daemon.edit_config("members = 2", "members = 3");
    let before = monotonic();
    daemon.reload_now();
    let told = heard.wait_for("RELOADING=1");
    let at = told
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    let at: u128 = at.and_then(|at| at.parse().ok()).unwrap_or_default();
    assert!((before..=monotonic()).contains(&at), "{told}");
    heard.wait_for("READY=1");
    heard.wait_for("STATUS=generation 2; 1 group, 3 members");
    daemon.edit_config("members = 3", "members = 0");
    assert_eq!(daemon.command(&["reload"]).code, Some(78));
    heard.wait_for("RELOADING=1");
    heard.wait_for("READY=1");
    let told = heard.wait_for("STATUS=generation 2; 1 group, 3 members; reload 3 refused: ");
    assert!(told.contains("`members`"), "{told}");
    assert!(daemon.stop().status.success());
    heard.wait_for("STOPPING=1");
}

/// A stand-in for systemd's socket.
struct Heard {
    socket: UnixDatagram,
}

impl Heard {
    /// The next datagram that begins so; others are passed over.
    #[track_caller]
    fn wait_for(&self, beginning: &str) -> String {
        let mut seen = Vec::new();
        wait_for(beginning, SOON, || {
            let mut buffer = [0; 4096];
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if text.starts_with(beginning) {
                        return Ok(text);
                    }
                    seen.push(text);
                    Err(format!("{seen:#?}"))
                }
                Err(error) => Err(format!("{error}; {seen:#?}")),
            }
        })
    }
}

/// CLOCK_MONOTONIC in microseconds.
fn monotonic() -> u128 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for the answer.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    assert_eq!(result, 0);
    now.tv_sec as u128 * 1_000_000 + now.tv_nsec as u128 / 1_000
}

/// `GET path` over the socket, as `curl --unix-socket` does.
fn exchange(socket: &std::path::Path, path: &str) -> serde_json::Value {
    use std::io::{Read, Write};
    let begin = Instant::now();
    let ask = || -> std::io::Result<String> {
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer =
        ask().unwrap_or_else(|error| panic!("{path} after {:?}: {error}", begin.elapsed()));
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {answer}"))
}
