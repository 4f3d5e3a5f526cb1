//! The asserts. A failed one ends the test and shows its line, what was expected and what was found.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, FLOAT, INT, ImmutableString, NativeCallContext};
use serde_json::Value;

use super::calls::no_run;
use super::context::Context;
use super::diff::{differences, lines, show};
use super::emitted::Emitted;
use super::expected::Expected;
use super::run::{Ended, Run, level};
use super::values::plain;
use crate::script::api::Fallible;
use crate::script::api::emit::type_name;

pub(super) fn register(engine: &mut Engine, context: &Rc<Context>) {
    conditions(engine, context);
    comparisons(engine, context);
    emits(engine, context);
    endings(engine, context);
    traces(engine, context);
}

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

fn emits(engine: &mut Engine, context: &Rc<Context>) {
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

fn endings(engine: &mut Engine, context: &Rc<Context>) {
    register!(
        engine,
        context,
        "assert_rejected",
        |own, at, run: Dynamic| end(own, &at, &run_of(&run)?, Ended::Rejected, "")
    );
    register!(
        engine,
        context,
        "assert_rejected",
        |own, at, run: Dynamic, reason: ImmutableString| {
            end(own, &at, &run_of(&run)?, Ended::Rejected, &reason)
        }
    );
    register!(engine, context, "assert_failed", |own, at, run: Dynamic| {
        end(own, &at, &run_of(&run)?, Ended::Failed, "")
    });
    register!(
        engine,
        context,
        "assert_failed",
        |own, at, run: Dynamic, reason: ImmutableString| {
            end(own, &at, &run_of(&run)?, Ended::Failed, &reason)
        }
    );
}

/// The call ended so, with a reason that contains `reason`.
fn end(
    own: &Context,
    at: &NativeCallContext,
    run: &Run,
    wanted: Ended,
    reason: &str,
) -> Fallible<()> {
    let hints = if run.0.ended != wanted {
        vec![format!("expected {}", wanted.word()), found(run)]
    } else if !run.reason().contains(reason) {
        vec![
            format!("expected {}", show(&reason.into())),
            format!("found    {}", show(&run.reason().into())),
        ]
    } else {
        return Ok(());
    };
    let message = if run.0.ended == wanted {
        format!("{} for another reason", how(wanted))
    } else {
        "the call ended otherwise".to_owned()
    };
    let failure = run.0.failure.as_ref();
    let place = failure.and_then(|failure| failure.diagnostic.clone());
    Err(own.fail(at, message, hints, place.into_iter().collect()))
}

fn found(run: &Run) -> String {
    match run.0.ended {
        Ended::Done => format!(
            "found    done, {} emitted",
            counted(run.0.emits.len(), "message")
        ),
        ended => format!("found    {}: {}", ended.word(), run.reason()),
    }
}

/// A hint where a call was not done, which may be news.
fn ended(run: &Run) -> Vec<String> {
    match run.0.ended {
        Ended::Done => Vec::new(),
        ended => vec![format!("{}: {}", how(ended), run.reason())],
    }
}

/// How a call ended, as a sentence begins.
fn how(ended: Ended) -> &'static str {
    match ended {
        Ended::Done => "the call was done",
        Ended::Rejected => "the message was rejected",
        Ended::Failed => "the call failed",
    }
}

fn traces(engine: &mut Engine, context: &Rc<Context>) {
    register!(
        engine,
        context,
        "assert_logged",
        |own, at, run: Dynamic, text: ImmutableString| {
            logged(own, &at, &run_of(&run)?, None, &text)
        }
    );
    register!(
        engine,
        context,
        "assert_logged",
        |own, at, run: Dynamic, level: ImmutableString, text: ImmutableString| {
            logged(own, &at, &run_of(&run)?, Some(&level), &text)
        }
    );
    register!(
        engine,
        context,
        "assert_counted",
        |own, at, run: Dynamic, name: ImmutableString, n: INT| {
            let count = run_of(&run)?.count(&name);
            if INT::try_from(count) == Ok(n) {
                return Ok(());
            }
            let lines = vec![format!("expected {n}"), format!("found    {count}")];
            Err(own.fail(
                &at,
                format!("`{name}` was counted otherwise"),
                lines,
                vec![],
            ))
        }
    );
    register!(
        engine,
        context,
        "assert_observed",
        |own, at, run: Dynamic, name: ImmutableString, x: Dynamic| {
            let observed: Vec<Value> = run_of(&run)?
                .observations(&name)
                .into_iter()
                .map(Value::from)
                .collect();
            let wanted = plain(&x);
            if observed
                .iter()
                .any(|seen| differences(&wanted, seen).is_empty())
            {
                return Ok(());
            }
            let found = match observed.is_empty() {
                true => "nothing".to_owned(),
                false => show(&Value::Array(observed)),
            };
            let lines = vec![
                format!("expected {}", show(&wanted)),
                format!("found    {found}"),
            ];
            Err(own.fail(
                &at,
                format!("`{name}` was observed otherwise"),
                lines,
                vec![],
            ))
        }
    );
}

/// Some line contains the text, and has the level where one is given.
fn logged(
    own: &Context,
    at: &NativeCallContext,
    run: &Run,
    wanted: Option<&str>,
    text: &str,
) -> Fallible<()> {
    let fits = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
    let logs = &run.0.logs;
    let there = logs
        .iter()
        .any(|line| fits(wanted, &level(line)) && line.text.contains(text));
    if there {
        return Ok(());
    }
    let mut hints = vec![format!(
        "expected {}{}",
        wanted.map(|level| format!("{level} ")).unwrap_or_default(),
        show(&text.into())
    )];
    for line in logs {
        hints.push(format!(
            "found    {} {}",
            level(line),
            show(&line.text.as_str().into())
        ));
    }
    if logs.is_empty() {
        hints.push("found    nothing".to_owned());
    }
    Err(own.fail(at, "no such line was logged".to_owned(), hints, vec![]))
}

fn run_of(given: &Dynamic) -> Fallible<Run> {
    let run = given.read_lock::<Run>().map(|run| run.clone());
    run.ok_or_else(|| no_run(given))
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

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, what) => format!("1 {what}"),
        (count, "message was") => format!("{count} messages were"),
        (count, "was") => format!("{count} were"),
        (count, what) => format!("{count} {what}s"),
    }
}
