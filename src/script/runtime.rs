//! One engine with everything that Rhai would otherwise make anew for each call.
//!
//! It decides for each function whether the interpreter runs it or what [`compiled`] made of it;
//! nobody else can tell.
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
use super::compiled::{self, Compiled, Frame, Functions, Uncompiled, Value};
use super::json::JsonObject;
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
    params: Dynamic,
    limits: Limits,
    timeout: Duration,
    /// What compiled code calls; `None` where nothing is compiled.
    functions: Option<Rc<Functions>>,
}

/// What a runtime is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// One call.
    pub timeout: Duration,
    /// Whether functions are compiled.
    pub compile: bool,
}

/// A function of the script, with the scope it is called in.
pub(crate) struct Function {
    definition: Shared<ScriptFuncDef>,
    work: Work,
    scope: Scope<'static>,
}

impl Function {
    /// Whether a call of it does nothing at all.
    #[inline]
    pub(crate) fn does_nothing(&self) -> bool {
        matches!(&self.work, Work::Compiled(compiled) if compiled.is_empty())
    }
}

/// What is run.
enum Work {
    Compiled(Box<Compiled>),
    Interpreted(Interpreted),
}

/// What the interpreter runs.
enum Interpreted {
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
        terms: Terms,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::with(program, state, params, terms, |_| ())
    }

    /// The same with an engine on which `more` has registered what is not in the API.
    pub(crate) fn with(
        program: &Arc<Program>,
        state: Rc<State>,
        params: &Params,
        Terms { timeout, compile }: Terms,
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
            params: built.params,
            state,
            limits,
            timeout,
            functions: compile.then(|| Rc::new(Functions::new(&built.files))),
        };
        runtime.caches.push_fn_resolution_cache();
        let top = Interpreted::Statements(runtime.ast.statements().to_vec());
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

    /// The script's function of this name, if it has one; `message` is the parameter that is called with
    /// [`Runtime::message`].
    pub(crate) fn function(
        &self,
        name: &str,
        parameters: usize,
        message: Option<usize>,
    ) -> Option<Function> {
        let definition = self.ast.shared_lib().get_script_fn(name, parameters)?;
        // To take the tree apart is the most of what loading a handler costs: not once more.
        let statements = match &self.functions {
            Some(functions) => functions.statements(0, definition).map(|all| all.to_vec()),
            None => body::statements(&self.ast, definition),
        };
        Some(self.prepared(definition, statements, message))
    }

    /// All functions that anyone wants are there: what compiling them took is given back. Those that are
    /// asked for later are called by the interpreter.
    pub(crate) fn settle(&self) {
        if let Some(functions) = &self.functions {
            functions.settle();
        }
    }

    /// All functions of so many parameters, by name.
    #[cfg(test)]
    pub(crate) fn functions(
        &self,
        parameters: usize,
        message: Option<usize>,
    ) -> std::collections::BTreeMap<String, Function> {
        let bodies = body::bodies(&self.ast).unwrap_or_default().into_iter();
        bodies
            .filter(|body| body.definition.params.len() == parameters)
            .map(|body| {
                let name = body.definition.name.to_string();
                let statements = Some(body.statements);
                (name, self.prepared(&body.definition, statements, message))
            })
            .collect()
    }

    fn prepared(
        &self,
        definition: &Shared<ScriptFuncDef>,
        statements: Option<Vec<Stmt>>,
        message: Option<usize>,
    ) -> Function {
        let work = match statements {
            Some(statements) => match self.compile(definition, message, &statements) {
                Some(Ok(compiled)) => Work::Compiled(Box::new(compiled)),
                Some(Err(_)) | None => Work::Interpreted(Interpreted::Statements(statements)),
            },
            None => Work::Interpreted(Interpreted::Call(definition.name.to_string())),
        };
        let mut scope = Scope::new();
        for parameter in &definition.params {
            scope.push_dynamic(parameter.as_str(), Dynamic::UNIT);
        }
        Function {
            definition: Shared::clone(definition),
            work,
            scope,
        }
    }

    /// Another limit, for the calls that follow.
    #[cfg(test)]
    pub(crate) fn limit_operations(&mut self, operations: u64) {
        self.limits.operations = operations;
    }

    /// What [`compiled`] makes of a function; `None` where nothing is to be compiled.
    fn compile(
        &self,
        definition: &ScriptFuncDef,
        message: Option<usize>,
        statements: &[Stmt],
    ) -> Option<Result<Compiled, Uncompiled>> {
        let functions = self.functions.as_ref()?;
        let source = compiled::Source {
            parameters: &definition.params,
            message,
            kept: message.is_some().then_some(&self.message),
            params: self
                .params
                .read_lock::<JsonObject>()
                .map(|view| view.clone()),
            statements,
            functions,
            file: 0,
        };
        Some(compiled::compile(&source, &self.limits))
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
        let Function {
            definition,
            work,
            scope,
        } = function;
        let work = match work {
            Work::Compiled(compiled) => {
                let result = match compiled.keeps_the_message() {
                    true => self.compiled(definition, compiled, [], Value::into_dynamic),
                    false => self.compiled(definition, compiled, arguments, Value::into_dynamic),
                };
                return result.map_err(|ended| *ended);
            }
            Work::Interpreted(work) => work,
        };
        self.is_not_too_much(definition).map_err(|ended| *ended)?;
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
        self.tidy();
        result
    }

    /// Calls `function`, whose one parameter is the message.
    #[inline]
    pub(crate) fn call_on_message(&mut self, function: &mut Function) -> Result<(), Box<Ended>> {
        let Function {
            definition, work, ..
        } = &mut *function;
        if let Work::Compiled(compiled) = work
            && compiled.keeps_the_message()
        {
            return self.compiled(definition, compiled, [], drop);
        }
        let message = self.message();
        self.call(function, [message]).map(drop).map_err(Box::new)
    }

    /// Runs it, and makes of its value what `take` does.
    #[inline]
    fn compiled<const N: usize, R>(
        &mut self,
        definition: &ScriptFuncDef,
        compiled: &mut Compiled,
        arguments: [Dynamic; N],
        take: fn(Value) -> R,
    ) -> Result<R, Box<Ended>> {
        self.is_not_too_much(definition)?;
        let result = self.measured(|runtime| {
            let Some(functions) = &runtime.functions else {
                return Ok(take(Value::Unit));
            };
            let (engine, state) = (&runtime.engine, &runtime.state);
            let (global, caches) = (&mut runtime.global, &mut runtime.caches);
            let frame = Frame::new(engine, global, caches, state, functions);
            compiled.run(frame, arguments, take)
        });
        if result.is_err() {
            self.entry = definition.name.clone();
        }
        self.tidy();
        result
    }

    /// Whether calls may go on after what the earlier ones have left behind.
    #[inline]
    fn is_not_too_much(&mut self, definition: &ScriptFuncDef) -> Result<(), Box<Ended>> {
        match self.left.is_too_much() {
            Some(bytes) => {
                self.entry = definition.name.clone();
                Err(Ended::Exceeded(Exceeded::Left(bytes), None).into())
            }
            None => Ok(()),
        }
    }

    /// Takes away what a call has left behind.
    #[inline]
    fn tidy(&mut self) {
        // `msg = …` puts a value in the place that all calls share.
        if !self.message.is::<Message>()
            && let Some(mut place) = self.message.write_lock::<Dynamic>()
        {
            *place = Dynamic::from(Message(Rc::clone(&self.state)));
        }
        if self.global.num_imports() > self.imports {
            self.global.truncate_imports(self.imports);
        }
        self.global.num_modules_loaded = self.modules_loaded;
        self.global.always_search_scope = false;
        self.forget_names();
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

    fn run(&mut self, work: &Interpreted, scope: &mut Scope<'static>) -> Result<Dynamic, Ended> {
        let result = self.measured(|runtime| {
            let (engine, global) = (&runtime.engine, &mut runtime.global);
            interpreted(engine, global, &mut runtime.caches, work, scope)
        });
        result.map_err(|ended| *ended)
    }

    /// Runs a call within its limits. Boxed, because a large result is slow to hand on.
    #[inline]
    fn measured<R>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<R, Box<EvalAltResult>>,
    ) -> Result<R, Box<Ended>> {
        meter::begin(self.limits.operations, self.limits.memory, self.timeout);
        // Unwind safety: on a panic the whole runtime is thrown away and built again.
        let result = catch_unwind(AssertUnwindSafe(|| run(self)));
        let exceeded = meter::end();
        let result = match result {
            Ok(result) => result,
            Err(panic) => return Err(Ended::Panic(crate::panic_text(panic.as_ref())).into()),
        };
        if let Some(exceeded) = exceeded {
            return Err(Ended::Exceeded(exceeded, result.err()).into());
        }
        // Also where the call returned: a native that swallows a closure's error is no way out.
        let stop = self.state.stop.borrow_mut().take();
        match (stop, result) {
            (Some(stop), _) => Err(Ended::Stopped(stop).into()),
            (None, result) => result.map_err(|error| Ended::Error(error).into()),
        }
    }
}

/// Has the interpreter run a function.
fn interpreted(
    engine: &Engine,
    global: &mut GlobalRuntimeState,
    caches: &mut Caches,
    work: &Interpreted,
    scope: &mut Scope<'static>,
) -> Result<Dynamic, Box<EvalAltResult>> {
    match work {
        #[allow(deprecated)] // the only way to run statements in a kept state
        Interpreted::Statements(statements) => {
            engine.eval_statements_raw(global, caches, scope, statements)
        }
        Interpreted::Call(name) => {
            let mut values: Vec<Dynamic> = scope.iter().map(|(.., value)| value).collect();
            let mut arguments: Vec<&mut Dynamic> = values.iter_mut().collect();
            EvalContext::new(engine, global, caches, &mut Scope::new(), None).call_fn_raw(
                name,
                false,
                false,
                &mut arguments,
            )
        }
    }
}
