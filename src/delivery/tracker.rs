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
mod tests;
