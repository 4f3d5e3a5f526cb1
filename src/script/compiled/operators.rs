//! Operators on values of known types, as Rhai's built-in ones have it (`func/builtin.rs`).
//!
//! Each rule gives `None` where it does not know the types, or where the result would be an error: the
//! interpreter then does the same again and says so in its own words.

use rhai::{FLOAT, INT, ImmutableString, Token};

use super::bits;
use super::value::Value;
use crate::script::api::order::{Operator, apart};

/// What an operator makes of two values; `usize` is the longest string.
pub(super) type Rule = fn(&Value, &Value, usize) -> Option<Value>;

/// The rule of an operator with two operands.
pub(super) fn binary(token: &Token) -> Option<Rule> {
    let rule: Rule = match token {
        Token::Plus => add,
        Token::Minus => subtract,
        Token::Multiply => multiply,
        Token::Divide => divide,
        Token::Modulo => modulo,
        Token::EqualsTo => equal,
        Token::NotEqualsTo => not_equal,
        // Operators of our own: see `api/order.rs`.
        Token::Custom(name) => match name.as_str() {
            "<" => less,
            "<=" => less_or_equal,
            ">" => greater,
            ">=" => greater_or_equal,
            _ => return None,
        },
        other => return bits::binary(other),
    };
    Some(rule)
}

/// Whether Rhai calls a function for it, which is one more operation.
pub(super) fn is_called(token: &Token) -> bool {
    matches!(token, Token::Custom(_))
}

/// The two as numbers of one type.
enum Numbers {
    Int(INT, INT),
    Float(FLOAT, FLOAT),
}

#[inline(always)]
fn numbers(left: &Value, right: &Value) -> Option<Numbers> {
    Some(match (left, right) {
        (Value::Int(left), Value::Int(right)) => Numbers::Int(*left, *right),
        (Value::Float(left, _), Value::Float(right, _)) => Numbers::Float(*left, *right),
        (Value::Float(left, _), Value::Int(right)) => Numbers::Float(*left, *right as FLOAT),
        (Value::Int(left), Value::Float(right, _)) => Numbers::Float(*left as FLOAT, *right),
        _ => return None,
    })
}

fn add(left: &Value, right: &Value, longest: usize) -> Option<Value> {
    let sum = calculated(left, right, INT::checked_add, |left, right| left + right);
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
    calculated(left, right, INT::checked_sub, |left, right| left - right)
}

fn multiply(left: &Value, right: &Value, _: usize) -> Option<Value> {
    calculated(left, right, INT::checked_mul, |left, right| left * right)
}

fn divide(left: &Value, right: &Value, _: usize) -> Option<Value> {
    calculated(left, right, INT::checked_div, |left, right| left / right)
}

fn modulo(left: &Value, right: &Value, _: usize) -> Option<Value> {
    calculated(left, right, INT::checked_rem, |left, right| left % right)
}

/// A float that was calculated has no text of its own.
#[inline(always)]
pub(super) fn calculated(
    left: &Value,
    right: &Value,
    ints: fn(INT, INT) -> Option<INT>,
    floats: fn(FLOAT, FLOAT) -> FLOAT,
) -> Option<Value> {
    match numbers(left, right)? {
        Numbers::Int(left, right) => ints(left, right).map(Value::Int),
        Numbers::Float(left, right) => Some(Value::Float(floats(left, right), 0)),
    }
}

fn equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    is_equal(left, right).map(Value::Bool)
}

fn not_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    is_equal(left, right).map(|equal| Value::Bool(!equal))
}

/// Of two values that are no views: those Rhai looks up a function for.
fn is_equal(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Unit, Value::Unit) => return Some(true),
        (Value::Bool(left), Value::Bool(right)) => return Some(left == right),
        _ => {}
    }
    match numbers(left, right) {
        Some(Numbers::Int(left, right)) => return Some(left == right),
        Some(Numbers::Float(left, right)) => return same(left, right),
        None => {}
    }
    if let Value::Piece(doc, node) = left
        && let Value::Text(text) = right
    {
        return Some(doc.is_text(doc.node(*node), text));
    }
    match left.with_text(|left| right.with_text(|right| left == right)) {
        Some(Some(equal)) => Some(equal),
        // Of different types, and not both numbers: not equal.
        _ if kind(left)? != kind(right)? => Some(false),
        _ => None,
    }
}

