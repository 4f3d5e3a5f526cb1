//! The daemon: start, signals, stop, in that order.
//!
//! Only this file knows everybody: it starts what `topology` runs, hears signals and news, and stops
//! it all in the reverse order. Members and producers have threads of their own; HTTP, signals and the
//! eye on the cluster share one small runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{Config, Invocation};
use crate::diagnostic::shown_path;
use crate::handlers;
use crate::kafka::{KafkaError, Outage, PartitionCounts, TopicState};
use crate::member;
use crate::observe::status::{BrokerState, BrokerStatus, DaemonState, Reload, TopicStatus};
use crate::observe::{self, Board, HttpServer, LogGuard, Metrics, http, terminal};
use crate::preflight::{self, Checked};
use crate::signals::{Asked, Signals};
use crate::topology::plan::{Plan, plan};
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
        let (end_http, ended) = oneshot::channel::<()>();
        let http = http.map(|server| {
            let (board, metrics) = (board.clone(), metrics.clone());
            let hosts = config.daemon.hosts.clone();
            tokio::spawn(async move {
                // The sender is dropped or used at the daemon's end; both mean the same.
                let stop = async { drop(ended.await) };
                if let Err(error) = server.serve(board, metrics, &hosts, stop).await {
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

    async fn reload(&mut self) {
        self.board.set_state(DaemonState::Reloading);
        self.reloads += 1;
        let outcome = self.try_reload().await;
        let result = Reload {
            generation: self.reloads,
            ok: outcome.is_ok(),
            at: observe::now(),
            summary: outcome.unwrap_or_else(|why| why),
        };
        if result.ok {
            terminal::tell(&terminal::reload(&result));
        } else {
            terminal::tell_refusal(&terminal::reload(&result));
        }
        self.metrics.reloaded(result.ok);
        self.board.reloaded(result);
        self.board.set_state(DaemonState::Running);
    }

    /// Loads, checks, compiles, plans, applies. The lines say what was done, or why nothing was.
    async fn try_reload(&mut self) -> Result<Vec<String>, Vec<String>> {
        let checked = preflight::check(&self.invocation).map_err(|failed| {
            let mut text = String::new();
            let running = format!("generation {} still runs", self.running.generation());
            // Writing into a String does not fail.
            if failed.write(&mut text, &running, false).is_err() {
                text.push_str(&running);
            }
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })?;
        for warning in &checked.warnings {
            tracing::warn!("{}", warning.render());
        }
        let plan = plan(self.running.config(), &checked.config);
        refused(&plan)?;
        for note in &plan.notes {
            tracing::info!("{note}");
        }
        // Handlers' contents are no part of the plan: they are looked at now, whatever the watch mode.
        self.running.check_handlers_now();
        let before = self.running.generation();
        let applied = self
            .running
            .apply(plan, checked, self.reloads)
            .await
            .map_err(|reason| vec![reason, format!("generation {} goes on", before)])?;
        if applied.is_empty() {
            return Ok(vec!["nothing changed".to_owned()]);
        }
        Ok(applied.into_iter().map(|(line, _)| line).collect())
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Member {
                group,
                member,
                event,
            } => self.hear_member(&group, &member, event),
            News::Handler(event) => self.hear_handler(event),
            News::Cluster(Ok(topics)) => self.see_cluster(topics),
            News::Cluster(Err(error)) => self.hear_trouble(error),
        }
    }

    fn hear_member(&mut self, group: &str, member: &str, event: member::Event) {
        match event {
            member::Event::Assigned { all, took } => {
                tracing::debug!(group, member, partitions = all.len(), ?took, "assigned");
            }
            member::Event::Revoked { all } => {
                tracing::debug!(group, member, partitions = all.len(), "gave partitions up");
            }
            member::Event::Stuck { partition, reason } => tracing::error!(
                "{member} can't go on with {partition}: {reason}. \
                 Mend the handler (a changed file is taken up at once) or reload"
            ),
            member::Event::Trouble(error) => self.hear_trouble(error),
            member::Event::Rebuilt(error) => {
                tracing::warn!("{member} makes a new client: {error}");
            }
            member::Event::Left => tracing::debug!(group, member, "left the group"),
        }
    }

    /// Errors of clients come from each of them; one voice tells.
    fn hear_trouble(&mut self, error: KafkaError) {
        let now = Instant::now();
        if error.is_outage() {
            if let Some(text) = self.outage.error(&error, now) {
                tracing::warn!("{text}");
            }
            self.running.ground().away.store(true, Ordering::Relaxed);
            self.show_brokers(BrokerState::Down, Some(error.message));
            return;
        }
        let last = self.told.get(&error.message);
        if last.is_none_or(|last| now.duration_since(*last) > Duration::from_secs(60)) {
            tracing::warn!("{error}");
            self.told
                .retain(|_, told| now.duration_since(*told) <= Duration::from_secs(60));
            self.told.insert(error.message, now);
        }
    }

    fn see_cluster(&mut self, topics: BTreeMap<String, TopicState>) {
        if let Some(line) = self.outage.over(Instant::now()) {
            tracing::info!("{line}");
        }
        self.running.ground().away.store(false, Ordering::Relaxed);
        self.show_brokers(BrokerState::Up, None);
        for (topic, from, to) in self.counts.changed(&topics) {
            tracing::info!("topic {topic} has {to} partitions now, {from} before");
            self.running.refresh_readers_of(&topic);
        }
        let config = self.running.config();
        let shown = topics
            .iter()
            .filter_map(|(name, state)| {
                let wanted = config.topics.get(name)?;
                let mismatch = mismatch(wanted, state);
                let status = TopicStatus {
                    partitions: state.partitions,
                    replication: state.replication,
                    mismatch,
                };
                Some((name.clone(), status))
            })
            .collect();
        self.board.set_topics(shown);
        self.running.know_topics(topics.into_keys());
    }

    fn show_brokers(&self, state: BrokerState, reason: Option<String>) {
        let cluster = &self.running.ground().cluster;
        self.board.set_brokers(BrokerStatus {
            state,
            reason,
            servers: cluster.servers.clone(),
            embedded: cluster.embedded,
        });
    }

    fn hear_handler(&mut self, event: handlers::Event) {
        match event {
            handlers::Event::Handler(change) => {
                let file = shown_path(&change.file);
                match change.outcome {
                    handlers::Outcome::Changed { to, .. } => {
                        terminal::tell(&format!(
                            "{file} changed: version {to} runs from the next message on"
                        ));
                    }
                    handlers::Outcome::Refused(mistakes) => {
                        let frames: Vec<String> = mistakes.iter().map(|m| m.render()).collect();
                        tracing::error!(
                            frame = frames.join("\n"),
                            "{file} is refused; version {} still runs",
                            change.from
                        );
                    }
                    handlers::Outcome::Mended => {
                        terminal::tell(&format!(
                            "{file} is again what runs: version {}",
                            change.from
                        ));
                    }
                }
                self.running.show_handlers();
            }
            handlers::Event::Polling { reason } => {
                tracing::warn!(
                    "handler files are looked at every second instead of watched: {reason}"
                );
            }
            handlers::Event::Died { reason } => {
                tracing::error!(
                    "handler files are no longer watched: {reason}. Restart to mend this"
                );
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
        terminal::tell(&terminal::summary(&self.board.summary()));
        outcome
    }
}

fn refused(plan: &Plan) -> Result<(), Vec<String>> {
    if plan.refused.is_empty() {
        return Ok(());
    }
    Err(plan
        .refused
        .iter()
        .map(|refusal| {
            format!(
                "{}: {} can't be changed while it runs: {}",
                refusal.setting, refusal.change, refusal.instead
            )
        })
        .collect())
}

fn mismatch(wanted: &crate::config::Topic, found: &TopicState) -> Option<String> {
    if found.partitions > wanted.partitions {
        Some(format!(
            "it has {} partitions, {} are configured; partitions are never removed",
            found.partitions, wanted.partitions
        ))
    } else if found.replication != wanted.replication {
        Some(format!(
            "its replication is {}, {} is configured",
            found.replication, wanted.replication
        ))
    } else {
        None
    }
}
