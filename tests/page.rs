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

    // Chips move, they are not made anew.
    browser.run("window.chips = [...document.querySelectorAll(\"[data-group='group-1'] .chip\")]");
    daemon.edit_config("members = 2", "members = 3");
    daemon.reload();
    browser.wait_for_text(
        "[data-group='group-1'] [data-member='group-1-3'].idle",
        "idle",
    );
    browser.wait_for_text("[data-group='group-1'] .heading", "3 members, 1 idle");
    wait_until_shown_as_held(&browser, &daemon, "group-1", 3);
    browser.wait_for_text("[data-lesson='idle_spare'].seen", "Seen at");
    browser.wait_for_text("#reloads tbody .number", "2");
    browser.wait_for_text("#reloads", "members 2 → 3");
    browser.wait_for_text("#reloads", "by SIGHUP");
    browser.wait_for_text("[data-group='group-1'] .strip", "in all, the last at ");
    let bars =
        browser.run("return document.querySelectorAll(\"[data-group='group-1'] .bar\").length");
    assert!(bars.as_u64() >= Some(1), "no rebalance on the line of time");

    daemon.edit_config("members = 3", "members = 1");
    daemon.reload();
    wait_until_shown_as_held(&browser, &daemon, "group-1", 1);
    let kept = browser.run("return window.chips.map((chip) => chip.isConnected)");
    assert_eq!(kept, serde_json::json!([true, true]));
    browser.wait_for_text("[data-lesson='rebalanced'].seen", "Seen at");
    browser.wait_for_text("[data-lesson='own_offsets']", "To see it: ");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // It is one file, and asks only its own daemon.
    let asked = browser.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name) \
         .filter((name) => !name.startsWith(location.origin + '/'))",
    );
    assert_eq!(asked, serde_json::json!([]));
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

/// Retries, dead letters and a partition that does not go on are shown, with the reason.
#[test]
fn page_shows_retries_dead_letters_and_what_is_stuck() {
    needs_browser!();
    let toml = "[topics.Delivery]\npartitions = 2\n\n\
        [producers.random]\ntopic = \"Delivery\"\nhandler = \"generate.rhai\"\nrate = 20.0\n\n\
        [groups.letters]\ntopics = [\"Delivery\"]\nhandler = \"third.rhai\"\n\
        on_failure = { retries = 1, backoff = \"10ms\", max_share = 1.0 }\n\n\
        [groups.stops]\ntopics = [\"Delivery\"]\nhandler = \"third.rhai\"\n\
        on_failure = { retries = 0, then = \"stop\" }\n";
    let third = "fn handle(msg) { if msg.offset % 3 == 2 { throw \"the third one\" } }";
    let daemon = Setup::new("embedded", toml)
        .handler("generate.rhai", "fn generate(n) { `${n}` }")
        .handler("third.rhai", third)
        .start();
    let browser = open(&daemon);
    for label in ["failed", "retried", "dead letters"] {
        browser.wait_for_text("[data-group='letters'] .numbers", label);
    }
    let stuck = "[data-group='stops'] [data-member='stops-1'].stuck";
    browser.wait_for_text(&format!("{stuck} .chip.stuck"), "!");
    browser.wait_for_text(stuck, "the third one");
    browser.wait_for_text("#troubles", "stops-1 can't go on with Delivery/");
}

/// Without a mouse: Tab leads to the groups and to what opens, Enter opens it.
#[test]
fn page_is_used_with_the_keyboard() {
    needs_browser!();
    let daemon = lesson().start();
    let browser = open(&daemon);
    wait_until_shown_as_held(&browser, &daemon, "group-1", 2);
    let (tab, enter) = ("\u{E004}", "\u{E007}");
    let focused = |browser: &Browser| browser.run("return document.activeElement.textContent");
    browser.press(tab);
    assert_eq!(focused(&browser), "To the groups");
    browser.press(enter);
    assert_eq!(browser.run("return document.activeElement.id"), "groups");
    browser.press(tab);
    assert_eq!(focused(&browser), "rebalances");
    browser.press(enter);
    browser.wait_for_text("[data-group='group-1'] details[open]", " → group-1-1");
    browser.press(tab);
    assert_eq!(focused(&browser), "partitions in numbers");
    browser.press(enter);
    browser.wait_for_text(
        "[data-group='group-1'] details[open] + details[open]",
        "Delivery/1",
    );
}

