//! Where a dead letter came from, in its headers: their names, how they are read, and the original
//! message restored from them.
//!
//! A letter's own headers stand behind the original ones, beginning with [`TOPIC`]. So a message that
//! was a dead letter before keeps what it carried then, and the last of each name counts.

use super::Record;

/// The topic that the message was read from. The first of a letter's own headers.
pub const TOPIC: &str = "deliveryd-topic";
pub const PARTITION: &str = "deliveryd-partition";
pub const OFFSET: &str = "deliveryd-offset";
/// Milliseconds since 1970, as all times here; absent where the original has no time.
pub const TIMESTAMP: &str = "deliveryd-timestamp";
/// Who gave it up.
pub const GROUP: &str = "deliveryd-group";
/// The handler's version.
pub const HANDLER: &str = "deliveryd-handler";
pub const REASON: &str = "deliveryd-reason";
/// `FILE:LINE:COLUMN` in the script; absent where no place is known.
pub const POSITION: &str = "deliveryd-position";
/// How many calls were made.
pub const ATTEMPTS: &str = "deliveryd-attempts";
pub const FIRST_FAILURE: &str = "deliveryd-first-failure";
pub const LAST_FAILURE: &str = "deliveryd-last-failure";

const ALL: [&str; 11] = [
    TOPIC,
    PARTITION,
    OFFSET,
    TIMESTAMP,
    GROUP,
    HANDLER,
    REASON,
    POSITION,
    ATTEMPTS,
    FIRST_FAILURE,
    LAST_FAILURE,
];

/// What a dead letter's headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The original's place.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// The original's time, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub group: String,
    /// The version of the handler that failed.
    pub handler: String,
    pub reason: String,
    /// `FILE:LINE:COLUMN` in the script.
    pub position: Option<String>,
    pub attempts: Option<u32>,
    /// Milliseconds since 1970.
    pub first_failure: Option<i64>,
    /// Milliseconds since 1970.
    pub last_failure: Option<i64>,
}

impl Provenance {
    /// Reads a letter's own headers.
    ///
    /// # Errors
    /// They are not all there, or not as deliveryd writes them: which, in one sentence.
    pub fn of(letter: &Record) -> Result<Self, String> {
        let headers = Own::of(letter)?;
        Ok(Self {
            topic: headers.name(TOPIC)?,
            partition: headers.number(PARTITION)?,
            offset: headers.number(OFFSET)?,
            timestamp: headers.number_if_there(TIMESTAMP)?,
            group: headers.name(GROUP)?,
            handler: headers.text(HANDLER)?,
            reason: headers.text(REASON)?,
            position: headers.text_if_there(POSITION)?,
            attempts: headers.number_if_there(ATTEMPTS)?,
            first_failure: headers.number_if_there(FIRST_FAILURE)?,
            last_failure: headers.number_if_there(LAST_FAILURE)?,
        })
    }

    /// The message as it was before it became this letter: its place, time, key, value and headers.
    pub fn restore(&self, letter: &Record) -> Record {
        let mut original = Record::default();
        original.topic = self.topic.as_str().into();
        original.partition = self.partition;
        original.offset = self.offset;
        original.timestamp = self.timestamp;
        original.set_key(letter.key());
        original.set_value(letter.value());
        let own = beginning(letter).unwrap_or(usize::MAX);
        for (index, (name, value)) in letter.headers().enumerate() {
            if index < own || !ALL.contains(&name) {
                original.add_header(name, value);
            }
        }
        original
    }
}

/// Where a letter's own headers begin.
fn beginning(letter: &Record) -> Option<usize> {
    let names = letter.headers().map(|(name, _)| name).enumerate();
    let (index, _) = names.filter(|(_, name)| *name == TOPIC).last()?;
    Some(index)
}

/// The headers behind the original ones.
struct Own<'a>(Vec<(&'a str, Option<&'a [u8]>)>);

impl<'a> Own<'a> {
    fn of(letter: &'a Record) -> Result<Self, String> {
        match beginning(letter) {
            Some(index) => Ok(Self(letter.headers().skip(index).collect())),
            None => Err(format!("it has no header {TOPIC}")),
        }
    }

