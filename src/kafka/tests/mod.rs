//! What the room promises, run on the embedded broker, or on one that answers by the test's book.

mod consumer;
mod forgotten;
mod groups;
mod producing;
mod reading;
mod topics;
