//! `emit`, without the Rhai function: what it is given need not become a Rhai value.

use std::cell::OnceCell;
use std::sync::Arc;

use rhai::{EvalAltResult, Expr, FnCallExpr, ImmutableString, Position};

use super::frame::{Code, Exit, Frame, tick};
use super::part::Part;
use super::pure::Rest;
use super::quick::Counted;
use super::statements::Compiler;
use super::value::Value;
use crate::script::api::emit;

/// `emit(topic, value)` and `emit(topic, key, value)`; `before` are the operations that come first.
/// `None` for another call.
pub(super) fn emit(
    compiler: &mut Compiler<'_>,
    call: &FnCallExpr,
    at: Position,
    before: Vec<Position>,
) -> Option<Code> {
    let own = compiler.known.own.iter().any(|own| *own == *call.name);
    if call.name != "emit" || own || call.is_qualified() || call.capture_parent_scope {
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
    let topic = compiler.argument(topic, before);
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
            Value::Object(object) => emit::Given::Object(object),
            other => emit::Given::Value(other.into_dynamic()),
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
                return emit::append_view(view, out, limit).map(|()| true);
            }
            Ok(value.append(out, frame) && !counted.is_off())
        })?;
        if !done {
            counted.take_back();
        }
        Ok(done)
    }
}
