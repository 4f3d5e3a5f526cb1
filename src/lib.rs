//! deliveryd: Kafka consumer groups as configuration.

pub mod config;
pub mod delivery;
pub mod diagnostic;
pub mod handlers;
pub mod kafka;
pub mod producer;
pub mod script;
pub mod topology;
