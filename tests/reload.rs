//! What a reload changes, and what it leaves alone: on real Kafka, with rebalances counted there.

mod support;

#[path = "reload/in_place.rs"]
mod in_place;
#[path = "reload/pair.rs"]
mod pair;
#[path = "reload/starting.rs"]
mod starting;

use std::fs;

use pair::{Pair, other_group};
use support::case::{COPY, Case, SOON, assert_each_once_in_order};
use support::{Kafka, unique, wait_for};

/// A configuration that says the same touches nothing, however often it is read; comments, empty
/// lines and the order of keys and tables say nothing.
#[test]
fn an_unchanged_config_touches_nothing() {
    needs_kafka!();
    let pair = Pair::start("unchanged", "members = 2\nrate = 500.0\n");
    pair.reload_in_place(&["nothing changed; generation 2 is in force"]);
    let before = pair.text();
    let mut tables: Vec<String> = before.split("\n[").map(str::to_owned).collect();
    let first = tables.remove(0);
    tables.reverse();
    let mut turned = String::new();
    for table in tables {
        let mut lines = table.lines();
        turned.push_str(&format!(
            "\n# A remark.\n[{}\n\n",
            lines.next().unwrap_or_default()
        ));
        let mut keys: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        keys.reverse();
        for key in keys {
            turned.push_str(&format!("  {key}   # another\n"));
        }
    }
    pair.write(&format!("{turned}\n{first}\n"));
    let planned = pair.daemon.command(&["plan"]);
    assert_eq!(
        planned.out, "nothing to change; generation 2 runs\n",
        "{planned:?}"
    );
    pair.reload_in_place(&["nothing changed; generation 3 is in force"]);
    let rebalances = pair.rebalances();
    for _ in 0..5 {
        let status = pair.daemon.reload();
        assert_eq!(
            status.at("/last_reload/summary/0"),
            "nothing changed",
            "{status}"
        );
    }
    assert_eq!(pair.rebalances(), rebalances);
}

/// A changed handler is taken up without a rebalance, by itself and by a reload.
#[test]
fn a_handler_edit_causes_no_rebalance() {
    needs_kafka!();
    let pair = Pair::start("edited", "members = 2\n");
    pair.work_goes_on();
    let before = pair.rebalances();
    for edit in 0..5 {
        pair.daemon
            .edit_handler("handle.rhai", "fn handle", &format!("// {edit}\nfn handle"));
        pair.daemon.wait_until("the new version", SOON, |status| {
            let group = status.group(&pair.case.group);
            let version = &group["handler"]["version"];
            let members = group["members"].as_array();
            let members = members.map(Vec::as_slice).unwrap_or_default();
            let edited = pair.daemon.output.count("runs from the next message on") > edit;
            edited
                && members
                    .iter()
                    .all(|member| member["handler_version"] == *version)
        });
        pair.work_goes_on();
    }
    pair.reload_in_place(&["nothing changed"]);
    assert_eq!(pair.rebalances(), before);
}

/// With `watch = "off"` a reload is what takes up a changed handler; the plan says so before.
#[test]
fn a_reload_takes_up_handlers_that_nobody_watches() {
    needs_kafka!();
    let case = Case::new("unwatched", 1);
    let daemon = case.setup("", COPY).set("daemon.watch", "\"off\"").start();
    daemon.wait_until_assigned(&case.group, 1);
    daemon.edit_handler(
        "handle.rhai",
        "value: msg.value",
        "value: `new ${msg.value}`",
    );
    let line = format!("{}: handle.rhai changed, version ", case.group);
    let planned = daemon.command(&["plan"]);
    assert!(planned.out.contains(&format!("~ {line}")), "{planned:#?}");
    let printed = daemon.reload_now();
    assert!(printed.contains(&line), "{printed}");
    case.fill(0..1, 1);
    assert_eq!(case.wait_for_copies(1, SOON)[0].value, "new m0");
}

