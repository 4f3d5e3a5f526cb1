//! What the functions that a test calls work on: the handler under test, and why the test failed.
//!
//! One per test, so that no test sees anything of another.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rhai::{EvalAltResult, NativeCallContext};

use super::logs::{Capture, Line};
use super::run::{Run, level};
use super::{Settings, handler_of, load_handler};
use crate::config::Params;
use crate::diagnostic::{Diagnostic, Place};
use crate::script::api::Fallible;
use crate::script::program::shown;
use crate::script::{
    Caller, Generator, Handler, Kind, Outcome, Program, Settings as CallSettings, diagnose, meter,
};

/// A test's handler draws the same random values in every run unless it says `seed(n)`.
const SEED: u64 = 1;
/// The topic of a producer under test.
const PRODUCED_TO: &str = "test";

/// See the module.
pub(super) struct Context {
    /// The test file.
    tests: Arc<Program>,
    settings: Settings,
    capture: Rc<Capture>,
    deadline: Instant,
    inner: RefCell<Inner>,
}

struct Inner {
    /// What is tested; `None` where the test has to say.
    subject: Option<Arc<Program>>,
    params: Params,
    seed: u64,
    /// Built at the first call, and anew when one of the above has changed.
    built: Option<Built>,
    verdict: Verdict,
}

enum Built {
    Handler(Box<Handler>),
    Generator(Box<Generator>),
}

/// What is known of a test when it is over.
#[derive(Default)]
pub(super) struct Verdict {
    pub failure: Option<Vec<Diagnostic>>,
    pub not_compiled: bool,
    pub printed: Vec<String>,
    /// Handlers that it named, with their modules.
    pub files: Vec<PathBuf>,
}

impl Context {
    pub(super) fn new(
        tests: &Arc<Program>,
        subject: Option<Arc<Program>>,
        settings: Settings,
        capture: &Rc<Capture>,
    ) -> Rc<Self> {
        Rc::new(Self {
            tests: Arc::clone(tests),
            settings,
            capture: Rc::clone(capture),
            deadline: Instant::now() + settings.test,
            inner: RefCell::new(Inner {
                subject,
                params: Params::new(),
                seed: SEED,
                built: None,
                verdict: Verdict::default(),
            }),
        })
    }

    /// What came of the test.
    pub(super) fn verdict(&self) -> Verdict {
        self.printed();
        std::mem::take(&mut self.inner.borrow_mut().verdict)
    }

    /// Ends the test; no `try` catches it.
    pub(super) fn fail(
        &self,
        at: &NativeCallContext,
        message: String,
        hints: Vec<String>,
        more: Vec<Diagnostic>,
    ) -> Box<EvalAltResult> {
        let mut failure = vec![self.here(at, message, hints)];
        failure.extend(more);
        // The first one counts: what a test does after it has no effect any more.
        let mut inner = self.inner.borrow_mut();
        inner.verdict.failure.get_or_insert(failure);
        meter::stop();
        EvalAltResult::ErrorTerminated(rhai::Dynamic::UNIT, at.call_position()).into()
    }

    /// A diagnostic at the call in the test file, or in a module of it.
    fn here(&self, at: &NativeCallContext, message: String, hints: Vec<String>) -> Diagnostic {
        let (name, position) = (at.fn_name(), at.call_position());
        let place = self.tests.source(at.call_source()).zip(position.line());
        let place = place.map_or(Place::Nowhere, |(source, line)| {
            let column = position.position().unwrap_or(1);
            diagnose::place(source, line, column, name.chars().count())
        });
        let asserts = name.starts_with("assert") || name == "fail";
        Diagnostic {
            message,
            place,
            label: if asserts {
                "failed here"
            } else {
                "called here"
            }
            .to_owned(),
            hints,
        }
    }

