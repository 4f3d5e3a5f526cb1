//! A member's sending: a handler's emits go out in order, and their acknowledgements come in.

use std::sync::Arc;
use std::time::Instant;

use crate::delivery::{Delivery, LaneId, Verdict};
use crate::kafka::{Emitter, KafkaError, Outgoing, Partition, SendError};
use crate::script::Failure;

use super::letter::Letter;
use super::turn::Member;

/// A message whose emits are not all acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    /// `None` once its partition is gone: its acknowledgements are then only counted off.
    pub(super) delivery: Option<Delivery>,
    lane: LaneId,
    offset: i64,
    /// What it becomes when everything is acknowledged.
    verdict: Verdict,
    outstanding: usize,
    /// Whether all its emits are queued.
    sealed: bool,
    /// Whether anything of it was queued, be it acknowledged or not.
    queued: bool,
    error: Option<Failure>,
    pub(super) since: Instant,
}

impl Flight {
    /// Nothing more of it is sent.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
    }

    /// Notes what the producer said to one of its messages.
    fn note(&mut self, said: Result<(), SendError>, in_transactions: bool) -> Progress {
        match said {
            Ok(()) => {
                self.outstanding += 1;
                self.queued = true;
                Progress::All
            }
            Err(SendError::Full) => Progress::Full,
            Err(SendError::Refused(error)) if in_transactions && !is_of_message(&error) => {
                Progress::Doomed(error)
            }
            Err(SendError::Refused(error)) => Progress::Refused(error.message),
        }
    }

    /// Whether something of it is neither acknowledged nor refused.
    pub(super) fn is_outstanding(&self) -> bool {
        self.outstanding > 0
    }
}

/// The message whose effects are going out.
#[derive(Debug)]
pub(super) struct Sending {
    ticket: usize,
    /// The first emit that is not queued yet.
    next: usize,
    /// Goes after the emits.
    letter: Option<Letter>,
    /// In a rehearsal: emits and letter are queued, and their receipt is not.
    receipt_only: bool,
}

impl Sending {
    pub(super) fn ticket(&self) -> usize {
        self.ticket
    }
}

/// How far sending got.
enum Progress {
    All,
    /// The producer's queue is full.
    Full,
    Refused(String),
    /// It is the transaction that takes nothing more.
    Doomed(KafkaError),
}

impl Member {
    /// Queues the effects of the last call, and after them the dead letter; the message ends with
    /// `verdict` when all of it is acknowledged.
    pub(super) fn send(
        &mut self,
        mut delivery: Delivery,
        verdict: Verdict,
        letter: Option<Letter>,
    ) {
        self.count_user_metrics();
        let nothing_to_send =
            letter.is_none() && self.rehearsal.is_none() && self.handler.effects().no_emits();
        if self.exactly_once.is_some() {
            let letter = letter.as_ref().map_or(0, |_| delivery.record().size());
            let bytes = self.handler.effects().size() + letter;
            if !self.enter_transaction(&delivery, bytes, !nothing_to_send) {
                return self.read_later(delivery);
            }
        }
        if nothing_to_send {
            self.open_gate(&mut delivery);
            self.end(delivery, verdict);
            return;
        }
        let ticket = self.flights.insert(Flight {
            lane: delivery.lane(),
            offset: delivery.record().offset,
            delivery: Some(delivery),
            verdict,
            outstanding: 0,
            sealed: false,
            queued: false,
            error: None,
            since: self.now,
        });
        self.sending = Some(Sending {
            ticket,
            next: 0,
            letter,
            receipt_only: false,
        });
        self.push_out();
    }

    /// Goes on with what did not fit into the producer's queue.
    pub(super) fn push_out(&mut self) {
        let Some(mut sending) = self.sending.take() else {
            return;
        };
        let error = match self.queue_all(&mut sending) {
            Progress::Full => {
                self.sending = Some(sending);
                return;
            }
            Progress::All => None,
            Progress::Refused(reason) => Some(failure(reason)),
            Progress::Doomed(error) => {
                self.producer_failed(error);
                return self.drop_flight(sending.ticket);
            }
        };
        let flight = &mut self.flights[sending.ticket];
        flight.sealed = true;
        let refused = error.is_some();
        flight.error = error.or(flight.error.take());
        let outstanding = flight.outstanding;
        if let Some(mut delivery) = flight.delivery.take() {
            // What follows may start now: its emits come after these. Not so if this one failed, now
            // or before: emits that the broker refuses must not be refused together with their
            // neighbours in a batch again and again.
            if refused || delivery.attempt() > 1 {
                self.close_gate(&mut delivery);
            } else {
                self.open_gate(&mut delivery);
            }
            self.flights[sending.ticket].delivery = Some(delivery);
        }
        if outstanding == 0 {
            self.land(sending.ticket);
        }
    }

