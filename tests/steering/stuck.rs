//! A stuck partition: tried again, or got past its message.

use super::support::Daemon;
use super::support::case::{COPY, Case, by_partition};
use super::support::once::wait_for_committed;
use super::{SOON, begun, done, partitions, refused};
use crate::needs_kafka;

const STOP: &str = "on_failure = { retries = 0, then = \"stop\" }\n";

fn stuck_at_two(case: &Case, settings: &str) -> Daemon {
    let failing = COPY.replace(
        "emit(",
        "if msg.value == \"m2\" { throw \"no good\" }\n emit(",
    );
    let daemon = begun(case.start(&format!("{STOP}{settings}"), &failing));
    daemon.wait_until_assigned(&case.group, 1);
    case.fill(0..1, 5);
    daemon.wait_until("the partition to be stuck", SOON, |status| {
        partitions(status, &case.group)
            .iter()
            .any(|(_, _, stuck)| stuck.as_deref().is_some_and(|why| why.contains("no good")))
    });
    daemon
}

/// `--dead-letter-one` gives up the one message, into a topic that is made for it, with its provenance;
/// what lies behind goes on, in order, and the commit passes it.
#[test]
fn one_message_is_given_up() {
    needs_kafka!();
    for settings in ["", "guarantee = \"exactly_once\"\n"] {
        let case = Case::new("past", 1);
        let daemon = stuck_at_two(&case, settings);
        assert_eq!(daemon.get("/readyz").code, 503);
        let one = format!("{}:0", case.topic);
        let said = done(daemon.command(&["resume", &case.group, &one, "--dead-letter-one"]));
        let expected = format!(
            "{}/0@2 goes to {} as a dead letter, and {} goes on behind it",
            case.topic,
            case.dead(),
            case.group
        );
        assert!(said.starts_with(&expected), "{said}");
        let copies = wait_for_committed(&case, &daemon, 4, SOON);
        case.wait_until_done(SOON);
        assert_eq!(by_partition(&copies)[&0], [0, 1, 3, 4]);
        let dead = &case.probe.read_committed(&case.dead())[0];
        assert_eq!(dead.value.as_deref(), Some("m2"));
        let reason = dead
            .headers
            .iter()
            .find(|(name, _)| name == "deliveryd-reason");
        assert!(
            reason.is_some_and(|(_, why)| why.contains("no good")),
            "{dead:?}"
        );
        let said = refused(daemon.command(&["resume", &case.group, &one, "--dead-letter-one"]));
        assert!(said.contains("is not stuck"), "{said}");
    }
}

/// A plain resume tries it again, with the handler as it is by then.
#[test]
fn a_resume_tries_again() {
    needs_kafka!();
    let case = Case::new("again", 1);
    let daemon = stuck_at_two(&case, "");
    let failed = daemon.status().counter(&case.group, "failed");
    done(daemon.command(&["resume", &case.group]));
    daemon.wait_until("another attempt", SOON, |status| {
        status.counter(&case.group, "failed") == failed + 1
    });
    let said = refused(daemon.command(&["resume", &case.group, &case.topic, "--dead-letter-one"]));
    assert!(said.contains("say GROUP TOPIC:PARTITION"), "{said}");
}
