//! Notices rebalances: from what the members of a group publish, when one began, when it is over,
//! and who holds what then.
//!
//! [`Settling::look`] is the rule, fed with snapshots and times; [`follow`] applies it to a board,
//! notes each rebalance there, counts it, and tells it in the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::board::Board;
use super::clock;
use super::lessons;
use super::metrics::Metrics;
use super::status::{Assignment, GroupStatus, MemberState, Rebalance, Status};
use super::terminal;

/// How long an assignment that leaves partitions out must stand before it counts as the result:
/// between giving a partition up and handing it on, cooperative members hold less than all. When
/// another process holds the rest, this is all there is to go by.
const STANDS: Duration = Duration::from_secs(5);

/// The same for somebody who waits.
const RESTS: Duration = Duration::from_secs(2);

/// How often a group that is not settled is looked at, whether or not there is news.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is known of one group's assignment.
#[derive(Debug, Default)]
pub struct Settling {
    /// The last assignment that was told.
    told: Option<Assignment>,
    /// Since when the group is on its way to another.
    unrest: Option<Instant>,
    /// What was seen last, and since when it is so.
    seen: Option<(Assignment, Instant)>,
}

/// An assignment that was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub assignment: Assignment,
    /// From the first sign of the change; for the first assignment, from the first look.
    pub took: Duration,
    /// Whether it is the group's first here.
    pub first: bool,
}

impl Settling {
    /// Looks at the group; `partitions` is how many its topics have, by topic, as far as known.
    /// Returns an assignment once, when it is reached.
    pub fn look(
        &mut self,
        group: &GroupStatus,
        partitions: &BTreeMap<&str, i32>,
        now: Instant,
    ) -> Option<Settled> {
        let assignment = held(group);
        let since = match &self.seen {
            Some((seen, since)) if *seen == assignment => *since,
            _ => {
                self.seen = Some((assignment.clone(), now));
                now
            }
        };
        let moving = group.members.len() < group.members_wanted as usize
            || group.members.iter().any(|member| is_moving(member.state));
        let unchanged = self.told.as_ref() == Some(&assignment);
        if !moving && unchanged {
            self.unrest = None;
            return None;
        }
        let began = *self.unrest.get_or_insert(now);
        let stands = now.saturating_duration_since(since) >= STANDS;
        if moving || group.members.is_empty() || !(is_whole(&assignment, partitions) || stands) {
            return None;
        }
        self.unrest = None;
        let first = self.told.replace(assignment.clone()).is_none();
        Some(Settled {
            assignment,
            took: since.saturating_duration_since(began),
            first,
        })
    }
}

fn is_moving(state: MemberState) -> bool {
    matches!(
        state,
        MemberState::Starting
            | MemberState::WaitingForBroker
            | MemberState::Joining
            | MemberState::Draining
    )
}

fn held(group: &GroupStatus) -> Assignment {
    let mut assignment = Assignment::new();
    for member in &group.members {
        if !member.state.has_joined() {
            continue;
        }
        let topics = assignment.entry(member.name.clone()).or_default();
        for partition in &member.partitions {
            let numbers = topics.entry(partition.topic.clone()).or_default();
            numbers.push(partition.partition);
        }
        for numbers in topics.values_mut() {
            numbers.sort_unstable();
        }
    }
    assignment
}

/// Whether every partition of every topic has exactly one owner here.
fn is_whole(assignment: &Assignment, partitions: &BTreeMap<&str, i32>) -> bool {
    if partitions.is_empty() {
        return false;
    }
    partitions.iter().all(|(topic, count)| {
        let holders = assignment.values().filter_map(|topics| topics.get(*topic));
        let mut numbers: Vec<i32> = holders.flatten().copied().collect();
        numbers.sort_unstable();
        numbers.iter().copied().eq(0..*count)
    })
}

/// Whether nobody idles while another holds several: cooperative members get theirs in a second round.
fn is_fair(assignment: &Assignment) -> bool {
    let shares = assignment
        .values()
        .map(|topics| topics.values().map(Vec::len).sum::<usize>());
    let (least, most) = shares.fold((usize::MAX, 0), |(least, most), share| {
        (least.min(share), most.max(share))
    });
    least > 0 || most <= 1
}