    /// The effects, and in a rehearsal their receipt.
    fn queue_all(&mut self, sending: &mut Sending) -> Progress {
        if !sending.receipt_only {
            match self.queue_effects(sending) {
                Progress::All => sending.receipt_only = true,
                not_all => return not_all,
            }
        }
        self.queue_receipt(sending.ticket)
    }

    fn queue_effects(&mut self, sending: &mut Sending) -> Progress {
        // One that was denied something while it had nothing to do is of no more use, also when it has the
        // right by now.
        if self.flights.len() == 1
            && sending.next == 0
            && self.exactly_once.is_none()
            && self.emitter.as_ref().is_some_and(Emitter::is_broken)
        {
            self.emitter = None;
            self.emitter_failed = false;
        }
        if let Err(error) = self.make_emitter() {
            return Progress::Refused(error.message);
        }
        // Before any of them leaves.
        if sending.next == 0
            && let Some(refusal) = self.refused_topic()
        {
            return Progress::Refused(refusal);
        }
        let (Some(emitter), Some(flight)) = (&self.emitter, self.flights.get_mut(sending.ticket))
        else {
            return Progress::All;
        };
        let in_transactions = self.exactly_once.is_some();
        let ticket = sending.ticket as u64;
        let effects = self.handler.effects();
        for emit in effects.emits().skip(sending.next) {
            let mut headers = emit.headers();
            let mut outgoing = Outgoing::of(&emit, &mut headers);
            if let Some(rehearsal) = &self.rehearsal {
                outgoing.topic = rehearsal.temporary(outgoing.topic);
            }
            match flight.note(emitter.send(outgoing, ticket), in_transactions) {
                Progress::All => sending.next += 1,
                Progress::Refused(reason) => {
                    return Progress::Refused(format!("emit to {}: {reason}", emit.topic()));
                }
                stopped => return stopped,
            }
        }
        let (Some(letter), Some(delivery)) = (&sending.letter, &flight.delivery) else {
            return Progress::All;
        };
        let said = letter.send(emitter, delivery.record(), ticket);
        flight.note(said, in_transactions)
    }

    fn queue_receipt(&mut self, ticket: usize) -> Progress {
        let (Some(rehearsal), Some(emitter)) = (&self.rehearsal, &self.emitter) else {
            return Progress::All;
        };
        let flight = &mut self.flights[ticket];
        let Some(delivery) = &flight.delivery else {
            return Progress::All;
        };
        let said = rehearsal.send_receipt(emitter, delivery, flight.verdict, ticket as u64);
        flight.note(said, self.exactly_once.is_some())
    }

    /// Why one of the emits may not be sent, so that none is.
    fn refused_topic(&mut self) -> Option<String> {
        let effects = self.handler.effects();
        if let Some(rehearsal) = &mut self.rehearsal {
            return rehearsal.refuses(effects, &self.setup);
        }
        effects.emits().find_map(|emit| {
            self.tally
                .refuses_topic(emit.topic(), &self.group, &self.setup)
        })
    }

    /// Makes the emitter of a handler that will need one, so that it connects while the member learns
    /// where to begin.
    pub(super) fn prepare_to_emit(&mut self, partitions: &[Partition]) {
        let will_emit = !partitions.is_empty() && self.setup.slot.current().may_emit();
        if will_emit && let Err(error) = self.make_emitter() {
            tracing::debug!(%error, "no producer yet; it is made when the handler emits");
        }
    }

    fn make_emitter(&mut self) -> Result<(), KafkaError> {
        if self.emitter.is_none() {
            self.emitter = Some(Emitter::new(
                &self.setup.cluster,
                &self.group.properties,
                &format!("{}-{}", self.setup.cluster.instance, self.name),
                self.group.buffer / 4,
                self.inbox.wake.clone(),
            )?);
        }
        Ok(())
    }

