//! A member's producer: `send`, then `take_acknowledgements` when `wake` tells.
//!
//! No thread of its own polls it: librdkafka tells `wake` when reports are there, and the member takes
//! them on its own thread, which saves a hand-over for each of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::context::{Context, lock};
use super::error::KafkaError;
use super::producing::Producing;
use super::{Acknowledgement, Cluster, Outgoing, SendError, Statistics, settings};
use crate::config::Properties;

/// A member's own idempotent producer for what its handler emits and for dead letters.
///
/// Messages to one partition are written in the order sent, and never time out. Dropping it gives up
/// what is not acknowledged, without waiting.
pub struct Emitter {
    /// Reports that a flush took before they were asked for.
    early: Mutex<Vec<Acknowledgement>>,
    producing: Arc<Producing>,
}

impl Emitter {
    /// `wake` is told when acknowledgements have arrived; `buffer` bounds what is unacknowledged, in bytes.
    pub fn new(
        cluster: &Cluster,
        properties: &Properties,
        client_id: &str,
        buffer: u64,
        wake: Arc<Notify>,
    ) -> Result<Emitter, KafkaError> {
        let config = settings::producer(
            cluster,
            properties,
            client_id,
            buffer,
            settings::EMITTER_LINGER,
        );
        let context = Context::new(client_id, &cluster.servers);
        let producing = Producing::new(&config, context, Some(&wake))?;
        Ok(Self::over(Arc::new(producing)))
    }

    /// Sends through a producer that others use too.
    pub(super) fn over(producing: Arc<Producing>) -> Emitter {
        Emitter {
            early: Mutex::default(),
            producing,
        }
    }

    /// Queues one message. After [`SendError::Full`] build it anew: its headers are used up.
    pub fn send(&self, outgoing: Outgoing<'_, '_>, ticket: u64) -> Result<(), SendError> {
        self.producing.send(outgoing, ticket as usize)
    }

    /// Moves the acknowledgements that arrived since the last call into `into`.
    pub fn take_acknowledgements(&self, into: &mut Vec<Acknowledgement>) {
        into.append(&mut lock(&self.early));
        // Asking librdkafka costs a lock and a clock: not for each message of a handler that emits nothing.
        if self.producing.told() {
            while self.producing.reports(Duration::ZERO, |ticket, error| {
                into.push(Acknowledgement { ticket, error });
            }) {}
        }
    }

    /// Sends what is queued and waits for the acknowledgements, at most `timeout`. Blocks.
    ///
    /// The acknowledgements come with the next [`Emitter::take_acknowledgements`].
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        let early = &mut *lock(&self.early);
        self.producing.flush(timeout, |ticket, error| {
            early.push(Acknowledgement { ticket, error });
        })
    }

    /// The next error that concerns the producer as a whole, such as brokers that are away.
    pub fn next_error(&self) -> Option<KafkaError> {
        self.producing.context().next_error()
    }

    /// librdkafka's statistics since the last call, if there are new ones.
    pub fn statistics(&self) -> Option<Statistics> {
        self.producing.context().statistics()
    }

    /// Ends the linger of what is queued; does not wait.
    pub fn hurry(&self) {
        self.producing.client().hurry();
    }

    /// Whether it can send nothing any more.
    pub fn is_broken(&self) -> bool {
        self.producing.is_broken()
    }

    /// Messages that are queued or on their way.
    pub fn unfinished(&self) -> usize {
        self.producing.unfinished()
    }
}
