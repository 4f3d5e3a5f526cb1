//! Transactions as a precondition: whether the cluster can give them, looked at before a group with
//! `guarantee = "exactly_once"` starts.

use crate::config::{Group, Guarantee};
use crate::kafka::Outage;

use super::Running;

impl Running {
    /// Looks whether the cluster can give a group the transactions that it needs, and tells what
    /// stands against them.
    ///
    /// # Errors
    /// It can not; the sentence says what to change.
    pub(super) async fn check_transactions(&self, name: &str, group: &Group) -> Result<(), String> {
        if group.guarantee != Guarantee::ExactlyOnce {
            return Ok(());
        }
        let mut outage = Outage::new();
        loop {
            match self.admin.check_transactions().await {
                Ok(warnings) => {
                    for warning in warnings {
                        tracing::warn!("group {name}: {warning}");
                    }
                    return Ok(());
                }
                Err(error) if self.is_starting() && error.passes() => {
                    self.wait_for_broker(&error, &mut outage).await;
                }
                Err(error) => return Err(format!("group {name}: {error}")),
            }
        }
    }
}
