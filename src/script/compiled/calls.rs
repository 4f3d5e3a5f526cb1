//! `emit`, without the Rhai function: what it is given need not become a Rhai value.

use rhai::{Expr, FnCallExpr, Position};

use super::frame::{Code, Exit, tick};
use super::part::Part;
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
    Some(Box::new(move |frame| {
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
            Err(mut error) => {
                if error.position().is_none() {
                    error.set_position(at);
                }
                Err(Exit::Error(error))
            }
        }
    }))
}
