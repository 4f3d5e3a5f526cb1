//! `reject` and `retry`: the two ways to end a call that no `try` catches.

use std::rc::Rc;

use rhai::{Dynamic, NativeCallContext};

use super::Fallible;
use super::catalog::{Api, Section};
use super::log::text;
use crate::script::state::{State, StopKind};

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    let owned = Rc::clone(state);
    api.describe(
        Section::Ending,
        "reject",
        "Gives the message up now, without retries: a dead letter, unless `on_failure.then` says \
         otherwise. What was emitted is discarded. Ends the call; `try` can't catch it.",
        "if msg.json.id == () { reject(\"no id\"); }",
    )
    .form(
        "reject(reason: any)",
        move |context: NativeCallContext, reason: Dynamic| -> Fallible<()> {
            let reason = text(&context, reason)?;
            Err(owned.stop(StopKind::Rejected(reason.into()), &context))
        },
    )
    .done();
    let owned = Rc::clone(state);
    api.describe(
        Section::Ending,
        "retry",
        "Fails this attempt: `on_failure` says how often and when the message is tried again. What \
         was emitted is discarded. Ends the call; `try` can't catch it.",
        "if msg.json.id == () { retry(\"the id is not known yet\"); }",
    )
    .form(
        "retry(reason: any)",
        move |context: NativeCallContext, reason: Dynamic| -> Fallible<()> {
            let reason = text(&context, reason)?;
            Err(owned.stop(StopKind::Retry(reason.into()), &context))
        },
    )
    .done();
}
