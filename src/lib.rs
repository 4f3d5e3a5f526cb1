//! deliveryd: Kafka consumer groups as configuration.
//!
//! The rooms, from the top of the house to its ground; imports only point downwards.
//!
//! - [`cli`]: the command line, one file a subcommand. [`daemon`] starts everything, hears
//!   [`signals`], orders and news, and stops everything. [`service`] tells the service manager.
//! - [`control`]: the Unix socket that commands reach the daemon by: protocol, server, client.
//! - [`verify`]: a group rehearsed on temporary topics, in processes of its own, to prove what it
//!   promises.
//! - [`topology`]: what runs, the pure difference to what is wanted, and how to get there.
//!   [`preflight`] says everything that is wrong before anything is touched.
//! - [`member`]: the loop of one member of a group; [`producer`]: the loop of one producer;
//!   [`handlers`]: the programs that both run, watched for changes.
//! - [`script`]: Rhai in its cage, and [`kafka`]: the clients. Neither knows the other.
//! - [`delivery`]: a message, its verdict, and the tracker that says how far a commit may go.
//! - [`config`]: the settings, their layers and checks; [`diagnostic`]: how a mistake is shown.
//! - `serving`: HTTP within bounds, at a port or a socket; it knows no room.
//! - [`observe`]: logs, status, metrics, HTTP. It reads snapshots and imports nobody who writes them.
//!
//! A message's way, five files in order: `member/turn.rs` polls it, `member/work.rs` calls the
//! handler, `member/send.rs` sends what it emitted and hears the acknowledgement,
//! `delivery/tracker.rs` marks it finished, `member/commit.rs` commits the finished prefix.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod delivery;
pub mod diagnostic;
pub mod handlers;
pub mod kafka;
pub mod member;
pub mod observe;
pub mod preflight;
pub mod producer;
pub mod script;
pub mod service;
mod serving;
pub mod signals;
pub mod topology;
pub mod verify;

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
