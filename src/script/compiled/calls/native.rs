//! Calls of native functions: Rhai's, and those of the API.
//!
//! Rhai looks a function up by the types of what it is given. A place of the script meets few
//! combinations of types: the first call with each goes through the interpreter, over a cache of its own
//! in which the function is then found; later ones go straight to it.

use std::any::{TypeId, type_name};
use std::cell::RefCell;

use rhai::{
    ASTFlags, BinaryExpr, Caches, Dynamic, EvalAltResult, Expr, FnCallExpr, ImmutableString, Map,
    NativeCallContext, Position, RhaiFunc,
};
use smallvec::SmallVec;

use super::closure::{self, Calls};
use crate::script::api::log;
use crate::script::compiled::run::frame::{Exit, Frame, Outcome, tick};
use crate::script::compiled::run::over::{self, Place};

/// The arguments of a call.
pub(crate) type Arguments = SmallVec<[Dynamic; 4]>;

/// How a function gets its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Value,
    /// A variable, which a method may change.
    Place,
}

/// A place that calls a native function.
pub(crate) struct Native {
    call: FnCallExpr,
    at: Position,
    /// Where the `.` of a method's call is.
    dot: Option<Position>,
    /// How it calls closures, where it is a method of arrays that does.
    calls: Option<Calls>,
    known: RefCell<Vec<Known>>,
}

/// A function that was found for some types.
struct Known {
    types: SmallVec<[TypeId; 4]>,
    function: RhaiFunc,
    source: Option<ImmutableString>,
}

/// What is part of Rhai's syntax and no function that could be found.
pub(crate) const SYNTAX: &[&str] = &[
    "call",
    "curry",
    "eval",
    "Fn",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "type_of",
];

/// More combinations of types than a place meets; others are looked up each time.
const MOST_KNOWN: usize = 8;

impl Native {
    /// The function or operator that `call` calls at `at`.
    pub(crate) fn new(call: &FnCallExpr, at: Position) -> Self {
        Self {
            call: call.clone(),
            at,
            dot: None,
            calls: None,
            known: RefCell::default(),
        }
    }

    /// The method that `call` calls behind the `.` at `dot`; its first argument is what it is called on.
    pub(crate) fn method(call: &FnCallExpr, at: Position, dot: Position) -> Self {
        Self {
            dot: Some(dot),
            calls: Calls::of(&call.name),
            ..Self::new(call, at)
        }
    }

    /// Calls it; the operations of the call's expression and of its arguments were counted before.
    pub(crate) fn call(
        &self,
        frame: &mut Frame<'_>,
        arguments: &mut Arguments,
        first: First,
    ) -> Outcome<Dynamic> {
        self.call_and_tell(frame, arguments, first).0
    }

    /// Whether it can't tell for other types than those it knows whether a function changes its argument.
    pub(crate) fn is_full(&self) -> bool {
        self.known.borrow().len() >= MOST_KNOWN
    }

    /// The same, and whether the function may change its first argument.
    pub(crate) fn call_and_tell(
        &self,
        frame: &mut Frame<'_>,
        arguments: &mut Arguments,
        first: First,
    ) -> (Outcome<Dynamic>, bool) {
        if self.is_of_map(arguments) {
            let result = self.interpreted(frame, None, arguments, first);
            return (result.map_err(Exit::Error), false);
        }
        if let Some(calls) = self.calls {
            closure::compiled(calls, arguments, frame);
        }
        let known = self.known.borrow();
        let same = |known: &&Known| {
            let types = known.types.iter().copied();
            types.eq(arguments.iter().map(Dynamic::type_id))
        };
        let (result, changes) = match known.iter().find(same) {
            // What is done to a constant is the interpreter's to say.
            Some(found) if !found.function.is_pure() && is_constant(arguments) => {
                let changes = found.function.is_method();
                drop(known);
                (self.interpreted(frame, None, arguments, first), changes)
            }
            Some(found) => {
                let changes = found.function.is_method();
                (self.direct(found, frame, arguments, first), changes)
            }
            None => {
                drop(known);
                self.looked_up(frame, arguments, first)
            }
        };
        (result.map_err(Exit::Error), changes)
    }

    /// Whether it is the method of a map that has something of its name, which may be a function.
    fn is_of_map(&self, arguments: &Arguments) -> bool {
        let has = |map: &Map| map.contains_key(self.call.name.as_str());
        let map = || arguments.first()?.read_lock::<Map>();
        self.dot.is_some() && map().is_some_and(|map| has(&map))
    }

    /// The call, by the interpreter.
    fn interpreted(
        &self,
        frame: &mut Frame<'_>,
        caches: Option<&mut Caches>,
        arguments: &mut Arguments,
        first: First,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some(dot) = self.dot {
            return self.interpreted_method(dot, frame, caches, arguments, first);
        }
        let mut call = self.call.clone();
        let (place, values) = match (first, arguments.split_first_mut()) {
            (First::Place, Some((place, values))) => (Some(place), values),
            _ => (None, &mut **arguments),
        };
        let mut parts = call.args.iter_mut();
        if place.is_some()
            && let Some(first) = parts.next()
        {
            *first = over::variable(PLACE, first.start_position());
        }
        let mut given = over::Values::default();
        given.put(parts, values, frame);
        let counted = 1 + call.args.len() + given.more;
        let call = Expr::FnCall(Box::new(call), self.at);
        let result = over::run(frame, caches, &call, counted, place.map(named));
        given.forget(frame);
        result
    }

