//! A member's sending: a handler's emits go out in order, and their acknowledgements come in.

use std::sync::Arc;
use std::time::Instant;

use crate::delivery::{Delivery, Verdict};
use crate::kafka::{Emitter, KafkaError, Outgoing, SendError};
use crate::script::Failure;

use super::letter::Letter;
use super::rehearsal::receipt;
use super::turn::Member;

/// A message whose emits are not all acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    /// `None` once its partition is gone: its acknowledgements are then only counted off.
    pub(super) delivery: Option<Delivery>,
    /// What it becomes when everything is acknowledged.
    verdict: Verdict,
    outstanding: usize,
    /// Whether all its emits are queued.
    sealed: bool,
    error: Option<Failure>,
    pub(super) since: Instant,
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

/// How far sending got.
enum Progress {
    All,
    /// The producer's queue is full.
    Full,
    Refused(String),
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
        if letter.is_none() && self.rehearsal.is_none() && self.handler.effects().no_emits() {
            self.open_gate(&mut delivery);
            self.end(delivery, verdict);
            return;
        }
        let ticket = self.flights.insert(Flight {
            delivery: Some(delivery),
            verdict,
            outstanding: 0,
            sealed: false,
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
        let ticket = sending.ticket as u64;
        let effects = self.handler.effects();
        for emit in effects.emits().skip(sending.next) {
            let mut headers = emit.headers();
            let mut outgoing = Outgoing::of(&emit, &mut headers);
            if let Some(rehearsal) = &self.rehearsal {
                outgoing.topic = rehearsal.temporary(outgoing.topic);
            }
            match emitter.send(outgoing, ticket) {
                Ok(()) => {
                    sending.next += 1;
                    flight.outstanding += 1;
                }
                Err(SendError::Full) => return Progress::Full,
                Err(SendError::Refused(error)) => {
                    return Progress::Refused(format!("emit to {}: {error}", emit.topic()));
                }
            }
        }
        let (Some(letter), Some(delivery)) = (&sending.letter, &flight.delivery) else {
            return Progress::All;
        };
        let record = delivery.record();
        let mut headers = record.headers().chain(letter.headers());
        let outgoing = Outgoing {
            topic: &letter.topic,
            partition: None,
            timestamp: None,
            key: record.key(),
            value: record.value(),
            headers: &mut headers,
        };
        match emitter.send(outgoing, ticket) {
            Ok(()) => {
                flight.outstanding += 1;
                Progress::All
            }
            Err(SendError::Full) => Progress::Full,
            Err(SendError::Refused(error)) => Progress::Refused(error.message),
        }
    }

    fn queue_receipt(&mut self, ticket: usize) -> Progress {
        let (Some(rehearsal), Some(emitter)) = (&self.rehearsal, &self.emitter) else {
            return Progress::All;
        };
        let flight = &mut self.flights[ticket];
        let Some(delivery) = &flight.delivery else {
            return Progress::All;
        };
        let receipt = receipt(delivery, flight.verdict).to_string();
        let outgoing = Outgoing {
            topic: &rehearsal.receipts,
            partition: Some(0),
            timestamp: None,
            key: None,
            value: Some(receipt.as_bytes()),
            headers: &mut std::iter::empty(),
        };
        match emitter.send(outgoing, ticket as u64) {
            Ok(()) => {
                flight.outstanding += 1;
                Progress::All
            }
            Err(SendError::Full) => Progress::Full,
            Err(SendError::Refused(error)) => Progress::Refused(error.message),
        }
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
        let mut acknowledgements = std::mem::take(&mut self.acknowledgements);
        emitter.take_acknowledgements(&mut acknowledgements);
        for acknowledgement in acknowledgements.drain(..) {
            let ticket = acknowledgement.ticket as usize;
            let Some(flight) = self.flights.get_mut(ticket) else {
                debug_assert!(false, "ticket {ticket} was acknowledged twice");
                continue;
            };
            flight.outstanding -= 1;
            if let Some(error) = acknowledgement.error {
                self.emitter_failed |= error.fatal;
                flight.error.get_or_insert_with(|| failure(error.message));
            }
            if flight.sealed && flight.outstanding == 0 {
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
            Some(error) if flight.verdict == Verdict::Handled => self.fail(delivery, error),
            Some(error) => {
                let reason = format!("its dead letter can not be written: {}", error.reason);
                self.stick(delivery, reason);
            }
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

fn failure(reason: String) -> Failure {
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
