//! The status as a page of text.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::cli::facts::{
    age as told_age, behind, brokers, elsewhere, handler, held, member_lag, rate, rate_over,
    shares, took, wanted_rate, word,
};
use crate::cli::table::{row, table};
use crate::diagnostic::shown_path;
use crate::observe::history::{GroupSample, Sample};
use crate::observe::lessons::LESSONS;
use crate::observe::status::{
    GroupStatus, HandlerStatus, Lessons, MemberState, MemberStatus, ProducerStatus, Reload, Status,
};
use crate::observe::terminal::partitions;

/// Of the reloads, the last ones are shown; of each group's rebalances too.
const RELOADS: usize = 5;
const REBALANCES: usize = 3;
/// Rates are those of the last minute.
const WINDOW: f64 = 60.0;

/// The status for people; `age` is how long the daemon runs.
pub fn text(status: &Status, samples: &[Sample], age: Duration) -> String {
    let mut lines = head(status, age);
    for (name, group) in &status.groups {
        lines.push(String::new());
        lines.extend(group_lines(name, group, status, samples));
    }
    if !status.producers.is_empty() {
        lines.push(String::new());
        lines.extend(producer_lines(&status.producers, samples));
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
    lines.push(String::new());
    lines.extend(lesson_lines(&status.lessons));
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
    let mut lines = vec![
        format!(
            "{}   {}   generation {}   for {}   deliveryd {}",
            status.instance,
            word(&status.state),
            status.generation,
            told_age(age),
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

fn group_lines(
    name: &str,
    group: &GroupStatus,
    status: &Status,
    samples: &[Sample],
) -> Vec<String> {
    let handled = |sample: &Sample| Some(sample.groups.get(name)?.handled);
    let pace = rate_over(samples, WINDOW, handled);
    let pace = pace.map_or(String::new(), |pace| format!("   {}/s", rate(pace)));
    let paused = if group.paused { "   paused" } else { "" };
    let mut lines = vec![format!(
        "group {name}   reads {}   {}{paused}{pace}   {} behind",
        group.topics.join(", "),
        handler(group, &group.handler.file),
        behind(GroupSample::of(group).lag_seconds),
    )];
    lines.extend(refused(&group.handler));
    lines.extend(member_lines(group));
    let away = elsewhere(status, group);
    if !away.is_empty() {
        let away = partitions(&away, true);
        lines.push(format!(
            "  nobody here holds {away}: on their way, or in another process"
        ));
    }
    lines.extend(rebalance_lines(group));
    lines
}

fn refused(handler: &HandlerStatus) -> impl Iterator<Item = String> {
    let error = handler.error.iter().flat_map(|error| error.lines());
    error.map(|line| format!("  {line}"))
}

fn member_lines(group: &GroupStatus) -> Vec<String> {
    let heads = [
        "  member",
        "state",
        "handled",
        "failed",
        "retried",
        "dead-lettered",
        "in flight",
        "lag",
        "behind",
        "partitions",
    ];
    let mut rows = vec![row(heads)];
    rows.extend(group.members.iter().map(member_row));
    table(&rows, &[2, 3, 4, 5, 6, 7, 8])
}

fn member_row(member: &MemberStatus) -> Vec<String> {
    let (lags, seconds) = member_lag(member);
    row([
        &format!("  {}", member.name),
        &word(&member.state),
        &member.totals.handled.to_string(),
        &member.totals.failed.to_string(),
        &member.totals.retried.to_string(),
        &member.totals.dead_lettered.to_string(),
        &member.in_flight.to_string(),
        &lags,
        &seconds,
        &holding(member),
    ])
}

/// `Delivery 0,1`, and why it does not go on.
fn holding(member: &MemberStatus) -> String {
    let mut parts: Vec<String> = held(member)
        .into_iter()
        .map(|(topic, numbers)| {
            let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
            format!("{topic} {}", numbers.join(","))
        })
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

fn rebalance_lines(group: &GroupStatus) -> Vec<String> {
    let history = &group.rebalance_history;
    let mut lines = vec![format!("  rebalances: {}", group.rebalances)];
    let earlier = history.len().saturating_sub(REBALANCES);
    lines.extend(history.iter().skip(earlier).map(|rebalance| {
        format!(
            "  {}   in {}   {}",
            time(rebalance.at),
            took(rebalance.seconds),
            shares(&rebalance.assignment).join("   ")
        )
    }));
    lines
}

fn producer_lines(producers: &BTreeMap<String, ProducerStatus>, samples: &[Sample]) -> Vec<String> {
    let heads = [
        "producer", "state", "rate", "now", "produced", "failed", "topic", "handler", "",
    ];
    let mut rows = vec![row(heads)];
    rows.extend(producers.iter().map(|(name, producer)| {
        let produced = |sample: &Sample| Some(sample.producers.get(name)?.produced);
        let pace = rate_over(samples, WINDOW, produced);
        row([
            name,
            &word(&producer.state),
            &wanted_rate(producer.rate),
            &pace.map_or(String::new(), |pace| format!("{}/s", rate(pace))),
            &producer.produced.to_string(),
            &producer.failed.to_string(),
            &producer.topic,
            &producer.handler.file,
            producer.reason.as_deref().unwrap_or_default(),
        ])
    }));
    let mut lines = table(&rows, &[2, 3, 4, 5]);
    lines.extend(producers.values().flat_map(|it| refused(&it.handler)));
    lines
}

fn lesson_lines(lessons: &Lessons) -> Vec<String> {
    let told = LESSONS.iter().map(|lesson| match (lesson.seen)(lessons) {
        Some(at) => format!("✓ {}   seen {}", lesson.title, time(at)),
        None => format!("○ {}   To see it: {}", lesson.title, lesson.action),
    });
    ["lessons".to_owned()].into_iter().chain(told).collect()
}

fn reload_line(reload: &Reload) -> String {
    let number = reload.generation;
    let result = match reload.ok {
        true => format!("in {}", took(reload.seconds)),
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
        "reload {number}   {}   {result}   {first}{more}   by {}",
        time(reload.at),
        reload.by
    )
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
