//! What a save looks like while it goes on, what it costs, and what is no save at all.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::desk::Desk;
use super::super::*;
use super::in_both_modes;
use crate::config::Watch;
use crate::script::{Caller, Handler, Settings};

/// Long enough for the store to look, if it would.
const A_WHILE: Duration = Duration::from_millis(250);

fn write(file: &mut File, text: &str) {
    file.write_all(text.as_bytes()).expect("written");
}

/// A file that is being written is not read before it is closed, though half of it would be a good
/// handler.
#[test]
fn half_written_is_not_taken() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    let mut file = File::create(desk.dir.join("a.rhai")).expect("opened");
    for part in ["half", ", broken"] {
        write(&mut file, part);
        desk.nothing_for(A_WHILE);
    }
    drop(file);
    desk.refuses(&slot, "half, broken");
    let mut file = File::create(desk.dir.join("a.rhai")).expect("opened");
    write(&mut file, "half");
    desk.nothing_for(A_WHILE);
    write(&mut file, " and half");
    drop(file);
    desk.changes_to(&slot, "half and half");
    assert_eq!(slot.generation(), 1);
}

/// Where files are polled, one is read when it has not changed between two looks.
#[test]
fn half_written_is_not_taken_by_polling() {
    let desk = Desk::timed(Watch::Poll, |timing| timing.settle = Duration::from_secs(2));
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    let mut file = File::create(desk.dir.join("a.rhai")).expect("opened");
    write(&mut file, "half");
    desk.nothing_for(A_WHILE);
    write(&mut file, " and half");
    drop(file);
    desk.changes_to(&slot, "half and half");
    assert_eq!(slot.generation(), 1);
}

/// Who never closes what he has written is not waited for longer than said.
#[test]
fn never_closed_is_taken_in_the_end() {
    let desk = Desk::timed(Watch::Events, |timing| timing.writing = A_WHILE);
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    let mut file = File::create(desk.dir.join("a.rhai")).expect("opened");
    write(&mut file, "two");
    desk.changes_to(&slot, "two");
    write(&mut file, ", broken");
    desk.refuses(&slot, "two, broken");
}

/// Something else that is written all the time in the same folder holds nothing up.
#[test]
fn other_files_are_not_waited_for() {
    let desk = Desk::timed(Watch::Events, |timing| {
        timing.writing = Duration::from_secs(60)
    });
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    let mut log = File::create(desk.dir.join("log")).expect("opened");
    write(&mut log, "a line");
    desk.write("a.rhai", "two");
    desk.changes_to(&slot, "two");
    write(&mut log, "a line more");
}

/// A change is found in a folder in which something happens all the time.
#[test]
fn busy_folders_hold_nothing_up() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slot = desk.slot("group-1", "a.rhai");
    let (over, dir) = (Arc::new(AtomicBool::new(false)), desk.dir.clone());
    let told = over.clone();
    let busy = std::thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            fs::write(dir.join("noise"), "noise").expect("written");
            fs::write(dir.join("noise.rhai"), "noise").expect("written");
        }
    });
    for n in 0..5 {
        desk.replace("a.rhai", &n.to_string());
        desk.changes_to(&slot, &n.to_string());
    }
    over.store(true, Ordering::Relaxed);
    busy.join().expect("it ended");
}

/// What is wrong for a moment only, as between two files that are saved one after another, is not told.
#[test]
fn wrong_for_a_moment_is_not_told() {
    let long = |timing: &mut Timing| timing.settle = Duration::from_secs(5);
    for mode in [Watch::Events, Watch::Poll] {
        let desk = Desk::timed(mode, long);
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        desk.replace("a.rhai", "use new.rhai");
        desk.nothing_for(A_WHILE);
        desk.write("new.rhai", "two\n");
        let change = desk.changes_to(&slot, "two\nuse new.rhai");
        assert!(matches!(
            change.outcome,
            Outcome::Changed { mended: false, .. }
        ));
    }
}

/// As vim saves: the file is moved aside, written anew, and the old one removed. That it was gone for
/// a moment is not told.
#[test]
fn moved_aside_and_written_anew() {
    for mode in [Watch::Events, Watch::Poll] {
        let desk = Desk::timed(mode, |timing| timing.settle = Duration::from_secs(1));
        desk.write("a.rhai", "0");
        let slot = desk.slot("group-1", "a.rhai");
        for n in 1..3 {
            let (file, aside) = (desk.dir.join("a.rhai"), desk.dir.join("a.rhai~"));
            fs::rename(&file, &aside).expect("moved");
            desk.write("a.rhai", &n.to_string());
            fs::remove_file(&aside).expect("removed");
            desk.changes_to(&slot, &n.to_string());
        }
    }
}

