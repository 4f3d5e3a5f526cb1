//! A member in a rehearsal, as `deliveryd verify` runs it: what the handler emits goes to temporary
//! topics, which are made when they are first needed, and each message that is finished leaves a receipt.
//!
//! The receipt goes with the message's own effects: after its emits, in the same transaction if there is
//! one, and the message is finished only when the receipt is acknowledged too.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Group, Stage};
use crate::delivery::{Delivery, Effects, Receipt, Stamp, Verdict};
use crate::kafka::{Admin, Emitter, Outgoing, SendError};
use crate::script::Caller;

use super::Setup;
use super::publish::refusal;

/// What a rehearsed member has beside the others.
pub(super) struct Rehearsal {
    stage: Arc<Stage>,
    /// Made when the first topic is needed.
    admin: Option<Admin>,
    /// The temporary topics that are known to be there, by the real ones.
    made: HashMap<Arc<str>, String>,
    /// Where receipts go.
    receipts: String,
}

impl Rehearsal {
    /// If the group is rehearsed.
    pub(super) fn of(group: &Group) -> Option<Self> {
        let stage = group.stage.clone()?;
        Some(Self {
            receipts: stage.receipts(),
            stage,
            admin: None,
            made: HashMap::new(),
        })
    }

    /// The topic that stands for one that was let through by [`Rehearsal::refuses`].
    pub(super) fn temporary<'a>(&'a self, topic: &'a str) -> &'a str {
        self.made.get(topic).map_or(topic, String::as_str)
    }

    /// Why one of the emits may not be sent, so that none is. Makes the topics that are to be written to.
    pub(super) fn refuses(&mut self, effects: &Effects, setup: &Setup) -> Option<String> {
        for emit in effects.emits() {
            let topic = emit.topic();
            if self.made.contains_key(topic) {
                continue;
            }
            let reads = self.stage.reads_real(topic);
            let known = self.stage.topics.contains_key(&**topic)
                || setup.shared.topics.load().contains(&**topic);
            if let Some(refusal) = refusal(topic, reads, known, &self.stage.group) {
                return Some(refusal);
            }
            match self.make(topic, setup) {
                Ok(temporary) => self.made.insert(topic.clone(), temporary),
                Err(reason) => return Some(format!("emit to {topic}: {reason}")),
            };
        }
        None
    }

    /// Queues the receipt of a message that is to end so.
    pub(super) fn send_receipt(
        &self,
        emitter: &Emitter,
        delivery: &Delivery,
        verdict: Verdict,
        ticket: u64,
    ) -> Result<(), SendError> {
        let record = delivery.record();
        let receipt = Receipt {
            stamp: Stamp::of(record),
            verdict,
            attempt: delivery.attempt(),
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        let receipt = receipt.to_string();
        let outgoing = Outgoing {
            topic: &self.receipts,
            partition: Some(0),
            timestamp: None,
            key: None,
            value: Some(receipt.as_bytes()),
            headers: &mut std::iter::empty(),
        };
        emitter.send(outgoing, ticket)
    }

    /// Blocks until the topic is there: once for each topic, and heartbeats go on meanwhile.
    fn make(&mut self, topic: &str, setup: &Setup) -> Result<String, String> {
        let admin = match self.admin.take() {
            Some(admin) => admin,
            None => Admin::new(&setup.cluster, None).map_err(|error| error.message)?,
        };
        let temporary = self.stage.temporary(topic);
        let made = admin.create_like(&temporary, topic, self.stage.topics.get(topic));
        self.admin = Some(admin);
        made.map(|_| temporary).map_err(|error| error.message)
    }
}

/// The group and the member as the handler sees them.
pub(super) fn caller(group_id: &Arc<str>, member: &Arc<str>, group: &Group) -> Caller {
    let (mut own, mut name) = (group_id.clone(), member.clone());
    if let Some(stage) = &group.stage {
        let number = member.strip_prefix(&**group_id).unwrap_or_default();
        name = format!("{}{number}", stage.group).into();
        own = stage.group.as_str().into();
    }
    Caller {
        group: own,
        member: name,
    }
}
