//! Handler files as people and tools change them, under the built daemon on the embedded broker.
//!
//! What the watching itself makes of every way to save is told by the tests in `src/handlers`; here
//! real tools save, and members, log, status and metrics are looked at.

mod support;

#[path = "handler_files/site.rs"]
mod site;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use site::{
    SOON, at_work, error, refused, refuses, run, saying, setup, start, takes, versions, write,
};
use support::{Probe, Setup, Status, wait_for};

/// Long enough for a wrong step to be seen, if it is taken.
const A_WHILE: Duration = Duration::from_millis(400);

/// `sed -i` writes beside and renames.
#[test]
fn sed_in_place() {
    let daemon = start("handle.rhai");
    run(&daemon, "sed -i s/one/two/ handle.rhai");
    takes(&daemon, "two");
    run(&daemon, "sed -i s/two/three/ handle.rhai");
    takes(&daemon, "three");
}

/// The shell truncates and writes in place.
#[test]
fn written_in_place_by_the_shell() {
    let daemon = start("handle.rhai");
    run(
        &daemon,
        "sed s/one/two/ handle.rhai > new; cat new > handle.rhai; rm new",
    );
    takes(&daemon, "two");
}

/// Kubernetes swaps the link `..data` of a mounted ConfigMap and removes the old directory.
#[test]
fn config_map_swapped() {
    let setup = setup("handlers/handle.rhai").handler("handlers/..v1/handle.rhai", &saying("one"));
    let dir = setup.dir().join("handlers");
    symlink("..v1", dir.join("..data")).unwrap_or_else(|error| panic!("{error}"));
    symlink("..data/handle.rhai", dir.join("handle.rhai"))
        .unwrap_or_else(|error| panic!("{error}"));
    let daemon = at_work(setup);
    for (version, word) in [("2", "two"), ("3", "three")] {
        write(
            &dir.join(format!("..v{version}/handle.rhai")),
            &saying(word),
        );
        run(
            &daemon,
            &format!(
                "cd handlers; old=$(readlink ..data); \
                 ln -s ..v{version} ..data_tmp; mv -T ..data_tmp ..data; rm -r $old"
            ),
        );
        takes(&daemon, word);
    }
    assert_eq!(daemon.output.count("is refused"), 0);
}

/// A deploy points its link to the next release with `ln -sfn`.
#[test]
fn release_linked_with_ln() {
    let setup = setup("current/handle.rhai")
        .handler("releases/1/handle.rhai", &saying("one"))
        .handler("releases/2/handle.rhai", &saying("two"));
    symlink("releases/1", setup.dir().join("current")).unwrap_or_else(|error| panic!("{error}"));
    let daemon = at_work(setup);
    run(&daemon, "ln -sfn releases/2 current");
    takes(&daemon, "two");
    run(&daemon, "sed -i s/two/three/ releases/2/handle.rhai");
    takes(&daemon, "three");
    assert_eq!(daemon.output.count("is refused"), 0);
}

/// The whole folder is moved away and another takes its place.
#[test]
fn folder_replaced() {
    let daemon = start("handlers/handle.rhai");
    write(&daemon.dir().join("next/handle.rhai"), &saying("two"));
    run(&daemon, "mv handlers old; mv next handlers; rm -r old");
    takes(&daemon, "two");
    run(&daemon, "sed -i s/two/three/ handlers/handle.rhai");
    takes(&daemon, "three");
}

/// The folder is removed: the old version goes on and it is told. Made again, the new one is taken.
#[test]
fn folder_removed_and_made_again() {
    let daemon = start("handlers/handle.rhai");
    run(&daemon, "rm -r handlers");
    refuses(&daemon, "No such file");
    write(&daemon.dir().join("handlers/handle.rhai"), &saying("two"));
    takes(&daemon, "two");
}

/// A file that is half written, which alone would be a good handler, is neither taken nor refused.
#[test]
fn half_written_and_completed() {
    let daemon = start("handle.rhai");
    let before = versions(&daemon.status(), "readers");
    let mut file = File::create(daemon.dir().join("handle.rhai")).expect("opened");
    let helper = "fn say(msg) { info(\"two \" + msg.offset); }\n";
    file.write_all(b"fn handle(msg) { say(msg); }\n")
        .expect("written");
    std::thread::park_timeout(A_WHILE);
    assert_eq!(versions(&daemon.status(), "readers"), before);
    file.write_all(helper.as_bytes()).expect("written");
    drop(file);
    takes(&daemon, "two");
    let status = daemon.status();
    assert_eq!(status.counter("readers", "failed"), 0, "{status}");
    assert_eq!(daemon.output.count("is refused"), 0);
}

