//! What the service manager is told (sd_notify(3)): ready, reloading, stopping, and in one line what
//! goes on.
//!
//! Without `NOTIFY_SOCKET` in the environment nothing is told. Ready means that the daemon runs and
//! hears commands; it does not wait for the broker, which may come later.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::observe::Board;
use crate::observe::status::{BrokerState, DaemonState, MemberState, Status};

/// How often the line is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What an end needs beyond the time that the members have: last answers, closing the clients.
const END: Duration = Duration::from_secs(10);
/// Longer lines are cut, in characters.
const LONGEST: usize = 300;

/// The daemon runs, and hears commands.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] says that it is over, whatever came of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the service manager is not told of the reload: {error}"),
    }
}

/// The orderly stop begins, and takes at most so long.
pub fn stopping(within: Duration) {
    // Else a time limit of the unit's that is shorter would cut it off.
    let micros = u32::try_from((within + END).as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        // It was there at the start, and all else works without it.
        tracing::debug!("the service manager can not be told: {error}");
    }
}

/// Keeps the service manager's one line up to date until it is dropped.
pub async fn follow(board: Board) {
    let mut changes = board.changes();
    let mut told = String::new();
    loop {
        let line = line(&board.snapshot());
        if line != told {
            tell(&[NotifyState::Status(&line)]);
            told = line;
        }
        // Changes come with every message; nobody reads faster than this.
        tokio::time::sleep(LOOK_EVERY).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// What goes on, in one line.
pub fn line(status: &Status) -> String {
    let mut parts = vec![match status.state {
        DaemonState::Starting => "starting".to_owned(),
        DaemonState::WaitingForBroker => waiting(status),
        DaemonState::Running => format!("generation {}", status.generation),
        DaemonState::Reloading => format!("reloading; generation {} runs", status.generation),
        DaemonState::Stopping => "stopping: finishing what is in flight".to_owned(),
    }];
    if status.state == DaemonState::Running {
        if status.brokers.state == BrokerState::Down {
            parts.push(waiting(status));
        }
        let members = status.groups.values().flat_map(|group| &group.members);
        parts.push(format!(
            "{}, {}",
            counted(status.groups.len(), "group"),
            counted(members.clone().count(), "member")
        ));
        let stuck = members.filter(|member| member.state == MemberState::Stuck);
        let stuck: Vec<&str> = stuck.map(|member| member.name.as_str()).collect();
        if !stuck.is_empty() {
            parts.push(format!("stuck: {}", stuck.join(", ")));
        }
        parts.extend(refused(status));
    }
    // One line is one line, and the service manager shows no more than that.
    let line: String = parts.join("; ").replace(['\n', '\r'], " ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn waiting(status: &Status) -> String {
    let servers = &status.brokers.servers;
    match &status.brokers.reason {
        Some(reason) => {
            let again = format!("no broker at {servers}: ");
            let reason = reason.strip_prefix(&again).unwrap_or(reason);
            format!("waiting for the broker at {servers}: {reason}")
        }
        None => format!("waiting for the broker at {servers}"),
    }
}

fn refused(status: &Status) -> Option<String> {
    let last = status.last_reload.as_ref().filter(|last| !last.ok)?;
    let why = last.summary.iter().find(|line| !line.trim().is_empty());
    Some(format!(
        "reload {} refused: {}",
        last.generation,
        why.map_or("see the log", |why| why.trim())
    ))
}

fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    }
}
