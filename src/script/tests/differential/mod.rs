//! Compiled code against the interpreter, which is the only oracle: the same function, the same
//! messages, and everything that a caller can tell must be the same: outcome, text and place of an
//! error, effects, the number of operations, and where a limit on them ends the call.

mod constructs;
mod corpus;
mod grammar;
mod messages;
mod named;
mod random;
mod rare;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::Dynamic;

use super::super::runtime::{Ended, Function, Runtime, Terms};
use super::super::state::State;
use super::*;
use crate::script::{diagnose, meter};

/// How long one call may take; only some of the hostile scripts take longer.
const LONGEST: Duration = Duration::from_secs(2);

/// A program, compiled and interpreted.
struct Pair {
    program: Arc<Program>,
    /// The operations that a call may make.
    plenty: u64,
    compiled: Side,
    interpreted: Side,
}

/// One way to run it.
struct Side {
    runtime: Runtime,
    functions: BTreeMap<String, Function>,
    effects: Box<Effects>,
    limits: Limits,
}

/// All that can be told of a call.
#[derive(Debug, PartialEq)]
struct Told {
    outcome: String,
    effects: Vec<String>,
    operations: u64,
}

impl Pair {
    /// A program of these files, the handler's own called `handler.rhai`.
    fn of(files: &BTreeMap<String, String>) -> Result<Self, Vec<Diagnostic>> {
        Self::with(files, Limits::default())
    }

    fn with(files: &BTreeMap<String, String>, limits: Limits) -> Result<Self, Vec<Diagnostic>> {
        let file = Path::new("/handlers/handler.rhai");
        // As a test's, so that what the checks would refuse is run too.
        let program = Arc::new(Program::of_texts(file, files, Kind::Test, &limits)?);
        Ok(Self {
            compiled: Side::new(&program, limits, true)?,
            interpreted: Side::new(&program, limits, false)?,
            plenty: 20_000,
            program,
        })
    }

    fn of_text(text: &str) -> Self {
        Self::of(&BTreeMap::from([("handler.rhai".into(), text.into())])).unwrap()
    }

    /// Calls `name(msg)` both ways for each message, and once more with each of a few limits.
    ///
    /// A function that only its time ends is left after that: the clock is not the same twice.
    ///
    /// # Errors
    /// The first difference.
    fn compare(&mut self, name: &str, records: &[Rc<Record>]) -> Result<u64, String> {
        let [one, other] = [&mut self.compiled, &mut self.interpreted];
        let mut functions = [
            one.functions.remove(name).ok_or("no such function")?,
            other.functions.remove(name).ok_or("no such function")?,
        ];
        let mut most = 0;
        for record in records {
            let Some(operations) = self.call(&mut functions, record, self.plenty)? else {
                return Ok(most);
            };
            most = most.max(operations);
            // The first operations, some in the middle, and the last.
            let middle = [operations / 3, operations / 2, operations * 4 / 5];
            let ends = [
                1,
                2,
                3,
                5,
                operations.saturating_sub(2),
                operations.saturating_sub(1),
            ];
            for limit in ends.into_iter().chain(middle) {
                if limit < operations {
                    self.call(&mut functions, record, limit)?;
                }
            }
        }
        Ok(most)
    }

    fn call(
        &mut self,
        functions: &mut [Function; 2],
        record: &Rc<Record>,
        limit: u64,
    ) -> Result<Option<u64>, String> {
        let [compiled, interpreted] = functions;
        let one = self.compiled.call(&self.program, compiled, record, limit);
        let other = self
            .interpreted
            .call(&self.program, interpreted, record, limit);
        if [&one, &other]
            .iter()
            .any(|told| told.outcome.starts_with("Time"))
        {
            return Ok(None);
        }
        if one != other {
            let value = record.value().map(String::from_utf8_lossy);
            return Err(format!(
                "of the value {value:?}, with {limit} operations\ncompiled:    {one:#?}\ninterpreted: {other:#?}"
            ));
        }
        Ok(Some(one.operations))
    }
}

impl Side {
    fn new(program: &Arc<Program>, limits: Limits, compile: bool) -> Result<Self, Vec<Diagnostic>> {
        let state = State::new(settings().caller, limits, None, Some(7));
        let terms = Terms {
            timeout: LONGEST,
            compile,
        };
        let params = Params::from([
            ("currency".to_owned(), "EUR".into()),
            ("most".to_owned(), 100.into()),
        ]);
        let runtime = Runtime::new(program, state, &params, terms)?;
        Ok(Self {
            functions: runtime.functions(1, Some(0)),
            runtime,
            effects: Box::default(),
            limits,
        })
    }

    fn call(
        &mut self,
        program: &Arc<Program>,
        function: &mut Function,
        record: &Rc<Record>,
        operations: u64,
    ) -> Told {
        self.effects.clear();
        let state = Rc::clone(&self.runtime.state);
        state.reseed(7);
        state.exchange_effects(&mut self.effects);
        state.enter(Some(record), 2);
        self.runtime.limit_operations(operations);
        let message = self.runtime.message();
        let result = self.runtime.call(function, [message]);
        let operations = meter::operations();
        let returned = result.as_ref().ok().map(shown);
        state.leave();
        state.exchange_effects(&mut self.effects);
        let outcome = match result {
            Ok(_) => format!("returned {}", returned.unwrap_or_default()),
            Err(ended) => {
                // What the error is before it is made readable, too: a catch sees that.
                let raw = match &ended {
                    Ended::Error(error) => format!("{error:?}"),
                    Ended::Exceeded(exceeded, error) => format!("{exceeded:?} {error:?}"),
                    Ended::Stopped(stop) => format!("{stop:?}"),
                    Ended::Panic(text) => text.clone(),
                };
                let (limits, entry) = (&self.limits, self.runtime.entry.as_str());
                let outcome =
                    diagnose::outcome(program, ended, limits, LONGEST, entry, record.value());
                format!("{raw}\n{outcome:?}")
            }
        };
        Told {
            outcome,
            effects: told(&self.effects),
            operations,
        }
    }
}

/// Runs `test` on a thread with the stack that scripts have.
fn on_stack<R: Send>(test: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(crate::script::STACK_SIZE);
        let thread = thread.spawn_scoped(scope, test).unwrap();
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A returned value with its type.
fn shown(value: &Dynamic) -> String {
    let value = value.flatten_clone();
    match value.read_lock::<crate::script::json::JsonObject>() {
        Some(object) => format!("a view of {} members", object.entries().count()),
        None => format!("{} {value:?} #{}", value.type_name(), value.tag()),
    }
}

/// Everything in the effects, as text.
fn told(effects: &Effects) -> Vec<String> {
    let text = |bytes: Option<&[u8]>| format!("{:?}", bytes.map(String::from_utf8_lossy));
    let emits = effects.emits().map(|emit| {
        let headers: Vec<String> = emit
            .headers()
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        format!(
            "{} {} {} {:?} {:?} {headers:?}",
            emit.topic(),
            text(emit.key()),
            text(emit.value()),
            emit.partition(),
            emit.timestamp()
        )
    });
    let counts = effects.counts.iter().map(|count| format!("{count:?}"));
    let observed = effects.observations.iter().map(|seen| format!("{seen:?}"));
    emits.chain(counts).chain(observed).collect()
}
