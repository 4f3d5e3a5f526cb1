//! What the black-box tests stand on: real Kafka, foreign clients, and the built daemon.
//!
//! [`Kafka`] starts brokers from jars, [`Probe`] looks at them with a client of its own, [`Tools`]
//! with Kafka's console tools, [`Setup`] starts a [`Daemon`], [`wait_for`] waits for a condition.
//! Nothing here knows deliveryd's code, only what its users see.

// Each test binary compiles this module for itself and uses its own part of it.
#![allow(dead_code, unused_imports)]

pub mod case;
pub mod cli;
pub mod daemon;
pub mod freeze;
pub mod http;
pub mod jars;
pub mod kafka;
pub mod notes;
pub mod once;
pub mod output;
pub mod ports;
pub mod probe;
pub mod process;
pub mod proxy;
pub mod run_dir;
pub mod server;
pub mod silence;
pub mod skip;
pub mod status;
pub mod tools;
pub mod wait;
pub mod writer;

pub use case::{COPY, Case};
pub use cli::Answer;
pub use daemon::{Daemon, Exit, Setup};
pub use jars::Release;
pub use kafka::{Kafka, Settings};
pub use notes::{NOTE, Note};
pub use probe::{Message, Probe};
pub use proxy::{Line, Proxies};
pub use silence::Silence;
pub use status::Status;
pub use tools::Tools;
pub use wait::wait_for;
pub use writer::Writer;

use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other test uses, so that tests can share a broker.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
