//! One engine with everything that Rhai would otherwise make anew for each call.
//!
//! [`Runtime::new`] compiles and runs the files' top level once, for constants and imports; `call`
//! runs a function's statements in state that is kept: the caches of function resolution, the scope
//! with `msg` in it. What a call leaves behind is taken away after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, GlobalRuntimeState, ImmutableString,
    Scope, ScriptFuncDef, Shared, Stmt,
};

use super::api::message::Message;
use super::left::Left;
use super::meter::Exceeded;
use super::program::Program;
use super::state::{State, Stop};
use super::{body, diagnose, engine, meter};
use crate::config::{Limits, Params};
use crate::diagnostic::Diagnostic;

/// Why a call did not return.
pub(crate) enum Ended {
    /// By a limit; with the error for its place, if Rhai gave one.
    Exceeded(Exceeded, Option<Box<EvalAltResult>>),
    /// By `reject`, `retry` or a value that is not JSON.
    Stopped(Box<Stop>),
    Error(Box<EvalAltResult>),
    /// A bug in a native function.
    Panic(String),
}

/// See the module.
pub(crate) struct Runtime {
    engine: Engine,
    ast: AST,
    global: GlobalRuntimeState,
    caches: Caches,
    /// How many imports the top level made; a call's own go away with it.
    imports: usize,
    modules_loaded: usize,
    pub state: Rc<State>,
    pub left: Left,
    /// The function of the last call that did not return.
    pub entry: ImmutableString,
    message: Dynamic,
    limits: Limits,
    timeout: Duration,
}

/// A function of the script, with the scope it is called in.
pub(crate) struct Function {
    definition: Shared<ScriptFuncDef>,
    work: Work,
    scope: Scope<'static>,
}

/// What is run.
enum Work {
    /// Statements, right in the scope: no call to pay for, and a limit that is reached keeps its
    /// place, which a call would replace by its own.
    Statements(Vec<Stmt>),
    /// A call of the function of this name, with the scope's values as arguments.
    Call(String),
}

impl Runtime {
    /// Compiles `program` and runs its top level.
    pub(crate) fn new(
        program: &Arc<Program>,
        state: Rc<State>,
        params: &Params,
        timeout: Duration,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::with(program, state, params, timeout, |_| ())
    }

    /// The same with an engine on which `more` has registered what is not in the API.
    pub(crate) fn with(
        program: &Arc<Program>,
        state: Rc<State>,
        params: &Params,
        timeout: Duration,
        more: impl FnOnce(&mut Engine),
    ) -> Result<Self, Vec<Diagnostic>> {
        let limits = state.limits;
        let built = engine::build(program, &state, params, more)?;
        let mut global = built.engine.new_global_runtime_state();
        global.lib.push(Shared::clone(built.ast.shared_lib()));
        global.source = built.ast.source().map(Into::into);
        let mut runtime = Self {
            message: Dynamic::from(Message(Rc::clone(&state))).into_shared(),
            left: Left::new(built.shares, &limits),
            entry: ImmutableString::new(),
            engine: built.engine,
            ast: built.ast,
            global,
            caches: Caches::new(),
            imports: 0,
            modules_loaded: 0,
            state,
            limits,
            timeout,
        };
        runtime.caches.push_fn_resolution_cache();
        let top = Work::Statements(runtime.ast.statements().to_vec());
        runtime
            .run(&top, &mut Scope::new())
            .map(drop)
            .map_err(|ended| vec![diagnose::at_top_level(program, ended, &limits, timeout)])?;
        runtime.state.digits.settle();
        runtime.imports = runtime.global.num_imports();
        runtime.modules_loaded = runtime.global.num_modules_loaded;
        // Within a function: what it declares constant is its own, not the file's.
        runtime.global.scope_level = 1;
        Ok(runtime)
    }

