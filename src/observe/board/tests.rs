//! What a reader of the status can rely on.

use serde_json::{Value, json};

use super::*;
use crate::observe::status::{MemberState, PartitionStatus};

const CALL: Duration = Duration::from_secs(1);

fn counted(handled: u64) -> MemberStatus {
    MemberStatus {
        totals: Totals {
            handled,
            ..Totals::default()
        },
        ..MemberStatus::default()
    }
}

/// Whether `actual` has everything that `expected` has, with the same values; objects may have more.
fn holds(actual: &Value, expected: &Value, path: &str) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            for (name, value) in expected {
                let found = actual.get(name);
                let found = found.unwrap_or_else(|| panic!("{path}.{name} is missing"));
                holds(found, value, &format!("{path}.{name}"));
            }
        }
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len(), "{path}");
            for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
                holds(actual, expected, &format!("{path}[{at}]"));
            }
        }
        _ => assert_eq!(actual, expected, "{path}"),
    }
}

/// The status holds what the interface promises, under those names, and reads back the same.
#[test]
fn status_is_what_the_interface_promises() {
    let board = Board::new("host-a");
    board.set_state(DaemonState::Running);
    let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    board.reloaded(Reload {
        generation: 3,
        ok: true,
        at,
        summary: vec!["group-1: members 2 → 3".to_owned()],
        ..Reload::default()
    });
    let mut producer = board.producer("random", "Delivery", Rate::PerSecond(5.0), CALL);
    producer.update(|status| {
        status.produced = 120;
        status.state = ProducerState::Running;
    });
    let handler = HandlerStatus {
        file: "handlers/print.rhai".to_owned(),
        version: "0123456789ab".to_owned(),
        error: None,
    };
    board.set_group(
        "group-1",
        GroupInfo {
            topics: vec!["Delivery".to_owned()],
            members_wanted: 1,
            handler,
            paused: false,
        },
    );
    let mut member = board.member("group-1", 1, CALL);
    member.publish(MemberStatus {
        state: MemberState::Running,
        partitions: vec![PartitionStatus {
            topic: "Delivery".to_owned(),
            partition: 0,
            position: 60,
            committed: Some(60),
            lag: Some(0),
            lag_seconds: Some(0.0),
            ..PartitionStatus::default()
        }],
        ..counted(60)
    });
    let rebalance = Rebalance {
        at,
        seconds: 0.25,
        assignment: BTreeMap::new(),
    };
    board.rebalanced("group-1", rebalance);

    let status = board.snapshot();
    let written = serde_json::to_value(&status).unwrap();
    let promised = json!({
        "version": env!("CARGO_PKG_VERSION"), "instance": "host-a", "generation": 3, "state": "running",
        "last_reload": {"generation": 3, "ok": true, "at": "2026-01-02T03:04:05Z", "summary": ["group-1: members 2 → 3"]},
        "producers": {"random": {"topic": "Delivery", "rate": 5.0, "produced": 120, "failed": 0}},
        "groups": {"group-1": {"handler": {"file": "handlers/print.rhai", "version": "0123456789ab", "error": null},
            "handled": 60, "failed": 0, "retried": 0, "dead_lettered": 0, "rebalances": 1,
            "members": [{"name": "group-1-1", "state": "running", "handled": 60, "in_flight": 0,
                "partitions": [{"topic": "Delivery", "partition": 0, "position": 60, "committed": 60, "lag": 0, "lag_seconds": 0.0}]}]}}
    });
    holds(&written, &promised, "status");
    assert_eq!(serde_json::from_value::<Status>(written).unwrap(), status);
}

