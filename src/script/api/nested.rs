//! Rhai's functions on whole arrays and maps whose work multiplies or recurses: `pad`, `contains`,
//! `index_of`, `==`, `!=`, and the texts that `print` and `to_string` make. (`sort` is in `sorting`.)
//!
//! Rhai's own have no bound for the depth of what they walk through, and nothing can interrupt them.
//! These count every element as an operation and go no deeper than [`DEEPEST`].

use std::cell::Cell;

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Map,
    NativeCallContext, Position,
};

use super::Fallible;
use super::bounded::{too_long, too_many};
use crate::config::Limits;
use crate::script::meter;
use crate::script::told::{mistake, type_shown};

/// As deep as JSON may be nested.
const DEEPEST: usize = 127;
/// What stands in a text for what is nested deeper.
const DEEPER: &str = "…";

thread_local! {
    /// How many of the functions here are under way, one inside the other.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level of nesting, until it is dropped.
struct Level;

impl Level {
    /// `None` where it would be one too many.
    fn enter() -> Option<Self> {
        DEPTH.with(|depth| {
            (depth.get() < DEEPEST).then(|| {
                depth.set(depth.get() + 1);
                Self
            })
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

pub(crate) fn register(engine: &mut Engine, limits: &Limits) {
    padding(engine, *limits);
    searching(engine);
    comparing(engine);
    printing(engine, limits.string);
}

fn over() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// One operation, as Rhai counts them between natives.
fn tick() -> Fallible<()> {
    if meter::tick() { Ok(()) } else { Err(over()) }
}

/// What a value holds, all levels together, as Rhai counts for its limits; but what a function
/// pointer was curried with counts too.
#[derive(Default, Clone, Copy)]
struct Size {
    items: usize,
    members: usize,
    bytes: usize,
}

impl Size {
    fn of(value: &Dynamic) -> Self {
        let mut size = Self::default();
        size.add(value);
        size
    }

    fn add(&mut self, value: &Dynamic) {
        if let Ok(text) = value.as_immutable_string_ref() {
            self.bytes += text.len();
        } else if let Some(array) = value.read_lock::<Array>() {
            self.items += array.len();
            array.iter().for_each(|item| self.add(item));
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.items += blob.len();
        } else if let Some(map) = value.read_lock::<Map>() {
            self.members += map.len();
            map.values().for_each(|item| self.add(item));
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            self.items += function.curry().len();
            // A variable that closures share is not copied with them.
            let owned = function.curry().iter().filter(|item| !item.is_shared());
            owned.for_each(|item| self.add(item));
        }
    }

    fn times(self, count: usize) -> Self {
        Self {
            items: self.items.saturating_add(1).saturating_mul(count),
            members: self.members.saturating_mul(count),
            bytes: self.bytes.saturating_mul(count),
        }
    }

    fn values(self) -> usize {
        self.items.saturating_add(self.members)
    }
}

fn padding(engine: &mut Engine, limits: Limits) {
    let pad = move |array: &mut Array, len: INT, item: Dynamic| -> Fallible<()> {
        let len = usize::try_from(len).unwrap_or(0);
        let Some(missing) = len.checked_sub(array.len()).filter(|missing| *missing > 0) else {
            return Ok(());
        };
        let mut size = Size::of(&item).times(missing);
        size.items = size.items.saturating_add(array.len());
        if size.items > limits.array {
            return Err(too_many());
        }
        if size.members > limits.map {
            let what = "Size of object map".into();
            return Err(EvalAltResult::ErrorDataTooLarge(what, Position::NONE).into());
        }
        if size.bytes > limits.string {
            return Err(too_long());
        }
        meter::charge(size.values());
        array.resize(len, item);
        Ok(())
    };
    engine.register_fn("pad", pad);
}

/// The place of `value` in `array` from `start` on.
fn place(
    context: &NativeCallContext,
    array: &mut Array,
    value: &Dynamic,
    start: usize,
) -> Fallible<Option<usize>> {
    // Each comparison uses up a copy of the value.
    let copy = Size::of(value).values();
    for (index, item) in array.iter_mut().enumerate().skip(start) {
        meter::charge(copy);
        tick()?;
        if equal(context, item, &mut value.clone())? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// A place as Rhai returns it.
fn index(place: Option<usize>) -> INT {
    place.map_or(-1, |place| INT::try_from(place).unwrap_or(INT::MAX))
}

/// Where a search begins that was asked to begin at `start`; negative counts from the end.
fn begin(len: usize, start: INT) -> usize {
    match usize::try_from(start) {
        Ok(start) => start,
        Err(_) => len.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

fn searching(engine: &mut Engine) {
    engine
        .register_fn(
            "contains",
            |context: NativeCallContext, array: &mut Array, value: Dynamic| {
                place(&context, array, &value, 0).map(|place| place.is_some())
            },
        )
        .register_fn(
            "index_of",
            |context: NativeCallContext, array: &mut Array, value: Dynamic| {
                place(&context, array, &value, 0).map(index)
            },
        )
        .register_fn(
            "index_of",
            |context: NativeCallContext, array: &mut Array, value: Dynamic, start: INT| {
                let start = begin(array.len(), start);
                place(&context, array, &value, start).map(index)
            },
        );
}

/// `==` as a script has it, and `false` where the two have no `==` in common.
fn equal(context: &NativeCallContext, left: &mut Dynamic, right: &mut Dynamic) -> Fallible<bool> {
    let same_type = left.type_id() == right.type_id();
    match context.call_native_fn_raw("==", true, &mut [left, right]) {
        Ok(equal) => Ok(equal.as_bool().unwrap_or(false)),
        Err(error) => match *error {
            EvalAltResult::ErrorFunctionNotFound(ref name, _)
                if name.starts_with("==") && !same_type =>
            {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}

fn level() -> Fallible<Level> {
    tick()?;
    Level::enter().ok_or_else(|| {
        mistake(
            format!("values that are nested deeper than {DEEPEST} levels can't be compared"),
            "too deep",
            ["compare the parts that matter".into()],
        )
    })
}

fn equal_arrays(
    context: &NativeCallContext,
    left: &mut Array,
    right: &mut Array,
) -> Fallible<bool> {
    let _level = level()?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter_mut().zip(right) {
        tick()?;
        if !equal(context, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(context: &NativeCallContext, left: &mut Map, right: &mut Map) -> Fallible<bool> {
    let _level = level()?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for (name, left) in left {
        tick()?;
        let Some(right) = right.get_mut(name) else {
            return Ok(false);
        };
        if !equal(context, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn comparing(engine: &mut Engine) {
    engine
        .register_fn(
            "==",
            |context: NativeCallContext, left: &mut Array, mut right: Array| {
                equal_arrays(&context, left, &mut right)
            },
        )
        .register_fn(
            "!=",
            |context: NativeCallContext, left: &mut Array, mut right: Array| {
                equal_arrays(&context, left, &mut right).map(|equal| !equal)
            },
        )
        .register_fn(
            "==",
            |context: NativeCallContext, left: &mut Map, mut right: Map| {
                equal_maps(&context, left, &mut right)
            },
        )
        .register_fn(
            "!=",
            |context: NativeCallContext, left: &mut Map, mut right: Map| {
                equal_maps(&context, left, &mut right).map(|equal| !equal)
            },
        );
}

/// Appends a value as it stands inside the text of an array or map.
fn show(context: &NativeCallContext, value: &mut Dynamic, text: &mut String) -> Fallible<()> {
    tick()?;
    let shown = context.call_native_fn_raw("to_debug", true, &mut [value])?;
    match shown.as_immutable_string_ref() {
        Ok(shown) => text.push_str(&shown),
        Err(_) => text.push_str(type_shown(value.type_name())),
    }
    Ok(())
}

/// The text of an array. One that gets longer than `limit` stays incomplete: Rhai refuses its length.
fn show_array(
    context: &NativeCallContext,
    array: &mut Array,
    limit: usize,
) -> Fallible<ImmutableString> {
    let Some(_level) = Level::enter() else {
        return Ok(DEEPER.into());
    };
    let mut text = String::from("[");
    for (index, item) in array.iter_mut().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        show(context, item, &mut text)?;
        if text.len() > limit {
            break;
        }
    }
    text.push(']');
    Ok(text.into())
}

/// The text of a map; see [`show_array`].
fn show_map(context: &NativeCallContext, map: &mut Map, limit: usize) -> Fallible<ImmutableString> {
    let Some(_level) = Level::enter() else {
        return Ok(DEEPER.into());
    };
    let mut text = String::from("#{");
    for (index, (name, value)) in map.iter_mut().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("{name:?}: "));
        show(context, value, &mut text)?;
        if text.len() > limit {
            break;
        }
    }
    text.push('}');
    Ok(text.into())
}

fn printing(engine: &mut Engine, limit: usize) {
    for name in ["print", "to_string", "debug", "to_debug"] {
        engine
            .register_fn(
                name,
                move |context: NativeCallContext, array: &mut Array| {
                    show_array(&context, array, limit)
                },
            )
            .register_fn(name, move |context: NativeCallContext, map: &mut Map| {
                show_map(&context, map, limit)
            });
    }
}
