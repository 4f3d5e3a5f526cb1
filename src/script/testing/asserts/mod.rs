//! The asserts. A failed one ends the test and shows its line, what was expected and what was found.
//!
//! Here are those of plain values; `emits` has those of what was emitted, `endings` those of how a call
//! ended, and what it logged and counted.

/// An assert as it is registered: with its place, its arguments, and the test that it may end.
macro_rules! register {
    ($engine:ident, $context:ident, $name:literal, |$own:ident, $at:ident $(, $arg:ident: $type:ty)*| $body:expr) => {{
        let owned = Rc::clone($context);
        $engine.register_fn(
            $name,
            move |$at: NativeCallContext $(, $arg: $type)*| -> Fallible<()> {
                let $own: &Context = &owned;
                $body
            },
        );
    }};
}

mod emits;
mod endings;

use std::rc::Rc;

use rhai::{Dynamic, Engine, FLOAT, ImmutableString, NativeCallContext};

use super::calls::no_run;
use super::context::Context;
use super::diff::{differences, lines, show};
use super::run::{Ended, Run};
use super::values::plain;
use crate::script::api::Fallible;
use crate::script::told::type_name;

pub(super) fn register(engine: &mut Engine, context: &Rc<Context>) {
    conditions(engine, context);
    comparisons(engine, context);
    emits::register(engine, context);
    endings::register(engine, context);
}

fn conditions(engine: &mut Engine, context: &Rc<Context>) {
    fn assert(own: &Context, at: &NativeCallContext, given: &Dynamic, why: String) -> Fallible<()> {
        match given.as_bool() {
            Ok(true) => Ok(()),
            Ok(false) => Err(own.fail(at, why, vec![], vec![])),
            Err(_) => Err(format!("assert takes true or false, found {}", type_name(given)).into()),
        }
    }
    register!(engine, context, "assert", |own, at, given: Dynamic| {
        assert(own, &at, &given, "the condition is false".to_owned())
    });
    register!(
        engine,
        context,
        "assert",
        |own, at, given: Dynamic, why: ImmutableString| assert(own, &at, &given, why.to_string())
    );
    register!(engine, context, "fail", |own, at, why: ImmutableString| {
        Err(own.fail(&at, why.to_string(), vec![], vec![]))
    });
}

fn comparisons(engine: &mut Engine, context: &Rc<Context>) {
    fn equal(
        own: &Context,
        at: &NativeCallContext,
        found: &Dynamic,
        expected: &Dynamic,
        why: String,
    ) -> Fallible<()> {
        let differences = differences(&plain(expected), &plain(found));
        if differences.is_empty() {
            return Ok(());
        }
        let lines = lines(&differences, "expected", "found");
        Err(own.fail(at, why, lines, vec![]))
    }
    register!(
        engine,
        context,
        "assert_eq",
        |own, at, found: Dynamic, expected: Dynamic| {
            equal(own, &at, &found, &expected, "the values differ".to_owned())
        }
    );
    register!(
        engine,
        context,
        "assert_eq",
        |own, at, found: Dynamic, expected: Dynamic, why: ImmutableString| {
            equal(own, &at, &found, &expected, why.to_string())
        }
    );
    register!(
        engine,
        context,
        "assert_ne",
        |own, at, found: Dynamic, other: Dynamic| {
            let found = plain(&found);
            if !differences(&plain(&other), &found).is_empty() {
                return Ok(());
            }
            let both = format!("both are {}", show(&found));
            Err(own.fail(
                &at,
                "the values are the same".to_owned(),
                vec![both],
                vec![],
            ))
        }
    );
    register!(
        engine,
        context,
        "assert_near",
        |own, at, found: Dynamic, expected: Dynamic, tolerance: FLOAT| {
            let number = |value: &Dynamic| {
                let whole = value.as_int().map(|whole| whole as FLOAT);
                value
                    .as_float()
                    .or(whole)
                    .map_err(|_| format!("assert_near takes numbers, found {}", type_name(value)))
            };
            let (found, expected) = (number(&found)?, number(&expected)?);
            if (found - expected).abs() <= tolerance {
                return Ok(());
            }
            let lines = vec![
                format!("expected {expected}, or at most {tolerance} from it"),
                format!("found    {found}"),
            ];
            Err(own.fail(&at, "the numbers differ".to_owned(), lines, vec![]))
        }
    );
}

/// How a call ended, as a sentence begins.
fn how(ended: Ended) -> &'static str {
    match ended {
        Ended::Done => "the call was done",
        Ended::Rejected => "the message was rejected",
        Ended::Failed => "the call failed",
    }
}

fn run_of(given: &Dynamic) -> Fallible<Run> {
    let run = given.read_lock::<Run>().map(|run| run.clone());
    run.ok_or_else(|| no_run(given))
}

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, what) => format!("1 {what}"),
        (count, "message was") => format!("{count} messages were"),
        (count, "was") => format!("{count} were"),
        (count, what) => format!("{count} {what}s"),
    }
}
