//! The service manager's watchdog (`WatchdogSec=`): fed while every loop goes round.
//!
//! A process that stands still feeds nothing, and is started anew for that. Where a single loop is
//! wedged while the others go on, the watchdog is set off at once, after saying whose loop it is.

use std::time::Duration;

use sd_notify::NotifyState;

use super::notify::tell;
use crate::observe::Board;

/// Feeds the watchdog until dropped; returns at once where none is set.
pub async fn feed(board: Board) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    // At half its patience it would take one late wake-up to be too late (sd_watchdog_enabled(3)).
    let mut round = tokio::time::interval((patience / 3).max(Duration::from_millis(10)));
    let mut suspected = false;
    loop {
        round.tick().await;
        let wedged = board.wedged();
        // Twice in a row: every loop of a process that was stopped as a whole and goes on has been
        // silent, for a moment.
        if wedged.is_empty() || !suspected {
            suspected = !wedged.is_empty();
            tell(&[NotifyState::Watchdog]);
            continue;
        }
        let named: Vec<String> = wedged.iter().map(ToString::to_string).collect();
        let named = named.join(", ");
        tracing::error!("{named}: the service manager is asked to start deliveryd anew");
        tell(&[NotifyState::Status(&named), NotifyState::WatchdogTrigger]);
        return;
    }
}
