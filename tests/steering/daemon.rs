//! What concerns the daemon as a whole: the log's level, who asked for what, and what is on disk.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::support::http;
use super::{SOON, done, embedded, paused, refused};

/// The level is told, changed while it runs, and a wrong one is refused with what is possible.
#[test]
fn the_log_level_changes_while_it_runs() {
    let daemon = embedded();
    assert_eq!(done(daemon.command(&["log-level"])), "info\n");
    assert_eq!(
        done(daemon.command(&["log-level", "warn"])),
        "log level info → warn\n"
    );
    let said = refused(daemon.command(&["log-level", "wran"]));
    assert!(said.contains("`wran` is no log level"), "{said}");
    done(daemon.command(&["log-level", "info,deliveryd::control=debug"]));
    // Asking is worth a line only when details are wanted.
    done(daemon.command(&["log-level"]));
    daemon.wait_for_line("DEBUG log-level: asked for by user", SOON);
}

/// Each command that changes or shows something is in the log with the user and the process that asked.
#[test]
fn commands_are_logged_with_who_asked() {
    let daemon = embedded();
    // SAFETY: a plain system call that always succeeds.
    let own = unsafe { libc::getuid() };
    done(daemon.command(&["pause", "first", "Delivery:1"]));
    done(daemon.command(&["resume", "first"]));
    done(daemon.command(&["seek", "first", "--to", "latest", "--yes"]));
    done(daemon.command(&["tap", "first", "--count", "1", "--values"]));
    done(daemon.command(&["log-level", "info"]));
    for said in [
        "pause first Delivery:1",
        "resume first",
        "what a seek of first to latest would do",
        "seek first Delivery:0 to ",
        "tap first --values",
        "log-level \"info\"",
    ] {
        let line = daemon.wait_for_line(said, SOON);
        assert!(
            line.contains("asked for over the control socket by user"),
            "{line}"
        );
        assert!(line.contains(&format!("by user {own}, ")), "{line}");
        assert!(line.contains("process "), "{line}");
    }
}

/// When the configuration or a handler on disk would keep the daemon from starting again, the status
/// says so, with the place, until it is mended. What runs is not touched.
#[test]
fn what_would_not_start_again_is_told() {
    let daemon = embedded();
    assert!(daemon.status().at("/on_disk").is_null());
    daemon.edit_config("members = 2", "membres = 2");
    let status = daemon.wait_until("the broken config to be seen", SOON, |status| {
        !status.at("/on_disk").is_null()
    });
    let said = status.at("/on_disk").as_str().unwrap_or_default();
    assert!(
        said.contains("deliveryd.toml:") && said.contains("`membres`"),
        "{said}"
    );
    let printed = done(daemon.command(&["status"]));
    assert!(
        printed.contains("\non disk   what is on disk would not start again: "),
        "{printed}"
    );
    daemon.edit_config("membres = 2", "members = 2");
    daemon.wait_until("the mended config to be seen", SOON, |status| {
        status.at("/on_disk").is_null()
    });

    daemon.edit_handler("generate.rhai", "fn generate(n) {", "fn generate(n) {{");
    let status = daemon.wait_until("the broken handler to be seen", SOON, |status| {
        !status.at("/on_disk").is_null()
    });
    assert!(status.to_string().contains("generate.rhai:1:"), "{status}");
    assert_eq!(status.generation(), 1);
    assert_eq!(status.shares("first"), [1, 1]);
}

/// Requests that no command sends are refused with a sentence, and disturb nothing.
#[test]
fn strange_requests_are_refused() {
    let daemon = embedded();
    let socket = daemon.dir().join("control.sock");
    for (path, body, code, says) in [
        ("/v1/pause", "{}", 400, "missing field `name`"),
        (
            "/v1/pause",
            "{\"name\": \"first\", \"topik\": \"a\"}",
            400,
            "unknown field `topik`",
        ),
        (
            "/v1/pause",
            "{\"name\": \"first\", \"partition\": 1}",
            400,
            "a partition needs its topic",
        ),
        (
            "/v1/seek",
            "{\"group\": \"none\", \"moves\": []}",
            404,
            "no group or producer `none`",
        ),
        (
            "/v1/tap",
            "{\"group\": \"first\", \"rate\": 0}",
            400,
            "at least 1",
        ),
        ("/v1/log-level", "{\"level\": 5}", 400, "not understood"),
        ("/v1/resume", "", 400, "not understood"),
    ] {
        let answer = http::post(&socket, path, body);
        assert_eq!(answer.code, code, "{path} {body}: {answer:?}");
        assert!(answer.body.contains(says), "{path} {body}: {answer:?}");
    }
    // What a plan would not have said is looked at again before it is done.
    let moves = "{\"group\": \"first\", \"moves\": [\
        {\"topic\": \"Delivery\", \"partition\": 0, \"to\": 1000000000},\
        {\"topic\": \"Delivery\", \"partition\": 9, \"to\": 0}]}";
    let answer = http::post(&socket, "/v1/seek", moves);
    assert_eq!(answer.code, 200, "{answer:?}");
    assert!(answer.body.contains("it has offsets 0 to "), "{answer:?}");
    assert!(answer.body.contains("it is not held here"), "{answer:?}");
}

/// Whatever comes in at the socket, rubbish, too much or nothing, the daemon works on and hears others.
#[test]
fn noise_on_the_socket_disturbs_no_work() {
    let daemon = embedded();
    let socket = daemon.dir().join("control.sock");
    let connect = || UnixStream::connect(&socket).expect("the socket");
    // Who is silent keeps a place until it is lost.
    let silent: Vec<UnixStream> = (0..10).map(|_| connect()).collect();
    let huge = format!(
        "POST /v1/pause HTTP/1.1\r\nhost: a\r\nx: {}\r\n",
        "y".repeat(1 << 20)
    );
    for noise in [
        &b"\x00\xff\xfe\r\n\r\n"[..],
        b"{\"name\": \"first\"}\n",
        huge.as_bytes(),
    ] {
        let mut stream = connect();
        // It may hang up before it has heard all of it.
        if let Err(error) = stream.write_all(noise) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        let before = daemon.status();
        assert_eq!(before.state(), "running");
        done(daemon.command(&["log-level"]));
        daemon.wait_until("work to go on", SOON, |status| {
            status.handled("first") > before.handled("first") + 20
        });
    }
    drop(silent);
    let status = daemon.status();
    assert_eq!(status.shares("first"), [1, 1], "{status}");
    assert!(paused(&status, "first").is_empty(), "{status}");
    assert_eq!(
        daemon.output.count("panicked"),
        0,
        "{}",
        daemon.output.tail()
    );
    assert!(daemon.stop().status.success());
}
