//! Why a text is not JSON, and where.

use std::fmt;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// In bytes from the start of the text.
    pub offset: usize,
    pub why: &'static str,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.offset)
    }
}

impl NotJson {
    /// The bytes of `text` around the place on one line, and a mark below it.
    pub(crate) fn excerpt(&self, text: &[u8]) -> [String; 2] {
        const AROUND: usize = 24;
        let begin = self.offset.saturating_sub(AROUND);
        let end = (self.offset + AROUND).min(text.len());
        let show = |bytes: &[u8]| -> String {
            String::from_utf8_lossy(bytes)
                .chars()
                .map(|letter| if letter.is_control() { ' ' } else { letter })
                .collect()
        };
        let before = show(text.get(begin..self.offset.min(end)).unwrap_or_default());
        let after = show(text.get(self.offset.min(end)..end).unwrap_or_default());
        let mark = format!("{}^", " ".repeat(before.chars().count()));
        [format!("{before}{after}"), mark]
    }
}
