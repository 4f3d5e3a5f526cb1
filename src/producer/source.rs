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
    /// Parameters and limits may have changed; they count from the next message on, and with them the
    /// program that belongs to these settings of the slot.
    fn configure(&mut self, config: &Producer, settings: u64);
}

/// A Rhai generator that follows its slot.
pub struct ScriptSource {
    name: Arc<str>,
    config: Producer,
    slot: Arc<HandlerSlot>,
    /// Which settings of the slot's `config` holds.
    settings: u64,
    /// The slot's generation that `generator` was built from.
    generation: u64,
    /// The generator is to be built anew, for other settings.
    outdated: bool,
    generator: Result<Generator, Box<Failure>>,
    nothing: Effects,
}

impl ScriptSource {
    /// `settings`: which of the slot's `config` holds.
    pub fn new(name: Arc<str>, config: Producer, slot: Arc<HandlerSlot>, settings: u64) -> Self {
        let generation = slot.generation();
        let generator = build(&name, &config, &slot.current());
        Self {
            name,
            config,
            slot,
            settings,
            generation,
            outdated: false,
            generator,
            nothing: Effects::default(),
        }
    }

    fn rebuild(&mut self) {
        // The generation first: a version that is set in between is taken at the next message.
        let generation = self.slot.generation();
        // Else it belongs to settings that are on their way here.
        if let Some(program) = self.slot.current_with(self.settings) {
            self.generation = generation;
            self.outdated = false;
            self.generator = build(&self.name, &self.config, &program);
        }
    }
}

impl Source for ScriptSource {
    fn generate(&mut self, n: u64) -> Outcome {
        if self.outdated || self.slot.generation() != self.generation {
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

    fn configure(&mut self, config: &Producer, settings: u64) {
        // Built at the next message: what the last one made may still wait for room.
        self.outdated |= config.params != self.config.params
            || config.limits != self.config.limits
            || config.compile != self.config.compile;
        self.config = config.clone();
        self.settings = settings;
    }
}

fn build(
    name: &Arc<str>,
    config: &Producer,
    program: &Arc<Program>,
) -> Result<Generator, Box<Failure>> {
    Generator::new(program, settings(name, config), &config.topic).map_err(failure)
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
        compile: config.compile,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Limits, Rate};
    use crate::script::Kind;

    fn program(dir: &tempfile::TempDir, name: &str, text: &str) -> Arc<Program> {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let program = Program::load(&file, Kind::Producer, &Limits::default());
        Arc::new(program.unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
    }

    fn config(mark: &str) -> Producer {
        Producer {
            topic: "Delivery".to_owned(),
            handler: "a.rhai".into(),
            rate: Rate::Unlimited,
            count: None,
            seed: None,
            compile: true,
            params: BTreeMap::from([("mark".to_owned(), mark.into())]),
            limits: Limits::default(),
        }
    }

    fn made(source: &ScriptSource) -> Vec<String> {
        let values = source.effects().emits();
        values
            .map(|emit| String::from_utf8_lossy(emit.value().unwrap_or_default()).into_owned())
            .collect()
    }

    /// Other settings leave alone what was made and not sent yet, and a program that comes with them is
    /// never run without them.
    #[test]
    fn settings_and_the_program_that_comes_with_them_are_taken_together() {
        let dir = tempfile::tempdir().unwrap();
        let first = program(&dir, "a.rhai", "fn generate(n) { `a ${params.mark} ${n}` }");
        let second = program(&dir, "b.rhai", "fn generate(n) { `b ${params.mark} ${n}` }");
        let slot = Arc::new(HandlerSlot::new(Kind::Producer, "p", first));
        let mut source = ScriptSource::new("p".into(), config("one"), slot.clone(), 0);
        assert!(matches!(source.generate(0), Outcome::Done));
        assert_eq!(made(&source), ["a one 0"]);

        slot.set_with_settings(second);
        assert!(matches!(source.generate(1), Outcome::Done));
        assert_eq!(made(&source), ["a one 1"]);
        source.configure(&config("two"), slot.settings());
        assert_eq!(made(&source), ["a one 1"]);
        assert!(matches!(source.generate(2), Outcome::Done));
        assert_eq!(made(&source), ["b two 2"]);
    }
}
