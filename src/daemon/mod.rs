//! The daemon: start, signals, stop, in that order. What it does on the way is in `news` and `reload`.
//!
//! Only this file knows everybody: it starts what `topology` runs, hears signals and news, and stops
//! it all in the reverse order. Members and producers have threads of their own; HTTP, signals and the
//! eye on the cluster share one small runtime.

mod news;
mod reload;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{Config, Invocation};
use crate::diagnostic::shown_path;
use crate::kafka::{Outage, PartitionCounts};
use crate::observe::http::FurtherHosts;
use crate::observe::status::{BrokerState, BrokerStatus, DaemonState};
use crate::observe::{self, Board, HttpServer, LogGuard, Metrics, http, terminal};
use crate::preflight::Checked;
use crate::signals::{Asked, Signals};
use crate::topology::plan::plan;
use crate::topology::{News, Running};

/// How long the page's connections have for their last answer.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// Runs until it is told to stop.
///
/// # Errors
/// Why it could not start or could not go on, one sentence.
pub fn run(invocation: Invocation, checked: Checked, log: LogGuard) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("daemon")
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        // Heard from the very start, so that a start that waits for its broker can be stopped.
        let (signals, mut asked) = unbounded_channel();
        let _signals =
            Signals::listen(signals).map_err(|error| format!("signals can't be heard: {error}"))?;
        let mut daemon = Daemon::new(invocation, &checked, log)?;
        let outcome = daemon.live(checked, &mut asked).await;
        let stopped = daemon.stop().await;
        outcome.and(stopped)
    })
}

struct Daemon {
    invocation: Invocation,
    running: Running,
    board: Board,
    metrics: Metrics,
    /// Where the status page is.
    page: Option<SocketAddr>,
    http: Option<JoinHandle<()>>,
    /// Names that the status page answers to.
    hosts: FurtherHosts,
    /// Ends the status page.
    end_http: Option<oneshot::Sender<()>>,
    news: UnboundedReceiver<News>,
    outage: Outage,
    counts: PartitionCounts,
    /// When each kind of trouble was last told.
    told: BTreeMap<String, Instant>,
    /// Numbers the reloads that were asked for; the start is the first.
    reloads: u64,
}

impl Daemon {
    fn new(invocation: Invocation, checked: &Checked, log: LogGuard) -> Result<Self, String> {
        let config = &checked.config;
        let board = Board::new(&config.daemon.instance);
        let metrics = Metrics::new(&board);
        let http = config
            .daemon
            .http
            .map(http::bind)
            .transpose()
            .map_err(|error| error.to_string())?;
        let page = http.as_ref().map(HttpServer::address);
        let hosts = FurtherHosts::default();
        hosts.store(Arc::new(config.daemon.hosts.clone()));
        let (end_http, ended) = oneshot::channel::<()>();
        let http = http.map(|server| {
            let (board, metrics) = (board.clone(), metrics.clone());
            let hosts = hosts.clone();
            tokio::spawn(async move {
                // The sender is dropped or used at the daemon's end; both mean the same.
                let stop = async { drop(ended.await) };
                if let Err(error) = server.serve(board, metrics, hosts, stop).await {
                    tracing::error!("the status page ended: {error}");
                }
            })
        });
        let (sender, news) = unbounded_channel();
        let running = Running::new(config, board.clone(), metrics.clone(), log, sender)?;
        Ok(Self {
            invocation,
            running,
            board,
            metrics,
            page,
            http,
            hosts,
            end_http: Some(end_http),
            news,
            outage: Outage::new(),
            counts: PartitionCounts::default(),
            told: BTreeMap::new(),
            reloads: 1,
        })
    }

