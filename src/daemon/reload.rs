//! A reload: load, check, compile, plan, apply, and say what came of it. A plan is the first half.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Failed, Invocation};
use crate::control::protocol::{Change, Planned, Reloaded, StepTaken, Verdict};
use crate::diagnostic::{Diagnostic, Severity, write};
use crate::observe::http::FurtherHosts;
use crate::observe::status::{DaemonState, Reload};
use crate::observe::{self, Board, Metrics, terminal};
use crate::preflight::{self, Checked};
use crate::service::notify;
use crate::topology::plan::Plan;
use crate::topology::{ApplyError, Running, Taken};

use super::orders::Asker;

/// What a reload reads, changes and tells.
pub(super) struct Reloading<'a> {
    pub running: &'a mut Running,
    pub invocation: &'a Invocation,
    pub board: &'a Board,
    pub metrics: &'a Metrics,
    pub hosts: &'a FurtherHosts,
    /// Each reload that is asked for has a number.
    pub number: u64,
}

impl Reloading<'_> {
    /// Reloads, tells the result everywhere, and answers whoever asked.
    pub async fn run(mut self, asker: Asker) {
        let began = Instant::now();
        self.board.set_state(DaemonState::Reloading);
        notify::reloading();
        let mut result = self.reload().await;
        result.reload = self.number;
        result.generation = self.running.generation();
        result.seconds = began.elapsed().as_secs_f64();
        let hosts = self.running.config().daemon.hosts.clone();
        self.hosts.store(Arc::new(hosts));
        tell(&result, asker.by, self.board, self.metrics);
        self.board.set_state(DaemonState::Running);
        // Last: whoever waits for it may look at the status next.
        notify::ready();
        if let Some(reply) = asker.reply {
            reply.send(Ok(result));
        }
    }

    async fn reload(&mut self) -> Reloaded {
        let still = format!("generation {} still runs", self.running.generation());
        let checked = match check(self.invocation).await {
            Ok(checked) => checked,
            Err(failed) => {
                return Reloaded {
                    verdict: Verdict::Wrong,
                    reasons: vec![in_words(&failed, &still)],
                    ..Reloaded::default()
                };
            }
        };
        let plan = self.running.plan(&checked.config);
        let result = Reloaded {
            notes: plan.notes.clone(),
            warnings: shown(&checked.warnings),
            ..Reloaded::default()
        };
        if !plan.refused.is_empty() {
            let mut reasons: Vec<String> = plan.refused.iter().map(ToString::to_string).collect();
            reasons.push(still);
            return Reloaded {
                verdict: Verdict::Refused,
                reasons,
                ..result
            };
        }
        match self.apply(plan, checked).await {
            Ok(taken) => Reloaded {
                steps: taken.into_iter().map(step).collect(),
                ..result
            },
            Err(error) => {
                let left = !error.left.is_empty();
                let mut reasons = vec![error.reason];
                reasons.push(match left {
                    false => format!("what had been done is undone; {still}"),
                    true => format!("{still}, but this could not be undone:"),
                });
                reasons.extend(error.left);
                if !error.stays.is_empty() {
                    let stays = error.stays.join("; ");
                    reasons.push(format!("topics stay as they have become: {stays}"));
                }
                if left {
                    reasons
                        .push("restart deliveryd to run one configuration as a whole".to_owned());
                }
                Reloaded {
                    verdict: Verdict::Failed,
                    steps: error.undone.into_iter().map(step).collect(),
                    reasons,
                    ..result
                }
            }
        }
    }

    async fn apply(&mut self, plan: Plan, checked: Checked) -> Result<Vec<Taken>, ApplyError> {
        let handlers = self.running.changed_handlers(&checked);
        let mut taken = self.running.apply(plan, checked, self.number).await?;
        // Handlers' contents are no part of the plan: they are looked at now, whatever the watch mode.
        let began = Instant::now();
        self.running.check_handlers_now();
        if !handlers.is_empty() {
            taken.push(Taken {
                lines: handlers,
                took: began.elapsed(),
            });
        }
        // Whoever reloads has mended something, perhaps outside of any file.
        self.running.resume_stuck();
        Ok(taken)
    }
}

