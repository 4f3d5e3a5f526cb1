//! An expression in a statement: compiled where it has no effects, and else the interpreter's.

use std::rc::Rc;

use rhai::{Expr, FLOAT, Position};

use super::pure::{Pure, Rest};
use crate::script::compiled::chains::message;
use crate::script::compiled::report::Report;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, ticks, ticks_exactly};
use crate::script::compiled::run::interpreted::Interpreted;
use crate::script::compiled::run::locals::Locals;
use crate::script::compiled::run::scalar::Scalar;
use crate::script::compiled::run::value::Value;
use crate::script::json::Doc;
use crate::script::meter;

/// See the module.
pub(crate) enum Part {
    Pure {
        /// Where its operations count, with what comes right before it.
        lead: Box<[Position]>,
        rest: Rest,
        /// For values that it has no rule for; with the same lead before it.
        else_by: Interpreted,
        /// Of the lead, what is not the expression's own.
        before: usize,
    },
    /// It may have effects, and is done once.
    Effect { before: Box<[Position]>, code: Code },
    Interpreted {
        before: Box<[Position]>,
        part: Interpreted,
    },
}

/// What an expression was compiled to.
pub(crate) enum Compiled {
    Pure(Pure),
    Effect(Code),
    /// It is not in the subset.
    No,
}

impl Part {
    /// `expression` after the operations at `before`, and what it was compiled to.
    pub(crate) fn new(
        expression: &Expr,
        before: Vec<Position>,
        compiled: Compiled,
        locals: &Locals,
        report: &mut Report,
    ) -> Self {
        let part = || Interpreted::expression(expression, locals);
        match compiled {
            Compiled::Pure(pure) => {
                let own = before.len();
                let mut lead = before;
                lead.extend(pure.lead);
                Self::Pure {
                    before: own,
                    lead: lead.into(),
                    rest: pure.rest,
                    else_by: part(),
                }
            }
            Compiled::Effect(code) => Self::Effect {
                before: before.into(),
                code,
            },
            Compiled::No => {
                report.interpreted(expression);
                Self::Interpreted {
                    before: before.into(),
                    part: part(),
                }
            }
        }
    }

