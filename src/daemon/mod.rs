//! The daemon: start, signals, stop, in that order. What it tells on the way is in `news`, what it is
//! asked in `orders`, what a reload is in `reload`, what steers without one in `steer` and `tap`.
//!
//! Only this file knows everybody: it starts what `topology` runs, hears signals, orders and news, and
//! stops it all in the reverse order. Members and producers have threads of their own; HTTP, the
//! control socket, signals and the eye on the cluster share one small runtime.

mod cluster;
mod news;
mod on_disk;
mod orders;
mod reload;
mod servers;
mod starting;
mod steer;
mod tap;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, UnboundedReceiver, unbounded_channel};

use crate::config::{Config, Invocation};
use crate::control::Order;
use crate::diagnostic::shown_path;
use crate::observe::status::{BrokerState, BrokerStatus, DaemonState};
use crate::observe::{self, Board, LogGuard, Metrics, terminal};
use crate::preflight::Checked;
use crate::service::{notify, watchdog};
use crate::signals::{Asked, Signals};
use crate::topology::{News, Running, Shown};

use cluster::{Seen, see_cluster};
use news::Voice;
use orders::Task;
use reload::Reloading;
use servers::Servers;

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
        let stopped = daemon.stop(&mut asked).await;
        outcome.and(stopped)
    })
}

struct Daemon {
    invocation: Invocation,
    running: Running,
    /// What may be looked at while a reload changes what runs.
    shown: Arc<Shown>,
    board: Board,
    metrics: Metrics,
    servers: Servers,
    /// From the control socket.
    orders: Receiver<Order>,
    /// What was asked and waits for its turn.
    waiting: VecDeque<Task>,
    news: UnboundedReceiver<News>,
    voice: Voice,
    seen: Seen,
    /// Numbers the reloads that were asked for; the start is the first.
    reloads: u64,
}

impl Daemon {
    fn new(invocation: Invocation, checked: &Checked, log: LogGuard) -> Result<Self, String> {
        let config = &checked.config;
        let board = Board::new(&config.daemon.instance);
        board.set_config(&config.file);
        let metrics = Metrics::new(&board);
        let (servers, orders) = Servers::start(&config.daemon, &board, &metrics)?;
        let (sender, news) = unbounded_channel();
        let running = Running::new(config, board.clone(), metrics.clone(), log, sender)?;
        Ok(Self {
            invocation,
            shown: running.shown(),
            voice: Voice::new(&running),
            running,
            board,
            metrics,
            servers,
            orders,
            waiting: VecDeque::new(),
            news,
            seen: Seen::default(),
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
            self.servers.page,
        ));
        let followers = [
            tokio::spawn(observe::rebalances::follow(
                self.board.clone(),
                self.metrics.clone(),
            )),
            tokio::spawn(notify::follow(self.board.clone())),
            tokio::spawn(on_disk::follow(self.board.clone(), self.invocation.clone())),
            tokio::spawn(watchdog::feed(self.board.clone())),
        ];
        notify::ready();
        let started = self.start(checked, asked).await;
        let outcome = match started {
            Ok(true) => {
                let hint = self.hint(self.running.config());
                self.serve(asked, hint).await
            }
            Ok(false) => Ok(()),
            Err(reason) => Err(reason),
        };
        followers.iter().for_each(|follower| follower.abort());
        outcome
    }

    /// Hears signals, orders and news until a signal says stop.
    async fn serve(
        &mut self,
        asked: &mut UnboundedReceiver<Asked>,
        mut hint: Option<String>,
    ) -> Result<(), String> {
        let mut watcher = self.running.watch_cluster();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            while let Some(task) = self.waiting.pop_front() {
                if let Some(why) = self.work(task, asked).await {
                    tracing::info!("stopping: {why}");
                    return Ok(());
                }
                // The brokers may be others now.
                watcher = self.running.watch_cluster();
            }
            tokio::select! {
                asked = asked.recv() => match asked {
                    Some(Asked::Reload) => orders::take_signal(&mut self.waiting),
                    Some(Asked::Stop(why)) => {
                        tracing::info!("stopping: {why}");
                        break;
                    }
                    None => break,
                },
                Some(order) = self.orders.recv() => {
                    orders::take(order, &self.shown, &mut self.waiting);
                }
                Some(news) = self.news.recv() => match news {
                    News::Ends(ends) => self.running.tell_ends(ends),
                    news => if let Some(topics) = self.voice.hear(news) {
                        see_cluster(&mut self.running, &self.board, &mut self.seen, topics);
                    },
                },
                _ = second.tick() => {
                    self.board.beat();
                    self.running.note_statistics();
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

    /// Does what was asked, while news is heard and told and further requests wait. A stop that comes
    /// meanwhile goes first: returns why to stop, if so.
    async fn work(
        &mut self,
        task: Task,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Option<&'static str> {
        if matches!(task, Task::Reload(_)) {
            self.reloads += 1;
        }
        let number = self.reloads;
        let mut topics = None;
        let stop = {
            let running = &mut self.running;
            let doing = async {
                match task {
                    Task::Plan(reply) => {
                        reply.send(Ok(reload::planned(running, &self.invocation).await));
                    }
                    Task::Reload(asker) => {
                        let reloading = Reloading {
                            running,
                            invocation: &self.invocation,
                            board: &self.board,
                            metrics: &self.metrics,
                            hosts: &self.servers.hosts,
                            number,
                        };
                        reloading.run(asker).await;
                    }
                    Task::Steer(steering) => steering.run(running).await,
                }
            };
            tokio::pin!(doing);
            let mut second = tokio::time::interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    () = &mut doing => break None,
                    asked = asked.recv() => match asked {
                        Some(Asked::Reload) => orders::take_signal(&mut self.waiting),
                        Some(Asked::Stop(why)) => break Some(why),
                        None => break Some("nobody can ask any more"),
                    },
                    Some(order) = self.orders.recv() => {
                        orders::take(order, &self.shown, &mut self.waiting);
                    }
                    Some(news) = self.news.recv() => {
                        // What runs sees the cluster when it is no longer being changed.
                        topics = self.voice.hear(news).or(topics.take());
                    }
                    _ = second.tick() => {
                        self.board.beat();
                        // Who died is told at the next look after this.
                        drop(self.shown.look_at_producers());
                    }
                }
            }
        };
        if stop.is_none()
            && let Some(topics) = topics
        {
            see_cluster(&mut self.running, &self.board, &mut self.seen, topics);
        }
        stop
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
        dead.extend(self.shown.look_at_producers());
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

    /// Stops everything, and tells what was done. What is asked meanwhile is refused.
    async fn stop(&mut self, asked: &mut UnboundedReceiver<Asked>) -> Result<(), String> {
        let within = self.running.config().daemon.shutdown_timeout;
        notify::stopping(within);
        self.board.set_state(DaemonState::Stopping);
        // Dropped without an answer, each of them says that the daemon stops.
        self.waiting.clear();
        self.orders.close();
        while self.orders.try_recv().is_ok() {}
        let stopping = self.running.stop(within);
        tokio::pin!(stopping);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let outcome = loop {
            tokio::select! {
                outcome = &mut stopping => break outcome,
                Some(Asked::Reload) = asked.recv() => {
                    tracing::warn!("the reload is refused: deliveryd is stopping");
                }
                _ = second.tick() => self.board.beat(),
            }
        };
        self.servers.stop().await;
        let summary = terminal::summary(&self.board.summary());
        if !summary.is_empty() {
            terminal::tell(&summary);
        }
        outcome
    }
}
