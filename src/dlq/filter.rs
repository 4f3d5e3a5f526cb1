//! Which dead letters are meant.

use super::Letter;
use super::place::{Origin, Place};

/// All conditions have to hold; the empty filter takes every letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these, where any is named.
    pub places: Vec<Place>,
    /// Of this group.
    pub group: Option<String>,
    /// Within the reason.
    pub reason: Option<String>,
    /// With this the handler's version begins.
    pub handler: Option<String>,
    /// The last failure was at this time or later, in milliseconds since 1970.
    pub since: Option<i64>,
    /// The last failure was before this time.
    pub until: Option<i64>,
    /// Where the message was read.
    pub origin: Option<Origin>,
    /// The message's whole key.
    pub key: Option<Vec<u8>>,
}

impl Filter {
    /// Whether this letter is meant. One that another tool wrote has no group, so it is there for every
    /// group; it has neither reason nor handler nor origin.
    pub fn takes(&self, letter: &Letter) -> bool {
        let own = letter.provenance.as_ref().ok();
        let wants = |wanted: bool, holds: bool| !wanted || holds;
        let group =
            own.is_none_or(|own| self.group.as_ref().is_none_or(|group| *group == own.group));
        let reason = self.reason.as_deref();
        let handler = self.handler.as_deref();
        let time = letter.time();
        group
            && wants(!self.places.is_empty(), self.places.contains(&letter.place))
            && reason.is_none_or(|text| own.is_some_and(|own| own.reason.contains(text)))
            && handler.is_none_or(|text| own.is_some_and(|own| own.handler.starts_with(text)))
            && self.since.is_none_or(|since| time >= Some(since))
            && self
                .until
                .is_none_or(|until| time.is_some_and(|time| time < until))
            && self.origin.as_ref().is_none_or(|origin| {
                own.is_some_and(|own| origin.holds(&own.topic, own.partition, own.offset))
            })
            && wants(
                self.key.is_some(),
                self.key.as_deref() == letter.record.key(),
            )
    }
}
