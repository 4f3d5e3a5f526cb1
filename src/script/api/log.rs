//! `debug info warn error print`: log lines that carry who handles what.

use std::rc::Rc;

use rhai::{Dynamic, ImmutableString, NativeCallContext};
use tracing::Level;

use super::Fallible;
use super::catalog::{Api, FormKind, Section};
use crate::script::memory;
use crate::script::state::State;

/// The functions that Rhai does not have itself.
const LEVELS: [(&str, &str, Level, &str); 3] = [
    (
        "info",
        "info(value: any)",
        Level::INFO,
        "info(`order ${msg.json.id} is in`);",
    ),
    (
        "warn",
        "warn(value: any)",
        Level::WARN,
        "warn(\"no weight, taking 1 kg\");",
    ),
    (
        "error",
        "error(value: any)",
        Level::ERROR,
        "error(#{id: msg.json.id, why: \"no such city\"});",
    ),
];

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    // Rhai has `print` and `debug` itself: it makes the text and hands it over.
    let owned = Rc::clone(state);
    api.engine.on_print(move |text| print(&owned, text));
    let owned = Rc::clone(state);
    api.engine.on_debug(move |text, _, _| debug(&owned, text));
    api.describe(
        Section::Logging,
        "print",
        "A log line at level info. As every log line it carries the group, member, topic, partition \
         and offset.",
        "print(`${msg.key}: ${msg.value}`);",
    )
    .given(FormKind::Function, "print()")
    .given(FormKind::Function, "print(value: any)")
    .done();
    api.describe(
        Section::Logging,
        "debug",
        "A log line at level debug; strings are shown in quotes. Seen with `log.level = \"debug\"`.",
        "debug(msg.json.items);",
    )
    .given(FormKind::Function, "debug()")
    .given(FormKind::Function, "debug(value: any)")
    .done();
    for (name, signature, level, example) in LEVELS {
        let state = Rc::clone(state);
        api.describe(Section::Logging, name, "A log line at this level.", example)
            .form(
                signature,
                move |context: NativeCallContext, value: Dynamic| -> Fallible<()> {
                    line(&state, level, &text(&context, value)?);
                    Ok(())
                },
            )
            .done();
    }
}

/// What `print` does with its text.
pub(crate) fn print(state: &State, text: &str) {
    line(state, Level::INFO, text);
}

/// What `debug` does with its text.
pub(crate) fn debug(state: &State, text: &str) {
    line(state, Level::DEBUG, text);
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
    let before = memory::held();
    cut(state, level, text);
    state.give_away(memory::held() - before);
}

fn cut(state: &State, level: Level, text: &str) {
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
