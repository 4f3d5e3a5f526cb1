//! The quotes, backslashes and control characters of a text, found 64 bytes at a time.
//!
//! Where a string ends is so known before it is read: the search for the next one does not have to wait
//! for it.

use super::text::{BEHIND, Reader};

/// See the module. It goes forward only.
pub(super) struct Specials<'a> {
    text: Reader<'a>,
    /// Where the block begins after the one that is looked at.
    next: usize,
    /// The bytes of this block that are special.
    marks: u64,
}

const BLOCK: usize = BEHIND;

impl<'a> Specials<'a> {
    pub(super) fn of(text: Reader<'a>) -> Self {
        Self {
            text,
            next: 0,
            marks: 0,
        }
    }

    /// Where the first is at `from`, which is in the text, or after it; the end of the text, where a zero is,
    /// if there is none. `from` never goes back.
    #[inline(always)]
    pub(super) fn find(&mut self, mut from: usize) -> usize {
        loop {
            if from < self.next {
                // As many as `from` is into its block.
                let marks = self.marks >> (from % BLOCK);
                if marks != 0 {
                    return from + marks.trailing_zeros() as usize;
                }
                from = self.next;
            }
            self.marks = block(self.text, self.next);
            self.next += BLOCK;
        }
    }
}

/// The marks of the block at `at`.
#[inline(never)]
fn block(text: Reader<'_>, at: usize) -> u64 {
    mark(&text.read(at))
}

/// One bit for each byte of a block: whether it is special.
#[cfg(target_arch = "x86_64")]
fn mark(block: &[u8; BLOCK]) -> u64 {
    // SAFETY: every x86-64 has SSE2.
    unsafe { mark_by_sixteen(block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn mark_by_sixteen(block: &[u8; BLOCK]) -> u64 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8,
    };
    let mut marks = 0;
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = i128::from_le_bytes(*bytes);
        let bytes = _mm_set_epi64x((bytes >> 64) as i64, bytes as i64);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        let special = _mm_or_si128(_mm_or_si128(quote, backslash), control);
        marks |= u64::from(_mm_movemask_epi8(special) as u16) << (16 * index);
    }
    marks
}

#[cfg(not(target_arch = "x86_64"))]
fn mark(block: &[u8; BLOCK]) -> u64 {
    mark_plainly(block)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn mark_plainly(block: &[u8; BLOCK]) -> u64 {
    /// Each byte's lowest bit.
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The highest bit of each byte that is zero, of no other.
    let zeros = |word: u64| !(((word & !HIGHS) + !HIGHS) | word | !HIGHS);
    let same = |word: u64, byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    // The eight highest bits side by side.
    let gathered = |highs: u64| (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut marks = 0;
    for (index, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let special = same(word, b'"') | same(word, b'\\') | zeros(word & (ONES * 0xe0));
        marks |= gathered(special) << (8 * index);
    }
    marks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::Text;
    use super::*;

    proptest! {
        /// Each special byte is found, in its order, and no other.
        #[test]
        fn finds_what_is_special(bytes in proptest::collection::vec(0_u8..128, 0..300)) {
            let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let text = Text::of(String::from_utf8(bytes).unwrap());
            let mut specials = Specials::of(text.reader());
            let bytes = text.reader().bytes();
            let mut from = 0;
            for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| special(**byte)) {
                prop_assert_eq!(specials.find(from), at);
                from = at + 1;
            }
            prop_assert_eq!(specials.find(from), bytes.len());
        }

        /// Machines of other kinds find the same.
        #[test]
        fn every_machine_marks_alike(block in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            let mut bytes = [0; BLOCK];
            bytes[..32].copy_from_slice(&block);
            bytes[32..].copy_from_slice(&other);
            prop_assert_eq!(mark(&bytes), mark_plainly(&bytes));
        }
    }
}
