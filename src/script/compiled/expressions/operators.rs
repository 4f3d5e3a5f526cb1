//! Operators on values of known types, as Rhai's built-in ones have it (`func/builtin.rs`).
//!
//! Each rule gives `None` where it does not know the types, or where the result would be an error: the
//! interpreter then does the same again and says so in its own words. What concerns numbers and flags
//! alone is in `scalar`.

use rhai::{FLOAT, INT, ImmutableString, Token};

use super::bits;
use crate::script::api::order::Operator;
use crate::script::compiled::run::scalar::{self, Quick, Scalar};
use crate::script::compiled::run::value::Value;

/// What an operator makes of two values; `usize` is the longest string.
pub(super) type Rule = fn(&Value, &Value, usize) -> Option<Value>;

/// The rule of an operator with two operands; and that for scalars, where they have one of their own.
pub(super) fn binary(token: &Token) -> Option<(Rule, Option<Quick>)> {
    let (rule, quick): (Rule, Quick) = match token {
        Token::Plus => (add, scalar::add),
        Token::Minus => (subtract, scalar::subtract),
        Token::Multiply => (multiply, scalar::multiply),
        Token::Divide => (divide, scalar::divide),
        Token::Modulo => (modulo, scalar::modulo),
        Token::EqualsTo => (equal, scalar::equal),
        Token::NotEqualsTo => (not_equal, scalar::not_equal),
        // Operators of our own: see `api/order.rs`.
        Token::Custom(name) => match name.as_str() {
            "<" => (less, scalar::less),
            "<=" => (less_or_equal, scalar::less_or_equal),
            ">" => (greater, scalar::greater),
            ">=" => (greater_or_equal, scalar::greater_or_equal),
            _ => return None,
        },
        other => return bits::binary(other).map(|rule| (rule, None)),
    };
    Some((rule, Some(quick)))
}

/// Whether Rhai calls a function for it, which is one more operation.
pub(super) fn is_called(token: &Token) -> bool {
    matches!(token, Token::Custom(_))
}

/// The rule for scalars, on values.
#[inline(always)]
fn scalars(quick: Quick, left: &Value, right: &Value) -> Option<Value> {
    quick(Scalar::of(left), Scalar::of(right)).value()
}

fn add(left: &Value, right: &Value, longest: usize) -> Option<Value> {
    let sum = scalars(scalar::add, left, right);
    if sum.is_some() {
        return sum;
    }
    left.with_text(|left| {
        right.with_text(|right| {
            if left.len() + right.len() > longest {
                return None;
            }
            let mut text = String::with_capacity(left.len() + right.len());
            text.push_str(left);
            text.push_str(right);
            Some(Value::Text(ImmutableString::from(text)))
        })
    })??
}

fn subtract(left: &Value, right: &Value, _: usize) -> Option<Value> {
    scalars(scalar::subtract, left, right)
}

fn multiply(left: &Value, right: &Value, _: usize) -> Option<Value> {
    scalars(scalar::multiply, left, right)
}

fn divide(left: &Value, right: &Value, _: usize) -> Option<Value> {
    scalars(scalar::divide, left, right)
}

fn modulo(left: &Value, right: &Value, _: usize) -> Option<Value> {
    scalars(scalar::modulo, left, right)
}

fn equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    compared(Comparison::Equal, scalar::equal, left, right)
}

fn not_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    compared(Comparison::NotEqual, scalar::not_equal, left, right)
}

fn less(left: &Value, right: &Value, _: usize) -> Option<Value> {
    compared(Comparison::Order(Operator::Less), scalar::less, left, right)
}

fn less_or_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    let operator = Comparison::Order(Operator::LessOrEqual);
    compared(operator, scalar::less_or_equal, left, right)
}

fn greater(left: &Value, right: &Value, _: usize) -> Option<Value> {
    let operator = Comparison::Order(Operator::Greater);
    compared(operator, scalar::greater, left, right)
}

fn greater_or_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    let operator = Comparison::Order(Operator::GreaterOrEqual);
    compared(operator, scalar::greater_or_equal, left, right)
}

/// Of two values that are no views: those Rhai looks up a function for.
#[inline(always)]
fn compared(comparison: Comparison, quick: Quick, left: &Value, right: &Value) -> Option<Value> {
    if let Value::Piece(doc, node) = left
        && let Value::Text(text) = right
        && let Some(equal) = comparison.of_equality(|| doc.is_text(doc.node(*node), text))
    {
        return Some(Value::Bool(equal));
    }
    let texts = left.with_text(|left| right.with_text(|right| comparison.of_texts(left, right)));
    match texts {
        Some(Some(holds)) => Some(Value::Bool(holds)),
        Some(None) => comparison.of_text_and(Scalar::of(right)).value(),
        None if right.with_text(|_| ()).is_some() => {
            comparison.of_text_and(Scalar::of(left)).value()
        }
        None => quick(Scalar::of(left), Scalar::of(right)).value(),
    }
}

