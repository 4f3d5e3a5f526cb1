//! A member's work: start a message, call its handler, decide what follows.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::{Guarantee, Then};
use crate::delivery::{Delivery, Record, Verdict};
use crate::script::{Failure, Outcome};

use super::exactly_once::ExactlyOnce;
use super::lane::Mode;
use super::letter::{LastAttempt, Letter};
use super::retry::backoff;
use super::room::{Room, set_waits};
use super::turn::Member;

/// When calls have taken so long, the loop looks after everything else: signals, acknowledgements,
/// commits, the group.
const TURN: Duration = Duration::from_millis(20);

impl Member {
    /// Takes a message that the client handed out: starts it, or holds it back.
    pub(super) fn take(&mut self, record: Rc<Record>) {
        let Some(index) = self.lane_of(&record) else {
            // Prefetched for a partition that has been given up meanwhile.
            self.recycle(record);
            return;
        };
        let room = self.room();
        let lane = &mut self.lanes[index];
        if matches!(lane.mode, Mode::Leaving { .. }) || record.offset < lane.position {
            self.recycle(record);
            return;
        }
        lane.position = record.offset + 1;
        if lane.denied.is_some() {
            lane.denied = None;
            self.tally.touch();
        }
        let at_once = lane.held.is_empty()
            && !lane.runs_alone(record.offset)
            && lane.ready.is_empty()
            && self.group.guarantee != Guarantee::AtMostOnce
            && lane.may_start(room);
        if at_once && self.may_start() {
            self.start(index, record);
        } else {
            let lane = &mut self.lanes[index];
            lane.hold(record);
            // The client must hear that it is enough before more is taken: a batch of large messages is much.
            self.turn_is_over |= lane.held_bytes > room.bytes / room.lanes;
        }
    }

    /// Whether the member as a whole may start one more message. Takes its place in the rate limit.
    fn may_start(&mut self) -> bool {
        let room = self.room();
        self.may_call()
            && self.under_way < room.messages
            && self.under_way_bytes < room.bytes
            && self.rate_allows()
    }

    /// How much may be started and not finished.
    pub(super) fn room(&self) -> Room {
        Room::new(&self.group, self.lanes.len())
    }

    /// Whether the handler may be called: not while the effects of its last call wait for room.
    pub(super) fn may_call(&self) -> bool {
        self.may_send() && !self.tally.halted
    }

    /// Whether there is room for the effects of another message.
    pub(super) fn may_send(&self) -> bool {
        let takes = |own: &ExactlyOnce| own.state.takes(self.now);
        self.sending.is_none() && self.exactly_once.as_ref().is_none_or(takes)
    }

    fn rate_allows(&mut self) -> bool {
        let rate = &self.setup.shared.rate;
        if rate.is_unlimited() {
            return true;
        }
        // A limited group has time to read the clock for each message.
        self.rate_wait = rate.take(Instant::now()).err();
        self.rate_wait.is_none()
    }

    /// Starts a message of a lane.
    fn start(&mut self, index: usize, record: Rc<Record>) {
        let lane = &mut self.lanes[index];
        lane.tracker.started(record.offset, record.timestamp);
        if lane.tracker.was_done_before(record.offset) {
            lane.tracker.finished(record.offset);
            if let Some(own) = &mut self.exactly_once {
                own.pass_over(lane, self.now);
            }
            self.recycle(record);
            return;
        }
        self.under_way += 1;
        self.under_way_bytes += record.size();
        let closed = lane.gate.is_closed_for(&record);
        let read_again = !lane.pasts.is_empty();
        if lane.runs_alone(record.offset)
            && let Some(own) = &mut self.exactly_once
        {
            own.state.begin_alone();
        }
        let mut delivery = Delivery::new(record, lane.id);
        if read_again {
            match self.go_on_from_past(delivery) {
                Some(new) => delivery = new,
                None => return,
            }
        }
        if closed {
            set_waits(&mut self.lanes, &mut delivery, true);
            self.lanes[index].gate.queue(delivery);
        } else {
            self.call(delivery);
        }
    }

    /// Starts what waits in the lanes, as far as it may.
    pub(super) fn run_waiting(&mut self) {
        self.push_out();
        self.rate_wait = None;
        let first = self.first_lane;
        let lanes = self.lanes.capacity();
        // Nearly always nothing waits.
        for index in (first..lanes).chain(0..first.min(lanes)) {
            if !self.lanes.contains(index) {
                continue;
            }
            let (more, started) = self.run_lane(index);
            if !more {
                // Whoever had the last place under a limit is last in line for the next one.
                if started {
                    self.first_lane = index + 1;
                }
                return;
            }
        }
    }

