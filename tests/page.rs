//! The status page in a real browser: what a person sees there is what runs.

mod support;

#[path = "page/browser.rs"]
mod browser;

use std::time::Duration;

use browser::Browser;
use support::ports::Port;
use support::{Daemon, Setup, Status, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// Leaves the test where there is no browser.
macro_rules! needs_browser {
    () => {
        if !browser::is_there(module_path!()) {
            return;
        }
    };
}

fn lesson() -> Setup {
    Setup::copy_of_repository("default.toml")
}

fn open(daemon: &Daemon) -> Browser {
    Browser::open(&format!("http://{}/", daemon.address()), 1200, 900)
}

/// Each member's partitions, as the page shows them.
fn shown(browser: &Browser, group: &str, members: u32) -> Vec<Vec<String>> {
    (1..=members)
        .map(|number| {
            let member = format!("[data-group='{group}'] [data-member='{group}-{number}'] .chip");
            browser.texts(&member)
        })
        .collect()
}

/// Each member's partitions, as the status has them.
fn held(status: &Status, group: &str) -> Vec<Vec<String>> {
    let members = status.group(group)["members"].as_array().cloned();
    let partitions = |member: &serde_json::Value| {
        let held = member["partitions"].as_array().cloned().unwrap_or_default();
        held.iter()
            .map(|held| held["partition"].to_string())
            .collect()
    };
    members.unwrap_or_default().iter().map(partitions).collect()
}

#[track_caller]
fn wait_until_shown_as_held(browser: &Browser, daemon: &Daemon, group: &str, members: u32) {
    wait_for("the page to show who holds what", SOON, || {
        let (shown, held) = (
            shown(browser, group, members),
            held(&daemon.status(), group),
        );
        let busy = held.iter().flatten().count() == 2;
        (busy && shown == held)
            .then_some(())
            .ok_or_else(|| format!("shown {shown:?}, held {held:?}"))
    });
}

/// The page shows who holds which partition, moves when a member is added by SIGHUP, ticks the
/// lessons that this shows, and the browser has nothing to complain of.
#[test]
fn page_shows_assignments_and_follows_a_rebalance() {
    needs_browser!();
    let daemon = lesson().start();
    let browser = open(&daemon);
    wait_until_shown_as_held(&browser, &daemon, "group-1", 2);
    wait_until_shown_as_held(&browser, &daemon, "group-2", 1);
    browser.wait_for_text("[data-lesson='shared_partitions'].seen", "Seen at");
    assert_eq!(browser.text("[data-lesson='idle_spare'].seen"), None);

    daemon.edit_config("members = 2", "members = 3");
    daemon.reload();
    browser.wait_for_text(
        "[data-group='group-1'] [data-member='group-1-3'].idle",
        "idle",
    );
    wait_until_shown_as_held(&browser, &daemon, "group-1", 3);
    browser.wait_for_text("[data-lesson='idle_spare'].seen", "Seen at");
    browser.wait_for_text("#reloads", "members 2 → 3");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A broken handler's error is there with the marked line, and goes when the handler is mended.
#[test]
fn page_shows_a_broken_handler_until_it_is_mended() {
    needs_browser!();
    let daemon = lesson().start();
    let browser = open(&daemon);
    browser.wait_for_text("[data-group='group-1']", "group-1-1");
    let error = "[data-group='group-1'] .handler-error";
    assert_eq!(browser.text(error), None);

    daemon.edit_handler("handlers/print_delivery.rhai", "fn handle(", "fn handel(");
    browser.wait_for_text(error, "print_delivery.rhai:");
    browser.wait_for_text("#troubles", "the changed handler is refused");

    daemon.edit_handler("handlers/print_delivery.rhai", "fn handel(", "fn handle(");
    wait_for("the error to go", SOON, || {
        match (browser.text(error), browser.text("#troubles")) {
            (None, None) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    });
}

/// A page that was open when the daemon was stopped says so, and goes on with the next daemon.
#[test]
fn page_survives_a_restart_of_the_daemon() {
    needs_browser!();
    let port = Port::claim();
    let start = || {
        lesson()
            .set("daemon.http", &format!("{:?}", port.address()))
            .start()
    };
    let daemon = start();
    let browser = open(&daemon);
    browser.wait_for_text("#state", "running");
    daemon.stop();
    browser.wait_for_text("#state.away", "the daemon does not answer");
    let daemon = start();
    browser.wait_for_text("#state:not(.away)", "running");
    wait_until_shown_as_held(&browser, &daemon, "group-1", 2);
}

/// On a phone nothing sticks out at the side, and the curves of the time before are there at once.
#[test]
fn page_fits_a_phone_and_knows_the_last_minutes() {
    needs_browser!();
    let daemon = lesson().start();
    daemon.wait_until("some messages", SOON, |status| {
        status.handled("group-1") > 30
    });
    let browser = Browser::open(&format!("http://{}/", daemon.address()), 390, 844);
    browser.wait_for_text("[data-group='group-1'] figure", "now ");
    let widths = browser
        .run("const page = document.documentElement; return [page.scrollWidth, page.clientWidth]");
    assert_eq!(widths[0], widths[1], "it scrolls sideways");
    let curve = browser
        .run("return document.querySelector(\"[data-group='group-1'] .curve\").getAttribute('d')");
    let points = curve.as_str().map_or(0, |path| path.split('L').count());
    assert!(points >= 2, "{curve}");
}
