//! Short strings that come again and again, without a new allocation each time.
//!
//! [`shared`] gives a Rhai string for a text. A status, a city or a key of a message is often the
//! same as a moment ago, or its slot is free again because the last call is over; then nothing is
//! allocated. Nothing here knows JSON or messages.

use std::cell::RefCell;

use rhai::ImmutableString;

/// Longer texts are not kept: they rarely repeat.
const LONGEST: usize = 64;
const SLOTS: usize = 256;

thread_local! {
    static POOL: RefCell<Vec<ImmutableString>> = const { RefCell::new(Vec::new()) };
}

/// A Rhai string of this text.
#[inline]
pub(crate) fn shared(text: &str) -> ImmutableString {
    if text.len() > LONGEST {
        return text.into();
    }
    POOL.with(|pool| match pool.try_borrow_mut() {
        Ok(mut pool) => take(&mut pool, text),
        Err(_) => text.into(),
    })
}

/// The same for bytes that were found to be UTF-8 before: looked at again only where no slot has them.
#[inline]
pub(crate) fn shared_bytes(bytes: &[u8]) -> ImmutableString {
    let known = POOL.with(|pool| {
        let pool = pool.try_borrow().ok()?;
        let slot = pool.get(slot_of(bytes))?;
        (slot.as_bytes() == bytes).then(|| slot.clone())
    });
    known.unwrap_or_else(|| shared(std::str::from_utf8(bytes).unwrap_or_default()))
}

fn take(pool: &mut Vec<ImmutableString>, text: &str) -> ImmutableString {
    if pool.is_empty() {
        pool.resize_with(SLOTS, ImmutableString::new);
        // Each slot gets a string of its own: a shared empty one could not be written in place.
        for slot in pool.iter_mut() {
            *slot = ImmutableString::from(String::new());
        }
    }
    let slot = &mut pool[slot_of(text.as_bytes())];
    if slot.as_str() == text {
        return slot.clone();
    }
    match slot.get_mut() {
        Some(free) => {
            free.clear();
            free.push_str(text);
        }
        None => *slot = text.into(),
    }
    slot.clone()
}

/// FNV-1a over the text, folded to the number of slots.
#[inline]
fn slot_of(text: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    };
    let (words, rest) = text.as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    // One by one instead of through a copy: a copy of unknown length is a call.
    mix(rest
        .iter()
        .fold(0_u64, |word, byte| word << 8 | u64::from(*byte)));
    (hash ^ (hash >> 32)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::memory::allocations;

    /// A string that was seen before is the same string, not a copy.
    #[test]
    fn a_repeated_text_allocates_nothing() {
        let first = shared("delivered");
        let before = allocations();
        let second = shared("delivered");
        assert_eq!(allocations(), before);
        assert!(first.ptr_eq(&second));
    }

    /// A string that someone still holds is never changed under them.
    #[test]
    fn a_held_text_stays_as_it_is() {
        let held: Vec<_> = (0..2000)
            .map(|n| (n, shared(&format!("text {n}"))))
            .collect();
        for (n, text) in held {
            assert_eq!(text.as_str(), format!("text {n}"));
        }
    }
}
