//! The broker goes away, hangs, or is not there yet: work waits, says so, and goes on by itself.

mod support;

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use support::case::{COPY, Case, SOON, assert_each_once_in_order, times};
use support::ports::Port;
use support::{Daemon, Kafka, Setup, wait_for};

/// A broker that only these tests use, one after another: each of them takes it away.
fn broker() -> (MutexGuard<'static, ()>, &'static Kafka) {
    static TURN: Mutex<()> = Mutex::new(());
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let kafka = BROKER.get_or_init(|| Kafka::start(support::Settings::kraft(1)));
    (turn, kafka)
}

fn work_on(case: &Case, daemon: &Daemon, more: i64) {
    let copied = || case.probe.end_offsets(&case.out)[&0];
    let before = copied();
    wait_for("work to go on", SOON, || match copied() - before {
        n if n >= more => Ok(()),
        n => Err(format!("{n} of {more}\n{}", daemon.output.tail())),
    });
}

/// The only broker is killed under load. The state says so with one clear line, and when it is back on
/// its old port the work goes on by itself; nothing is lost.
#[test]
fn work_goes_on_by_itself_when_the_broker_is_back() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let case = Case::on(kafka, "away", 2);
    case.fill(0..2, 3000);
    let daemon = case.start("members = 2\nrate = 500.0\n", COPY);
    work_on(&case, &daemon, 300);
    kafka.kill_broker(1);
    daemon.wait_until("the outage to be seen", SOON, |status| {
        let members = status.members(&case.group);
        status.at("/brokers/state") == "down"
            && members
                .iter()
                .all(|member| member.state == "waiting_for_broker")
    });
    assert_eq!(daemon.get("/healthz").code, 200);
    assert_eq!(daemon.get("/readyz").code, 503);
    let lines = |daemon: &Daemon| daemon.output.count("no broker at");
    assert!(
        (1..=2).contains(&lines(&daemon)),
        "{}",
        daemon.output.tail()
    );

    kafka.start_broker(1);
    daemon.wait_until("the broker to be seen", SOON, |s| {
        s.at("/brokers/state") == "up"
    });
    work_on(&case, &daemon, 100);
    assert!(lines(&daemon) <= 5, "a flood:\n{}", daemon.output.text());
    daemon.edit_config("rate = 500.0", "rate = \"unlimited\"");
    daemon.reload();
    case.wait_until_done(SOON);
    let copies = case.copies();
    assert_eq!(times(&copies).len(), 6000, "nothing is lost");
    let repeated = copies.len() - 6000;
    assert!(repeated <= 1000, "{repeated} came again");
    wait_for("readiness", SOON, || match daemon.get("/readyz") {
        ready if ready.code == 200 => Ok(()),
        not => Err(not.body),
    });
    assert!(daemon.stop().status.success());
}

/// A broker that hangs acknowledges nothing, and so nothing is finished; when it answers again the
/// work goes on, each message once and in order.
#[test]
fn nothing_is_finished_while_the_broker_does_not_acknowledge() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let case = Case::on(kafka, "hangs", 2);
    case.fill(0..2, 2000);
    // The group outlives the silence.
    let settings =
        "rate = 500.0\nin_flight = 100\nproperties = { \"session.timeout.ms\" = \"45000\" }\n";
    let daemon = case.start(settings, COPY);
    work_on(&case, &daemon, 200);
    kafka.signal_broker(1, libc::SIGSTOP);
    let status = daemon.wait_until("everything in flight", SOON, |status| {
        case.member(status)["in_flight"] == 100
    });
    let handled = status.handled(&case.group);
    wait_for("a second of silence", SOON, || {
        let status = daemon.status();
        assert_eq!(status.handled(&case.group), handled, "nothing is finished");
        let oldest = case.member(&status)["oldest_in_flight_seconds"].as_f64();
        match oldest {
            Some(1.0..) => Ok(()),
            _ => Err(status.to_string()),
        }
    });
    kafka.signal_broker(1, libc::SIGCONT);
    daemon.edit_config("rate = 500.0", "rate = \"unlimited\"");
    daemon.reload();
    let copies = case.wait_for_copies(4000, SOON * 2);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 2, 2000);
}

/// A stop while the broker is away keeps its time limit and says what will come again.
#[test]
fn a_stop_without_a_broker_ends_in_time() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let case = Case::on(kafka, "stop-away", 1);
    case.fill(0..1, 2000);
    // It can not take its leave, so the group notices by this.
    let quick =
        "properties = { \"session.timeout.ms\" = \"2000\", \"heartbeat.interval.ms\" = \"300\" }\n";
    let settings = format!("rate = 500.0\ndrain_timeout = \"1s\"\n{quick}");
    let daemon = case.start(&settings, COPY);
    work_on(&case, &daemon, 100);
    kafka.kill_broker(1);
    daemon.wait_until("the outage to be seen", SOON, |s| {
        s.at("/brokers/state") == "down"
    });
    let exit = daemon.stop();
    kafka.start_broker(1);
    assert!(
        exit.took < Duration::from_secs(9),
        "it took {:?}",
        exit.took
    );
    assert!(exit.output.contains("will come again"), "{}", exit.output);
    let _next = case.start(quick, COPY);
    case.wait_until_done(SOON);
    assert_eq!(times(&case.copies()).len(), 2000);
}

