//! `sort` and `order` with a comparer.
//!
//! Rhai's own drop an error of the comparer, and a comparer that contradicts itself makes the
//! standard library's sort panic. Here an error ends the sort, and no comparer can do harm.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::Fallible;
use crate::script::told::{article, mistake, type_name};

pub(crate) fn register(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        engine.register_fn(
            name,
            |context: NativeCallContext, array: &mut Array, comparer: FnPtr| -> Fallible<()> {
                // Sorted aside, so that the array is whole if the comparer fails.
                *array = sorted(&context, array, &comparer)?;
                Ok(())
            },
        );
    }
    for name in ["order", "order_by"] {
        engine.register_fn(
            name,
            |context: NativeCallContext, array: &mut Array, comparer: FnPtr| {
                sorted(&context, array, &comparer)
            },
        );
    }
}

/// How two elements stand to each other: below 0 or `true` is before, above 0 or `false` behind.
fn compare(
    context: &NativeCallContext,
    comparer: &FnPtr,
    left: &Dynamic,
    right: &Dynamic,
) -> Fallible<Ordering> {
    let answer = comparer.call_raw(context, None, [left.clone(), right.clone()])?;
    if let Ok(number) = answer.as_int() {
        return Ok(number.cmp(&0));
    }
    // Rhai itself takes no floats, and what it does not take leaves the array as it is.
    if let Ok(number) = answer.as_float() {
        return Ok(number.partial_cmp(&0.0).unwrap_or(Ordering::Equal));
    }
    match answer.as_bool() {
        Ok(true) => Ok(Ordering::Less),
        Ok(false) => Ok(Ordering::Greater),
        Err(_) => {
            let found = article(type_name(&answer));
            Err(mistake(
                format!("the closure that compares gave {found}"),
                "a number, true or false expected",
                ["below 0 or true is before, above 0 or false behind: `|a, b| a - b`".into()],
            ))
        }
    }
}

/// A stable merge sort from the bottom up: runs of 1, 2, 4, … elements are merged pair by pair.
fn sorted(context: &NativeCallContext, array: &Array, comparer: &FnPtr) -> Fallible<Array> {
    let mut from = array.clone();
    let mut run = 1;
    while run < from.len() {
        let mut to = Array::with_capacity(from.len());
        for pair in from.chunks_mut(run * 2) {
            let (left, right) = pair.split_at_mut(run.min(pair.len()));
            let (mut left, mut right) = (left.iter_mut().peekable(), right.iter_mut().peekable());
            while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
                let order = compare(context, comparer, first, second)?;
                let next = if order == Ordering::Greater {
                    right.next()
                } else {
                    left.next()
                };
                to.extend(next.map(Dynamic::take));
            }
            to.extend(left.chain(right).map(Dynamic::take));
        }
        from = to;
        run *= 2;
    }
    Ok(from)
}