/// An unlimited producer says so in a word, as in the config.
#[test]
fn rates_are_written_as_in_the_config() {
    let written = serde_json::to_string(&[Rate::Unlimited, Rate::PerSecond(0.2)]).unwrap();
    assert_eq!(written, r#"["unlimited",0.2]"#);
    let read: [Rate; 2] = serde_json::from_str(&written).unwrap();
    assert_eq!(read, [Rate::Unlimited, Rate::PerSecond(0.2)]);
    assert!(serde_json::from_str::<Rate>("\"fast\"").is_err());
}

/// A group's counts never go back when members leave, are replaced, or the group comes again.
#[test]
fn totals_survive_members_that_leave() {
    let board = Board::new("host-a");
    let mut one = board.member("group-1", 1, CALL);
    let mut two = board.member("group-1", 2, CALL);
    one.publish(counted(5));
    two.publish(counted(7));
    let handled = |board: &Board| board.snapshot().groups["group-1"].totals.handled;
    assert_eq!(handled(&board), 12);
    drop(two);
    assert_eq!(handled(&board), 12);
    assert_eq!(board.snapshot().groups["group-1"].members.len(), 1);
    let mut two = board.member("group-1", 2, CALL);
    two.publish(counted(1));
    assert_eq!(handled(&board), 13);
    board.remove_group("group-1");
    drop((one, two));
    assert!(board.snapshot().groups.is_empty());
    board.set_group("group-1", GroupInfo::default());
    assert_eq!(handled(&board), 13);
    let summary = board.summary();
    assert_eq!(summary.groups["group-1"]["group-1-2"].handled, 8);
}

/// Late news of a removed group does not show it again.
#[test]
fn removed_group_stays_away() {
    let board = Board::new("host-a");
    board.set_group("group-1", GroupInfo::default());
    board.remove_group("group-1");
    board.set_group_paused("group-1", true);
    board.set_group_handler("group-1", HandlerStatus::default());
    assert!(board.snapshot().groups.is_empty());
}

/// Members are listed by number, whenever they came.
#[test]
fn members_are_in_the_order_of_their_numbers() {
    let board = Board::new("host-a");
    let _members = [10, 2, 9].map(|number| board.member("g", number, CALL));
    let status = board.snapshot();
    let names: Vec<&str> = status.groups["g"]
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    assert_eq!(names, ["g-2", "g-9", "g-10"]);
}

/// A loop that no longer goes round is named; a finished producer has none that should.
#[test]
fn silent_loops_are_named() {
    let board = Board::new("host-a");
    let member = board.member("group-1", 2, CALL);
    let mut producer = board.producer("random", "Delivery", Rate::Unlimited, CALL);
    let later = Instant::now() + Duration::from_secs(60);
    let named = |board: &Board| -> Vec<String> {
        let wedged = board.wedged_at(later).into_iter();
        wedged.map(|wedged| wedged.who).collect()
    };
    assert_eq!(
        named(&board),
        ["the daemon", "member group-1-2", "producer random"]
    );
    member.beat(later);
    producer.update(|status| status.state = ProducerState::Finished);
    assert_eq!(named(&board), ["the daemon"]);
    board.beat();
    assert!(board.wedged().is_empty());
}

/// A reader that follows along is woken by every kind of news.
#[test]
fn changes_are_told() {
    let board = Board::new("host-a");
    let mut changes = board.changes();
    let mut member = board.member("g", 1, CALL);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    member.update(|status| status.in_flight = 1);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    drop(member);
    assert!(changes.has_changed().unwrap());
}

/// Publishing is due at most ten times a second.
#[test]
fn publishing_is_paced() {
    let board = Board::new("host-a");
    let mut member = board.member("g", 1, CALL);
    assert!(member.is_due(Instant::now()));
    member.publish(counted(1));
    let published = member.published.unwrap();
    assert!(!member.is_due(published));
    assert!(member.is_due(published + Duration::from_millis(100)));
}

/// History is bounded: the newest twenty, and the last reload apart.
#[test]
fn history_keeps_the_newest() {
    let board = Board::new("host-a");
    for generation in 2..=40 {
        board.reloaded(Reload {
            generation,
            ok: true,
            at: clock::now(),
            summary: Vec::new(),
            ..Reload::default()
        });
    }
    let status = board.snapshot();
    assert_eq!(status.reloads.len(), 20);
    assert_eq!(status.reloads[0].generation, 21);
    assert_eq!(status.last_reload.map(|last| last.generation), Some(40));
}