/// Tells everywhere what came of a reload.
pub(super) fn tell(result: &Reloaded, by: String, board: &Board, metrics: &Metrics) {
    for warning in &result.warnings {
        tracing::warn!("{warning}");
    }
    for note in &result.notes {
        tracing::info!("{note}");
    }
    let ok = result.verdict == Verdict::Good;
    let entry = Reload {
        generation: result.reload,
        ok,
        at: observe::now(),
        summary: summary(result),
        seconds: result.seconds,
        by,
    };
    let text = terminal::reload(&entry);
    if ok {
        terminal::tell(&text);
    } else {
        terminal::tell_refusal(&text);
    }
    metrics.reloaded(ok);
    board.reloaded(entry);
}

/// What a reload would do now. Touches nothing.
pub(super) async fn planned(running: &Running, invocation: &Invocation) -> Planned {
    let common = Planned {
        generation: running.generation(),
        file: running.config().file.display().to_string(),
        ..Planned::default()
    };
    let checked = match check(invocation).await {
        Ok(checked) => checked,
        Err(failed) => {
            return Planned {
                verdict: Verdict::Wrong,
                mistakes: shown_as(Severity::Error, &failed.mistakes),
                warnings: shown(&failed.warnings),
                ..common
            };
        }
    };
    let plan = running.plan(&checked.config);
    let steps = plan.steps.iter().flat_map(|step| {
        let lines = step.lines().into_iter();
        lines.map(|text| Change {
            mark: step.mark(),
            text,
        })
    });
    let handlers = running.changed_handlers(&checked).into_iter();
    let handlers = handlers.map(|text| Change { mark: '~', text });
    Planned {
        verdict: match plan.refused.is_empty() {
            true => Verdict::Good,
            false => Verdict::Refused,
        },
        changes: steps.chain(handlers).collect(),
        refused: plan.refused.iter().map(ToString::to_string).collect(),
        notes: plan.notes,
        warnings: shown(&checked.warnings),
        ..common
    }
}

/// Compiling handlers takes a while, and the daemon goes on meanwhile.
pub(super) async fn check(invocation: &Invocation) -> Result<Checked, Failed> {
    let invocation = invocation.clone();
    tokio::task::spawn_blocking(move || preflight::check(&invocation))
        .await
        .unwrap_or_else(|error| Err(preflight::broken(&error.to_string())))
}

/// All mistakes, and how the world stands.
pub(super) fn in_words(failed: &Failed, state: &str) -> String {
    let mut text = String::new();
    // Writing into a String does not fail.
    if failed.write(&mut text, state, false).is_err() {
        text.push_str(state);
    }
    text.trim_end().to_owned()
}

pub(super) fn shown(warnings: &[Diagnostic]) -> Vec<String> {
    shown_as(Severity::Warning, warnings)
}

fn shown_as(severity: Severity, diagnostics: &[Diagnostic]) -> Vec<String> {
    let show = |diagnostic: &Diagnostic| {
        let mut text = String::new();
        match write(&mut text, severity, diagnostic, false) {
            Ok(()) => text.trim_end().to_owned(),
            Err(_) => diagnostic.message.clone(),
        }
    };
    diagnostics.iter().map(show).collect()
}

pub(super) fn step(taken: Taken) -> StepTaken {
    StepTaken {
        lines: taken.lines,
        seconds: taken.took.as_secs_f64(),
    }
}

/// What was done, or why nothing was: one line each.
fn summary(result: &Reloaded) -> Vec<String> {
    if result.verdict != Verdict::Good {
        let lines = result.reasons.iter().flat_map(|reason| reason.lines());
        return lines.map(str::to_owned).collect();
    }
    let lines: Vec<String> = result
        .steps
        .iter()
        .flat_map(|step| step.lines.clone())
        .collect();
    match lines.is_empty() {
        true if result.waiting.is_some() => vec!["the start begins anew with it".to_owned()],
        true => vec!["nothing changed".to_owned()],
        false => lines,
    }
}
