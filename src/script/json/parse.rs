//! Strict JSON into a flat tape of nodes.
//!
//! [`parse`] fills a tape that is used again, so that a warm one costs no allocation. It accepts
//! what serde_json does: RFC 8259 without halves of surrogate pairs and without nesting deeper than
//! [`MAX_DEPTH`]; and numbers too large for a double, which go out as they came. It keeps places, not
//! values: a number or a string is only read when someone asks.
//!
//! One loop and no recursion, so that the place in the text stays in a register: `document` reads
//! values and what follows them, `open` and `close` keep the way back to the container in the tape
//! itself, and `string`, `number` and `word` each return where they ended.

use super::not_json::NotJson;
use super::specials::Specials;
use super::tape::{ESCAPED, Kind, Node};
use super::text::Reader;

/// The deepest nesting of arrays and objects; the same as serde_json's.
pub(crate) const MAX_DEPTH: usize = 127;

/// Parses `text` into `tape`, replacing what it held.
pub(super) fn parse(text: Reader<'_>, tape: &mut Vec<Node>) -> Result<(), NotJson> {
    tape.clear();
    if text.len() > i32::MAX as usize {
        return Err(NotJson {
            offset: 0,
            why: "it is larger than a Kafka message can be",
        });
    }
    document(text, tape)
}

/// The parent of the outermost value.
const NOWHERE: u32 = u32::MAX;

fn document(text: Reader<'_>, tape: &mut Vec<Node>) -> Result<(), NotJson> {
    let mut at = 0;
    // The container that is being read, how many values of it are done, and how deep it is.
    let (mut parent, mut len, mut depth) = (NOWHERE, 0, 0);
    let mut object = false;
    let mut specials = Specials::of(text);
    'values: loop {
        'value: {
            let byte = text.peek(at);
            // The most frequent kinds first.
            let (end, kind) = match byte {
                b'"' => string(text, at, &mut specials)?,
                _ if byte.is_ascii_digit() || byte == b'-' => number(text, at)?,
                b'{' | b'[' => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(mistake(text, at, "it is nested deeper than 127 levels"));
                    }
                    if let Some(node) = tape.get_mut(parent as usize) {
                        node.len = len;
                    }
                    let index = tape.len() as u32;
                    object = byte == b'{';
                    tape.push(Node {
                        start: at as u32,
                        end: 0,
                        next: parent,
                        len: 0,
                        kind: if object { Kind::Object } else { Kind::Array },
                    });
                    (parent, len) = (index, 0);
                    at = space(text, at + 1);
                    if text.peek(at) != closing(object) {
                        if object {
                            at = name(text, at, tape, &mut specials)?;
                        }
                        continue 'values;
                    }
                    at += 1;
                    depth -= 1;
                    (parent, len, object) = close(tape, parent, len, at);
                    break 'value;
                }
                b' ' | b'\n' | b'\t' | b'\r' => {
                    at = more_space(text, at);
                    continue 'values;
                }
                _ => word(text, at)?,
            };
            at = push(tape, at, end, 1, kind);
        }
        // A value is done, and with it perhaps the containers that it stands last in.
        loop {
            // Nothing between a value and the next name: the quickest way through most JSON.
            if object && is_pair(text, at, *b",\"") {
                len += 1;
                at = name(text, at + 1, tape, &mut specials)?;
                break;
            }
            at = space(text, at);
            if parent == NOWHERE {
                if at < text.len() {
                    return Err(mistake(text, at, "nothing was expected after the value"));
                }
                return Ok(());
            }
            len += 1;
            let byte = text.peek(at);
            if byte == b',' {
                at += 1;
                if object {
                    at = name(text, space(text, at), tape, &mut specials)?;
                }
                break;
            }
            if byte != closing(object) {
                let why = if object {
                    "`,` or `}` was expected"
                } else {
                    "`,` or `]` was expected"
                };
                return Err(mistake(text, at, why));
            }
            at += 1;
            depth -= 1;
            (parent, len, object) = close(tape, parent, len, at);
        }
    }
}