    /// Starts what waits in one lane. Returns whether the member may start more, and whether this
    /// lane started anything.
    fn run_lane(&mut self, index: usize) -> (bool, bool) {
        let mut started = false;
        while self.may_call()
            && self.lanes[index].is_open()
            && let Some(delivery) = self.lanes[index].ready.pop_front()
        {
            if self.lanes[index].gate.is_closed_for(delivery.record()) {
                self.lanes[index].gate.queue(delivery);
                continue;
            }
            self.call(delivery);
            started = true;
            if self.turn_is_over {
                return (false, started);
            }
        }
        while self.lanes[index].ready.is_empty() && self.next_held_may_start(index) {
            if !self.may_start() {
                return (false, started);
            }
            if let Some(record) = self.lanes[index].take_held() {
                self.start(index, record);
                started = true;
            }
            if self.turn_is_over {
                return (false, started);
            }
        }
        (true, started)
    }

    fn next_held_may_start(&mut self, index: usize) -> bool {
        let room = self.room();
        let lane = &mut self.lanes[index];
        let Some(offset) = lane.held.front().map(|record| record.offset) else {
            return false;
        };
        if lane.runs_alone(offset)
            && let Some(own) = &mut self.exactly_once
            && !own.state.makes_room()
        {
            return false;
        }
        let committed_first = self.group.guarantee == Guarantee::AtMostOnce;
        (!committed_first || lane.committed > Some(offset)) && lane.may_start(room)
    }

    /// Makes the attempts that are due.
    pub(super) fn retry_due(&mut self) {
        while self.may_call()
            && let Some(mut delivery) = self.retries.take_due(self.now)
        {
            delivery.again();
            self.tally.retried += 1;
            let id = delivery.lane();
            let lane = self.lanes.get_mut(id.index).filter(|lane| lane.id == id);
            if let Some(lane) = lane.filter(|lane| lane.is_held_by_user()) {
                lane.ready.push_front(delivery);
                continue;
            }
            self.call(delivery);
            if self.turn_is_over {
                return;
            }
        }
    }

    /// Calls the handler, and goes on as it says.
    fn call(&mut self, mut delivery: Delivery) {
        set_waits(&mut self.lanes, &mut delivery, false);
        // Here and not only once a round: a member that sleeps is woken by its next message. It costs
        // one atomic load.
        self.follow_handler();
        let clock = self.tally.clock_for_call();
        let outcome = self.handler.handle(delivery.record(), delivery.attempt());
        if let Some(started) = clock {
            let ended = Instant::now();
            let seconds = (ended - started).as_secs_f64();
            self.setup.observer.handler_seconds(seconds);
            // Slow calls are all timed, so no further look at the clock is needed.
            self.turn_is_over |= ended.saturating_duration_since(self.now) > TURN;
        }
        if !self.watched.is_empty() {
            self.show(&delivery, &outcome);
        }
        match outcome {
            Outcome::Done => {
                self.tally.by_version.done += 1;
                self.send(delivery, Verdict::Handled, None);
            }
            Outcome::Rejected(failure) => {
                self.tally.by_version.rejected += 1;
                self.tally.failed += 1;
                self.reject(delivery, *failure);
            }
            Outcome::Failed(failure) => {
                self.tally.by_version.failed += 1;
                self.fail(delivery, *failure);
            }
        }
    }

    /// A call failed, or an emit was refused: another attempt, or what the policy says then.
    pub(super) fn fail(&mut self, mut delivery: Delivery, failure: Failure) {
        self.tally.failed += 1;
        delivery.failed(SystemTime::now());
        let policy = &self.group.on_failure;
        if delivery.attempt() > policy.retries {
            match policy.then {
                Then::DeadLetter => self.give_up(delivery, failure),
                Then::Skip => self.skip(delivery, failure),
                Then::Stop => {
                    self.tell_failure(&delivery, &failure, "the partition stops here");
                    self.stick(delivery, failure.reason);
                }
            }
            return;
        }
        let wait = backoff(policy, delivery.attempt());
        let next = format!(
            "attempt {} of {}, next in {} ms",
            delivery.attempt(),
            policy.retries + 1,
            wait.as_millis()
        );
        self.tell_failure(&delivery, &failure, &next);
        self.wait_for_retry(delivery, wait);
    }

    /// Of what must keep its order only the first waits for a time; the rest waits for it.
    fn wait_for_retry(&mut self, mut delivery: Delivery, wait: Duration) {
        let id = delivery.lane();
        let Some(lane) = self.lanes.get(id.index).filter(|lane| lane.id == id) else {
            return self.abandon_all(vec![delivery], "its partition is gone");
        };
        if lane.gate.is_closed_for(delivery.record()) {
            return self.line_up(delivery);
        }
        let later = lane.gate.later(delivery.record());
        self.close_gate(&mut delivery);
        set_waits(&mut self.lanes, &mut delivery, true);
        self.retries.add(self.now + wait, delivery);
        if let Some(later) = later.and_then(|offset| self.retries.take_one(id, offset)) {
            self.line_up(later);
        }
    }

    /// Lets a message wait for its next attempt behind those before it.
    fn line_up(&mut self, mut delivery: Delivery) {
        delivery.again();
        self.tally.retried += 1;
        set_waits(&mut self.lanes, &mut delivery, true);
        self.lanes[delivery.lane().index].gate.queue(delivery);
    }

