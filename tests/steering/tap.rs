//! Tap: a group's messages as its handlers see them.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use super::support::Setup;
use super::{SOON, begun, done, embedded, refused};

const TOML: &str = "[topics.In]\npartitions = 1\n[topics.Out]\npartitions = 1\n\
    [groups.watched]\ntopics = [\"In\"]\nhandler = \"handle.rhai\"\n";

const HANDLE: &str = r#"
fn handle(msg) {
    if msg.value == "bad" { reject("no good"); }
    emit("Out", msg.value);
    emit("Out", msg.value);
}
"#;

/// What a handler is called with and what came of it is shown; what messages hold only when asked.
#[test]
fn calls_are_shown_and_values_masked() {
    let daemon = begun(
        Setup::new("embedded", TOML)
            .handler("handle.rhai", HANDLE)
            .start(),
    );
    daemon.wait_until_assigned("watched", 1);
    // A tap begins with its answer, so that it sees what is written after that.
    let watch = |values: bool| {
        let mut tap = Watch::start(&daemon.dir().join("control.sock"), values);
        assert_eq!(tap.next()["listening"]["members"], 1);
        done(daemon.command(&["produce", "In", "good", "--key", "k1", "--header", "a=b"]));
        done(daemon.command(&["produce", "In", "bad"]));
        let (good, bad) = (tap.next(), tap.next());
        (good["message"].clone(), bad["message"].clone())
    };
    let (good, bad) = watch(false);
    assert_eq!(good["member"], "watched-1");
    assert_eq!(
        (&good["offset"], &good["outcome"]),
        (&0.into(), &"done".into())
    );
    assert_eq!(good["emits"], serde_json::json!([["Out", 2]]));
    assert_eq!(good["key"], serde_json::json!({ "bytes": 2 }));
    assert_eq!(good["value"], serde_json::json!({ "bytes": 4 }));
    assert_eq!(good["headers"], serde_json::json!([["a", { "bytes": 1 }]]));
    assert_eq!(
        (&bad["outcome"], &bad["reason"]),
        (&"rejected".into(), &"no good".into())
    );
    assert_eq!(bad["emits"], serde_json::json!([]));
    let (good, _) = watch(true);
    assert_eq!(good["key"], serde_json::json!({ "bytes": 2, "text": "k1" }));
    assert_eq!(
        good["value"],
        serde_json::json!({ "bytes": 4, "text": "good" })
    );
    assert_eq!(good["headers"][0][1]["text"], "b");
}

/// The command prints so many and ends; a group that is not there is told with those that are.
#[test]
fn the_command_watches() {
    let daemon = embedded();
    let answer = daemon.command(&["tap", "first", "--count", "3"]);
    assert!(
        answer.err.starts_with("watching first, 2 members"),
        "{answer:?}"
    );
    let printed = done(answer);
    assert_eq!(printed.lines().count(), 3, "{printed}");
    assert!(
        printed.contains("  first-") && printed.contains("bytes  done"),
        "{printed}"
    );
    let said = refused(daemon.command(&["tap", "frist"]));
    assert!(
        said.contains("there is no group `frist`; the groups here: first"),
        "{said}"
    );
}

/// Who watches and does not read holds nobody up: the group goes on, and what was left out is counted.
#[test]
fn a_watcher_that_does_not_read_holds_nobody_up() {
    let daemon = begun(
        Setup::new("embedded", TOML)
            .handler("handle.rhai", "fn handle(msg) {}")
            .start(),
    );
    daemon.wait_until_assigned("watched", 1);
    let mut tap = Watch::start(&daemon.dir().join("control.sock"), true);
    assert_eq!(tap.next()["listening"]["members"], 1);
    // The embedded broker keeps 5 MB of a partition.
    let line = "x".repeat(250) + "\n";
    let lines = line.repeat(10_000);
    let said = done(daemon.command_with_input(&["produce", "In"], &lines));
    assert_eq!(said, "10000 messages written to In\n");
    daemon.wait_until("all to be handled", SOON, |status| {
        status.handled("watched") == 10_000
    });
    // Much was shown and much was not; nothing of it twice.
    let (mut shown, mut left_out) = (0, 0);
    while shown + left_out < 10_000 {
        let next = tap.next();
        match next["left_out"].as_u64() {
            Some(more) => left_out += more,
            None => shown += u64::from(next["message"].is_object()),
        }
    }
    assert_eq!(shown + left_out, 10_000);
    assert!(left_out > 0, "{shown} shown");
}

/// A tap over the socket, as another tool would have it.
struct Watch(BufReader<UnixStream>);

impl Watch {
    fn start(socket: &std::path::Path, values: bool) -> Watch {
        let mut stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{error}"));
        let set = stream.set_read_timeout(Some(SOON));
        set.unwrap_or_else(|error| panic!("{error}"));
        let body = format!("{{\"group\":\"watched\",\"rate\":100000,\"values\":{values}}}");
        let request = format!(
            "POST /v1/tap HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let written = stream.write_all(request.as_bytes());
        written.unwrap_or_else(|error| panic!("{error}"));
        Watch(BufReader::new(stream))
    }

    /// The next line; what belongs to HTTP is passed over.
    fn next(&mut self) -> serde_json::Value {
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(0) => panic!("the tap has ended"),
                Ok(_) if line.starts_with('{') => {
                    let parsed = serde_json::from_str(&line);
                    return parsed.unwrap_or_else(|error| panic!("{error} in {line}"));
                }
                Ok(_) => {}
                Err(error) => panic!("no line: {error}"),
            }
        }
    }
}
