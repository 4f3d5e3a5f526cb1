//! Strict JSON into a flat tape of nodes.
//!
//! [`parse`] fills a tape that is used again, so that a warm one costs no allocation. It accepts
//! exactly what RFC 8259 does, down to lone surrogates and numbers too large for a double, and
//! refuses nesting deeper than [`MAX_DEPTH`]. It keeps places, not values: a number or a string is
//! only read when someone asks.

/// The deepest nesting of arrays and objects; the same as serde_json's.
pub(crate) const MAX_DEPTH: usize = 127;

/// What stands at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// No fraction, no exponent; may exceed 64 bits.
    Integer,
    Float,
    /// Without escapes: the bytes between the quotes are the text.
    Plain,
    /// With escapes.
    Escaped,
    /// Children alternate between names and values.
    Object,
    Array,
}

/// One value (or an object's name) and its place in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    /// First byte, the quote of a string included.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The tape's index after this node and all in it.
    pub next: u32,
    /// Members of an object or elements of an array.
    pub len: u32,
    pub kind: Kind,
}

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// In bytes from the start of the text.
    pub offset: usize,
    pub why: &'static str,
}

/// Parses `text` into `tape`, replacing what it held.
pub(crate) fn parse(text: &[u8], tape: &mut Vec<Node>) -> Result<(), NotJson> {
    tape.clear();
    if text.len() > i32::MAX as usize {
        return Err(NotJson {
            offset: 0,
            why: "it is larger than a Kafka message can be",
        });
    }
    if let Err(error) = std::str::from_utf8(text) {
        return Err(NotJson {
            offset: error.valid_up_to(),
            why: "it is not UTF-8",
        });
    }
    let mut parser = Parser { text, at: 0, tape };
    parser.space();
    parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.error("nothing was expected after the value"));
    }
    Ok(())
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    tape: &'a mut Vec<Node>,
}

impl Parser<'_> {
    #[cold]
    fn error(&self, why: &'static str) -> NotJson {
        let why = if self.at >= self.text.len() {
            "it ends too early"
        } else {
            why
        };
        NotJson {
            offset: self.at.min(self.text.len()),
            why,
        }
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    fn push(&mut self, start: usize, kind: Kind) {
        let next = self.tape.len() as u32 + 1;
        self.tape.push(Node {
            start: start as u32,
            end: self.at as u32,
            next,
            len: 0,
            kind,
        });
    }

    fn value(&mut self, depth: usize) -> Result<(), NotJson> {
        match self.peek() {
            b'"' => self.string(),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'n' => self.word(b"null", Kind::Null),
            _ => Err(self.error("a value was expected")),
        }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<(), NotJson> {
        let start = self.at;
        for byte in word {
            if self.peek() != *byte {
                return Err(self.error("a value was expected"));
            }
            self.at += 1;
        }
        self.push(start, kind);
        Ok(())
    }

    fn open(&mut self, kind: Kind, depth: usize) -> Result<usize, NotJson> {
        if depth > MAX_DEPTH {
            return Err(self.error("it is nested deeper than 127 levels"));
        }
        let index = self.tape.len();
        self.push(self.at, kind);
        self.at += 1;
        self.space();
        Ok(index)
    }

    fn close(&mut self, index: usize, len: u32) {
        self.at += 1;
        let next = self.tape.len() as u32;
        let node = &mut self.tape[index];
        node.end = self.at as u32;
        node.next = next;
        node.len = len;
    }

    fn object(&mut self, depth: usize) -> Result<(), NotJson> {
        let index = self.open(Kind::Object, depth)?;
        let mut len = 0;
        if self.peek() == b'}' {
            self.close(index, len);
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return Err(self.error("a name in double quotes was expected"));
            }
            self.string()?;
            self.space();
            if self.peek() != b':' {
                return Err(self.error("`:` was expected"));
            }
            self.at += 1;
            self.space();
            self.value(depth)?;
            len += 1;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.error("`,` or `}` was expected")),
            }
            self.space();
        }
        self.close(index, len);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), NotJson> {
        let index = self.open(Kind::Array, depth)?;
        let mut len = 0;
        if self.peek() == b']' {
            self.close(index, len);
            return Ok(());
        }
        loop {
            self.value(depth)?;
            len += 1;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.error("`,` or `]` was expected")),
            }
            self.space();
        }
        self.close(index, len);
        Ok(())
    }

    fn string(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        self.at += 1;
        let mut kind = Kind::Plain;
        loop {
            self.at += plain_run(&self.text[self.at..]);
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                _ => return Err(self.error("a control character in a string must be escaped")),
            }
        }
        self.at += 1;
        self.push(start, kind);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                let unit = self.hex4()?;
                match unit {
                    0xD800..=0xDBFF => self.low_surrogate()?,
                    0xDC00..=0xDFFF => return Err(self.error("half of a surrogate pair")),
                    _ => {}
                }
            }
            _ => return Err(self.error("there is no such escape")),
        }
        Ok(())
    }

    fn low_surrogate(&mut self) -> Result<(), NotJson> {
        if self.peek() == b'\\' && self.text.get(self.at + 1) == Some(&b'u') {
            self.at += 2;
            if matches!(self.hex4()?, 0xDC00..=0xDFFF) {
                return Ok(());
            }
        }
        Err(self.error("half of a surrogate pair"))
    }

    fn hex4(&mut self) -> Result<u16, NotJson> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = match self.peek() {
                byte @ b'0'..=b'9' => byte - b'0',
                byte @ b'a'..=b'f' => byte - b'a' + 10,
                byte @ b'A'..=b'F' => byte - b'A' + 10,
                _ => return Err(self.error("four hexadecimal digits were expected")),
            };
            unit = unit << 4 | u16::from(digit);
            self.at += 1;
        }
        Ok(unit)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        if !self.peek().is_ascii_digit() {
            return Err(self.error("a digit was expected"));
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        let mut kind = Kind::Integer;
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
            if self.peek().is_ascii_digit() {
                return Err(self.error("a number can not begin with 0"));
            }
        } else {
            self.digits()?;
        }
        let mut large = self.at - start > 300;
        if self.peek() == b'.' {
            kind = Kind::Float;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            kind = Kind::Float;
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
            large = true;
        }
        // Only here can a number exceed a double; the others are not read before they are asked for.
        if large && !self.finite(start) {
            self.at = start;
            return Err(self.error("the number is too large"));
        }
        self.push(start, kind);
        Ok(())
    }

    fn finite(&self, start: usize) -> bool {
        std::str::from_utf8(&self.text[start..self.at])
            .ok()
            .and_then(|text| text.parse::<f64>().ok())
            .is_some_and(f64::is_finite)
    }
}

/// How many bytes at the start of `text` are neither a quote, a backslash nor a control character.
#[inline]
fn plain_run(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let mut run = 0;
    // Eight bytes at a time: a byte that is zero after the exclusive-or, or below 0x20, sets its high bit.
    while let Some(chunk) = text.get(run..run + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGHS;
        if found != 0 {
            return run + (found.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    while let Some(byte) = text.get(run) {
        if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        run += 1;
    }
    run
}

/// The text of a string node's bytes, quotes included, with its escapes resolved.
///
/// `raw` must have passed [`parse`].
pub(crate) fn unescape(raw: &str) -> String {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
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
