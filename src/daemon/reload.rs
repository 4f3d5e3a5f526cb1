//! A reload: load, check, compile, plan, apply, and say what came of it.

use std::sync::Arc;

use crate::observe;
use crate::observe::status::{DaemonState, Reload};
use crate::observe::terminal;
use crate::preflight;
use crate::topology::plan::{Plan, plan};

use super::Daemon;

impl Daemon {
    pub(super) async fn reload(&mut self) {
        self.board.set_state(DaemonState::Reloading);
        self.reloads += 1;
        let outcome = self.try_reload().await;
        let hosts = self.running.config().daemon.hosts.clone();
        self.hosts.store(Arc::new(hosts));
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
            tracing::warn!(frame = warning.frame(), "{warning}");
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
        // Whoever reloads has mended something, perhaps outside of any file.
        self.running.resume_stuck();
        if applied.is_empty() {
            return Ok(vec!["nothing changed".to_owned()]);
        }
        Ok(applied.into_iter().map(|(line, _)| line).collect())
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
