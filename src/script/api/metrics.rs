//! `count` and `observe`: the user's own metrics.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FLOAT, INT};

use super::Fallible;
use super::emit::type_name;
use crate::script::state::State;

pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    let owned = Rc::clone(state);
    engine.register_fn("count", move |name: &str| count(&owned, name, 1));
    let owned = Rc::clone(state);
    engine.register_fn("count", move |name: &str, n: INT| count(&owned, name, n));
    let owned = Rc::clone(state);
    engine.register_fn("observe", move |name: &str, x: Dynamic| -> Fallible<()> {
        let number = x.as_float().or_else(|_| x.as_int().map(|x| x as FLOAT));
        let number =
            number.map_err(|_| format!("observe takes a number, found {}", type_name(&x)))?;
        let name = metric(&owned, name)?;
        owned.effects.borrow_mut().observations.push((name, number));
        Ok(())
    });
}

fn count(state: &State, name: &str, n: INT) -> Fallible<()> {
    let n = u64::try_from(n).map_err(|_| format!("count only goes up: {n} is below zero"))?;
    let name = metric(state, name)?;
    state.effects.borrow_mut().counts.push((name, n));
    Ok(())
}

/// Prometheus takes letters, digits and `_`, and no digit first.
fn metric(state: &State, name: &str) -> Fallible<std::sync::Arc<str>> {
    let fits = |(at, letter): (usize, char)| {
        letter == '_' || letter.is_ascii_alphabetic() || at > 0 && letter.is_ascii_digit()
    };
    if name.is_empty() || !name.char_indices().all(fits) {
        return Err(format!(
            "`{name}` is no name for a metric: letters, digits and `_`, not beginning with a digit"
        )
        .into());
    }
    Ok(state.name(name))
}
