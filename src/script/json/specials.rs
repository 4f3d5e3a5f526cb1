//! The quotes, backslashes and control characters of a text, found 64 bytes at a time.
//!
//! Where a string ends is so known before it is read: the search for the next one does not have to wait
//! for it.

/// See the module. It goes forward only.
pub(super) struct Specials<'a> {
    text: &'a [u8],
    /// Where the block begins after the one that is looked at.
    next: usize,
    /// The bytes of this block that are special and were not yet passed.
    marks: u64,
    /// Whether any byte until now was not ASCII.
    pub other_letters: bool,
}

const BLOCK: usize = 64;

impl<'a> Specials<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            next: 0,
            marks: 0,
            other_letters: false,
        }
    }

    /// Where the first is at `from` or after it; the end of the text if there is none. None before it is
    /// found again, nor is itself.
    #[inline(always)]
    pub(super) fn find(&mut self, from: usize) -> usize {
        loop {
            while self.marks != 0 {
                // `next` is a block further.
                let at = self.next - BLOCK + self.marks.trailing_zeros() as usize;
                self.marks &= self.marks - 1;
                if at >= from {
                    return at;
                }
            }
            if self.next >= self.text.len() {
                return self.text.len();
            }
            self.block();
        }
    }

    #[inline(never)]
    fn block(&mut self) {
        let rest = self.text.get(self.next..).unwrap_or_default();
        let marked = match (rest.first_chunk::<BLOCK>(), self.text.last_chunk::<BLOCK>()) {
            (Some(block), _) => mark(block),
            // The end of the text in a block that begins before it: no copy.
            (None, Some(block)) => mark(block).without(BLOCK - rest.len()),
            (None, None) => {
                let mut block = [b' '; BLOCK];
                block
                    .iter_mut()
                    .zip(rest)
                    .for_each(|(to, from)| *to = *from);
                mark(&block)
            }
        };
        self.marks = marked.special;
        self.other_letters |= marked.high != 0;
        self.next += BLOCK;
    }
}

/// One bit for each byte of a block.
struct Marked {
    special: u64,
    /// Not ASCII.
    high: u64,
}

impl Marked {
    /// Without the first so many bytes, fewer than all.
    fn without(self, bytes: usize) -> Self {
        Self {
            special: self.special >> bytes,
            high: self.high >> bytes,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn mark(block: &[u8; BLOCK]) -> Marked {
    // SAFETY: every x86-64 has SSE2.
    unsafe { mark_by_sixteen(block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn mark_by_sixteen(block: &[u8; BLOCK]) -> Marked {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8,
    };
    let mut marked = Marked {
        special: 0,
        high: 0,
    };
    for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = i128::from_le_bytes(*bytes);
        let bytes = _mm_set_epi64x((bytes >> 64) as i64, bytes as i64);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        let special = _mm_or_si128(_mm_or_si128(quote, backslash), control);
        let bits = |mask: i32| u64::from(mask as u16) << (16 * index);
        marked.special |= bits(_mm_movemask_epi8(special));
        marked.high |= bits(_mm_movemask_epi8(bytes));
    }
    marked
}

#[cfg(not(target_arch = "x86_64"))]
fn mark(block: &[u8; BLOCK]) -> Marked {
    mark_plainly(block)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn mark_plainly(block: &[u8; BLOCK]) -> Marked {
    /// Each byte's lowest bit.
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The highest bit of each byte that is zero, of no other.
    let zeros = |word: u64| !(((word & !HIGHS) + !HIGHS) | word | !HIGHS);
    let same = |word: u64, byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    // The eight highest bits side by side.
    let gathered = |highs: u64| (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut marked = Marked {
        special: 0,
        high: 0,
    };
    for (index, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let special = same(word, b'"') | same(word, b'\\') | zeros(word & (ONES * 0xe0));
        marked.special |= gathered(special) << (8 * index);
        marked.high |= gathered(word & HIGHS) << (8 * index);
    }
    marked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each special byte is found, in its order, and no other.
        #[test]
        fn finds_what_is_special(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let mut specials = Specials::of(&text);
            let mut from = 0;
            for (at, _) in text.iter().enumerate().filter(|(_, byte)| special(**byte)) {
                prop_assert_eq!(specials.find(from), at);
                from = at + 1;
            }
            prop_assert_eq!(specials.find(from), text.len());
            prop_assert_eq!(specials.other_letters, !text.is_ascii());
        }

        /// Machines of other kinds find the same.
        #[test]
        fn every_machine_marks_alike(block in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            let mut bytes = [0; BLOCK];
            bytes[..32].copy_from_slice(&block);
            bytes[32..].copy_from_slice(&other);
            let (one, other) = (mark(&bytes), mark_plainly(&bytes));
            prop_assert_eq!((one.special, one.high), (other.special, other.high));
        }
    }
}