/// A file is removed, and put back as it was: it is refused once, and mended without a new version.
#[test]
fn removed_and_put_back() {
    let daemon = start("handle.rhai");
    let before = versions(&daemon.status(), "readers");
    run(&daemon, "mv handle.rhai away");
    refuses(&daemon, "No such file");
    run(&daemon, "mv away handle.rhai");
    daemon.wait_for_line("is again what runs", SOON);
    let status = daemon.wait_until("the mending", SOON, |status| error(status).is_null());
    assert_eq!(versions(&status, "readers"), before);
    assert_eq!(refused(&daemon), 0.0);
    assert_eq!(daemon.output.count("is refused"), 1);
}

/// A file that may not be read is refused until it may.
#[test]
fn unreadable_and_readable_again() {
    let setup = setup("handle.rhai").handler("handle.rhai", &saying("one"));
    let wrapper = setup.dir().join("without-privileges");
    // Root reads everything, unless it is denied this right.
    let deny = "setpriv --bounding-set=-dac_override,-dac_read_search";
    let deny = if is_root() { deny } else { "" };
    let binary = env!("CARGO_BIN_EXE_deliveryd");
    write(
        &wrapper,
        &format!("#!/bin/sh\nexec {deny} {binary} \"$@\"\n"),
    );
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&wrapper, executable).unwrap_or_else(|error| panic!("{error}"));
    let daemon = at_work(setup.program(&wrapper));
    run(&daemon, "chmod 000 handle.rhai");
    refuses(&daemon, "Permission denied");
    run(&daemon, "chmod 644 handle.rhai");
    daemon.wait_until("the mending", SOON, |status| error(status).is_null());
    run(&daemon, "sed -i s/one/two/ handle.rhai");
    takes(&daemon, "two");
}

fn is_root() -> bool {
    // SAFETY: it takes nothing and only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// A pipe in the file's place is refused, and the watching does not wait for somebody to write to it.
#[test]
fn a_pipe_holds_nothing_up() {
    let daemon = start("handle.rhai");
    run(&daemon, "rm handle.rhai; mkfifo handle.rhai");
    refuses(&daemon, "it is not a file");
    run(&daemon, "rm handle.rhai");
    write(&daemon.dir().join("handle.rhai"), &saying("two"));
    takes(&daemon, "two");
}

/// With `watch = "poll"` no event of the kernel is needed, as on a network file system.
#[test]
fn polled_without_events() {
    let setup = setup("handle.rhai").handler("handle.rhai", &saying("one"));
    let daemon = at_work(setup.set("daemon.watch", "\"poll\""));
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.id()));
    let files = files.unwrap_or_else(|error| panic!("{error}")).flatten();
    let watches = |link: &Path| link.to_string_lossy().contains("inotify");
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    assert_eq!(links.filter(|link| watches(link)).count(), 0);
    run(&daemon, "sed -i s/one/two/ handle.rhai");
    takes(&daemon, "two");
    run(&daemon, "rm handle.rhai");
    refuses(&daemon, "No such file");
    write(&daemon.dir().join("handle.rhai"), &saying("three"));
    takes(&daemon, "three");
}

/// A change to a module reloads every handler that imports it, however deep, and no other.
#[test]
fn a_deep_module_reloads_all_that_import_it() {
    let group = |name: &str| {
        format!("[groups.{name}]\ntopics = [\"Delivery\"]\nhandler = \"{name}.rhai\"\n\n")
    };
    let toml = format!(
        "[topics.Delivery]\npartitions = 1\n\n{}{}{}",
        group("near"),
        group("far"),
        group("alone")
    );
    let near = "import \"lib/deep/word\" as w;\nfn handle(msg) { print(w::word()); }\n";
    let far = "import \"lib/way\" as way;\nfn handle(msg) { print(way::word()); }\n";
    let way = "import \"lib/deep/word\" as w;\nfn word() { w::word() }\n";
    let daemon = Setup::new("embedded", &toml)
        .handler("near.rhai", near)
        .handler("far.rhai", far)
        .handler("alone.rhai", &saying("alone"))
        .handler("lib/way.rhai", way)
        .handler("lib/deep/word.rhai", "fn word() { \"one\" }\n")
        .start();
    let groups = ["near", "far", "alone"];
    let before = daemon.wait_until("a member of each group", SOON, |status| {
        groups.iter().all(|group| status.assigned(group).len() == 1)
    });
    run(&daemon, "sed -i s/one/two/ lib/deep/word.rhai");
    let changed = |status: &Status, group| versions(status, group) != versions(&before, group);
    let status = daemon.wait_until("both to be reloaded", SOON, |status| {
        changed(status, "near") && changed(status, "far")
    });
    assert!(!changed(&status, "alone"), "{status}");
}

