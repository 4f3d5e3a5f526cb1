//! Values that fit two registers, and operators on them.

use rhai::{FLOAT, INT, Token};

use super::value::Value;
use crate::script::api::order::{Operator, apart};

/// See the module. All of one shape, because only that goes in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar {
    /// No such value, or no rule: the longer way knows more.
    Unsure,
    Unit,
    Bool(u64),
    Int(INT),
    /// Its bits. A float that stands for a number of a JSON text loses what it knows of that text.
    Float(u64),
}

/// What an operator makes of two scalars.
pub(crate) type Quick = fn(Scalar, Scalar) -> Scalar;

impl Scalar {
    #[inline(always)]
    pub(crate) fn bool(flag: bool) -> Self {
        Self::Bool(u64::from(flag))
    }

    #[inline(always)]
    pub(crate) fn float(number: FLOAT) -> Self {
        Self::Float(number.to_bits())
    }

    #[inline(always)]
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Unit => Self::Unit,
            Value::Bool(flag) => Self::bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number, _) => Self::float(*number),
            _ => Self::Unsure,
        }
    }

    /// The value, if it is one.
    #[inline(always)]
    pub(crate) fn value(self) -> Option<Value> {
        Some(match self {
            Self::Unsure => return None,
            Self::Unit => Value::Unit,
            Self::Bool(flag) => Value::Bool(flag != 0),
            Self::Int(number) => Value::Int(number),
            Self::Float(bits) => Value::Float(FLOAT::from_bits(bits), 0),
        })
    }

    /// A rank for each kind of value.
    fn kind(self) -> Option<u8> {
        Some(match self {
            Self::Unsure => return None,
            Self::Unit => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) => 2,
        })
    }
}

/// The two as numbers of one type.
enum Numbers {
    Int(INT, INT),
    Float(FLOAT, FLOAT),
}

#[inline(always)]
fn numbers(left: Scalar, right: Scalar) -> Option<Numbers> {
    use Scalar::{Float, Int};
    Some(match (left, right) {
        (Int(left), Int(right)) => Numbers::Int(left, right),
        (Float(left), Float(right)) => {
            Numbers::Float(FLOAT::from_bits(left), FLOAT::from_bits(right))
        }
        (Float(left), Int(right)) => Numbers::Float(FLOAT::from_bits(left), right as FLOAT),
        (Int(left), Float(right)) => Numbers::Float(left as FLOAT, FLOAT::from_bits(right)),
        _ => return None,
    })
}

#[inline(always)]
pub(crate) fn calculated(
    left: Scalar,
    right: Scalar,
    ints: impl FnOnce(INT, INT) -> Option<INT>,
    floats: impl FnOnce(FLOAT, FLOAT) -> FLOAT,
) -> Scalar {
    match numbers(left, right) {
        Some(Numbers::Int(left, right)) => ints(left, right).map_or(Scalar::Unsure, Scalar::Int),
        Some(Numbers::Float(left, right)) => Scalar::float(floats(left, right)),
        None => Scalar::Unsure,
    }
}

pub(crate) fn add(left: Scalar, right: Scalar) -> Scalar {
    calculated(left, right, INT::checked_add, |left, right| left + right)
}

pub(crate) fn subtract(left: Scalar, right: Scalar) -> Scalar {
    calculated(left, right, INT::checked_sub, |left, right| left - right)
}

pub(crate) fn multiply(left: Scalar, right: Scalar) -> Scalar {
    calculated(left, right, INT::checked_mul, |left, right| left * right)
}

pub(crate) fn divide(left: Scalar, right: Scalar) -> Scalar {
    calculated(left, right, INT::checked_div, |left, right| left / right)
}

pub(crate) fn modulo(left: Scalar, right: Scalar) -> Scalar {
    calculated(left, right, INT::checked_rem, |left, right| left % right)
}

pub(crate) fn equal(left: Scalar, right: Scalar) -> Scalar {
    is_equal(left, right).map_or(Scalar::Unsure, Scalar::bool)
}

pub(crate) fn not_equal(left: Scalar, right: Scalar) -> Scalar {
    is_equal(left, right).map_or(Scalar::Unsure, |equal| Scalar::bool(!equal))
}

#[inline(always)]
fn is_equal(left: Scalar, right: Scalar) -> Option<bool> {
    match (left, right) {
        (Scalar::Unit, Scalar::Unit) => return Some(true),
        (Scalar::Bool(left), Scalar::Bool(right)) => return Some(left == right),
        _ => {}
    }
    match numbers(left, right) {
        Some(Numbers::Int(left, right)) => Some(left == right),
        Some(Numbers::Float(left, right)) => same(left, right),
        // Of different kinds: not equal.
        None => (left.kind()? != right.kind()?).then_some(false),
    }
}

/// Floats that differ by no more than rounding does are the same. A comparison with a NaN is left to
/// the interpreter.
fn same(left: FLOAT, right: FLOAT) -> Option<bool> {
    let apart = apart(left, right).abs();
    (!apart.is_nan()).then_some(apart <= FLOAT::EPSILON)
}

pub(crate) fn less(left: Scalar, right: Scalar) -> Scalar {
    order(Operator::Less, left, right)
}

pub(crate) fn less_or_equal(left: Scalar, right: Scalar) -> Scalar {
    order(Operator::LessOrEqual, left, right)
}

pub(crate) fn greater(left: Scalar, right: Scalar) -> Scalar {
    order(Operator::Greater, left, right)
}

pub(crate) fn greater_or_equal(left: Scalar, right: Scalar) -> Scalar {
    order(Operator::GreaterOrEqual, left, right)
}

#[inline(always)]
fn order(operator: Operator, left: Scalar, right: Scalar) -> Scalar {
    match numbers(left, right) {
        Some(Numbers::Int(left, right)) => Scalar::bool(operator.holds(left.cmp(&right))),
        Some(Numbers::Float(left, right)) => Scalar::bool(operator.holds_of(left, right)),
        None => Scalar::Unsure,
    }
}

/// The rule of `!` and `-`.
pub(crate) fn unary(token: &Token) -> Option<fn(Scalar) -> Scalar> {
    let quick: fn(Scalar) -> Scalar = match token {
        Token::Bang => |value| match value {
            Scalar::Bool(flag) => Scalar::bool(flag == 0),
            _ => Scalar::Unsure,
        },
        Token::Minus | Token::UnaryMinus => |value| match value {
            Scalar::Int(number) => number.checked_neg().map_or(Scalar::Unsure, Scalar::Int),
            Scalar::Float(bits) => Scalar::float(-FLOAT::from_bits(bits)),
            _ => Scalar::Unsure,
        },
        _ => return None,
    };
    Some(quick)
}
