//! One test file: its tests found, and run one by one.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Context, Verdict};
use super::logs::Capture;
use super::tests_of;
use super::{Settings, Tested, asserts, calls, emitted, handler_of, load_handler, message, run};
use crate::config::{Limits, Params};
use crate::diagnostic::{Diagnostic, Place};
use crate::script::meter::Exceeded;
use crate::script::program::{Source, shown};
use crate::script::runtime::{Ended, Runtime, Terms};
use crate::script::state::State;
use crate::script::{Caller, Kind, Outcome, Program, diagnose, engine};

/// How the name of a test begins.
const PREFIX: &str = "test_";
/// Runs before each test, where there is one.
const SETUP: &str = "setup";
/// A test's own random values; the handler's have a seed of their own.
const SEED: u64 = 0;
/// So many failed tests of a version are told.
const MOST_TOLD: usize = 10;

/// A test file and the handler that it is about.
pub struct Suite {
    tests: Arc<Program>,
    subject: Option<Arc<Program>>,
    settings: Settings,
    names: Vec<String>,
}

impl Suite {
    /// Reads a test file, and the handler of its name if there is one.
    ///
    /// # Errors
    /// Every mistake in either.
    pub fn load(file: &Path, settings: Settings) -> Result<Suite, Vec<Diagnostic>> {
        let subject = match handler_of(file).filter(|handler| handler.is_file()) {
            Some(handler) => load_handler(&handler, &settings.limits)?,
            None => None,
        };
        Self::of(file, subject, settings)
    }

    /// Reads a test file for a handler that is loaded already.
    ///
    /// # Errors
    /// Every mistake in the test file.
    pub fn of(
        file: &Path,
        subject: Option<Arc<Program>>,
        settings: Settings,
    ) -> Result<Suite, Vec<Diagnostic>> {
        let tests = Arc::new(Program::load(file, Kind::Test, &settings.limits)?);
        let names = match tests.source(None) {
            Some(source) => names(source, &settings.limits)?,
            None => Vec::new(),
        };
        Ok(Suite {
            tests,
            subject,
            settings,
            names,
        })
    }

    /// The test file, absolute.
    pub fn file(&self) -> &Path {
        self.tests.file()
    }

    /// The tests' names in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Every file that a change of can change how the tests end, but for handlers that tests name.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.tests.files().to_vec();
        if let Some(subject) = &self.subject {
            files.extend_from_slice(subject.files());
        }
        files
    }

    /// Runs one test: with an engine, a handler and random values of its own.
    pub fn run(&self, name: &str) -> Tested {
        let begun = Instant::now();
        let capture = Rc::new(Capture::new());
        let verdict = capture.during(|| self.verdict(name, &self.settings, &capture));
        Tested {
            name: name.to_owned(),
            took: begun.elapsed(),
            failure: verdict.failure.unwrap_or_default(),
            not_compiled: verdict.not_compiled,
            printed: verdict.printed,
            files: verdict.files,
        }
    }

    fn verdict(&self, name: &str, settings: &Settings, capture: &Rc<Capture>) -> Verdict {
        let context = Context::new(&self.tests, self.subject.clone(), *settings, capture);
        let caller = Caller {
            group: "test".into(),
            member: "test".into(),
        };
        let state = State::new(caller, settings.limits, None, Some(SEED));
        let register = |engine: &mut rhai::Engine| {
            message::register(engine);
            emitted::register(engine);
            run::register(engine);
            calls::register(engine, &context);
            asserts::register(engine, &context);
        };
        let params = Params::new();
        let terms = Terms {
            timeout: settings.test,
            // A test runs once: compiling it would not pay.
            compile: false,
        };
        let mut runtime = match Runtime::with(&self.tests, state, &params, terms, register) {
            Ok(runtime) => runtime,
            Err(mistakes) => {
                let mut verdict = context.verdict();
                verdict.failure.get_or_insert(mistakes);
                return verdict;
            }
        };
        let mut ended = None;
        for function in [SETUP, name] {
            let Some(mut function) = runtime.function(function, 0, None) else {
                continue;
            };
            if let Err(how) = runtime.call(&mut function, []) {
                ended = Some(how);
                break;
            }
        }
        let mut verdict = context.verdict();
        if let Some(ended) = ended.filter(|_| verdict.failure.is_none()) {
            verdict.failure = Some(self.ended(ended, settings, &context));
        }
        verdict
    }

    /// Why a test ended, other than by an assert.
    fn ended(&self, ended: Ended, settings: &Settings, context: &Context) -> Vec<Diagnostic> {
        let late = matches!(ended, Ended::Exceeded(Exceeded::Time, _));
        let outcome = diagnose::outcome(
            &self.tests,
            ended,
            &settings.limits,
            settings.test,
            "",
            None,
        );
        let (Outcome::Failed(failure) | Outcome::Rejected(failure)) = outcome else {
            return Vec::new();
        };
        let crate::script::Failure { reason, diagnostic } = *failure;
        let mut diagnostic = diagnostic.unwrap_or_else(|| nowhere(reason));
        if late {
            diagnostic.message = context.too_long();
            diagnostic.hints.clear();
        }
        vec![diagnostic]
    }
}

