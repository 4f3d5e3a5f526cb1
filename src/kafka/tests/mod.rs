//! What the room promises, run on the embedded broker.

mod consumer;
mod producing;
mod reading;
mod topics;
