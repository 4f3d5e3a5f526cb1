//! What the commands about dead letters take.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::dlq::{Filter, Origin, Place};

const LIST: &str = "Examples:\n  \
    deliveryd dlq list --config FILE\n  \
    deliveryd dlq list --config FILE --group orders --since 2h --json";

const SHOW: &str = "Examples:\n  \
    deliveryd dlq show --config FILE                                   the last ones\n  \
    deliveryd dlq show --config FILE Delivery.dead/0@17 --values       one, with what it holds\n  \
    deliveryd dlq show --config FILE --reason timeout --origin Delivery/1";

const REPLAY: &str = "Examples:\n  \
    deliveryd dlq replay --config FILE --group orders --dry-run        how many it would be\n  \
    deliveryd dlq replay --config FILE --group orders                  all, back to their topic\n  \
    deliveryd dlq replay --config FILE --group orders --to group       only this group handles them\n  \
    deliveryd dlq replay --config FILE --group orders --reason timeout --rate 50\n  \
    deliveryd dlq replay --config FILE --group orders Delivery.dead/0@17\n\n\
    What has been replayed is not replayed again. Ctrl-C stops in order, and the same command goes on.";

#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// How many there are: by topic and group, reason, handler version and time
    #[command(after_help = LIST)]
    List {
        #[command(flatten)]
        which: Which,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Each with its reason and where it came from
    #[command(after_help = SHOW)]
    Show(ShowArgs),
    /// Handle them once more, each once
    #[command(after_help = REPLAY)]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only these: TOPIC/PARTITION@OFFSET
    #[arg(value_name = "LETTER")]
    pub places: Vec<Place>,
    #[command(flatten)]
    pub which: Which,
    /// Show values and headers too
    #[arg(long)]
    pub values: bool,
    /// How many, at most: the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub last: usize,
    /// As JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Only these: TOPIC/PARTITION@OFFSET
    #[arg(value_name = "LETTER")]
    pub places: Vec<Place>,
    #[command(flatten)]
    pub which: Which,
    /// Where to
    #[arg(long, value_enum, default_value_t = To::Topic)]
    pub to: To,
    /// Messages per second, at most
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Let the key decide the partition, as for new messages, instead of the original one
    #[arg(long)]
    pub by_key: bool,
    /// Also those that have been replayed before
    #[arg(long)]
    pub again: bool,
    /// Only say how many it would be
    #[arg(long)]
    pub dry_run: bool,
}

/// Where replayed letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// Back to the topic that they were read from; every group that reads it sees them
    Topic,
    /// To the handler of their group, in this process; no other group sees them
    Group,
}

/// Which letters are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which letters")]
pub struct Which {
    /// Of this group
    #[arg(long)]
    pub group: Option<String>,
    /// In this dead-letter topic [default: those of the group, or of all groups]
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Of this handler version, or of those that begin so
    #[arg(long, value_name = "VERSION")]
    pub handler: Option<String>,
    /// That failed at this time or later: RFC 3339, or how long ago, such as 90min
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<i64>,
    /// That failed before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<i64>,
    /// That were read from TOPIC, TOPIC/PARTITION, TOPIC/PARTITION@OFFSET or TOPIC/PARTITION@FIRST-LAST
    #[arg(long, value_name = "PLACE")]
    pub origin: Option<Origin>,
    /// With this key
    #[arg(long)]
    pub key: Option<String>,
}

impl Which {
    /// The conditions, with these places.
    pub fn filter(&self, places: &[Place]) -> Filter {
        Filter {
            places: places.to_vec(),
            group: self.group.clone(),
            reason: self.reason.clone(),
            handler: self.handler.clone(),
            since: self.since,
            until: self.until,
            origin: self.origin.clone(),
            key: self.key.as_ref().map(|key| key.clone().into_bytes()),
        }
    }
}

/// Milliseconds since 1970 of a time, or of so long ago.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let ago = humantime::parse_duration(text).ok();
    let ago = ago.and_then(|ago| i64::try_from(ago.as_millis()).ok());
    match ago {
        Some(ago) => Ok(crate::observe::now().as_millisecond().saturating_sub(ago)),
        None => Err(
            "expected a time such as 2026-11-24T08:00:00Z, or how long ago: 90min, 2h, 3days"
                .to_owned(),
        ),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite());
    match rate.filter(|rate| *rate > 0.0) {
        Some(rate) => Ok(rate),
        None => Err("expected a number above 0, in messages per second".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time is one of the calendar or one before now.
    #[test]
    fn times_are_absolute_or_ago() {
        assert_eq!(time("1970-01-01T00:00:02Z"), Ok(2_000));
        let now = crate::observe::now().as_millisecond();
        let ago = time("90min").expect("a time");
        assert!((now - ago - 5_400_000).abs() < 60_000);
        assert!(time("yesterday").is_err() && time("").is_err());
    }

    /// A rate of nothing is a mistake, not a standstill.
    #[test]
    fn rates_are_above_zero() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
