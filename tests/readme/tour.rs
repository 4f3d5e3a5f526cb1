//! The tour, made as the page says: on the embedded broker, and the rest of it on real Kafka.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::needs_kafka;
use crate::page::{Page, spans};
use crate::said::shape;
use crate::support::{Daemon, Kafka, Setup};

const SOON: Duration = Duration::from_secs(30);

/// Every line of the blocks was printed, but for numbers and the like.
fn assert_printed(tag: &str, output: &str) {
    let printed: BTreeSet<String> = output.lines().map(shape).collect();
    for block in Page::read().blocks("text", tag) {
        for (index, line) in block.text.lines().enumerate() {
            let shape = shape(line);
            assert!(
                printed.contains(&shape),
                "line {} of README.md is not printed: {line}\nas: {shape}\nprinted was:\n{output}",
                block.line + 1 + index,
            );
        }
    }
}

/// The five lessons, the edited handler and the refused reload, on config/default.toml.
#[test]
fn the_tour_on_the_embedded_broker() {
    let daemon = Setup::copy_of_repository("default.toml").start();
    daemon.wait_for_line("try: members = 3", SOON);
    let config = daemon.dir().join("config/default.toml");
    let late = Page::read().blocks("toml", "part")[0].text.clone();
    let before = fs::read_to_string(&config).unwrap_or_else(|error| panic!("{error}"));
    fs::write(&config, format!("{before}\n{late}")).unwrap_or_else(|error| panic!("{error}"));
    daemon.reload();
    daemon.wait_for_line("late-1  Delivery/", SOON);

    daemon.edit_config("members = 2", "members = 3");
    let printed = ["plan", "reload", "status"].map(|command| daemon.command(&[command]).out);
    daemon.wait_for_line("idle: group-1-3", SOON);
    daemon.edit_config("members = 3", "membres = 3");
    daemon.reload();
    daemon.edit_config("membres = 3", "members = 1");
    daemon.reload();
    daemon.wait_for_line("0,1 → group-1-1", SOON);

    let handler = "handlers/print_delivery.rhai";
    daemon.edit_handler(handler, "print(`", "print(`got ");
    daemon.wait_for_line("runs from the next message on", SOON);
    daemon.edit_handler(handler, "${value}`);", "${value}`;");
    daemon.wait_for_line("^ its `)` is missing", SOON);
    daemon.edit_handler(handler, "${value}`;", "${value}`);");
    daemon.wait_for_line("is again what runs", SOON);

    let exit = daemon.end_with(libc::SIGINT);
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    let all = format!("{}\n{}", exit.output, printed.concat());
    assert_printed("tour", &all);
}

/// What needs a real broker: a topic that grows, and offsets that stay.
#[test]
fn the_tour_on_kafka() {
    needs_kafka!();
    let servers = format!("{:?}", Kafka::shared().servers());
    let daemon = Setup::copy_of_repository("kafka.toml")
        .set("kafka.brokers", &servers)
        .start();
    daemon.wait_for_line("try: members = 3", SOON);
    daemon.edit_config("members = 2", "members = 3");
    daemon.reload();
    daemon.wait_for_line("idle: group-1-3", SOON);
    daemon.edit_config("partitions = 2", "partitions = 3");
    daemon.reload();
    daemon.wait_until("a partition each", SOON, |status| {
        status.shares("group-1") == [1, 1, 1]
    });
    daemon.wait_for_line("→ group-1-3", SOON);
    let exit = daemon.end_with(libc::SIGINT);
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    assert_printed("kafka", &exit.output);
}

/// A failing handler is shown as the page shows it: the script's line is taken from there.
#[test]
fn a_failure_is_shown_with_its_place() {
    let page = Page::read();
    let shown = page.blocks("text", "failure")[0];
    let line = shown
        .text
        .lines()
        .find_map(|line| line.strip_prefix("4 | "));
    let line = line.unwrap_or_else(|| panic!("no line 4 in {}", shown.text));
    let source = format!("fn handle(msg) {{\n    let d = msg.json;\n\n{line}\n}}\n");
    let daemon = Setup::copy_of_repository("default.toml")
        .handler("handlers/careful.rhai", &source)
        .set("groups.careful.topics", "[\"Delivery\"]")
        .set("groups.careful.handler", "\"handlers/careful.rhai\"")
        .start();
    daemon.wait_for_line("careful.rhai:4:", SOON);
    daemon.wait_for_line("= where it may be missing", SOON);
    assert_printed("failure", &daemon.stop().output);
}

/// The names below a value of the status, as deep as it goes.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    if let Some(map) = value.as_object() {
        found.extend(map.keys().cloned());
        map.values().for_each(|value| names(value, found));
    }
    if let Some(list) = value.as_array() {
        list.iter().for_each(|value| names(value, found));
    }
}

