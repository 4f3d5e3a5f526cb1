//! Calls of functions in Rhai's `f(x)` form: native ones, and `emit` without the Rhai function, because
//! what that is given need not become a Rhai value.
//!
//! `native` calls Rhai's functions and the API's, `invoke` the script's own, which `functions` knows, and
//! `closure` those that methods of arrays are given.

mod closure;
pub(super) mod functions;
mod invoke;
pub(super) mod native;

use std::cell::OnceCell;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Expr, FnCallExpr, ImmutableString, Position};

use crate::script::api::emit;
use crate::script::api::written::{self, append_view};
use crate::script::compiled::expressions::part::Part;
use crate::script::compiled::expressions::pure::Rest;
use crate::script::compiled::expressions::quick::Counted;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick, ticks_exactly};
use crate::script::compiled::run::value::Value;
use crate::script::compiled::statements::Compiler;
use invoke::Invoked;
use native::{Arguments, First, Native, SYNTAX};

/// A call; `before` are the operations that come first. `None` for one that is not in the subset.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    call: &FnCallExpr,
    at: Position,
    before: Vec<Position>,
) -> Option<Code> {
    if call.capture_parent_scope {
        return None;
    }
    let functions = compiler.known.functions;
    if call.is_qualified() || functions.has(&call.name) {
        return own(compiler, call, at, before);
    }
    if let Some(code) = emit(compiler, call, at, &before) {
        return Some(code);
    }
    if call.name == "type_of" {
        return type_of(compiler, call, before);
    }
    if SYNTAX.contains(&call.name.as_str()) {
        return None;
    }
    let given = Given::new(compiler, &call.args, before)?;
    let native = Native::new(call, at);
    Some(Box::new(move |frame| {
        let (mut arguments, place) = given.arguments(frame)?;
        match place {
            None => native.call(frame, &mut arguments, First::Value),
            Some(slot) => {
                let result = native.call(frame, &mut arguments, First::Place);
                put_back(frame, slot, &mut arguments);
                result
            }
        }
        .map(Value::of)
    }))
}

/// `type_of(x)`, which is part of the syntax and counts nothing itself.
fn type_of(compiler: &mut Compiler<'_>, call: &FnCallExpr, before: Vec<Position>) -> Option<Code> {
    let [value] = &*call.args else {
        return None;
    };
    let before = before.into_boxed_slice();
    let slot = compiler.locals.slot(value);
    let at = value.position();
    let part = compiler.argument(value, Vec::new());
    Some(Box::new(move |frame| {
        ticks_exactly(&before)?;
        let place = slot.and_then(|slot| frame.slots.get(slot));
        let name = match place.map(Value::type_name) {
            Some(name) => {
                let name = frame.engine.map_type_name(name).into();
                tick(at)?;
                name
            }
            None => {
                let value = part.value(frame)?.flatten();
                frame.engine.map_type_name(value.type_name()).into()
            }
        };
        Ok(Value::Text(name))
    }))
}

/// A call of a function of the script.
fn own(
    compiler: &mut Compiler<'_>,
    call: &FnCallExpr,
    at: Position,
    before: Vec<Position>,
) -> Option<Code> {
    let number = compiler.known.functions.meant(compiler.known.file, call)?;
    let given = Given::new(compiler, &call.args, before)?;
    let invoked = Invoked::new(number, call, at);
    Some(Box::new(move |frame| {
        let values = given.values(frame)?;
        invoked.call(frame, values)
    }))
}

fn put_back(frame: &mut Frame<'_>, slot: usize, arguments: &mut Arguments) {
    if let (Some(place), Some(value)) = (frame.slots.get_mut(slot), arguments.first_mut()) {
        *place = Value::of(std::mem::take(value));
    }
}

/// What a function is given.
struct Given {
    /// The operations before the first value, where that is not a part's business.
    before: Box<[Position]>,
    /// A variable in the first place, of which the function may get the variable itself. Rhai looks
    /// at it after the others.
    slot: Option<usize>,
    rest: Vec<Part>,
}

impl Given {
    fn new(
        compiler: &mut Compiler<'_>,
        arguments: &[Expr],
        mut before: Vec<Position>,
    ) -> Option<Self> {
        let (slot, rest) = match arguments {
            // A constant is none that could change.
            [first @ Expr::Variable(..), rest @ ..]
                if !compiler.locals.is_message(first) && !compiler.is_constant(first) =>
            {
                before.push(first.position());
                (Some(compiler.locals.slot(first)?), rest)
            }
            [Expr::ThisPtr(_), ..] => return None,
            all => (None, all),
        };
        let mut rest = rest.iter();
        let mut parts = Vec::with_capacity(arguments.len());
        if slot.is_none()
            && let Some(first) = rest.next()
        {
            parts.push(compiler.argument(first, std::mem::take(&mut before)));
        }
        parts.extend(rest.map(|part| compiler.argument(part, Vec::new())));
        Some(Self {
            before: before.into(),
            slot,
            rest: parts,
        })
    }

