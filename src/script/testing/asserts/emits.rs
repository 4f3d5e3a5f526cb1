//! Asserts of what was emitted.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::super::context::Context;
use super::super::diff::lines;
use super::super::emitted::Emitted;
use super::super::expected::Expected;
use super::super::run::{Ended, Run};
use super::{counted, how, run_of};
use crate::script::api::Fallible;

pub(super) fn register(engine: &mut Engine, context: &Rc<Context>) {
    register!(
        engine,
        context,
        "assert_emitted",
        |own, at, run: Dynamic, expected: Dynamic| {
            emitted(own, &at, &run_of(&run)?, &Expected::of(&expected)?)
        }
    );
    register!(
        engine,
        context,
        "assert_emits",
        |own, at, run: Dynamic, expected: Array| {
            let expected = expected.iter().map(Expected::of);
            let expected = expected.collect::<Fallible<Vec<Expected>>>()?;
            exactly(own, &at, &run_of(&run)?, &expected)
        }
    );
    register!(
        engine,
        context,
        "assert_nothing_emitted",
        |own, at, run: Dynamic| {
            let run = run_of(&run)?;
            if run.0.emits.is_empty() {
                return Ok(());
            }
            let message = format!("{} emitted", counted(run.0.emits.len(), "message was"));
            Err(own.fail(&at, message, list(&run.0.emits), vec![]))
        }
    );
}

/// One of the emits is as expected; else the one that comes nearest is shown.
fn emitted(own: &Context, at: &NativeCallContext, run: &Run, expected: &Expected) -> Fallible<()> {
    let emits = &run.0.emits;
    let differences = emits.iter().map(|emit| expected.differences(emit));
    let nearest = differences.enumerate().min_by_key(|(_, all)| all.len());
    let (message, hints) = match nearest {
        Some((_, differences)) if differences.is_empty() => return Ok(()),
        Some((index, differences)) => {
            let message = match emits.len() {
                1 => "the emitted message is not as expected".to_owned(),
                many => format!(
                    "none of the {many} emitted messages is as expected; number {index} comes nearest"
                ),
            };
            (message, lines(&differences, "expected", "found"))
        }
        None => ("nothing was emitted".to_owned(), ended(run)),
    };
    Err(own.fail(at, message, hints, vec![]))
}

/// The emits are as expected, one after another, and there are no others.
fn exactly(
    own: &Context,
    at: &NativeCallContext,
    run: &Run,
    expected: &[Expected],
) -> Fallible<()> {
    let emits = &run.0.emits;
    if emits.len() != expected.len() {
        let message = format!(
            "{} expected, {} emitted",
            counted(expected.len(), "message was"),
            counted(emits.len(), "was")
        );
        return Err(own.fail(at, message, list(emits), vec![]));
    }
    for (index, (emit, expected)) in emits.iter().zip(expected).enumerate() {
        let differences = expected.differences(emit);
        if !differences.is_empty() {
            let message = format!("emitted message number {index} is not as expected");
            let lines = lines(&differences, "expected", "found");
            return Err(own.fail(at, message, lines, vec![]));
        }
    }
    Ok(())
}

/// A hint where a call was not done, which may be news.
fn ended(run: &Run) -> Vec<String> {
    match run.0.ended {
        Ended::Done => Vec::new(),
        ended => vec![format!("{}: {}", how(ended), run.reason())],
    }
}

/// The emitted messages, a line each.
fn list(emits: &[Emitted]) -> Vec<String> {
    const MOST: usize = 10;
    let mut lines: Vec<String> = emits
        .iter()
        .take(MOST)
        .enumerate()
        .map(|(index, emit)| format!("number {index}: {}", emit.plain()))
        .collect();
    if emits.len() > MOST {
        lines.push(format!("and {} more", emits.len() - MOST));
    }
    lines
}
