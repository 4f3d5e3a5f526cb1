//! Points in time as people read them.

use jiff::Timestamp;

/// Now, in whole milliseconds: finer than that is noise in a log or a status.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// RFC 3339 in UTC with milliseconds, always of the same width.
pub(super) fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a log file stay aligned: a whole second has its milliseconds too.
    #[test]
    fn times_have_three_decimals_and_a_z() {
        let time = Timestamp::from_millisecond(1_700_000_000_000);
        assert_eq!(
            time.map(rfc3339).ok().as_deref(),
            Some("2023-11-14T22:13:20.000Z")
        );
    }
}
