//! Random values under rhai-rand's names, on a generator that `seed` makes repeatable.
//!
//! xoshiro256++ by name, not `SmallRng`, because a seed shall give the same messages on every machine
//! and with every later version.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use rand::RngExt;
use rand::distr::Alphanumeric;
use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::seq::{IndexedRandom, SliceRandom};
use rhai::{Array, Dynamic, FLOAT, INT};

use super::Fallible;
use super::catalog::{Api, Section};
use crate::script::meter;
use crate::script::state::State;
use crate::script::told::mistake;

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    numbers(api, state);
    booleans_and_text(api, state);
    arrays(api, state);
}

fn within<T: SampleUniform>(
    state: &State,
    range: impl SampleRange<T> + std::fmt::Debug,
) -> Fallible<T> {
    if range.is_empty() {
        return Err(mistake(
            format!("the range {range:?} is empty"),
            "no number to choose",
            ["it goes from the smaller number to the larger: `rand(1..=6)`".into()],
        ));
    }
    Ok(state.random.borrow_mut().random_range(range))
}

fn numbers(api: &mut Api<'_>, state: &Rc<State>) {
    let [any, half_open, closed, between] = std::array::from_fn(|_| Rc::clone(state));
    api.describe(
        Section::Random,
        "rand",
        "A random whole number: any, one of a range of numbers, or one from `from` to `to`, both included. As \
         all random values it is repeatable where the configuration gives a `seed`.",
        "rand(1..7);\nrand(1..=6);\nrand(1, 6);",
    )
    .form("rand() -> int", move || {
        any.random.borrow_mut().random::<INT>()
    })
    .form("rand(numbers: range) -> int", move |range: Range<INT>| {
        within(&half_open, range)
    })
    .form(
        "rand(numbers: range=) -> int",
        move |range: RangeInclusive<INT>| within(&closed, range),
    )
    .form(
        "rand(from: int, to: int) -> int",
        move |from: INT, to: INT| within(&between, from..=to),
    )
    .done();
    let (unit, between) = (Rc::clone(state), Rc::clone(state));
    api.describe(
        Section::Random,
        "rand_float",
        "A random number from 0 to 1, or from `from` to `to`.",
        "rand_float(0.5, 2.0);",
    )
    .form("rand_float() -> float", move || {
        unit.random.borrow_mut().random::<FLOAT>()
    })
    .form(
        "rand_float(from: float, to: float) -> float",
        move |from: FLOAT, to: FLOAT| -> Fallible<FLOAT> {
            if !(from.is_finite() && to.is_finite() && (to - from).is_finite()) {
                return Err(mistake(
                    format!("the range {from}..={to} is not finite"),
                    "no number to choose",
                    ["both ends are ordinary numbers: `rand_float(0.5, 2.0)`".into()],
                ));
            }
            within(&between, from..=to)
        },
    )
    .done();
}

fn booleans_and_text(api: &mut Api<'_>, state: &Rc<State>) {
    let (even, weighted) = (Rc::clone(state), Rc::clone(state));
    api.describe(
        Section::Random,
        "rand_bool",
        "True or false; true with this probability, or with one half.",
        "if rand_bool(0.1) { print(\"one of ten\"); }",
    )
    .form("rand_bool() -> bool", move || {
        even.random.borrow_mut().random::<bool>()
    })
    .form(
        "rand_bool(probability: float) -> bool",
        move |probability: FLOAT| -> Fallible<bool> {
            if !(0.0..=1.0).contains(&probability) {
                return Err(mistake(
                    format!("{probability} is no probability"),
                    "not from 0.0 to 1.0",
                    ["one of ten is `rand_bool(0.1)`".into()],
                ));
            }
            Ok(weighted.random.borrow_mut().random_bool(probability))
        },
    )
    .done();
    let owned = Rc::clone(state);
    api.describe(
        Section::Random,
        "rand_alpha_numeric",
        "Random letters and digits.",
        "rand_alpha_numeric(8).len    // → 8",
    )
    .form(
        "rand_alpha_numeric(len: int) -> string",
        move |len: INT| -> Fallible<String> {
            let len = usize::try_from(len).unwrap_or(0);
            if len > owned.limits.string {
                return Err(mistake(
                    format!(
                        "a string of {len} letters is longer than {} bytes",
                        owned.limits.string
                    ),
                    "too long",
                    ["the limit is limits.string".into()],
                ));
            }
            meter::charge(len / 8);
            let mut random = owned.random.borrow_mut();
            Ok((0..len)
                .map(|_| char::from(random.sample(Alphanumeric)))
                .collect())
        },
    )
    .done();
}

fn arrays(api: &mut Api<'_>, state: &Rc<State>) {
    let (one, several) = (Rc::clone(state), Rc::clone(state));
    api.describe(
        Section::Random,
        "sample",
        "One element of an array, `()` of an empty one; or `amount` elements in random order.",
        "[\"Lyon\", \"Porto\"].sample();\n[1, 2, 3].sample(2).len    // → 2",
    )
    .form("sample(array: array) -> any", move |array: &mut Array| {
        let chosen = array.choose(&mut *one.random.borrow_mut());
        chosen.cloned().unwrap_or(Dynamic::UNIT)
    })
    .form(
        "sample(array: array, amount: int) -> array",
        move |array: &mut Array, amount: INT| -> Array {
            let amount = usize::try_from(amount).unwrap_or(0);
            let mut random = several.random.borrow_mut();
            let mut chosen: Array = array.sample(&mut *random, amount).cloned().collect();
            chosen.shuffle(&mut *random);
            chosen
        },
    )
    .done();
    let owned = Rc::clone(state);
    api.describe(
        Section::Random,
        "shuffle",
        "Puts an array's elements in random order, in place.",
        "let a = [1, 2, 3];\na.shuffle();\na.len    // → 3",
    )
    .form("shuffle(array: array)", move |array: &mut Array| {
        array.shuffle(&mut *owned.random.borrow_mut());
    })
    .done();
}