/// As rsync writes a folder: each file beside itself under a hidden name and renamed, modules too,
/// and what is no longer there removed.
#[test]
fn synchronised() {
    in_both_modes(|desk| {
        desk.write("lib/rates.rhai", "1\n");
        desk.write("lib/old.rhai", "old\n");
        desk.write("a.rhai", "use lib/rates.rhai\nuse lib/old.rhai");
        let slot = desk.slot("group-1", "a.rhai");
        for (file, text) in [
            ("a.rhai", "use lib/rates.rhai\nsecond"),
            ("lib/rates.rhai", "2\n"),
        ] {
            let path = desk.dir.join(file);
            let hidden = path.with_file_name(".x.rhai.Ab12Cd");
            fs::write(&hidden, text).expect("written");
            fs::rename(&hidden, &path).expect("renamed");
        }
        fs::remove_file(desk.dir.join("lib/old.rhai")).expect("removed");
        let last = "2\nuse lib/rates.rhai\nsecond";
        loop {
            match desk.next().outcome {
                // Two of the three may be seen before the third.
                Outcome::Changed { to, .. } if to != last => {}
                Outcome::Changed { .. } => break,
                other => panic!("nothing was wrong at any time: {other:?}"),
            }
        }
        assert_eq!(slot.current().version(), last);
        assert_eq!(slot.error(), None);
    });
}

/// The whole folder removed and made again: the old version runs on, and then the new one.
#[test]
fn folder_removed_and_made_again() {
    in_both_modes(|desk| {
        desk.write("handlers/lib/m.rhai", "1\n");
        desk.write("handlers/a.rhai", "use lib/m.rhai");
        let slot = desk.slot("group-1", "handlers/a.rhai");
        fs::remove_dir_all(desk.dir.join("handlers")).expect("removed");
        desk.refuses(&slot, "No such file");
        desk.write("handlers/lib/m.rhai", "2\n");
        desk.write("handlers/a.rhai", "use lib/m.rhai");
        desk.changes_to(&slot, "2\nuse lib/m.rhai");
        desk.write("handlers/lib/m.rhai", "3\n");
        desk.changes_to(&slot, "3\nuse lib/m.rhai");
    });
}

/// What takes the place of a file and is none is refused, and the old version goes on.
#[test]
fn replaced_by_what_is_no_file() {
    in_both_modes(|desk| {
        desk.write("a.rhai", "one");
        let slot = desk.slot("group-1", "a.rhai");
        let file = desk.dir.join("a.rhai");
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a directory");
        desk.refuses(&slot, "directory");
        fs::remove_dir(&file).expect("removed");
        symlink("a.rhai", &file).expect("a link to itself");
        desk.refuses(&slot, "symbolic links");
        fs::remove_file(&file).expect("removed");
        desk.write("a.rhai", "two");
        desk.changes_to(&slot, "two");
    });
}

/// A module counts for every handler that imports it, by whatever way, and for no other.
#[test]
fn a_module_reloads_all_that_import_it() {
    in_both_modes(|desk| {
        desk.write("lib/deep/m.rhai", "1\n");
        desk.write("lib/way.rhai", "use deep/m.rhai\n");
        desk.write("a.rhai", "use lib/way.rhai\n");
        desk.write("b.rhai", "use lib/deep/m.rhai\n");
        desk.write("c.rhai", "alone");
        let slots = ["a", "b", "c"].map(|name| desk.slot(name, &format!("{name}.rhai")));
        desk.write("lib/deep/m.rhai", "2\n");
        desk.next();
        desk.next();
        let versions = slots.each_ref().map(|slot| slot.current());
        assert!(versions[0].version().starts_with("2\n"));
        assert!(versions[1].version().starts_with("2\n"));
        assert_eq!(slots.map(|slot| slot.generation()), [1, 1, 0]);
    });
}

/// A new version is loaded and compiled once, for however many groups.
#[test]
fn loaded_once_for_all_groups() {
    let desk = Desk::new(Watch::Events);
    desk.write("a.rhai", "one");
    let slots = ["a", "b", "c"].map(|name| desk.slot(name, "a.rhai"));
    let before = desk.loads_of("a.rhai");
    desk.replace("a.rhai", "two");
    desk.changes_to(&slots[0], "two");
    assert_eq!(desk.loads_of("a.rhai"), before + 1);
    assert!(slots.iter().all(|slot| slot.current().version() == "two"));
}

/// Members build their engines from what was read once and never look at the disk.
#[test]
fn members_share_what_was_read_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("a.rhai");
    fs::write(dir.path().join("m.rhai"), "fn n() { 1 }").expect("written");
    let text = "import \"m\" as m;\nfn handle(msg) { m::n() }";
    fs::write(&file, text).expect("written");
    let program = Program::load(&file, Kind::Consumer, &Limits::default()).expect("loaded");
    let slot = HandlerSlot::new(Kind::Consumer, "group-1", Arc::new(program));
    dir.close().expect("removed");
    for member in ["group-1-1", "group-1-2"] {
        let settings = Settings {
            caller: Caller {
                group: "group-1".into(),
                member: member.into(),
            },
            limits: Limits::default(),
            params: Default::default(),
            timeout: Duration::from_secs(10),
            seed: None,
            compile: true,
        };
        let handler = Handler::new(&slot.current(), settings).expect("built");
        assert!(Arc::ptr_eq(handler.program(), &slot.current()));
    }
}