    fn interpreted_method(
        &self,
        dot: Position,
        frame: &mut Frame<'_>,
        caches: Option<&mut Caches>,
        arguments: &mut Arguments,
        first: First,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut call = self.call.clone();
        let Some((on, values)) = arguments.split_first_mut() else {
            return Ok(Dynamic::UNIT);
        };
        let mut given = over::Values::default();
        given.put(call.args.iter_mut(), values, frame);
        // Without arguments Rhai goes no round for them.
        let round = usize::from(!call.args.is_empty());
        let (lhs, place) = match first {
            First::Place => (over::variable(PLACE, dot), Some(named(on))),
            First::Value => {
                let on = given.expression(std::mem::take(on), dot, frame);
                (on, None)
            }
        };
        let counted = 2 + round + call.args.len() + given.more;
        let rhs = Expr::MethodCall(Box::new(call), self.at);
        let chain = BinaryExpr { lhs, rhs };
        let chain = Expr::Dot(Box::new(chain), ASTFlags::empty(), dot);
        let result = over::run(frame, caches, &chain, counted, place);
        given.forget(frame);
        result
    }

    /// The result, and whether the function may change its first argument.
    fn looked_up(
        &self,
        frame: &mut Frame<'_>,
        arguments: &mut Arguments,
        first: First,
    ) -> (Result<Dynamic, Box<EvalAltResult>>, bool) {
        let full = self.known.borrow().len() >= MOST_KNOWN;
        if full || SYNTAX.contains(&self.call.name.as_str()) {
            return (self.interpreted(frame, None, arguments, first), false);
        }
        let types = arguments.iter().map(Dynamic::type_id).collect();
        let mut caches = eager();
        let result = self.interpreted(frame, Some(&mut caches), arguments, first);
        let functions = caches.fn_resolution_cache_mut().dict.values().flatten();
        let mut natives = functions.filter(|entry| entry.func.is_native());
        let mut changes = false;
        if let (Some(entry), None) = (natives.next(), natives.next()) {
            changes = entry.func.is_method();
            // Borrowed where this call is part of another from this place.
            if let Ok(mut known) = self.known.try_borrow_mut() {
                known.push(Known {
                    types,
                    function: entry.func.clone(),
                    source: entry.source.clone(),
                });
            }
        }
        (result, changes)
    }

    /// What Rhai's `exec_native_fn_call` does once it has found the function.
    fn direct(
        &self,
        found: &Known,
        frame: &mut Frame<'_>,
        arguments: &mut Arguments,
        first: First,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Err(Exit::Error(error)) = tick(self.at) {
            return Err(error);
        }
        let function = &found.function;
        let kept = match (first, arguments.first_mut()) {
            (First::Place, Some(place)) if !function.is_method() => {
                let copy = place.clone();
                Some(std::mem::replace(place, copy))
            }
            _ => None,
        };
        frame.global.level += 1;
        let context = function.has_context().then(|| {
            let source = found.source.as_deref();
            NativeCallContext::new_with_all_fields(
                frame.engine,
                &self.call.name,
                source,
                frame.global,
                self.at,
            )
        });
        let result = {
            let mut given: SmallVec<[&mut Dynamic; 4]> = arguments.iter_mut().collect();
            match function {
                RhaiFunc::Pure { func, .. } | RhaiFunc::Method { func, .. } => {
                    func(context, &mut given)
                }
                RhaiFunc::Plugin { func } => func.call(context, &mut given),
                RhaiFunc::StaticPlugin { func } => func.call(context, &mut given),
                // Only natives are remembered.
                _ => Ok(Dynamic::UNIT),
            }
        };
        frame.global.level -= 1;
        if let (Some(kept), Some(place)) = (kept, arguments.first_mut()) {
            *place = kept;
        }
        let engine = frame.engine;
        let fits = |value: &Dynamic| engine.ensure_data_size_within_limits(value);
        let result = result.and_then(|value| fits(&value).map(|()| value));
        let result = result.map_err(|error| self.at_its_place(error))?;
        if first == First::Place
            && let Some(place) = arguments.first()
        {
            fits(place).map_err(|error| self.at_its_place(error))?;
        }
        match self.call.name.as_str() {
            "print" | "debug" => self.log(frame, result),
            _ => Ok(result),
        }
    }

    /// Rhai hands the text that `print` and `debug` make to whoever shows it.
    fn log(&self, frame: &Frame<'_>, text: Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
        let text = text.into_immutable_string().map_err(|found| {
            let wanted = frame.engine.map_type_name(type_name::<ImmutableString>());
            let (wanted, found) = (wanted.into(), found.into());
            EvalAltResult::ErrorMismatchOutputType(wanted, found, self.at)
        })?;
        match self.call.name.as_str() {
            "print" => log::print(frame.state, &text),
            _ => log::debug(frame.state, &text),
        }
        Ok(Dynamic::UNIT)
    }

    fn at_its_place(&self, mut error: Box<EvalAltResult>) -> Box<EvalAltResult> {
        if error.position().is_none() {
            error.set_position(self.at);
        }
        error
    }
}

fn is_constant(arguments: &Arguments) -> bool {
    arguments.first().is_some_and(Dynamic::is_read_only)
}

/// No error of a call says the name of a variable.
const PLACE: &str = "0";

fn named(value: &mut Dynamic) -> Place<'_> {
    Place { name: PLACE, value }
}

/// A cache that keeps what it finds at once: Rhai's keeps only what is looked for twice.
fn eager() -> Caches {
    let mut caches = Caches::new();
    let filter = &mut caches.fn_resolution_cache_mut().bloom_filter;
    for hash in 0..512 {
        filter.mark(hash);
    }
    caches
}