/// A mistake is in the log once, however often the file is saved with it, and the next one again; in
/// status and metric until it is mended.
#[test]
fn each_mistake_is_told_once() {
    let daemon = start("handle.rhai");
    let file = daemon.dir().join("handle.rhai");
    let broken = "fn handle(msg) {\n    let x = ;\n}\n";
    write(&file, broken);
    refuses(&daemon, "handle.rhai:2:13");
    for save in ["touch handle.rhai", "sed -i 's/x = ;/x = ;/' handle.rhai"] {
        run(&daemon, save);
    }
    write(&file, "fn handle(msg) {\n\n    let x = ;\n}\n");
    refuses(&daemon, "handle.rhai:3:13");
    assert_eq!(daemon.output.count("is refused"), 2);
    assert_eq!(daemon.output.count("handle.rhai:2:13"), 1);
    write(&file, &saying("two"));
    takes(&daemon, "two");
    assert_eq!(daemon.output.count("is refused"), 2);
}

/// Metrics tell one version from another: who runs it, and how its calls ended.
#[test]
fn metrics_are_split_by_version() {
    let daemon = start("handle.rhai");
    let version = |status: &Status| versions(status, "readers")[0].clone();
    let first = version(&daemon.status());
    let calls = |version: &str, result: &str| {
        let labels = format!("version=\"{version}\",result=\"{result}\"");
        daemon.metric("deliveryd_handler_calls_total", &labels)
    };
    run(
        &daemon,
        "sed -i 's/info(.*/if msg.offset % 2 == 0 { reject(\"even\"); } info(\"two \");/' handle.rhai",
    );
    takes(&daemon, "two");
    let second = version(&daemon.status());
    wait_for("rejections under the new version", SOON, || {
        match calls(&second, "rejected") {
            n if n > 5.0 => Ok(()),
            n => Err(format!("{n}")),
        }
    });
    assert!(calls(&first, "done") > 0.0 && calls(&second, "done") > 0.0);
    assert_eq!(calls(&first, "rejected") + calls(&first, "failed"), 0.0);
    let members = |version: &str| {
        let labels = format!("group=\"readers\",version=\"{version}\"");
        daemon.metric("deliveryd_handler_members", &labels)
    };
    assert_eq!((members(&first), members(&second)), (0.0, 3.0));
    let info = format!("group=\"readers\",version=\"{second}\"");
    assert_eq!(daemon.metric("deliveryd_handler_info", &info), 1.0);
}

/// A member that has slept takes the new version for the very message that wakes it.
#[test]
fn the_next_message_is_handled_by_the_new_version() {
    let toml = "[topics.Delivery]\npartitions = 1\n\n\
                [groups.readers]\ntopics = [\"Delivery\"]\nhandler = \"handle.rhai\"\n";
    let said = |round: usize| saying(&format!("round {round} at"));
    let daemon = Setup::new("embedded", toml)
        .handler("handle.rhai", &said(0))
        .start();
    daemon.wait_until_assigned("readers", 1);
    let banner = daemon.wait_for_line("embedded broker on ", SOON);
    let address = banner.split("embedded broker on ").nth(1);
    let address = address.and_then(|rest| rest.split(' ').next());
    let probe = Probe::new(address.unwrap_or_else(|| panic!("no address in {banner}")));
    for round in 1..=10 {
        write(&daemon.dir().join("new"), &said(round));
        run(&daemon, "mv new handle.rhai");
        wait_for("the change to be told", SOON, || {
            match daemon.output.count("runs from the next message on") {
                n if n == round => Ok(()),
                n => Err(format!("told {n} times")),
            }
        });
        probe.produce_to("Delivery", 0, [("key", "value")]);
        daemon.wait_for_line(&format!("round {round} at {}", round - 1), SOON);
    }
}

/// From save to the first message under the new version: a fraction of a second. Prints the figures. With
/// `SAVES=N` it is N saves, and has to hold what is promised of a machine that has nothing else to do.
#[test]
fn from_save_to_the_first_message() {
    let at = |round: usize| {
        format!("fn handle(msg) {{\n    info(`measured {round} at ${{now()}} ms`);\n}}\n")
    };
    let daemon = at_work(setup("handle.rhai").handler("handle.rhai", &saying("one")));
    let measured = std::env::var("SAVES").ok();
    let saves = measured.as_deref().map_or(Ok(25), str::parse);
    let saves: usize = saves.unwrap_or_else(|error| panic!("SAVES: {error}"));
    let waits = (1..=saves).map(|round| {
        write(&daemon.dir().join("new"), &at(round));
        let saved = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let saved = saved.map_or(0, |since| since.as_millis() as i64);
        run(&daemon, "mv new handle.rhai");
        let line = daemon.wait_for_line(&format!("measured {round} at "), SOON);
        let first = line.split(" at ").nth(1);
        let first = first.and_then(|rest| rest.split(' ').next()?.parse::<i64>().ok());
        first.unwrap_or_else(|| panic!("no time in {line}")) - saved
    });
    let mut waits: Vec<i64> = waits.collect();
    waits.sort_unstable();
    let (median, most) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("from save to the first message: median {median} ms, most {most} ms of {waits:?}");
    // Promised are 200 ms; a machine that runs other tests at the same time gets more.
    let most = if measured.is_some() { 200 } else { 1000 };
    assert!(median <= most, "{waits:?}");
}
