//! The main job on the embedded broker: `deliveryd --config config/default.toml`, as a first user runs it.

mod support;

use std::time::{Duration, Instant};

use support::{Setup, Status};

const SOON: Duration = Duration::from_secs(15);

/// The repository's own config, quicker and with an end: `count` messages.
fn default_config(count: u32) -> Setup {
    Setup::copy_of_repository("default.toml")
        .set("producers.random.rate", "100.0")
        .set("producers.random.count", &count.to_string())
}

/// One member per partition in group-1, both partitions at the only member of group-2.
fn shared_out(status: &Status) -> bool {
    status.shares("group-1") == [1, 1] && status.shares("group-2") == [2]
}

/// A handler that logs a word of the test's with each message.
fn logging(word: &str) -> String {
    format!("fn handle(msg) {{\n    info(\"{word} \" + msg.offset);\n}}\n")
}

/// One producer and one group on a topic with two partitions.
fn small(members: u32, handler: &str) -> Setup {
    let toml = format!(
        "[topics.Delivery]\npartitions = 2\n\n\
         [producers.steady]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 50.0\n\n\
         [groups.readers]\ntopics = [\"Delivery\"]\nmembers = {members}\nhandler = \"handle.rhai\"\n"
    );
    Setup::new("embedded", &toml)
        .handler(
            "generate.rhai",
            "fn generate(n) { #{ key: `k-${n}`, value: `v-${n}` } }\n",
        )
        .handler("handle.rhai", handler)
}

/// From start to the first assignment takes a second or so; the banner, with the broker, is there too.
#[test]
fn the_first_assignment_is_there_within_a_second_or_two() {
    let begin = Instant::now();
    let daemon = default_config(10).start();
    let status = daemon.wait_until("both groups' assignments", SOON, shared_out);
    let took = begin.elapsed();
    // Alone it takes one; other tests run beside it.
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    assert_eq!(status.state(), "running");
    assert!(
        daemon
            .output
            .line_with("embedded broker on 127.0.0.1:")
            .is_some()
    );
    daemon.wait_until("a joined group to be ready", SOON, |_| {
        daemon.get("/readyz").code == 200
    });
    assert_eq!(daemon.get("/healthz").code, 200);
}

/// Each group handles every message once, and group-1's members share the work.
#[test]
fn each_group_handles_every_message_once() {
    let daemon = default_config(150).start();
    let done = |status: &Status| {
        let handled = |group| status.handled(group) >= 150;
        status.number("/producers/random/produced") == 150
            && handled("group-1")
            && handled("group-2")
    };
    daemon.wait_until("150 messages in both groups", SOON, done);
    let status = daemon.wait_until("every offset to be committed", SOON, |status| {
        ["group-1", "group-2"]
            .iter()
            .all(|group| committed(status, group) == 150)
    });
    for group in ["group-1", "group-2"] {
        assert_eq!(
            status.handled(group),
            150,
            "{group} handles no message twice"
        );
        for failure in ["failed", "retried", "dead_lettered"] {
            assert_eq!(status.counter(group, failure), 0, "{group} {failure}");
        }
        let labels = format!("group=\"{group}\"");
        let counted = daemon.metric("deliveryd_messages_handled_total", &labels);
        assert_eq!(counted, 150.0, "{group} in the metrics");
    }
    let members = status.group("group-1")["members"].as_array();
    for member in members.into_iter().flatten() {
        assert!(
            member["handled"].as_u64() > Some(0),
            "a member without work: {member}"
        );
    }
    assert_eq!(status.number("/producers/random/failed"), 0);
}

fn committed(status: &Status, group: &str) -> i64 {
    let members = status.group(group)["members"].as_array();
    let partitions = members
        .into_iter()
        .flatten()
        .filter_map(|member| member["partitions"].as_array())
        .flatten();
    partitions
        .filter_map(|partition| partition["committed"].as_i64())
        .sum()
}

/// Ctrl-C ends it within two seconds with exit code 0 and a summary of what was handled.
#[test]
fn ctrl_c_ends_it_within_two_seconds_with_a_summary() {
    let daemon = default_config(30).start();
    daemon.wait_until("30 messages in both groups", SOON, |status| {
        status.handled("group-1") == 30 && status.handled("group-2") == 30
    });
    let running = daemon.output.text().lines().count();
    let exit = daemon.end_with(libc::SIGINT);
    assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
    assert!(
        exit.took < Duration::from_secs(2),
        "it took {:?}",
        exit.took
    );
    let summary: Vec<&str> = exit.output.lines().skip(running).collect();
    for group in ["group-1", "group-2"] {
        let told = summary
            .iter()
            .any(|line| line.contains(group) && line.contains("30"));
        assert!(told, "no summary of {group} in {summary:#?}");
    }
}

