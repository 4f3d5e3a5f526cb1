//! What the room promises, run on the embedded broker.

mod consumer;
mod groups;
mod producing;
mod reading;
mod topics;
