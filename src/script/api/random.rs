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
use rhai::{Array, Dynamic, Engine, FLOAT, INT};

use super::Fallible;
use crate::script::meter;
use crate::script::state::State;

pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    numbers(engine, state);
    booleans_and_text(engine, state);
    arrays(engine, state);
}

fn within<T: SampleUniform>(
    state: &State,
    range: impl SampleRange<T> + std::fmt::Debug,
) -> Fallible<T> {
    if range.is_empty() {
        return Err(format!("the range {range:?} is empty").into());
    }
    Ok(state.random.borrow_mut().random_range(range))
}

fn numbers(engine: &mut Engine, state: &Rc<State>) {
    let owned = Rc::clone(state);
    engine.register_fn("rand", move || owned.random.borrow_mut().random::<INT>());
    let owned = Rc::clone(state);
    engine.register_fn("rand", move |range: Range<INT>| within(&owned, range));
    let owned = Rc::clone(state);
    engine.register_fn("rand", move |range: RangeInclusive<INT>| {
        within(&owned, range)
    });
    let owned = Rc::clone(state);
    engine.register_fn("rand", move |from: INT, to: INT| within(&owned, from..=to));
    let owned = Rc::clone(state);
    engine.register_fn("rand_float", move || {
        owned.random.borrow_mut().random::<FLOAT>()
    });
    let owned = Rc::clone(state);
    engine.register_fn(
        "rand_float",
        move |from: FLOAT, to: FLOAT| -> Fallible<FLOAT> {
            if !(from.is_finite() && to.is_finite() && (to - from).is_finite()) {
                return Err(format!("the range {from}..={to} is not finite").into());
            }
            within(&owned, from..=to)
        },
    );
}

fn booleans_and_text(engine: &mut Engine, state: &Rc<State>) {
    let owned = Rc::clone(state);
    engine.register_fn("rand_bool", move || {
        owned.random.borrow_mut().random::<bool>()
    });
    let owned = Rc::clone(state);
    engine.register_fn("rand_bool", move |probability: FLOAT| -> Fallible<bool> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("{probability} is no probability from 0.0 to 1.0").into());
        }
        Ok(owned.random.borrow_mut().random_bool(probability))
    });
    let owned = Rc::clone(state);
    engine.register_fn("rand_alpha_numeric", move |len: INT| -> Fallible<String> {
        let len = usize::try_from(len).unwrap_or(0);
        if len > owned.limits.string {
            return Err(format!("{len} letters are more than limits.string allows").into());
        }
        meter::charge(len / 8);
        let mut random = owned.random.borrow_mut();
        Ok((0..len)
            .map(|_| char::from(random.sample(Alphanumeric)))
            .collect())
    });
}

fn arrays(engine: &mut Engine, state: &Rc<State>) {
    let owned = Rc::clone(state);
    engine.register_fn("sample", move |array: &mut Array| -> Dynamic {
        let chosen = array.choose(&mut *owned.random.borrow_mut());
        chosen.cloned().unwrap_or(Dynamic::UNIT)
    });
    let owned = Rc::clone(state);
    engine.register_fn("sample", move |array: &mut Array, amount: INT| -> Array {
        let amount = usize::try_from(amount).unwrap_or(0);
        let mut chosen: Array = array
            .sample(&mut *owned.random.borrow_mut(), amount)
            .cloned()
            .collect();
        chosen.shuffle(&mut *owned.random.borrow_mut());
        chosen
    });
    let owned = Rc::clone(state);
    engine.register_fn("shuffle", move |array: &mut Array| {
        array.shuffle(&mut *owned.random.borrow_mut());
    });
}
