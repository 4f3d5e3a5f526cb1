//! An expression in a statement: compiled where it has no effects, and else the interpreter's.

use rhai::{Expr, Position};

use super::frame::{Code, Exit, Frame, Outcome, ticks, ticks_exactly};
use super::interpreted::Interpreted;
use super::locals::Locals;
use super::pure::{Pure, Rest};
use super::report::Report;
use super::value::Value;
use crate::script::meter;

/// See the module.
pub(super) enum Part {
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
pub(super) enum Compiled {
    Pure(Pure),
    Effect(Code),
    /// It is not in the subset.
    No,
}

impl Part {
    /// `expression` after the operations at `before`, and what it was compiled to.
    pub(super) fn new(
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
    pub(super) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        if let Self::Effect { before, code } = self {
            ticks_exactly(before)?;
            return code(frame);
        }
        let counted = meter::operations();
        match self.sure(frame) {
            Err(Exit::Unsure) => self.interpreted(counted, frame),
            other => other,
        }
    }

    /// The value of what Rhai asks to be true or false.
    #[inline]
    pub(super) fn flag(&self, at: Position, frame: &mut Frame<'_>) -> Outcome<bool> {
        if let Self::Effect { .. } = self {
            return match self.value(frame)? {
                Value::Bool(flag) => Ok(flag),
                other => no_flag(other, at),
            };
        }
        let counted = meter::operations();
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
    pub(super) fn is_effect(&self) -> bool {
        matches!(self, Self::Effect { .. })
    }

    /// Whether it can be done again from its beginning.
    pub(super) fn is_pure(&self) -> bool {
        matches!(self, Self::Pure { .. })
    }

    /// Only the compiled way, for a statement that can itself be left to the interpreter.
    #[inline]
    pub(super) fn sure(&self, frame: &mut Frame<'_>) -> Outcome {
        match self {
            Self::Pure { lead, rest, .. } => {
                ticks(lead)?;
                rest.value(frame)
            }
            Self::Effect { .. } | Self::Interpreted { .. } => Err(Exit::Unsure),
        }
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
