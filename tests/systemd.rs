//! The service on a real systemd: installed, started, reloaded, killed, wedged, stopped and removed as
//! its users do it, in machines that are booted in containers.

mod support;

/// Leaves the test where no machine can be booted.
macro_rules! needs_systemd {
    () => {
        if !$crate::machine::can_boot(module_path!()) {
            return;
        }
    };
}

#[path = "systemd/installing.rs"]
mod installing;
#[path = "systemd/machine.rs"]
mod machine;
#[path = "systemd/package.rs"]
mod package;
#[allow(dead_code)] // The page's tests use the rest of it.
#[path = "readme/page.rs"]
mod page;

use machine::{Machine, Network, SOON};
use support::case::{COPY, Case};
use support::freeze;
use support::{Status, wait_for};

const CONFIG: &str = "/etc/deliveryd/deliveryd.toml";
const HANDLER: &str = "/etc/deliveryd/handlers/handle.rhai";
const UNIT: &str = "/etc/systemd/system/deliveryd.service";

/// One group of two members on the embedded broker, with something to do.
const TOML: &str = r#"
[topics.Delivery]
partitions = 2

[producers.random]
topic = "Delivery"
handler = "handlers/random_delivery.rhai"
rate = 20.0

[groups.g]
topics = ["Delivery"]
members = 2
handler = "handlers/handle.rhai"
"#;

/// A broker that nobody listens as.
const NO_BROKER: &str = r#"
[kafka]
brokers = "127.0.0.1:1"

[topics.Delivery]
partitions = 2

[groups.g]
topics = ["Delivery"]
handler = "handlers/handle.rhai"
"#;

const IDLE: &str = "fn handle(msg) {}\n";

fn both_work(status: &Status) -> bool {
    status.state() == "running" && status.shares("g") == [1, 1]
}

/// A started service whose members work.
#[track_caller]
fn working(settings: &str) -> Machine {
    let machine = Machine::with_service(Network::Own, TOML, IDLE);
    machine.edit_service(settings);
    machine.run("systemctl start deliveryd");
    machine.wait_for_status("both members", both_work);
    machine
}

/// An edited handler is taken up in the cage too. `systemctl reload` returns when the change is in force,
/// and fails for a broken configuration, with what ran before still running.
#[test]
fn a_reload_is_done_or_fails_visibly() {
    needs_systemd!();
    let machine = working("");
    let version = |status: &Status| status.group("g")["handler"]["version"].clone();
    let before = version(&machine.wait_for_status("both members", both_work));
    machine.write(HANDLER, "fn handle(msg) { count(\"seen\"); }\n");
    machine.wait_for_status("the new handler", |status| version(status) != before);

    let process = machine.property("MainPID");
    machine.edit(CONFIG, "members = 2", "members = 3");
    machine.run("systemctl reload deliveryd");
    let three = |status: &Status| status.members("g").len() == 3 && status.generation() == 2;
    let status = machine.status().unwrap_or_else(|error| panic!("{error}"));
    assert!(three(&status), "{status}");

    machine.edit(CONFIG, "members = 3", "members = \"three\"");
    let refused = machine.try_run("systemctl reload deliveryd");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    machine.wait_for_line("`members` can't be \"three\"");
    assert_eq!(machine.property("ActiveState"), "active");
    assert_eq!(machine.property("MainPID"), process);
    machine.wait_until("StatusText", |text| text.contains("reload 3 refused"));
    machine.wait_for_status("what ran before", three);

    machine.edit(CONFIG, "members = \"three\"", "members = 1");
    machine.run("systemctl reload deliveryd");
    machine.wait_for_status("the mended one", |status| {
        status.members("g").len() == 1 && status.generation() == 4
    });
    assert_eq!(machine.property("MainPID"), process);
}

/// A wrong configuration is said once and not tried again and again, whether the check before the start
/// finds it or the start itself.
#[test]
fn a_wrong_configuration_waits_for_its_mending() {
    needs_systemd!();
    let machine = Machine::with_service(Network::Own, TOML, IDLE);
    machine.edit(CONFIG, "members = 2", "members = 0");
    let failed = || (machine.property("SubState"), machine.property("NRestarts"));
    let expected = ("failed".to_owned(), "0".to_owned());
    assert_eq!(machine.try_run("systemctl start deliveryd").code, Some(1));
    machine.wait_for_line("`members` can't be 0");
    assert_eq!(failed(), expected);

    machine.edit_service("ExecStartPre=");
    assert_eq!(machine.try_run("systemctl start deliveryd").code, Some(1));
    assert_eq!(machine.property("ExecMainStatus"), "78");
    assert_eq!(failed(), expected);

    machine.edit(CONFIG, "members = 0", "members = 2");
    machine.run("systemctl start deliveryd");
    machine.wait_for_status("both members", both_work);
}

/// A daemon that is killed is started anew, and so is one that stands still.
#[test]
fn what_is_killed_or_stands_still_is_started_anew() {
    needs_systemd!();
    let machine = working("WatchdogSec=10s");
    for (signal, restarts) in [("KILL", "1"), ("STOP", "2")] {
        let process = machine.daemon();
        machine.run(&format!("systemctl kill --signal={signal} deliveryd"));
        wait_for("its end", SOON, || machine::has_ended(process));
        machine.wait_until("NRestarts", |number| number == restarts);
        machine.wait_for_status("both members", both_work);
    }
}

