//! What a rehearsed message carries, and what it leaves when it is finished.
//!
//! `deliveryd verify` puts a [`Stamp`] into a header of each message that it writes; the member that
//! finishes the message sends a [`Receipt`] with the message's effects. Both are short texts.

use std::fmt;
use std::str::FromStr;

use super::{Record, Verdict};

/// The header with a message's stamp. `deliveryd-*` headers go along with what a handler emits.
pub const STAMP_HEADER: &str = "deliveryd-verify";

/// Which message of a rehearsal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The key, by its place among all keys.
    pub key: u32,
    /// The message's place among those of its key.
    pub number: u32,
    /// When it was sent, in microseconds since the rehearsal began.
    pub sent: u64,
}

/// That a message is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `None`: it was not written by the rehearsal.
    pub stamp: Option<Stamp>,
    pub verdict: Verdict,
    /// The attempt that finished it, from 1.
    pub attempt: u32,
    /// Where it was read.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// A text that is no stamp or no receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a text of a rehearsal")]
pub struct Strange;

/// The verdicts that finish a message, by their words.
const WORDS: [(&str, Verdict); 3] = [
    ("handled", Verdict::Handled),
    ("dead-lettered", Verdict::DeadLettered),
    ("skipped", Verdict::Skipped),
];

impl Stamp {
    /// The stamp of a message, if it has one.
    pub fn of(record: &Record) -> Option<Self> {
        let mut headers = record.headers().rev();
        let (_, value) = headers.find(|(name, _)| *name == STAMP_HEADER)?;
        std::str::from_utf8(value?).ok()?.parse().ok()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.key, self.number, self.sent)
    }
}

impl FromStr for Stamp {
    type Err = Strange;

    fn from_str(text: &str) -> Result<Self, Strange> {
        let mut parts = text.split(',');
        let stamp = Self {
            key: next(&mut parts)?,
            number: next(&mut parts)?,
            sent: next(&mut parts)?,
        };
        parts.next().is_none().then_some(stamp).ok_or(Strange)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stamp {
            Some(stamp) => write!(f, "{stamp}")?,
            None => f.write_str("-")?,
        }
        let word = WORDS.iter().find(|(_, verdict)| *verdict == self.verdict);
        let word = word.map_or("abandoned", |(word, _)| *word);
        let Self {
            attempt,
            topic,
            partition,
            offset,
            ..
        } = self;
        write!(f, " {word} {attempt} {topic} {partition} {offset}")
    }
}

impl FromStr for Receipt {
    type Err = Strange;

    fn from_str(text: &str) -> Result<Self, Strange> {
        let mut parts = text.split(' ');
        let stamp = match parts.next().ok_or(Strange)? {
            "-" => None,
            stamp => Some(stamp.parse()?),
        };
        let word = parts.next().ok_or(Strange)?;
        let (_, verdict) = WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .ok_or(Strange)?;
        let receipt = Self {
            stamp,
            verdict: *verdict,
            attempt: next(&mut parts)?,
            topic: next(&mut parts)?,
            partition: next(&mut parts)?,
            offset: next(&mut parts)?,
        };
        parts.next().is_none().then_some(receipt).ok_or(Strange)
    }
}

fn next<'a, T: FromStr>(parts: &mut impl Iterator<Item = &'a str>) -> Result<T, Strange> {
    parts
        .next()
        .and_then(|part| part.parse().ok())
        .ok_or(Strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read again, with and without a stamp.
    #[test]
    fn receipts_are_read_as_they_were_written() {
        let stamp = Stamp {
            key: 7,
            number: 41,
            sent: 12_345_678,
        };
        for (_, verdict) in WORDS {
            for stamp in [Some(stamp), None] {
                let receipt = Receipt {
                    stamp,
                    verdict,
                    attempt: 2,
                    topic: "orders.v1".into(),
                    partition: 3,
                    offset: 1 << 40,
                };
                assert_eq!(receipt.to_string().parse(), Ok(receipt));
            }
        }
    }

    /// Somebody else's text is none.
    #[test]
    fn other_texts_are_strange() {
        let good = "1,2,3 handled 1 t 0 9";
        assert!(good.parse::<Receipt>().is_ok());
        for wrong in [
            "",
            "1,2",
            "1,2,3 done 1 t 0 9",
            "1,2,3 handled 1 t 0 9 x",
            "x handled 1 t 0 9",
        ] {
            assert_eq!(wrong.parse::<Receipt>(), Err(Strange), "{wrong}");
        }
    }

    /// The stamp of a message that was stamped twice, as after a replay, is the newer one.
    #[test]
    fn the_last_stamp_counts() {
        let mut record = Record::default();
        assert_eq!(Stamp::of(&record), None);
        record.add_header(STAMP_HEADER, Some(b"1,2,3"));
        record.add_header(STAMP_HEADER, Some(b"4,5,6"));
        record.add_header("other", Some(b"x"));
        assert_eq!(Stamp::of(&record).map(|stamp| stamp.key), Some(4));
    }
}
