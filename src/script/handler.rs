//! One member's handler: `handle`, `on_failed` and the life cycle.

use std::rc::Rc;
use std::sync::Arc;

use rhai::{Array, Dynamic, Map};

use super::program::Program;
use super::runtime::{Ended, Function, Runtime};
use super::state::State;
use super::{Failure, Kind, Outcome, Settings, diagnose};
use crate::config::Stage;
use crate::delivery::{Effects, Record};
use crate::diagnostic::Diagnostic;

/// One member's engine with its program.
pub struct Handler {
    program: Arc<Program>,
    settings: Settings,
    runtime: Runtime,
    functions: Functions,
    effects: Box<Effects>,
}

struct Functions {
    handle: Option<Function>,
    on_failed: Option<Function>,
    on_start: Option<Function>,
    on_assign: Option<Function>,
    on_revoke: Option<Function>,
    on_stop: Option<Function>,
}

impl Functions {
    fn of(runtime: &Runtime) -> Self {
        let functions = Self {
            handle: runtime.function("handle", 1, Some(0)),
            on_failed: runtime.function("on_failed", 2, Some(0)),
            on_start: runtime.function("on_start", 0, None),
            on_assign: runtime.function("on_assign", 1, None),
            on_revoke: runtime.function("on_revoke", 1, None),
            on_stop: runtime.function("on_stop", 0, None),
        };
        runtime.settle();
        functions
    }
}

impl Handler {
    /// Compiles `program` for one thread and runs its top level, in which `params` are known.
    ///
    /// # Errors
    /// What the compiler says, which is not expected of a program that was loaded with the same
    /// limits; and what goes wrong at the top level, such as a constant made of a missing parameter.
    pub fn new(program: &Arc<Program>, settings: Settings) -> Result<Handler, Vec<Diagnostic>> {
        if program.kind() != Kind::Consumer {
            return Err(vec![diagnose::nowhere(
                "a generator can't handle messages: it has no `handle`".into(),
            )]);
        }
        let state = State::new(
            settings.caller.clone(),
            settings.limits,
            None,
            settings.seed,
        );
        let runtime = Runtime::new(program, state, &settings.params, settings.terms())?;
        Ok(Handler {
            program: Arc::clone(program),
            functions: Functions::of(&runtime),
            settings,
            runtime,
            effects: Box::default(),
        })
    }

    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Calls `handle(msg)`. `attempt` counts from 1. The effects of earlier calls are discarded
    /// first, and so are this call's unless it is done.
    #[inline]
    pub fn handle(&mut self, record: &Rc<Record>, attempt: u32) -> Outcome {
        let handle = self.functions.handle.as_ref();
        let nothing = handle.is_some_and(Function::does_nothing);
        if nothing && self.runtime.left.is_too_much().is_none() {
            self.effects.clear();
            return Outcome::Done;
        }
        self.begin(Some(record), attempt);
        let result = match &mut self.functions.handle {
            Some(handle) => self.runtime.call_on_message(handle),
            None => Ok(()),
        };
        self.end(result, Some(record))
    }

    /// Calls `on_failed(msg, reason)` where the script has it; its effects can then be taken.
    pub fn on_failed(&mut self, record: &Rc<Record>, attempt: u32, reason: &str) -> Outcome {
        self.begin(Some(record), attempt);
        let result = match &mut self.functions.on_failed {
            Some(on_failed) => {
                let message = self.runtime.message();
                self.runtime.call(on_failed, [message, reason.into()])
            }
            None => Ok(Dynamic::UNIT),
        };
        self.end(result.map(drop).map_err(Box::new), Some(record))
    }

    /// Shows the script the topics that it reads under the names that `stage` has for them.
    pub fn rehearse(&mut self, stage: &Arc<Stage>) {
        self.runtime.state.stage.get_or_init(|| stage.clone());
    }

    /// Makes the random values of the calls that follow those of `seed`.
    pub fn reseed(&mut self, seed: u64) {
        self.runtime.state.reseed(seed);
    }