/// A daemon that is started before its broker says so in one clear line, is alive and not ready, and
/// starts by itself when the broker is there.
#[test]
fn a_daemon_may_be_started_before_its_broker() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let case = Case::on(kafka, "early", 1);
    case.fill(0..1, 10);
    kafka.kill_broker(1);
    let daemon = case.start("", COPY);
    let line = daemon.wait_for_line("no broker at", SOON);
    assert!(line.contains(&kafka.servers()), "{line}");
    assert!(daemon.output.text().contains("docker compose up -d"));
    daemon.wait_until("the state", SOON, |s| s.state() == "waiting_for_broker");
    assert_eq!(daemon.get("/readyz").code, 503);
    assert_eq!(daemon.get("/healthz").code, 200);
    assert_eq!(
        daemon.output.count("no broker at"),
        1,
        "{}",
        daemon.output.text()
    );
    kafka.start_broker(1);
    case.wait_for_copies(10, SOON);
    case.wait_until_done(SOON);
    wait_for("readiness", SOON, || match daemon.get("/readyz") {
        ready if ready.code == 200 => Ok(()),
        not => Err(not.body),
    });
}

/// A reload while it waits for its broker begins the start anew with what is on disk: a wrong address is
/// mended that way, and a configuration that is wrong itself changes nothing.
#[test]
fn a_reload_while_waiting_for_the_broker_begins_the_start_anew() {
    needs_kafka!();
    let kafka = Kafka::shared();
    let case = Case::new("mended", 1);
    case.fill(0..1, 10);
    let nobody = Port::claim();
    let daemon = Setup::new(&nobody.address(), &case.toml("members = 1"))
        .handler("handle.rhai", COPY)
        .start();
    daemon.wait_until("the state", SOON, |s| s.state() == "waiting_for_broker");

    daemon.edit_config("members = 1", "members = 0");
    let refused = daemon.command(&["reload"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(refused.err.contains("the start goes on"), "{}", refused.err);
    let other = Port::claim();
    daemon.edit_config("members = 0", "members = 1");
    daemon.edit_config(&nobody.address(), &other.address());
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let waits = format!("waiting for the broker at {}", other.address());
    assert!(answer.out.contains(&waits), "{}", answer.out);

    daemon.edit_config(&other.address(), &kafka.servers());
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let in_force = "generation 4 is in force";
    assert!(answer.out.contains(in_force), "{}", answer.out);
    case.wait_for_copies(10, SOON);
    let status = daemon.status();
    assert_eq!((status.state(), status.generation()), ("running", 4));
    // From now on a reload is a difference to what runs.
    assert!(daemon.reload_now().contains("nothing changed"));
}

/// SIGTERM while it waits for its broker ends it at once, with success.
#[test]
fn a_stop_while_waiting_for_the_broker_is_heard_at_once() {
    let nobody = Port::claim();
    let toml =
        "[topics.T]\npartitions = 1\n\n[groups.g]\ntopics = [\"T\"]\nhandler = \"handle.rhai\"\n";
    let daemon = Setup::new(&nobody.address(), toml)
        .handler("handle.rhai", "fn handle(msg) { }")
        .start();
    daemon.wait_for_line("no broker at", SOON);
    let exit = daemon.stop();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    assert!(
        exit.took < Duration::from_secs(2),
        "it took {:?}",
        exit.took
    );
}

/// A port that belongs to no Kafka is told as that, not as a broker that is down.
#[test]
fn a_port_that_is_no_kafkas_is_told() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("its address").to_string();
    let daemon = Setup::new(&address, "[topics.T]\n").start();
    daemon.wait_for_line(
        &format!("no broker at {address} answers, and nothing refuses the connection"),
        SOON,
    );
}

/// The way out of a broker that should be on this machine says how it is with Docker.
#[test]
fn the_way_out_knows_whether_docker_runs() {
    let nobody = Port::claim();
    let folder = tempfile::tempdir().expect("a directory");
    let socket = folder.path().join("docker.sock");
    let host = format!("unix://{}", socket.display());
    let hint = || {
        let daemon = Setup::new(&nobody.address(), "[topics.T]\n")
            .environment("DOCKER_HOST", &host)
            .start();
        let line = daemon.wait_for_line("is it running?", SOON);
        line.trim().to_owned()
    };
    assert_eq!(
        hint(),
        "is it running? docker-compose.yml has one, but no Docker runs here: \
         `sudo systemctl start docker`, then `docker compose up -d`"
    );
    let _docker = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    assert_eq!(
        hint(),
        "is it running? `docker compose up -d` starts the one in docker-compose.yml"
    );
}
