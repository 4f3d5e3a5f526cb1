//! A text with zeros behind it: who reads it from front to back needs no look at where it ends.

use super::not_json::NotJson;

/// So many zeros; the most that is read at once.
pub(super) const BEHIND: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// With the zeros, if it is not empty altogether.
    padded: String,
}

impl Text {
    pub(super) fn of(mut text: String) -> Self {
        text.push_str(ZEROS);
        Self { padded: text }
    }

    /// Copies `text` into the memory of the last one.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub(super) fn refill(&mut self, text: &[u8]) -> Result<(), NotJson> {
        self.padded.clear();
        let text = text_of(text)?;
        self.padded.reserve(text.len() + BEHIND);
        self.padded.push_str(text);
        self.padded.push_str(ZEROS);
        Ok(())
    }

    /// Lets go of the text and keeps the memory.
    pub(super) fn release(&mut self) {
        self.padded.clear();
    }

    /// With the zeros.
    #[inline(always)]
    pub(super) fn as_str(&self) -> &str {
        &self.padded
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        let bytes = self.padded.as_bytes();
        Reader {
            padded: if bytes.is_empty() {
                &[0; BEHIND]
            } else {
                bytes
            },
        }
    }
}

const ZEROS: &str = match std::str::from_utf8(&[0; BEHIND]) {
    Ok(zeros) => zeros,
    Err(_) => "",
};

/// The bytes as a text, if they are UTF-8.
#[inline(always)]
fn text_of(bytes: &[u8]) -> Result<&str, NotJson> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8. To look for that alone is several times quicker.
        return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).map_err(|error| NotJson {
        offset: error.valid_up_to(),
        why: "it is not UTF-8",
    })
}

/// What goes over a text from front to back. A zero is where it has to stop: either the text ends there, or
/// it is one that the text should not have.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// With the zeros.
    padded: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn len(self) -> usize {
        self.padded.len() - BEHIND
    }

    /// Without the zeros.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.padded.get(..self.len()).unwrap_or_default()
    }

    /// The bytes from `at` on; zeros behind the end.
    ///
    /// `at` may not be behind the end: it is 0, or just behind a byte that is none of the zeros.
    #[inline(always)]
    pub(super) fn read<const N: usize>(self, at: usize) -> [u8; N] {
        const { assert!(N <= BEHIND) }
        debug_assert!(at <= self.len());
        // SAFETY: `parse` and `specials`, the only readers, go on from `at` only where they have seen that
        // the byte there is not zero, so `at` is at most where the zeros begin, and N bytes follow.
        unsafe { self.padded.as_ptr().add(at).cast::<[u8; N]>().read() }
    }

    /// The byte at `at`, for which the same holds.
    #[inline(always)]
    pub(super) fn peek(self, at: usize) -> u8 {
        let [byte] = self.read(at);
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<(), NotJson> {
        let mut text = Text::default();
        text.refill(bytes)?;
        parse::parse(text.reader(), &mut Vec::new())
    }

    /// Wherever a text ends too early, and wherever a zero stands in it, reading stops there: a debug build
    /// panics at a look behind the end.
    #[test]
    fn nothing_is_read_behind_the_end() {
        let text = r#"{"a\u00e9\ud83d\ude00":[true,false,null,{},[]],"b" : -12.5e+3 , "é":"x\n"}"#;
        assert_eq!(parsed(text.as_bytes()), Ok(()));
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            assert!(parsed(&bytes[..at]).is_err(), "up to {at}");
            bytes[at] = 0;
            assert!(parsed(&bytes).is_err(), "0 at {at}");
        }
    }

    /// No text at all is read as one that ends at once.
    #[test]
    fn an_empty_text_has_its_zeros() {
        let text = Text::default();
        assert_eq!(text.reader().len(), 0);
        assert_eq!(text.reader().read::<BEHIND>(0), [0; BEHIND]);
    }
}
