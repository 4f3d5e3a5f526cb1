//! What a rehearsal found: as lines for people, and as JSON.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::faults::{Fault, Struck, seconds};
use super::ledger::{Latency, Verdicts};
use super::promise::thousands;
use crate::config::{Guarantee, Ordering};
use crate::observe::terminal::duration;

/// The outcome of a rehearsal that came to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether everything that is promised was kept.
    pub held: bool,
    /// The promises that were not, a sentence each.
    pub broken: Vec<String>,
    pub group: String,
    #[serde(serialize_with = "guarantee")]
    pub guarantee: Guarantee,
    #[serde(serialize_with = "ordering")]
    pub ordering: Ordering,
    pub processes: u32,
    /// Of all processes together.
    pub members: u32,
    /// From the first message to the last.
    #[serde(serialize_with = "seconds")]
    pub seconds: Duration,
    pub sent: u64,
    pub finished: u64,
    #[serde(flatten)]
    pub verdicts: Verdicts,
    pub lost: u64,
    /// Not finished when patience was at its end, and not committed.
    pub unfinished: u64,
    pub repeated: u64,
    /// Of the repeated ones, those that no fault explains.
    pub repeated_unexplained: u64,
    /// By key.
    pub out_of_order: u64,
    /// By partition and offset.
    pub out_of_order_in_partition: u64,
    /// Messages that the rehearsal did not write and the group finished.
    pub strangers: u64,
    pub latency_ms: Latency,
    #[serde(rename = "longest_silence_ms", serialize_with = "millis")]
    pub silence: Duration,
    #[serde(rename = "longest_partition_silence_ms", serialize_with = "millis")]
    pub partition_silence: Duration,
    pub faults: Vec<Struck>,
    /// Brings the same faults to the same processes again.
    pub seed: u64,
}

fn guarantee<S: Serializer>(guarantee: &Guarantee, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(guarantee_name(*guarantee))
}

fn guarantee_name(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::AtLeastOnce => "at_least_once",
        Guarantee::ExactlyOnce => "exactly_once",
        Guarantee::AtMostOnce => "at_most_once",
    }
}

fn ordering<S: Serializer>(ordering: &Ordering, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match ordering {
        Ordering::Partition => "partition",
        Ordering::Key => "key",
        Ordering::None => "none",
    })
}

/// Milliseconds with three digits behind the point.
fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_micros() as f64 / 1000.0)
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let ms = |time: Duration| time.as_micros() as f64 / 1000.0;
        let all = [
            ("p50", ms(self.p50)),
            ("p99", ms(self.p99)),
            ("p99.9", ms(self.p999)),
            ("max", ms(self.most)),
        ];
        to.collect_map(all)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.ordering {
            Ordering::Partition => ", in order by partition",
            Ordering::Key => ", in order by key",
            Ordering::None => ", in any order",
        };
        let guarantee = guarantee_name(self.guarantee);
        let group = &self.group;
        match self.held {
            true => writeln!(f, "{group} keeps its promise: {guarantee}{order}")?,
            false => writeln!(f, "{group} does NOT keep its promise: {guarantee}{order}")?,
        }
        for broken in &self.broken {
            writeln!(f, "  broken: {broken}")?;
        }
        let processes = match self.processes {
            1 => "1 process".to_owned(),
            more => format!("{more} processes"),
        };
        let messages = format!(
            "{} in {} by {processes} with {} members",
            thousands(self.sent),
            duration(self.seconds),
            self.members
        );
        writeln!(f, "  messages         {messages}")?;
        writeln!(f, "  finished         {}", self.finished_line())?;
        writeln!(f, "  lost             {}", thousands(self.lost))?;
        writeln!(f, "  repeated         {}", self.repeated_line())?;
        writeln!(f, "  out of order     {}", self.order_line())?;
        let latency = &self.latency_ms;
        let latency = format!(
            "p50 {}, p99 {}, p99.9 {}, most {}",
            duration(latency.p50),
            duration(latency.p99),
            duration(latency.p999),
            duration(latency.most)
        );
        writeln!(f, "  latency          {latency}")?;
        let silence = format!(
            "{}, of one partition {}",
            duration(self.silence),
            duration(self.partition_silence)
        );
        writeln!(f, "  longest silence  {silence}")?;
        if !self.faults.is_empty() {
            writeln!(f, "  faults           {}", self.faults_line())?;
        }
        if self.strangers > 0 {
            let strangers = format!("{} messages that verify did not write", self.strangers);
            writeln!(f, "  besides          {strangers}")?;
        }
        Ok(())
    }
}