/// A rank for each kind of simple value; `None` for those that have rules of their own.
fn kind(value: &Value) -> Option<u8> {
    Some(match value {
        Value::Unit => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(..) => 2,
        Value::Text(_) | Value::Piece(..) => 3,
        Value::Object(_) | Value::Array(_) | Value::Other(_) => return None,
    })
}

/// Floats that differ by no more than rounding does are the same. A comparison with a NaN is left to
/// the interpreter.
fn same(left: FLOAT, right: FLOAT) -> Option<bool> {
    let apart = apart(left, right).abs();
    (!apart.is_nan()).then_some(apart <= FLOAT::EPSILON)
}

fn less(left: &Value, right: &Value, _: usize) -> Option<Value> {
    order(Operator::Less, left, right)
}

fn less_or_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    order(Operator::LessOrEqual, left, right)
}

fn greater(left: &Value, right: &Value, _: usize) -> Option<Value> {
    order(Operator::Greater, left, right)
}

fn greater_or_equal(left: &Value, right: &Value, _: usize) -> Option<Value> {
    order(Operator::GreaterOrEqual, left, right)
}

#[inline(always)]
fn order(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    let holds = match numbers(left, right) {
        Some(Numbers::Int(left, right)) => operator.holds(left.cmp(&right)),
        Some(Numbers::Float(left, right)) => operator.holds_of(left, right),
        None => {
            left.with_text(|left| right.with_text(|right| operator.holds(left.cmp(right))))??
        }
    };
    Some(Value::Bool(holds))
}

/// What an operator assignment makes of a variable; `false`, with the variable as it was, where there is
/// no rule.
pub(super) type Change = fn(&mut Value, &Value, usize) -> bool;

/// The rule of `+=` and the like.
pub(super) fn assignment(token: &Token) -> Option<Change> {
    let rule: Change = match token {
        Token::PlusAssign => add_to,
        Token::MinusAssign => subtract_from,
        Token::MultiplyAssign => multiply_by,
        Token::DivideAssign => divide_by,
        Token::ModuloAssign => reduce_by,
        other => return bits::assignment(other),
    };
    Some(rule)
}

fn subtract_from(place: &mut Value, by: &Value, _: usize) -> bool {
    change(place, by, INT::checked_sub, |left, right| left - right)
}

fn multiply_by(place: &mut Value, by: &Value, _: usize) -> bool {
    change(place, by, INT::checked_mul, |left, right| left * right)
}

fn divide_by(place: &mut Value, by: &Value, _: usize) -> bool {
    change(place, by, INT::checked_div, |left, right| left / right)
}

fn reduce_by(place: &mut Value, by: &Value, _: usize) -> bool {
    change(place, by, INT::checked_rem, |left, right| left % right)
}

fn add_to(place: &mut Value, by: &Value, longest: usize) -> bool {
    if let Value::Piece(..) = place {
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
    change(place, by, INT::checked_add, |left, right| left + right)
}

/// A whole number takes no float this way; a float keeps its tag, as in Rhai, whose float is changed in
/// place.
#[inline(always)]
pub(super) fn change(
    place: &mut Value,
    by: &Value,
    ints: fn(INT, INT) -> Option<INT>,
    floats: fn(FLOAT, FLOAT) -> FLOAT,
) -> bool {
    match (place, by) {
        (Value::Int(place), Value::Int(by)) => match ints(*place, *by) {
            Some(number) => *place = number,
            None => return false,
        },
        (Value::Float(place, _), Value::Float(by, _)) => *place = floats(*place, *by),
        (Value::Float(place, _), Value::Int(by)) => *place = floats(*place, *by as FLOAT),
        _ => return false,
    }
    true
}

/// The rule of `!` and `-`.
pub(super) fn unary(token: &Token) -> Option<fn(&Value) -> Option<Value>> {
    let rule: fn(&Value) -> Option<Value> = match token {
        Token::Bang => not,
        Token::Minus | Token::UnaryMinus => negative,
        _ => return None,
    };
    Some(rule)
}

fn not(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(flag) => Some(Value::Bool(!flag)),
        _ => None,
    }
}

fn negative(value: &Value) -> Option<Value> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int),
        Value::Float(number, _) => Some(Value::Float(-number, 0)),
        _ => None,
    }
}
