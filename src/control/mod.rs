//! The control socket: how commands reach the daemon that runs.
//!
//! [`protocol`] is what is said: HTTP/1.1 with JSON bodies, under `/v1/`. [`Socket::open`] takes the
//! place on the file system and [`Server`] answers there, handing what it can't answer from the board
//! to the daemon as [`Order`]s. [`Client`] finds the socket and asks. Nothing here knows what runs.

pub mod client;
mod exchange;
mod peer;
pub mod protocol;
mod routes;
mod server;
mod socket;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientError, Wanted};
pub use peer::Peer;
pub use server::{Order, Refusal, Reply, Server};
pub use socket::{Socket, SocketError};