    /// The handler said `reject`: no retry, a dead letter where the group has a topic for them.
    fn reject(&mut self, mut delivery: Delivery, failure: Failure) {
        delivery.failed(SystemTime::now());
        let policy = &self.group.on_failure;
        match policy.then {
            Then::Skip if policy.topic.is_none() => self.skip(delivery, failure),
            Then::Stop if policy.topic.is_none() => {
                self.tell_failure(&delivery, &failure, "the partition stops here");
                self.stick(delivery, failure.reason);
            }
            _ => self.give_up(delivery, failure),
        }
    }

    /// Sends the message to the dead-letter topic, unless too many go there already.
    fn give_up(&mut self, delivery: Delivery, failure: Failure) {
        self.flush_share();
        let policy = &self.group.on_failure;
        if self.setup.shared.share.exceeds(self.now, policy.max_share) {
            let reason = format!(
                "more than {} % of the last minute's messages would be dead letters; the group stops: {}",
                policy.max_share * 100.0,
                failure.reason
            );
            self.tell_failure(&delivery, &failure, "the group stops here");
            self.setup.shared.halt(&reason);
            self.tally.halted = true;
            self.stick(delivery, reason);
            return;
        }
        self.dead_letter(delivery, failure);
    }

    /// Sends the message to the dead-letter topic.
    pub(super) fn dead_letter(&mut self, delivery: Delivery, failure: Failure) {
        // Now and not when it is acknowledged: by then many more could be on their way.
        self.setup.shared.share.add(self.now, 1, 1);
        let policy = &self.group.on_failure;
        let topic = policy.dead_letter_topic(&delivery.record().topic);
        self.tell_failure(&delivery, &failure, "dead letter");
        let last = LastAttempt {
            record: delivery.record(),
            attempts: delivery.attempt(),
            first_failure: delivery.first_failure(),
            failure: &failure,
        };
        let letter = Letter::new(
            topic,
            &last,
            &self.setup.group_id,
            self.handler.program().version(),
        );
        self.call_on_failed(&delivery, &failure);
        self.send(delivery, Verdict::DeadLettered, Some(letter));
    }

    fn skip(&mut self, delivery: Delivery, failure: Failure) {
        self.tell_failure(&delivery, &failure, "skipped");
        self.call_on_failed(&delivery, &failure);
        self.send(delivery, Verdict::Skipped, None);
    }

    /// Calls `on_failed`; what it emits goes along, and if it fails itself nothing of it does.
    fn call_on_failed(&mut self, delivery: &Delivery, failure: &Failure) {
        let outcome =
            self.handler
                .on_failed(delivery.record(), delivery.attempt(), &failure.reason);
        if let Outcome::Failed(failure) | Outcome::Rejected(failure) = outcome {
            self.tell_failure(delivery, &failure, "in on_failed");
        }
    }

    /// Makes what follows this message wait.
    pub(super) fn close_gate(&mut self, delivery: &mut Delivery) {
        let id = delivery.lane();
        if !delivery.holds_gate()
            && let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id)
        {
            lane.gate.close(delivery.record());
            delivery.set_holds_gate(true);
        }
    }

    /// Lets what waited behind this message go on.
    pub(super) fn open_gate(&mut self, delivery: &mut Delivery) {
        if !delivery.holds_gate() {
            return;
        }
        delivery.set_holds_gate(false);
        let id = delivery.lane();
        if let Some(lane) = self.lanes.get_mut(id.index).filter(|lane| lane.id == id) {
            lane.ready.extend(lane.gate.open(delivery.record()));
        }
    }

    /// The only way out for a delivery.
    pub(super) fn end(&mut self, mut delivery: Delivery, verdict: Verdict) {
        self.open_gate(&mut delivery);
        set_waits(&mut self.lanes, &mut delivery, false);
        let id = delivery.lane();
        let record = delivery.end();
        self.under_way -= 1;
        self.under_way_bytes -= record.size();
        if verdict.is_finished()
            && let Some(lane) = self.lanes.get_mut(id.index)
            && lane.finish(id, &record)
        {
            self.tally.ended(&lane.partition.topic, verdict);
        }
        self.recycle(record);
    }

    /// One line for a failure, and the script's place where it is known.
    fn tell_failure(&mut self, delivery: &Delivery, failure: &Failure, what_next: &str) {
        let Some(left_out) = self.tally.lines.may_tell(self.now) else {
            return;
        };
        let record = delivery.record();
        let frame = failure
            .diagnostic
            .as_ref()
            .map(|diagnostic| diagnostic.frame());
        if left_out > 0 {
            tracing::warn!("{left_out} more failures were not logged");
        }
        tracing::warn!(
            topic = %record.topic,
            partition = record.partition,
            offset = record.offset,
            frame,
            "handler failed ({what_next}): {}",
            failure.reason
        );
    }
}
