//! A producer's generator: `generate(n)` as one emit.

use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, INT};

use super::api::emit;
use super::program::Program;
use super::runtime::{Ended, Function, Runtime};
use super::state::State;
use super::{Kind, Outcome, Settings, diagnose};
use crate::delivery::Effects;
use crate::diagnostic::Diagnostic;

/// A producer's engine: `generate(n)` as an emit to `topic`.
pub struct Generator {
    program: Arc<Program>,
    settings: Settings,
    runtime: Runtime,
    generate: Option<Function>,
    effects: Box<Effects>,
}

impl Generator {
    /// Compiles `program` for one thread and runs its top level.
    ///
    /// # Errors
    /// What the compiler says, and what goes wrong at the top level.
    pub fn new(
        program: &Arc<Program>,
        settings: Settings,
        topic: &str,
    ) -> Result<Generator, Vec<Diagnostic>> {
        if program.kind() != Kind::Producer {
            return Err(vec![diagnose::nowhere(
                "a consumer's handler can't produce: it has no `generate`".into(),
            )]);
        }
        let (caller, limits) = (settings.caller.clone(), settings.limits);
        let state = State::new(caller, limits, Some(topic.into()), settings.seed);
        let runtime = Runtime::new(program, state, &settings.params, settings.terms())?;
        let generate = runtime.function("generate", 1, None);
        runtime.settle();
        Ok(Generator {
            program: Arc::clone(program),
            generate,
            settings,
            runtime,
            effects: Box::default(),
        })
    }

    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Calls `generate(n)`, `n` counting from 0; on `Done` the effects hold the one message.
    ///
    /// A script that calls `emit` as well makes more than one, the returned one last.
    pub fn generate(&mut self, n: u64) -> Outcome {
        self.effects.clear();
        self.runtime.left.begin();
        self.runtime.state.exchange_effects(&mut self.effects);
        self.runtime.state.enter(None, 0);
        let n = INT::try_from(n).unwrap_or(INT::MAX);
        let result = match &mut self.generate {
            Some(generate) => self.runtime.call(generate, [n.into()]),
            None => Ok(Dynamic::UNIT),
        };
        let result = result.and_then(|returned| {
            emit::generated(&self.runtime.state, &returned).map_err(Ended::Error)
        });
        self.runtime.state.leave();
        self.runtime.state.exchange_effects(&mut self.effects);
        let outcome = match result {
            Ok(()) => Outcome::Done,
            Err(ended) => self.failed(ended),
        };
        self.runtime.left.end(&self.runtime.state, outcome)
    }

    #[cold]
    fn failed(&mut self, ended: Ended) -> Outcome {
        self.effects.clear();
        let panicked = matches!(ended, Ended::Panic(_));
        let Settings {
            limits, timeout, ..
        } = &self.settings;
        let entry = self.runtime.entry.as_str();
        let outcome = diagnose::outcome(&self.program, ended, limits, *timeout, entry, None);
        if panicked {
            let state = Rc::clone(&self.runtime.state);
            // What could not be built again stays as it is: the next call reports what it does.
            let terms = self.settings.terms();
            if let Ok(mut runtime) =
                Runtime::new(&self.program, state, &self.settings.params, terms)
            {
                self.generate = runtime.function("generate", 1, None);
                runtime.settle();
                runtime.left = self.runtime.left.clone();
                self.runtime = runtime;
            }
        }
        outcome
    }

    /// The effects of the last call.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }
}
