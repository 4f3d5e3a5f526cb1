//! Transactions as a precondition: whether the cluster can give them, looked at before a group with
//! `guarantee = "exactly_once"` starts.

use crate::config::{Group, Guarantee};

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
        let warnings = self.ask(async || self.admin.check_transactions().await);
        for warning in warnings.await.map_err(|error| error.message)? {
            tracing::warn!("group {name}: {warning}");
        }
        Ok(())
    }
}
