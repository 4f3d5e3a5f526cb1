// One range is what these lists hold.
#![allow(clippy::single_range_in_vec_init)]
use super::*;
use proptest::prelude::*;

/// Guarantee 1: a commit never passes a message that is not finished.
#[test]
fn commit_stops_before_the_first_unfinished_message() {
    let mut tracker = Tracker::new(10, "");
    for offset in 10..14 {
        tracker.started(offset, None);
    }
    tracker.finished(11);
    tracker.finished(12);
    assert_eq!(tracker.next(), 10);
    tracker.finished(10);
    assert_eq!(tracker.next(), 13);
    assert_eq!(tracker.unfinished(), 1);
}

#[test]
fn nothing_new_is_nothing_to_commit() {
    let mut tracker = Tracker::new(0, "");
    assert_eq!(tracker.committable(), None);
    tracker.started(0, None);
    assert_eq!(tracker.committable(), None);
    tracker.finished(0);
    assert_eq!(tracker.committable(), Some((1, String::new())));
    assert_eq!(tracker.committable(), None);
}

/// Guarantee 3: a full list stops new messages until the prefix moves.
#[test]
fn a_list_that_is_full_says_so_until_the_prefix_moves() {
    let mut tracker = Tracker::new(0, "");
    let mut offset = 0;
    while !tracker.list_is_full() {
        tracker.started(offset, None);
        tracker.started(offset + 1, None);
        tracker.finished(offset + 1);
        offset += 2;
        assert!(offset < 100_000, "never full");
    }
    let (next, metadata) = tracker.committable().expect("something finished");
    let listed = beyond::decode(&metadata, next).expect("ours").len() as i64;
    assert_eq!(listed, offset / 2, "nothing was left out");
    assert!(metadata.len() > beyond::MOST_CHARACTERS * 9 / 10);
    (0..offset).step_by(2).for_each(|o| tracker.finished(o));
    assert!(!tracker.list_is_full());
}

/// However much is finished behind a message that waits, it takes no more memory.
#[test]
fn a_message_that_waits_for_long_costs_nothing() {
    let mut tracker = Tracker::new(0, "");
    tracker.started(0, None);
    for offset in 1..100_000 {
        tracker.started(offset, None);
        if offset > 10 {
            tracker.finished(offset - 10);
        }
    }
    assert_eq!(tracker.unfinished(), 11);
    assert_eq!(tracker.window.len(), 12);
    assert_eq!(tracker.position().1, "deliveryd1:0;1,255h");
    tracker.finished(0);
    assert_eq!((tracker.next(), tracker.window.len()), (99_990, 10));
}

#[test]
fn a_refused_commit_is_handed_out_again() {
    let mut tracker = Tracker::new(0, "");
    tracker.started(0, None);
    tracker.finished(0);
    assert!(tracker.committable().is_some());
    tracker.commit_refused();
    assert_eq!(tracker.committable(), Some((1, String::new())));
}

#[test]
fn offsets_may_have_gaps() {
    let mut tracker = Tracker::new(0, "");
    tracker.started(5, None);
    tracker.started(9, None);
    tracker.finished(5);
    assert_eq!(tracker.next(), 6);
    tracker.finished(9);
    assert_eq!(tracker.next(), 10);
}

/// Guarantee 3: what was finished beyond the prefix is not handled again by the next holder.
#[test]
fn the_next_holder_passes_over_what_was_finished_beyond_the_prefix() {
    let mut first = Tracker::new(0, "");
    (0..6).for_each(|offset| first.started(offset, None));
    for offset in [1, 2, 4] {
        first.finished(offset);
    }
    let (next, metadata) = first.committable().expect("something finished");
    assert_eq!(next, 0);
    let mut second = Tracker::new(next, &metadata);
    let done: Vec<i64> = (0..6).filter(|&o| second.was_done_before(o)).collect();
    assert_eq!(done, [1, 2, 4]);
}

/// What the first holder finished survives a second one that got only half way.
#[test]
fn a_list_that_was_not_reached_is_committed_again() {
    let mut tracker = Tracker::new(0, &beyond::encode(0, [5..7].into_iter()));
    assert!(!tracker.was_done_before(0));
    tracker.started(0, None);
    tracker.finished(0);
    let (next, metadata) = tracker.committable().expect("one more finished");
    assert_eq!(next, 1);
    assert_eq!(beyond::decode(&metadata, next), Some(vec![5..7]));
}

