//! `try` and `catch`.

use rhai::{EvalAltResult, Expr, FlowControl, INT, Map, Position};

use super::{Compiler, Refused};
use crate::script::compiled::run::frame::{Code, Exit, Frame, tick};
use crate::script::compiled::run::value::Value;

pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    control: &FlowControl,
    at: Position,
) -> Result<Code, Refused> {
    let body = compiler.block(control.body.statements())?;
    let outside = compiler.locals.len();
    let named = if let Expr::Variable(variable, ..) = &control.expr {
        compiler.locals.push(&variable.1);
        true
    } else {
        false
    };
    let caught = compiler.block(control.branch.statements());
    compiler.locals.rewind(outside);
    let caught = caught?;
    Ok(Box::new(move |frame| {
        tick(at)?;
        let mut error = match body.run(frame) {
            Err(Exit::Error(error)) if error.is_catchable() => error,
            other => return other,
        };
        if named {
            let value = value(&mut error, frame);
            frame.slots.push(value);
        }
        let result = caught.run(frame);
        frame.slots.truncate(outside);
        match result {
            Ok(_) => Ok(Value::Unit),
            Err(Exit::Error(again)) => Err(Exit::Error(thrown(error, *again))),
            Err(other) => Err(other),
        }
    }))
}

/// The error that a catch block ends with: the caught one again where it throws nothing.
fn thrown(mut caught: Box<EvalAltResult>, again: EvalAltResult) -> Box<EvalAltResult> {
    match again {
        EvalAltResult::ErrorRuntime(nothing, at) if nothing.is_unit() => {
            caught.set_position(at);
            caught
        }
        other => other.into(),
    }
}

/// What the catch block's variable gets.
fn value(error: &mut EvalAltResult, frame: &Frame<'_>) -> Value {
    if let EvalAltResult::ErrorRuntime(thrown, _) = error.unwrap_inner() {
        return Value::of(thrown.clone());
    }
    let at = error.take_position();
    let mut map = Map::new();
    map.insert("message".into(), error.to_string().into());
    if let Some(source) = &frame.global.source {
        map.insert("source".into(), source.into());
    }
    if let Some(line) = at.line() {
        map.insert("line".into(), (line as INT).into());
        let column = at.position().unwrap_or(0);
        map.insert("position".into(), (column as INT).into());
    }
    describe(error, &mut map);
    Value::Other(map.into())
}

/// Rhai's `EvalAltResult::dump_fields`, for the errors that can be caught.
fn describe(error: &EvalAltResult, map: &mut Map) {
    use EvalAltResult as Error;

    let shown = format!("{error:?}");
    let kind = shown.split('(').next().unwrap_or_default();
    map.insert("error".into(), kind.into());
    match error {
        Error::ErrorFunctionNotFound(name, _)
        | Error::ErrorNonPureMethodCallOnConstant(name, _) => {
            map.insert("function".into(), name.into());
        }
        Error::ErrorInFunctionCall(name, source, ..) => {
            map.insert("function".into(), name.into());
            map.insert("source".into(), source.into());
        }
        Error::ErrorMismatchDataType(wanted, found, _)
        | Error::ErrorMismatchOutputType(wanted, found, _) => {
            map.insert("requested".into(), wanted.into());
            map.insert("actual".into(), found.into());
        }
        Error::ErrorArrayBounds(length, index, _)
        | Error::ErrorStringBounds(length, index, _)
        | Error::ErrorBitFieldBounds(length, index, _) => {
            map.insert("length".into(), (*length as INT).into());
            map.insert("index".into(), (*index).into());
        }
        Error::ErrorVariableExists(name, _)
        | Error::ErrorForbiddenVariable(name, _)
        | Error::ErrorVariableNotFound(name, _)
        | Error::ErrorPropertyNotFound(name, _)
        | Error::ErrorDataRace(name, _)
        | Error::ErrorAssignmentToConstant(name, _) => {
            map.insert("variable".into(), name.into());
        }
        Error::ErrorIndexNotFound(index, _) => {
            map.insert("index".into(), index.clone());
        }
        Error::ErrorInModule(name, ..) | Error::ErrorModuleNotFound(name, _) => {
            map.insert("module".into(), name.into());
        }
        Error::ErrorDotExpr(property, _) => {
            map.insert("property".into(), property.into());
        }
        Error::ErrorIndexingType(kind, _) => {
            map.insert("type".into(), kind.into());
        }
        _ => {}
    }
}
