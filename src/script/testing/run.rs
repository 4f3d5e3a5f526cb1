//! What came of one call of a handler, as a test looks at it.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, INT, Map};
use serde_json::{Value, json};

use super::emitted::Emitted;
use super::logs::Line;
use crate::delivery::Effects;
use crate::script::{Failure, Outcome};

/// How a call ended, and what it did.
#[derive(Debug, Clone)]
pub(super) struct Run(pub Rc<Call>);

#[derive(Debug)]
pub(super) struct Call {
    pub ended: Ended,
    pub failure: Option<Failure>,
    pub emits: Vec<Emitted>,
    pub logs: Vec<Line>,
    /// By name, summed up.
    pub counts: Vec<(String, u64)>,
    pub observed: Vec<(String, f64)>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Rejected,
    Failed,
}

impl Ended {
    /// As `run.outcome` says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

impl Run {
    pub(super) fn new(outcome: Outcome, effects: &Effects, logs: Vec<Line>) -> Self {
        let (ended, failure) = match outcome {
            Outcome::Done => (Ended::Done, None),
            Outcome::Rejected(failure) => (Ended::Rejected, Some(*failure)),
            Outcome::Failed(failure) => (Ended::Failed, Some(*failure)),
        };
        let mut counts: Vec<(String, u64)> = Vec::new();
        for (name, n) in &effects.counts {
            match counts.iter_mut().find(|(known, _)| **known == **name) {
                Some((_, sum)) => *sum = sum.saturating_add(*n),
                None => counts.push((name.to_string(), *n)),
            }
        }
        Self(Rc::new(Call {
            ended,
            failure,
            emits: effects.emits().map(|emit| Emitted::of(&emit)).collect(),
            logs,
            counts,
            observed: effects
                .observations
                .iter()
                .map(|(name, x)| (name.to_string(), *x))
                .collect(),
        }))
    }

    /// Why it was not done; empty where it was.
    pub(super) fn reason(&self) -> &str {
        self.0
            .failure
            .as_ref()
            .map_or("", |failure| failure.reason.as_str())
    }

    /// How often `name` was counted in all.
    pub(super) fn count(&self, name: &str) -> u64 {
        let found = self.0.counts.iter().find(|(known, _)| known == name);
        found.map_or(0, |(_, n)| *n)
    }

    /// What was observed under `name`, in order.
    pub(super) fn observations(&self, name: &str) -> Vec<f64> {
        let of_name = self.0.observed.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, x)| *x).collect()
    }

    /// In a form that can be compared and shown.
    pub(super) fn plain(&self) -> Value {
        json!({
            "outcome": self.0.ended.word(),
            "reason": self.reason(),
            "emits": self.0.emits.iter().map(Emitted::plain).collect::<Vec<_>>(),
            "logs": self.0.logs.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(),
        })
    }

    fn logs(&self) -> Array {
        let lines = self.0.logs.iter().map(|line| {
            let mut map = Map::new();
            map.insert("level".into(), level(line).into());
            map.insert("text".into(), line.text.as_str().into());
            Dynamic::from_map(map)
        });
        lines.collect()
    }

    fn counts(&self) -> Map {
        let counts = self.0.counts.iter();
        counts
            .map(|(name, n)| {
                let n = INT::try_from(*n).unwrap_or(INT::MAX);
                (name.as_str().into(), Dynamic::from_int(n))
            })
            .collect()
    }

    fn observed(&self) -> Map {
        let mut map = Map::new();
        for (name, _) in &self.0.observed {
            let values = self.observations(name).into_iter();
            let values: Array = values.map(Dynamic::from_float).collect();
            map.insert(name.as_str().into(), Dynamic::from_array(values));
        }
        map
    }
}

/// A line's level as the function that wrote it is called.
pub(super) fn level(line: &Line) -> String {
    line.level.as_str().to_lowercase()
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Run>("run")
        .register_get("outcome", |run: &mut Run| run.0.ended.word())
        .register_get("reason", |run: &mut Run| match &run.0.failure {
            Some(failure) => failure.reason.as_str().into(),
            None => Dynamic::UNIT,
        })
        .register_get("emits", |run: &mut Run| -> Array {
            run.0.emits.iter().cloned().map(Dynamic::from).collect()
        })
        .register_get("logs", |run: &mut Run| run.logs())
        .register_get("counts", |run: &mut Run| run.counts())
        .register_get("observed", |run: &mut Run| run.observed());
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |run: &mut Run| run.plain().to_string());
    }
}
