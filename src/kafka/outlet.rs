//! Messages that become visible all at once or not at all, for whoever is no member of a group:
//! [`Outlet::send`], then [`Outlet::settle`] and [`Outlet::commit`], or [`Outlet::abort`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::emitter::Emitter;
use super::error::KafkaError;
use super::transactions::{TransactionOutcome, Transactions};
use super::{Acknowledgement, Cluster, Outgoing, SendError};
use crate::config::Group;

/// A producer in transactions under an id that only one process can have: whoever takes it next ends
/// what this one has open, and this one can write no more.
pub struct Outlet {
    emitter: Emitter,
    transactions: Transactions,
    wake: Arc<Notify>,
    begun: bool,
    /// Sent and not acknowledged.
    outstanding: usize,
    /// The first refusal of this transaction.
    refused: Option<KafkaError>,
    acknowledgements: Vec<Acknowledgement>,
    told_trouble: Option<Instant>,
}

/// How often is looked for what tells nobody.
const LOOK: Duration = Duration::from_millis(200);
/// Between two lines about a broker that keeps it waiting.
const TELL_AGAIN: Duration = Duration::from_secs(10);

impl Outlet {
    /// Takes the transactional id. The settings are those of the group's own producers.
    ///
    /// # Errors
    /// There are no transactions for this client.
    pub async fn open(cluster: &Cluster, group: &Group, id: &str) -> Result<Outlet, KafkaError> {
        let wake = Arc::new(Notify::new());
        let (emitter, transactions) = Transactions::new(cluster, group, id, wake.clone())?;
        let mut outlet = Outlet {
            emitter,
            transactions,
            wake,
            begun: false,
            outstanding: 0,
            refused: None,
            acknowledgements: Vec::new(),
            told_trouble: None,
        };
        outlet.transactions.init(Duration::ZERO);
        match outlet.outcome().await {
            TransactionOutcome::MustAbort(error) | TransactionOutcome::Broken(error) => {
                Err(error.while_trying(&format!("the transactional id {id}")))
            }
            _ => Ok(outlet),
        }
    }

    /// Queues a message of the transaction, which begins with its first. After [`SendError::Full`] wait
    /// for [`Outlet::room`] and build it anew.
    pub fn send(&mut self, outgoing: Outgoing<'_, '_>) -> Result<(), SendError> {
        if !self.begun {
            self.transactions.begin().map_err(SendError::Refused)?;
            self.begun = true;
        }
        self.emitter.send(outgoing, 0)?;
        self.outstanding += 1;
        Ok(())
    }

    /// Waits until something has been acknowledged, or refused, of which [`Outlet::settle`] tells.
    pub async fn room(&mut self) {
        let before = self.outstanding;
        self.emitter.hurry();
        while self.outstanding == before && self.refused.is_none() {
            self.hear().await;
        }
    }

    /// Whether the transaction can only be aborted; [`Outlet::settle`] tells why.
    pub fn has_failed(&self) -> bool {
        self.refused.is_some()
    }

    /// Waits until everything sent is acknowledged.
    ///
    /// # Errors
    /// What the broker refused first: the transaction can only be aborted.
    pub async fn settle(&mut self) -> Result<(), KafkaError> {
        self.emitter.hurry();
        while self.outstanding > 0 && self.refused.is_none() {
            self.hear().await;
        }
        self.refused.take().map_or(Ok(()), Err)
    }

    /// Makes everything visible that has settled.
    ///
    /// # Errors
    /// Nothing of it is visible, and this outlet is of no more use.
    pub async fn commit(&mut self) -> Result<(), KafkaError> {
        if !self.begun {
            return Ok(());
        }
        self.transactions.commit_alone();
        match self.outcome().await {
            TransactionOutcome::MustAbort(error) | TransactionOutcome::Broken(error) => Err(error),
            _ => {
                self.begun = false;
                Ok(())
            }
        }
    }

    /// Takes everything back that was sent since the last commit.
    ///
    /// # Errors
    /// This outlet is of no more use; the broker takes it back by itself.
    pub async fn abort(&mut self) -> Result<(), KafkaError> {
        if !self.begun {
            return Ok(());
        }
        self.transactions.abort();
        if let TransactionOutcome::Broken(error) = self.outcome().await {
            return Err(error);
        }
        self.begun = false;
        while self.outstanding > 0 {
            self.rest().await;
            self.take_acknowledgements();
        }
        self.refused = None;
        Ok(())
    }

    /// Waits for the end of a job; takes acknowledgements, for which it may wait itself.
    async fn outcome(&mut self) -> TransactionOutcome {
        loop {
            self.take_acknowledgements();
            if let Some(outcome) = self.transactions.outcome() {
                return outcome;
            }
            self.tell_trouble();
            self.rest().await;
        }
    }

    async fn hear(&mut self) {
        self.take_acknowledgements();
        // A transaction that has failed as a whole lets nothing of it be acknowledged any more.
        if self.refused.is_none() && self.outstanding > 0 {
            self.refused = self.transactions.failure();
        }
        self.tell_trouble();
        if self.outstanding > 0 {
            self.rest().await;
        }
    }

    /// Until something is there to be heard; what tells nobody is looked for now and then.
    async fn rest(&self) {
        let told = self.wake.notified();
        tokio::time::timeout(LOOK, told).await.ok();
    }

    fn take_acknowledgements(&mut self) {
        self.emitter
            .take_acknowledgements(&mut self.acknowledgements);
        for acknowledgement in self.acknowledgements.drain(..) {
            self.outstanding = self.outstanding.saturating_sub(1);
            if self.refused.is_none() {
                self.refused = acknowledgement.error;
            }
        }
    }

    fn tell_trouble(&mut self) {
        let trouble = self.transactions.trouble();
        let Some(error) = trouble.or_else(|| self.emitter.next_error()) else {
            return;
        };
        // An answer that takes its time is no news; the brokers' absence is told by itself.
        if error.code == "_TIMED_OUT" {
            return;
        }
        let now = Instant::now();
        let told = self.told_trouble;
        if told.is_none_or(|told| now.duration_since(told) >= TELL_AGAIN) {
            self.told_trouble = Some(now);
            tracing::warn!("waiting for the brokers: {error}");
        }
    }
}
