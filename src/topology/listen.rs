//! Where a member's reports go: the board, the metrics, and news for the daemon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc::UnboundedSender, watch};

use crate::config::Group;
use crate::delivery::Verdict;
use crate::kafka::{self, Statistics};
use crate::member::{Calls, Event, MemberReport, Observer, PartitionReport, State};
use crate::observe::metrics::{ClientMetrics, Connection, ConnectionState, MemberMetrics, Outcome};
use crate::observe::status::{MemberState, MemberStatus, PartitionStatus, Totals};
use crate::observe::{MemberBoard, now};

use super::News;

/// What a member tells ends up here, on the member's thread.
pub(super) struct Listener {
    pub(super) group: Arc<str>,
    pub(super) board: MemberBoard,
    pub(super) metrics: MemberMetrics,
    /// The member's clients.
    pub(super) consumer: ClientMetrics,
    pub(super) producer: ClientMetrics,
    /// Failed calls, retried ones and refused commits that the metrics know of.
    pub(super) counted: (u64, u64, u64),
    /// Whether no broker answers.
    pub(super) away: Arc<AtomicBool>,
    pub(super) news: UnboundedSender<News>,
    /// True once the group has given the member an assignment.
    pub(super) joined: watch::Sender<bool>,
}

impl Observer for Listener {
    fn beat(&mut self, now: Instant) {
        self.board.beat(now);
    }

    fn changed(&mut self, group: &Group) {
        self.board.expect(group.handler_timeout);
    }

    fn finished(&mut self, topic: &Arc<str>, verdict: Verdict, n: u64) {
        let outcome = match verdict {
            Verdict::Handled => Outcome::Done,
            Verdict::DeadLettered => Outcome::DeadLettered,
            Verdict::Skipped => Outcome::Skipped,
            Verdict::Abandoned => return,
        };
        self.metrics.handled(topic, outcome).inc_by(n);
    }

    fn handler_seconds(&mut self, seconds: f64) {
        self.metrics.handler_seconds.observe(seconds);
    }

    fn called(&mut self, version: &str, calls: Calls) {
        let counters = self.metrics.of_version(version);
        counters.done.inc_by(calls.done);
        counters.failed.inc_by(calls.failed);
        counters.rejected.inc_by(calls.rejected);
    }

    fn consumer_statistics(&mut self, statistics: Statistics) {
        let (messages, bytes) = (statistics.prefetched_messages, statistics.prefetched_bytes);
        self.consumer.prefetched(messages, bytes);
        self.consumer.connected(connections(statistics));
    }

    fn producer_statistics(&mut self, statistics: Statistics) {
        self.producer.connected(connections(statistics));
    }

    fn count(&mut self, name: &Arc<str>, n: u64) {
        self.metrics.user.count(name, n);
    }

    fn observe(&mut self, name: &Arc<str>, value: f64) {
        self.metrics.user.observe(name, value);
    }

    fn publish(&mut self, report: MemberReport) {
        self.metrics
            .failed
            .inc_by(report.failed.saturating_sub(self.counted.0));
        self.metrics
            .retried
            .inc_by(report.retried.saturating_sub(self.counted.1));
        self.metrics
            .commits_refused
            .inc_by(report.commits_refused.saturating_sub(self.counted.2));
        self.counted = (report.failed, report.retried, report.commits_refused);
        self.metrics.flush();
        let away = self.away.load(Ordering::Relaxed);
        self.board.publish(status(report, away));
    }

    fn event(&mut self, event: Event) {
        if matches!(event, Event::Assigned { .. }) {
            self.joined.send_replace(true);
        }
        let news = News::Member {
            group: self.group.clone(),
            member: self.board.name().to_owned(),
            event,
        };
        if self.news.send(news).is_err() {
            tracing::debug!("the daemon no longer listens");
        }
    }
}

/// What a client tells of its connections, as the metrics show it.
pub(super) fn connections(statistics: Statistics) -> Vec<Connection> {
    let connection = |seen: kafka::BrokerSeen| Connection {
        state: match seen.connection {
            kafka::Connection::None => ConnectionState::Unused,
            kafka::Connection::Connecting => ConnectionState::Connecting,
            kafka::Connection::Up => ConnectionState::Up,
            kafka::Connection::Down => ConnectionState::Down,
        },
        broker: seen.address,
        answers: seen.answers,
        seconds: seen.seconds,
        longest: seen.longest,
    };
    statistics.brokers.into_iter().map(connection).collect()
}

fn status(report: MemberReport, away: bool) -> MemberStatus {
    let state = match report.state {
        State::Starting | State::Joining | State::Running | State::Idle if away => {
            MemberState::WaitingForBroker
        }
        State::Starting => MemberState::Starting,
        State::Joining => MemberState::Joining,
        State::Running => MemberState::Running,
        State::Idle => MemberState::Idle,
        State::Paused => MemberState::Paused,
        State::Stuck => MemberState::Stuck,
        State::Draining => MemberState::Draining,
        State::Stopped => MemberState::Stopped,
    };
    MemberStatus {
        state,
        reason: (report.kept_out.clone())
            .or_else(|| report.partitions.iter().find_map(|p| p.stuck.clone())),
        totals: Totals {
            handled: report.handled,
            failed: report.failed,
            retried: report.retried,
            dead_lettered: report.dead_lettered,
            skipped: report.skipped,
        },
        in_flight: report.in_flight as u64,
        waiting: report.waiting as u64,
        oldest_in_flight_seconds: report.oldest_in_flight.unwrap_or_default().as_secs_f64(),
        buffered_bytes: report.buffered as u64,
        handler_version: report.handler_version.to_string(),
        partitions: report.partitions.iter().map(partition).collect(),
        ..MemberStatus::default()
    }
}

fn partition(report: &PartitionReport) -> PartitionStatus {
    let age = |written: i64| (now().as_millisecond() - written).max(0) as f64 / 1000.0;
    let lag_seconds = match report.lag {
        Some(0) => Some(0.0),
        Some(_) => report.oldest.map(age),
        None => None,
    };
    PartitionStatus {
        topic: report.partition.topic.to_string(),
        partition: report.partition.number,
        position: report.position,
        committed: report.committed,
        lag: report.lag,
        lag_seconds,
        waiting: report.waiting as u64,
        paused: report.paused,
        stuck: report.stuck.clone(),
    }
}
