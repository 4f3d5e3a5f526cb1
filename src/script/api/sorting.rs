//! `sort` and `order` with a comparer.
//!
//! Rhai's own drop an error of the comparer, and a comparer that contradicts itself makes the
//! standard library's sort panic. Here an error ends the sort, and no comparer can do harm.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::Fallible;

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
    Ok(match (answer.as_int(), answer.as_bool()) {
        (Ok(number), _) => number.cmp(&0),
        (_, Ok(true)) => Ordering::Less,
        (_, Ok(false)) => Ordering::Greater,
        _ => Ordering::Equal,
    })
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
