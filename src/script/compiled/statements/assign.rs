//! Assignments to variables and to fields of JSON objects in variables.

use rhai::{Expr, ImmutableString, OpAssignment, Position, Stmt};

use super::assigned;
use super::set;
use super::{Compiler, Sides};
use crate::script::compiled::expressions::operators;
use crate::script::compiled::expressions::part::Part;
use crate::script::compiled::expressions::pure::{Rest, property};
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick, ticks};
use crate::script::compiled::run::interpreted::Interpreted;
use crate::script::compiled::run::value::Value;
use crate::script::meter;

/// `None` for an assignment that is not in the subset.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    assignment: &(OpAssignment, Sides),
) -> Option<Code> {
    match pure(compiler, statement, assignment) {
        Some(code) => Some(code),
        None => assigned::compile(compiler, statement, assignment),
    }
}

/// An assignment to a variable, or of a value without effects to a field.
fn pure(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    assignment: &(OpAssignment, Sides),
) -> Option<Code> {
    let (operator, sides) = assignment;
    let at = statement.position();
    match &sides.lhs {
        Expr::Variable(..) => {
            let slot = compiler.locals.slot(&sides.lhs)?;
            let target = (slot, sides.lhs.position());
            match operator.get_op_assignment_info() {
                None => Some(plain(compiler, statement, sides, target)),
                Some((.., token, _, _, _)) => {
                    let rules = operators::assignment(token)?;
                    changed(compiler, statement, sides, target, rules)
                }
            }
        }
        Expr::Dot(chain, ..) if operator.get_op_assignment_info().is_none() => {
            let field = compiler
                .locals
                .slot(&chain.lhs)
                .zip(property(&chain.rhs))
                .and_then(|(slot, (name, field))| {
                    let counted = [chain.lhs.position(), field];
                    set(compiler, statement, &sides.rhs, at, slot, name, counted)
                });
            field.or_else(|| set::compile(compiler, statement, operator, sides))
        }
        Expr::Dot(..) | Expr::Index(..) => set::compile(compiler, statement, operator, sides),
        _ => None,
    }
}

/// `x = …`
fn plain(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    sides: &Sides,
    (slot, target): (usize, Position),
) -> Code {
    let part = compiler.part(&sides.rhs, vec![statement.position()]);
    let whole = compiler.whole(statement);
    Box::new(move |frame| {
        // An element of a constant array may come by its place as a constant; a closure's variable gets its
        // value where the others see it.
        if frame
            .slots
            .get(slot)
            .is_none_or(|value| value.is_constant() || value.is_shared())
        {
            return whole.run(frame);
        }
        let mut value = part.value(frame)?;
        if matches!(value, Value::Other(_)) {
            value = value.owned();
        }
        tick(target)?;
        if let Some(place) = frame.slots.get_mut(slot) {
            *place = value;
        }
        Ok(Value::Unit)
    })
}

/// Runs `sure`; where it has no rule, the interpreter does the whole statement again.
fn sure_or_whole(
    frame: &mut Frame<'_>,
    whole: &Interpreted,
    sure: impl FnOnce(&mut Frame<'_>) -> Outcome<()>,
) -> Outcome {
    let counted = meter::operations();
    match sure(frame) {
        Ok(()) => Ok(Value::Unit),
        Err(Exit::Unsure) => {
            meter::recount(counted);
            whole.run(frame)
        }
        Err(other) => Err(other),
    }
}

/// `x += …`
fn changed(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    sides: &Sides,
    (slot, target): (usize, Position),
    (rule, quick): (operators::Change, operators::QuickChange),
) -> Option<Code> {
    let pure = compiler.pure(&sides.rhs)?.after(statement.position());
    let whole = compiler.whole(statement);
    let longest = compiler.known.longest;
    let mut counted = pure.lead;
    // Nothing happens between the operations of a constant or a variable and of the target.
    let settled = matches!(pure.rest, Rest::Constant(_) | Rest::Slot(_));
    if settled {
        counted.push(target);
    }
    let rest = pure.rest;
    let known = (!settled && rest.cost().is_some()).then_some(counted.len() + 1);
    Some(Box::new(move |frame| {
        if let Some(others) = known {
            let before = meter::operations();
            let by = rest.quick(others, frame);
            let place = frame.slots.get_mut(slot);
            if place.is_some_and(|place| quick(place, by)) {
                return Ok(Value::Unit);
            }
            meter::recount(before);
        }
        sure_or_whole(frame, &whole, |frame| {
            ticks(&counted)?;
            let done = match &rest {
                Rest::Constant(by) => {
                    let place = frame.slots.get_mut(slot);
                    place.is_some_and(|place| rule(place, by, longest))
                }
                Rest::Slot(other) => match frame.slots.get_disjoint_mut([slot, *other]) {
                    Ok([place, by]) => rule(place, by, longest),
                    Err(_) => false,
                },
                other => {
                    let by = other.value(frame)?;
                    tick(target)?;
                    let place = frame.slots.get_mut(slot);
                    place.is_some_and(|place| rule(place, &by, longest))
                }
            };
            if done { Ok(()) } else { Err(Exit::Unsure) }
        })
    }))
}

/// `d.name = …`
fn set(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    value: &Expr,
    at: Position,
    slot: usize,
    name: ImmutableString,
    counted: [Position; 2],
) -> Option<Code> {
    let part = pure_part(compiler, value, at)?;
    let whole = compiler.whole(statement);
    Some(Box::new(move |frame| {
        if let Some((new, lead)) = part.variable()
            && meter::ticks((lead + counted.len()) as u64)
        {
            let places = frame.slots.get_disjoint_mut([slot, new]);
            if let Ok([Value::Object(object), new]) = places
                && !matches!(new, Value::Other(_))
            {
                object.set(&name, new.dynamic());
                return Ok(Value::Unit);
            }
            meter::recount(meter::operations() - (lead + counted.len()) as u64);
        }
        sure_or_whole(frame, &whole, |frame| {
            let value = part.sure(frame)?;
            ticks(&counted)?;
            match frame.slots.get_mut(slot) {
                Some(Value::Object(object)) => object.set(&name, value.into_dynamic()),
                _ => return Err(Exit::Unsure),
            }
            Ok(())
        })
    }))
}

/// The right side, if it has no effects: only then may it be done twice.
fn pure_part(compiler: &mut Compiler<'_>, value: &Expr, at: Position) -> Option<Part> {
    compiler.pure(value)?;
    let part = compiler.part(value, vec![at]);
    part.is_pure().then_some(part)
}
