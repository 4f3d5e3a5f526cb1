//! The commands that talk to a running daemon, given to one that runs config/default.toml.

use std::time::Duration;

use crate::commands::Call;
use crate::page::{Page, spans};
use crate::said::shape;
use crate::support::{Setup, http};

const SOON: Duration = Duration::from_secs(30);

/// Each of them does what it is asked, one after another as they stand there.
#[test]
fn commands_to_a_daemon_are_obeyed() {
    let daemon = Setup::copy_of_repository("default.toml").start();
    daemon.wait_until("the groups to work", SOON, |status| {
        let work = status.handled("group-1") > 0 && status.handled("group-2") > 0;
        let shared = status.has_settled("group-1") && status.shares("group-1") == [1, 1];
        work && shared && status.shares("group-2") == [2] && status.state() == "running"
    });
    let mut obeyed = 0;
    for block in Page::read().blocks("sh", "") {
        let calls = block.text.lines().filter_map(Call::of);
        for call in calls.filter(Call::asks_a_daemon) {
            let arguments: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
            let answer = daemon.command(&arguments);
            assert_eq!(answer.code, Some(0), "{arguments:?}: {answer:#?}");
            obeyed += 1;
        }
    }
    assert!(obeyed > 10, "{obeyed} commands");
}

/// The requests with a body that the page shows are understood and done.
#[test]
fn requests_with_a_body_are_understood() {
    let daemon = Setup::copy_of_repository("default.toml").start();
    daemon.wait_until("its partitions", SOON, |status| {
        status.state() == "running" && status.assigned("group-1").len() == 2
    });
    let socket = daemon.dir().join("control.sock");
    let rows = Page::read().rows(&["asked with a body", "such as", "answer"]);
    assert!(rows.len() > 4, "{rows:?}");
    for row in rows {
        let (request, body) = (spans(&row[0]).concat(), spans(&row[1]).concat());
        let Some(path) = request.strip_prefix("POST ") else {
            panic!("{request}");
        };
        // A tap does not end by itself.
        if path != "/v1/tap" {
            let answer = http::post(&socket, path, &body);
            assert_eq!(answer.code, 200, "{request} {body}: {answer:?}");
            assert!(
                !answer.body.contains("\"error\":\""),
                "{request}: {answer:?}"
            );
        }
    }
}

/// What the page shows of a group that falls behind is what `status` prints of one.
#[test]
fn growing_lag_is_shown_as_on_the_page() {
    let daemon = Setup::copy_of_repository("default.toml").start();
    daemon.wait_until("the groups to work", SOON, |status| {
        status.state() == "running" && status.assigned("group-1").len() == 2
    });
    assert_eq!(daemon.command(&["pause", "group-1"]).code, Some(0));
    daemon.wait_until("both partitions to fall behind", SOON, |status| {
        let members = status.group("group-1")["members"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let lags = members.iter().filter(|member| {
            member["state"] == "paused" && member["partitions"][0]["lag"].as_u64() > Some(0)
        });
        lags.count() == 2
    });
    let answer = daemon.command(&["status"]);
    let printed: Vec<String> = answer.out.lines().map(shape).collect();
    let page = Page::read();
    let shown = page.blocks("text", "status");
    assert_eq!(shown.len(), 1);
    for line in shown[0].text.lines() {
        // Which of the two leads the other in the group may differ, and how wide a number is.
        assert!(
            printed.contains(&shape(line)),
            "{line}\nis not in\n{}",
            answer.out
        );
    }
}
