//! What the daemon hears of members, handlers and the cluster, and what it tells of it.
//!
//! The voice needs nothing that a reload changes, so it goes on during one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::diagnostic::shown_path;
use crate::handlers;
use crate::kafka::{KafkaError, Outage};
use crate::member;
use crate::observe::status::BrokerState;
use crate::observe::{Board, terminal};
use crate::topology::{News, Running, Shown};

use super::cluster::Topics;

/// Tells what happens, each trouble once and then at growing distances.
pub(super) struct Voice {
    board: Board,
    shown: Arc<Shown>,
    /// Whether no broker answers.
    away: Arc<AtomicBool>,
    outage: Outage,
    /// When each kind of trouble was last told.
    told: BTreeMap<String, Instant>,
}

impl Voice {
    pub(super) fn new(running: &Running) -> Self {
        let ground = running.ground();
        Self {
            board: ground.board.clone(),
            shown: running.shown(),
            away: ground.away.clone(),
            outage: Outage::new(),
            told: BTreeMap::new(),
        }
    }

    /// Tells it. Returns what the cluster has, where that is the news: what runs has to see it too.
    pub(super) fn hear(&mut self, news: News) -> Option<Topics> {
        match news {
            News::Member {
                group,
                member,
                event,
            } => self.hear_member(&group, &member, event),
            News::Handler(event) => self.hear_handler(event),
            News::Cluster(Ok(topics)) => {
                self.hear_of_brokers();
                return Some(topics);
            }
            News::Cluster(Err(error)) => self.hear_trouble(error),
            // While a reload changes what runs, the next one is soon enough.
            News::Ends(_) => {}
        }
        None
    }

    fn hear_of_brokers(&mut self) {
        if let Some(line) = self.outage.over(Instant::now()) {
            tracing::info!("{line}");
        }
        self.away.store(false, Ordering::Relaxed);
        self.board.set_broker_state(BrokerState::Up, None);
    }

    fn hear_member(&mut self, group: &str, member: &str, event: member::Event) {
        match event {
            member::Event::Assigned { all, took } => {
                tracing::debug!(group, member, partitions = all.len(), ?took, "assigned");
            }
            member::Event::Revoked { all } => {
                tracing::debug!(group, member, partitions = all.len(), "gave partitions up");
            }
            // A right is given elsewhere, and nothing tells of it.
            member::Event::Stuck { partition, reason } if reason.contains("not authorised") => {
                tracing::error!(
                    "{member} can't go on with {partition}: {reason}. When it may, \
                     `deliveryd resume {group} {}:{}` goes on",
                    partition.topic,
                    partition.number
                );
            }
            member::Event::Stuck { partition, reason } => tracing::error!(
                "{member} can't go on with {partition}: {reason}. \
                 Mend the handler (a changed file is taken up at once) or reload"
            ),
            member::Event::Trouble(error) => self.hear_trouble(error),
            member::Event::Rebuilt(error) => {
                tracing::warn!("{member} makes a new client: {error}");
            }
            member::Event::Left => tracing::debug!(group, member, "left the group"),
        }
    }

    /// Errors of clients come from each of them; one voice tells.
    fn hear_trouble(&mut self, error: KafkaError) {
        let now = Instant::now();
        if error.is_outage() {
            if let Some((line, hint)) = self.outage.error(&error, now) {
                tracing::warn!(hint, "{line}");
            }
            self.away.store(true, Ordering::Relaxed);
            self.board
                .set_broker_state(BrokerState::Down, Some(error.message));
            return;
        }
        let last = self.told.get(&error.message);
        if last.is_none_or(|last| now.duration_since(*last) > Duration::from_secs(60)) {
            tracing::warn!(hint = error.way_out(), "{error}");
            self.told
                .retain(|_, told| now.duration_since(*told) <= Duration::from_secs(60));
            self.told.insert(error.message, now);
        }
    }

    fn hear_handler(&mut self, event: handlers::Event) {
        match event {
            handlers::Event::Handler(change) => {
                let file = shown_path(&change.file);
                match change.outcome {
                    handlers::Outcome::Changed { to, .. } => {
                        terminal::tell(&format!(
                            "{file} changed: version {to} runs from the next message on"
                        ));
                        for warning in self.shown.handler_warnings(&change.slots) {
                            tracing::warn!(frame = warning.frame(), "{warning}");
                        }
                    }
                    handlers::Outcome::Refused(mistakes) => {
                        let frames: Vec<String> = mistakes.iter().map(|m| m.render()).collect();
                        tracing::error!(
                            frame = frames.join("\n"),
                            "{file} is refused; version {} still runs",
                            change.from
                        );
                    }
                    handlers::Outcome::Mended => {
                        terminal::tell(&format!(
                            "{file} is again what runs: version {}",
                            change.from
                        ));
                    }
                }
                self.shown.show_handlers();
            }
            handlers::Event::Polling { reason } => {
                tracing::warn!(
                    "handler files are looked at every second instead of watched: {reason}"
                );
            }
            handlers::Event::Died { reason } => {
                tracing::error!(
                    "handler files are no longer watched: {reason}. Restart to mend this"
                );
            }
        }
    }
}