    /// From the first step to the signal that ends it.
    async fn live(
        &mut self,
        checked: Checked,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Result<(), String> {
        let cluster = self.running.ground().cluster.clone();
        self.board.set_state(DaemonState::Starting);
        self.board.set_brokers(BrokerStatus {
            state: BrokerState::Unknown,
            reason: None,
            servers: cluster.servers.clone(),
            embedded: cluster.embedded,
        });
        terminal::tell(&terminal::banner(
            &cluster.servers,
            cluster.embedded,
            self.page,
        ));
        let follower = tokio::spawn(observe::rebalances::follow(
            self.board.clone(),
            self.metrics.clone(),
        ));
        let hint = self.hint(&checked.config);
        let started = self.start(checked, asked).await;
        let outcome = match started {
            Ok(true) => {
                self.board.set_state(DaemonState::Running);
                self.serve(asked, hint).await
            }
            Ok(false) => Ok(()),
            Err(reason) => Err(reason),
        };
        follower.abort();
        outcome
    }

    /// Takes the steps from nothing to the configuration. False: it was told to stop meanwhile.
    async fn start(
        &mut self,
        checked: Checked,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Result<bool, String> {
        let first = plan(self.running.config(), &checked.config);
        let starting = self.running.apply(first, checked, 1);
        tokio::pin!(starting);
        loop {
            tokio::select! {
                started = &mut starting => return started.map(|_| true),
                asked = asked.recv() => match asked {
                    Some(Asked::Reload) => {
                        tracing::warn!("still starting; the reload is not made. Send SIGHUP again when it runs");
                    }
                    Some(Asked::Stop(why)) => {
                        tracing::info!("stopping: {why}");
                        return Ok(false);
                    }
                    None => return Ok(false),
                },
            }
        }
    }

    /// Hears signals and news until a signal says stop.
    async fn serve(
        &mut self,
        asked: &mut UnboundedReceiver<Asked>,
        mut hint: Option<String>,
    ) -> Result<(), String> {
        let watcher = self.running.watch_cluster();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                asked_for = asked.recv() => match asked_for {
                    Some(Asked::Reload) => {
                        if let Some(why) = self.reload_unless_stopped(asked).await {
                            tracing::info!("stopping: {why}");
                            break;
                        }
                    }
                    Some(Asked::Stop(why)) => {
                        tracing::info!("stopping: {why}");
                        break;
                    }
                    None => break,
                },
                news = self.news.recv() => if let Some(news) = news { self.hear(news); },
                _ = second.tick() => {
                    self.look_for_the_dead()?;
                    if self.has_settled() && let Some(hint) = hint.take() {
                        terminal::tell(&hint);
                    }
                }
            }
        }
        drop(watcher);
        Ok(())
    }

    /// Reloads; a stop that comes meanwhile goes first. Returns why to stop, if so.
    async fn reload_unless_stopped(
        &mut self,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Option<&'static str> {
        let mut again = false;
        loop {
            let reloading = self.reload();
            tokio::pin!(reloading);
            let stop = loop {
                tokio::select! {
                    () = &mut reloading => break None,
                    asked = asked.recv() => match asked {
                        // One at a time: what changed meanwhile is read when this one is done.
                        Some(Asked::Reload) => again = true,
                        Some(Asked::Stop(why)) => break Some(why),
                        None => break Some("nobody can ask any more"),
                    },
                }
            };
            if stop.is_some() || !std::mem::take(&mut again) {
                return stop;
            }
        }
    }

    /// A member that dies unasked stops the daemon: nobody would notice a partition without a reader.
    fn look_for_the_dead(&mut self) -> Result<(), String> {
        let mut dead: Vec<String> = self
            .running
            .take_dead_members()
            .into_iter()
            .map(|member| {
                let name = member.name.clone();
                let reason = member
                    .join()
                    .err()
                    .unwrap_or_else(|| "no reason".to_owned());
                format!("{name} ended unasked: {reason}")
            })
            .collect();
        dead.extend(self.running.look_at_producers());
        if dead.is_empty() {
            Ok(())
        } else {
            Err(dead.join("; "))
        }
    }

    fn has_settled(&self) -> bool {
        let status = self.board.snapshot();
        status.groups.values().all(|group| group.rebalances > 0)
    }

    /// What a newcomer may try next.
    fn hint(&self, config: &Config) -> Option<String> {
        let (_, group) = config
            .groups
            .iter()
            .max_by_key(|(_, group)| group.members)?;
        Some(terminal::suggestion(
            group.members + 1,
            &shown_path(&config.file),
            std::process::id(),
        ))
    }

    /// Stops everything, and tells what was done.
    async fn stop(&mut self) -> Result<(), String> {
        self.board.set_state(DaemonState::Stopping);
        let within = self.running.config().daemon.shutdown_timeout;
        let outcome = self.running.stop(within).await;
        drop(self.end_http.take());
        if let Some(http) = self.http.take()
            && tokio::time::timeout(LAST_ANSWERS, http).await.is_err()
        {
            tracing::debug!("the status page was still answering");
        }
        let summary = terminal::summary(&self.board.summary());
        if !summary.is_empty() {
            terminal::tell(&summary);
        }
        outcome
    }
}
