//! Expressions that may have effects. Each is done once: what is in it is a [`Part`] of its own, so that
//! whatever the interpreter has to do instead is no more than one of these.

use rhai::{Dynamic, EvalAltResult, Expr, FnCallExpr, ImmutableString, Position, locked_read};

use super::literals;
use super::operators;
use super::part::Part;
use crate::script::compiled::calls;
use crate::script::compiled::calls::native::{First, Native};
use crate::script::compiled::chains::path;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick};
use crate::script::compiled::run::over;
use crate::script::compiled::run::scalar::{self, Scalar};
use crate::script::compiled::run::value::Value;
use crate::script::compiled::statements::Compiler;

/// `None` for an expression that is not in the subset. The code counts all of its operations.
pub(crate) fn compile(compiler: &mut Compiler<'_>, expression: &Expr) -> Option<Code> {
    let at = expression.position();
    match expression {
        Expr::Variable(variable, None, _) if !variable.2.is_empty() => {
            let own = compiler.is_constant(expression).then(|| variable.1.clone());
            Some(qualified(expression.clone(), own, at))
        }
        Expr::FnCall(call, _) if call.op_token.is_some() => operator(compiler, call, at),
        Expr::FnCall(call, _) => calls::compile(compiler, call, at, vec![at]),
        Expr::And(parts, _) => Some(logic(compiler, parts, at, false)),
        Expr::Or(parts, _) => Some(logic(compiler, parts, at, true)),
        Expr::Coalesce(parts, _) => Some(coalesce(compiler, parts, at)),
        Expr::Dot(..) | Expr::Index(..) => path::compile(compiler, expression),
        Expr::InterpolatedString(parts, _) => Some(interpolated(compiler, parts, at)),
        Expr::Array(elements, _) => Some(literals::array(compiler, elements, at)),
        Expr::Map(map, _) => {
            let members = map.0.iter().map(|(name, value)| (name.as_str(), value));
            Some(literals::map(compiler, members, at))
        }
        Expr::Stmt(block) => compiler.nested(block).ok(),
        _ => None,
    }
}

/// A constant at the top of this file, by its `own` name, or of an imported one.
fn qualified(variable: Expr, own: Option<ImmutableString>, at: Position) -> Code {
    Box::new(move |frame| {
        tick(at)?;
        let constants = frame.global.constants.as_ref();
        let constants = constants.and_then(|constants| locked_read(constants));
        let known = constants.zip(own.as_ref());
        let known = known.and_then(|(constants, name)| constants.get(name).cloned());
        match known {
            Some(value) => Ok(Value::of(value.into_read_only())),
            None => over::run(frame, None, &variable, 1, None)
                .map(Value::of)
                .map_err(Exit::Error),
        }
    })
}

/// An operator: the operands from left to right, then the rule for their types, or Rhai's function. What
/// it counts for itself is a statement's where it is one.
pub(crate) fn operator(
    compiler: &mut Compiler<'_>,
    call: &FnCallExpr,
    at: Position,
) -> Option<Code> {
    let token = call.op_token.as_ref()?;
    let native = Native::new(call, at);
    match &*call.args {
        [operand] => {
            let rule = scalar::unary(token);
            let operand = compiler.argument(operand, vec![at]);
            Some(Box::new(move |frame| {
                let operand = operand.value(frame)?.flatten().plain();
                match rule.and_then(|rule| rule(Scalar::of(&operand)).value()) {
                    Some(value) => Ok(value),
                    None => by_function(&native, frame, [operand]),
                }
            }))
        }
        [left, right] => {
            let rule = operators::binary(token).map(|(rule, _)| rule);
            let call = operators::is_called(token).then_some(at);
            let longest = compiler.known.longest;
            let left = compiler.argument(left, vec![at]);
            let right = compiler.argument(right, Vec::new());
            Some(Box::new(move |frame| {
                let left = left.value(frame)?.flatten().plain();
                let right = right.value(frame)?.flatten().plain();
                match rule.and_then(|rule| rule(&left, &right, longest)) {
                    Some(value) => {
                        call.map_or(Ok(()), tick)?;
                        Ok(value)
                    }
                    None => by_function(&native, frame, [left, right]),
                }
            }))
        }
        _ => None,
    }
}

pub(crate) fn by_function<const N: usize>(
    native: &Native,
    frame: &mut Frame<'_>,
    operands: [Value; N],
) -> Outcome {
    let mut operands = operands.into_iter().map(Value::into_dynamic).collect();
    native
        .call(frame, &mut operands, First::Value)
        .map(Value::of)
}

fn parts(compiler: &mut Compiler<'_>, parts: &[Expr]) -> Vec<(Part, Position)> {
    let part = |part: &Expr| (compiler.part(part, Vec::new()), part.position());
    parts.iter().map(part).collect()
}

/// `&&` and `||`: until a part is `ends`.
fn logic(compiler: &mut Compiler<'_>, all: &[Expr], at: Position, ends: bool) -> Code {
    let parts = parts(compiler, all);
    Box::new(move |frame| {
        tick(at)?;
        for (part, at) in &parts {
            if part.flag(*at, frame)? == ends {
                return Ok(Value::Bool(ends));
            }
        }
        Ok(Value::Bool(!ends))
    })
}

/// `??`: until a part is not `()`.
fn coalesce(compiler: &mut Compiler<'_>, all: &[Expr], at: Position) -> Code {
    let part = |part: &Expr| (compiler.part_as_it_is(part), part.position());
    let parts: Vec<(Part, Position)> = all.iter().map(part).collect();
    Box::new(move |frame| {
        tick(at)?;
        for (part, _) in &parts {
            let value = part.value(frame)?;
            if !value.is_unit() {
                return Ok(value);
            }
        }
        Ok(Value::Unit)
    })
}

/// A text with values in it.
fn interpolated(compiler: &mut Compiler<'_>, all: &[Expr], at: Position) -> Code {
    let parts = parts(compiler, all);
    let longest = compiler.known.longest;
    Box::new(move |frame| {
        tick(at)?;
        let mut text = String::new();
        for (part, at) in &parts {
            let value = part.value(frame)?.flatten().plain();
            if value.with_text(|part| text.push_str(part)).is_none() {
                text.push_str(&shown(frame, value.into_dynamic(), *at)?);
            }
            if text.len() > longest {
                let what = "Length of string".into();
                return Err(Exit::Error(
                    EvalAltResult::ErrorDataTooLarge(what, *at).into(),
                ));
            }
        }
        Ok(Value::Text(text.into()))
    })
}

/// A value as it is shown in a text.
fn shown(frame: &mut Frame<'_>, value: Dynamic, at: Position) -> Outcome<ImmutableString> {
    let part = [over::constant(value, at)].into_iter().collect();
    let text = Expr::InterpolatedString(part, at);
    let text = over::run(frame, None, &text, 2, None).map_err(Exit::Error)?;
    Ok(text.into_immutable_string().unwrap_or_default())
}
