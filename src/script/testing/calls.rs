//! What a test calls to have its handler called: `handle`, `on_failed`, `generate` and the others.
//!
//! `handle` and its like expect a call that is done and fail the test otherwise, with the handler's
//! own error; `try_handle` gives whatever comes of it.

use std::rc::Rc;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map, NativeCallContext};

use super::context::Context;
use super::emitted::Emitted;
use super::message::TestMessage;
use super::run::{Ended, Run};
use super::values::plain;
use crate::config::Params;
use crate::script::Handler;
use crate::script::api::Fallible;
use crate::script::told::type_name;

pub(super) fn register(engine: &mut Engine, context: &Rc<Context>) {
    subject(engine, context);
    handling(engine, context);
    life_cycle(engine, context);
    generating(engine, context);
    not_in_a_test(engine);
}

fn subject(engine: &mut Engine, context: &Rc<Context>) {
    let owned = Rc::clone(context);
    engine.register_fn("handler", move |at: NativeCallContext, file: &str| {
        owned.name_handler(&at, file)
    });
    let owned = Rc::clone(context);
    engine.register_fn("set_params", move |given: Map| -> Fallible<()> {
        let params: Params = given
            .iter()
            .map(|(name, value)| (name.to_string(), plain(value)))
            .collect();
        owned.set_params(params);
        Ok(())
    });
    let owned = Rc::clone(context);
    engine.register_fn("seed", move |seed: INT| -> Fallible<()> {
        let seed = u64::try_from(seed).map_err(|_| format!("a seed counts from 0, not {seed}"))?;
        owned.set_seed(seed);
        Ok(())
    });
}

fn handling(engine: &mut Engine, context: &Rc<Context>) {
    let owned = Rc::clone(context);
    engine.register_fn(
        "handle",
        move |at: NativeCallContext, message: TestMessage| {
            handle(&owned, &at, &message).and_then(|run| done(&owned, &at, run))
        },
    );
    let owned = Rc::clone(context);
    engine.register_fn(
        "try_handle",
        move |at: NativeCallContext, message: TestMessage| handle(&owned, &at, &message),
    );
    let owned = Rc::clone(context);
    engine.register_fn(
        "on_failed",
        move |at: NativeCallContext, message: TestMessage, reason: ImmutableString| {
            let run = owned.with_handler(&at, |handler| {
                handler.on_failed(&message.record(), message.attempt, &reason)
            });
            run.and_then(|run| done(&owned, &at, run))
        },
    );
}

fn handle(context: &Context, at: &NativeCallContext, message: &TestMessage) -> Fallible<Run> {
    context.with_handler(at, |handler| {
        handler.handle(&message.record(), message.attempt)
    })
}

fn life_cycle(engine: &mut Engine, context: &Rc<Context>) {
    for (name, call) in [
        ("on_start", Handler::on_start as fn(&mut Handler) -> _),
        ("on_stop", Handler::on_stop),
    ] {
        let owned = Rc::clone(context);
        engine.register_fn(name, move |at: NativeCallContext| {
            let run = owned.with_handler(&at, call);
            run.and_then(|run| done(&owned, &at, run))
        });
    }
    for (name, call) in [
        (
            "on_assign",
            Handler::on_assign as fn(&mut Handler, &[(Arc<str>, i32)]) -> _,
        ),
        ("on_revoke", Handler::on_revoke),
    ] {
        let owned = Rc::clone(context);
        engine.register_fn(name, move |at: NativeCallContext, given: Array| {
            let partitions = partitions(&given)?;
            let run = owned.with_handler(&at, |handler| call(handler, &partitions));
            run.and_then(|run| done(&owned, &at, run))
        });
    }
}

/// Maps of `topic` and `partition`, as the handler gets them.
fn partitions(given: &Array) -> Fallible<Vec<(Arc<str>, i32)>> {
    let one = |value: &Dynamic| {
        let map = value.read_lock::<Map>()?;
        let topic = map
            .get("topic")?
            .as_immutable_string_ref()
            .ok()?
            .as_str()
            .into();
        let partition = map.get("partition")?.as_int().ok()?;
        Some((topic, i32::try_from(partition).ok()?))
    };
    let wanted = || "partitions are maps: #{topic: \"Delivery\", partition: 0}".into();
    given
        .iter()
        .map(|value| one(value).ok_or_else(wanted))
        .collect()
}

fn generating(engine: &mut Engine, context: &Rc<Context>) {
    let owned = Rc::clone(context);
    engine.register_fn(
        "generate",
        move |at: NativeCallContext, n: INT| -> Fallible<Emitted> {
            let run = done(&owned, &at, owned.with_generator(&at, from_zero(n)?)?)?;
            let last = run.0.emits.last().cloned();
            last.ok_or_else(|| "generate made no message".into())
        },
    );
    let owned = Rc::clone(context);
    engine.register_fn("try_generate", move |at: NativeCallContext, n: INT| {
        owned.with_generator(&at, from_zero(n)?)
    });
}

fn from_zero(n: INT) -> Fallible<u64> {
    u64::try_from(n).map_err(|_| format!("generate counts from 0, not from {n}").into())
}

/// A call that is done; every other end fails the test with the handler's own error.
fn done(context: &Context, at: &NativeCallContext, run: Run) -> Fallible<Run> {
    let (what, hint) = match run.0.ended {
        Ended::Done => return Ok(run),
        Ended::Rejected => ("rejected the message", "assert_rejected"),
        Ended::Failed => ("failed", "assert_failed"),
    };
    let subject = match at.fn_name() {
        "generate" => "generator",
        _ => "handler",
    };
    let message = format!("the {subject} {what}: {}", run.reason());
    let failure = run.0.failure.as_ref();
    let own = failure.and_then(|failure| failure.diagnostic.clone());
    let hints = match at.fn_name() {
        "handle" => vec![format!(
            "if that is as it should be: `{hint}(try_handle(msg), \"…\")`"
        )],
        _ => Vec::new(),
    };
    Err(context.fail(at, message, hints, own.into_iter().collect()))
}

/// What belongs into a handler would be without effect in a test, so it is an error.
fn not_in_a_test(engine: &mut Engine) {
    fn no(what: &str) -> Box<EvalAltResult> {
        format!("`{what}` belongs into the handler; a test looks at what `handle(msg)` did").into()
    }
    engine
        .register_fn("emit", |_: Dynamic| -> Fallible<()> { Err(no("emit")) })
        .register_fn("emit", |_: Dynamic, _: Dynamic| -> Fallible<()> {
            Err(no("emit"))
        })
        .register_fn(
            "emit",
            |_: Dynamic, _: Dynamic, _: Dynamic| -> Fallible<()> { Err(no("emit")) },
        )
        .register_fn(
            "reject",
            |_: NativeCallContext, _: Dynamic| -> Fallible<()> { Err(no("reject")) },
        )
        .register_fn(
            "retry",
            |_: NativeCallContext, _: Dynamic| -> Fallible<()> { Err(no("retry")) },
        )
        .register_fn("count", |_: &str| -> Fallible<()> { Err(no("count")) })
        .register_fn("count", |_: &str, _: INT| -> Fallible<()> {
            Err(no("count"))
        })
        .register_fn("observe", |_: &str, _: Dynamic| -> Fallible<()> {
            Err(no("observe"))
        });
}

/// For an argument that is no [`Run`].
pub(super) fn no_run(found: &Dynamic) -> Box<EvalAltResult> {
    format!(
        "what `handle(msg)` or `try_handle(msg)` gives was expected, found {}",
        type_name(found)
    )
    .into()
}