impl Report {
    fn finished_line(&self) -> String {
        let mut text = thousands(self.finished);
        let Verdicts {
            dead_lettered,
            skipped,
            ..
        } = self.verdicts;
        if dead_lettered > 0 {
            text.push_str(&format!(", {} as dead letters", thousands(dead_lettered)));
        }
        if skipped > 0 {
            text.push_str(&format!(", {} skipped", thousands(skipped)));
        }
        if self.unfinished > 0 {
            text.push_str(&format!("; {} not", thousands(self.unfinished)));
        }
        text
    }

    fn repeated_line(&self) -> String {
        let explained = self.repeated - self.repeated_unexplained;
        let count = thousands(self.repeated);
        match (self.repeated, explained) {
            (0, _) | (_, 0) => count,
            (all, explained) if all == explained => {
                format!("{count}, all across a kill or a standstill")
            }
            (_, explained) => {
                let explained = thousands(explained);
                format!("{count}, {explained} of them across a kill or a standstill")
            }
        }
    }

    fn order_line(&self) -> String {
        let by_key = thousands(self.out_of_order);
        let by_partition = thousands(self.out_of_order_in_partition);
        match self.ordering {
            Ordering::Partition => format!("{by_key} by key, {by_partition} by partition"),
            Ordering::Key | Ordering::None => format!("{by_key} by key"),
        }
    }

    fn faults_line(&self) -> String {
        let kinds = [Fault::Term, Fault::Kill, Fault::Stop];
        let counts = kinds.iter().filter_map(|kind| {
            let count = self
                .faults
                .iter()
                .filter(|struck| struck.fault == *kind)
                .count();
            (count > 0).then(|| format!("{} {count}", kind.signal()))
        });
        let counts: Vec<String> = counts.collect();
        format!("{} (seed {})", counts.join(", "), self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            held: true,
            broken: Vec::new(),
            group: "orders".into(),
            guarantee: Guarantee::AtLeastOnce,
            ordering: Ordering::Partition,
            processes: 3,
            members: 6,
            seconds: Duration::from_secs(30),
            sent: 15_000,
            finished: 15_000,
            verdicts: Verdicts {
                handled: 14_990,
                dead_lettered: 10,
                skipped: 0,
            },
            lost: 0,
            unfinished: 0,
            repeated: 12,
            repeated_unexplained: 0,
            out_of_order: 0,
            out_of_order_in_partition: 0,
            strangers: 0,
            latency_ms: Latency {
                p50: Duration::from_micros(9_400),
                p99: Duration::from_millis(180),
                p999: Duration::from_millis(1_240),
                most: Duration::from_millis(2_040),
            },
            silence: Duration::from_millis(210),
            partition_silence: Duration::from_millis(1_900),
            faults: vec![
                Struck {
                    fault: Fault::Kill,
                    process: 2,
                    at: Duration::from_millis(10_123),
                    until: Duration::from_millis(10_140),
                },
                Struck {
                    fault: Fault::Term,
                    process: 1,
                    at: Duration::from_secs(20),
                    until: Duration::from_secs(21),
                },
            ],
            seed: 42,
        }
    }

    /// The first line is the answer; every figure is below it.
    #[test]
    fn the_answer_comes_first() {
        assert_eq!(
            report().to_string(),
            "orders keeps its promise: at_least_once, in order by partition\n  \
             messages         15,000 in 30.0 s by 3 processes with 6 members\n  \
             finished         15,000, 10 as dead letters\n  \
             lost             0\n  \
             repeated         12, all across a kill or a standstill\n  \
             out of order     0 by key, 0 by partition\n  \
             latency          p50 9 ms, p99 180 ms, p99.9 1.2 s, most 2.0 s\n  \
             longest silence  210 ms, of one partition 1.9 s\n  \
             faults           SIGTERM 1, SIGKILL 1 (seed 42)\n"
        );
    }

    /// A promise that was broken is on the second line.
    #[test]
    fn what_was_broken_comes_second() {
        let report = Report {
            held: false,
            broken: vec!["1 message was lost: committed, and never finished".into()],
            lost: 1,
            repeated_unexplained: 2,
            ..report()
        };
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "orders does NOT keep its promise: at_least_once, in order by partition"
        );
        assert_eq!(
            lines[1],
            "  broken: 1 message was lost: committed, and never finished"
        );
        assert!(text.contains("12, 10 of them across a kill"), "{text}");
    }

    /// Scripts read the same figures.
    #[test]
    fn json_has_every_figure() {
        let json = serde_json::to_value(report()).expect("JSON");
        assert_eq!(json["held"], true);
        assert_eq!(json["guarantee"], "at_least_once");
        assert_eq!(json["dead_lettered"], 10);
        assert_eq!(json["latency_ms"]["p99.9"], 1240.0);
        assert_eq!(json["longest_silence_ms"], 210.0);
        assert_eq!(json["faults"][0]["fault"], "kill");
        assert_eq!(json["faults"][0]["at_seconds"], 10.123);
    }
}
