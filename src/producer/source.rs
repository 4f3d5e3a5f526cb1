//! Where a producer's messages come from: its generator, always in the newest version.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Producer;
use crate::delivery::Effects;
use crate::diagnostic::Diagnostic;
use crate::handlers::HandlerSlot;
use crate::script::{Caller, Failure, Generator, Outcome, Program, Settings};

/// One call of `generate`; a producer has no setting of its own for it.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Makes messages on the producer's thread; it need not be able to leave it.
pub trait Source {
    /// Makes message `n`; on `Done` the effects hold it.
    fn generate(&mut self, n: u64) -> Outcome;
    /// The effects of the last call.
    fn effects(&self) -> &Effects;
    /// Parameters and limits may have changed; they count from the next message on.
    fn configure(&mut self, config: &Producer);
}

/// A Rhai generator that follows its slot.
pub struct ScriptSource {
    name: Arc<str>,
    config: Producer,
    slot: Arc<HandlerSlot>,
    /// The slot's generation that `generator` was built from.
    generation: u64,
    generator: Result<Generator, Box<Failure>>,
    nothing: Effects,
}

impl ScriptSource {
    pub fn new(name: Arc<str>, config: Producer, slot: Arc<HandlerSlot>) -> Self {
        let generation = slot.generation();
        let generator = build(&name, &config, &slot);
        Self {
            name,
            config,
            slot,
            generation,
            generator,
            nothing: Effects::default(),
        }
    }

    fn rebuild(&mut self) {
        // The generation first: a version that is set in between is taken at the next message.
        self.generation = self.slot.generation();
        self.generator = build(&self.name, &self.config, &self.slot);
    }
}

impl Source for ScriptSource {
    fn generate(&mut self, n: u64) -> Outcome {
        if self.slot.generation() != self.generation {
            self.rebuild();
        }
        match &mut self.generator {
            Ok(generator) => generator.generate(n),
            Err(failure) => Outcome::Failed(failure.clone()),
        }
    }

    fn effects(&self) -> &Effects {
        match &self.generator {
            Ok(generator) => generator.effects(),
            Err(_) => &self.nothing,
        }
    }

    fn configure(&mut self, config: &Producer) {
        let rebuild = config.params != self.config.params || config.limits != self.config.limits;
        self.config = config.clone();
        if rebuild {
            self.rebuild();
        }
    }
}

fn build(
    name: &Arc<str>,
    config: &Producer,
    slot: &HandlerSlot,
) -> Result<Generator, Box<Failure>> {
    Generator::new(&slot.current(), settings(name, config), &config.topic).map_err(failure)
}

/// What the engine of a producer is built with.
fn settings(name: &Arc<str>, config: &Producer) -> Settings {
    Settings {
        caller: Caller {
            group: name.clone(),
            member: name.clone(),
        },
        limits: config.limits,
        params: config.params.clone(),
        timeout: TIMEOUT,
        seed: config.seed,
    }
}

/// Builds a generator with a producer's constants and limits, and throws it away.
///
/// # Errors
/// What goes wrong at the script's top level, such as a constant made of a parameter that is missing.
pub fn try_generator(
    program: &Arc<Program>,
    name: &str,
    config: &Producer,
) -> Result<(), Vec<Diagnostic>> {
    Generator::new(program, settings(&name.into(), config), &config.topic).map(drop)
}

/// The first mistake stands for all: the check has shown every one.
fn failure(mistakes: Vec<Diagnostic>) -> Box<Failure> {
    let diagnostic = mistakes.into_iter().next();
    Box::new(Failure {
        reason: diagnostic.as_ref().map_or_else(
            || "the generator can't be compiled".to_owned(),
            |mistake| mistake.message.clone(),
        ),
        diagnostic,
    })
}