/// The tests of a file in its order; a test takes nothing.
fn names(source: &Source, limits: &Limits) -> Result<Vec<String>, Vec<Diagnostic>> {
    let Ok(ast) = engine::bare(limits).compile(&source.text) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<_> = ast
        .iter_fn_def()
        .filter(|function| function.name.starts_with(PREFIX))
        .map(|function| {
            let line = function.body.start_position().line().unwrap_or(1);
            (line, function.name.to_string(), function.params.len())
        })
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(vec![Diagnostic {
            message: "the file has no test".to_owned(),
            place: diagnose::place(source, source.text.lines().count().max(1), 1, 1),
            label: format!("`fn {PREFIX}…()` was expected by the end of the file"),
            hints: Vec::new(),
        }]);
    }
    let mistakes: Vec<Diagnostic> = found
        .iter()
        .filter(|(.., parameters)| *parameters > 0)
        .map(|(line, name, _)| Diagnostic {
            message: format!("the test `{name}` takes parameters"),
            place: diagnose::place(source, *line, 1, 1),
            label: format!("`fn {name}()` was expected"),
            hints: Vec::new(),
        })
        .collect();
    if mistakes.is_empty() {
        Ok(found.into_iter().map(|(_, name, _)| name).collect())
    } else {
        Err(mistakes)
    }
}

/// Runs the tests of a version that is to be taken, from the file beside its handler.
///
/// `call` is for one call of the handler, `within` for all tests together.
///
/// # Errors
/// There are no tests, they do not compile, some fail, or they take too long.
pub fn check(
    program: &Arc<Program>,
    limits: &Limits,
    call: Duration,
    within: Duration,
) -> Result<(), Vec<Diagnostic>> {
    let file = tests_of(program.file());
    if !file.is_file() {
        return Err(vec![Diagnostic {
            hints: vec![format!(
                "write {}, or set `test_before_swap = false`",
                shown(&file)
            )],
            ..nowhere(format!(
                "`test_before_swap` is on, and {} has no tests",
                shown(program.file())
            ))
        }]);
    }
    let deadline = Instant::now() + within;
    let mut settings = Settings {
        limits: *limits,
        call,
        test: within,
    };
    let mut suite = Suite::of(&file, Some(Arc::clone(program)), settings)?;
    let mut mistakes = Vec::new();
    let mut failed = 0;
    for name in suite.names.clone() {
        settings.test = deadline.saturating_duration_since(Instant::now());
        if settings.test.is_zero() {
            mistakes.push(nowhere(format!(
                "the tests in {} took longer than {within:?}; `{name}` was not begun",
                shown(&file)
            )));
            break;
        }
        suite.settings = settings;
        let mut failure = suite.run(&name).failure.into_iter();
        let Some(mut first) = failure.next() else {
            continue;
        };
        failed += 1;
        if failed <= MOST_TOLD {
            first.message = format!("{name} failed: {}", first.message);
            mistakes.push(first);
            mistakes.extend(failure);
        }
    }
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(mistakes)
    }
}

fn nowhere(message: String) -> Diagnostic {
    Diagnostic {
        message,
        place: Place::Nowhere,
        label: String::new(),
        hints: Vec::new(),
    }
}
