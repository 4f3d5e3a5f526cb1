//! The plan as a table.

use std::path::PathBuf;
use std::time::Duration;

use super::samples::{config, group, producer, topic};
use super::*;
use crate::config::{
    Guarantee, Ordering, OutOfRange, PropertyValue, Protocol, Rate, Start, Then, Topic, Watch,
};

/// A change to a group, and the line that it makes.
type Row = (fn(&mut Group), &'static str);

fn group_1(config: &mut Config) -> &mut Group {
    config.groups.get_mut("group-1").expect("it is in config()")
}

fn random(config: &mut Config) -> &mut Producer {
    config
        .producers
        .get_mut("random")
        .expect("it is in config()")
}

fn delivery(config: &mut Config) -> &mut Topic {
    config
        .topics
        .get_mut("Delivery")
        .expect("it is in config()")
}

/// One row: what is changed in `config()`, and how the plan for it reads.
fn reads(change: impl Fn(&mut Config), expected: &str) {
    let mut wanted = config();
    change(&mut wanted);
    assert_eq!(plan(&config(), &wanted).to_string().trim_end(), expected);
}

/// An unchanged configuration asks for nothing.
#[test]
fn no_change_is_an_empty_plan() {
    let plan = plan(&config(), &config());
    assert!(plan.is_empty());
    assert_eq!(plan.summary(), Vec::<String>::new());
    assert_eq!(plan.to_string(), "nothing to change\n");
}

/// Only the difference in members is started, or stopped from the highest number down.
#[test]
fn members_come_and_go_at_the_end() {
    let mut wanted = config();
    group_1(&mut wanted).members = 4;
    let grown = plan(&config(), &wanted);
    assert!(matches!(&grown.steps[..], [Step::StartMembers { numbers, .. }] if *numbers == [3, 4]));
    assert_eq!(grown.summary(), ["group-1: members 2 → 4"]);
    let shrunk = plan(&wanted, &config());
    assert!(matches!(&shrunk.steps[..], [Step::StopMembers { numbers, .. }] if *numbers == [4, 3]));
    assert_eq!(shrunk.summary(), ["group-1: members 4 → 2"]);
}

/// What members can take while they run changes in place.
#[test]
fn group_settings_change_in_place() {
    let rows: &[Row] = &[
        (|g| g.rate = Rate::PerSecond(2.5), "rate unlimited → 2.5/s"),
        (|g| g.in_flight = 5, "in_flight 1000 → 5"),
        (|g| g.ordering = Ordering::Key, "ordering partition → key"),
        (
            |g| g.handler = PathBuf::from("/h/b.rhai"),
            "handler /etc/deliveryd/handlers/print.rhai → /h/b.rhai",
        ),
        (
            |g| g.start = Start::Time(0),
            "start earliest → 1970-01-01T00:00:00Z (where the group has no offset yet)",
        ),
        (
            |g| g.on_out_of_range = OutOfRange::Latest,
            "on_out_of_range stop → latest",
        ),
        (
            |g| g.commit_interval = Duration::from_millis(50),
            "commit_interval 1s → 50ms",
        ),
        (
            |g| g.transaction_interval = Duration::from_millis(50),
            "transaction_interval 100ms → 50ms",
        ),
        (
            |g| g.handler_timeout = Duration::from_secs(2),
            "handler_timeout 1s → 2s",
        ),
        (
            |g| g.drain_timeout = Duration::from_millis(1500),
            "drain_timeout 10s → 1s 500ms",
        ),
        (
            |g| g.test_before_swap = true,
            "test_before_swap false → true",
        ),
        (|g| g.compile = false, "compile true → false"),
        (
            |g| drop(g.params.insert("currency".to_owned(), "EUR".into())),
            "params.currency (not set) → \"EUR\"",
        ),
        (|g| g.limits.operations = 5, "limits.operations 1000000 → 5"),
        (|g| g.limits.memory = 1 << 20, "limits.memory 16MiB → 1MiB"),
        (|g| g.on_failure.retries = 0, "on_failure.retries 3 → 0"),
        (
            |g| g.on_failure.then = Then::Stop,
            "on_failure.then skip → stop",
        ),
        (
            |g| g.on_failure.max_share = 1.0,
            "on_failure.max_share 0.5 → 1",
        ),
    ];
    for (change, line) in rows {
        let mut wanted = config();
        change(group_1(&mut wanted));
        let plan = plan(&config(), &wanted);
        assert!(
            matches!(&plan.steps[..], [Step::ChangeGroup { .. }]),
            "{plan}"
        );
        assert_eq!(plan.summary(), [format!("group-1: {line}")]);
    }
}

/// With transactions the brokers are told how long one may take: where that grows, clients are new.
#[test]
fn longer_transactions_need_new_clients() {
    let mut running = config();
    group_1(&mut running).guarantee = Guarantee::ExactlyOnce;
    let steps = |timeout| {
        let mut wanted = running.clone();
        group_1(&mut wanted).handler_timeout = Duration::from_secs(timeout);
        plan(&running, &wanted).steps
    };
    assert!(matches!(&steps(2)[..], [Step::ChangeGroup { .. }]));
    assert!(matches!(&steps(60)[..], [Step::ReplaceMembers { .. }]));
}

/// What needs a new client replaces the group's members, and only that group's.
#[test]
fn client_settings_replace_members() {
    let rows: &[Row] = &[
        (
            |g| g.topics.push("Other".to_owned()),
            "topics [Delivery] → [Delivery, Other]",
        ),
        (
            |g| g.guarantee = Guarantee::ExactlyOnce,
            "guarantee at_least_once → exactly_once",
        ),
        (
            |g| g.protocol = Protocol::Consumer,
            "protocol classic → consumer",
        ),
        (
            |g| g.static_membership = true,
            "static_membership false → true",
        ),
        (|g| g.buffer = 1000, "buffer 32MiB → 1000B"),
        (
            |g| {
                let value = PropertyValue::Plain("1".to_owned());
                g.properties.insert("fetch.min.bytes".to_owned(), value);
            },
            "properties.\"fetch.min.bytes\" (not set) → \"1\"",
        ),
    ];
    for (change, line) in rows {
        let mut wanted = config();
        change(group_1(&mut wanted));
        let plan = plan(&config(), &wanted);
        assert!(
            matches!(&plan.steps[..], [Step::ReplaceMembers { numbers, .. }] if *numbers == [1, 2]),
            "{plan}"
        );
        assert_eq!(
            plan.summary(),
            [format!(
                "group-1: {line} (members replaced one after another)"
            )]
        );
    }
}

/// A replaced group starts further members only afterwards, and does not replace those that leave.
#[test]
fn replacing_and_resizing() {
    let replaced = |members| {
        let mut wanted = config();
        group_1(&mut wanted).members = members;
        group_1(&mut wanted).buffer = 1000;
        plan(&config(), &wanted).steps
    };
    assert!(matches!(
        &replaced(3)[..],
        [
            Step::ReplaceMembers { numbers: replaced, .. },
            Step::StartMembers { numbers: started, .. }
        ] if *replaced == [1, 2] && *started == [3]
    ));
    assert!(matches!(
        &replaced(1)[..],
        [
            Step::ReplaceMembers { numbers: replaced, .. },
            Step::StopMembers { numbers: stopped, .. }
        ] if *replaced == [1] && *stopped == [2]
    ));
}

/// Other servers or properties of the cluster reach every client; the topics are looked for again
/// only where the servers are others. A secret is never shown.
#[test]
fn the_cluster_reaches_everybody() {
    reads(
        |c| c.kafka.brokers = Brokers::Servers("other:9092".to_owned()),
        "~ kafka: brokers localhost:9092 → other:9092\n\
         ~ topic Delivery: looked for on the new brokers\n\
         ~ group-1: members replaced one after another (kafka settings)\n\
         ~ group-2: members replaced one after another (kafka settings)\n\
         ~ producer random: replaced (kafka settings)",
    );
    reads(
        |c| {
            let secret = PropertyValue::Secret("louder".to_owned());
            c.kafka
                .properties
                .insert("sasl.password".to_owned(), secret);
        },
        "~ kafka: properties.\"sasl.password\": changed\n\
         ~ group-1: members replaced one after another (kafka settings)\n\
         ~ group-2: members replaced one after another (kafka settings)\n\
         ~ producer random: replaced (kafka settings)",
    );
}

/// A secret stays one when a plain value takes its place or the setting goes away.
#[test]
fn secrets_stay_secret() {
    let plain = |c: &mut Config| {
        let plain = PropertyValue::Plain("hush".to_owned());
        c.kafka.properties.insert("sasl.password".to_owned(), plain);
    };
    let gone = |c: &mut Config| drop(c.kafka.properties.remove("sasl.password"));
    for change in [&plain as &dyn Fn(&mut Config), &gone] {
        let mut wanted = config();
        change(&mut wanted);
        for plan in [plan(&config(), &wanted), plan(&wanted, &config())] {
            assert!(!plan.to_string().contains("hush"), "{plan}");
            assert!(plan.to_string().contains("changed"), "{plan}");
        }
    }
}

/// Topics are added and grown, with a warning about keys; a new dead-letter topic is like its source.
#[test]
fn topics_are_ensured() {
    reads(
        |c| drop(c.topics.insert("More".to_owned(), topic(1))),
        "+ topic More: added (1 partition)",
    );
    reads(
        |c| delivery(c).partitions = Some(4),
        "~ topic Delivery: partitions 2 → 4 (keys will map to other partitions: order per key is \
         not kept across this moment)",
    );
    reads(
        |c| group_1(c).on_failure.then = Then::DeadLetter,
        "+ topic Delivery.dead: added (2 partitions, for dead letters of Delivery)\n\
         ~ group-1: on_failure.then skip → dead_letter",
    );
    reads(
        |c| drop(delivery(c).config.insert("retention.ms".into(), "1".into())),
        "~ topic Delivery: config changed (a topic that is there keeps its own; \
         `kafka-configs --alter` changes it)",
    );
}

/// The embedded broker can't grow a topic: that is known before anything is tried.
#[test]
fn the_embedded_broker_can_not_grow_a_topic() {
    let mut running = config();
    running.kafka.brokers = Brokers::Embedded;
    let mut wanted = running.clone();
    delivery(&mut wanted).partitions = Some(3);
    let refused = plan(&running, &wanted).refused;
    assert_eq!(refused[0].setting, "topics.Delivery.partitions");
    assert!(
        refused[0].instead.contains("use a real broker"),
        "{refused:?}"
    );
}

/// A topic that others create is as it is, unless a size is asked for; its dead letters follow it.
#[test]
fn topics_of_others_have_their_own_size() {
    let theirs = |c: &mut Config| {
        delivery(c).create = false;
        delivery(c).partitions = None;
        delivery(c).replication = None;
    };
    reads(
        theirs,
        "~ topic Delivery: partitions 2 → as the topic has it\n\
         ~ topic Delivery: replication 1 → as the topic has it\n\
         ~ topic Delivery: create true → false",
    );
    let mut wanted = config();
    theirs(&mut wanted);
    group_1(&mut wanted).on_failure.then = Then::DeadLetter;
    let dead = &needed_topics(&wanted)["Delivery.dead"];
    assert_eq!((dead.partitions, dead.replication), (None, None));
    assert!(dead.create);
}

/// The dead-letter topic is as large as the largest of its sources, unless it is configured itself.
#[test]
fn dead_letter_topics_follow_their_sources() {
    let mut config = config();
    config.topics.insert("Wide".to_owned(), topic(6));
    let group = group_1(&mut config);
    group.topics.push("Wide".to_owned());
    group.on_failure.then = Then::DeadLetter;
    group.on_failure.topic = Some("all.dead".to_owned());
    assert_eq!(needed_topics(&config)["all.dead"].partitions, Some(6));

    group_1(&mut config).topics.push("Unknown".to_owned());
    assert_eq!(needed_topics(&config)["all.dead"].partitions, None);

    config.topics.insert("all.dead".to_owned(), topic(1));
    assert_eq!(needed_topics(&config)["all.dead"], (&topic(1)).into());
}

/// Growing a topic grows its dead-letter topic too; a smaller source leaves it as it is.
#[test]
fn dead_letter_topics_grow_along() {
    let mut small = config();
    group_1(&mut small).on_failure.then = Then::DeadLetter;
    let mut large = small.clone();
    delivery(&mut large).partitions = Some(4);
    let ensured: Vec<Step> = plan(&small, &large).steps;
    assert_eq!(ensured.len(), 2);
    assert!(ensured.iter().all(|step| matches!(
        step,
        Step::EnsureTopic { now, .. } if now.partitions == Some(4)
    )));
    let refused: Vec<String> = plan(&large, &small)
        .refused
        .into_iter()
        .map(|refusal| refusal.setting)
        .collect();
    assert_eq!(refused, ["topics.Delivery.partitions"]);
}

/// A topic that the cluster has lost is created again, once, and before anything that uses it.
#[test]
fn a_lost_topic_is_created_again() {
    let running = config();
    let lost = std::collections::BTreeSet::from(["Delivery".to_owned(), "of others".to_owned()]);
    let mut plan = super::plan(&running, &running);
    plan.create_again(&lost, &running);
    assert_eq!(plan.summary(), ["topic Delivery: added (2 partitions)"]);
    let mut wanted = running.clone();
    delivery(&mut wanted).partitions = Some(4);
    group_1(&mut wanted).members += 1;
    let mut plan = super::plan(&running, &wanted);
    let planned = plan.clone();
    plan.create_again(&lost, &wanted);
    assert_eq!(plan, planned, "growing it creates it too");
}

/// A topic that is no longer configured stays; the reader is told.
#[test]
fn a_topic_is_never_removed() {
    reads(
        |c| c.topics.clear(),
        "  topic Delivery: no longer configured; it is left as it is, with its messages\n\
         nothing to change",
    );
}

/// Groups and producers come and go as a whole.
#[test]
fn groups_and_producers_come_and_go() {
    reads(
        |c| {
            drop(c.groups.remove("group-2"));
            drop(c.groups.insert("group-3".to_owned(), group(3)));
            drop(c.producers.remove("random"));
            drop(c.producers.insert("steady".to_owned(), producer(0.5)));
        },
        "+ group group-3: added (3 members of Delivery)\n\
         + producer steady: added (0.5/s to Delivery)\n\
         - producer random: removed\n\
         - group group-2: removed",
    );
}

/// A producer's pace changes in place; another topic or seed is another producer.
#[test]
fn producers_change() {
    reads(
        |c| {
            random(c).rate = Rate::Unlimited;
            random(c).count = Some(10);
        },
        "~ producer random: rate 5/s → unlimited\n~ producer random: count endless → 10",
    );
    reads(
        |c| {
            random(c).topic = "Other".to_owned();
            random(c).seed = Some(42);
        },
        "~ producer random: topic \"Delivery\" → \"Other\" (replaced)\n\
         ~ producer random: seed random → 42 (replaced)",
    );
}

/// Log, watching and further hosts change while the daemon runs.
#[test]
fn the_process_changes_in_place() {
    reads(
        |c| {
            c.log.level = "debug".to_owned();
            c.log.file = Some(PathBuf::from("/var/log/d.log"));
            c.daemon.watch = Watch::Poll;
            c.daemon.hosts.push("status.example".to_owned());
            c.daemon.shutdown_timeout = Duration::from_secs(5);
        },
        "~ log: level \"info\" → \"debug\"\n\
         ~ log: file none → /var/log/d.log\n\
         ~ daemon: hosts [] → [status.example]\n\
         ~ daemon: watch events → poll\n\
         ~ daemon: shutdown_timeout 25s → 5s",
    );
}

/// What can't change is refused by name, all of it at once, and says what to do instead.
#[test]
fn refusals_name_the_setting() {
    let mut wanted = config();
    wanted.daemon.instance = "host-b".to_owned();
    wanted.daemon.http = None;
    wanted.daemon.control = PathBuf::from("/tmp/s");
    wanted.kafka.brokers = Brokers::Embedded;
    delivery(&mut wanted).partitions = Some(1);
    wanted.topics.insert("a.b".to_owned(), topic(1));
    let mut running = config();
    let mut replicated = topic(1);
    replicated.replication = Some(3);
    running.topics.insert("a.b".to_owned(), replicated);
    let refused = plan(&running, &wanted).refused;
    let settings: Vec<&str> = refused.iter().map(|r| r.setting.as_str()).collect();
    assert_eq!(
        settings,
        [
            "daemon.instance",
            "daemon.control",
            "daemon.http",
            "kafka.brokers",
            "topics.Delivery.partitions",
            "topics.\"a.b\".replication",
        ]
    );
    assert_eq!(
        refused[2].to_string(),
        "daemon.http: 127.0.0.1:8660 → off can't be changed while it runs: the port is bound once; \
         restart deliveryd to change it"
    );
    assert!(refused.iter().all(|refusal| !refusal.instead.is_empty()));
}

/// Topics first, changes in place, what is new, replacements, and what goes at the very end.
#[test]
fn nothing_goes_before_the_new_stands() {
    reads(
        |c| {
            delivery(c).partitions = Some(3);
            c.log.level = "warn".to_owned();
            group_1(c).protocol = Protocol::Consumer;
            group_1(c).members = 1;
            drop(c.groups.remove("group-2"));
            drop(c.groups.insert("group-0".to_owned(), group(1)));
            random(c).rate = Rate::PerSecond(0.2);
        },
        "~ topic Delivery: partitions 2 → 3 (keys will map to other partitions: order per key is \
         not kept across this moment)\n\
         ~ log: level \"info\" → \"warn\"\n\
         ~ producer random: rate 5/s → 0.2/s\n\
         + group group-0: added (1 member of Delivery)\n\
         ~ group-1: protocol classic → consumer (members replaced one after another)\n\
         ~ group-1: members 2 → 1\n\
         - group group-2: removed",
    );
}
