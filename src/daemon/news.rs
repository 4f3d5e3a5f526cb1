//! What the daemon hears of members, handlers and the cluster, and what it tells of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::diagnostic::shown_path;
use crate::handlers;
use crate::kafka::{KafkaError, TopicState};
use crate::member;
use crate::observe::status::{BrokerState, BrokerStatus, TopicStatus};
use crate::observe::terminal;
use crate::topology::News;

use super::Daemon;

impl Daemon {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Member {
                group,
                member,
                event,
            } => self.hear_member(&group, &member, event),
            News::Handler(event) => self.hear_handler(event),
            News::Cluster(Ok(topics)) => self.see_cluster(topics),
            News::Cluster(Err(error)) => self.hear_trouble(error),
        }
    }

    fn hear_member(&mut self, group: &str, member: &str, event: member::Event) {
        match event {
            member::Event::Assigned { all, took } => {
                tracing::debug!(group, member, partitions = all.len(), ?took, "assigned");
            }
            member::Event::Revoked { all } => {
                tracing::debug!(group, member, partitions = all.len(), "gave partitions up");
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
            self.running.ground().away.store(true, Ordering::Relaxed);
            self.show_brokers(BrokerState::Down, Some(error.message));
            return;
        }
        let last = self.told.get(&error.message);
        if last.is_none_or(|last| now.duration_since(*last) > Duration::from_secs(60)) {
            tracing::warn!("{error}");
            self.told
                .retain(|_, told| now.duration_since(*told) <= Duration::from_secs(60));
            self.told.insert(error.message, now);
        }
    }

    fn see_cluster(&mut self, topics: BTreeMap<String, TopicState>) {
        if let Some(line) = self.outage.over(Instant::now()) {
            tracing::info!("{line}");
        }
        self.running.ground().away.store(false, Ordering::Relaxed);
        self.show_brokers(BrokerState::Up, None);
        for (topic, from, to) in self.counts.changed(&topics) {
            tracing::info!("topic {topic} has {to} partitions now, {from} before");
            self.running.refresh_readers_of(&topic);
        }
        let config = self.running.config();
        let shown = topics
            .iter()
            .filter_map(|(name, state)| {
                let wanted = config.topics.get(name)?;
                let mismatch = mismatch(wanted, state);
                let status = TopicStatus {
                    partitions: state.partitions,
                    replication: state.replication,
                    mismatch,
                };
                Some((name.clone(), status))
            })
            .collect();
        self.board.set_topics(shown);
        self.running.know_topics(topics.into_keys());
    }

    fn show_brokers(&self, state: BrokerState, reason: Option<String>) {
        let cluster = &self.running.ground().cluster;
        self.board.set_brokers(BrokerStatus {
            state,
            reason,
            servers: cluster.servers.clone(),
            embedded: cluster.embedded,
        });
    }

    fn hear_handler(&mut self, event: handlers::Event) {
        match event {
            handlers::Event::Handler(change) => {
                let file = shown_path(&change.file);
                match change.outcome {
                    handlers::Outcome::Changed { to, .. } => {
                        self.running.wake_members();
                        terminal::tell(&format!(
                            "{file} changed: version {to} runs from the next message on"
                        ));
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
                self.running.show_handlers();
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

fn mismatch(wanted: &crate::config::Topic, found: &TopicState) -> Option<String> {
    if found.partitions > wanted.partitions {
        Some(format!(
            "it has {} partitions, {} are configured; partitions are never removed",
            found.partitions, wanted.partitions
        ))
    } else if found.replication != wanted.replication {
        Some(format!(
            "its replication is {}, {} is configured",
            found.replication, wanted.replication
        ))
    } else {
        None
    }
}
