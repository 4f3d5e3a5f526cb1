//! What a member counts while it works, and when it tells.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Group;
use crate::delivery::Verdict;
use crate::kafka::Emitter;

use super::Setup;
use super::lag;
use super::lane::Mode;
use super::lines::Lines;
use super::report::{Calls, MemberReport, PartitionReport, State};
use super::send::KnownTopics;
use super::turn::Member;

/// Reports are at least so far apart.
const INTERVAL: Duration = Duration::from_millis(100);

/// With more calls than this between two reports, only every 16th is timed.
const TIME_ALL_UP_TO: u64 = 256;

/// The verdicts that are counted, in the order of `Tally::ended`.
const COUNTED: [Verdict; 3] = [Verdict::Handled, Verdict::DeadLettered, Verdict::Skipped];

/// Counts since the member started, kept without a lock and handed over in batches.
#[derive(Debug)]
pub(super) struct Tally {
    /// By topic: messages since the last report, for each of `COUNTED`.
    fresh: Vec<(Arc<str>, [u64; 3])>,
    totals: [u64; 3],
    /// Since the last report, all of one version of the handler.
    pub(super) by_version: Calls,
    /// With `exactly_once`: what the transaction under way holds, by topic.
    uncommitted: Option<Vec<(Arc<str>, [u64; 3])>>,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) commits_refused: u64,
    /// The group stands still.
    pub(super) halted: bool,
    /// Finished messages that the group's share has not seen yet.
    unshared: u64,
    calls: u64,
    /// Something changed since the last report.
    changed: bool,
    last: Instant,
    pub(super) lines: Lines,
    topics: KnownTopics,
}

impl Tally {
    /// `in_transactions`: what ends counts when its transaction is committed.
    pub(super) fn new(now: Instant, in_transactions: bool) -> Self {
        Self {
            fresh: Vec::new(),
            totals: [0; 3],
            by_version: Calls::default(),
            uncommitted: in_transactions.then(Vec::new),
            failed: 0,
            retried: 0,
            commits_refused: 0,
            halted: false,
            unshared: 0,
            calls: 0,
            changed: true,
            last: now,
            lines: Lines::new(now),
            topics: KnownTopics::default(),
        }
    }

    /// Counts a message that ended.
    pub(super) fn ended(&mut self, topic: &Arc<str>, verdict: Verdict) {
        let Some(kind) = COUNTED.iter().position(|counted| *counted == verdict) else {
            return;
        };
        self.changed = true;
        // A dead letter was counted when it was decided on.
        self.unshared += u64::from(verdict != Verdict::DeadLettered);
        match &mut self.uncommitted {
            None => {
                self.totals[kind] += 1;
                add(&mut self.fresh, topic, kind, 1);
            }
            Some(uncommitted) => add(uncommitted, topic, kind, 1),
        }
    }

    /// The transaction is committed: what it held counts.
    pub(super) fn committed(&mut self) {
        self.changed = true;
        for (topic, counts) in self.uncommitted.iter_mut().flatten() {
            for (kind, count) in counts.iter_mut().enumerate() {
                self.totals[kind] += *count;
                add(&mut self.fresh, topic, kind, std::mem::take(count));
            }
        }
    }

    /// The transaction is aborted: what it held will be counted when it comes again.
    pub(super) fn aborted(&mut self) {
        self.changed = true;
        for (_, counts) in self.uncommitted.iter_mut().flatten() {
            *counts = [0; 3];
        }
    }

    /// The clock before a call that is timed. Two clock readings cost as much as a small handler, so
    /// that a busy member times only a sample.
    pub(super) fn clock_for_call(&mut self) -> Option<Instant> {
        self.calls += 1;
        (self.calls <= TIME_ALL_UP_TO || self.calls.is_multiple_of(16)).then(Instant::now)
    }

    /// Why a handler of this group may not emit to a topic, if so.
    pub(super) fn refuses_topic(
        &mut self,
        topic: &Arc<str>,
        group: &Group,
        setup: &Setup,
    ) -> Option<String> {
        if self.topics.contains(topic) {
            return None;
        }
        let reads = group.topics.iter().any(|read| **read == **topic);
        let known = setup.shared.topics.load().contains(&**topic);
        let refusal = refusal(topic, reads, known, &setup.group_id);
        if refusal.is_none() {
            self.topics.add(topic);
        }
        refusal
    }

    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// When the next report is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changed.then(|| self.last + INTERVAL)
    }
}

/// Why nothing may be emitted to a topic that the group itself `reads`, or that nobody has `known`.
pub(super) fn refusal(topic: &str, reads: bool, known: bool, group: &str) -> Option<String> {
    if reads {
        return Some(format!(
            "emit to {topic}: group {group} reads that topic itself, so its messages would go round for ever"
        ));
    }
    (!known).then(|| {
        format!(
            "emit to {topic}: neither the config nor the broker knows such a topic; \
             add [topics.\"{topic}\"] to the config or create it"
        )
    })
}

