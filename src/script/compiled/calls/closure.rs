//! Closures that are passed to the methods of arrays: `items.filter(|i| i.qty > 1)`.
//!
//! Such a method gets the compiled closure as a native function. What Rhai's `_call_with_extra_args`
//! (`types/fn_ptr.rs`) counts while it looks for a function of the right number of parameters is counted
//! here.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{
    Array, Caches, Dynamic, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position,
};

use super::functions::{Function, Functions};
use super::invoke;
use crate::script::compiled::run::frame::{Exit, Frame, tick};
use crate::script::compiled::run::value::Value;
use crate::script::json::JsonArray;
use crate::script::state::State;

/// How a method calls the closure that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// With an element, which is first tried as `this`, or with the element and its number.
    Each,
    /// With a result and an element, which is first tried as `this`; or with its number too.
    Fold,
    /// With two elements.
    Pair,
    /// With two elements, or these and their number.
    Zip,
}

impl Calls {
    /// `None` for a method that is not known.
    pub(super) fn of(method: &str) -> Option<Self> {
        Some(match method {
            "all" | "drain" | "filter" | "find" | "find_map" | "index_of" | "map" | "retain"
            | "some" => Self::Each,
            "reduce" | "reduce_rev" => Self::Fold,
            "dedup" | "order" | "order_by" | "sort" | "sort_by" => Self::Pair,
            "zip" => Self::Zip,
            _ => return None,
        })
    }

    fn takes(self, parameters: usize) -> bool {
        match self {
            Self::Each => matches!(parameters, 1 | 2),
            Self::Fold | Self::Zip => matches!(parameters, 2 | 3),
            Self::Pair => parameters == 2,
        }
    }
}

/// What stands for a closure's name: no script sees it.
const NAME: &str = "closure";

/// Has a method of an array, whose `arguments` these are, call compiled closures.
pub(super) fn compiled(calls: Calls, arguments: &mut [Dynamic], frame: &Frame<'_>) {
    let Some((array, arguments)) = arguments.split_first_mut() else {
        return;
    };
    if !array.is::<Array>() && !array.is::<JsonArray>() {
        return;
    }
    let argument = match calls {
        Calls::Zip => arguments.get_mut(1),
        Calls::Each | Calls::Fold | Calls::Pair => arguments.first_mut(),
    };
    let Some(argument) = argument else {
        return;
    };
    let closure = argument
        .read_lock::<FnPtr>()
        .and_then(|closure| Closure::of(&closure, calls, frame));
    if let Some(closure) = closure {
        *argument = closure.into();
    }
}

struct Closure {
    function: Rc<Function>,
    calls: Calls,
    /// So many values it brings along.
    curried: usize,
    state: Rc<State>,
    functions: Rc<Functions>,
    /// Rhai makes new ones for each call, which differ where it would remember another answer.
    kept: RefCell<Option<(GlobalRuntimeState, Caches)>>,
}

impl Closure {
    fn of(closure: &FnPtr, calls: Calls, frame: &Frame<'_>) -> Option<FnPtr> {
        let function = frame.functions.closure(closure)?;
        let curried = closure.curry().len();
        let parameters = function.definition.params.len().checked_sub(curried)?;
        if !calls.takes(parameters) {
            return None;
        }
        let compiled = Self {
            function,
            calls,
            curried,
            state: Rc::clone(frame.state),
            functions: Rc::clone(frame.functions),
            kept: RefCell::default(),
        };
        let native = move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
            compiled.called(&context, arguments)
        };
        #[allow(deprecated)] // "volatile": there is no other way, and Rhai's version is pinned
        let mut native = FnPtr::from_dyn_fn(NAME, Box::new(native)).ok()?;
        native.set_curry(closure.curry().iter().cloned());
        Some(native)
    }

    fn called(
        &self,
        context: &NativeCallContext<'_>,
        arguments: &mut [&mut Dynamic],
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let at = context.call_position();
        let parameters = self.function.definition.params.len();
        if arguments.len() < parameters {
            return Err(not_found(at));
        }
        let first_try = match self.calls {
            Calls::Each => parameters - self.curried == 1,
            Calls::Fold => parameters - self.curried == 2,
            Calls::Pair | Calls::Zip => false,
        };
        let mut values: Vec<Value> = Vec::with_capacity(parameters);
        // An element that is tried as `this` is not the method's to give away.
        values.extend(arguments.iter().map(|value| Value::of((**value).clone())));
        if first_try {
            // As `this` Rhai looks in vain.
            if let Err(Exit::Error(error)) = tick(at) {
                return Err(error);
            }
            if self.calls == Calls::Fold {
                values.swap(self.curried, self.curried + 1);
            }
        }
        let (mut global, mut caches) = self.kept.take().unwrap_or_else(|| {
            let mut caches = Caches::new();
            caches.push_fn_resolution_cache();
            (context.global_runtime_state().clone(), caches)
        });
        let (state, functions) = (&self.state, &self.functions);
        let mut frame = Frame::new(context.engine(), &mut global, &mut caches, state, functions);
        let result = invoke::closure(&self.function, at, values, &mut frame);
        if !self.functions.are_ambiguous() {
            self.kept.replace(Some((global, caches)));
        }
        result
    }
}

/// What Rhai says where a closure has another number of parameters.
fn not_found(at: Position) -> Box<EvalAltResult> {
    match tick(at) {
        Err(Exit::Error(error)) => error,
        _ => EvalAltResult::ErrorFunctionNotFound(NAME.into(), at).into(),
    }
}
