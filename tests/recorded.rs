//! `deliveryd test --from-topic`: recorded messages through two versions of a handler, on real Kafka.

mod support;

use std::process::Command;

use support::Setup;
use support::case::{Case, SOON};

const OLD: &str = r#"
fn handle(msg) {
    let d = msg.json;
    if d.n == 13 { reject("unlucky"); }
    emit(params.out, #{ n: d.n, at: now(), id: uuid() });
}
"#;

fn produce(case: &Case, partition: i32, numbers: std::ops::Range<i64>) {
    let records = numbers.map(|n| (format!("k{n}"), format!(r#"{{"n":{n}}}"#)));
    case.probe
        .produce_to(&case.topic, partition, records.collect::<Vec<_>>());
}

/// `deliveryd test --from-topic` with the group's handler against `old.rhai`.
fn compared(case: &Case, new: &str, more: &[&str]) -> (Option<i32>, String) {
    let setup = case.setup("", new).handler("old.rhai", OLD);
    let arguments = ["test", "--from-topic", &case.topic, "--against", "old.rhai"];
    run(setup, &[&arguments[..], more].concat())
}

fn run(setup: Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let setup = arguments
        .iter()
        .fold(setup, |setup, argument| setup.argument(argument));
    let exit = setup.run();
    (exit.status.code(), exit.output)
}

/// Each message that is handled differently is shown with what differs, and nothing is emitted,
/// committed or joined.
#[test]
fn differences_of_two_versions_are_shown() {
    needs_kafka!();
    let case = Case::new("recorded", 2);
    produce(&case, 0, 0..20);
    produce(&case, 1, 20..40);
    let new = OLD
        .replace("n: d.n,", "n: if d.n == 7 { 70 } else { d.n },")
        .replace("d.n == 13", "d.n == 31");
    let (code, told) = compared(&case, &new, &[]);
    assert_eq!(code, Some(1), "{told}");
    let topic = &case.topic;
    for part in [
        &format!("{topic}/0@7  k7\n  emits[0].value.n:\n    old 7\n    new 70\n"),
        &format!("{topic}/0@13  k13\n"),
        "    old \"rejected: unlucky\"\n    new \"done\"\n",
        &format!("{topic}/1@11  k31\n"),
        "    old \"done\"\n    new \"rejected: unlucky\"\n",
        &format!("\n40 messages of {topic}: 3 handled differently, 2 of them end otherwise"),
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    // One line of differences is for the value alone: time and identifier are of each call.
    assert!(
        !told.contains("value.at") && !told.contains("value.id"),
        "{told}"
    );
    assert!(
        case.probe
            .end_offsets(&case.out)
            .values()
            .all(|end| *end == 0)
    );
    assert!(case.probe.committed(&case.group, &case.topic).is_empty());
}

/// The newest messages of all partitions are taken, and equal versions are told as such.
#[test]
fn the_last_messages_count() {
    needs_kafka!();
    let case = Case::new("last", 2);
    produce(&case, 0, 0..20);
    let changed_for_old_ones = OLD.replace("d.n == 13", "d.n == 12");
    let (code, told) = compared(&case, &changed_for_old_ones, &["--last", "5"]);
    assert_eq!(code, Some(0), "{told}");
    let sum = format!("5 messages of {}: both versions do the same", case.topic);
    assert!(told.contains(&sum), "{told}");
    let (code, told) = compared(&case, &changed_for_old_ones, &["--last", "8"]);
    assert_eq!(code, Some(1), "{told}");
}

/// What can not be done is told with what to do.
#[test]
fn what_is_missing_is_named() {
    needs_kafka!();
    let case = Case::new("missing", 1);
    let (code, told) = compared(&case, OLD, &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains(&format!("{} has no messages", case.topic)),
        "{told}"
    );
    produce(&case, 0, 0..3);
    let (code, told) = compared(&case, OLD, &["--group", "none"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the config has no group none"), "{told}");
    let (code, told) = compared(&case, OLD, &["--handler", "broken.rhai"]);
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("broken.rhai can't be read"), "{told}");
    let setup = case.setup("", OLD).handler("old.rhai", OLD);
    let nowhere = ["test", "--from-topic", "Nowhere", "--against", "old.rhai"];
    let (code, told) = run(setup, &nowhere);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("no group of the config reads Nowhere"),
        "{told}"
    );
    let setup = case.setup("", OLD).handler("old.rhai", OLD);
    let both = [&nowhere[..], &["--handler", "handle.rhai"]].concat();
    let (code, told) = run(setup, &both);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("the cluster has no topic Nowhere"), "{told}");
}

/// Without `--against` the other version is the one that the daemon runs, also where the files on disk
/// have changed since.
#[test]
fn the_version_that_runs_is_compared_with_the_one_on_disk() {
    needs_kafka!();
    let case = Case::new("running", 1);
    let handler = OLD.replace("d.n,", "twice::twice(d.n),");
    let handler = format!("import \"lib/twice\" as twice;\n{handler}");
    let setup = case
        .setup("", &handler)
        .handler("lib/twice.rhai", "fn twice(n) { n * 2 }\n")
        .set("daemon.watch", "off");
    let daemon = setup.start();
    produce(&case, 0, 0..3);
    case.wait_until_done(SOON);
    let read = || {
        let config = daemon.dir().join("deliveryd.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_deliveryd"))
            .args(["test", "--from-topic", &case.topic, "--config"])
            .arg(config)
            .current_dir(daemon.dir())
            .output()
            .unwrap_or_else(|error| panic!("deliveryd: {error}"));
        let both = [&output.stdout[..], &output.stderr[..]].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&both).into_owned(),
        )
    };
    let (code, told) = read();
    assert_eq!(code, Some(0), "{told}");
    daemon.edit_handler("lib/twice.rhai", "n * 2", "n * 3");
    let (code, told) = read();
    assert_eq!(code, Some(1), "{told}");
    for part in [
        format!("old: what {} runs now", case.group),
        "    old 4\n    new 6\n".to_owned(),
        format!("3 messages of {}: 2 handled differently\n", case.topic),
    ] {
        assert!(told.contains(&part), "{part:?} is not in\n{told}");
    }
    assert_eq!(
        case.probe.read_all(&case.out).len(),
        3,
        "only what the daemon emitted"
    );
    assert!(daemon.stop().status.success());
    let (code, told) = read_after(&case, &handler);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("no deliveryd answers") && told.contains("--against FILE"),
        "{told}"
    );
}

fn read_after(case: &Case, handler: &str) -> (Option<i32>, String) {
    let setup = case
        .setup("", handler)
        .handler("lib/twice.rhai", "fn twice(n) { n * 2 }\n");
    run(setup, &["test", "--from-topic", &case.topic])
}