/// A second signal does not wait for what the first is waiting for.
#[test]
fn a_second_signal_ends_it_at_once() {
    // A handler that is busy for as long as it may; an orderly stop would wait for it.
    let setup = small(1, "fn handle(msg) { let n = 0; loop { n += 1; } }\n")
        .set("groups.readers.handler_timeout", "\"20s\"")
        .set("groups.readers.drain_timeout", "\"20s\"")
        .set("groups.readers.limits.operations", "1_000_000_000_000");
    let daemon = setup.start();
    daemon.wait_until("a member busy in its handler", SOON, |status| {
        let members = status.group("readers")["members"].as_array();
        members
            .into_iter()
            .flatten()
            .any(|member| member["silent_seconds"].as_f64() > Some(1.0))
    });
    daemon.signal(libc::SIGINT);
    support::wait_for("the stop to begin", SOON, || match daemon.try_status() {
        Ok(status) if status.state() == "running" => Err(status.to_string()),
        _ => Ok(()),
    });
    let exit = daemon.end_with(libc::SIGINT);
    assert!(
        exit.took < Duration::from_secs(1),
        "it took {:?}",
        exit.took
    );
    assert_ne!(exit.status.code(), Some(0), "unfinished work is no success");
}

/// A wrong configuration ends with 78 (EX_CONFIG) before anything was started.
#[test]
fn a_wrong_configuration_ends_with_78_and_every_mistake() {
    let exit = small(1, &logging("handled"))
        .set("groups.readers.members", "\"two\"")
        .set("groups.readers.orderin", "\"key\"")
        .run();
    assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
    for mistake in ["members", "orderin", "ordering", "nothing was started"] {
        assert!(
            exit.output.contains(mistake),
            "no {mistake:?} in:\n{}",
            exit.output
        );
    }
    assert!(!exit.output.contains("status page"), "{}", exit.output);
}

/// A handler that does not compile is a wrong configuration, too.
#[test]
fn a_broken_handler_at_the_start_ends_with_78_and_its_line() {
    let exit = small(1, "fn handle(msg) {\n    let x = ;\n}\n").run();
    assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
    assert!(exit.output.contains("handle.rhai:2:"), "{}", exit.output);
}

/// An edited handler is taken at the next message: no rebalance, no message dropped or handled twice.
#[test]
fn an_edited_handler_is_taken_without_a_rebalance() {
    let daemon = small(2, &logging("before")).start();
    // A rebalance is counted when it has settled.
    let before = daemon.wait_until("work in both members", SOON, |status| {
        status.shares("readers") == [1, 1]
            && status.handled("readers") > 20
            && status.has_settled("readers")
    });
    daemon.edit_handler("handle.rhai", "before", "after");
    let status = daemon.wait_until("the new version", SOON, |status| {
        status.group("readers")["handler"]["version"]
            != before.group("readers")["handler"]["version"]
    });
    daemon.wait_for_line("after ", SOON);
    let handled = status.handled("readers");
    daemon.wait_until("work to go on", SOON, |status| {
        status.handled("readers") > handled + 20
    });
    let status = daemon.status();
    let rebalances = |status: &Status| status.counter("readers", "rebalances");
    assert_eq!(rebalances(&status), rebalances(&before));
    assert_eq!(status.counter("readers", "failed"), 0);
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    assert_each_offset_once(&exit.output);
}

/// Every offset that one of [`logging`]'s handlers logged, per partition, once and without a gap.
fn assert_each_offset_once(output: &str) {
    let logged = output
        .lines()
        .filter(|line| line.contains("before ") || line.contains("after "));
    let mut offsets: Vec<(bool, u64)> = logged
        .filter_map(|line| {
            let word = ["after ", "before "]
                .into_iter()
                .find(|word| line.contains(word))?;
            let digits = line
                .rsplit(word)
                .next()?
                .split(|c: char| !c.is_ascii_digit())
                .next()?;
            Some((line.contains("Delivery/1"), digits.parse().ok()?))
        })
        .collect();
    offsets.sort_unstable();
    for partition in [false, true] {
        let own: Vec<u64> = offsets
            .iter()
            .filter(|o| o.0 == partition)
            .map(|o| o.1)
            .collect();
        let expected: Vec<u64> = (0..own.len() as u64).collect();
        assert_eq!(
            own,
            expected,
            "the offsets logged for partition {}",
            u8::from(partition)
        );
        assert!(!own.is_empty());
    }
}

