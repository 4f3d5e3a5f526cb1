//! Asserts of how a call ended, what it logged, and what it counted.

use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};
use serde_json::Value;

use super::super::context::Context;
use super::super::diff::{differences, show};
use super::super::run::{Ended, Run, level};
use super::super::values::plain;
use super::{counted, how, run_of};
use crate::script::api::Fallible;

pub(super) fn register(engine: &mut Engine, context: &Rc<Context>) {
    endings(engine, context);
    traces(engine, context);
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
