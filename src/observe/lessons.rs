//! The five lessons about consumer groups: which of them this daemon has seen happen, and when.
//!
//! `look` is the rule, a function of one snapshot; who follows the board applies it. A lesson that
//! was seen stays seen until the daemon ends.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::status::{Assignment, GroupStatus, Lessons, Status};

/// One lesson, as it is told on the page and in the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Lesson {
    /// Its name in [`Lessons`].
    pub name: &'static str,
    pub title: &'static str,
    /// What somebody does to see it.
    pub action: &'static str,
    /// When it was seen.
    pub seen: fn(&Lessons) -> Option<Timestamp>,
}

/// All five, in the order in which they are learnt.
pub const LESSONS: [Lesson; 5] = [
    Lesson {
        name: "independent_groups",
        title: "Groups are independent: every group gets every message.",
        action: "Add a second [groups.NAME] that reads the same topic to the config, and run deliveryd reload.",
        seen: |lessons| lessons.independent_groups,
    },
    Lesson {
        name: "shared_partitions",
        title: "The members of a group share the partitions: no message goes to two of them.",
        action: "Set members = 2 for a group whose topic has at least 2 partitions, and run deliveryd reload.",
        seen: |lessons| lessons.shared_partitions,
    },
    Lesson {
        name: "idle_spare",
        title: "A spare member idles: a partition has one reader per group.",
        action: "Set members of a group to one more than its topic has partitions, and run deliveryd reload.",
        seen: |lessons| lessons.idle_spare,
    },
    Lesson {
        name: "rebalanced",
        title: "Members or partitions that come or go rebalance the group.",
        action: "Change members of a group, or on a real broker partitions of its topic, and run deliveryd reload.",
        seen: |lessons| lessons.rebalanced,
    },
    Lesson {
        name: "own_offsets",
        title: "Each group keeps its own offsets and goes on from them.",
        action: "On a real broker, stop deliveryd and start it again. The embedded broker forgets everything.",
        seen: |lessons| lessons.own_offsets,
    },
];

/// Adds to `lessons` what `status` shows and they do not have yet. Returns whether there was any.
pub(super) fn look(lessons: &mut Lessons, status: &Status, now: Timestamp) -> bool {
    let seen = [
        (&mut lessons.independent_groups, independent(status)),
        (&mut lessons.shared_partitions, any(status, shares)),
        (&mut lessons.idle_spare, any(status, has_spare)),
        (&mut lessons.rebalanced, any(status, was_rebalanced)),
        (&mut lessons.own_offsets, any(status, went_on)),
    ];
    let mut news = false;
    for (lesson, happened) in seen {
        if happened && lesson.is_none() {
            *lesson = Some(now);
            news = true;
        }
    }
    news
}

fn any(status: &Status, rule: impl Fn(&GroupStatus) -> bool) -> bool {
    status.groups.values().any(rule)
}

/// Two groups have handled messages of one topic.
fn independent(status: &Status) -> bool {
    let mut read = BTreeSet::new();
    let busy = status
        .groups
        .values()
        .filter(|group| group.totals.handled > 0);
    busy.flat_map(|group| &group.topics)
        .any(|topic| !read.insert(topic))
}

/// Two members hold partitions of one topic. Only what a rebalance ended with counts: on its way
/// there a group looks like many things.
fn shares(group: &GroupStatus) -> bool {
    last(group).is_some_and(|assignment| {
        let mut held = BTreeSet::new();
        let busy = assignment.values().flatten();
        busy.filter(|(_, numbers)| !numbers.is_empty())
            .any(|(topic, _)| !held.insert(topic))
    })
}

/// A member has nothing while others have all.
fn has_spare(group: &GroupStatus) -> bool {
    last(group).is_some_and(|assignment| {
        let idle = |topics: &std::collections::BTreeMap<String, Vec<i32>>| {
            topics.values().all(Vec::is_empty)
        };
        assignment.values().any(idle) && !assignment.values().all(idle)
    })
}

/// Somebody holds something else than before.
fn was_rebalanced(group: &GroupStatus) -> bool {
    let history = &group.rebalance_history;
    history
        .windows(2)
        .any(|pair| pair[0].assignment != pair[1].assignment)
}

/// It has handled something, beginning where it had left off before it was started here.
fn went_on(group: &GroupStatus) -> bool {
    group.continues && group.totals.handled > 0
}