fn running() -> Daemon {
    let daemon = Setup::copy_of_repository("default.toml").start();
    daemon.wait_for_line("try: members = 3", SOON);
    daemon
}

/// The answer to `METHOD PATH` over the control socket.
fn over_the_socket(daemon: &Daemon, request: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(daemon.dir().join("control.sock"))?;
        stream.set_read_timeout(Some(SOON))?;
        let head = "Host: localhost\r\nConnection: close\r\n\r\n";
        write!(stream, "{request} HTTP/1.1\r\n{head}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().unwrap_or_else(|error| panic!("{request}: {error}"))
}

/// The paths, the metrics and the fields of the status that the page names are there.
#[test]
fn http_answers_what_the_page_says() {
    let page = Page::read();
    let daemon = running();
    for row in page.rows(&["path", "what it is"]) {
        let path = spans(&row[0]).concat();
        // An event stream does not end by itself.
        if path != "/api/events" {
            assert_eq!(daemon.get(&path).code, 200, "{path}");
        }
    }
    let told = page.blocks("sh", "");
    let asked = told.iter().flat_map(|block| block.text.lines());
    for path in asked.filter_map(|line| line.strip_prefix("curl -s http://127.0.0.1:8660")) {
        assert_eq!(daemon.get(path).code, 200, "{path}");
    }
    for row in page.rows(&["request", "answer"]) {
        let request = spans(&row[0]).concat().replace("GROUP", "group-1");
        let answer = over_the_socket(&daemon, &request);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{request}: {answer}");
    }

    let metrics = daemon.metrics();
    for row in page.rows(&["metric", "labels"]) {
        for name in spans(&row[0]) {
            let head = format!("# TYPE {name} ");
            assert!(metrics.contains(&head), "no metric {name} in:\n{metrics}");
            let series = metrics
                .lines()
                .find(|line| line.starts_with(&format!("{name}{{")));
            for label in spans(&row[1])
                .into_iter()
                .filter(|_| !row[1].contains(" or "))
            {
                let values = ["done", "dead_lettered", "skipped", "failed", "rejected"];
                let value = values.contains(&label) || ["ok", "refused"].contains(&label);
                let there = series.is_none_or(|series| series.contains(&format!("{label}=")));
                assert!(value || there, "{name} has no label {label}: {series:?}");
            }
        }
    }

    let mut found = BTreeSet::new();
    names(&daemon.status().0, &mut found);
    let told = page.prose.split("`/api/status` has ").nth(1);
    let told = told.and_then(|rest| rest.split("A member's state").next());
    let told = spans(told.unwrap_or_default());
    assert!(told.len() > 10, "the status is not described: {told:?}");
    for name in told {
        assert!(found.contains(name), "the status has no {name}: {found:?}");
    }
}

/// One of the quoted messages that has these words.
fn quoted(words: &str) -> String {
    let page = Page::read();
    let said = page.blocks("text", "said");
    let mut lines = said.iter().flat_map(|block| block.text.lines());
    let line = lines.find(|line| line.contains(words));
    line.unwrap_or_else(|| panic!("README.md does not quote {words:?}"))
        .to_owned()
}

/// A port that is taken is told as the page quotes it.
#[test]
fn a_taken_port_is_told_as_quoted() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = taken.local_addr().unwrap_or_else(|error| panic!("{error}"));
    let exit = Setup::new("embedded", "")
        .set("daemon.http", &format!("\"{address}\""))
        .run();
    assert_eq!(exit.status.code(), Some(1), "{}", exit.output);
    let quoted = quoted("another program has this port");
    assert!(
        shape(&exit.output).contains(&shape(&quoted)),
        "{quoted}\n{}",
        exit.output
    );
}

/// A broker that is not there is told as the page quotes it, with the way out.
#[test]
fn an_absent_broker_is_told_as_quoted() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let address = free.local_addr().unwrap_or_else(|error| panic!("{error}"));
    drop(free);
    let toml = "[topics.Delivery]\npartitions = 1\n";
    // With a Docker that runs here: what else it may say is in tests/broker_trouble.rs.
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let socket = folder.path().join("docker.sock");
    let _docker = UnixListener::bind(&socket).unwrap_or_else(|error| panic!("{error}"));
    let daemon = Setup::new(&format!("localhost:{}", address.port()), toml)
        .environment("DOCKER_HOST", &format!("unix://{}", socket.display()))
        .start();
    let way_out = quoted("is it running?");
    daemon.wait_for_line(&way_out, SOON);
    let exit = daemon.stop();
    let quoted = quoted("connection refused");
    assert!(
        shape(&exit.output).contains(&shape(&quoted)),
        "{quoted}\n{}",
        exit.output
    );
}
