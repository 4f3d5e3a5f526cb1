//! The cluster changes under a running daemon: leaders move, partitions are added, a topic is deleted,
//! an ACL is taken away, a disk is full. Work waits where it must, says why, and goes on.

mod support;

use std::sync::OnceLock;
use std::time::Duration;

use support::case::{COPY, Case, SOON, assert_each_once_in_order, by_partition, times};
use support::{Daemon, Kafka, Settings, wait_for};

/// For what takes a tool of Kafka's, each a JVM of its own.
const LATER: Duration = Duration::from_secs(60);

/// A broker that asks its ACLs, and lets everybody in where there are none.
fn guarded() -> &'static Kafka {
    static GUARDED: OnceLock<Kafka> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        let settings = Settings::kraft(1).with("authorizer.class.name", authorizer);
        Kafka::start(settings.with("allow.everyone.if.no.acl.found", "true"))
    })
}

fn readiness(daemon: &Daemon) -> String {
    match daemon.get("/readyz") {
        ready if ready.code == 200 => "ready".to_owned(),
        not => not.body,
    }
}

/// Leadership moves to another broker and back under load, with both guarantees: nothing is lost,
/// repeated or out of order, and nobody has to be told.
#[test]
fn a_leader_that_moves_is_followed() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(2).with("min.insync.replicas", "1"));
    let guarantees = ["at_least_once", "exactly_once"];
    let cases = guarantees.map(|guarantee| {
        let case = Case::replicated_on(&kafka, &format!("led-{guarantee}"), 2, 2);
        case.fill(0..2, 3000);
        let daemon = case.start(&format!("guarantee = {guarantee:?}\nrate = 400.0\n"), COPY);
        daemon.wait_until("work", SOON, |s| s.handled(&case.group) > 200);
        (case, daemon)
    });
    let tools = kafka.tools();
    for (case, _) in &cases {
        for topic in [&case.topic, &case.out] {
            let leader = case.probe.leader(topic, 0);
            let other = 3 - leader;
            tools.move_leader(topic, &[other, leader]);
            wait_for("the leader to move", LATER, || {
                match case.probe.leader(topic, 0) {
                    now if now == other => Ok(()),
                    now => Err(format!("{topic}/0 is led by {now}")),
                }
            });
        }
    }
    for (case, daemon) in cases {
        daemon.edit_config("rate = 400.0", "rate = \"unlimited\"");
        daemon.reload();
        case.wait_until_done(LATER);
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        assert_each_once_in_order(&case.committed_copies(), 2, 3000);
    }
}

/// Somebody else adds partitions: the members take them up by themselves, from their beginning.
#[test]
fn partitions_that_somebody_else_adds_are_taken_up() {
    needs_kafka!();
    let case = Case::new("grown", 2);
    let daemon = case.start("members = 2\n", COPY);
    daemon.wait_until("one each", SOON, |s| s.shares(&case.group) == [1, 1]);
    case.probe.grow_topic(&case.topic, 4);
    case.fill(0..4, 50);
    daemon.wait_until("two each", SOON, |s| s.shares(&case.group) == [2, 2]);
    case.wait_until_done(SOON);
    assert_each_once_in_order(&case.copies(), 4, 50);
}

/// A topic that is deleted under its readers: status and readiness say so and how to mend it, other
/// topics go on, and a reload makes it anew, from whose beginning the group goes on by itself.
#[test]
fn a_deleted_topic_is_told_and_made_anew_by_a_reload() {
    needs_kafka!();
    let case = Case::new("deleted", 2);
    case.fill(0..2, 100);
    let other = format!("{}.other", case.topic);
    let toml = case
        .toml("members = 2\n")
        .replace(
            &format!("[topics.{:?}]\ncreate = false", case.topic),
            &format!(
                "[topics.{:?}]\npartitions = 2\n[topics.{other:?}]\npartitions = 1",
                case.topic
            ),
        )
        .replace(
            &format!("topics = [{:?}]", case.topic),
            &format!("topics = [{:?}, {other:?}]", case.topic),
        );
    let daemon = case.setup_with(&toml, COPY).start();
    case.wait_until_done(SOON);

    case.probe.delete_topic(&case.topic);
    let told = format!("topic {} is gone from the cluster", case.topic);
    let line = daemon.wait_for_line(&told, SOON);
    assert!(
        line.contains("`deliveryd reload` creates it anew"),
        "{line}"
    );
    wait_for("readiness to say so", SOON, || match readiness(&daemon) {
        reason if reason.contains(&told) => Ok(()),
        reason => Err(reason),
    });
    let status = daemon.status();
    let shown = &status.at("/topics")[&case.topic]["mismatch"];
    assert!(shown.to_string().contains("is gone"), "{status}");
    assert_eq!(daemon.get("/healthz").code, 200);
    case.probe.produce_to(&other, 0, [("k", "still")]);
    case.probe.wait_until_committed(&case.group, &other, SOON);

    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    daemon.wait_for_line(&format!("topic {} is there again", case.topic), SOON);
    case.fill(0..2, 30);
    daemon.wait_until("its messages", SOON, |s| s.handled(&case.group) == 261);
    case.wait_until_done(SOON);
    wait_for("readiness", SOON, || match readiness(&daemon).as_str() {
        "ready" => Ok(()),
        reason => Err(reason.to_owned()),
    });
    // The old topic's 200, one of the other, the new topic's 60.
    assert_eq!(case.wait_for_copies(261, SOON).len(), 261);
    assert!(daemon.stop().status.success());
}

