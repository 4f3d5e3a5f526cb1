//! Answers HTTP/1.1 at a listener until it is told to stop. What a stranger can do is bounded:
//! connections, headers, and the time for each. What is answered is the router's business.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

/// Bytes of one request's line and headers.
const HEADERS: usize = 16 << 10;

/// The bounds of one server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Who serves, for the log: `the status page`.
    pub who: &'static str,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// From the connection, or the end of the last answer, to the end of the next request's headers.
    pub read_headers: Duration,
    /// One connection, however busy; `None` where an answer takes as long as it takes.
    pub connection: Option<Duration>,
    /// Answers under way at the end are given this long.
    pub farewell: Duration,
    /// Told of a connection that broke: malformed, slow, or hung up.
    pub broken: fn(&hyper::Error),
}

/// Where connections come from.
pub trait Listener {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// The end of a server: its connections finish what they answer, or are cut.
pub struct Ending {
    graceful: GracefulShutdown,
    stopping: watch::Sender<bool>,
}

impl Ending {
    /// With what tells that the end has come.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (stopping, stopped) = watch::channel(false);
        let graceful = GracefulShutdown::new();
        (Self { graceful, stopping }, stopped)
    }

    /// Ends the connections, within about the farewell's time.
    pub async fn end(self) {
        self.stopping.send_replace(true);
        self.graceful.shutdown().await;
    }

    /// Takes connections and answers them until it is dropped. `router` is made for each stream.
    pub async fn accept<L: Listener>(
        &self,
        bounds: Bounds,
        listener: &L,
        router: impl Fn(&L::Stream) -> Router,
    ) {
        let places = Arc::new(Semaphore::new(bounds.connections));
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.next().await {
                Ok(stream) => {
                    let router = router(&stream);
                    let answering = answer(bounds, stream, router, self.graceful.watcher());
                    let cut = cut(bounds, self.stopping.subscribe());
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
                    tracing::warn!("{} could not accept a connection: {error}", bounds.who);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// Ready when a connection has to end, whatever it is doing.
async fn cut(bounds: Bounds, mut stopping: watch::Receiver<bool>) {
    let mut stopped = pin!(async {
        // An error means that the server is gone, which is the same.
        if stopping.wait_for(|stopping| *stopping).await.is_ok() {
            tokio::time::sleep(bounds.farewell).await;
        }
    });
    match bounds.connection {
        None => stopped.await,
        Some(connection) => tokio::select! {
            () = &mut stopped => {}
            () = tokio::time::sleep(connection) => {}
        },
    }
}

async fn answer<S>(bounds: Bounds, stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.read_headers)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        (bounds.broken)(&error);
    }
}
