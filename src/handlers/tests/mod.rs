//! Real files, changed in each way that people and tools change them.

mod saving;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::{Desk, Pretended, mistake};
use super::*;
use crate::config::Watch;

/// Each test of a way to change files holds with kernel events and with polling.
fn in_both_modes(test: impl Fn(Desk)) {
    test(Desk::new(Watch::Events));
    test(Desk::new(Watch::Poll));
}

/// A file written in place is taken.
#[test]
fn written_in_place() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        desk.write("a.rhai", "two");
        let change = desk.changes_to(&slot, "two");
        assert_eq!(change.from, "one");
        assert_eq!(change.slots, [(Kind::Consumer, Arc::from("group-1"))]);
        assert_eq!(slot.generation(), 1);
    });
}

/// A file replaced by a rename, as editors save, is taken, again and again.
#[test]
fn renamed_over() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "0");
        let slot = desk.slot("group-1", "a.rhai");
        for n in 1..5 {
            desk.replace("a.rhai", &n.to_string());
            desk.changes_to(&slot, &n.to_string());
        }
    });
}

/// A ConfigMap in Kubernetes changes by swapping the link `..data`; also when it does so repeatedly
/// and the old directory is removed.
#[test]
fn config_map_swapped() {
    in_both_modes(|desk| {
        desk.write("..v0/a.rhai", "0");
        symlink("..v0", desk.dir.join("..data")).expect("a link");
        symlink("..data/a.rhai", desk.dir.join("a.rhai")).expect("a link");
        let slot = desk.slot("group-1", "a.rhai");
        for n in 1..4 {
            desk.write(&format!("..v{n}/a.rhai"), &n.to_string());
            symlink(format!("..v{n}"), desk.dir.join("..data_tmp")).expect("a link");
            fs::rename(desk.dir.join("..data_tmp"), desk.dir.join("..data")).expect("swapped");
            fs::remove_dir_all(desk.dir.join(format!("..v{}", n - 1))).expect("removed");
            desk.changes_to(&slot, &n.to_string());
        }
    });
}

/// A link far up the path, as deploys use it, leads to the new release when it is replaced.
#[test]
fn release_link_replaced() {
    in_both_modes(|desk| {
        desk.write("releases/1/handlers/a.rhai", "1");
        desk.write("releases/2/handlers/a.rhai", "2");
        symlink("releases/1", desk.dir.join("current")).expect("a link");
        let slot = desk.slot("group-1", "current/handlers/a.rhai");
        symlink("releases/2", desk.dir.join("next")).expect("a link");
        fs::rename(desk.dir.join("next"), desk.dir.join("current")).expect("swapped");
        desk.changes_to(&slot, "2");
        desk.write("releases/2/handlers/a.rhai", "2 mended");
        desk.changes_to(&slot, "2 mended");
    });
}

/// A whole directory moved away and replaced by another leads to the new one, and its later changes.
#[test]
fn directory_replaced() {
    in_both_modes(|desk| {
        desk.write("handlers/deep/a.rhai", "1");
        desk.write("next/deep/a.rhai", "2");
        let slot = desk.slot("group-1", "handlers/deep/a.rhai");
        fs::rename(desk.dir.join("handlers"), desk.dir.join("old")).expect("moved");
        fs::rename(desk.dir.join("next"), desk.dir.join("handlers")).expect("moved");
        loop {
            // Between the two moves the file may be seen missing.
            if let Outcome::Changed { to, .. } = desk.next().outcome {
                assert_eq!(to, "2");
                break;
            }
        }
        desk.write("handlers/deep/a.rhai", "3");
        desk.changes_to(&slot, "3");
    });
}

/// A file that is removed leaves the old version running; put back as it was, it is mended.
#[test]
fn removed_and_put_back() {
    in_both_modes(|desk| {
        desk.write("sub/a.rhai", "one");
        let slot = desk.slot("group-1", "sub/a.rhai");
        fs::remove_dir_all(desk.dir.join("sub")).expect("removed");
        desk.refuses(&slot, "No such file");
        assert_eq!(slot.generation(), 0);
        desk.write("sub/a.rhai", "one");
        assert_eq!(desk.next().outcome, Outcome::Mended);
        assert_eq!((slot.error(), slot.generation()), (None, 0));
        desk.write("sub/a.rhai", "two");
        desk.changes_to(&slot, "two");
    });
}

/// A broken version is told once per distinct mistake, and its mending is told.
#[test]
fn broken_then_mended() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        desk.write("a.rhai", "broken here");
        desk.refuses(&slot, "broken here");
        desk.replace("a.rhai", "broken here\n");
        desk.nothing_more();
        desk.write("a.rhai", "broken there");
        desk.refuses(&slot, "broken there");
        desk.write("a.rhai", "two");
        let change = desk.changes_to(&slot, "two");
        assert!(matches!(
            change.outcome,
            Outcome::Changed { mended: true, .. }
        ));
    });
}

/// A file that is no text, such as a half-written one, is refused and the old version goes on.
#[test]
fn unreadable() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        fs::write(desk.dir.join("a.rhai"), [0xff, 0xfe]).expect("a file");
        desk.refuses(&slot, "UTF-8");
        desk.write("a.rhai", "two");
        desk.changes_to(&slot, "two");
    });
}