/// Adds to a topic's counts of one kind.
fn add(counts: &mut Vec<(Arc<str>, [u64; 3])>, topic: &Arc<str>, kind: usize, n: u64) {
    match counts.iter_mut().find(|(known, _)| known == topic) {
        Some((_, counts)) => counts[kind] += n,
        None => {
            let mut new = [0; 3];
            new[kind] = n;
            counts.push((topic.clone(), new));
        }
    }
}

impl Member {
    /// Tells how the member is, if something changed and enough time has passed.
    pub(super) fn publish(&mut self) {
        if self.tally.due().is_some_and(|due| due <= self.now)
            || self.now.saturating_duration_since(self.tally.last) > Duration::from_secs(1)
        {
            self.publish_now();
        }
    }

    /// Tells the last numbers before the member ends.
    pub(super) fn publish_last(&mut self) {
        self.publish_now();
        let mut report = self.report();
        report.state = State::Stopped;
        report.partitions.clear();
        self.setup.observer.publish(report);
    }

    pub(super) fn publish_now(&mut self) {
        self.flush_share();
        self.tell_calls();
        self.tell_statistics();
        self.note_caught_up();
        self.tally.last = self.now;
        self.tally.changed = false;
        self.tally.calls = 0;
        self.tally.halted = self.setup.shared.halted().is_some();
        for (topic, counts) in &mut self.tally.fresh {
            for (verdict, count) in COUNTED.iter().zip(counts.iter_mut()) {
                if *count > 0 {
                    let n = std::mem::take(count);
                    self.setup.observer.finished(topic, *verdict, n);
                }
            }
        }
        let report = self.report();
        self.setup.observer.publish(report);
    }

    /// Tells the calls of the version that is in use; before another one takes its place, too.
    pub(super) fn tell_calls(&mut self) {
        let calls = std::mem::take(&mut self.tally.by_version);
        let version = self.handler.program().version();
        self.setup.observer.called(version, calls);
    }

    /// Passes on what the clients tell of themselves.
    fn tell_statistics(&mut self) {
        let observer = &mut self.setup.observer;
        if let Some(statistics) = self.consumer.statistics() {
            observer.consumer_statistics(statistics);
        }
        if let Some(statistics) = self.emitter.as_ref().and_then(Emitter::statistics) {
            observer.producer_statistics(statistics);
        }
    }

    /// Lets the group's share of dead letters know what else this member finished.
    pub(super) fn flush_share(&mut self) {
        let finished = std::mem::take(&mut self.tally.unshared);
        if finished > 0 {
            self.setup.shared.share.add(self.now, finished, 0);
        }
    }

    fn report(&self) -> MemberReport {
        let oldest = self
            .flights
            .iter()
            .map(|(_, flight)| self.now.saturating_duration_since(flight.since))
            .max();
        MemberReport {
            state: self.state(),
            handled: self.tally.totals[0],
            failed: self.tally.failed,
            retried: self.tally.retried,
            commits_refused: self.tally.commits_refused,
            dead_lettered: self.tally.totals[1],
            skipped: self.tally.totals[2],
            in_flight: self.under_way,
            waiting: self.retries.len(),
            buffered: self.under_way_bytes
                + self
                    .lanes
                    .iter()
                    .map(|(_, lane)| lane.held_bytes)
                    .sum::<usize>(),
            oldest_in_flight: oldest,
            handler_version: self.handler.program().version().into(),
            kept_out: self.kept_out.clone(),
            partitions: self.partition_reports(),
        }
    }

    fn state(&self) -> State {
        let lanes = || self.lanes.iter().map(|(_, lane)| lane);
        if self.stop.is_some() {
            State::Draining
        } else if (self.tally.halted && !self.lanes.is_empty())
            || self.kept_out.is_some()
            || lanes().any(|lane| lane.standstill().is_some())
        {
            State::Stuck
        } else if !self.pending.has_joined() {
            State::Joining
        } else if self.lanes.is_empty() {
            State::Idle
        } else if lanes().all(|lane| lane.user_paused) {
            State::Paused
        } else {
            State::Running
        }
    }

    pub(super) fn partition_reports(&self) -> Vec<PartitionReport> {
        let halted = self.setup.shared.halted();
        let held = self.lanes.iter().map(|(_, lane)| lane);
        let mut reports: Vec<PartitionReport> = held
            .filter(|lane| !matches!(lane.mode, Mode::Leaving { .. }))
            .map(|lane| {
                let lag = lag::lag(lane, &self.consumer);
                PartitionReport {
                    partition: lane.partition.clone(),
                    // What is held back has been fetched and not begun.
                    position: lane.held.front().map_or(lane.position, |held| held.offset),
                    committed: lane.committed,
                    end: lag::end(lane, &self.consumer),
                    lag: lag.map(|lag| lag.messages),
                    oldest: lag.and_then(|lag| lag.oldest),
                    unfinished: lane.tracker.unfinished(),
                    waiting: self.retries.of_lane(lane.id),
                    paused: lane.user_paused,
                    stuck: lane
                        .standstill()
                        .map(str::to_owned)
                        .or_else(|| halted.clone()),
                }
            })
            .collect();
        reports.sort_by(|a, b| a.partition.cmp(&b.partition));
        reports
    }
}
