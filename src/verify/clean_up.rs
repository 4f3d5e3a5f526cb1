//! What a rehearsal leaves on the cluster, found by its names, and taken away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::rehearsal::run_of;
use crate::kafka::{Admin, KafkaError};

/// Between two attempts at a group that still has members.
const AGAIN: Duration = Duration::from_millis(250);

/// The topics and groups of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    pub topics: Vec<String>,
    pub groups: Vec<String>,
}

/// What is on the cluster of rehearsals, by run.
///
/// # Errors
/// No broker answers.
pub fn remains(admin: &Admin) -> Result<BTreeMap<String, Remains>, KafkaError> {
    Ok(by_run(admin.topics_now()?, admin.groups_now()?))
}

fn by_run(topics: Vec<String>, groups: Vec<String>) -> BTreeMap<String, Remains> {
    let mut found: BTreeMap<String, Remains> = BTreeMap::new();
    for topic in topics {
        if let Some(run) = run_of(&topic) {
            found.entry(run.to_owned()).or_default().topics.push(topic);
        }
    }
    for group in groups {
        if let Some(run) = run_of(&group) {
            found.entry(run.to_owned()).or_default().groups.push(group);
        }
    }
    found
}

/// Deletes the topics and groups of one run. A process that was killed is a member of its group until
/// its session is over: groups are tried for so long as `patience`. Returns what is left, with reasons.
pub fn remove(admin: &Admin, remains: &Remains, patience: Duration) -> Vec<String> {
    let mut left = Vec::new();
    for topic in &remains.topics {
        left.extend(admin.delete_topic(topic).err().map(|error| error.message));
    }
    let deadline = Instant::now() + patience;
    for group in &remains.groups {
        loop {
            match admin.delete_group(group) {
                Ok(()) => break,
                Err(error) if error.code == "NON_EMPTY_GROUP" && Instant::now() < deadline => {
                    std::thread::sleep(AGAIN);
                }
                Err(error) => {
                    left.push(error.message);
                    break;
                }
            }
        }
    }
    left
}

/// The same for a run of another process: nothing is touched while its group has members.
///
/// # Errors
/// It has members, or what could not be removed.
pub fn remove_if_over(admin: &Admin, remains: &Remains) -> Result<(), String> {
    for group in &remains.groups {
        admin.delete_group(group).map_err(|error| match error.code.as_str() {
            "NON_EMPTY_GROUP" => format!(
                "{group} has members: the run goes on, or was killed less than a session's time ago"
            ),
            _ => error.message,
        })?;
    }
    for topic in &remains.topics {
        admin.delete_topic(topic).map_err(|error| error.message)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What belongs together is found together, and nothing of the user's is among it.
    #[test]
    fn remains_are_found_by_their_run() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let found = by_run(
            names(&[
                "Delivery",
                "deliveryd-verify.a-receipts",
                "deliveryd-verify.a.Delivery",
                "deliveryd-verify.b.Other",
                "deliveryd-verifying",
            ]),
            names(&["group-1", "deliveryd-verify.a.group-1"]),
        );
        let a = Remains {
            topics: names(&["deliveryd-verify.a-receipts", "deliveryd-verify.a.Delivery"]),
            groups: names(&["deliveryd-verify.a.group-1"]),
        };
        let b = Remains {
            topics: names(&["deliveryd-verify.b.Other"]),
            groups: Vec::new(),
        };
        assert_eq!(found, BTreeMap::from([("a".into(), a), ("b".into(), b)]));
    }
}