/// The ACL to read a topic is taken away: its partitions are shown as standing still with the reason, and
/// when it is given back the work goes on by itself; nothing is lost or repeated.
#[test]
fn a_topic_that_may_not_be_read_any_more_is_told_and_goes_on() {
    needs_kafka!();
    let kafka = guarded();
    let case = Case::on(kafka, "denied", 2);
    let tools = kafka.tools();
    let who = "User:ANONYMOUS";
    tools.acls(&[
        "--add",
        "--allow-principal",
        who,
        "--operation",
        "All",
        "--topic",
        &case.topic,
    ]);
    case.fill(0..2, 100);
    let daemon = case.start("", COPY);
    case.wait_until_done(SOON);

    let deny = [
        "--deny-principal",
        who,
        "--operation",
        "Read",
        "--topic",
        &case.topic,
    ];
    tools.acls(&[&["--add"][..], &deny].concat());
    let status = daemon.wait_until("the reason to be seen", LATER, |status| {
        let member = case.member(status);
        member["state"] == "stuck" && member["reason"].to_string().contains("ACLs deny")
    });
    let partition = &case.member(&status)["partitions"][0];
    assert!(
        partition["stuck"].to_string().contains(&case.topic),
        "{status}"
    );
    assert!(
        readiness(&daemon).contains("ACLs deny"),
        "{}",
        readiness(&daemon)
    );
    case.fill(0..2, 100);
    let handled = daemon.status().handled(&case.group);
    assert_eq!(handled, 200, "nothing of what came since can be read");

    tools.acls(&[&["--remove", "--force"][..], &deny].concat());
    case.wait_until_done(LATER);
    daemon.wait_until("nothing to complain of", SOON, |status| {
        let member = case.member(status);
        member["state"] == "running" && member["reason"].is_null()
    });
    assert_eq!(case.copies().len(), 400);
    assert!(daemon.stop().status.success());
}

/// The ACL of the group is taken away: the members say that they are kept out, stay alive, and are
/// back by themselves when it is given again.
#[test]
fn a_group_that_is_denied_says_so_and_comes_back() {
    needs_kafka!();
    let kafka = guarded();
    let case = Case::on(kafka, "kept-out", 2);
    let tools = kafka.tools();
    let settings =
        "properties = { \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"300\" }\n";
    case.fill(0..2, 100);
    let daemon = case.start(settings, COPY);
    case.wait_until_done(SOON);

    let deny = [
        "--deny-principal",
        "User:ANONYMOUS",
        "--operation",
        "All",
        "--group",
        &case.group,
    ];
    tools.acls(&[&["--add"][..], &deny].concat());
    daemon.wait_until("the reason to be seen", LATER, |status| {
        let member = case.member(status);
        member["state"] == "stuck" && member["reason"].to_string().contains("consumer group")
    });
    assert_eq!(daemon.get("/healthz").code, 200);
    assert_eq!(daemon.get("/readyz").code, 503);

    tools.acls(&[&["--remove", "--force"][..], &deny].concat());
    case.fill(0..2, 100);
    case.wait_until_done(LATER);
    daemon.wait_until("nothing to complain of", SOON, |status| {
        let member = case.member(status);
        member["state"] == "running" && member["reason"].is_null()
    });
    assert_eq!(times(&case.copies()).len(), 400, "nothing is lost");
    assert!(daemon.stop().status.success());
}

/// The broker's disk is full, so that it stops: the outage is shown, and when there is room again the
/// work goes on by itself. Nothing is lost, and with `exactly_once` nothing is repeated.
#[test]
fn a_full_disk_is_an_outage_that_loses_nothing() {
    needs_kafka!();
    let kafka = Kafka::start(Settings::kraft(1).with("log.index.size.max.bytes", "65536"));
    let case = Case::on(&kafka, "full", 2);
    let value = "x".repeat(1000);
    for partition in 0..2 {
        let records = (0..2000).map(|n| (format!("k{n}"), value.clone()));
        case.probe.produce_to(&case.topic, partition, records);
    }
    let settings = "guarantee = \"exactly_once\"\nrate = 1000.0\nproperties = { \"compression.type\" = \"none\" }\n";
    let daemon = case.start(settings, COPY);
    daemon.wait_until("work", SOON, |s| s.handled(&case.group) > 200);
    // The input has its 2 MB a partition; the output's only one would have twice as much.
    kafka.limit_files(1, 3_000_000);
    daemon.wait_until("the outage to be seen", LATER, |status| {
        status.at("/brokers/state") == "down"
    });
    kafka.wait_for_end(1, LATER);
    kafka.start_broker(1);
    daemon.edit_config("rate = 1000.0", "rate = \"unlimited\"");
    daemon.reload();
    case.wait_until_done(LATER);
    let copies = case.committed_copies();
    let found = by_partition(&copies);
    let all: Vec<i64> = (0..2000).collect();
    assert!(
        found.values().all(|offsets| *offsets == all),
        "{} copies",
        copies.len()
    );
    assert!(daemon.stop().status.success());
}
