//! Words: the names of enum values, misspelt names, and what Kafka takes as a name.

/// An enum whose values have names in the configuration.
pub trait Named: Sized + Copy + PartialEq + 'static {
    /// Every value with its name, in the order in which they are offered.
    const ALL: &'static [(&'static str, Self)];

    /// The name as it is written in the configuration.
    fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, value)| *value == self);
        named.map_or("", |(name, _)| name)
    }
}

macro_rules! named {
    ($($Type:ident { $($Value:ident = $name:literal),* })*) => {$(
        impl Named for crate::config::$Type {
            const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$Value)),*];
        }
    )*};
}

named! {
    Watch { Events = "events", Poll = "poll", Off = "off" }
    Rotate { Minutely = "minutely", Hourly = "hourly", Daily = "daily", Never = "never" }
    OutOfRange { Stop = "stop", Earliest = "earliest", Latest = "latest" }
    Ordering { Partition = "partition", Key = "key", None = "none" }
    Guarantee { AtLeastOnce = "at_least_once", ExactlyOnce = "exactly_once", AtMostOnce = "at_most_once" }
    Protocol { Classic = "classic", Consumer = "consumer" }
    Then { DeadLetter = "dead_letter", Skip = "skip", Stop = "stop" }
}

/// The candidate that `word` was probably meant to be.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let (distance, best) = candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    // A third of the letters wrong is still a slip; more is another word.
    let longest = folded.chars().count().max(best.chars().count());
    (distance <= longest.div_ceil(3) && distance < longest).then_some(best)
}

/// A name without what environment variables can not say: case, `-` and `.`.
pub fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

/// `"a", "b" or "c"`.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("{name:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Why Kafka would not take this as a topic's name.
///
/// The rule is that of `org.apache.kafka.common.internals.Topic.validate`.
pub fn topic_mistake(name: &str) -> Option<String> {
    kafka_mistake(name, 249)
}

/// Why this can not be a group id here. Kafka itself takes any text that is not empty; a line
/// break or a space at an end is never meant.
pub fn group_mistake(name: &str) -> Option<String> {
    // Group ids travel as a protocol STRING, whose length is a signed 16-bit number.
    const LONGEST: usize = i16::MAX as usize;
    if name.is_empty() {
        Some("the empty name is no group id".into())
    } else if name.len() > LONGEST {
        Some(format!("at most {LONGEST} bytes, this has {}", name.len()))
    } else if name.chars().any(char::is_control) || name.trim() != name {
        Some("a group id has no control characters and no space at its ends".into())
    } else {
        None
    }
}

/// Why this can not be a part of a client id, as an instance's or producer's name is.
pub fn client_mistake(name: &str) -> Option<String> {
    kafka_mistake(name, 100)
}

fn kafka_mistake(name: &str, longest: usize) -> Option<String> {
    let strange = |c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c));
    if name.is_empty() {
        Some("a name can't be empty".into())
    } else if name == "." || name == ".." {
        Some("\".\" and \"..\" are no names".into())
    } else if name.len() > longest {
        Some(format!(
            "at most {longest} characters, this has {}",
            name.chars().count()
        ))
    } else {
        name.chars()
            .find(|c| strange(*c))
            .map(|c| format!("only ASCII letters, digits, \".\", \"_\" and \"-\", not {c:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slip of the keyboard finds the name that was meant; another word finds none.
    #[test]
    fn suggests_what_was_probably_meant() {
        let names = ["partitions", "replication", "config", "create"];
        assert_eq!(suggest("partitons", names), Some("partitions"));
        assert_eq!(suggest("Partitions", names), Some("partitions"));
        assert_eq!(suggest("replicas", names), Some("replication"));
        assert_eq!(suggest("colour", names), None);
        assert_eq!(suggest("x", ["y"]), None);
        assert_eq!(suggest("x", []), None);
    }

    /// Kafka's own rule for topic names.
    #[test]
    fn topic_names_follow_kafka() {
        assert_eq!(topic_mistake("orders.v1_a-B"), None);
        assert_eq!(topic_mistake(&"a".repeat(249)), None);
        for wrong in ["", ".", "..", "a b", "a/b", "größe", &"a".repeat(250)] {
            assert!(topic_mistake(wrong).is_some(), "{wrong}");
        }
    }

    /// Every name leads to its value and back.
    #[test]
    fn names_are_unique() {
        fn check<T: Named>() {
            for (name, value) in T::ALL {
                assert_eq!(value.name(), *name);
            }
        }
        check::<crate::config::Watch>();
        check::<crate::config::Rotate>();
        check::<crate::config::OutOfRange>();
        check::<crate::config::Ordering>();
        check::<crate::config::Guarantee>();
        check::<crate::config::Protocol>();
        check::<crate::config::Then>();
    }
}
