//! What is looked at while something else may be changing what runs: the producers, and which handler
//! each group and producer runs with what it may not mean.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::handlers::HandlerSlot;
use crate::observe::{Board, LogGuard};
use crate::preflight::warnings_of;
use crate::script::Kind;

use super::producers::RunningProducer;
use super::running::handler_status;

/// Shared by [`Running`](super::Running), which changes it step by step, and the daemon, which looks
/// at it also while a reload is under way. Locks are held for a look, never over a wait.
pub struct Shown {
    board: Board,
    away: Arc<AtomicBool>,
    /// The one in force.
    config: Mutex<Config>,
    slots: Mutex<BTreeMap<String, Arc<HandlerSlot>>>,
    producers: Mutex<BTreeMap<String, RunningProducer>>,
    log: Arc<LogGuard>,
}

impl Shown {
    pub(super) fn new(
        board: Board,
        away: Arc<AtomicBool>,
        config: Config,
        log: Arc<LogGuard>,
    ) -> Self {
        Self {
            board,
            away,
            config: Mutex::new(config),
            slots: Mutex::default(),
            producers: Mutex::default(),
            log,
        }
    }

    /// The handlers of the groups that run, by group.
    pub(super) fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<HandlerSlot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn producers(&self) -> MutexGuard<'_, BTreeMap<String, RunningProducer>> {
        self.producers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The handler of a group that runs.
    pub fn handler(&self, group: &str) -> Option<Arc<HandlerSlot>> {
        self.slots().get(group).cloned()
    }

    /// The groups that run.
    pub fn groups(&self) -> Vec<String> {
        self.slots().keys().cloned().collect()
    }

    /// The producers that run.
    pub fn producer_names(&self) -> Vec<String> {
        self.producers().keys().cloned().collect()
    }

    /// Pauses or resumes a producer. False: there is none of that name.
    pub fn set_producer_paused(&self, name: &str, paused: bool) -> bool {
        let producers = self.producers();
        let producer = producers.get(name);
        if let Some(producer) = producer {
            producer.set_paused(paused);
            // Who died is told at the next look after this.
            drop(producer.look(self.away.load(Ordering::Relaxed)));
        }
        producer.is_some()
    }

    /// Shows which handlers run now, and what is wrong with those that were refused.
    pub fn show_handlers(&self) {
        for (group, slot) in self.slots().iter() {
            self.board.set_group_handler(group, handler_status(slot));
        }
        for producer in self.producers().values() {
            producer.show_handler();
        }
    }

    /// What the log shows and hides.
    pub fn log(&self) -> &LogGuard {
        &self.log
    }

    pub(super) fn set_config(&self, config: Config) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// What the handlers that run now in these groups and producers may not mean, each once.
    pub fn handler_warnings(&self, slots: &[(Kind, Arc<str>)]) -> Vec<Diagnostic> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings: Vec<Diagnostic> = Vec::new();
        for (kind, name) in slots {
            let slot = match kind {
                Kind::Consumer => self.handler(name),
                Kind::Producer => self.producers().get(&**name).map(|p| p.slot.clone()),
                // Nothing runs a test file.
                Kind::Test => None,
            };
            let Some(slot) = slot else { continue };
            let reads: &[String] = match config.groups.get(&**name) {
                Some(group) if *kind == Kind::Consumer => &group.topics,
                _ => &[],
            };
            for warning in warnings_of(&slot.current(), &config, reads) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        warnings
    }

    /// Brings what is shown of producers up to date, and says which of them died.
    pub fn look_at_producers(&self) -> Vec<String> {
        let away = self.away.load(Ordering::Relaxed);
        self.producers()
            .iter()
            .filter_map(|(name, producer)| {
                let reason = producer.look(away)?;
                Some(format!("producer {name} died: {reason}"))
            })
            .collect()
    }
}
