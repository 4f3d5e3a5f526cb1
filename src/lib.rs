//! deliveryd: Kafka consumer groups as configuration.

pub mod config;
pub mod delivery;
pub mod diagnostic;
pub mod kafka;
pub mod observe;
pub mod script;
