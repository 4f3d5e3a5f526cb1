//! Powers, and the operators on the bits of whole numbers and on two flags: `**`, `&`, `|`, `^`, `<<`
//! and `>>`, with their assignments. They are rules as in `operators`.

use std::ops::{BitAnd, BitOr, BitXor};

use rhai::{FLOAT, INT, Token};

use super::operators::{Change, Rule, change};
use crate::script::compiled::run::scalar::{Scalar, calculated};
use crate::script::compiled::run::value::Value;

/// The rule of an operator with two operands.
pub(super) fn binary(token: &Token) -> Option<Rule> {
    let rule: Rule = match token {
        Token::PowerOf => |left, right, _| {
            calculated(Scalar::of(left), Scalar::of(right), power, FLOAT::powf).value()
        },
        Token::Ampersand => and,
        Token::Pipe => or,
        Token::XOr => xor,
        Token::LeftShift => left_shift,
        Token::RightShift => right_shift,
        _ => return None,
    };
    Some(rule)
}

/// The rule of an assignment.
pub(super) fn assignment(token: &Token) -> Option<Change> {
    let rule: Change = match token {
        Token::PowerOfAssign => |place, by, _| change(place, Scalar::of(by), power, FLOAT::powf),
        Token::AndAssign => |place, by, longest| put(place, by, longest, and),
        Token::OrAssign => |place, by, longest| put(place, by, longest, or),
        Token::XOrAssign => |place, by, longest| put(place, by, longest, xor),
        Token::LeftShiftAssign => |place, by, longest| put(place, by, longest, left_shift),
        Token::RightShiftAssign => |place, by, longest| put(place, by, longest, right_shift),
        _ => return None,
    };
    Some(rule)
}

/// Puts what an operator makes of a variable in its place.
fn put(place: &mut Value, by: &Value, longest: usize, rule: Rule) -> bool {
    let made = rule(place, by, longest);
    let done = made.is_some();
    if let Some(value) = made {
        *place = value;
    }
    done
}

/// A negative power, or one that is too large, is an error.
fn power(number: INT, by: INT) -> Option<INT> {
    number.checked_pow(u32::try_from(by).ok()?)
}

fn and(left: &Value, right: &Value, _: usize) -> Option<Value> {
    bitwise(left, right, INT::bitand, bool::bitand)
}

fn or(left: &Value, right: &Value, _: usize) -> Option<Value> {
    bitwise(left, right, INT::bitor, bool::bitor)
}

fn xor(left: &Value, right: &Value, _: usize) -> Option<Value> {
    bitwise(left, right, INT::bitxor, bool::bitxor)
}

fn bitwise(
    left: &Value,
    right: &Value,
    ints: fn(INT, INT) -> INT,
    flags: fn(bool, bool) -> bool,
) -> Option<Value> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(Value::Int(ints(*left, *right))),
        (Value::Bool(left), Value::Bool(right)) => Some(Value::Bool(flags(*left, *right))),
        _ => None,
    }
}

fn left_shift(left: &Value, right: &Value, _: usize) -> Option<Value> {
    shift(left, right, INT::checked_shl)
}

fn right_shift(left: &Value, right: &Value, _: usize) -> Option<Value> {
    shift(left, right, INT::checked_shr)
}

/// By fewer bits than there are; what Rhai does with others is left to it.
fn shift(left: &Value, right: &Value, by: fn(INT, u32) -> Option<INT>) -> Option<Value> {
    match (left, right) {
        (Value::Int(number), Value::Int(bits)) => {
            by(*number, u32::try_from(*bits).ok()?).map(Value::Int)
        }
        _ => None,
    }
}
