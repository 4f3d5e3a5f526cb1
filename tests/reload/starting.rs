//! Reloads while the daemon still waits for its first broker.

use crate::needs_kafka;
use crate::support::case::{COPY, Case, SOON};
use crate::support::{Daemon, Kafka, Setup, wait_for};

/// A daemon for the case with an address where nobody is.
fn waiting(case: &Case) -> Daemon {
    let daemon = Setup::new("127.0.0.1:1", &case.toml(""))
        .handler("handle.rhai", COPY)
        .start();
    wait_for("the broker to be missed", SOON, || {
        let status = daemon.command(&["status"]);
        let waits = status.out.contains("waiting for broker");
        waits.then_some(()).ok_or_else(|| format!("{status:?}"))
    });
    daemon
}

fn mend_address(daemon: &Daemon) {
    let servers = format!("brokers = {:?}", Kafka::shared().servers());
    daemon.edit_config("brokers = \"127.0.0.1:1\"", &servers);
}

/// The start begins anew with the configuration that is on disk by then: a wrong address is mended by a
/// reload, which waits until everything runs.
#[test]
fn a_wrong_address_is_mended_by_a_reload() {
    needs_kafka!();
    let case = Case::new("mended", 1);
    let daemon = waiting(&case);
    mend_address(&daemon);
    let printed = daemon.reload_now();
    let added = format!("group {}: added (1 member of {})", case.group, case.topic);
    assert!(printed.contains(&added), "{printed}");
    assert!(printed.contains("generation 2 is in force"), "{printed}");
    case.fill(0..1, 3);
    case.wait_for_copies(3, SOON);
    assert_eq!(daemon.status().generation(), 2);
}

/// Where the start fails with it, as it would have at first, whoever asked is told why.
#[test]
fn whoever_asked_is_told_why_the_start_failed() {
    needs_kafka!();
    let case = Case::new("unmended", 1);
    let daemon = waiting(&case);
    mend_address(&daemon);
    daemon.edit_config(
        "[groups.",
        "[topics.nobody-made-this]\ncreate = false\n\n[groups.",
    );
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    for part in ["nobody-made-this", "can not start with it, and ends"] {
        assert!(answer.err.contains(part), "{answer:#?}");
    }
    assert_eq!(daemon.wait().status.code(), Some(1));
}
