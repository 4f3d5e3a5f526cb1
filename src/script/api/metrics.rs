//! `count` and `observe`: the user's own metrics.

use std::rc::Rc;

use rhai::{Dynamic, FLOAT, INT};

use super::Fallible;
use super::catalog::{Api, Section};
use crate::script::state::State;
use crate::script::told::{article, mistake, number_instead, type_name};

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    let (one, many) = (Rc::clone(state), Rc::clone(state));
    api.describe(
        Section::Logging,
        "count",
        "Adds 1, or `n`, to a counter of your own: `/metrics` shows it as `deliveryd_user_NAME_total`.",
        "count(\"orders\");\ncount(\"items\", msg.json.items.len());",
    )
    .form("count(name: string)", move |name: &str| count(&one, name, 1))
    .form("count(name: string, n: int)", move |name: &str, n: INT| {
        count(&many, name, n)
    })
    .done();
    let owned = Rc::clone(state);
    api.describe(
        Section::Logging,
        "observe",
        "Adds a value to a histogram of your own: `/metrics` shows it as `deliveryd_user_NAME`.",
        "observe(\"weight_kg\", 12.5);",
    )
    .form(
        "observe(name: string, value: float)",
        move |name: &str, x: Dynamic| observe(&owned, name, &x),
    )
    .done();
}

fn observe(state: &State, name: &str, x: &Dynamic) -> Fallible<()> {
    let number = x.as_float().or_else(|_| x.as_int().map(|x| x as FLOAT));
    let number = number.map_err(|_| {
        let found = type_name(x);
        let line = format!("`observe` takes a number, not {}", article(found));
        mistake(line, article(found), number_instead(found))
    })?;
    let name = metric(state, name)?;
    state.effects.borrow_mut().observations.push((name, number));
    Ok(())
}

fn count(state: &State, name: &str, n: INT) -> Fallible<()> {
    let n = u64::try_from(n).map_err(|_| {
        mistake(
            format!("`count` only goes up: {n} is below zero"),
            "less than nothing",
            ["`observe(name, value)` takes any number".into()],
        )
    })?;
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
        let good: String = name
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter
                } else {
                    '_'
                }
            })
            .collect();
        let begins = good.starts_with(|first: char| first.is_ascii_digit());
        return Err(mistake(
            format!("`{name}` is no name for a metric"),
            "letters, digits and `_`, not beginning with a digit",
            match (name.is_empty(), begins) {
                (true, _) => vec!["it is the first argument: `count(\"orders\")`".into()],
                (_, true) => vec![format!("write \"_{good}\"")],
                _ => vec![format!("write \"{good}\"")],
            },
        ));
    }
    Ok(state.name(name))
}
