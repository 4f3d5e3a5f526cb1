//! `reject` and `retry`: the two ways to end a call that no `try` catches.

use std::rc::Rc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::Fallible;
use super::log::text;
use crate::script::state::{State, StopKind};

pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    let owned = Rc::clone(state);
    engine.register_fn(
        "reject",
        move |context: NativeCallContext, reason: Dynamic| -> Fallible<()> {
            let reason = text(&context, reason)?;
            Err(owned.stop(StopKind::Rejected(reason.into()), &context))
        },
    );
    let owned = Rc::clone(state);
    engine.register_fn(
        "retry",
        move |context: NativeCallContext, reason: Dynamic| -> Fallible<()> {
            let reason = text(&context, reason)?;
            Err(owned.stop(StopKind::Retry(reason.into()), &context))
        },
    );
}