/// An imported file counts as the handler does, however deep, and only for those that import it.
#[test]
fn imports_count() {
    in_both_modes(|desk| {
        desk.write("lib/deep/rates.rhai", "1");
        desk.write("lib/money.rhai", "use deep/rates.rhai\n");
        desk.write("a.rhai", "use lib/money.rhai\n");
        desk.write("b.rhai", "alone");
        let a = desk.slot("a", "a.rhai");
        let b = desk.slot("b", "b.rhai");
        desk.write("lib/deep/rates.rhai", "2");
        desk.changes_to(&a, "2use deep/rates.rhai\nuse lib/money.rhai\n");
        assert_eq!(b.generation(), 0);
    });
}

/// A newly imported file counts too: while it is broken, and after it was mended.
#[test]
fn new_imports_count() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        desk.write("lib/new.rhai", "broken module");
        let slot = desk.slot("group-1", "a.rhai");
        desk.write("a.rhai", "use lib/new.rhai");
        desk.refuses(&slot, "broken module");
        desk.write("lib/new.rhai", "1");
        desk.changes_to(&slot, "1use lib/new.rhai");
        desk.write("lib/new.rhai", "2");
        desk.changes_to(&slot, "2use lib/new.rhai");
    });
}

/// Files that are saved together are taken together.
#[test]
fn saved_together() {
    let desk = Desk::with(Watch::Events, Duration::from_millis(300));
    desk.write("m.rhai", "1");
    desk.write("a.rhai", "use m.rhai\n");
    let slot = desk.slot("group-1", "a.rhai");
    desk.write("m.rhai", "2");
    desk.write("a.rhai", "use m.rhai\nsecond");
    desk.changes_to(&slot, "2use m.rhai\nsecond");
    assert_eq!(slot.generation(), 1);
    desk.nothing_more();
}

/// Groups that share a file get the same program, compiled once, and are told of in one event.
#[test]
fn groups_share_a_program() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let first = desk.slot("group-1", "a.rhai");
    let second = desk.slot("group-2", "a.rhai");
    desk.write("a.rhai", "two");
    let change = desk.changes_to(&first, "two");
    assert_eq!(change.slots.len(), 2);
    assert!(Arc::ptr_eq(&first.current(), &second.current()));
    desk.nothing_more();
}

/// A new time of change or a rewrite of the same text is no change.
#[test]
fn the_same_text_is_no_change() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        desk.replace("a.rhai", "one");
        desk.nothing_more();
        assert_eq!(slot.generation(), 0);
    });
}

/// What changed between the first load and the watching is found.
#[test]
fn nothing_is_missed_before_the_watching() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.loaded("group-1", "a.rhai");
    desk.write("a.rhai", "two");
    desk.store.add(desk.watched(&slot, "a.rhai"));
    desk.changes_to(&slot, "two");
}

/// A version that fails its check is refused like a broken one.
#[test]
fn the_check_comes_before_the_swap() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.loaded("group-1", "a.rhai");
    let check: Check<Pretended> = Arc::new(|program| match program.version() {
        "two" => Err(vec![mistake("test_total failed")]),
        _ => Ok(()),
    });
    desk.store.add(Watched {
        check: Some(check),
        ..desk.watched(&slot, "a.rhai")
    });
    desk.write("a.rhai", "two");
    desk.refuses(&slot, "test_total failed");
    assert_eq!(slot.current().version(), "one");
    desk.write("a.rhai", "three");
    desk.changes_to(&slot, "three");
}

/// A panic in the check refuses the version, and the watching goes on.
#[test]
fn a_panic_is_a_refusal() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.loaded("group-1", "a.rhai");
    let check: Check<Pretended> = Arc::new(|program| {
        assert_ne!(program.version(), "two", "no twos");
        Ok(())
    });
    desk.store.add(Watched {
        check: Some(check),
        ..desk.watched(&slot, "a.rhai")
    });
    desk.write("a.rhai", "two");
    desk.refuses(&slot, "no twos");
    desk.write("a.rhai", "three");
    desk.changes_to(&slot, "three");
}

/// A slot that was removed stays as it is; one with the same name can come again.
#[test]
fn slots_come_and_go() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    desk.store.remove(Kind::Consumer, "group-1");
    desk.write("a.rhai", "two");
    desk.nothing_more();
    assert_eq!(slot.current().version(), "one");
    let again = desk.slot("group-1", "a.rhai");
    desk.write("a.rhai", "three");
    desk.changes_to(&again, "three");
    assert_eq!(slot.current().version(), "one");
}

/// With watching off nothing is read until asked; turned on, what changed meanwhile is found.
#[test]
fn off_until_asked() {
    let desk = Desk::new(Watch::Off);
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    desk.write("a.rhai", "two");
    desk.store.check_now();
    desk.changes_to(&slot, "two");
    desk.write("a.rhai", "three");
    desk.store.set_mode(Watch::Events);
    desk.changes_to(&slot, "three");
    desk.write("a.rhai", "four");
    desk.changes_to(&slot, "four");
}

/// From save to slot takes a fraction of the 200 ms that a member may take for its next message.
#[test]
fn a_save_is_taken_soon() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "start");
    let slot = desk.slot("group-1", "a.rhai");
    let mut times: Vec<Duration> = (0..9)
        .map(|n| {
            let text = format!("version {n}");
            let saved = Instant::now();
            desk.write("a.rhai", &text);
            desk.changes_to(&slot, &text);
            saved.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[4] <= Duration::from_millis(150), "{times:?}");
}
