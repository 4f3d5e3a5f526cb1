//! The insides of a JSON string: where its plain text ends, and what its escapes stand for.

/// What stands between the quotes of a string, with its escapes resolved.
///
/// `inside` must have passed [`parse`](super::parse).
pub(crate) fn unescape(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let unit = hex(rest);
                rest = rest.get(4..).unwrap_or_default();
                if (0xD800..0xDC00).contains(&unit) {
                    let low = hex(rest.get(2..).unwrap_or_default());
                    rest = rest.get(6..).unwrap_or_default();
                    let code =
                        0x10000 + ((unit - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3ff);
                    text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                } else {
                    text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    text
}

fn hex(text: &str) -> u32 {
    text.get(..4)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(0xFFFD)
}

/// Bytes of a string that stand for themselves.
pub(super) struct Run {
    /// Where the first quote, backslash or control character is, or the text ends.
    pub end: usize,
    /// All the bytes, one over the other; those after `end` may be among them.
    pub bits: u64,
}

/// Each byte's lowest bit.
const ONES: u64 = u64::MAX / 255;
/// Each byte's highest bit: where none is set, the bytes are ASCII.
pub(super) const HIGHS: u64 = ONES << 7;

/// The run from `at` on.
#[inline(always)]
pub(super) fn plain_run(text: &[u8], mut at: usize) -> Run {
    let mut bits = 0;
    // Eight bytes at a time: a byte that is zero after the exclusive-or, or below 0x20, sets its high bit.
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGHS;
        bits |= word;
        if found != 0 {
            let end = at + (found.trailing_zeros() / 8) as usize;
            return Run { end, bits };
        }
        at += 8;
    }
    short_run(text, at, bits)
}

/// The same for less than eight bytes, at the end of the text.
#[inline(never)]
fn short_run(text: &[u8], mut end: usize, mut bits: u64) -> Run {
    while let Some(byte) = text.get(end) {
        if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        bits |= u64::from(*byte);
        end += 1;
    }
    Run { end, bits }
}
