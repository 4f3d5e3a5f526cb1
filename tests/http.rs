//! What a stranger can do to the status page's port: look at what is for everybody, and nothing else. And
//! whether `/healthz` tells a wedged loop from a slow one.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use support::freeze;
use support::http::{get, get_as};
use support::{Daemon, Setup, wait_for};

const TOML: &str = "[topics.Delivery]\npartitions = 1\n\n[groups.g]\ntopics = [\"Delivery\"]\n\
    members = 2\nhandler = \"handle.rhai\"\n";
const SOON: Duration = Duration::from_secs(60);

/// After this long without a whole request a connection is cut; with the time that a busy machine adds.
const CUT: Duration = Duration::from_secs(20);

fn daemon() -> Daemon {
    let daemon = Setup::new("embedded", TOML)
        .handler("handle.rhai", "fn handle(msg) {}\n")
        .start();
    wait_for("readiness", SOON, || match daemon.get("/readyz") {
        ready if ready.code == 200 => Ok(()),
        not => Err(not.body),
    });
    daemon
}

fn connect(address: SocketAddr) -> TcpStream {
    let connected = TcpStream::connect_timeout(&address, SOON).and_then(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(10)))?;
        Ok(stream)
    });
    connected.unwrap_or_else(|error| panic!("{error}"))
}

/// Sends a whole request, and gives the first line of the answer.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    let sent = stream
        .write_all(request)
        .and_then(|()| stream.set_read_timeout(Some(SOON)));
    let mut answer = Vec::new();
    // What is not read of a request that is refused may break the connection after the answer.
    if let (Err(error), true) = (stream.read_to_end(&mut answer), answer.is_empty()) {
        panic!("no answer: {error}, sent: {sent:?}");
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Whether the other side has ended the connection, with whatever it said before.
fn is_cut(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => return true,
        }
    }
}

/// A request that comes a byte at a time is cut off, however lively it is, and holds up nobody meanwhile.
#[test]
fn a_request_that_trickles_is_cut_off() {
    let daemon = daemon();
    let mut slow: Vec<TcpStream> = (0..5).map(|_| connect(daemon.address())).collect();
    for stream in &mut slow {
        let begun = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        begun.unwrap_or_else(|error| panic!("{error}"));
    }
    let begin = Instant::now();
    wait_for("all to be cut off", CUT, || {
        assert_eq!(daemon.get("/healthz").code, 200);
        slow.retain_mut(|stream| stream.write_all(b"a").is_ok() && !is_cut(stream));
        if slow.is_empty() {
            Ok(())
        } else {
            Err(format!("{} are not", slow.len()))
        }
    });
    assert!(
        begin.elapsed() > Duration::from_secs(5),
        "an honest one has some seconds"
    );
}

/// More connections than there are places wait; those who say nothing are cut off, and then it is the
/// others' turn. Memory and threads do not grow with them.
#[test]
fn silent_connections_give_their_places_back() {
    let daemon = daemon();
    let before = daemon.metric("process_threads", "");
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(daemon.address())).collect();
    wait_for("an answer beside them", CUT * 2, || {
        get(daemon.address(), "/healthz").map(|answer| assert_eq!(answer.code, 200))
    });
    assert!(daemon.metric("process_threads", "") <= before + 1.0);
    drop(silent);
}

