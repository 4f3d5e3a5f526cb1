//! Expressions without effects: constants, variables, fields, operators.
//!
//! Each is compiled to a [`Pure`]: the places of the operations that it begins with, and the code of the
//! rest. Where the code finds values that it has no rule for it says [`Exit::Unsure`], and because
//! nothing has happened, the interpreter can then do the whole expression from its beginning: see
//! [`Part`](super::part::Part).

use rhai::{Dynamic, Expr, FnCallExpr, FnPtr, ImmutableString, Position, Token};

use super::operators::{self, Comparison};
use super::quick::{Binary, Logic, Rules};
use super::text;
use crate::script::compiled::calls::functions::Functions;
use crate::script::compiled::chains::chain;
use crate::script::compiled::chains::message::Field;
use crate::script::compiled::chains::reach::Reach;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, ticks};
use crate::script::compiled::run::locals::Locals;
use crate::script::compiled::run::scalar::{self, Scalar};
use crate::script::compiled::run::value::Value;
use crate::script::json::JsonObject;

/// A compiled expression without effects.
pub(crate) struct Pure {
    /// Where it counts operations before it looks at anything.
    pub lead: Vec<Position>,
    pub rest: Rest,
}

/// What follows the lead.
pub(crate) enum Rest {
    Constant(Value),
    /// A variable's value.
    Slot(usize),
    /// A field of the message other than its JSON.
    Field(Field),
    /// `msg.json`, which stands there.
    Json(Position),
    /// A chain of fields.
    Reach(Box<Reach>),
    Binary(Box<Binary>),
    Unary(fn(Scalar) -> Scalar, Box<Rest>),
    Logic(Box<Logic>),
    Code(Code),
}

impl Pure {
    fn code(lead: Vec<Position>, code: Code) -> Self {
        Self {
            lead,
            rest: Rest::Code(code),
        }
    }

    /// The same with an operation at `position` before it.
    pub(crate) fn after(mut self, position: Position) -> Self {
        self.lead.insert(0, position);
        self
    }
}

impl Rest {
    /// The value, after the lead.
    #[inline]
    pub(crate) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Slot(slot) => variable(frame, *slot),
            Self::Field(field) => field.value(Position::NONE, frame),
            Self::Json(at) => Field::Json.value(*at, frame),
            Self::Reach(reach) => reach.value(frame),
            Self::Binary(binary) => binary.value(frame),
            Self::Unary(rule, operand) => {
                let operand = operand.value(frame)?;
                rule(Scalar::of(&operand)).value().ok_or(Exit::Unsure)
            }
            Self::Logic(logic) => logic.value(frame),
            Self::Code(code) => code(frame),
        }
    }
}

/// A copy of a variable. What is not of a known type is left to the interpreter.
#[inline]
fn variable(frame: &Frame<'_>, slot: usize) -> Outcome {
    match frame.slots.get(slot) {
        // A closure's variable; whoever gets its value gets its own.
        Some(Value::Other(shared)) if shared.is_shared() => Ok(Value::of(shared.flatten_clone())),
        Some(Value::Other(_)) | None => Err(Exit::Unsure),
        Some(value) => Ok(value.clone()),
    }
}

/// What the compiler knows at a place.
pub(crate) struct Place<'a> {
    pub locals: &'a Locals,
    pub known: &'a Known<'a>,
}

/// What it knows at every place.
pub(crate) struct Known<'a> {
    /// The longest string.
    pub longest: usize,
    /// The most elements of an array.
    pub most: usize,
    /// The functions of the script, which may stand in for any other.
    pub functions: &'a Functions,
    /// Which of its files this is.
    pub file: usize,
    /// The constants of the configuration.
    pub params: Option<&'a JsonObject>,
}

impl Place<'_> {
    /// The constants of the configuration, where `variable` stands for them: no variable in scope does.
    pub(crate) fn params(&self, variable: &Expr) -> Option<&JsonObject> {
        let Expr::Variable(long, None, _) = variable else {
            return None;
        };
        let theirs = long.0.is_none() && long.1 == "params" && long.2.is_empty();
        let hidden = || self.locals.iter().any(|local| local.name == "params");
        self.known.params.filter(|_| theirs && !hidden())
    }
}