/// An operator that compares.
#[derive(Clone, Copy)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Order(Operator),
}

impl Comparison {
    /// `None` for another operator.
    pub(super) fn of(token: &Token) -> Option<Self> {
        Some(match token {
            Token::EqualsTo => Self::Equal,
            Token::NotEqualsTo => Self::NotEqual,
            Token::Custom(name) => Self::Order(match name.as_str() {
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                _ => return None,
            }),
            _ => return None,
        })
    }

    #[inline]
    pub(crate) fn of_texts(self, left: &str, right: &str) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Order(operator) => operator.holds(left.cmp(right)),
        }
    }

    /// The same where it only matters whether they are equal.
    #[inline]
    pub(crate) fn of_equality(self, equal: impl FnOnce() -> bool) -> Option<bool> {
        match self {
            Self::Equal => Some(equal()),
            Self::NotEqual => Some(!equal()),
            Self::Order(_) => None,
        }
    }

    /// Of a text and what is none: never equal.
    #[inline]
    pub(crate) fn of_text_and(self, other: Scalar) -> Scalar {
        match other {
            Scalar::Unsure => Scalar::Unsure,
            _ => (self.of_equality(|| false)).map_or(Scalar::Unsure, Scalar::bool),
        }
    }
}

/// What an operator assignment makes of a variable; `false`, with the variable as it was, where there is
/// no rule.
pub(crate) type Change = fn(&mut Value, &Value, usize) -> bool;

/// The same where what it is changed by is a scalar.
pub(crate) type QuickChange = fn(&mut Value, Scalar) -> bool;

/// The rules of `+=` and the like.
pub(crate) fn assignment(token: &Token) -> Option<(Change, QuickChange)> {
    let rules: (Change, QuickChange) = match token {
        Token::PlusAssign => (add_to, add_number),
        Token::MinusAssign => (|place, by, _| subtract(place, Scalar::of(by)), subtract),
        Token::MultiplyAssign => (|place, by, _| multiply(place, Scalar::of(by)), multiply),
        Token::DivideAssign => (|place, by, _| divide(place, Scalar::of(by)), divide),
        Token::ModuloAssign => (|place, by, _| modulo(place, Scalar::of(by)), modulo),
        other => (bits::assignment(other)?, |_, _| false),
    };
    return Some(rules);

    fn subtract(place: &mut Value, by: Scalar) -> bool {
        change(place, by, INT::checked_sub, |left, right| left - right)
    }

    fn multiply(place: &mut Value, by: Scalar) -> bool {
        change(place, by, INT::checked_mul, |left, right| left * right)
    }

    fn divide(place: &mut Value, by: Scalar) -> bool {
        change(place, by, INT::checked_div, |left, right| left / right)
    }

    fn modulo(place: &mut Value, by: Scalar) -> bool {
        change(place, by, INT::checked_rem, |left, right| left % right)
    }
}

fn add_number(place: &mut Value, by: Scalar) -> bool {
    change(place, by, INT::checked_add, |left, right| left + right)
}

fn add_to(place: &mut Value, by: &Value, longest: usize) -> bool {
    if let Value::Piece(..) | Value::Part(..) = place {
        *place = Value::of(std::mem::take(place).into_dynamic());
    }
    if let Value::Text(text) = place {
        let added = by.with_text(|by| {
            let fits = text.len() + by.len() <= longest;
            if fits {
                *text += by;
            }
            fits
        });
        return added.unwrap_or(false);
    }
    add_number(place, Scalar::of(by))
}

/// A whole number takes no float this way; a float keeps its tag, as in Rhai, whose float is changed in
/// place.
#[inline(always)]
pub(super) fn change(
    place: &mut Value,
    by: Scalar,
    ints: impl FnOnce(INT, INT) -> Option<INT>,
    floats: impl FnOnce(FLOAT, FLOAT) -> FLOAT,
) -> bool {
    match (place, by) {
        (Value::Int(place), Scalar::Int(by)) => match ints(*place, by) {
            Some(number) => *place = number,
            None => return false,
        },
        (Value::Float(place, _), Scalar::Float(by)) => {
            *place = floats(*place, FLOAT::from_bits(by));
        }
        (Value::Float(place, _), Scalar::Int(by)) => *place = floats(*place, by as FLOAT),
        _ => return false,
    }
    true
}