    fn text_if_there(&self, name: &str) -> Result<Option<String>, String> {
        let Some((_, value)) = self.0.iter().find(|(own, _)| *own == name) else {
            return Ok(None);
        };
        // A text of no length may come back as null.
        match std::str::from_utf8(value.unwrap_or_default()) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(format!("its header {name} is no text")),
        }
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.text_if_there(name)?
            .ok_or_else(|| format!("it has no header {name}"))
    }

    fn name(&self, name: &str) -> Result<String, String> {
        let text = self.text(name)?;
        match text.is_empty() {
            true => Err(format!("its header {name} is empty")),
            false => Ok(text),
        }
    }

    fn number_if_there<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text_if_there(name)? else {
            return Ok(None);
        };
        let number = text.parse::<u64>().ok().and_then(|n| T::try_from(n).ok());
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(format!("its header {name} is no number: {text:?}")),
        }
    }

    fn number<T: TryFrom<u64>>(&self, name: &str) -> Result<T, String> {
        self.number_if_there(name)?
            .ok_or_else(|| format!("it has no header {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: [(&str, &str); 7] = [
        (TOPIC, "orders"),
        (PARTITION, "1"),
        (OFFSET, "4711"),
        (GROUP, "billing"),
        (HANDLER, "abc"),
        (REASON, "no weight"),
        (TIMESTAMP, "1700000000123"),
    ];

    fn letter<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Record {
        let mut record = Record::default();
        record.set_key(Some(b"k"));
        for (name, value) in headers {
            record.add_header(name, Some(value.as_bytes()));
        }
        record
    }

    fn names(record: &Record) -> Vec<(&str, &[u8])> {
        let headers = record.headers();
        headers
            .map(|(name, value)| (name, value.unwrap_or_default()))
            .collect()
    }

    /// What a member wrote is read, and the original has its own headers again, in their order.
    #[test]
    fn the_original_is_restored() {
        let before = [("trace", "a"), ("trace", "b")];
        let letter = letter(before.into_iter().chain(OWN));
        let provenance = Provenance::of(&letter).expect("a letter");
        assert_eq!(provenance.reason, "no weight");
        assert_eq!(provenance.attempts, None);
        let original = provenance.restore(&letter);
        assert_eq!(&*original.topic, "orders");
        assert_eq!((original.partition, original.offset), (1, 4711));
        assert_eq!(original.timestamp, Some(1_700_000_000_123));
        assert_eq!((original.key(), original.value()), (Some(&b"k"[..]), None));
        let expected: Vec<(&str, &[u8])> = vec![("trace", b"a"), ("trace", b"b")];
        assert_eq!(names(&original), expected);
    }

    /// A message that came from another dead letter keeps what it carried before.
    #[test]
    fn only_the_last_letters_headers_are_its_own() {
        let older = OWN.map(|(name, value)| {
            if name == TOPIC {
                (name, "x")
            } else {
                (name, value)
            }
        });
        let letter = letter(older.into_iter().chain(OWN).chain([("added", "later")]));
        let provenance = Provenance::of(&letter).expect("a letter");
        assert_eq!(provenance.topic, "orders");
        let original = provenance.restore(&letter);
        assert_eq!(names(&original).len(), OWN.len() + 1);
        assert_eq!(Provenance::of(&original).expect("older").topic, "x");
    }

    /// What another tool wrote is told apart, with the header that is missing or wrong.
    #[test]
    fn foreign_letters_are_told_apart() {
        let why = |headers: Vec<(&str, &str)>| Provenance::of(&letter(headers)).unwrap_err();
        assert_eq!(why(vec![]), "it has no header deliveryd-topic");
        let without = OWN.into_iter().filter(|(name, _)| *name != GROUP);
        assert_eq!(why(without.collect()), "it has no header deliveryd-group");
        let wrong = OWN.map(|(name, value)| (name, if name == OFFSET { "-3" } else { value }));
        let told = why(wrong.to_vec());
        assert_eq!(told, "its header deliveryd-offset is no number: \"-3\"");
    }

    proptest! {
        /// No headers make it panic, whoever wrote them.
        #[test]
        fn any_headers_are_read_or_refused(
            headers in prop::collection::vec((prop::sample::select(&ALL[..]), any::<Option<Vec<u8>>>()), 0..20)
        ) {
            let mut letter = Record::default();
            for (name, value) in &headers {
                letter.add_header(name, value.as_deref());
            }
            if let Ok(provenance) = Provenance::of(&letter) {
                provenance.restore(&letter);
            }
        }
    }
}
