//! deliveryd: Kafka consumer groups as configuration.

pub mod cli;
pub mod config;
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
pub mod signals;
pub mod topology;

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