    /// For a native function: the values, and the slot of the variable that the first was taken out of.
    fn arguments(&self, frame: &mut Frame<'_>) -> Outcome<(Arguments, Option<usize>)> {
        ticks_exactly(&self.before)?;
        let mut values = Arguments::new();
        if self.slot.is_some() {
            values.push(Dynamic::UNIT);
        }
        for part in &self.rest {
            values.push(part.value(frame)?.flatten().into_dynamic());
        }
        if let (Some(slot), Some(first)) = (self.slot, values.first_mut())
            && let Some(place) = frame.slots.get_mut(slot)
        {
            match place {
                // A copy of a constant is none.
                Value::Other(constant) if constant.is_read_only() => *first = constant.clone(),
                Value::Other(shared) if shared.is_shared() => *first = shared.flatten_clone(),
                _ => {
                    *first = std::mem::take(place).into_dynamic();
                    return Ok((values, self.slot));
                }
            }
        }
        Ok((values, None))
    }

    /// For a function of the script: its variables, all of them copies.
    fn values(&self, frame: &mut Frame<'_>) -> Outcome<Vec<Value>> {
        ticks_exactly(&self.before)?;
        let first = usize::from(self.slot.is_some());
        let mut values = Vec::with_capacity(self.rest.len() + first);
        values.extend(self.slot.map(|_| Value::Unit));
        for part in &self.rest {
            values.push(part.value(frame)?.flatten());
        }
        if let (Some(slot), Some(first)) = (self.slot, values.first_mut())
            && let Some(place) = frame.slots.get(slot)
        {
            *first = place.clone().flatten();
        }
        for value in &mut values {
            if matches!(value, Value::Other(_)) {
                *value = std::mem::take(value).owned();
            }
        }
        Ok(values)
    }
}

/// `emit(topic, value)` and `emit(topic, key, value)`.
fn emit(
    compiler: &mut Compiler<'_>,
    call: &FnCallExpr,
    at: Position,
    before: &[Position],
) -> Option<Code> {
    if call.name != "emit" {
        return None;
    }
    let (topic, key, value) = match &*call.args {
        [topic, value] => (topic, None, value),
        [topic, key, value] => (topic, Some(key), value),
        _ => return None,
    };
    // Rhai takes a variable in the first place in another order.
    if matches!(topic, Expr::Variable(..) | Expr::ThisPtr(_)) {
        return None;
    }
    let topic = compiler.argument(topic, before.to_vec());
    let key = key.map(|key| compiler.argument(key, Vec::new()));
    let value = compiler.argument(value, Vec::new());
    let short = match key {
        None => Short::of(&topic, &value),
        Some(_) => None,
    };
    Some(Box::new(move |frame| {
        if let Some(short) = &short
            && let Part::Pure { rest, .. } = &value
        {
            match short.emit(rest, frame) {
                Ok(true) => return Ok(Value::Unit),
                Ok(false) => {}
                Err(error) => return Err(told(error, at)),
            }
        }
        let topic = topic.value(frame)?.flatten();
        let key = key
            .as_ref()
            .map(|key: &Part| key.value(frame))
            .transpose()?;
        let key = key.map(Value::flatten);
        let value = value.value(frame)?.flatten();
        tick(at)?;
        let given = |value: Value| match value {
            Value::Object(object) => written::Given::Object(object),
            other => written::Given::Value(other.into_dynamic()),
        };
        let (key, value) = (key.map(given), given(value));
        let done = match &topic {
            Value::Text(name) => emit::positional(frame.state, name, key, value),
            _ => emit::named(frame.state, &topic.clone().into_dynamic(), key, value),
        };
        match done {
            Ok(()) => Ok(Value::Unit),
            Err(error) => Err(told(error, at)),
        }
    }))
}

fn told(mut error: Box<EvalAltResult>, at: Position) -> Exit {
    if error.position().is_none() {
        error.set_position(at);
    }
    Exit::Error(error)
}

/// The short way of `emit(topic, value)` with a constant topic: the value is written where it stands.
struct Short {
    topic: ImmutableString,
    /// Its shared name, known from the first emit on.
    name: OnceCell<Arc<str>>,
    /// How many operations it is.
    cost: usize,
}

impl Short {
    fn of(topic: &Part, value: &Part) -> Option<Self> {
        let (
            Part::Pure {
                lead: before,
                rest: Rest::Constant(Value::Text(topic)),
                ..
            },
            Part::Pure { lead, rest, .. },
        ) = (topic, value)
        else {
            return None;
        };
        let cost = before.len() + lead.len() + rest.cost()? + 1;
        (!topic.is_empty()).then(|| Self {
            topic: topic.clone(),
            name: OnceCell::new(),
            cost,
        })
    }

    /// `false`, with nothing done, where it takes the longer way.
    #[inline]
    fn emit(&self, value: &Rest, frame: &Frame<'_>) -> Result<bool, Box<EvalAltResult>> {
        let Some(counted) = Counted::at_once(self.cost) else {
            return Ok(false);
        };
        let name = self.name.get_or_init(|| frame.state.name(&self.topic));
        let done = emit::appended(frame.state, name, |out, limit| {
            if let Rest::Slot(slot) = value
                && let Some(Value::Object(view)) = frame.slots.get(*slot)
            {
                return append_view(view, out, limit).map(|()| true);
            }
            Ok(value.append(out, frame) && !counted.is_off())
        })?;
        if !done {
            counted.take_back();
        }
        Ok(done)
    }
}
