//! Dead letters that the built daemon wrote, and the commands about them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Answer, Case, Message, Setup, wait_for};

pub const SOON: Duration = Duration::from_secs(60);

/// Gives up every message, with a reason of its kind.
const REJECT: &str = r#"fn handle(msg) { reject(`no ${msg.value.sub_string(0, 1)}`); }"#;

/// Emits what it is given, and where the handler says that it came from; rejects values with an `x`.
const COPY_GOOD: &str = r#"
fn handle(msg) {
    if "x" in msg.value { reject("still no good"); }
    emit(params.out, #{ topic: msg.topic, partition: msg.partition, offset: msg.offset,
        timestamp: msg.timestamp, value: msg.value, group: msg.group, attempt: msg.attempt });
}
"#;

const POLICY: &str = "on_failure = { retries = 0, backoff = \"10ms\", max_share = 1.0 }\n";

/// A case whose messages have become dead letters, and its config without a daemon that runs.
pub struct Letters {
    pub case: Case,
    pub setup: Setup,
}

impl Letters {
    /// So many values of each of these kinds, `a0`, `a1`, … in each of two partitions.
    pub fn of(name: &str, kinds: &[&str], count: usize) -> Letters {
        let case = Case::new(name, 2);
        for partition in 0..2 {
            let values = kinds
                .iter()
                .flat_map(|kind| (0..count).map(move |n| (format!("k{n}"), format!("{kind}{n}"))));
            case.probe.produce_to(&case.topic, partition, values);
        }
        Self::given_up(case)
    }

    /// Has a daemon give up everything in the topic.
    pub fn given_up(case: Case) -> Letters {
        let daemon = case.start(POLICY, REJECT);
        case.wait_until_done(SOON);
        daemon.stop();
        let setup = case.setup(POLICY, COPY_GOOD);
        Letters { case, setup }
    }

    pub fn dlq(&self, arguments: &[&str]) -> Answer {
        let all: Vec<&str> = ["dlq"].iter().chain(arguments).copied().collect();
        self.setup.ask(&all)
    }

    /// The same, which has to go well; returns what it printed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let answer = self.dlq(arguments);
        assert_eq!(answer.code, Some(0), "{answer:#?}");
        answer.out
    }

    /// What `list --json` says of the case's group: open and replayed.
    #[track_caller]
    pub fn counts(&self) -> (u64, u64) {
        let list: Value = serde_json::from_str(&self.done(&["list", "--json"])).unwrap();
        let of = &list["topics"][self.case.dead()]["groups"][&self.case.group];
        let count = |name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{list:#}"));
        (count("open"), count("replayed"))
    }

    /// Waits for that: what a transaction wrote is seen a moment after its end.
    #[track_caller]
    pub fn wait_for_counts(&self, open: u64, replayed: u64) {
        wait_for("the counts of the list", SOON, || match self.counts() {
            counts if counts == (open, replayed) => Ok(()),
            counts => Err(format!("{counts:?}")),
        });
    }

    /// Writes a letter of the group, as a member would, of a message that was read from `topic` and is
    /// of this time.
    pub fn write_letter(&self, topic: &str, written: i64) {
        let headers = [
            ("deliveryd-topic", topic),
            ("deliveryd-partition", "0"),
            ("deliveryd-offset", "0"),
            ("deliveryd-timestamp", &written.to_string()),
            ("deliveryd-group", &self.case.group),
            ("deliveryd-handler", "v"),
            ("deliveryd-reason", "by hand"),
        ];
        let (probe, dead) = (&self.case.probe, self.case.dead());
        probe.produce_one(&dead, Some("k"), Some("by hand"), &headers, now());
    }

    /// Waits until so many messages are behind the first `original` ones of each partition.
    #[track_caller]
    pub fn wait_for_replayed(&self, original: i64, count: usize) -> Vec<Message> {
        wait_for("replayed messages", SOON, || {
            let messages = self.replayed(original);
            match messages.len() {
                found if found >= count => Ok(messages),
                found => Err(format!("{found} of {count}")),
            }
        })
    }

    /// What was written to the topic behind the first `original` messages of each partition.
    pub fn replayed(&self, original: i64) -> Vec<Message> {
        let mut messages = self.case.probe.read_committed(&self.case.topic);
        messages.retain(|message| message.offset >= original);
        messages
    }
}

/// Milliseconds since 1970. The brokers delete what is old in a moment of their own.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// How often each value is there.
pub fn times(messages: &[Message]) -> BTreeMap<(i32, String), usize> {
    let mut times = BTreeMap::new();
    for message in messages {
        let value = message.value.clone().unwrap_or_default();
        *times.entry((message.partition, value)).or_default() += 1;
    }
    times
}