/// Headers beyond any need are refused, with the daemon unimpressed.
#[test]
fn huge_headers_are_refused() {
    let daemon = daemon();
    let long = "a".repeat(1 << 20);
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n");
    assert!(ask(daemon.address(), request.as_bytes()).contains(" 431 "));
    let many: String = (0..1000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert!(ask(daemon.address(), request.as_bytes()).contains(" 431 "));
    let uri = format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = ask(daemon.address(), uri.as_bytes());
    assert!(
        answer.contains(" 431 ") || answer.contains(" 414 "),
        "{answer}"
    );
    assert!(ask(daemon.address(), b"\x16\x03\x01 not HTTP at all\r\n\r\n").contains(" 400 "));
    assert_eq!(daemon.get("/healthz").code, 200);
}

/// No method but GET and HEAD is taken, on any path, and no body.
#[test]
fn nothing_can_be_changed() {
    let daemon = daemon();
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "BREW",
    ] {
        for path in ["/", "/api/status", "/metrics", "/v1/reload", "/v1/pause"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answer = ask(daemon.address(), request.as_bytes());
            assert!(
                answer.contains(" 405 ") || answer.contains(" 400 "),
                "{method} {path}: {answer}"
            );
        }
    }
    let body = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n";
    assert!(ask(daemon.address(), body).contains(" 413 "));
    assert_eq!(daemon.status().generation(), 1);
}

/// Under a name that is not its own it shows nothing of what runs; probes and scrapers may call it what
/// they like.
#[test]
fn only_health_and_metrics_answer_to_any_name() {
    let daemon = daemon();
    let code = |path: &str, host: &str| match get_as(daemon.address(), path, host) {
        Ok(answer) => answer.code,
        Err(error) => panic!("{error}"),
    };
    for path in ["/", "/api/status", "/api/history", "/api/events"] {
        assert_eq!(code(path, "evil.example"), 421, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(code(path, "evil.example"), 200, "{path}");
    }
    assert_eq!(code("/api/status", "localhost:8660"), 200);
    assert_eq!(code("/api/status", "test"), 200, "the instance's name");
}

/// A port that another one has ends the start, with the address and the setting.
#[test]
fn a_taken_port_is_a_clear_error() {
    let first = daemon();
    let address = first.address();
    let exit = Setup::named("second", "embedded", TOML)
        .handler("handle.rhai", "fn handle(msg) {}\n")
        .set("daemon.http", &format!("\"{address}\""))
        .run();
    assert_eq!(exit.status.code(), Some(1), "{}", exit.output);
    let said =
        format!("can not listen on {address}: another program has this port; set `daemon.http`");
    assert!(exit.output.contains(&said), "{}", exit.output);
}

/// A member that is busy with slow messages is alive; one whose loop stands still is not, and is named
/// until it goes round again.
#[test]
fn health_tells_wedged_from_slow() {
    let slow = "fn handle(msg) { let n = 0; while n < 100_000_000 { n += 1; } }\n";
    let daemon = Setup::new("embedded", TOML)
        .handler("handle.rhai", slow)
        .set("groups.g.handler_timeout", "\"1s\"")
        .set("groups.g.limits.operations", "1_000_000_000")
        .set("groups.g.on_failure.retries", "1000")
        .set("groups.g.on_failure.backoff", "\"1ms\"")
        .set("groups.g.on_failure.max_backoff", "\"1ms\"")
        .start();
    daemon.wait_until_assigned("g", 1);
    let said = daemon.command(&["produce", "Delivery", "a message"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    daemon.wait_until("calls that take all their time", SOON, |status| {
        assert_eq!(daemon.get("/healthz").code, 200);
        status.counter("g", "failed") >= 3
    });

    let status = daemon.status();
    let members = status.members("g");
    let idle = members.iter().find(|member| member.partitions.is_empty());
    let idle = idle.map_or_else(|| panic!("{status}"), |member| member.name.clone());
    let frozen = freeze::Thread::stop(daemon.id(), &idle);
    let answer = wait_for("the wedged one to be named", SOON * 3, || {
        match get(daemon.address(), "/healthz") {
            Ok(answer) if answer.code == 503 => Ok(answer),
            other => Err(format!("{other:?}")),
        }
    });
    let named = format!("member {idle} has not gone round for");
    assert!(answer.body.contains(&named), "{}", answer.body);
    assert_eq!(daemon.metric("deliveryd_wedged_loops", ""), 1.0);
    drop(frozen);
    wait_for("it to be well again", SOON, || {
        match get(daemon.address(), "/healthz") {
            Ok(answer) if answer.code == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