    /// The script's function of this name, if it has one.
    pub(crate) fn function(&self, name: &str, parameters: usize) -> Option<Function> {
        let definition = Shared::clone(self.ast.shared_lib().get_script_fn(name, parameters)?);
        let work = match body::statements(&self.ast, &definition) {
            Some(statements) => Work::Statements(statements),
            None => Work::Call(name.to_owned()),
        };
        let mut scope = Scope::new();
        for parameter in &definition.params {
            scope.push_dynamic(parameter.as_str(), Dynamic::UNIT);
        }
        Some(Function {
            definition,
            work,
            scope,
        })
    }

    /// `msg`, for an argument.
    pub(crate) fn message(&self) -> Dynamic {
        self.message.clone()
    }

    /// Calls `function`, in which `arguments` are its parameters' values.
    pub(crate) fn call<const N: usize>(
        &mut self,
        function: &mut Function,
        arguments: [Dynamic; N],
    ) -> Result<Dynamic, Ended> {
        if let Some(bytes) = self.left.is_too_much() {
            self.entry = function.definition.name.clone();
            return Err(Ended::Exceeded(Exceeded::Left(bytes), None));
        }
        let Function {
            definition,
            work,
            scope,
        } = function;
        for (parameter, argument) in definition.params.iter().zip(arguments) {
            if let Some(place) = scope.get_mut(parameter) {
                *place = argument;
            }
        }
        let result = self.run(work, scope);
        if result.is_err() {
            self.entry = definition.name.clone();
        }
        scope.rewind(definition.params.len());
        // `msg = …` puts a value in the place that all calls share.
        if !self.message.is::<Message>() {
            self.message = Dynamic::from(Message(Rc::clone(&self.state))).into_shared();
        }
        if self.global.num_imports() > self.imports {
            self.global.truncate_imports(self.imports);
        }
        self.global.num_modules_loaded = self.modules_loaded;
        self.global.always_search_scope = false;
        self.forget_names();
        result
    }

    /// A name that a script makes up, as in `Fn(x).call()`, stays among the functions that were looked
    /// for; they must not add up over the messages.
    fn forget_names(&mut self) {
        const MOST: usize = 4096;
        if self.caches.fn_resolution_cache_mut().dict.len() > MOST {
            self.caches.rewind_fn_resolution_caches(0);
            self.caches.push_fn_resolution_cache();
        }
    }

    fn run(&mut self, work: &Work, scope: &mut Scope<'static>) -> Result<Dynamic, Ended> {
        meter::begin(self.limits.operations, self.limits.memory, self.timeout);
        let (engine, global, caches) = (&self.engine, &mut self.global, &mut self.caches);
        // Unwind safety: on a panic the whole runtime is thrown away and built again.
        let result = catch_unwind(AssertUnwindSafe(|| match work {
            #[allow(deprecated)] // the only way to run statements in a kept state
            Work::Statements(statements) => {
                engine.eval_statements_raw(global, caches, scope, statements)
            }
            Work::Call(name) => {
                let mut values: Vec<Dynamic> = scope.iter().map(|(.., value)| value).collect();
                let mut arguments: Vec<&mut Dynamic> = values.iter_mut().collect();
                EvalContext::new(engine, global, caches, &mut Scope::new(), None).call_fn_raw(
                    name,
                    false,
                    false,
                    &mut arguments,
                )
            }
        }));
        let exceeded = meter::end();
        let result = match result {
            Ok(result) => result,
            Err(panic) => return Err(Ended::Panic(crate::panic_text(panic.as_ref()))),
        };
        if let Some(exceeded) = exceeded {
            return Err(Ended::Exceeded(exceeded, result.err()));
        }
        // Also where the call returned: a native that swallows a closure's error is no way out.
        let stop = self.state.stop.borrow_mut().take();
        match (stop, result) {
            (Some(stop), _) => Err(Ended::Stopped(stop)),
            (None, result) => result.map_err(Ended::Error),
        }
    }
}