/// One that is passed over and one that is finished in its place are two lists of the same length.
#[test]
fn a_list_that_changes_and_keeps_its_length_is_committed() {
    let mut tracker = Tracker::new(0, &beyond::encode(0, [2..3].into_iter()));
    tracker.started(0, None);
    for offset in [2, 3] {
        let again = tracker.was_done_before(offset);
        tracker.started(offset, None);
        assert_eq!(again, offset == 2);
        tracker.finished(offset);
        let (next, metadata) = tracker.committable().expect("one more finished");
        assert_eq!(beyond::decode(&metadata, next), Some(vec![2..offset + 1]));
    }
}

/// A commit that goes ahead keeps what is listed beyond it.
#[test]
fn a_commit_ahead_of_the_work_keeps_the_list() {
    let tracker = Tracker::new(0, &beyond::encode(0, [2..6, 8..9].into_iter()));
    let list = tracker.list_beyond(4);
    assert_eq!(beyond::decode(&list, 4), Some(vec![4..6, 8..9]));
    assert_eq!(tracker.list_beyond(9), "");
}

/// The next step of a run against the model.
#[derive(Debug, Clone)]
enum Step {
    Start(i64),
    Finish(usize),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![
            (1i64..4).prop_map(Step::Start),
            any::<usize>().prop_map(Step::Finish),
            Just(Step::Commit),
        ],
        0..200,
    )
}

proptest! {
    /// Whatever the order in which messages finish: a commit names the end of the finished prefix,
    /// and commit plus metadata together name exactly what is finished.
    #[test]
    fn commits_tell_exactly_what_is_finished(steps in steps()) {
        let mut tracker = Tracker::new(0, "");
        let mut started: Vec<(i64, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Start(gap) => {
                    let offset = started.last().map_or(0, |(last, _)| last + gap);
                    tracker.started(offset, None);
                    started.push((offset, false));
                }
                Step::Finish(pick) => {
                    let mut open: Vec<_> = started.iter_mut().filter(|(_, done)| !done).collect();
                    if open.is_empty() { continue; }
                    let pick = pick % open.len();
                    open[pick].1 = true;
                    tracker.finished(open[pick].0);
                }
                Step::Commit => {
                    let Some((next, metadata)) = tracker.committable() else { continue };
                    let beyond = beyond::decode(&metadata, next).unwrap_or_default();
                    for (offset, done) in &started {
                        let covered = *offset < next || beyond.iter().any(|r| r.contains(offset));
                        prop_assert_eq!(covered, *done, "offset {}", offset);
                    }
                }
            }
            let unfinished = started.iter().filter(|(_, done)| !done).count();
            prop_assert_eq!(tracker.unfinished(), unfinished);
        }
    }
}

/// What happens to a partition that goes from holder to holder.
#[derive(Debug, Clone)]
enum Turn {
    Start,
    Finish(usize),
    /// A commit that the broker takes, or refuses.
    Commit(bool),
    /// The next holder begins with what the last commit says; what was in flight is nobody's.
    Revoke,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        5 => Just(Turn::Start),
        5 => any::<usize>().prop_map(Turn::Finish),
        2 => any::<bool>().prop_map(Turn::Commit),
        1 => Just(Turn::Revoke),
    ];
    prop::collection::vec(turn, 0..300)
}

proptest! {
    /// Over any number of holders: a message that an accepted commit covers never starts again, one
    /// that none covers does, and the offset never passes one that nobody finished.
    #[test]
    fn what_a_commit_covers_never_starts_again(turns in turns()) {
        let mut tracker = Tracker::new(0, "");
        let mut accepted = (0, String::new());
        let mut covered = std::collections::BTreeSet::new();
        let mut finished = std::collections::BTreeSet::new();
        let mut in_flight: Vec<i64> = Vec::new();
        let mut next = 0;
        for turn in turns {
            match turn {
                Turn::Start => {
                    let again = tracker.was_done_before(next);
                    prop_assert_eq!(again || next < accepted.0, covered.contains(&next));
                    tracker.started(next, None);
                    match again {
                        true => tracker.finished(next),
                        false => in_flight.push(next),
                    }
                    next += 1;
                }
                Turn::Finish(pick) if !in_flight.is_empty() => {
                    let offset = in_flight.swap_remove(pick % in_flight.len());
                    tracker.finished(offset);
                    finished.insert(offset);
                }
                Turn::Finish(_) => {}
                Turn::Commit(taken) => {
                    let Some(commit) = tracker.committable() else { continue };
                    prop_assert!((0..commit.0).all(|offset| finished.contains(&offset)));
                    if taken {
                        let beyond = beyond::decode(&commit.1, commit.0).unwrap_or_default();
                        covered = (0..commit.0).chain(beyond.into_iter().flatten()).collect();
                        accepted = commit;
                    } else {
                        tracker.commit_refused();
                    }
                }
                Turn::Revoke => {
                    tracker = Tracker::new(accepted.0, &accepted.1);
                    next = accepted.0;
                    in_flight.clear();
                }
            }
        }
    }
}
