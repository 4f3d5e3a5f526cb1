//! Answers at the socket. What a caller can do wrong is bounded here: connections, headers, bodies,
//! and the time for each.

use std::io;
use std::time::Duration;

use axum::Extension;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::peer::Peer;
use super::protocol::{
    HandlerSources, Level, Planned, Reloaded, Resume, Seek, SeekPlan, SeekTo, SetLevel, Sought,
    Steered, TapWanted, Tapped, Target,
};
use super::{Socket, SocketError, routes};
use crate::observe::{Board, History};
use crate::serving::{Bounds, Ending};

/// Orders that wait for the daemon.
const ORDERS: usize = 16;
/// A reload takes as long as it takes, so that no connection is cut before the stop.
const BOUNDS: Bounds = Bounds {
    who: "the control socket",
    connections: 32,
    read_headers: Duration::from_secs(5),
    connection: None,
    farewell: Duration::from_millis(500),
    broken: |error| tracing::debug!("a connection to the control socket ended: {error}"),
};

/// Something that the daemon itself has to do or to answer.
#[derive(Debug)]
pub enum Order {
    /// Say what a reload would do.
    Plan(Reply<Planned>),
    /// Reload, and answer when it is in force or refused.
    Reload(Peer, Reply<Reloaded>),
    /// The program that this group runs.
    Handler(String, Reply<HandlerSources>),
    /// Start nothing more there until it is resumed.
    Pause(Target, Reply<Steered>),
    /// Go on there: with what was paused, and with what is stuck.
    Resume(Resume, Reply<Steered>),
    /// Say what a seek would do.
    PlanSeek(SeekTo, Reply<SeekPlan>),
    /// Move a group's offsets.
    Seek(Seek, Reply<Sought>),
    /// Say or change what the log shows.
    Level(SetLevel, Reply<Level>),
    /// Show messages as a group's handlers see them, until the receiver is dropped.
    Tap(TapWanted, Reply<mpsc::Receiver<Tapped>>),
}

/// Where an answer goes.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<Result<T, Refusal>>);

/// Why there is no answer, for the caller to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request can not be understood.
    Wrong(String),
    /// What the request names is not there.
    NotFound(String),
    /// It can not be done as things are.
    Impossible(String),
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
        history: History,
        orders: mpsc::Sender<Order>,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let router = routes::router(board, history, orders);
        let (ending, _) = Ending::new();
        let for_peer = |stream: &_| router.clone().layer(Extension(Peer::of(stream)));
        tokio::select! {
            () = stop => {}
            () = ending.accept(BOUNDS, &listener, for_peer) => {}
        }
        // The name goes first: nobody is to find a socket where nobody answers any more.
        drop(self.socket);
        drop(listener);
        ending.end().await;
        Ok(())
    }
}
