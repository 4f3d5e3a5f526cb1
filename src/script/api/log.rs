//! `debug info warn error print`: log lines that carry who handles what.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use tracing::Level;

use super::Fallible;
use crate::script::state::State;

pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    for (name, level) in [
        ("info", Level::INFO),
        ("warn", Level::WARN),
        ("error", Level::ERROR),
    ] {
        let state = Rc::clone(state);
        engine.register_fn(
            name,
            move |context: NativeCallContext, value: Dynamic| -> Fallible<()> {
                line(&state, level, &text(&context, value)?);
                Ok(())
            },
        );
    }
    // Rhai has `print` and `debug` itself: it makes the text and hands it over.
    let owned = Rc::clone(state);
    engine.on_print(move |text| line(&owned, Level::INFO, text));
    let owned = Rc::clone(state);
    engine.on_debug(move |text, _, _| line(&owned, Level::DEBUG, text));
}

/// A value as `print` would show it.
pub(crate) fn text(context: &NativeCallContext, mut value: Dynamic) -> Fallible<ImmutableString> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.clone());
    }
    let text = context.call_native_fn_raw("to_string", true, &mut [&mut value])?;
    Ok(text.into_immutable_string().unwrap_or_default())
}

/// What a script logs beyond so many bytes is cut off.
const LONGEST: usize = 16 << 10;

fn line(state: &State, level: Level, text: &str) {
    if text.len() > LONGEST {
        let shown = text.floor_char_boundary(LONGEST);
        let missing = text.len() - shown;
        let cut = format!("{}… and {missing} bytes more", &text[..shown]);
        return write(state, level, &cut);
    }
    write(state, level, text);
}

fn write(state: &State, level: Level, text: &str) {
    let record = state.record.borrow();
    let (group, member) = (&*state.caller.group, &*state.caller.member);
    // `tracing` wants level and fields at compile time, so each level is spelt out.
    macro_rules! event {
        ($level:expr) => {
            match record.as_deref() {
                Some(record) => tracing::event!(
                    target: "handler", $level, group, member,
                    topic = &*record.topic, partition = record.partition, offset = record.offset,
                    "{text}"
                ),
                None => match state.topic.as_deref() {
                    Some(topic) => tracing::event!(
                        target: "handler", $level, group, member, topic, "{text}"
                    ),
                    None => tracing::event!(target: "handler", $level, group, member, "{text}"),
                },
            }
        };
    }
    match level {
        Level::ERROR => event!(Level::ERROR),
        Level::WARN => event!(Level::WARN),
        Level::DEBUG => event!(Level::DEBUG),
        _ => event!(Level::INFO),
    }
}
