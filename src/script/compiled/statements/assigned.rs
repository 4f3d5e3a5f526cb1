//! Assignments of values with effects to variables, and to places that nothing else knows: the value is
//! evaluated once, and the rest is the interpreter's where there is no rule for it here.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Expr, OpAssignment, Position, Stmt, Token};

use super::{Compiler, Sides};
use crate::script::compiled::expressions::operators::{self, Change};
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick};
use crate::script::compiled::run::interpreted::Interpreted;
use crate::script::compiled::run::over;
use crate::script::compiled::run::value::Value;

/// A variable that there is a rule for.
struct Variable {
    slot: usize,
    at: Position,
    rule: Change,
    longest: usize,
    /// The place of the operator, for `+=`, which an array grows with.
    grows: Option<Position>,
}

/// `None` for an assignment to `this`, which Rhai looks at first.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    assignment: &(OpAssignment, Sides),
) -> Option<Code> {
    let (operator, sides) = assignment;
    if matches!(sides.lhs, Expr::ThisPtr(_)) {
        return None;
    }
    let variable = Variable::of(compiler, operator, &sides.lhs);
    if variable.is_none() {
        compiler.report.statement(statement);
    }
    let value = compiler.part(&sides.rhs, vec![statement.position()]);
    let rest = rest(compiler, assignment);
    Some(Box::new(move |frame| {
        let value = value.value(frame)?.flatten();
        let assigned = match &variable {
            Some(variable) => variable.assign(value, frame)?,
            None => Assigned::Not(value, 0),
        };
        match assigned {
            Assigned::Done => Ok(Value::Unit),
            // The assignment and the value were counted, and what the rule counted.
            Assigned::Not(value, counted) => rest.run_given(value, 2 + counted, frame),
        }
    }))
}

/// The assignment for the interpreter, of a value that is there.
fn rest(compiler: &Compiler<'_>, assignment: &(OpAssignment, Sides)) -> Interpreted {
    let mut assignment = assignment.clone();
    assignment.1.rhs = over::given(assignment.1.rhs.position());
    Interpreted::of_given(&Stmt::Assignment(Box::new(assignment)), &compiler.locals)
}

/// What came of a rule.
enum Assigned {
    Done,
    /// There is none for these values. So many operations were counted.
    Not(Value, u64),
}

impl Variable {
    fn of(compiler: &Compiler<'_>, operator: &OpAssignment, place: &Expr) -> Option<Self> {
        let Expr::Variable(..) = place else {
            return None;
        };
        let (_, _, token, ..) = operator.get_op_assignment_info()?;
        Some(Self {
            slot: compiler.locals.slot(place)?,
            at: place.position(),
            rule: operators::assignment(token)?.0,
            longest: compiler.known.longest,
            grows: matches!(token, Token::PlusAssign).then_some(operator.position()),
        })
    }

    fn assign(&self, value: Value, frame: &mut Frame<'_>) -> Outcome<Assigned> {
        tick(self.at)?;
        match frame.slots.get_mut(self.slot) {
            Some(place) => self.change(place, value, frame.engine),
            None => Ok(Assigned::Not(value, 1)),
        }
    }

    fn change(&self, place: &mut Value, by: Value, engine: &Engine) -> Outcome<Assigned> {
        if (self.rule)(place, &by, self.longest) {
            return Ok(Assigned::Done);
        }
        match (place, self.grows) {
            (Value::Other(array), Some(at)) if array.is_array() && !array.is_read_only() => {
                match grow(array, by, engine) {
                    Ok(()) => Ok(Assigned::Done),
                    Err(mut error) => {
                        error.set_position(at);
                        Err(Exit::Error(error))
                    }
                }
            }
            _ => Ok(Assigned::Not(by, 1)),
        }
    }
}

/// `+=` with an array, as Rhai has it in `func/builtin.rs`: by another array, or by one element.
fn grow(array: &mut Dynamic, by: Value, engine: &Engine) -> Result<(), Box<EvalAltResult>> {
    match by.into_dynamic().try_cast_result::<Array>() {
        Ok(more) if more.is_empty() => Ok(()),
        Ok(more) => {
            engine.ensure_data_size_within_limits(array)?;
            if let Some(mut array) = array.write_lock::<Array>() {
                array.extend(more);
            }
            Ok(())
        }
        Err(one) => {
            if let Some(mut array) = array.write_lock::<Array>() {
                array.push(one);
            }
            engine.ensure_data_size_within_limits(array)
        }
    }
}