#[inline(always)]
fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}

/// Ends the container at `index` before `at`; returns the one around it, with what was noted of it.
#[inline(always)]
fn close(tape: &mut [Node], index: u32, len: u32, at: usize) -> (u32, u32, bool) {
    let next = tape.len() as u32;
    let Some(node) = tape.get_mut(index as usize) else {
        return (NOWHERE, 0, false);
    };
    let parent = std::mem::replace(&mut node.next, next);
    node.end = at as u32;
    node.len = len;
    let Some(around) = tape.get(parent as usize) else {
        return (NOWHERE, 0, false);
    };
    let (len, object) = (around.len, around.kind == Kind::Object);
    if object && let Some(name) = tape.get_mut(index as usize - 1) {
        name.next = next;
    }
    (parent, len, object)
}

#[cold]
fn mistake(text: Reader<'_>, at: usize, why: &'static str) -> NotJson {
    let ended = at >= text.len();
    NotJson {
        offset: at.min(text.len()),
        why: if ended { "it ends too early" } else { why },
    }
}

#[inline(always)]
fn space(text: Reader<'_>, at: usize) -> usize {
    // Most JSON between programs has none: one comparison then.
    if text.peek(at) <= b' ' {
        more_space(text, at)
    } else {
        at
    }
}

#[inline(never)]
fn more_space(text: Reader<'_>, mut at: usize) -> usize {
    while matches!(text.peek(at), b' ' | b'\n' | b'\t' | b'\r') {
        at += 1;
    }
    at
}

/// Appends a value that ends before `end`, and returns `end`. `width` is how far the next node is.
#[inline(always)]
fn push(tape: &mut Vec<Node>, start: usize, end: usize, width: u32, kind: Kind) -> usize {
    tape.push(Node {
        start: start as u32,
        end: end as u32,
        next: tape.len() as u32 + width,
        len: match kind {
            Kind::Plain => (end - start) as u32 - 2,
            Kind::Escaped => ESCAPED,
            _ => 0,
        },
        kind,
    });
    end
}

/// Whether these two bytes stand at `at`.
#[inline(always)]
fn is_pair(text: Reader<'_>, at: usize, pair: [u8; 2]) -> bool {
    u16::from_le_bytes(text.read(at)) == u16::from_le_bytes(pair)
}

/// A member's name and the colon after it.
#[inline(always)]
fn name(
    text: Reader<'_>,
    at: usize,
    tape: &mut Vec<Node>,
    specials: &mut Specials<'_>,
) -> Result<usize, NotJson> {
    if text.peek(at) != b'"' {
        return Err(mistake(text, at, "a name in double quotes was expected"));
    }
    // Two to the next name; where the value has parts, `close` corrects it.
    let end = specials.find(at + 1);
    if is_pair(text, end, *b"\":") {
        push(tape, at, end + 1, 2, Kind::Plain);
        return Ok(end + 2);
    }
    let (end, kind) = match text.peek(end) {
        b'"' => (end + 1, Kind::Plain),
        _ => (escaped(text, end, specials)?, Kind::Escaped),
    };
    push(tape, at, end, 2, kind);
    let at = space(text, end);
    if text.peek(at) != b':' {
        return Err(mistake(text, at, "`:` was expected"));
    }
    Ok(at + 1)
}

/// The end of the string that begins at `start`.
#[inline(always)]
fn string(
    text: Reader<'_>,
    start: usize,
    specials: &mut Specials<'_>,
) -> Result<(usize, Kind), NotJson> {
    let end = specials.find(start + 1);
    if text.peek(end) == b'"' {
        return Ok((end + 1, Kind::Plain));
    }
    Ok((escaped(text, end, specials)?, Kind::Escaped))
}

