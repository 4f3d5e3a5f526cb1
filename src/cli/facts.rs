//! The facts of a status in the words that `deliveryd status` and `deliveryd top` have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::observe::history::Sample;
use crate::observe::status::{
    Assignment, BrokerState, BrokerStatus, GroupStatus, HandlerStatus, MemberState, MemberStatus,
    ProducerStatus, Rate, Status,
};
use crate::observe::terminal::{duration, holders, partitions};

/// A state as JSON has it, with spaces.
pub fn word(state: &impl serde::Serialize) -> String {
    let written = serde_json::to_value(state).unwrap_or_default();
    written.as_str().unwrap_or("unknown").replace('_', " ")
}

/// Which cluster, and whether it answers.
pub fn brokers(brokers: &BrokerStatus) -> String {
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

/// `for 2h 5s`, in whole seconds.
pub fn age(age: Duration) -> String {
    humantime::format_duration(Duration::from_secs(age.as_secs())).to_string()
}

/// How long something took.
pub fn took(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// How far behind: `250 ms`, `12 s`, `3.5 h`; `?` while it is not known.
pub fn behind(seconds: Option<f64>) -> String {
    match seconds {
        None => "?".to_owned(),
        Some(seconds) if seconds >= 48.0 * 3600.0 => format!("{:.1} days", seconds / 86_400.0),
        Some(seconds) if seconds >= 3600.0 => format!("{:.1} h", seconds / 3600.0),
        Some(seconds) => took(seconds),
    }
}

/// A lag in messages; `?` while it is not known.
pub fn lag(lag: Option<i64>) -> String {
    lag.map_or("?".to_owned(), |lag| lag.to_string())
}

/// A member's lag in messages and in time; nothing where it holds nothing.
pub fn member_lag(member: &MemberStatus) -> (String, String) {
    if member.partitions.is_empty() {
        return (String::new(), String::new());
    }
    let lags: Option<i64> = member.partitions.iter().map(|held| held.lag).sum();
    let mut ages = member.partitions.iter().map(|held| held.lag_seconds);
    let age = ages.try_fold(0.0_f64, |most, age| Some(most.max(age?)));
    (lag(lags), behind(age))
}

/// Messages per second: `0.5`, `12.0`, `2500`.
pub fn rate(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate => format!("{rate:.1}"),
    }
}

/// What a producer is asked for.
pub fn wanted_rate(rate: Rate) -> String {
    match rate {
        Rate::Unlimited => "unlimited".to_owned(),
        Rate::PerSecond(rate) => format!("{rate}/s"),
    }
}

/// How fast a counter went over the last `window` seconds of the samples; `None` while there are
/// not two.
pub fn rate_over(
    samples: &[Sample],
    window: f64,
    counter: impl Fn(&Sample) -> Option<u64>,
) -> Option<f64> {
    let end = samples.last()?;
    let mut first = samples.iter().filter(|sample| sample.at >= end.at - window);
    let (at, before) = first.find_map(|sample| Some((sample.at, counter(sample)?)))?;
    let span = end.at - at;
    // A counter that is smaller than before began anew.
    let more = counter(end)?.saturating_sub(before);
    (span > 0.0).then(|| more as f64 / span)
}

/// `print.rhai, version 0123456789ab`, and the versions that some members still run.
pub fn handler(group: &GroupStatus, file: &str) -> String {
    let HandlerStatus { version, .. } = &group.handler;
    let members = group.members.iter();
    let others: BTreeSet<&str> = members
        .map(|member| member.handler_version.as_str())
        .filter(|other| !other.is_empty() && other != version)
        .collect();
    let more = match others.is_empty() {
        true => String::new(),
        false => {
            let others: Vec<&str> = others.into_iter().collect();
            format!(" ({} until the next message)", others.join(", "))
        }
    };
    format!("{file}, version {version}{more}")
}

/// Partition numbers by topic.
pub fn held(member: &MemberStatus) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for partition in &member.partitions {
        let numbers = topics.entry(partition.topic.clone()).or_default();
        numbers.push(partition.partition);
    }
    topics
}

/// Partitions of the group's topics that no member of this process holds, by topic: they are on their
/// way, or with another process.
pub fn elsewhere(status: &Status, group: &GroupStatus) -> BTreeMap<String, Vec<i32>> {
    let members = group.members.iter().flat_map(|member| &member.partitions);
    let here: BTreeSet<(&str, i32)> = members
        .map(|partition| (partition.topic.as_str(), partition.partition))
        .collect();
    let mut topics = BTreeMap::new();
    for topic in &group.topics {
        let count = status.topics.get(topic).map_or(0, |topic| topic.partitions);
        let numbers: Vec<i32> = (0..count)
            .filter(|number| !here.contains(&(topic.as_str(), *number)))
            .collect();
        if !numbers.is_empty() {
            topics.insert(topic.clone(), numbers);
        }
    }
    topics
}

/// Who holds what, in pieces; of many members the first ones.
pub fn shares(assignment: &Assignment) -> Vec<String> {
    const MOST: usize = 20;
    let told = holders(assignment);
    let (idle, mut busy): (Vec<&str>, Vec<&str>) = told
        .split("   ")
        .filter(|part| !part.is_empty())
        .partition(|part| part.starts_with("idle: "));
    let more = busy.len().saturating_sub(MOST);
    busy.truncate(MOST);
    let more = (more > 0).then(|| format!("and {more} more"));
    let busy = busy.into_iter().map(str::to_owned);
    busy.chain(more)
        .chain(idle.into_iter().map(str::to_owned))
        .collect()
}