/// All text stands out from its ground, in light and in dark (WCAG 2.2, 1.4.3: at least 4.5 to 1).
#[test]
fn page_is_readable_in_light_and_in_dark() {
    needs_browser!();
    let daemon = lesson().start();
    let browser = open(&daemon);
    wait_until_shown_as_held(&browser, &daemon, "group-1", 2);
    daemon.edit_handler("handlers/print_delivery.rhai", "fn handle(", "fn handel(");
    browser.wait_for_text("#troubles", "the changed handler is refused");
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let seen = browser.run(CONTRAST);
        assert_eq!(seen["poor"], serde_json::json!([]), "{scheme}");
        assert!(seen["texts"].as_u64() > Some(40), "{scheme}: {seen}");
        grounds.push(seen["ground"].to_string());
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// Each text's colour against the grounds that lie below it, blended.
const CONTRAST: &str = r#"
const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a),
  b: top.b * top.a + below.b * (1 - top.a), a: 1 });
const linear = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const luminance = (c) => 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
const page = parse(getComputedStyle(document.body).backgroundColor);
const ground = (node) => node === document.documentElement ? page
  : over(parse(getComputedStyle(node).backgroundColor), ground(node.parentElement));
const poor = [];
let texts = 0;
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join("");
  if (!own || !node.checkVisibility() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName)) continue;
  texts++;
  const behind = ground(node);
  const [light, dark] = [luminance(over(parse(getComputedStyle(node).color), behind)), luminance(behind)].sort((a, b) => b - a);
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < 4.5) poor.push([own, contrast]);
}
return { poor, texts, ground: page };
"#;

/// With 200 partitions and 100 members everything is there, nothing sticks out at the side, and it is
/// drawn quickly. The group is made up in the page: so many members take long to start.
#[test]
fn page_stays_sane_with_many_partitions_and_members() {
    needs_browser!();
    let daemon = lesson().start();
    for (width, height) in [(1200, 900), (390, 844)] {
        let browser = Browser::open(&format!("http://{}/", daemon.address()), width, height);
        wait_until_shown_as_held(&browser, &daemon, "group-1", 2);
        let seen = browser.run(MANY);
        assert_eq!(seen["chips"], 200, "{seen}");
        assert_eq!(seen["members"], 100, "{seen}");
        assert_eq!(seen["sideways"], 0, "{seen}");
        assert_eq!(seen["troubles"], 21, "twenty and how many more: {seen}");
        assert!(seen["milliseconds"].as_f64() < Some(3000.0), "{seen}");
    }
}

/// Shows a status with many, once, and measures it.
const MANY: &str = r#"
return fetch("/api/status").then((answer) => answer.json()).then((status) => {
  const draw = update;
  update = () => {};
  const group = status.groups["group-1"];
  const [member, held] = [group.members[0], group.members.flatMap((member) => member.partitions)[0]];
  status.topics.Delivery.partitions = 200;
  group.members = Array.from({ length: 100 }, (_, at) => ({ ...member, name: `group-1-${at + 1}`,
    partitions: [at, at + 100].map((partition) => ({ ...held, partition, stuck: at < 30 ? "a reason ".repeat(20) : null })) }));
  const assignment = Object.fromEntries(group.members.map((member) =>
    [member.name, { Delivery: member.partitions.map((held) => held.partition) }]));
  group.rebalance_history = Array.from({ length: 20 }, () => ({ at: status.started_at, seconds: 1.5, assignment }));
  const began = performance.now();
  draw(status);
  for (const details of document.querySelectorAll("details")) details.open = true;
  const page = document.documentElement;
  const sideways = page.scrollWidth - page.clientWidth;
  const count = (selector) => document.querySelectorAll(`[data-group='group-1'] ${selector}`).length;
  return { chips: count(".chip"), members: count("[data-member]"), sideways,
    troubles: document.querySelectorAll('#troubles li').length, milliseconds: performance.now() - began };
});
"#;

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
