//! Two versions of a handler and one message: where what they do differs.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::diff::{Difference, differences, lines};
use super::emitted::Emitted;
use super::logs::Capture;
use super::run::Run;
use crate::delivery::Record;
use crate::diagnostic::Diagnostic;
use crate::script::{Handler, Program, Settings};

/// Both versions draw the same random values for a message.
const SEED: u64 = 1;
/// A clock that counts milliseconds has moved on after it.
const TICK: Duration = Duration::from_millis(2);

/// One version, ready to be called.
pub struct Side {
    handler: Handler,
    capture: Capture,
}

impl Side {
    /// # Errors
    /// What goes wrong at the top level of the script.
    pub fn new(program: &Arc<Program>, settings: Settings) -> Result<Side, Vec<Diagnostic>> {
        Ok(Side {
            handler: Handler::new(program, settings)?,
            capture: Capture::new(),
        })
    }

    /// What it does with a message: how the call ends, and the emits.
    fn run(&mut self, record: &Rc<Record>) -> Value {
        let Self { handler, capture } = self;
        let run = capture.during(|| {
            handler.reseed(SEED);
            let outcome = handler.handle(record, 1);
            Run::new(outcome, handler.effects(), capture.take())
        });
        let outcome = match run.reason() {
            "" => run.0.ended.word().to_owned(),
            reason => format!("{}: {reason}", run.0.ended.word()),
        };
        let emits: Vec<Value> = run.0.emits.iter().map(Emitted::plain).collect();
        json!({"outcome": outcome, "emits": emits})
    }
}

/// Where two versions differ in one message.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Nothing where they do the same.
    differences: Vec<Difference>,
}

impl Comparison {
    pub fn same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether the call itself ends otherwise: done, rejected or failed, or for another reason.
    pub fn ends_otherwise(&self) -> bool {
        let mut all = self.differences.iter();
        all.any(|difference| difference.path == "outcome")
    }

    /// The differing paths with both values, under these names.
    pub fn lines(&self, old: &str, new: &str) -> Vec<String> {
        lines(&self.differences, old, new)
    }
}

/// Runs a message through both. What a version does differently each time, such as the time of the
/// call, is not compared.
pub fn compare(old: &mut Side, new: &mut Side, record: &Rc<Record>) -> Comparison {
    let (before, after) = (old.run(record), new.run(record));
    let mut found = differences(&before, &after);
    if !found.is_empty() {
        // Once more, when a clock shows another time.
        thread::sleep(TICK);
        let mut moves = differences(&before, &old.run(record));
        moves.extend(differences(&after, &new.run(record)));
        found.retain(|difference| !moves.iter().any(|moved| moved.path == difference.path));
    }
    Comparison { differences: found }
}
