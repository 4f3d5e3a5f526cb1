//! Rhai's own functions that can make much of little, with the limits applied before the work.
//!
//! Nothing can interrupt a native function, so each of these counts first and refuses, and charges
//! the meter for what it does. `sleep` is refused: it would hold up the member. What works on whole
//! arrays and maps is in `nested`.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Position};

use super::Fallible;
use crate::config::Limits;
use crate::script::told::mistake;
use crate::script::{meter, strings};

/// Bytes that a native function passes over at about the price of one operation.
const BYTES_PER_OPERATION: usize = 64;

pub(crate) fn register(engine: &mut Engine, limits: &Limits) {
    replacing(engine, limits.string);
    padding(engine, limits.string);
    splitting(engine, limits.array);
    engine.register_fn("sleep", |_: INT| -> Fallible<()> { Err(no_sleep()) });
    engine.register_fn("sleep", |_: FLOAT| -> Fallible<()> { Err(no_sleep()) });
}

fn no_sleep() -> Box<EvalAltResult> {
    mistake(
        "there is no `sleep`: it would hold up the member",
        "not here",
        ["`retry(reason)` has the message tried again later".into()],
    )
}

pub(super) fn too_long() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("Length of string".into(), Position::NONE).into()
}

pub(super) fn too_many() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("Size of array/BLOB".into(), Position::NONE).into()
}

fn replace(text: &mut ImmutableString, find: &str, by: &str, limit: usize) -> Fallible<()> {
    meter::charge(text.len() / BYTES_PER_OPERATION);
    let found = text.matches(find).count();
    if found == 0 {
        return Ok(());
    }
    let added = found.saturating_mul(by.len());
    let len = (text.len() - found * find.len()).saturating_add(added);
    if len > limit {
        return Err(too_long());
    }
    meter::charge(len / BYTES_PER_OPERATION);
    *text = text.replace(find, by).into();
    Ok(())
}

fn replacing(engine: &mut Engine, limit: usize) {
    engine
        .register_fn(
            "replace",
            move |text: &mut ImmutableString, find: &str, by: &str| replace(text, find, by, limit),
        )
        .register_fn(
            "replace",
            move |text: &mut ImmutableString, find: &str, by: char| {
                replace(text, find, by.encode_utf8(&mut [0; 4]), limit)
            },
        )
        .register_fn(
            "replace",
            move |text: &mut ImmutableString, find: char, by: &str| {
                replace(text, find.encode_utf8(&mut [0; 4]), by, limit)
            },
        )
        .register_fn(
            "replace",
            move |text: &mut ImmutableString, find: char, by: char| {
                let find = find.encode_utf8(&mut [0; 4]).to_owned();
                replace(text, &find, by.encode_utf8(&mut [0; 4]), limit)
            },
        );
}

/// Makes `text` at least `len` letters long by repeating `by`. Rhai's own never ends where `by` is empty.
fn pad(text: &mut ImmutableString, len: INT, by: &str, limit: usize) -> Fallible<()> {
    meter::charge(text.len() / BYTES_PER_OPERATION);
    let wanted = usize::try_from(len).unwrap_or(0);
    let missing = wanted.saturating_sub(text.chars().count());
    let period = by.chars().count();
    if missing == 0 || period == 0 {
        return Ok(());
    }
    // Each letter is at least one byte, so this comes before any work.
    if wanted > limit {
        return Err(too_long());
    }
    let rest: String = by.chars().take(missing % period).collect();
    let added = (missing / period).saturating_mul(by.len()) + rest.len();
    if text.len().saturating_add(added) > limit {
        return Err(too_long());
    }
    meter::charge(added / BYTES_PER_OPERATION);
    let mut padded = String::with_capacity(text.len() + added);
    padded.push_str(text);
    (0..missing / period).for_each(|_| padded.push_str(by));
    padded.push_str(&rest);
    *text = padded.into();
    Ok(())
}

fn padding(engine: &mut Engine, limit: usize) {
    engine
        .register_fn(
            "pad",
            move |text: &mut ImmutableString, len: INT, by: &str| pad(text, len, by, limit),
        )
        .register_fn(
            "pad",
            move |text: &mut ImmutableString, len: INT, by: char| {
                pad(text, len, by.encode_utf8(&mut [0; 4]), limit)
            },
        );
}

/// Collects the parts of a text of `len` bytes, or refuses when they are more than an array may hold.
fn collect<'a>(len: usize, parts: impl Iterator<Item = &'a str>, limit: usize) -> Fallible<Array> {
    meter::charge(len / BYTES_PER_OPERATION);
    let mut array = Array::new();
    for part in parts {
        if array.len() >= limit {
            return Err(too_many());
        }
        array.push(Dynamic::from(strings::shared(part)));
    }
    meter::charge(array.len() / 8);
    Ok(array)
}

/// Charges for the parts of a text of `len` bytes as [`split`] does.
pub(crate) fn charge_split(len: usize, parts: usize) {
    meter::charge(len / BYTES_PER_OPERATION);
    meter::charge(parts / 8);
}

/// `text.split(by)`.
pub(crate) fn split(text: &str, by: &str, limit: usize) -> Fallible<Array> {
    match by.as_bytes() {
        // A letter is found much sooner than a text.
        [letter] => collect(text.len(), text.split(char::from(*letter)), limit),
        _ => collect(text.len(), text.split(by), limit),
    }
}

/// Rhai takes a count below 1 as 1.
fn segments(count: INT) -> usize {
    usize::try_from(count.max(1)).unwrap_or(usize::MAX)
}

fn splitting(engine: &mut Engine, limit: usize) {
    engine
        .register_fn("split", move |text: &mut ImmutableString| {
            collect(text.len(), text.split_whitespace(), limit)
        })
        .register_fn("split", move |text: &mut ImmutableString, by: &str| {
            split(text, by, limit)
        })
        .register_fn("split", move |text: &mut ImmutableString, by: char| {
            collect(text.len(), text.split(by), limit)
        })
        .register_fn(
            "split",
            move |text: &mut ImmutableString, by: &str, count: INT| {
                collect(text.len(), text.splitn(segments(count), by), limit)
            },
        )
        .register_fn(
            "split",
            move |text: &mut ImmutableString, by: char, count: INT| {
                collect(text.len(), text.splitn(segments(count), by), limit)
            },
        )
        .register_fn("split_rev", move |text: &mut ImmutableString, by: &str| {
            collect(text.len(), text.rsplit(by), limit)
        })
        .register_fn("split_rev", move |text: &mut ImmutableString, by: char| {
            collect(text.len(), text.rsplit(by), limit)
        })
        .register_fn(
            "split_rev",
            move |text: &mut ImmutableString, by: &str, count: INT| {
                collect(text.len(), text.rsplitn(segments(count), by), limit)
            },
        )
        .register_fn(
            "split_rev",
            move |text: &mut ImmutableString, by: char, count: INT| {
                collect(text.len(), text.rsplitn(segments(count), by), limit)
            },
        )
        .register_fn(
            "to_chars",
            move |text: &mut ImmutableString| -> Fallible<Array> {
                meter::charge(text.len() / BYTES_PER_OPERATION);
                if text.chars().count() > limit {
                    return Err(too_many());
                }
                Ok(text.chars().map(Dynamic::from).collect())
            },
        );
}