/// A failure while running, such as a port that is taken, is tried again until it passes.
#[test]
fn a_failure_while_running_is_tried_again() {
    needs_systemd!();
    let machine = working("");
    // The second daemon's page is at the same port.
    machine.run("systemctl stop deliveryd");
    machine.write(
        "/tmp/other/deliveryd.toml",
        &TOML.replace("handlers/", "/etc/deliveryd/handlers/"),
    );
    machine.run("systemd-run --unit=other deliveryd --config /tmp/other/deliveryd.toml");
    machine.wait_for_status("the other one", both_work);
    assert_eq!(machine.try_run("systemctl start deliveryd").code, Some(1));
    machine.wait_for_line("another program has this port");
    machine.wait_until("NRestarts", |restarts| restarts != "0");
    machine.run("systemctl stop other");
    machine.wait_until("ActiveState", |state| state == "active");
}

/// One member that is stuck in a call which never returns is named, and the service manager starts the
/// daemon anew, although everything else goes on.
#[test]
fn a_wedged_member_is_named_and_ends_in_a_restart() {
    needs_systemd!();
    let machine = working("WatchdogSec=12s");
    let process = machine.daemon();
    let mut frozen = freeze::Thread::stop(process, "g-2");
    wait_for("its end", SOON * 2, || {
        // Nobody else can bury it.
        frozen.reap_if_dead();
        machine::has_ended(process)
    });
    machine.wait_until("NRestarts", |number| number == "1");
    machine.wait_for_line("member g-2 has not gone round for");
    machine.wait_for_line("Watchdog request");
    machine.wait_for_status("both members", both_work);
}

/// The service is ready as soon as it runs and hears commands. What it waits for stands in its status
/// line, and a reload mends a wrong address: the start begins anew with it.
#[test]
fn it_is_ready_before_its_broker() {
    needs_systemd!();
    let machine = Machine::with_service(Network::Own, NO_BROKER, IDLE);
    machine.run("systemctl start deliveryd");
    let waits = |address: &str| {
        let wanted = format!("waiting for the broker at {address}: ");
        machine.wait_until("StatusText", |text| text.starts_with(&wanted));
    };
    waits("127.0.0.1:1");
    assert_eq!(machine.property("ActiveState"), "active");

    machine.edit(CONFIG, "127.0.0.1:1", "127.0.0.1:2");
    machine.run("systemctl reload deliveryd");
    waits("127.0.0.1:2");
    machine.edit(CONFIG, "partitions = 2", "partitions = \"two\"");
    assert_eq!(machine.try_run("systemctl reload deliveryd").code, Some(1));
    waits("127.0.0.1:2");
    let status = machine.status().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(status.at("/last_reload/generation"), 3);
    assert_eq!(status.at("/last_reload/ok"), false);
    machine.run("systemctl stop deliveryd");
    assert_eq!(machine.property("Result"), "success");
}

/// A credential of the service is a secret of the configuration: root alone can read its file, and
/// neither the journal nor the process shows it.
#[test]
fn a_credential_is_a_secret_of_the_configuration() {
    needs_systemd!();
    let properties = "\n[kafka.properties]\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\
        \"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"me\"\n\
        \"sasl.password\" = { credential = \"kafka-password\" }\n";
    let machine = Machine::with_service(Network::Own, &(NO_BROKER.to_owned() + properties), IDLE);
    let refused = machine.try_run("systemctl start deliveryd");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    machine.wait_for_line("LoadCredential=kafka-password:PATH");

    machine.write("/etc/kafka-password", "hunter2\n");
    machine.run("chmod 600 /etc/kafka-password");
    machine.edit_service("LoadCredential=kafka-password:/etc/kafka-password");
    machine.run("systemctl start deliveryd");
    machine.wait_until("StatusText", |text| text.contains("waiting for the broker"));
    machine.run("systemctl reload deliveryd");
    let shown = machine.run(
        "journalctl --no-pager; systemctl status deliveryd --no-pager; deliveryd status; \
         cat /proc/$(systemctl show -P MainPID deliveryd)/cmdline \
             /proc/$(systemctl show -P MainPID deliveryd)/environ",
    );
    assert!(!shown.contains("hunter2"));
}

/// `systemctl stop` lets what is in flight finish and be committed: the next start handles the rest, and
/// nothing twice.
#[test]
fn a_stop_finishes_what_is_in_flight() {
    needs_systemd!();
    needs_kafka!();
    let case = Case::new("systemd", 2);
    case.fill(0..2, 2000);
    let servers = support::Kafka::shared().servers();
    let config = format!(
        "[daemon]\nhttp = \"off\"\n\n[kafka]\nbrokers = {servers:?}\n\n{}",
        case.toml("rate = 500.0\n")
            .replace("handle.rhai", "handlers/handle.rhai")
    );
    let machine = Machine::with_service(Network::Shared, &config, COPY);
    machine.run("systemctl start deliveryd");
    case.wait_for_copies(300, SOON);
    machine.run("systemctl stop deliveryd");
    assert_eq!(machine.property("Result"), "success");
    assert_eq!(machine.property("ExecMainStatus"), "0");
    let copies = case.copies().len() as i64;
    let committed = case.probe.committed(&case.group, &case.topic);
    let committed: i64 = committed.values().sum();
    assert!((300..4000).contains(&copies), "{copies} copies");
    assert_eq!(
        committed, copies,
        "all that was started is finished and committed"
    );

    machine.edit(CONFIG, "rate = 500.0", "rate = \"unlimited\"");
    machine.run("systemctl start deliveryd");
    let copies = case.wait_for_copies(4000, SOON);
    case.wait_until_done(SOON);
    support::case::assert_each_once_in_order(&copies, 2, 2000);
}