/// A broken edit is refused: the old version goes on, and the page says what is wrong until it is mended.
#[test]
fn a_broken_edit_is_refused_and_shown_until_it_is_mended() {
    let daemon = small(1, &logging("fine")).start();
    daemon.wait_until("work", SOON, |status| status.handled("readers") > 5);
    let version = |status: &Status| status.group("readers")["handler"]["version"].clone();
    let error = |status: &Status| status.group("readers")["handler"]["error"].clone();
    let before = daemon.status();
    assert!(error(&before).is_null());

    daemon.edit_handler("handle.rhai", "info(", "info((");
    let status = daemon.wait_until("the error", SOON, |status| !error(status).is_null());
    assert_eq!(
        version(&status),
        version(&before),
        "the old version is the one that runs"
    );
    let text = error(&status).to_string();
    assert!(text.contains("handle.rhai:2:"), "no place in {text}");
    let handled = status.handled("readers");
    let status = daemon.wait_until("work to go on", SOON, |status| {
        status.handled("readers") > handled + 5
    });
    assert_eq!(status.counter("readers", "failed"), 0);

    daemon.edit_handler("handle.rhai", "info((", "info(");
    daemon.wait_until("the error to be gone", SOON, |status| {
        error(status).is_null()
    });
}

/// SIGHUP after `members = 3`: a third member joins and idles, and the reload is written down.
#[test]
fn a_hangup_adds_the_third_member_which_idles() {
    let daemon = small(2, &logging("handled")).start();
    daemon.wait_until("work", SOON, |status| {
        status.shares("readers") == [1, 1] && status.handled("readers") > 10
    });
    daemon.edit_config("members = 2", "members = 3");
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), true, "{status}");
    assert!(
        status
            .at("/last_reload/summary")
            .to_string()
            .contains("readers: members 2 → 3")
    );
    let status = daemon.wait_until("an idle member", SOON, |status| {
        let members = status.members("readers");
        members.len() == 3
            && members
                .iter()
                .filter(|member| member.state == "idle")
                .count()
                == 1
    });
    assert_eq!(status.shares("readers"), [0, 1, 1]);
    daemon.wait_for_line("idle", SOON);
}

/// A reload that can't be applied changes nothing, and says why.
#[test]
fn a_hangup_with_a_wrong_config_changes_nothing() {
    let daemon = small(2, &logging("handled")).start();
    daemon.wait_until("work", SOON, |status| status.handled("readers") > 10);
    daemon.edit_config("members = 2", "members = 0");
    let status = daemon.reload();
    assert_eq!(status.at("/last_reload/ok"), false, "{status}");
    assert_eq!(status.members("readers").len(), 2);
    assert!(
        status.at("/last_reload").to_string().contains("members"),
        "{status}"
    );
    let handled = status.handled("readers");
    daemon.wait_until("work to go on", SOON, |status| {
        status.handled("readers") > handled + 10
    });
}

/// A constant that needs a parameter which is not there is found before anything is started.
#[test]
fn a_top_level_mistake_is_found_by_the_check() {
    let handler =
        "const TWICE = params.rate * 2;\n\nfn handle(msg) {\n    print(global::TWICE);\n}\n";
    let exit = small(1, handler).run();
    assert_eq!(exit.status.code(), Some(78), "{}", exit.output);
    assert!(
        exit.output.contains("nothing was started"),
        "{}",
        exit.output
    );
    let daemon = small(1, handler)
        .set("groups.readers.params.rate", "21")
        .start();
    daemon.wait_for_line("  42", SOON);
}

/// A reload tries again what is stuck, whatever it was that has been mended.
#[test]
fn a_reload_tries_a_stuck_partition_again() {
    let daemon = small(1, "fn handle(msg) { throw \"no\"; }\n")
        .set("groups.readers.on_failure.retries", "0")
        .set("groups.readers.on_failure.then", "\"stop\"")
        .start();
    let failed = |status: &support::Status| status.group("readers")["failed"].as_u64();
    let before = daemon.wait_until("a stuck member", SOON, |status| {
        status
            .members("readers")
            .iter()
            .any(|member| member.state == "stuck")
    });
    let before = failed(&before);
    daemon.reload();
    daemon.wait_until("another attempt", SOON, |status| failed(status) > before);
}
