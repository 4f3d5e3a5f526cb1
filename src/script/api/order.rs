//! `<`, `<=`, `>` and `>=`: as Rhai's own, but a missing value is an error.
//!
//! Rhai answers `() > 20` with `false`, so that a misspelt field would silently let nothing through, or
//! all. Its own four operators can't be overridden while they are fast, so they are taken away and put
//! back as operators of the engine: [`operators`] before anything is compiled, [`register`] for the run.

use std::any::TypeId;
use std::cmp::Ordering;

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, Position};

use super::Fallible;
use crate::script::told::type_name;

/// As in Rhai's own table.
const PRECEDENCE: u8 = 130;

/// One of the four.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const OPERATORS: [(&str, Operator); 4] = [
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
];

/// Lets an engine compile the four as operators of its own.
pub(crate) fn operators(engine: &mut Engine) {
    for (name, _) in OPERATORS {
        let added = engine
            .disable_symbol(name)
            .register_custom_operator(name, PRECEDENCE)
            .map(drop);
        debug_assert_eq!(added, Ok(()), "{name}");
    }
}

/// What they do.
pub(crate) fn register(engine: &mut Engine) {
    let any = [TypeId::of::<Dynamic>(), TypeId::of::<Dynamic>()];
    for (name, operator) in OPERATORS {
        engine.register_raw_fn(name, any, move |_, args| {
            compare(name, operator, args[0], args[1])
        });
    }
}

#[inline]
fn compare(name: &str, operator: Operator, left: &Dynamic, right: &Dynamic) -> Fallible<bool> {
    match (left.as_int(), right.as_int()) {
        (Ok(left), Ok(right)) => Ok(operator.holds(left.cmp(&right))),
        (left_int, right_int) => {
            let float = |int: Result<INT, _>, value: &Dynamic| {
                int.map_or_else(|_| value.as_float().ok(), |int| Some(int as FLOAT))
            };
            match (float(left_int, left), float(right_int, right)) {
                (Some(left), Some(right)) => Ok(operator.holds_of(left, right)),
                _ => compare_others(name, operator, left, right),
            }
        }
    }
}

impl Operator {
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// Floats that differ by no more than rounding does are equal, as Rhai has it.
    #[inline]
    pub(crate) fn holds_of(self, left: FLOAT, right: FLOAT) -> bool {
        let apart = apart(left, right);
        match self {
            Self::Less => -apart > FLOAT::EPSILON,
            Self::LessOrEqual => -apart > -FLOAT::EPSILON,
            Self::Greater => apart > FLOAT::EPSILON,
            Self::GreaterOrEqual => apart > -FLOAT::EPSILON,
        }
    }
}

/// By how much `left` is larger, measured by the larger of the two.
#[inline]
pub(crate) fn apart(left: FLOAT, right: FLOAT) -> FLOAT {
    let largest = match left * right == 0.0 {
        true => 1.0,
        false => left.abs().max(right.abs()),
    };
    (left - right) / largest
}

fn compare_others(
    name: &str,
    operator: Operator,
    left: &Dynamic,
    right: &Dynamic,
) -> Fallible<bool> {
    if let Some(order) = texts(left, right) {
        return Ok(operator.holds(order));
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return Ok(operator.holds(left.cmp(&right)));
    }
    // Values of different types are neither less nor greater.
    let differ = !left.is_unit() && !right.is_unit() && left.type_id() != right.type_id();
    let (left, right) = (type_name(left), type_name(right));
    if differ && left != right {
        return Ok(false);
    }
    let signature = format!("{name} ({left}, {right})");
    Err(EvalAltResult::ErrorFunctionNotFound(signature, Position::NONE).into())
}

/// The order of two strings; a letter is a string of one.
fn texts(left: &Dynamic, right: &Dynamic) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (
        left.as_immutable_string_ref(),
        right.as_immutable_string_ref(),
    ) {
        return Some(left.as_str().cmp(right.as_str()));
    }
    let text = |value: &Dynamic| match value.as_char() {
        Ok(letter) => Some(letter.to_string()),
        Err(_) => Some(value.as_immutable_string_ref().ok()?.to_string()),
    };
    Some(text(left)?.cmp(&text(right)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[&str] = &[
        "0",
        "1",
        "-3",
        "9223372036854775807",
        "0.0",
        "1.0",
        "1.0000000000000002",
        "1.5",
        "-2.25",
        "1e300",
        "0.1 + 0.2",
        "0.3",
        "\"\"",
        "\"a\"",
        "\"ab\"",
        "\"b\"",
        "'a'",
        "'b'",
        "true",
        "false",
        "[1]",
        "[2]",
        "#{a: 1}",
        "Fn(\"f\")",
        "0..3",
        "0..=3",
    ];

    /// Of any two values that are there, the four say what Rhai's own say.
    #[test]
    fn they_are_rhais_own() {
        let own = Engine::new();
        let mut ours = Engine::new();
        operators(&mut ours);
        register(&mut ours);
        let mut compared = 0;
        for left in VALUES {
            for right in VALUES {
                for (name, _) in OPERATORS {
                    let text = format!("let x = {left}; let y = {right}; x {name} y");
                    let answer = |engine: &Engine| engine.eval::<bool>(&text).ok();
                    assert_eq!(answer(&ours), answer(&own), "{text}");
                    compared += usize::from(answer(&own).is_some());
                }
            }
        }
        assert!(compared > 1500, "only {compared}");
        for text in [
            "1 + 2 < 4 && 3 > 2 == true",
            "2 > -1",
            "!(1 >= 2)",
            "1 < 2 || 1 > 2",
        ] {
            assert!(ours.eval::<bool>(text).unwrap(), "{text}");
        }
    }

    /// A missing value is not less or greater than anything, also not than another.
    #[test]
    fn nothing_is_not_compared() {
        let mut engine = Engine::new();
        operators(&mut engine);
        register(&mut engine);
        for (name, _) in OPERATORS {
            for other in VALUES.iter().chain(&["()"]) {
                for text in [format!("() {name} {other}"), format!("{other} {name} ()")] {
                    let error = engine.eval::<bool>(&text).unwrap_err();
                    assert!(
                        matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)),
                        "{text}"
                    );
                }
            }
        }
    }
}
