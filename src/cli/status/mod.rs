//! `deliveryd status`: what runs now, once; `--json` is what `/api/status` says.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::table::{row, table};
use super::{Exit, Output, remote};
use crate::control::{Client, Wanted};
use crate::diagnostic::shown_path;
use crate::observe::now;
use crate::observe::status::{
    BrokerState, BrokerStatus, GroupStatus, MemberState, MemberStatus, ProducerStatus, Rate,
    Reload, Status,
};
use crate::observe::terminal::duration;

/// Of the reloads, the last ones are shown.
const RELOADS: usize = 5;

/// Asks the running daemon and prints what it says.
///
/// # Errors
/// What the writers say.
pub fn status(wanted: &Wanted, json: bool, output: &mut Output<'_>) -> io::Result<Exit> {
    remote::asked(
        wanted,
        Client::status,
        |status, output| {
            if json {
                let text = serde_json::to_string_pretty(&status).map_err(io::Error::other)?;
                writeln!(output.out, "{text}")?;
            } else {
                let age = now().duration_since(status.started_at);
                let age = Duration::try_from(age).unwrap_or_default();
                output.out.write_all(text(&status, age).as_bytes())?;
            }
            Ok(Exit::Done)
        },
        output,
    )
}

/// The status for people; `age` is how long the daemon runs.
fn text(status: &Status, age: Duration) -> String {
    let mut lines = head(status, age);
    for (name, group) in &status.groups {
        lines.push(String::new());
        lines.extend(group_lines(name, group));
    }
    if !status.producers.is_empty() {
        lines.push(String::new());
        lines.extend(producer_lines(&status.producers));
    }
    if !status.topics.is_empty() {
        lines.push(String::new());
        let mut rows = vec![row(["topic", "partitions", "replication", ""])];
        rows.extend(status.topics.iter().map(|(name, topic)| {
            row([
                name,
                &topic.partitions.to_string(),
                &topic.replication.to_string(),
                topic.mismatch.as_deref().unwrap_or_default(),
            ])
        }));
        lines.extend(table(&rows, &[1, 2]));
    }
    if !status.reloads.is_empty() {
        lines.push(String::new());
        let earlier = status.reloads.len().saturating_sub(RELOADS);
        lines.extend(status.reloads.iter().skip(earlier).map(reload_line));
    }
    lines.iter().fold(String::new(), |mut text, line| {
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

fn head(status: &Status, age: Duration) -> Vec<String> {
    let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
    let mut lines = vec![
        format!(
            "{}   {}   generation {}   for {age}   deliveryd {}",
            status.instance,
            word(&status.state),
            status.generation,
            status.version
        ),
        format!("config    {}", shown_path(&status.config)),
        format!("brokers   {}", brokers(&status.brokers)),
    ];
    lines.extend(
        status
            .on_disk
            .iter()
            .map(|problem| format!("on disk   {problem}")),
    );
    lines
}

fn brokers(brokers: &BrokerStatus) -> String {
    let embedded = match brokers.embedded {
        true => " (embedded, in memory only)",
        false => "",
    };
    let state = match (brokers.state, &brokers.reason) {
        (BrokerState::Unknown, _) => "not tried yet".to_owned(),
        (BrokerState::Up, _) => "up".to_owned(),
        (BrokerState::Down, Some(reason)) => format!("down: {reason}"),
        (BrokerState::Down, None) => "down".to_owned(),
    };
    format!("{}{embedded}   {state}", brokers.servers)
}

fn group_lines(name: &str, group: &GroupStatus) -> Vec<String> {
    let mut lines = vec![format!(
        "group {name}   reads {}   {}, version {}   rebalances: {}",
        group.topics.join(", "),
        group.handler.file,
        group.handler.version,
        group.rebalances
    )];
    let refused = group.handler.error.iter();
    lines.extend(
        refused
            .flat_map(|error| error.lines())
            .map(|line| format!("  {line}")),
    );
    let heads = [
        "  member",
        "state",
        "handled",
        "failed",
        "dead-lettered",
        "in flight",
        "lag",
        "partitions",
    ];
    let mut rows = vec![row(heads)];
    rows.extend(group.members.iter().map(member_row));
    lines.extend(table(&rows, &[2, 3, 4, 5, 6]));
    lines
}

fn member_row(member: &MemberStatus) -> Vec<String> {
    let lags: Option<i64> = member.partitions.iter().map(|held| held.lag).sum();
    let lag = lags.map_or("?".to_owned(), |lag| lag.to_string());
    row([
        &format!("  {}", member.name),
        &word(&member.state),
        &member.totals.handled.to_string(),
        &member.totals.failed.to_string(),
        &member.totals.dead_lettered.to_string(),
        &member.in_flight.to_string(),
        if member.partitions.is_empty() {
            ""
        } else {
            &lag
        },
        &held(member),
    ])
}

/// `Delivery 0,1`, and why it does not go on.
fn held(member: &MemberStatus) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in &member.partitions {
        let numbers = topics.entry(&partition.topic).or_default();
        numbers.push(partition.partition.to_string());
    }
    let mut parts: Vec<String> = topics
        .into_iter()
        .map(|(topic, numbers)| format!("{topic} {}", numbers.join(",")))
        .collect();
    // Where everything is paused, its state says so.
    let paused: Vec<String> = member
        .partitions
        .iter()
        .filter(|held| held.paused && member.state != MemberState::Paused)
        .map(|held| format!("{} {}", held.topic, held.partition))
        .collect();
    if !paused.is_empty() {
        parts.push(format!("paused: {}", paused.join(", ")));
    }
    parts.extend(member.reason.clone());
    parts.join("   ")
}

fn producer_lines(producers: &BTreeMap<String, ProducerStatus>) -> Vec<String> {
    let heads = [
        "producer", "state", "rate", "produced", "failed", "topic", "handler", "",
    ];
    let mut rows = vec![row(heads)];
    rows.extend(producers.iter().map(|(name, producer)| {
        let rate = match producer.rate {
            Rate::Unlimited => "unlimited".to_owned(),
            Rate::PerSecond(rate) => format!("{rate}/s"),
        };
        row([
            name,
            &word(&producer.state),
            &rate,
            &producer.produced.to_string(),
            &producer.failed.to_string(),
            &producer.topic,
            &producer.handler.file,
            producer.reason.as_deref().unwrap_or_default(),
        ])
    }));
    let mut lines = table(&rows, &[2, 3, 4]);
    let refused = producers
        .values()
        .filter_map(|it| it.handler.error.as_ref());
    lines.extend(
        refused
            .flat_map(|error| error.lines())
            .map(|line| format!("  {line}")),
    );
    lines
}

fn reload_line(reload: &Reload) -> String {
    let at = reload.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let number = reload.generation;
    let result = match reload.ok {
        true => {
            let took = Duration::try_from_secs_f64(reload.seconds).unwrap_or_default();
            format!("in {}", duration(took))
        }
        false => "refused".to_owned(),
    };
    let mut lines = reload.summary.iter().filter(|line| !line.trim().is_empty());
    let first = lines.next().map_or("", |line| line.trim());
    let more = match lines.count() {
        0 => String::new(),
        1 => " (and 1 more line)".to_owned(),
        more => format!(" (and {more} more lines)"),
    };
    format!(
        "reload {number}   {at}   {result}   {first}{more}   by {}",
        reload.by
    )
}

/// A state as JSON has it, with spaces.
fn word(state: &impl serde::Serialize) -> String {
    let written = serde_json::to_value(state).unwrap_or_default();
    written.as_str().unwrap_or("unknown").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::status::{
        HandlerStatus, MemberState, PartitionStatus, ProducerState, TopicStatus,
    };
    use crate::observe::{Board, GroupInfo};

    fn sample() -> Status {
        let board = Board::new("host-a");
        board.set_config(std::path::Path::new("/etc/deliveryd/deliveryd.toml"));
        board.set_state(crate::observe::status::DaemonState::Running);
        board.set_brokers(BrokerStatus {
            state: BrokerState::Up,
            servers: "localhost:9092".to_owned(),
            ..BrokerStatus::default()
        });
        let topic = TopicStatus {
            partitions: 2,
            replication: 1,
            mismatch: None,
        };
        board.set_topics([("Delivery".to_owned(), topic)].into());
        let handler = HandlerStatus {
            file: "handlers/print.rhai".to_owned(),
            version: "0123456789ab".to_owned(),
            error: None,
        };
        board.set_group(
            "group-1",
            GroupInfo {
                topics: vec!["Delivery".to_owned()],
                members_wanted: 2,
                handler: handler.clone(),
                paused: false,
            },
        );
        let call = Duration::from_secs(1);
        let partition = |number, lag| PartitionStatus {
            topic: "Delivery".to_owned(),
            partition: number,
            lag,
            ..PartitionStatus::default()
        };
        let mut one = board.member("group-1", 1, call);
        one.publish(MemberStatus {
            state: MemberState::Running,
            partitions: vec![partition(0, Some(4)), partition(1, Some(3))],
            ..MemberStatus::default()
        });
        let mut two = board.member("group-1", 2, call);
        two.publish(MemberStatus {
            state: MemberState::Idle,
            ..MemberStatus::default()
        });
        let mut random = board.producer("random", "Delivery", Rate::PerSecond(5.0), call);
        random.update(|status| {
            status.state = ProducerState::Running;
            status.produced = 1200;
            status.handler = handler;
        });
        let reload = |generation, ok, summary: &[&str]| Reload {
            generation,
            ok,
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            summary: summary.iter().map(|line| (*line).to_owned()).collect(),
            seconds: 1.13,
            by: "SIGHUP".to_owned(),
        };
        board.reloaded(reload(2, true, &["group-1: members 1 → 2"]));
        board.reloaded(reload(3, false, &["error: unknown setting", "  --> x:1:1"]));
        // The boards of members leave when they are dropped.
        board.snapshot()
    }

    /// The whole of it at a glance: what runs where, what it did, what lies before it.
    #[test]
    fn status_is_a_page_of_text() {
        let expected = "\
host-a   running   generation 2   for 2h 5s   deliveryd VERSION
config    /etc/deliveryd/deliveryd.toml
brokers   localhost:9092   up

group group-1   reads Delivery   handlers/print.rhai, version 0123456789ab   rebalances: 0
  member      state     handled   failed   dead-lettered   in flight   lag   partitions
  group-1-1   running         0        0               0           0     7   Delivery 0,1
  group-1-2   idle            0        0               0           0

producer   state     rate   produced   failed   topic      handler
random     running    5/s       1200        0   Delivery   handlers/print.rhai

topic      partitions   replication
Delivery            2             1

reload 2   2026-01-02T03:04:05Z   in 1.1 s   group-1: members 1 → 2   by SIGHUP
reload 3   2026-01-02T03:04:05Z   refused   error: unknown setting (and 1 more line)   by SIGHUP
";
        let text = text(&sample(), Duration::from_millis(7_205_900));
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(text, expected);
    }

    /// Of a member that works, the partitions that are paused are named.
    #[test]
    fn paused_partitions_are_named() {
        let mut status = sample();
        let members = &mut status.groups.get_mut("group-1").unwrap().members;
        members[0].partitions[1].paused = true;
        let text = text(&status, Duration::ZERO);
        assert!(text.contains("Delivery 0,1   paused: Delivery 1"), "{text}");
    }

    /// A lag that is not known is told as such, not as none.
    #[test]
    fn unknown_lag_is_no_zero() {
        let mut status = sample();
        let members = &mut status.groups.get_mut("group-1").unwrap().members;
        members[0].partitions[0].lag = None;
        let text = text(&status, Duration::ZERO);
        assert!(text.contains("0     ?   Delivery 0,1"), "{text}");
    }
}
