//! The sizes that a native function keeps to: looked at before it builds what it gives.

use rhai::{Blob, Dynamic, EvalAltResult, Position};

use super::Fallible;
use crate::config::Limits;
use crate::script::meter;
use crate::script::told::{article, mistake, type_name};

/// Bytes that a native function passes over at about the price of one operation.
const BYTES_PER_OPERATION: usize = 64;
/// The price of one round, in operations.
const ROUND: usize = 16;

/// The limits of one handler that results must fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    string: usize,
    array: usize,
    map: usize,
}

impl Sizes {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            string: limits.string,
            array: limits.array,
            map: limits.map,
        }
    }

    /// A string of `len` bytes may be made.
    pub(crate) fn string(self, len: usize) -> Fallible<()> {
        within(len, self.string, "Length of string")
    }

    /// An array of `len` elements or a blob of `len` bytes may be made.
    pub(crate) fn array(self, len: usize) -> Fallible<()> {
        within(len, self.array, "Size of array/BLOB")
    }

    /// A map of `len` members may be made.
    pub(crate) fn map(self, len: usize) -> Fallible<()> {
        within(len, self.map, "Size of object map")
    }
}

fn within(len: usize, limit: usize, what: &str) -> Fallible<()> {
    if len > limit {
        return Err(EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into());
    }
    Ok(())
}

/// Charges the call for `bytes` that a native function passes over.
pub(crate) fn pay(bytes: usize) {
    meter::charge(bytes / BYTES_PER_OPERATION);
}

/// One round of a loop inside a native function, in which a search may pass over the whole text: the
/// call can end here, and the clock is looked at every few rounds.
///
/// # Errors
/// The call must end: it has used up its operations, time or memory.
pub(crate) fn round() -> Fallible<()> {
    meter::charge(ROUND);
    if meter::tick() {
        return Ok(());
    }
    Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into())
}

/// Works on the bytes of a string or a blob; `function` is named where it is neither.
pub(crate) fn with_bytes<R>(
    function: &str,
    value: &Dynamic,
    work: impl FnOnce(&[u8]) -> Fallible<R>,
) -> Fallible<R> {
    if let Ok(text) = value.as_immutable_string_ref() {
        pay(text.len());
        return work(text.as_bytes());
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        pay(blob.len());
        return work(&blob);
    }
    let found = article(type_name(value));
    let hint = match value.is_unit() {
        true => "where it may be missing, give another: `x ?? \"\"`",
        false => "`to_string()` or, of a map or array, `to_json()` makes text of it",
    };
    Err(mistake(
        format!("`{function}` takes a string or a blob, not {found}"),
        found,
        [hint.into()],
    ))
}
