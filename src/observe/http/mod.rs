//! The HTTP side: status page, metrics, health. It reads snapshots and changes nothing.
//!
//! [`bind`] takes the address while the daemon can still refuse to start; [`HttpServer::serve`]
//! answers until it is told to stop. What a stranger can do is bounded here: connections, their
//! time, their headers; bodies are not read.

mod events;
mod health;
mod host;
mod routes;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::board::Board;
use super::history::History;
use super::metrics::Metrics;
use crate::serving::{Bounds, Ending};
pub use host::FurtherHosts;
use host::Hosts;

/// Event streams at a time, which stay open; fewer, so that probes and scrapers find a place.
const STREAMS: usize = 32;
/// A reader that stops reading does not hold its place forever.
const BOUNDS: Bounds = Bounds {
    who: "the status page",
    connections: 64,
    read_headers: Duration::from_secs(10),
    connection: Some(Duration::from_secs(600)),
    farewell: Duration::from_secs(1),
    // Browsers and probes hang up as they like.
    broken: |error| tracing::trace!("HTTP connection: {error}"),
};

/// Why the page can not be served.
#[derive(Debug, thiserror::Error)]
#[error("the status page can not listen on {address}: {}; {}", cause(.source), way_out(.source))]
pub struct BindError {
    pub address: SocketAddr,
    pub source: io::Error,
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has this port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
        io::ErrorKind::PermissionDenied => "it takes a privilege to listen there".to_owned(),
        _ => error.to_string(),
    }
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "set `daemon.http` to a port above 1023, or to \"off\" for none"
        }
        _ => "set `daemon.http` to another address, or to \"off\" for none",
    }
}

/// Takes the address. Port 0 takes any that is free; [`HttpServer::address`] says which.
///
/// # Errors
/// When it can not be had: which, why, and what to set.
pub fn bind(address: SocketAddr) -> Result<HttpServer, BindError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(HttpServer { listener, address })
    };
    listen().map_err(|source| BindError { address, source })
}

/// An address that is taken and not served yet.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the answers are made from.
#[derive(Clone)]
struct App {
    board: Board,
    metrics: Metrics,
    history: History,
    hosts: Arc<Hosts>,
    streams: Arc<Semaphore>,
    /// Becomes true at the end, so that event streams finish.
    stopping: watch::Receiver<bool>,
}

impl HttpServer {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then ends within about a second. `hosts` are further names
    /// that the page answers to.
    ///
    /// # Errors
    /// When the listener can not be handed to the runtime.
    pub async fn serve(
        self,
        board: Board,
        metrics: Metrics,
        history: History,
        hosts: FurtherHosts,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let (ending, stopped) = Ending::new();
        let instance = board.snapshot().instance;
        let router = routes::router(App {
            history,
            hosts: Arc::new(Hosts::new(self.address.ip(), &instance, hosts)),
            board,
            metrics,
            streams: Arc::new(Semaphore::new(STREAMS)),
            stopping: stopped,
        });
        tokio::select! {
            () = stop => {}
            () = ending.accept(BOUNDS, &listener, |_| router.clone()) => {}
        }
        drop(listener);
        ending.end().await;
        Ok(())
    }
}
