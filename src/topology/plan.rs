//! The difference between what runs and what is wanted, as steps that can be shown, taken and undone.
//!
//! `plan` compares two checked configurations and touches nothing. A [`Step`] carries what it changes
//! before and after, so that whoever applies it needs no other source, and [`Step::inverse`] leads
//! back. What can't change while it runs becomes a [`Refusal`]; a plan with one must not be applied.

#[cfg(test)]
mod every_setting;
mod fields;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
mod show;
mod step;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;

use crate::config::{Brokers, Config, Group, Producer};

pub use fields::Change;
pub use step::{MemberNumbers, Step};
pub use topics::{NeededTopic, needed_topics};

use fields::{GroupChanges, ProducerChanges};

/// What a reload would do, in the order in which it does it.
///
/// Topics come first, since groups and producers need them; then what changes in place; then what
/// is new, groups before producers, so that a group that starts at the end misses nothing; then
/// replacements; and only when all of that stands, what is to go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// If there is any, nothing of the plan may be applied.
    pub refused: Vec<Refusal>,
    /// What a reader should know although nothing is done about it.
    pub notes: Vec<String>,
}

/// A wanted change that can not be made while the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The setting, such as `topics.Delivery.partitions`.
    pub setting: String,
    /// From what to what.
    pub change: String,
    /// Why not, and what to do instead.
    pub instead: String,
}

impl Plan {
    /// Whether there is nothing to do and nothing refused. Notes do not count.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refused.is_empty()
    }

    /// The lines for a reload's result: one for each change, without marks or notes.
    pub fn summary(&self) -> Vec<String> {
        self.steps.iter().flat_map(Step::lines).collect()
    }
}

/// Compares what runs with what is wanted. The files' order, layout and comments play no part.
pub fn plan(running: &Config, wanted: &Config) -> Plan {
    let mut plan = Plan::default();
    refuse_fixed(&mut plan, running, wanted);
    let kafka = fields::kafka(&running.kafka, &wanted.kafka);
    let new_clients = !kafka.is_empty();
    if new_clients {
        plan.steps.push(Step::ChangeKafka {
            was: running.kafka.clone(),
            now: wanted.kafka.clone(),
            changes: kafka,
        });
    }
    topics::compare(&mut plan, running, wanted);
    in_place(&mut plan, running, wanted, new_clients);
    additions(&mut plan, running, wanted, new_clients);
    replacements(&mut plan, running, wanted, new_clients);
    removals(&mut plan, running, wanted);
    plan
}

fn refuse_fixed(plan: &mut Plan, running: &Config, wanted: &Config) {
    let (was, now) = (&running.daemon, &wanted.daemon);
    let mut refuse = |setting: &str, was: String, now: String, instead: &str| {
        if was != now {
            plan.refused.push(Refusal {
                setting: setting.to_owned(),
                change: format!("{was} → {now}"),
                instead: instead.to_owned(),
            });
        }
    };
    refuse(
        "daemon.instance",
        show::text(&was.instance),
        show::text(&now.instance),
        "it names every client of this daemon; restart deliveryd to change it",
    );
    refuse(
        "daemon.control",
        show::path(&was.control),
        show::path(&now.control),
        "the socket is open; restart deliveryd to move it",
    );
    refuse(
        "daemon.http",
        show::address(was.http),
        show::address(now.http),
        "the port is bound once; restart deliveryd to change it",
    );
    let embedded = |brokers: &Brokers| matches!(brokers, Brokers::Embedded);
    if embedded(&running.kafka.brokers) != embedded(&wanted.kafka.brokers) {
        refuse(
            "kafka.brokers",
            show::brokers(&running.kafka.brokers),
            show::brokers(&wanted.kafka.brokers),
            "the embedded broker and its messages live and end with this process; \
             restart deliveryd to change brokers",
        );
    }
}

fn in_place(plan: &mut Plan, running: &Config, wanted: &Config, new_clients: bool) {
    let changes = fields::log(&running.log, &wanted.log);
    if !changes.is_empty() {
        plan.steps.push(Step::ChangeLog {
            was: running.log.clone(),
            now: wanted.log.clone(),
            changes,
        });
    }
    let changes = fields::daemon(&running.daemon, &wanted.daemon);
    if !changes.is_empty() {
        plan.steps.push(Step::ChangeDaemon {
            was: running.daemon.clone(),
            now: wanted.daemon.clone(),
            changes,
        });
    }
    for pair in Pair::groups(running, wanted, new_clients).filter(|pair| !pair.replaced) {
        if !pair.changes.in_place.is_empty() {
            plan.steps.push(Step::ChangeGroup {
                group: pair.name.to_owned(),
                was: Arc::new(pair.was.clone()),
                now: Arc::new(pair.now_with(pair.was.members)),
                changes: pair.changes.in_place,
            });
        }
    }
    for pair in producers(running, wanted, new_clients).filter(|pair| !pair.replaced) {
        if !pair.changes.in_place.is_empty() {
            plan.steps.push(Step::ChangeProducer {
                producer: pair.name.to_owned(),
                was: Arc::new(pair.was.clone()),
                now: Arc::new(pair.now.clone()),
                changes: pair.changes.in_place,
            });
        }
    }
}