/// What members can take while they run is in force at once, without a rebalance.
#[test]
fn settings_change_in_place() {
    needs_kafka!();
    let pair = Pair::start("in-place", "members = 2\nrate = 5000.0\nin_flight = 100\n");
    let (daemon, group) = (&pair.daemon, &pair.case.group);
    pair.work_goes_on();
    let other = COPY
        .replace("value: msg.value", "value: `${params.mark} ${msg.value}`")
        .replace("emit(", "debug(\"deep\");\n    emit(");
    fs::write(daemon.dir().join("other.rhai"), other).unwrap_or_else(|error| panic!("{error}"));
    daemon.edit_config("rate = 5000.0", "rate = \"unlimited\"");
    daemon.edit_config("in_flight = 100", "in_flight = 7\nordering = \"key\"");
    daemon.edit_config("handler = \"handle.rhai\"", "handler = \"other.rhai\"");
    daemon.edit_config("params = { ", "params = { mark = \"marked\", ");
    daemon.edit_config("commit_interval = \"50ms\"", "commit_interval = \"20ms\"");
    let tables = format!(
        "\n[groups.{group:?}.limits]\noperations = 5_000\n\
         [groups.{group:?}.on_failure]\nretries = 1\nthen = \"skip\"\nbackoff = \"10ms\"\n\
         [log]\nlevel = \"debug\"\n"
    );
    pair.write(&(pair.text() + &tables));
    let told = |line: &str| format!("{group}: {line}");
    pair.reload_in_place(&[
        "log: level \"info\" → \"debug\"",
        &told("handler "),
        &told("rate 5000/s → unlimited"),
        &told("in_flight 100 → 7"),
        &told("ordering partition → key"),
        &told("commit_interval 50ms → 20ms"),
        &told("limits.operations 1000000 → 5000"),
        &told("on_failure.retries 3 → 1"),
        &told("on_failure.then dead_letter → skip"),
    ]);
    let last = pair.case.copies().pop().map(|copy| copy.value);
    assert!(last.is_some_and(|value| value.starts_with("marked m")));
    daemon.wait_for_line("deep", SOON);

    // The failure policy and the limit count too.
    daemon.edit_handler("other.rhai", "fn handle(msg) {", "fn handle(msg) { loop {}");
    daemon.wait_for_line("runs from the next message on", SOON);
    pair.case.fill(0..1, 3);
    let status = daemon.wait_until("the messages to be skipped", SOON, |status| {
        status.counter(group, "skipped") == 3
    });
    assert_eq!(status.counter(group, "retried"), 3, "{status}");
}

/// A setting that needs new clients replaces the members of that group one after another: while one is
/// replaced the other holds partitions, and the other group is left alone.
#[test]
fn new_clients_replace_members_one_after_another() {
    needs_kafka!();
    let pair = Pair::start("renewed", "members = 2\nbuffer = \"8MiB\"\n");
    pair.case.fill(0..2, 2000);
    let before = pair.rebalances();
    pair.daemon
        .edit_config("buffer = \"8MiB\"", "buffer = \"16MiB\"");
    let most_away = std::thread::scope(|scope| {
        let reload = scope.spawn(|| pair.daemon.reload_now());
        let mut most = 0;
        while !reload.is_finished() {
            let status = pair.daemon.status();
            let members = status.members(&pair.case.group);
            let there = |member: &&support::status::Member| {
                matches!(member.state.as_str(), "running" | "idle")
            };
            most = most.max(2 - members.iter().filter(there).count());
            wait_for("the next look", SOON, || Ok(()));
        }
        let printed = reload
            .join()
            .unwrap_or_else(|_| panic!("the reload failed"));
        assert!(
            printed.contains("buffer 8MiB → 16MiB (members replaced one after another)"),
            "{printed}"
        );
        most
    });
    assert!(most_away <= 1, "{most_away} of 2 members were away at once");
    let after = pair.rebalances();
    assert!(after.0 > before.0, "each new client joins");
    assert_eq!(after.1, before.1, "the other group is left alone");
    let copies = pair.case.wait_for_copies(4000, SOON);
    pair.case.wait_until_done(SOON);
    assert_each_once_in_order(&copies, 2, 2000);
}