/// `None` for an expression that is not in the subset.
pub(crate) fn compile(expression: &Expr, place: &Place<'_>) -> Option<Pure> {
    let at = expression.position();
    match expression {
        Expr::DynamicConstant(value, _) if value.is_fnptr() => {
            if let Some(closure) = value.read_lock::<FnPtr>() {
                place.known.functions.mention(place.known.file, &closure);
            }
            Some(Pure {
                lead: vec![at],
                rest: Rest::Constant(Value::of(expression.get_literal_value(None)?)),
            })
        }
        Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::BoolConstant(..)
        | Expr::CharConstant(..)
        | Expr::StringConstant(..)
        | Expr::DynamicConstant(..)
        | Expr::Unit(_) => Some(Pure {
            lead: vec![at],
            rest: constant(expression.get_literal_value(None)?, place),
        }),
        Expr::Variable(..) if place.locals.is_message(expression) => {
            let slot = place.locals.place(expression)?;
            let message = move |frame: &mut Frame<'_>| {
                let message = frame.slots.get(slot);
                message.cloned().ok_or(Exit::Unsure)
            };
            Some(Pure::code(vec![at], Box::new(message)))
        }
        Expr::Variable(..) => Some(Pure {
            lead: vec![at],
            rest: Rest::Slot(place.locals.slot(expression)?),
        }),
        Expr::Dot(..) | Expr::Index(..) => chain::compile(expression, place),
        Expr::FnCall(call, _) => Some(operator(call, at, place)?.after(at)),
        Expr::And(parts, _) => logic(parts, at, false, place),
        Expr::Or(parts, _) => logic(parts, at, true, place),
        Expr::Coalesce(parts, _) => coalesce(parts, at, place),
        Expr::InterpolatedString(parts, _) => text::interpolated(parts, at, place),
        _ => None,
    }
}

/// A constant; a closure is compiled, because something may call it.
fn constant(value: Dynamic, place: &Place<'_>) -> Rest {
    if let Some(closure) = value.read_lock::<FnPtr>() {
        let known = place.known;
        known.functions.mention(known.file, &closure);
    }
    Rest::Constant(Value::of(value))
}

/// The same for an argument of a function or operator: a literal counts once, whatever is in it.
pub(crate) fn argument(expression: &Expr, place: &Place<'_>) -> Option<Pure> {
    match expression.get_literal_value(None) {
        Some(literal) => Some(Pure {
            lead: vec![expression.start_position()],
            rest: constant(literal, place),
        }),
        None => compile(expression, place),
    }
}

/// A call of an operator, without the operation that an expression counts for itself.
pub(super) fn operator(call: &FnCallExpr, at: Position, place: &Place<'_>) -> Option<Pure> {
    let token = call.op_token.as_ref()?;
    match &*call.args {
        [operand] => {
            let rule = scalar::unary(token)?;
            let operand = argument(operand, place)?;
            Some(Pure {
                lead: operand.lead,
                rest: Rest::Unary(rule, Box::new(operand.rest)),
            })
        }
        [left, right] => {
            let (any, quick) = operators::binary(token)?;
            let rules = Rules {
                any,
                quick: quick?,
                comparison: Comparison::of(token),
                joins: matches!(token, Token::Plus),
            };
            let call = operators::is_called(token).then_some(at);
            let (left, right) = (argument(left, place)?, argument(right, place)?);
            let binary = Binary::new(rules, place.known.longest, left.rest, right, call);
            Some(Pure {
                lead: left.lead,
                rest: Rest::Binary(Box::new(binary)),
            })
        }
        _ => None,
    }
}

/// All the parts, or `None` if one is not in the subset.
pub(super) fn compile_all(parts: &[Expr], place: &Place<'_>) -> Option<Vec<Pure>> {
    parts.iter().map(|part| compile(part, place)).collect()
}

/// `&&` and `||`: until a part is `ends`.
fn logic(parts: &[Expr], at: Position, ends: bool, place: &Place<'_>) -> Option<Pure> {
    if let Some(logic) = Logic::of(parts, ends, place) {
        return Some(Pure {
            lead: vec![at],
            rest: Rest::Logic(Box::new(logic)),
        });
    }
    in_turn(
        parts,
        at,
        place,
        Value::Bool(!ends),
        move |part| match part {
            Value::Bool(flag) => Ok((flag == ends).then_some(Value::Bool(ends))),
            _ => Err(Exit::Unsure),
        },
    )
}

/// `??`: until a part is not `()`.
fn coalesce(parts: &[Expr], at: Position, place: &Place<'_>) -> Option<Pure> {
    in_turn(parts, at, place, Value::Unit, |part| match part {
        Value::Unit => Ok(None),
        value => Ok(Some(value)),
    })
}

/// The parts from left to right until one `decides` the value; `otherwise` if none does.
fn in_turn(
    parts: &[Expr],
    at: Position,
    place: &Place<'_>,
    otherwise: Value,
    decides: impl Fn(Value) -> Outcome<Option<Value>> + 'static,
) -> Option<Pure> {
    let parts = compile_all(parts, place)?;
    Some(Pure::code(
        vec![at],
        Box::new(move |frame| {
            for part in &parts {
                ticks(&part.lead)?;
                if let Some(value) = decides(part.rest.value(frame)?)? {
                    return Ok(value);
                }
            }
            Ok(otherwise.clone())
        }),
    ))
}

/// The name of a property.
pub(crate) fn property(expression: &Expr) -> Option<(ImmutableString, Position)> {
    match expression {
        Expr::Property(property, at) => Some((property.2.clone(), *at)),
        _ => None,
    }
}