fn additions(plan: &mut Plan, running: &Config, wanted: &Config, new_clients: bool) {
    for (name, now) in &wanted.groups {
        if !running.groups.contains_key(name) {
            plan.steps.push(Step::AddGroup {
                group: name.clone(),
                now: Arc::new(now.clone()),
            });
        }
    }
    for pair in Pair::groups(running, wanted, new_clients).filter(|pair| !pair.replaced) {
        plan.steps.extend(pair.starts());
    }
    for (name, now) in &wanted.producers {
        if !running.producers.contains_key(name) {
            plan.steps.push(Step::AddProducer {
                producer: name.clone(),
                now: Arc::new(now.clone()),
            });
        }
    }
}

fn replacements(plan: &mut Plan, running: &Config, wanted: &Config, new_clients: bool) {
    for pair in Pair::groups(running, wanted, new_clients).filter(|pair| pair.replaced) {
        // Members that are about to leave are not replaced first.
        let staying = pair.was.members.min(pair.now.members);
        let mut changes = pair.changes.replacing.clone();
        changes.extend(pair.changes.in_place.iter().cloned());
        plan.steps.push(Step::ReplaceMembers {
            group: pair.name.to_owned(),
            numbers: (1..=staying).collect(),
            was: Arc::new(pair.was.clone()),
            now: Arc::new(pair.now_with(pair.was.members)),
            changes,
        });
        plan.steps.extend(pair.starts());
    }
    for pair in producers(running, wanted, new_clients).filter(|pair| pair.replaced) {
        let mut changes = pair.changes.replacing;
        changes.extend(pair.changes.in_place);
        plan.steps.push(Step::ReplaceProducer {
            producer: pair.name.to_owned(),
            was: Arc::new(pair.was.clone()),
            now: Arc::new(pair.now.clone()),
            changes,
        });
    }
}

fn removals(plan: &mut Plan, running: &Config, wanted: &Config) {
    for (name, was) in &running.producers {
        if !wanted.producers.contains_key(name) {
            plan.steps.push(Step::RemoveProducer {
                producer: name.clone(),
                was: Arc::new(was.clone()),
            });
        }
    }
    for pair in Pair::groups(running, wanted, false) {
        if pair.now.members < pair.was.members {
            plan.steps.push(Step::StopMembers {
                group: pair.name.to_owned(),
                numbers: (pair.now.members + 1..=pair.was.members).rev().collect(),
                was: Arc::new(pair.now_with(pair.was.members)),
                now: Arc::new(pair.now.clone()),
            });
        }
    }
    for (name, was) in &running.groups {
        if !wanted.groups.contains_key(name) {
            plan.steps.push(Step::RemoveGroup {
                group: name.clone(),
                was: Arc::new(was.clone()),
            });
        }
    }
}

/// One that runs and is wanted, with what differs.
struct Pair<'a, T, C> {
    name: &'a str,
    was: &'a T,
    now: &'a T,
    changes: C,
    /// Whether its clients must be built anew.
    replaced: bool,
}

impl<'a> Pair<'a, Group, GroupChanges> {
    fn groups(
        running: &'a Config,
        wanted: &'a Config,
        new_clients: bool,
    ) -> impl Iterator<Item = Self> {
        running.groups.iter().filter_map(move |(name, was)| {
            let now = wanted.groups.get(name)?;
            let changes = fields::group(was, now);
            Some(Self {
                name,
                was,
                now,
                replaced: new_clients || !changes.replacing.is_empty(),
                changes,
            })
        })
    }

    fn now_with(&self, members: u32) -> Group {
        Group {
            members,
            ..self.now.clone()
        }
    }

    fn starts(&self) -> Option<Step> {
        (self.now.members > self.was.members).then(|| Step::StartMembers {
            group: self.name.to_owned(),
            numbers: (self.was.members + 1..=self.now.members).collect(),
            was: Arc::new(self.now_with(self.was.members)),
            now: Arc::new(self.now.clone()),
        })
    }
}

fn producers<'a>(
    running: &'a Config,
    wanted: &'a Config,
    new_clients: bool,
) -> impl Iterator<Item = Pair<'a, Producer, ProducerChanges>> {
    running.producers.iter().filter_map(move |(name, was)| {
        let now = wanted.producers.get(name)?;
        let changes = fields::producer(was, now);
        Some(Pair {
            name: name.as_str(),
            was,
            now,
            replaced: new_clients || !changes.replacing.is_empty(),
            changes,
        })
    })
}