/// A group that is taken out finishes and commits before it leaves: one that comes again under its name
/// goes on behind it. The other group is left alone.
#[test]
fn a_removed_group_commits_before_it_leaves() {
    needs_kafka!();
    let pair = Pair::start("removed", "members = 2\nrate = 400.0\n");
    let text = pair.text();
    let text = text.replace("commit_interval = \"50ms\"", "commit_interval = \"30s\"");
    pair.write(&text);
    pair.daemon.reload_now();
    pair.case.fill(0..2, 3000);
    let copied = || pair.case.probe.end_offsets(&pair.case.out)[&0];
    wait_for("work under way", SOON, || match copied() {
        500.. => Ok(()),
        n => Err(format!("{n} copies")),
    });
    let before = pair.rebalances().1;
    let start = text.find(&format!("[groups.{:?}]", pair.case.group));
    let end = text.find(&format!("[groups.{:?}]", pair.other));
    let (Some(start), Some(end)) = (start, end) else {
        panic!("{text}");
    };
    pair.write(&format!("{}{}", &text[..start], &text[end..]));
    let printed = pair.daemon.reload_now();
    let line = format!("group {}: removed", pair.case.group);
    assert!(printed.contains(&line), "{printed}");
    let committed = pair
        .case
        .probe
        .committed(&pair.case.group, &pair.case.topic);
    let written = copied();
    assert!(written < 6000, "it was removed in the middle of the work");
    assert_eq!(committed.values().sum::<i64>(), written, "{committed:?}");

    pair.write(&text.replace("rate = 400.0", "rate = \"unlimited\""));
    pair.daemon.reload_now();
    let copies = pair.case.wait_for_copies(6000, SOON);
    assert_each_once_in_order(&copies, 2, 3000);
    assert_eq!(pair.rebalances().1, before, "the other group is left alone");
}

/// A group that is added begins where its `start` says: at the beginning, at the end as it was when the
/// reload came, or with the first message of a time.
#[test]
fn a_new_group_starts_where_start_says() {
    needs_kafka!();
    let case = Case::new("late", 1);
    let morning = 1_750_000_000_000;
    for hour in 0..5 {
        let at = morning + hour * 3_600_000;
        case.probe
            .produce_one(&case.topic, None, Some("m"), &[], at);
    }
    let daemon = case.start("", COPY);
    case.wait_until_done(SOON);
    let starts = [
        ("early", "earliest", 0),
        ("now", "latest", 5),
        // 2025-06-15T15:06:40Z is `morning`; the first not older is the fourth.
        ("noon", "2025-06-15T17:30:00Z", 3),
    ];
    let file = daemon.dir().join("deliveryd.toml");
    let mut text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
    let named = |name: &str| format!("{}.{name}", case.group);
    for (name, start, _) in starts {
        case.probe.create_topic(&named(name), 1);
        text.push_str(&format!(
            "\n[topics.{out:?}]\ncreate = false\n[groups.{out:?}]\ntopics = [{:?}]\n\
             handler = \"handle.rhai\"\nstart = {start:?}\nparams = {{ out = {out:?} }}\n",
            case.topic,
            out = named(name),
        ));
    }
    fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    let printed = daemon.reload_now();
    // The reload is over when they have joined: what comes now comes to all of them.
    let status = daemon.status();
    for (name, ..) in starts {
        let added = format!("group {}: added (1 member of {})", named(name), case.topic);
        assert!(printed.contains(&added), "{printed}");
        assert_eq!(status.assigned(&named(name)).len(), 1, "{status}");
    }
    case.fill(0..1, 2);
    for (name, _, first) in starts {
        let offsets: Vec<i64> = case
            .probe
            .read(&named(name), 7 - first, SOON)
            .iter()
            .map(|message| message.json()["offset"].as_i64().unwrap_or(-1))
            .collect();
        assert_eq!(offsets, Vec::from_iter(first as i64..7), "{name}");
    }
}

