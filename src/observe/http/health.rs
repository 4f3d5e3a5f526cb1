//! Alive and ready: two questions to a snapshot.

use crate::observe::board::Wedged;
use crate::observe::status::{BrokerState, DaemonState, GroupStatus, MemberState, Status};

/// Why the daemon should be started anew; empty while it is alive. Slow is alive.
pub(super) fn ailments(wedged: &[Wedged]) -> Vec<String> {
    wedged.iter().map(ToString::to_string).collect()
}

/// What keeps the daemon from being ready; empty when it is.
pub(super) fn obstacles(status: &Status) -> Vec<String> {
    let mut obstacles = Vec::new();
    match status.state {
        DaemonState::Running | DaemonState::Reloading | DaemonState::WaitingForBroker => {}
        DaemonState::Starting => obstacles.push("the daemon is starting".to_owned()),
        DaemonState::Stopping => obstacles.push("the daemon is stopping".to_owned()),
    }
    let waiting = status.state == DaemonState::WaitingForBroker;
    if waiting || status.brokers.state == BrokerState::Down {
        let servers = &status.brokers.servers;
        let reason = status.brokers.reason.clone();
        obstacles.push(reason.unwrap_or_else(|| format!("no broker answers at {servers}")));
    }
    for (name, topic) in &status.topics {
        // It is gone, and why that is a trouble stands there.
        if let (0, Some(reason)) = (topic.partitions, &topic.mismatch) {
            obstacles.push(format!("topic {name} {reason}"));
        }
    }
    for (name, group) in &status.groups {
        obstacles.extend(group_obstacles(name, group));
    }
    obstacles
}

fn group_obstacles(name: &str, group: &GroupStatus) -> Vec<String> {
    let mut obstacles = Vec::new();
    let outside: Vec<&str> = group
        .members
        .iter()
        .filter(|member| !member.state.has_joined())
        .map(|member| member.name.as_str())
        .collect();
    let missing = (group.members_wanted as usize).saturating_sub(group.members.len());
    if !outside.is_empty() {
        obstacles.push(format!("{} not joined {name} yet", has(&outside)));
    }
    if missing > 0 {
        obstacles.push(format!(
            "{name} has {} of {} members",
            group.members.len(),
            group.members_wanted
        ));
    }
    for member in &group.members {
        let stuck = member.partitions.iter().find_map(|partition| {
            let reason = partition.stuck.as_ref()?;
            let (topic, number) = (&partition.topic, partition.partition);
            Some(format!(" at {topic}/{number}: {reason}"))
        });
        if member.state == MemberState::Stuck || stuck.is_some() {
            let reason = member.reason.as_ref().map(|reason| format!(": {reason}"));
            let why = stuck.or(reason).unwrap_or_default();
            obstacles.push(format!("{} is stuck{why}", member.name));
        }
    }
    obstacles
}

fn has(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} has"),
        [first, .., last] if names.len() > 3 => {
            format!("{first} to {last} ({} members) have", names.len())
        }
        several => format!("{} have", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::board::{Board, GroupInfo, MemberBoard};
    use crate::observe::status::{BrokerStatus, PartitionStatus, TopicStatus};

    fn running() -> Board {
        let board = Board::new("host-a");
        board.set_state(DaemonState::Running);
        board.set_brokers(BrokerStatus {
            state: BrokerState::Up,
            servers: "localhost:9092".to_owned(),
            ..BrokerStatus::default()
        });
        board
    }

    fn group(board: &Board, states: &[MemberState]) -> Vec<MemberBoard> {
        let members_wanted = states.len() as u32;
        board.set_group(
            "g",
            GroupInfo {
                members_wanted,
                ..GroupInfo::default()
            },
        );
        let numbered = (1..).zip(states);
        let places = numbered.map(|(number, state)| {
            let mut place = board.member("g", number, Duration::ZERO);
            place.update(|status| status.state = *state);
            place
        });
        places.collect()
    }

    /// A topic that is gone keeps the daemon from being ready, with what is to be done.
    #[test]
    fn not_ready_while_a_topic_is_gone() {
        let board = running();
        let topic = |partitions, mismatch: Option<&str>| TopicStatus {
            partitions,
            replication: 1,
            mismatch: mismatch.map(str::to_owned),
        };
        board.set_topic("t", topic(3, Some("it has 3 partitions, 2 are configured")));
        assert!(obstacles(&board.snapshot()).is_empty());
        board.set_topic("t", topic(0, Some("is gone; reload")));
        assert_eq!(obstacles(&board.snapshot()), ["topic t is gone; reload"]);
    }

    /// Ready is: every member of every group has joined. Idling, pausing and draining members have.
    #[test]
    fn ready_when_every_group_has_joined() {
        use MemberState::{Draining, Idle, Joining, Paused, Running, Starting};
        let board = running();
        assert!(obstacles(&board.snapshot()).is_empty());
        let places = group(&board, &[Running, Idle, Paused, Draining]);
        assert!(obstacles(&board.snapshot()).is_empty());
        drop(places);
        assert_eq!(obstacles(&board.snapshot()), ["g has 0 of 4 members"]);
        let _places = group(&board, &[Joining, Running, Starting]);
        assert_eq!(
            obstacles(&board.snapshot()),
            ["g-1, g-3 have not joined g yet"]
        );
    }

    /// A broker that is away, a stuck partition, a start and a stop are not ready, with the reason.
    #[test]
    fn not_ready_says_why() {
        let board = running();
        let mut places = group(&board, &[MemberState::Running]);
        places[0].update(|status| {
            status.partitions.push(PartitionStatus {
                topic: "Delivery".to_owned(),
                partition: 1,
                stuck: Some("policy stop after 4 attempts".to_owned()),
                ..PartitionStatus::default()
            });
        });
        assert_eq!(
            obstacles(&board.snapshot()),
            ["g-1 is stuck at Delivery/1: policy stop after 4 attempts"]
        );
        drop(places);
        board.remove_group("g");
        board.set_brokers(BrokerStatus {
            state: BrokerState::Down,
            servers: "localhost:9092".to_owned(),
            ..BrokerStatus::default()
        });
        assert_eq!(
            obstacles(&board.snapshot()),
            ["no broker answers at localhost:9092"]
        );
        let board = Board::new("host-a");
        assert_eq!(obstacles(&board.snapshot()), ["the daemon is starting"]);
        board.set_state(DaemonState::Stopping);
        assert_eq!(obstacles(&board.snapshot()), ["the daemon is stopping"]);
    }

    /// A wedged loop is named with its silence.
    #[test]
    fn wedged_loop_is_named() {
        let wedged = Wedged {
            who: "member g-1".to_owned(),
            silent_for: Duration::from_secs(75),
        };
        assert_eq!(
            ailments(&[wedged]),
            ["member g-1 has not gone round for 75 s"]
        );
        assert!(ailments(&[]).is_empty());
    }
}