/// How many members have no partition.
pub fn idle(group: &GroupStatus) -> usize {
    let idle = |member: &&MemberStatus| member.state == MemberState::Idle;
    group.members.iter().filter(idle).count()
}

/// `1 member`, `2 members`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// One line each: what does not go by itself, or not as configured.
pub fn troubles(status: &Status) -> Vec<String> {
    let mut found: Vec<String> = status.brokers.reason.iter().cloned().collect();
    found.extend(status.on_disk.iter().cloned());
    for (name, topic) in &status.topics {
        let mismatch = topic.mismatch.iter();
        found.extend(mismatch.map(|how| format!("topic {name}: {how}")));
    }
    for (name, group) in &status.groups {
        found.extend(refused(name, &group.handler));
        for member in &group.members {
            found.extend(standing(member));
        }
    }
    for (name, producer) in &status.producers {
        found.extend(refused(&format!("producer {name}"), &producer.handler));
        found.extend(waiting(name, producer));
    }
    found
}

fn refused(name: &str, handler: &HandlerStatus) -> Option<String> {
    handler.error.as_ref().map(|_| {
        format!(
            "{name}: the changed handler is refused; version {} goes on",
            handler.version
        )
    })
}

/// What a member can't go on with; of several partitions with one reason, one line.
fn standing(member: &MemberStatus) -> Vec<String> {
    let mut reasons: BTreeMap<&str, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
    for partition in &member.partitions {
        if let Some(reason) = &partition.stuck {
            let topics = reasons.entry(reason).or_default();
            let numbers = topics.entry(partition.topic.clone()).or_default();
            numbers.push(partition.partition);
        }
    }
    let name = &member.name;
    let lines = reasons.into_iter().map(|(reason, topics)| {
        let partitions = partitions(&topics, true);
        format!("{name} can't go on with {partitions}: {reason}")
    });
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() && matches!(member.state, MemberState::Stuck | MemberState::Stopped) {
        let reason = member.reason.iter();
        lines.extend(reason.map(|reason| format!("{name} is {}: {reason}", word(&member.state))));
    }
    lines
}

fn waiting(name: &str, producer: &ProducerStatus) -> Option<String> {
    let reason = producer.reason.as_ref()?;
    Some(format!(
        "producer {name} is {}: {reason}",
        word(&producer.state)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Board;
    use crate::observe::history::ProducerSample;
    use crate::observe::status::PartitionStatus;

    fn sample(at: f64, produced: Option<u64>) -> Sample {
        let producers = produced.map(|produced| ("p".to_owned(), ProducerSample { produced }));
        Sample {
            at,
            groups: BTreeMap::new(),
            producers: producers.into_iter().collect(),
        }
    }

    fn over(samples: &[Sample], window: f64) -> Option<f64> {
        rate_over(samples, window, |sample| {
            sample.producers.get("p").map(|it| it.produced)
        })
    }

    /// A rate is that of the window, and none where nothing was counted.
    #[test]
    fn rate_is_that_of_the_window() {
        let samples = [
            sample(0.0, None),
            sample(10.0, Some(0)),
            sample(60.0, Some(500)),
            sample(70.0, Some(540)),
        ];
        assert_eq!(over(&samples, 10.0), Some(4.0));
        assert_eq!(over(&samples, 100.0), Some(9.0));
        assert_eq!(over(&samples[..2], 100.0), None);
        assert_eq!(over(&[], 100.0), None);
    }

    /// Lags are told in the unit that fits, and an unknown one as unknown.
    #[test]
    fn lag_in_seconds_has_the_unit_that_fits() {
        let all = [
            None,
            Some(0.0),
            Some(12.3),
            Some(300.0),
            Some(9000.0),
            Some(1e6),
        ];
        let expected = ["?", "0 ms", "12.3 s", "5 min 0 s", "2.5 h", "11.6 days"];
        assert_eq!(all.map(behind), expected);
    }

    /// Of many members the first are told, and how many more there are; idle ones are named.
    #[test]
    fn shares_of_many_members_are_cut() {
        let member = |n: i32| {
            let held = match n {
                0 => BTreeMap::new(),
                n => [("Delivery".to_owned(), vec![n - 1])].into(),
            };
            (format!("g-{n}"), held)
        };
        let shares = shares(&(0..=25).map(member).collect());
        assert_eq!(shares.len(), 22);
        assert_eq!(
            (shares[0].as_str(), shares[20].as_str()),
            ("0 → g-1", "and 5 more")
        );
        assert!(shares[21].starts_with("idle: g-0"), "{shares:?}");
    }

    /// Partitions that stand still for one reason are one line; a partition that goes on is none.
    #[test]
    fn stuck_partitions_are_troubles() {
        let board = Board::new("host-a");
        let mut status = board.snapshot();
        assert_eq!(troubles(&status), Vec::<String>::new());
        let partition = |number, stuck: Option<&str>| PartitionStatus {
            topic: "Delivery".to_owned(),
            partition: number,
            stuck: stuck.map(str::to_owned),
            ..PartitionStatus::default()
        };
        let member = MemberStatus {
            name: "g-1".to_owned(),
            state: MemberState::Stuck,
            partitions: vec![
                partition(0, Some("no weight")),
                partition(1, None),
                partition(2, Some("no weight")),
            ],
            ..MemberStatus::default()
        };
        let mut group = board.member("g", 1, Duration::ZERO);
        group.publish(member);
        status = board.snapshot();
        assert_eq!(
            troubles(&status),
            ["g-1 can't go on with Delivery/0,2: no weight"]
        );
    }
}
