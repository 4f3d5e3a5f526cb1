//! Chains: `d.address?.city`, `items[0].sku`, `msg.key.trim()`; Rhai's `eval/chaining.rs` and
//! `eval/indexing.rs`.
//!
//! `chain`, `reach`, `method` and `message` are for those that only read JSON and the message: nothing of
//! them becomes a Rhai value. `path`, `links`, `fields` and `read` are for all others.

pub(super) mod chain;
pub(super) mod fields;
pub(super) mod links;
pub(super) mod message;
mod method;
pub(super) mod path;
pub(super) mod reach;
mod read;