    /// Makes `file`, which lies in the test's folder or below, what is tested from here on.
    pub(super) fn name_handler(&self, at: &NativeCallContext, file: &str) -> Fallible<()> {
        let own = Path::new(file);
        let folder = self.tests.file().parent().unwrap_or(Path::new("."));
        let inside = own
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let path = folder.join(own);
        if !inside || !path.is_file() {
            let hint = match neighbour(folder, file) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("a file in {} or below was expected", shown(folder)),
            };
            return Err(self.fail(
                at,
                format!("there is no handler {file}"),
                vec![hint],
                vec![],
            ));
        }
        match load_handler(&path, &self.settings.limits) {
            Ok(None) => Err(self.fail(at, neither(file), vec![], vec![])),
            Ok(Some(program)) => {
                let mut inner = self.inner.borrow_mut();
                inner.verdict.files.extend_from_slice(program.files());
                inner.subject = Some(program);
                inner.built = None;
                Ok(())
            }
            Err(mistakes) => {
                let mut inner = self.inner.borrow_mut();
                inner.verdict.not_compiled = true;
                inner.verdict.files.push(path);
                drop(inner);
                Err(self.fail(at, format!("{file} does not compile"), vec![], mistakes))
            }
        }
    }

    pub(super) fn set_params(&self, params: Params) {
        let mut inner = self.inner.borrow_mut();
        inner.params = params;
        inner.built = None;
    }

    pub(super) fn set_seed(&self, seed: u64) {
        let mut inner = self.inner.borrow_mut();
        inner.seed = seed;
        inner.built = None;
    }

    /// Calls a consumer's handler.
    pub(super) fn with_handler(
        &self,
        at: &NativeCallContext,
        call: impl FnOnce(&mut Handler) -> Outcome,
    ) -> Fallible<Run> {
        self.prepare(at, Kind::Consumer)?;
        self.run(|built| match built {
            Built::Handler(handler) => {
                let outcome = call(handler);
                Some((outcome, handler.effects()))
            }
            Built::Generator(_) => None,
        })
    }

    /// Calls a producer's generator.
    pub(super) fn with_generator(&self, at: &NativeCallContext, n: u64) -> Fallible<Run> {
        self.prepare(at, Kind::Producer)?;
        self.run(|built| match built {
            Built::Generator(generator) => {
                let outcome = generator.generate(n);
                Some((outcome, generator.effects()))
            }
            Built::Handler(_) => None,
        })
    }

    fn run(
        &self,
        call: impl FnOnce(&mut Built) -> Option<(Outcome, &crate::delivery::Effects)>,
    ) -> Fallible<Run> {
        self.printed();
        let mut inner = self.inner.borrow_mut();
        let run = meter::apart(|| {
            let (outcome, effects) = call(inner.built.as_mut()?)?;
            Some(Run::new(outcome, effects, self.capture.take()))
        });
        let run = run.ok_or("nothing is there to be called")?;
        let lines = run.0.logs.iter().map(show);
        inner.verdict.printed.extend(lines);
        Ok(run)
    }

    /// Keeps what the test itself has printed since the last call.
    fn printed(&self) {
        let lines = self.capture.take();
        let mut inner = self.inner.borrow_mut();
        inner.verdict.printed.extend(lines.iter().map(show));
    }

    /// Builds what is to be called, if it is not there.
    fn prepare(&self, at: &NativeCallContext, kind: Kind) -> Fallible<()> {
        if Instant::now() >= self.deadline {
            return Err(self.fail(at, self.too_long(), vec![], vec![]));
        }
        let subject = self.inner.borrow().subject.clone();
        let Some(program) = subject else {
            let namesake = handler_of(self.tests.file()).filter(|file| file.is_file());
            let message = match namesake {
                Some(file) => neither(&shown(&file)),
                None => "no handler is named like this test file".to_owned(),
            };
            let hint = "say which one is tested: `handler(\"print.rhai\")`".to_owned();
            return Err(self.fail(at, message, vec![hint], vec![]));
        };
        if program.kind() != kind {
            let file = shown(program.file());
            let message = match kind {
                Kind::Producer => format!("{file} is a handler: call `handle(msg)`"),
                _ => format!("{file} is a generator: call `generate(n)`"),
            };
            return Err(self.fail(at, message, vec![], vec![]));
        }
        let mut inner = self.inner.borrow_mut();
        if inner.built.is_some() {
            return Ok(());
        }
        let settings = self.call_settings(&inner);
        let built = meter::apart(|| match kind {
            Kind::Producer => Generator::new(&program, settings, PRODUCED_TO)
                .map(|generator| Built::Generator(Box::new(generator))),
            _ => Handler::new(&program, settings).map(|handler| Built::Handler(Box::new(handler))),
        });
        match built {
            Ok(built) => {
                inner.built = Some(built);
                Ok(())
            }
            Err(mistakes) => {
                drop(inner);
                let message = format!("{} can't be built", shown(program.file()));
                Err(self.fail(at, message, vec![], mistakes))
            }
        }
    }

    /// What a test that goes on beyond its time is told.
    pub(super) fn too_long(&self) -> String {
        format!("the test took longer than {:?}", self.settings.test)
    }

    fn call_settings(&self, inner: &Inner) -> CallSettings {
        CallSettings {
            caller: Caller {
                group: "test".into(),
                member: "test-1".into(),
            },
            limits: self.settings.limits,
            params: inner.params.clone(),
            timeout: self.settings.call,
            seed: Some(inner.seed),
            // As a group has it that says nothing of it.
            compile: true,
        }
    }
}

/// A handler in the folder with a similar name.
fn neighbour(folder: &Path, wanted: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| name.ends_with(".rhai")).collect();
    diagnose::suggestion(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

fn neither(file: &str) -> String {
    format!("{file} has neither `handle(msg)` nor `generate(n)`")
}

fn show(line: &Line) -> String {
    format!("{:<5} {}", level(line), line.text)
}