/// Follows the board until it is gone or the task is dropped: notes, counts and tells every
/// rebalance of every group.
pub async fn follow(board: Board, metrics: Metrics) {
    let mut changes = board.changes();
    let mut groups: BTreeMap<String, Settling> = BTreeMap::new();
    loop {
        let status = board.snapshot();
        groups.retain(|group, _| status.groups.contains_key(group));
        let now = Instant::now();
        for (name, group) in &status.groups {
            let settling = groups.entry(name.clone()).or_default();
            let partitions = partitions(&status, group);
            if let Some(settled) = settling.look(group, &partitions, now) {
                note(&board, &metrics, &status, name, settled);
            }
        }
        let mut lessons = status.lessons.clone();
        // The snapshot is from before what was just noted: the next round sees that.
        if lessons::look(&mut lessons, &status, clock::now()) {
            board.set_lessons(lessons);
        }
        let unrest = groups.values().any(|settling| settling.unrest.is_some());
        // Members publish ten times a second; looking no more often than that is enough.
        tokio::time::sleep(LOOK_EVERY).await;
        if !unrest && changes.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until these groups have shared their partitions out: no member is on its way, and every
/// partition is held here, or what is held has stood for a while because others hold the rest.
/// Returns false where that takes longer than `within`.
pub async fn at_rest(board: &Board, groups: &BTreeSet<String>, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let mut seen: BTreeMap<String, (Assignment, Instant)> = BTreeMap::new();
    loop {
        let status = board.snapshot();
        let now = Instant::now();
        let at_rest = groups.iter().all(|name| {
            // One that was removed meanwhile has nothing to share out.
            let Some(group) = status.groups.get(name) else {
                return true;
            };
            let assignment = held(group);
            let whole = is_whole(&assignment, &partitions(&status, group)) && is_fair(&assignment);
            let (last, since) = seen
                .entry(name.clone())
                .or_insert_with(|| (assignment.clone(), now));
            if *last != assignment {
                (*last, *since) = (assignment, now);
            }
            let stands = now.saturating_duration_since(*since) >= RESTS;
            let moving = group.members.iter().any(|member| is_moving(member.state));
            !moving && (whole || stands)
        });
        if at_rest || now >= deadline {
            return at_rest;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn partitions<'a>(status: &'a Status, group: &'a GroupStatus) -> BTreeMap<&'a str, i32> {
    let topics = group.topics.iter();
    let known = topics.map(|topic| {
        let found = status.topics.get(topic)?;
        Some((topic.as_str(), found.partitions))
    });
    // One unknown topic makes the whole unknown.
    known.collect::<Option<_>>().unwrap_or_default()
}

fn note(board: &Board, metrics: &Metrics, status: &Status, group: &str, settled: Settled) {
    let line = if settled.first {
        let width = status.groups.keys().map(|name| name.chars().count()).max();
        terminal::assignment(group, width.unwrap_or(0), &settled.assignment)
    } else {
        terminal::rebalanced(group, settled.took, &settled.assignment)
    };
    terminal::tell(&line);
    let handles = metrics.group(group);
    handles.rebalances.inc();
    handles
        .rebalance_seconds
        .observe(settled.took.as_secs_f64());
    board.rebalanced(
        group,
        Rebalance {
            at: clock::now(),
            seconds: settled.took.as_secs_f64(),
            assignment: settled.assignment,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::board::GroupInfo;
    use crate::observe::status::{MemberStatus, PartitionStatus, TopicStatus};
    use MemberState::{Draining, Idle, Joining, Running};

    struct Group {
        settling: Settling,
        start: Instant,
        status: GroupStatus,
    }

    impl Group {
        fn new(members_wanted: u32) -> Self {
            let board = Board::new("host-a");
            board.set_group(
                "g",
                GroupInfo {
                    members_wanted,
                    ..GroupInfo::default()
                },
            );
            let status = board.snapshot().groups.remove("g").unwrap();
            let settling = Settling::default();
            Self {
                settling,
                start: Instant::now(),
                status,
            }
        }

        /// Looks at members in these states with these partitions, `at` milliseconds.
        fn look(&mut self, at: u64, members: &[(MemberState, &[i32])]) -> Option<Settled> {
            let numbered = members.iter().enumerate();
            self.status.members = numbered
                .map(|(index, (state, held))| MemberStatus {
                    name: format!("g-{}", index + 1),
                    state: *state,
                    partitions: held.iter().map(|number| partition(*number)).collect(),
                    ..MemberStatus::default()
                })
                .collect();
            let partitions = [("Delivery", 2)].into();
            let now = self.start + Duration::from_millis(at);
            self.settling.look(&self.status, &partitions, now)
        }
    }

    fn partition(number: i32) -> PartitionStatus {
        PartitionStatus {
            topic: "Delivery".to_owned(),
            partition: number,
            ..PartitionStatus::default()
        }
    }

    /// The first assignment is told once, when all members have joined and every partition is held.
    #[test]
    fn first_assignment_is_told_when_it_is_whole() {
        let mut group = Group::new(2);
        assert_eq!(group.look(0, &[(Joining, &[])]), None);
        assert_eq!(
            group.look(50, &[(Running, &[0, 1])]),
            None,
            "one is missing"
        );
        assert_eq!(group.look(60, &[(Running, &[0]), (Joining, &[])]), None);
        let settled = group
            .look(160, &[(Running, &[0]), (Running, &[1])])
            .unwrap();
        assert!(settled.first);
        assert_eq!(settled.took, Duration::from_millis(160));
        assert_eq!(settled.assignment["g-2"]["Delivery"], [1]);
        assert_eq!(group.look(170, &[(Running, &[0]), (Running, &[1])]), None);
        assert_eq!(group.look(9000, &[(Running, &[0]), (Running, &[1])]), None);
    }

    /// A partition on its way between two members is no result yet; the time is that of the way.
    #[test]
    fn rebalance_is_told_at_its_end_with_its_time() {
        let mut group = Group::new(2);
        group.look(0, &[(Running, &[0, 1]), (Idle, &[])]).unwrap();
        assert_eq!(group.look(1000, &[(Draining, &[0, 1]), (Idle, &[])]), None);
        assert_eq!(group.look(1500, &[(Running, &[0]), (Idle, &[])]), None);
        let settled = group
            .look(2100, &[(Running, &[0]), (Running, &[1])])
            .unwrap();
        assert!(!settled.first);
        assert_eq!(settled.took, Duration::from_millis(1100));
    }

    /// A spare member's coming is told too.
    #[test]
    fn idle_member_is_part_of_the_result() {
        let mut group = Group::new(2);
        group.look(0, &[(Running, &[0]), (Running, &[1])]).unwrap();
        group.status.members_wanted = 3;
        let three = [(Running, &[0][..]), (Running, &[1]), (Joining, &[])];
        assert_eq!(group.look(100, &three), None);
        let three = [(Running, &[0][..]), (Running, &[1]), (Idle, &[])];
        let settled = group.look(200, &three).unwrap();
        assert!(settled.assignment["g-3"].is_empty());
        assert_eq!(settled.took, Duration::from_millis(100));
    }

    /// Where another process holds the rest, what stands for a while is the result.
    #[test]
    fn part_of_the_partitions_counts_when_it_stands() {
        let mut group = Group::new(1);
        assert_eq!(group.look(0, &[(Running, &[1])]), None);
        assert_eq!(group.look(4900, &[(Running, &[1])]), None);
        let settled = group.look(5000, &[(Running, &[1])]).unwrap();
        assert_eq!(settled.took, Duration::ZERO);
    }

    /// A rebalance that ends as it began is none for the reader.
    #[test]
    fn unchanged_assignment_is_not_told_again() {
        let mut group = Group::new(1);
        group.look(0, &[(Running, &[0, 1])]).unwrap();
        assert_eq!(group.look(10, &[(Draining, &[0, 1])]), None);
        assert_eq!(group.look(20, &[(Running, &[0, 1])]), None);
        assert_eq!(group.settling.unrest, None);
    }

    /// Following a board notes and counts the rebalances of its groups.
    #[tokio::test]
    async fn following_notes_on_the_board_and_counts() {
        let board = Board::new("host-a");
        let metrics = Metrics::new(&board);
        let topic = TopicStatus {
            partitions: 1,
            replication: 1,
            mismatch: None,
        };
        board.set_topics([("Delivery".to_owned(), topic)].into());
        let info = GroupInfo {
            topics: vec!["Delivery".to_owned()],
            members_wanted: 1,
            ..GroupInfo::default()
        };
        board.set_group("g", info);
        let mut changes = board.changes();
        let follower = tokio::spawn(follow(board.clone(), metrics.clone()));
        let mut member = board.member("g", 1, Duration::from_secs(1));
        member.publish(MemberStatus {
            state: Running,
            partitions: vec![partition(0)],
            ..MemberStatus::default()
        });
        let noted = async {
            while board.snapshot().groups["g"].rebalances == 0 {
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), noted).await;
        assert!(
            waited.is_ok(),
            "not noted: {:?}",
            board.snapshot().groups["g"]
        );
        assert_eq!(metrics.group("g").rebalances.get(), 1);
        let history = &board.snapshot().groups["g"].rebalance_history;
        assert_eq!(history[0].assignment["g-1"]["Delivery"], [0]);
        follower.abort();
    }
}
