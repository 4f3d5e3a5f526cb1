//! Calls of the script's functions: what Rhai's `exec_fn_call` and `call_script_fn` do around a body.

use std::collections::BTreeMap;

use rhai::{
    Dynamic, EncapsulatedEnviron, EvalAltResult, Expr, FnCallExpr, GlobalRuntimeState,
    ImmutableString, Locked, Position, Shared,
};

use super::functions::Function;
use crate::script::compiled::run::frame::{Exit, Frame, Outcome, tick};
use crate::script::compiled::run::over;
use crate::script::compiled::run::value::Value;
use crate::script::compiled::statements::Block;

/// A place that calls a function of the script.
pub(super) struct Invoked {
    /// Of [`Functions`](super::functions::Functions).
    number: usize,
    call: FnCallExpr,
    at: Position,
}

impl Invoked {
    pub(super) fn new(number: usize, call: &FnCallExpr, at: Position) -> Self {
        Self {
            number,
            call: call.clone(),
            at,
        }
    }

    /// Calls it with these values; the operations of the call's expression and of its arguments were
    /// counted before.
    pub(super) fn call(&self, frame: &mut Frame<'_>, values: Vec<Value>) -> Outcome {
        let function = frame.functions.get(self.number);
        let Some(function) = function else {
            return self.interpreted(frame, values);
        };
        let Some(Some(body)) = function.body.get() else {
            return self.interpreted(frame, values);
        };
        if !self.call.is_qualified() {
            if body.is_empty() {
                return Ok(Value::Unit);
            }
            return self.body(&function, body).run(frame, values, None);
        }
        let (engine, functions) = (frame.engine, frame.functions);
        let fresh = || engine.new_global_runtime_state();
        match functions.environ(function.file, &self.call, frame.global, fresh) {
            Some(environ) => {
                let body = self.body(&function, body);
                body.run(frame, values, Some(&environ))
            }
            None => self.interpreted(frame, values),
        }
    }

    fn body<'f>(&self, function: &'f Function, body: &'f Block) -> Body<'f> {
        Body {
            function,
            body,
            source: function.source.clone(),
            at: self.at,
        }
    }

    /// The call, by the interpreter.
    #[cold]
    fn interpreted(&self, frame: &mut Frame<'_>, values: Vec<Value>) -> Outcome {
        let mut call = self.call.clone();
        for (part, value) in call.args.iter_mut().zip(values) {
            *part = over::constant(value.into_dynamic(), part.start_position());
        }
        let counted = 1 + call.args.len();
        let call = Expr::FnCall(Box::new(call), self.at);
        let result = over::run(frame, None, &call, counted, None);
        result.map(Value::of).map_err(Exit::Error)
    }
}

/// Calls a closure of the handler's own file, at `at`.
pub(super) fn closure(
    function: &Function,
    at: Position,
    values: Vec<Value>,
    frame: &mut Frame<'_>,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let Some(Some(body)) = function.body.get() else {
        return Ok(Dynamic::UNIT);
    };
    let source = frame.global.source.clone();
    let body = Body {
        function,
        body,
        source,
        at,
    };
    match body.run(frame, values, None) {
        Ok(value) => Ok(value.into_dynamic()),
        Err(Exit::Error(error)) => Err(error),
        // No other way leads out of a function.
        Err(_) => Ok(Dynamic::UNIT),
    }
}

/// A function's body, to be called at a place.
struct Body<'f> {
    function: &'f Function,
    body: &'f Block,
    /// The file that it is of.
    source: Option<ImmutableString>,
    at: Position,
}

impl Body<'_> {
    fn run(
        self,
        frame: &mut Frame<'_>,
        values: Vec<Value>,
        environ: Option<&EncapsulatedEnviron>,
    ) -> Outcome {
        tick(self.at)?;
        if frame.global.level >= frame.engine.max_call_levels() {
            let error = EvalAltResult::ErrorStackOverflow(self.at);
            return Err(Exit::Error(error.into()));
        }
        if self.body.is_empty() {
            return Ok(Value::Unit);
        }
        let outside = Outside::enter(frame.global, self.source.clone(), environ);
        let mut inner = Frame {
            engine: frame.engine,
            global: &mut *frame.global,
            caches: &mut *frame.caches,
            state: frame.state,
            functions: frame.functions,
            slots: values,
            carried: Value::Unit,
        };
        let result = match self.body.run(&mut inner) {
            Err(Exit::Return) => Ok(std::mem::take(&mut inner.carried)),
            Err(Exit::Error(error)) => {
                let source = match environ {
                    Some(environ) => environ.lib.last().and_then(|module| module.id()),
                    None => None,
                };
                let source = source.or(frame.global.source()).unwrap_or_default();
                Err(Exit::Error(self.in_call(*error, source)))
            }
            other => other,
        };
        outside.leave(frame.global);
        result
    }

    /// An error from inside, as it is seen from outside.
    #[cold]
    fn in_call(&self, mut error: EvalAltResult, source: &str) -> Box<EvalAltResult> {
        if matches!(error, EvalAltResult::Exit(..)) || error.is_system_exception() {
            error.set_position(self.at);
            return error.into();
        }
        let name = self.function.definition.name.to_string();
        EvalAltResult::ErrorInFunctionCall(name, source.to_owned(), error.into(), self.at).into()
    }
}

/// What is put aside for the time of a call.
struct Outside {
    source: Option<ImmutableString>,
    libraries: usize,
    imports: usize,
    /// The constants of the calling file, where the function is of another.
    constants: Option<Option<Constants>>,
}

/// As Rhai keeps the constants of a file.
type Constants = Shared<Locked<BTreeMap<ImmutableString, Dynamic>>>;

impl Outside {
    fn enter(
        global: &mut GlobalRuntimeState,
        source: Option<ImmutableString>,
        environ: Option<&EncapsulatedEnviron>,
    ) -> Self {
        let mut outside = Self {
            source: std::mem::replace(&mut global.source, source),
            libraries: global.lib.len(),
            imports: global.num_imports(),
            constants: None,
        };
        global.level += 1;
        if let Some(environ) = environ {
            for (name, module) in &environ.imports {
                global.push_import(name.clone(), Shared::clone(module));
            }
            global.lib.extend(environ.lib.iter().cloned());
            let constants = environ.constants.clone();
            outside.constants = Some(std::mem::replace(&mut global.constants, constants));
        }
        outside
    }

    fn leave(self, global: &mut GlobalRuntimeState) {
        global.level -= 1;
        global.lib.truncate(self.libraries);
        global.truncate_imports(self.imports);
        if let Some(constants) = self.constants {
            global.constants = constants;
        }
        global.source = self.source;
    }
}