/// Topics are created and grown; what is no longer named stays with its messages, and fewer partitions
/// are refused.
#[test]
fn topics_are_created_and_grown_never_deleted_or_shrunk() {
    needs_kafka!();
    let case = Case::new("topics", 1);
    let new = unique("topics.new");
    let daemon = case.start("", COPY);
    daemon.wait_until_assigned(&case.group, 1);
    let file = daemon.dir().join("deliveryd.toml");
    let before = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
    let with = |partitions: u32| {
        let text = format!("{before}\n[topics.{new:?}]\npartitions = {partitions}\n");
        fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    };
    with(2);
    daemon.reload_now();
    assert_eq!(case.probe.partitions(&new), Some(2));
    with(4);
    let printed = daemon.reload_now();
    assert!(
        printed.contains("partitions 2 → 4 (keys will map"),
        "{printed}"
    );
    assert_eq!(case.probe.partitions(&new), Some(4));
    case.probe.produce(&new, [("k", "kept")]);
    with(3);
    let refused = daemon.command(&["reload"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(
        refused.err.contains("can't remove partitions"),
        "{refused:?}"
    );
    fs::write(&file, before).unwrap_or_else(|error| panic!("{error}"));
    let printed = daemon.reload_now();
    assert!(printed.contains("it is left as it is"), "{printed}");
    assert_eq!(case.probe.read_all(&new).len(), 1);
}

/// What can't change while it runs is refused by name, all of it at once and with the way out; nothing
/// else of that configuration is made either.
#[test]
fn refusals_name_the_setting_and_the_way_out() {
    needs_kafka!();
    let pair = Pair::start("refused", "members = 1\n");
    let before = pair.rebalances();
    pair.daemon
        .edit_config("instance = \"test\"", "instance = \"else\"");
    pair.daemon
        .edit_config("http = \"127.0.0.1:0\"", "http = \"off\"");
    pair.daemon.edit_config("control.sock", "other.sock");
    pair.daemon.edit_config("members = 1", "members = 3");
    let servers = format!("brokers = {:?}", Kafka::shared().servers());
    pair.daemon.edit_config(&servers, "brokers = \"embedded\"");
    for command in ["plan", "reload"] {
        let answer = pair.daemon.command(&[command]);
        assert_eq!(answer.code, Some(78), "{answer:#?}");
        let all = format!("{}{}", answer.out, answer.err);
        for (setting, way_out) in [
            ("daemon.instance: ", "restart deliveryd to change it"),
            ("daemon.http: ", "restart deliveryd to change it"),
            ("daemon.control: ", "restart deliveryd to move it"),
            ("kafka.brokers: ", "restart deliveryd to change brokers"),
        ] {
            let line = all.lines().find(|line| line.contains(setting));
            assert!(
                line.is_some_and(|line| line.contains(way_out)),
                "{setting}: {all}"
            );
        }
        assert!(all.contains("generation 1"), "{all}");
    }
    pair.work_goes_on();
    assert_eq!(pair.rebalances(), before);
    let status = pair.daemon.status();
    assert_eq!(
        (status.generation(), status.at("/last_reload/ok")),
        (1, &false.into())
    );
    assert_eq!(status.shares(&pair.case.group), [2]);
}

/// When a step fails, the steps before it are undone: what ran runs on, and the answer says what failed
/// and what is in force. The next reload may go well.
#[test]
fn a_failed_step_undoes_the_ones_before() {
    needs_kafka!();
    let pair = Pair::start("undone", "members = 1\nrate = 5000.0\n");
    pair.work_goes_on();
    let good = pair.text();
    let absent = unique("undone.absent");
    pair.write(&format!(
        "{}\n[topics.{absent:?}]\ncreate = false\n{}\n[log]\nlevel = \"debug\"\n",
        good.replace("rate = 5000.0", "rate = 1.0")
            .replace("members = 1", "members = 2"),
        other_group(&unique("undone.new"), &absent),
    ));
    let before = pair.rebalances();
    let failed = pair.daemon.command(&["reload"]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    assert!(
        failed.err.contains("error: topic ") && failed.err.contains(&absent),
        "{failed:#?}"
    );
    assert!(
        failed.err.contains("generation 1 still runs"),
        "{failed:#?}"
    );
    pair.work_goes_on();
    assert_eq!(pair.rebalances(), before);

    pair.write(&good.replace("rate = 5000.0", "rate = 4000.0"));
    let printed = pair.daemon.reload_now();
    assert!(printed.contains("rate 5000/s → 4000/s"), "{printed}");
    assert!(printed.contains("generation 3 is in force"), "{printed}");
}

/// A log file that can't be written fails the reload, and nothing else of it is made.
#[test]
fn a_log_file_that_can_not_be_written_is_no_reload() {
    needs_kafka!();
    let pair = Pair::start("unwritable", "members = 1\n");
    let good = pair.text();
    pair.write(&format!(
        "{}\n[log]\nfile = \"/proc/none/deliveryd.log\"\n",
        good.replace("members = 1", "members = 2")
    ));
    let before = pair.rebalances();
    let failed = pair.daemon.command(&["reload"]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    assert!(failed.err.contains("log: log file"), "{failed:#?}");
    pair.work_goes_on();
    assert_eq!(pair.rebalances(), before);
}
