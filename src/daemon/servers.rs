//! The two servers: the status page and the control socket. Both are bound while the daemon can still
//! refuse to start, and answer from then on, broker or no broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::Daemon as Settings;
use crate::control::{Order, Server};
use crate::observe::http::FurtherHosts;
use crate::observe::{Board, History, HttpServer, Metrics, history, http};

/// How long connections have for their last answer.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Both servers, while they answer.
pub(super) struct Servers {
    /// Where the status page is.
    pub page: Option<SocketAddr>,
    /// Further names that the status page answers to.
    pub hosts: FurtherHosts,
    /// Samples what both tell of the last minutes.
    sampling: JoinHandle<()>,
    running: Vec<Running>,
}

struct Running {
    name: &'static str,
    /// Used or dropped, it ends the server.
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Servers {
    /// Takes both places and answers there. Orders come out of what is returned.
    ///
    /// # Errors
    /// A place can not be had, one sentence.
    pub fn start(
        settings: &Settings,
        board: &Board,
        metrics: &Metrics,
    ) -> Result<(Self, Receiver<Order>), String> {
        let control = Server::open(&settings.control).map_err(|error| error.to_string())?;
        let http = settings
            .http
            .map(http::bind)
            .transpose()
            .map_err(|error| error.to_string())?;
        let hosts = FurtherHosts::default();
        hosts.store(Arc::new(settings.hosts.clone()));
        let remembered = History::default();
        let mut servers = Self {
            page: http.as_ref().map(HttpServer::address),
            hosts: hosts.clone(),
            sampling: tokio::spawn(history::follow(remembered.clone(), board.clone())),
            running: Vec::new(),
        };
        if let Some(server) = http {
            let (board, metrics) = (board.clone(), metrics.clone());
            let remembered = remembered.clone();
            servers.spawn("status page", |stop| {
                server.serve(board, metrics, remembered, hosts, stop)
            });
        }
        let (sender, orders) = Server::orders();
        let board = board.clone();
        servers.spawn("control socket", |stop| {
            control.serve(board, remembered, sender, stop)
        });
        Ok((servers, orders))
    }

    fn spawn<F>(
        &mut self,
        name: &'static str,
        serve: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F,
    ) where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let (end, ended) = oneshot::channel::<()>();
        // The sender is dropped or used at the daemon's end; both mean the same.
        let serving = serve(Box::pin(async { drop(ended.await) }));
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!("the {name} ended: {error}");
            }
        });
        self.running.push(Running { name, end, task });
    }

    /// Ends both; answers under way have a moment.
    pub async fn stop(&mut self) {
        self.sampling.abort();
        for Running { name, end, task } in std::mem::take(&mut self.running) {
            drop(end);
            if tokio::time::timeout(LAST_ANSWERS, task).await.is_err() {
                tracing::debug!("the {name} was still answering");
            }
        }
    }
}
