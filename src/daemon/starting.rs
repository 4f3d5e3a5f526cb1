//! The start: the way from nothing to the configuration, which may wait for the broker as long as the
//! broker likes. Until it is there, a signal stops it, and a reload begins it anew with the
//! configuration that is on disk by then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::config::{Config, Failed};
use crate::control::protocol::{Reloaded, Verdict};
use crate::observe::status::{DaemonState, Status};
use crate::observe::{Board, Metrics};
use crate::preflight::Checked;
use crate::service::notify;
use crate::signals::Asked;
use crate::topology::Taken;
use crate::topology::plan::plan;

use super::orders::{self, Asker, Task};
use super::{Daemon, reload};

/// What runs while the start goes on as it was.
const UNCHANGED: &str = "the start goes on with the configuration as it was";

const ENDS: &str = "deliveryd can not start with it, and ends";

/// How one attempt at a start ended.
enum Attempt {
    /// Everything runs.
    Done(Vec<Taken>),
    /// It was told to stop, and why.
    Stop(&'static str),
    /// Another configuration takes this one's place.
    Anew(Box<Checked>),
}

/// A reload that was asked for and is not answered yet.
struct Pending {
    asker: Asker,
    number: u64,
    began: Instant,
    warnings: Vec<String>,
}

impl Daemon {
    /// Takes the steps from nothing to the configuration. False: it was told to stop meanwhile.
    pub(super) async fn start(
        &mut self,
        mut wanted: Checked,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Result<bool, String> {
        let nothing = self.running.config().clone();
        let mut pending = None;
        let stop = loop {
            let hosts = wanted.config.daemon.hosts.clone();
            let attempt = self.attempt(&nothing, wanted, &mut pending, asked).await;
            if let Err(reason) = &attempt
                && let Some(pending) = pending.take()
            {
                let reasons = vec![reason.clone(), ENDS.to_owned()];
                let result = Reloaded {
                    verdict: Verdict::Failed,
                    reasons,
                    ..Reloaded::default()
                };
                pending.answer(result, &self.board, &self.metrics);
            }
            match attempt? {
                Attempt::Done(taken) => {
                    self.servers.hosts.store(Arc::new(hosts));
                    // First: whoever waits for the answer may look at the status next.
                    self.board.set_state(DaemonState::Running);
                    if let Some(pending) = pending {
                        let result = Reloaded {
                            steps: taken.into_iter().map(reload::step).collect(),
                            ..Reloaded::default()
                        };
                        pending.answer(result, &self.board, &self.metrics);
                    }
                    return Ok(true);
                }
                Attempt::Stop(why) => break why,
                Attempt::Anew(next) => match self.take_back(&nothing, asked).await? {
                    None => wanted = *next,
                    Some(why) => break why,
                },
            }
        };
        tracing::info!("stopping: {stop}");
        Ok(false)
    }

    /// Takes the steps once; orders and signals are heard meanwhile.
    async fn attempt(
        &mut self,
        nothing: &Config,
        wanted: Checked,
        pending: &mut Option<Pending>,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Result<Attempt, String> {
        let first = plan(nothing, &wanted.config);
        let generation = pending.as_ref().map_or(self.reloads, |it| it.number);
        let starting = self.running.apply(first, wanted, generation);
        tokio::pin!(starting);
        let mut checking = None;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            if pending.is_none()
                && let Some(asker) = next_reload(&mut self.waiting)
            {
                self.reloads += 1;
                notify::reloading();
                *pending = Some(Pending::new(asker, self.reloads));
                checking = Some(Box::pin(reload::check(&self.invocation)));
            }
            tokio::select! {
                started = &mut starting => {
                    // What is asked and not checked yet finds a daemon that runs.
                    if checking.is_some() && let Some(pending) = pending.take() {
                        self.waiting.push_front(Task::Reload(pending.asker));
                    }
                    return started.map(Attempt::Done).map_err(|error| error.reason);
                }
                checked = async { Some(checking.as_mut()?.await) }, if checking.is_some() => {
                    checking = None;
                    let Some(checked) = checked else { continue };
                    match acceptable(nothing, checked) {
                        Ok(checked) => {
                            if let Some(pending) = pending {
                                pending.warnings = reload::shown(&checked.warnings);
                            }
                            return Ok(Attempt::Anew(Box::new(checked)));
                        }
                        Err(refused) => if let Some(pending) = pending.take() {
                            pending.answer(*refused, &self.board, &self.metrics);
                        }
                    }
                }
                asked = asked.recv() => match asked {
                    Some(Asked::Reload) => orders::take_signal(&mut self.waiting),
                    Some(Asked::Stop(why)) => return Ok(Attempt::Stop(why)),
                    None => return Ok(Attempt::Stop("nobody can ask any more")),
                },
                Some(order) = self.orders.recv() => {
                    orders::take_while_starting(order, &self.shown, &mut self.waiting);
                }
                _ = second.tick() => {
                    self.board.beat();
                    // Whoever asked need not wait for the broker too.
                    let status = self.board.snapshot();
                    if checking.is_none()
                        && status.state == DaemonState::WaitingForBroker
                        && let Some(pending) = pending.take()
                    {
                        pending.answer(waits(&status), &self.board, &self.metrics);
                    }
                }
            }
        }
    }

    /// Takes back what an attempt has done. Returns why to stop, if that is asked meanwhile.
    async fn take_back(
        &mut self,
        nothing: &Config,
        asked: &mut UnboundedReceiver<Asked>,
    ) -> Result<Option<&'static str>, String> {
        self.board.set_state(DaemonState::Starting);
        let taking_back = self.running.take_back(nothing);
        tokio::pin!(taking_back);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                done = &mut taking_back => return done.map(|()| None),
                asked = asked.recv() => match asked {
                    Some(Asked::Reload) => orders::take_signal(&mut self.waiting),
                    Some(Asked::Stop(why)) => return Ok(Some(why)),
                    None => return Ok(Some("nobody can ask any more")),
                },
                _ = second.tick() => self.board.beat(),
            }
        }
    }
}