    /// How many bytes the calls have left behind.
    #[cfg(test)]
    pub(super) fn left(&self) -> isize {
        self.runtime.left.sum()
    }

    /// The effects of the last call.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// Calls `on_start()`; a script without the function is fine.
    pub fn on_start(&mut self) -> Outcome {
        self.life_cycle(|functions| &mut functions.on_start, [])
    }

    /// Calls `on_assign(partitions)` with maps of `topic` and `partition`.
    pub fn on_assign(&mut self, partitions: &[(Arc<str>, i32)]) -> Outcome {
        self.life_cycle(|functions| &mut functions.on_assign, [list(partitions)])
    }

    /// Calls `on_revoke(partitions)` with maps of `topic` and `partition`.
    pub fn on_revoke(&mut self, partitions: &[(Arc<str>, i32)]) -> Outcome {
        self.life_cycle(|functions| &mut functions.on_revoke, [list(partitions)])
    }

    /// Calls `on_stop()`.
    pub fn on_stop(&mut self) -> Outcome {
        self.life_cycle(|functions| &mut functions.on_stop, [])
    }

    fn life_cycle<const N: usize>(
        &mut self,
        which: impl FnOnce(&mut Functions) -> &mut Option<Function>,
        arguments: [Dynamic; N],
    ) -> Outcome {
        self.begin(None, 0);
        let result = match which(&mut self.functions) {
            Some(function) => self.runtime.call(function, arguments),
            None => Ok(Dynamic::UNIT),
        };
        self.end(result.map(drop).map_err(Box::new), None)
    }

    #[inline]
    fn begin(&mut self, record: Option<&Rc<Record>>, attempt: u32) {
        self.effects.clear();
        self.runtime.left.begin();
        let state = &self.runtime.state;
        state.exchange_effects(&mut self.effects);
        state.enter(record, attempt);
    }

    #[inline]
    fn end(&mut self, result: Result<(), Box<Ended>>, record: Option<&Rc<Record>>) -> Outcome {
        self.runtime.state.leave();
        self.runtime.state.exchange_effects(&mut self.effects);
        let outcome = match result {
            Ok(()) => Outcome::Done,
            Err(ended) => self.failed(*ended, record),
        };
        self.runtime.left.end(&self.runtime.state, outcome)
    }

    #[cold]
    fn failed(&mut self, ended: Ended, record: Option<&Rc<Record>>) -> Outcome {
        self.effects.clear();
        let panicked = matches!(ended, Ended::Panic(_));
        let value = record.and_then(|record| record.value());
        let Settings {
            limits, timeout, ..
        } = &self.settings;
        let entry = self.runtime.entry.as_str();
        let outcome = diagnose::outcome(&self.program, ended, limits, *timeout, entry, value);
        if panicked && let Err(why) = self.rebuild() {
            return Outcome::Failed(why);
        }
        outcome
    }

    /// A panic can leave anything half done inside the engine: a new one takes its place.
    fn rebuild(&mut self) -> Result<(), Box<Failure>> {
        let state = Rc::clone(&self.runtime.state);
        let terms = self.settings.terms();
        match Runtime::new(&self.program, state, &self.settings.params, terms) {
            Ok(mut runtime) => {
                self.functions = Functions::of(&runtime);
                runtime.left = self.runtime.left.clone();
                self.runtime = runtime;
                Ok(())
            }
            Err(mistakes) => Err(Box::new(Failure {
                reason: "the handler panicked and could not be built again".into(),
                diagnostic: mistakes.into_iter().next(),
            })),
        }
    }
}

fn list(partitions: &[(Arc<str>, i32)]) -> Dynamic {
    let partitions = partitions.iter().map(|(topic, partition)| {
        let mut map = Map::new();
        map.insert("topic".into(), (&**topic).into());
        map.insert("partition".into(), i64::from(*partition).into());
        Dynamic::from_map(map)
    });
    Dynamic::from_array(partitions.collect::<Array>())
}