/// The rest of a string from its first escape, or to its first mistake.
#[inline(never)]
fn escaped(text: Reader<'_>, mut at: usize, specials: &mut Specials<'_>) -> Result<usize, NotJson> {
    loop {
        match text.peek(at) {
            b'"' => return Ok(at + 1),
            b'\\' => at = one_escape(text, at + 1)?,
            _ => {
                let why = "a control character in a string must be escaped";
                return Err(mistake(text, at, why));
            }
        }
        at = specials.find(at);
    }
}

/// What stands after a backslash.
fn one_escape(text: Reader<'_>, at: usize) -> Result<usize, NotJson> {
    match text.peek(at) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => {
            let unit = hex4(text, at + 1)?;
            let at = at + 5;
            match unit {
                0xD800..=0xDBFF => low_surrogate(text, at),
                0xDC00..=0xDFFF => Err(mistake(text, at, "half of a surrogate pair")),
                _ => Ok(at),
            }
        }
        _ => Err(mistake(text, at, "there is no such escape")),
    }
}

fn low_surrogate(text: Reader<'_>, mut at: usize) -> Result<usize, NotJson> {
    if text.peek(at) == b'\\' && text.peek(at + 1) == b'u' {
        at += 2;
        let unit = hex4(text, at)?;
        at += 4;
        if matches!(unit, 0xDC00..=0xDFFF) {
            return Ok(at);
        }
    }
    Err(mistake(text, at, "half of a surrogate pair"))
}

fn hex4(text: Reader<'_>, at: usize) -> Result<u16, NotJson> {
    let mut unit = 0_u16;
    for at in at..at + 4 {
        let digit = match text.peek(at) {
            byte @ b'0'..=b'9' => byte - b'0',
            byte @ b'a'..=b'f' => byte - b'a' + 10,
            byte @ b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(mistake(text, at, "four hexadecimal digits were expected")),
        };
        unit = unit << 4 | u16::from(digit);
    }
    Ok(unit)
}

/// `true`, `false` or `null`.
#[inline(never)]
fn word(text: Reader<'_>, start: usize) -> Result<(usize, Kind), NotJson> {
    let (word, kind): (&[u8], Kind) = match text.peek(start) {
        b't' => (b"true", Kind::True),
        b'f' => (b"false", Kind::False),
        b'n' => (b"null", Kind::Null),
        _ => return Err(mistake(text, start, "a value was expected")),
    };
    let rest = text.bytes().get(start..).unwrap_or_default();
    let right = rest
        .iter()
        .zip(word)
        .take_while(|(is, should)| is == should);
    let end = start + right.count();
    if end - start < word.len() {
        return Err(mistake(text, end, "a value was expected"));
    }
    Ok((end, kind))
}

/// The end of the digits from `at` on.
#[inline(always)]
fn digits(text: Reader<'_>, mut at: usize) -> usize {
    while text.peek(at).is_ascii_digit() {
        at += 1;
    }
    at
}

/// The same, where there must be one.
#[inline(always)]
fn some_digits(text: Reader<'_>, at: usize) -> Result<usize, NotJson> {
    match digits(text, at) {
        end if end > at => Ok(end),
        end => Err(mistake(text, end, "a digit was expected")),
    }
}

#[inline(always)]
fn number(text: Reader<'_>, start: usize) -> Result<(usize, Kind), NotJson> {
    let mut kind = Kind::Integer;
    let first = start + usize::from(text.peek(start) == b'-');
    let mut at = some_digits(text, first)?;
    if at > first + 1 && text.peek(first) == b'0' {
        return Err(mistake(text, first + 1, "a number can not begin with 0"));
    }
    if text.peek(at) == b'.' {
        kind = Kind::Float;
        at = some_digits(text, at + 1)?;
    }
    if matches!(text.peek(at), b'e' | b'E') {
        kind = Kind::Float;
        let signed = matches!(text.peek(at + 1), b'+' | b'-');
        at = some_digits(text, at + 1 + usize::from(signed))?;
    }
    Ok((at, kind))
}
