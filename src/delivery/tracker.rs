//! The tracker: which messages of a partition are finished, and how far a commit may go.
//!
//! [`Tracker::started`] when a message leaves the queue, [`Tracker::finished`] when its verdict is
//! in, [`Tracker::committable`] when the loop asks. Nothing here knows Kafka or Rhai; offsets come
//! in as arguments.

use std::collections::VecDeque;
use std::ops::Range;

use super::beyond;

/// The messages of one partition between the last commit and the newest one started.
#[derive(Debug)]
pub struct Tracker {
    /// Started and not yet behind the contiguous prefix, in offset order: each unfinished message, and
    /// between them what is finished, as one entry. So it is as large as what is under way, however much
    /// is finished behind a message that waits.
    window: VecDeque<Entry>,
    /// One past the last offset of the finished prefix.
    next: i64,
    /// Something is finished that `committable` has not handed out.
    changed: bool,
    /// How many entries of the window are finished.
    runs: usize,
    /// While there are fewer ranges than this, the list surely fits into a commit's metadata.
    room_until: usize,
    /// Offsets that an earlier holder of the partition finished beyond its prefix.
    done_before: VecDeque<Range<i64>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// From the first offset to the one after the last; of an unfinished message its own.
    start: i64,
    end: i64,
    /// When it was written, in milliseconds since the epoch, if that is known.
    written: Option<i64>,
    finished: bool,
}

impl Tracker {
    /// A tracker that begins at `next`, the offset that the group committed (or starts from).
    ///
    /// `metadata` is the commit's metadata; ranges in it that an earlier holder finished are not to
    /// be handled again. Metadata that is not ours is ignored.
    pub fn new(next: i64, metadata: &str) -> Self {
        let done_before = beyond::decode(metadata, next).unwrap_or_default();
        Self {
            window: VecDeque::new(),
            next,
            changed: false,
            runs: 0,
            room_until: beyond::SAFE_RANGES,
            done_before: done_before.into(),
        }
    }

    /// Whether an earlier holder finished this message already; such a message is only passed over.
    ///
    /// Offsets must be asked for in ascending order, each before it is started.
    pub fn was_done_before(&mut self, offset: i64) -> bool {
        while self
            .done_before
            .front()
            .is_some_and(|range| range.end <= offset)
        {
            self.done_before.pop_front();
        }
        self.done_before
            .front()
            .is_some_and(|range| range.contains(&offset))
    }

    /// Notes that the message at `offset` left the queue. Offsets must ascend; gaps (compaction,
    /// transaction markers) are fine. `written` is its timestamp.
    pub fn started(&mut self, offset: i64, written: Option<i64>) {
        debug_assert!(
            self.window.back().is_none_or(|last| last.end <= offset),
            "offset {offset} started out of order"
        );
        self.window.push_back(Entry {
            start: offset,
            end: offset + 1,
            written,
            finished: false,
        });
    }

    /// Notes that the message at `offset` is finished.
    pub fn finished(&mut self, offset: i64) {
        self.changed = true;
        // The first entry is the usual case: messages finish in the order in which they started.
        let index = match self.window.front() {
            Some(first) if first.start == offset => 0,
            _ => match self
                .window
                .binary_search_by_key(&offset, |entry| entry.start)
            {
                Ok(index) => index,
                Err(_) => {
                    debug_assert!(false, "offset {offset} finished but never started");
                    return;
                }
            },
        };
        debug_assert!(
            !self.window[index].finished,
            "offset {offset} finished twice"
        );
        if index > 0 {
            self.window[index].finished = true;
            self.runs += 1;
            self.join(index);
            self.join(index - 1);
            return;
        }
        self.window.pop_front();
        self.next = offset + 1;
        // What is finished is joined, so there is one entry at most.
        if let Some(run) = self.window.front().filter(|entry| entry.finished) {
            self.next = run.end;
            self.runs -= 1;
            self.window.pop_front();
        }
    }

    /// Makes an entry and the one behind it one, if both are finished: offsets between them do not exist.
    fn join(&mut self, index: usize) {
        let is_finished = |index: usize| self.window.get(index).is_some_and(|entry| entry.finished);
        if is_finished(index)
            && is_finished(index + 1)
            && let Some(later) = self.window.remove(index + 1)
        {
            self.window[index].end = later.end;
            self.runs -= 1;
        }
    }

    /// One past the finished prefix: everything before it is finished.
    ///
    /// As everywhere in Kafka, a committed offset names the *next* message to read, not the last one
    /// read (Javadoc of `KafkaConsumer.commitSync`).
    pub fn next(&self) -> i64 {
        self.next
    }

    /// One past the last message that was started.
    pub fn newest_started(&self) -> i64 {
        self.window.back().map_or(self.next, |entry| entry.end)
    }

    /// Messages that are started and not finished.
    pub fn unfinished(&self) -> usize {
        self.window.len() - self.runs
    }

    /// When the first message that is started and not finished was written, if there is one and that is
    /// known.
    pub fn oldest_written(&self) -> Option<i64> {
        // What is finished at the front of the window has left it.
        self.window.front()?.written
    }

    /// What to commit, and the metadata that goes with it; `None` while nothing new is finished since
    /// the last call.
    pub fn committable(&mut self) -> Option<(i64, String)> {
        std::mem::take(&mut self.changed).then(|| self.position())
    }

    /// Where it stands, whether that is new or not: the offset to commit and the list beyond it.
    pub fn position(&self) -> (i64, String) {
        (self.next, self.metadata())
    }

    /// The list for a commit at `offset` that goes ahead of the work, as with `at_most_once`: what an
    /// earlier holder finished beyond it. Everything started must lie before it.
    pub fn list_beyond(&self, offset: i64) -> String {
        let ranges = self.done_before.iter();
        let beyond = ranges.map(|range| range.start.max(offset)..range.end);
        beyond::encode(offset, beyond.filter(|range| !range.is_empty()))
    }

    /// Takes back what `committable` handed out last: the commit was refused and must be sent again.
    pub fn commit_refused(&mut self) {
        self.changed = true;
    }

    /// Whether the list of messages finished beyond the prefix no longer fits into a commit's
    /// metadata, so that nothing new may start until the prefix moves.
    pub fn list_is_full(&mut self) -> bool {
        let ranges = self.runs + self.done_before.len();
        if ranges < self.room_until {
            return false;
        }
        // Measured only now and then: half of the room that is left is taken before the next look,
        // since ranges can also grow by a digit.
        let room = beyond::MOST_CHARACTERS.saturating_sub(self.metadata().len());
        let more = room / beyond::LONGEST_RANGE / 2;
        self.room_until = ranges + more;
        more == 0
    }

    fn metadata(&self) -> String {
        if self.runs == 0 && self.done_before.is_empty() {
            return String::new();
        }
        // What an earlier holder finished lies after everything started here, or is being passed over.
        let last = self.newest_started();
        let earlier = self
            .done_before
            .iter()
            .map(|range| range.start.max(last)..range.end)
            .filter(|range| !range.is_empty());
        beyond::encode(self.next, self.finished_runs().chain(earlier))
    }

    /// What is finished beyond the prefix.
    fn finished_runs(&self) -> impl Iterator<Item = Range<i64>> {
        let finished = self.window.iter().filter(|entry| entry.finished);
        finished.map(|entry| entry.start..entry.end)
    }
}

#[cfg(test)]
mod tests {
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
}
