//! What a step asks of the brokers again until they answer.

use std::time::{Duration, Instant};

use crate::kafka::{KafkaError, Outage};
use crate::observe::status::{BrokerState, DaemonState};

use super::Running;

/// Between attempts.
const AGAIN: Duration = Duration::from_secs(1);

/// A reload gives brokers that are away so long.
const PATIENCE: Duration = Duration::from_secs(15);

impl Running {
    /// Asks until there is an answer or an error that does not pass by itself. At the daemon's start this
    /// waits for the brokers for as long as it takes, and for who may give it a right; a reload gives up.
    ///
    /// # Errors
    /// The last one.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFn() -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let began = Instant::now();
        let mut outage = Outage::new();
        loop {
            let error = match question().await {
                Ok(answer) => {
                    if let Some(line) = outage.over(Instant::now()) {
                        tracing::info!("{line}");
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let again = match self.is_starting() {
                true => error.passes(),
                false => (error.is_outage() || error.retriable) && began.elapsed() <= PATIENCE,
            };
            if !again {
                return Err(error);
            }
            self.wait_for_broker(&error, &mut outage).await;
        }
    }

    async fn wait_for_broker(&self, error: &KafkaError, outage: &mut Outage) {
        if !error.is_outage() && !error.is_denied() {
            // Such as a coordinator that is still loading.
            tracing::debug!("{error}; trying again");
        } else if let Some((line, hint)) = outage.error(error, Instant::now()) {
            tracing::warn!(hint, "{line}");
        }
        if self.is_starting() {
            self.ground.board.set_state(DaemonState::WaitingForBroker);
        }
        if error.is_outage() {
            let reason = Some(error.message.clone());
            self.ground
                .board
                .set_broker_state(BrokerState::Down, reason);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