    /// The value, whatever it takes.
    #[inline]
    pub(crate) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        if let Self::Effect { before, code } = self {
            ticks_exactly(before)?;
            return code(frame);
        }
        let counted = meter::operations();
        // One place for the result: a value that was just written is slow to move.
        let mut result = self.sure(frame);
        if matches!(result, Err(Exit::Unsure)) {
            result = self.interpreted(counted, frame);
        }
        result
    }

    /// The value of what Rhai asks to be true or false.
    #[inline]
    pub(crate) fn flag(&self, at: Position, frame: &mut Frame<'_>) -> Outcome<bool> {
        if let Self::Effect { .. } = self {
            return match self.value(frame)?.plain() {
                Value::Bool(flag) => Ok(flag),
                other => no_flag(other, at),
            };
        }
        let counted = meter::operations();
        if let Self::Pure { lead, rest, .. } = self {
            match rest.quick(lead.len(), frame) {
                Scalar::Bool(flag) => return Ok(flag != 0),
                Scalar::Unsure => {}
                _ => meter::recount(counted),
            }
        }
        match self.sure(frame) {
            Ok(Value::Bool(flag)) => Ok(flag),
            // The interpreter's value is asked, because its error names the type that Rhai has for it.
            Ok(_) | Err(Exit::Unsure) => match self.interpreted(counted, frame)? {
                Value::Bool(flag) => Ok(flag),
                other => no_flag(other, at),
            },
            Err(other) => Err(other),
        }
    }

    /// Puts the value into the variable at `slot`, or into a new one.
    #[inline]
    pub(crate) fn store(&self, slot: Option<usize>, frame: &mut Frame<'_>) -> Outcome<()> {
        let counted = meter::operations();
        if let Self::Pure { lead, rest, .. } = self {
            match rest.calculated(lead.len(), frame) {
                Scalar::Unsure => {}
                scalar => {
                    put_scalar(scalar, slot, frame);
                    return Ok(());
                }
            }
            match rest {
                Rest::Constant(value) if meter::ticks(lead.len() as u64) => {
                    put_constant(value, slot, frame);
                    return Ok(());
                }
                Rest::Reach(reach) => {
                    if let Some(parts) = reach.split(lead.len(), frame) {
                        put(Value::Parts(parts), slot, frame);
                        return Ok(());
                    }
                }
                Rest::Json(at) if meter::ticks(lead.len() as u64) => {
                    if let Some(object) = message::object(*at, frame)? {
                        put(Value::Object(object), slot, frame);
                        return Ok(());
                    }
                    meter::recount(counted);
                }
                _ => {}
            }
        }
        let mut value = self.value(frame)?;
        if matches!(value, Value::Other(_)) {
            value = value.owned().interned();
        }
        put(value, slot, frame);
        Ok(())
    }

    /// The interpreter's value; the operations since `counted` are its own to count.
    #[cold]
    fn interpreted(&self, counted: u64, frame: &mut Frame<'_>) -> Outcome {
        meter::recount(counted);
        let (before, part) = match self {
            Self::Pure {
                lead,
                else_by,
                before,
                ..
            } => (lead.get(..*before).unwrap_or_default(), else_by),
            Self::Interpreted { before, part } => (&**before, part),
            Self::Effect { .. } => return Err(Exit::Unsure),
        };
        ticks_exactly(before)?;
        part.run(frame)
    }

    /// Whether it is compiled, and done once.
    pub(crate) fn is_effect(&self) -> bool {
        matches!(self, Self::Effect { .. })
    }

    /// Whether it can be done again from its beginning.
    pub(crate) fn is_pure(&self) -> bool {
        matches!(self, Self::Pure { .. })
    }

    /// The slot of the variable that it is, and how many operations come before it.
    #[inline]
    pub(crate) fn variable(&self) -> Option<(usize, usize)> {
        match self {
            Self::Pure {
                lead,
                rest: Rest::Slot(slot),
                ..
            } => Some((*slot, lead.len())),
            _ => None,
        }
    }

    /// The array of a JSON text that it is, if it is one and the short way is open.
    #[inline]
    pub(crate) fn array(&self, frame: &Frame<'_>) -> Option<(Rc<Doc>, u32)> {
        let Self::Pure {
            lead,
            rest: Rest::Reach(reach),
            ..
        } = self
        else {
            return None;
        };
        reach.array(lead.len(), frame)
    }

    /// Only the compiled way, for a statement that can itself be left to the interpreter.
    #[inline]
    pub(crate) fn sure(&self, frame: &mut Frame<'_>) -> Outcome {
        match self {
            Self::Pure { lead, rest, .. } => {
                ticks(lead)?;
                rest.value(frame)
            }
            Self::Effect { .. } | Self::Interpreted { .. } => Err(Exit::Unsure),
        }
    }
}

// Each kind of value is put by itself: together they would first be written elsewhere and then moved.

#[inline(always)]
fn put(value: Value, slot: Option<usize>, frame: &mut Frame<'_>) {
    match slot {
        None => frame.push(value),
        Some(slot) => {
            if let Some(place) = frame.slots.get_mut(slot) {
                place.become_value(value);
            }
        }
    }
}

#[inline]
fn put_scalar(scalar: Scalar, slot: Option<usize>, frame: &mut Frame<'_>) {
    match scalar {
        Scalar::Unsure | Scalar::Unit => put(Value::Unit, slot, frame),
        Scalar::Bool(flag) => put(Value::Bool(flag != 0), slot, frame),
        Scalar::Int(number) => put(Value::Int(number), slot, frame),
        Scalar::Float(bits) => put(Value::Float(FLOAT::from_bits(bits), 0), slot, frame),
    }
}

#[inline]
fn put_constant(value: &Value, slot: Option<usize>, frame: &mut Frame<'_>) {
    match value {
        Value::Int(number) => put(Value::Int(*number), slot, frame),
        Value::Float(number, tag) => put(Value::Float(*number, *tag), slot, frame),
        Value::Text(text) => put(Value::Text(text.clone()), slot, frame),
        other => put(other.clone().owned(), slot, frame),
    }
}

#[cold]
fn no_flag(value: Value, at: Position) -> Outcome<bool> {
    let value = value.into_dynamic();
    value.as_bool().map_err(|found| {
        let error = rhai::EvalAltResult::ErrorMismatchDataType("bool".into(), found.into(), at);
        Exit::Error(error.into())
    })
}
