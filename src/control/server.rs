//! Answers at the socket. What a caller can do wrong is bounded here: connections, headers, bodies,
//! and the time for each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::peer::Peer;
use super::protocol::{HandlerSources, Planned, Reloaded};
use super::{Socket, SocketError, routes};
use crate::observe::Board;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 32;
/// From the connection, or the end of the last answer, to the end of the next request's headers.
const READ_HEADERS: Duration = Duration::from_secs(5);
/// Bytes of one request's line and headers.
const HEADERS: usize = 16 << 10;
/// Orders that wait for the daemon.
const ORDERS: usize = 16;
/// Answers under way at the end are given this long.
const FAREWELL: Duration = Duration::from_millis(500);

/// Something that the daemon itself has to do or to answer.
#[derive(Debug)]
pub enum Order {
    /// Say what a reload would do.
    Plan(Reply<Planned>),
    /// Reload, and answer when it is in force or refused.
    Reload(Peer, Reply<Reloaded>),
    /// The program that this group runs.
    Handler(String, Reply<HandlerSources>),
}

/// Where an answer goes.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<Result<T, Refusal>>);

/// Why there is no answer, for the caller to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What the request names is not there.
    NotFound(String),
    /// Not now: the daemon starts or stops.
    Unavailable(String),
}

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<T, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers. A caller who has gone misses nothing that is not in the log too.
    pub fn send(self, answer: Result<T, Refusal>) {
        if self.0.send(answer).is_err() {
            tracing::debug!("who asked over the control socket did not wait for the answer");
        }
    }
}

/// An open socket, not answering yet.
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    listener: std::os::unix::net::UnixListener,
}

impl Server {
    /// Takes the socket's place, while the daemon can still refuse to start.
    ///
    /// # Errors
    /// See [`Socket::open`].
    pub fn open(path: &std::path::Path) -> Result<Self, SocketError> {
        let (socket, listener) = Socket::open(path)?;
        Ok(Self { socket, listener })
    }

    /// Where orders come from, and where [`Server::serve`] puts them.
    pub fn orders() -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
        mpsc::channel(ORDERS)
    }

    /// Answers until `stop` is ready, then gives the place back.
    ///
    /// # Errors
    /// The listener can not be handed to the runtime.
    pub async fn serve(
        self,
        board: Board,
        orders: mpsc::Sender<Order>,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let router = routes::router(board, orders);
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        tokio::select! {
            () = stop => {}
            () = accept(&listener, &router, &graceful, &stopped) => {}
        }
        // The name goes first: nobody is to find a socket where nobody answers any more.
        drop(self.socket);
        drop(listener);
        stopping.send_replace(true);
        graceful.shutdown().await;
        Ok(())
    }
}

async fn accept(
    listener: &UnixListener,
    router: &Router,
    graceful: &GracefulShutdown,
    stopping: &watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = answer(stream, router.clone(), graceful.watcher());
                let cut = cut(stopping.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = answering => {}
                        () = cut => {}
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: waiting is all that helps, spinning hurts.
                tracing::warn!("the control socket could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Ready when a connection has to end, whatever it is doing. There is no such time before the stop:
/// a reload takes as long as it takes.
async fn cut(mut stopping: watch::Receiver<bool>) {
    // An error means that the server is gone, which is the same.
    if stopping.wait_for(|stopping| *stopping).await.is_ok() {
        tokio::time::sleep(FAREWELL).await;
    }
}

async fn answer(stream: UnixStream, router: Router, watcher: Watcher) {
    let router = router.layer(Extension(Peer::of(&stream)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_HEADERS)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        // Malformed, slow, or hung up.
        tracing::debug!("a connection to the control socket ended: {error}");
    }
}