fn last(group: &GroupStatus) -> Option<&Assignment> {
    group.rebalance_history.last().map(|last| &last.assignment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::board::{Board, GroupInfo};
    use crate::observe::status::Rebalance;

    struct Seen {
        lessons: Lessons,
        status: Status,
    }

    impl Seen {
        fn new() -> Self {
            let board = Board::new("host-a");
            for group in ["a", "b"] {
                let info = GroupInfo {
                    topics: vec!["Delivery".to_owned()],
                    ..GroupInfo::default()
                };
                board.set_group(group, info);
            }
            Self {
                lessons: Lessons::default(),
                status: board.snapshot(),
            }
        }

        fn group(&mut self, name: &str) -> &mut GroupStatus {
            self.status.groups.get_mut(name).unwrap()
        }

        /// Group `a` ends a rebalance with these partitions of its members.
        fn settle(&mut self, held: &[&[i32]]) {
            let members = held.iter().enumerate().map(|(index, numbers)| {
                let topics = match numbers {
                    [] => [].into(),
                    numbers => [("Delivery".to_owned(), numbers.to_vec())].into(),
                };
                (format!("a-{}", index + 1), topics)
            });
            let rebalance = Rebalance {
                at: Timestamp::UNIX_EPOCH,
                seconds: 1.0,
                assignment: members.collect(),
            };
            let group = self.group("a");
            group.rebalances += 1;
            group.rebalance_history.push(rebalance);
        }

        fn look(&mut self) -> Lessons {
            look(&mut self.lessons, &self.status, Timestamp::UNIX_EPOCH);
            self.lessons.clone()
        }
    }

    /// Two groups on one topic have shown that they are independent when both have handled something.
    #[test]
    fn independent_groups_are_seen_when_both_have_handled() {
        let mut seen = Seen::new();
        seen.group("a").totals.handled = 5;
        assert_eq!(seen.look().independent_groups, None);
        seen.group("b").totals.handled = 1;
        assert!(seen.look().independent_groups.is_some());
    }

    /// Groups of different topics show nothing about each other.
    #[test]
    fn groups_of_other_topics_are_no_lesson() {
        let mut seen = Seen::new();
        seen.group("b").topics = vec!["Orders".to_owned()];
        seen.group("a").totals.handled = 5;
        seen.group("b").totals.handled = 5;
        assert_eq!(seen.look().independent_groups, None);
    }

    /// Sharing and idling are read from what a rebalance ended with.
    #[test]
    fn sharing_and_idling_are_seen_in_a_result() {
        let mut seen = Seen::new();
        seen.settle(&[&[0, 1]]);
        let lessons = seen.look();
        assert_eq!(
            (lessons.shared_partitions, lessons.idle_spare),
            (None, None)
        );
        seen.settle(&[&[0], &[1]]);
        let lessons = seen.look();
        assert!(lessons.shared_partitions.is_some() && lessons.idle_spare.is_none());
        seen.settle(&[&[0], &[1], &[]]);
        assert!(seen.look().idle_spare.is_some());
    }

    /// A group in which nobody has anything has no spare member.
    #[test]
    fn nobody_is_a_spare_while_nobody_has_anything() {
        let mut seen = Seen::new();
        seen.settle(&[&[], &[]]);
        assert_eq!(seen.look().idle_spare, None);
    }

    /// The first assignment is no rebalance; another one after it is.
    #[test]
    fn rebalance_is_seen_when_the_assignment_differs() {
        let mut seen = Seen::new();
        seen.settle(&[&[0, 1]]);
        assert_eq!(seen.look().rebalanced, None);
        seen.settle(&[&[0], &[1]]);
        assert!(seen.look().rebalanced.is_some());
    }

    /// Only a group that had offsets before, and handles on from them, shows that they last.
    #[test]
    fn own_offsets_are_seen_when_a_group_goes_on() {
        let mut seen = Seen::new();
        seen.group("a").totals.handled = 3;
        assert_eq!(seen.look().own_offsets, None);
        seen.group("b").continues = true;
        assert_eq!(seen.look().own_offsets, None, "nothing is handled yet");
        seen.group("b").totals.handled = 1;
        assert!(seen.look().own_offsets.is_some());
    }

    /// What is told has the names of the status.
    #[test]
    fn told_lessons_are_those_of_the_status() {
        let lessons = Lessons::default();
        let status = serde_json::to_value(&lessons).unwrap();
        let names: Vec<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
        let known: Vec<&String> = status.as_object().unwrap().keys().collect();
        assert_eq!(names.len(), known.len());
        assert!(known.iter().all(|name| names.contains(&name.as_str())));
        assert!(
            LESSONS
                .iter()
                .all(|lesson| (lesson.seen)(&lessons).is_none())
        );
    }

    /// What was seen stays seen, with its first time.
    #[test]
    fn lesson_stays_seen() {
        let mut seen = Seen::new();
        seen.settle(&[&[0], &[1]]);
        let first = seen.look();
        seen.group("a").rebalance_history.clear();
        assert!(!look(&mut seen.lessons, &seen.status, Timestamp::MAX));
        assert_eq!(seen.lessons, first);
    }
}