impl Pending {
    fn new(asker: Asker, number: u64) -> Self {
        Self {
            asker,
            number,
            began: Instant::now(),
            warnings: Vec::new(),
        }
    }

    /// Tells the result everywhere and to whoever asked.
    fn answer(self, result: Reloaded, board: &Board, metrics: &Metrics) {
        let good = result.verdict == Verdict::Good;
        let result = Reloaded {
            reload: self.number,
            generation: if good { self.number } else { 0 },
            seconds: self.began.elapsed().as_secs_f64(),
            warnings: self.warnings,
            ..result
        };
        reload::tell(&result, self.asker.by, board, metrics);
        notify::ready();
        if let Some(reply) = self.asker.reply {
            reply.send(Ok(result));
        }
    }
}

fn next_reload(waiting: &mut VecDeque<Task>) -> Option<Asker> {
    let place = waiting
        .iter()
        .position(|task| matches!(task, Task::Reload(_)))?;
    match waiting.remove(place)? {
        Task::Reload(asker) => Some(asker),
        Task::Plan(_) | Task::Steer(_) => None,
    }
}

/// A configuration that the start can begin anew with, or why it can not.
fn acceptable(
    nothing: &Config,
    checked: Result<Checked, Failed>,
) -> Result<Checked, Box<Reloaded>> {
    let checked = checked.map_err(|failed| {
        Box::new(Reloaded {
            verdict: Verdict::Wrong,
            reasons: vec![reload::in_words(&failed, UNCHANGED)],
            ..Reloaded::default()
        })
    })?;
    let refused = plan(nothing, &checked.config).refused;
    if refused.is_empty() {
        return Ok(checked);
    }
    let mut reasons: Vec<String> = refused.iter().map(ToString::to_string).collect();
    reasons.push(UNCHANGED.to_owned());
    Err(Box::new(Reloaded {
        verdict: Verdict::Refused,
        reasons,
        ..Reloaded::default()
    }))
}

fn waits(status: &Status) -> Reloaded {
    Reloaded {
        waiting: Some(notify::line(status)),
        ..Reloaded::default()
    }
}