    /// Hears which emits the broker has acknowledged or refused.
    pub(super) fn take_acknowledgements(&mut self) {
        let Some(emitter) = &self.emitter else {
            return;
        };
        let in_transactions = self.exactly_once.is_some();
        let mut acknowledgements = std::mem::take(&mut self.acknowledgements);
        emitter.take_acknowledgements(&mut acknowledgements);
        for acknowledgement in acknowledgements.drain(..) {
            let ticket = acknowledgement.ticket as usize;
            let Some(flight) = self.flights.get_mut(ticket) else {
                debug_assert!(false, "ticket {ticket} was acknowledged twice");
                continue;
            };
            flight.outstanding -= 1;
            let landed = flight.sealed && flight.outstanding == 0;
            match acknowledgement.error {
                // What goes with the transaction is no failure of its own.
                Some(error) if in_transactions && !is_of_message(&error) => {
                    if flight.delivery.is_some() {
                        self.producer_failed(error);
                    }
                    self.drop_flight(ticket);
                    continue;
                }
                Some(error) if in_transactions && flight.delivery.is_none() => {
                    let (lane, offset) = (flight.lane, flight.offset);
                    self.suspect(lane, offset, error.message);
                }
                Some(error) => {
                    self.emitter_failed |= error.fatal;
                    flight.error.get_or_insert_with(|| failure(error.message));
                }
                None => {}
            }
            if landed {
                self.land(ticket);
            }
        }
        self.acknowledgements = acknowledgements;
        if self.emitter_failed
            && self
                .flights
                .iter()
                .all(|(_, flight)| flight.outstanding == 0)
        {
            self.emitter = None;
            self.emitter_failed = false;
        }
    }

    /// Everything that a message emitted is acknowledged or refused.
    fn land(&mut self, ticket: usize) {
        let flight = self.flights.remove(ticket);
        let Some(delivery) = flight.delivery else {
            return;
        };
        match flight.error {
            None => self.end(delivery, flight.verdict),
            Some(error) if flight.queued && self.exactly_once.is_some() => {
                self.undo(delivery, flight.verdict, error);
            }
            Some(error) if flight.verdict == Verdict::Handled => self.fail(delivery, error),
            Some(error) => {
                let reason = not_given_up(flight.verdict, &error.reason);
                self.stick(delivery, reason);
            }
        }
    }

    /// Its message goes with the transaction that it is in; what is on its way is only counted off.
    fn drop_flight(&mut self, ticket: usize) {
        let flight = &mut self.flights[ticket];
        flight.seal();
        let delivery = flight.delivery.take();
        if !flight.is_outstanding() {
            self.flights.remove(ticket);
        }
        if let Some(delivery) = delivery {
            self.read_later(delivery);
        }
    }

    fn count_user_metrics(&mut self) {
        let effects = self.handler.effects();
        for (name, n) in &effects.counts {
            self.setup.observer.count(name, *n);
        }
        for (name, value) in &effects.observations {
            self.setup.observer.observe(name, *value);
        }
    }
}

/// Whether it is the message that was refused, and not everything of its transaction or its producer.
fn is_of_message(error: &KafkaError) -> bool {
    const OF_ALL: &[&str] = &[
        "_STATE",
        "_PURGE_QUEUE",
        "_PURGE_INFLIGHT",
        "_INCONSISTENT",
        "_DESTROY",
        "_FENCED",
        "PRODUCER_FENCED",
        "INVALID_PRODUCER_EPOCH",
        "INVALID_PRODUCER_ID_MAPPING",
        "INVALID_TXN_STATE",
        "UNKNOWN_PRODUCER_ID",
        "OUT_OF_ORDER_SEQUENCE_NUMBER",
        "DUPLICATE_SEQUENCE_NUMBER",
        "TRANSACTION_COORDINATOR_FENCED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "CONCURRENT_TRANSACTIONS",
    ];
    !error.fatal && !error.retriable && !OF_ALL.contains(&error.code.as_str())
}

/// Why a message that was to be given up is not: what goes with that was refused.
pub(super) fn not_given_up(verdict: Verdict, why: &str) -> String {
    match verdict {
        Verdict::Skipped => format!("what `on_failed` emits can not be written: {why}"),
        _ => format!("its dead letter can not be written: {why}"),
    }
}

pub(super) fn failure(reason: String) -> Failure {
    Failure {
        reason,
        diagnostic: None,
    }
}

/// Topics that may be emitted to, asked once each.
#[derive(Debug, Default)]
pub(super) struct KnownTopics(Vec<Arc<str>>);

impl KnownTopics {
    /// Whether the topic was found good before.
    pub(super) fn contains(&self, topic: &Arc<str>) -> bool {
        // A handler emits to very few topics, and its names are interned: nearly always the first look.
        self.0
            .iter()
            .any(|known| Arc::ptr_eq(known, topic) || known == topic)
    }

    pub(super) fn add(&mut self, topic: &Arc<str>) {
        self.0.push(topic.clone());
    }
}
