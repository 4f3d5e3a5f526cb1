//! `deliveryd dlq`: dead letters listed, shown and replayed, on real Kafka, without a daemon.

mod support;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use support::process::Process;
use support::{Answer, Case, Kafka, Message, Setup, wait_for};

const SOON: Duration = Duration::from_secs(60);

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
struct Letters {
    case: Case,
    setup: Setup,
}

impl Letters {
    /// So many values of each of these kinds, `a0`, `a1`, … in each of two partitions.
    fn of(name: &str, kinds: &[&str], count: usize) -> Letters {
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
    fn given_up(case: Case) -> Letters {
        let daemon = case.start(POLICY, REJECT);
        case.wait_until_done(SOON);
        daemon.stop();
        let setup = case.setup(POLICY, COPY_GOOD);
        Letters { case, setup }
    }

    fn dlq(&self, arguments: &[&str]) -> Answer {
        let all: Vec<&str> = ["dlq"].iter().chain(arguments).copied().collect();
        self.setup.ask(&all)
    }

    /// The same, which has to go well; returns what it printed.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let answer = self.dlq(arguments);
        assert_eq!(answer.code, Some(0), "{answer:#?}");
        answer.out
    }

    /// What `list --json` says of the case's group: open and replayed.
    #[track_caller]
    fn counts(&self) -> (u64, u64) {
        let list: Value = serde_json::from_str(&self.done(&["list", "--json"])).unwrap();
        let of = &list["topics"][self.case.dead()]["groups"][&self.case.group];
        let count = |name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{list:#}"));
        (count("open"), count("replayed"))
    }

    /// What was written to the topic behind the first `original` messages of each partition.
    fn replayed(&self, original: i64) -> Vec<Message> {
        let mut messages = self.case.probe.read_committed(&self.case.topic);
        messages.retain(|message| message.offset >= original);
        messages
    }
}

/// How often each value is there.
fn times(messages: &[Message]) -> BTreeMap<(i32, String), usize> {
    let mut times = BTreeMap::new();
    for message in messages {
        let value = message.value.clone().unwrap_or_default();
        *times.entry((message.partition, value)).or_default() += 1;
    }
    times
}

/// Letters are counted by reason, and each shows where it came from; values come on request.
#[test]
fn letters_are_listed_and_shown_without_a_daemon() {
    needs_kafka!();
    let letters = Letters::of("list", &["a", "b"], 3);
    let dead = letters.case.dead();
    let foreign = [("deliveryd-topic", "elsewhere")];
    letters
        .case
        .probe
        .produce_one(&dead, None, Some("who wrote this"), &foreign, 1);

    let list: Value = serde_json::from_str(&letters.done(&["list", "--json"])).unwrap();
    let topic = &list["topics"][&dead];
    let kinds = topic["groups"][&letters.case.group]["kinds"].clone();
    let reasons: Vec<(&str, u64)> = kinds
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|kind| Some((kind["reason"].as_str()?, kind["open"].as_u64()?)))
        .collect();
    assert_eq!(reasons, [("no a", 6), ("no b", 6)], "{list:#}");
    assert_eq!(topic["foreign"]["count"], 1);
    let why = topic["foreign"]["letters"][0]["why"].as_str().unwrap();
    assert_eq!(why, "it has no header deliveryd-partition");

    let text = letters.done(&["list", "--reason", "no b"]);
    assert!(
        text.contains("6 open, 0 replayed") && !text.contains("no a"),
        "{text}"
    );

    let one = format!("{}/1@4", letters.case.topic);
    let shown = letters.done(&["show", "--origin", &one]);
    assert!(shown.contains(&format!("from      {one}, of ")), "{shown}");
    assert!(
        shown.contains("reason    no b") && !shown.contains("b1"),
        "{shown}"
    );
    let shown = letters.done(&["show", "--origin", &one, "--values", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["value"], &shown["key"]),
        (&"b1".into(), &"k1".into())
    );
    let nowhere = letters.dlq(&["show", &format!("{dead}/0@4711")]);
    assert_eq!(nowhere.code, Some(1), "{nowhere:#?}");
    assert!(
        nowhere.err.contains("there is no dead letter at"),
        "{nowhere:#?}"
    );
}

/// A replayed letter is the original message again, in its partition, and only once however often it
/// is replayed. A foreign client reads it back.
#[test]
fn letters_go_back_to_their_topic_once() {
    needs_kafka!();
    let case = Case::new("back", 2);
    let headers = [("trace", "t-1"), ("trace", "t-2")];
    let written = 1_700_000_000_123;
    case.probe
        .produce_one(&case.topic, Some("k"), Some("a0"), &headers, written);
    case.probe.produce_to(&case.topic, 1, [("k", "a1")]);
    let letters = Letters::given_up(case);
    let case = &letters.case;

    let told = letters.done(&["replay", "--dry-run"]);
    assert_eq!(told, "2 would be replayed to their topic\n");
    assert_eq!(letters.counts(), (2, 0), "a dry run changes nothing");
    assert_eq!(letters.done(&["replay"]), "2 replayed to their topic\n");
    assert_eq!(letters.counts(), (0, 2));
    let told = letters.done(&["replay"]);
    assert!(told.contains("2 had been replayed before"), "{told}");

    let back = letters.replayed(1);
    assert_eq!(back.len(), 2, "{back:#?}");
    let first = &back[0];
    assert_eq!((first.partition, first.timestamp), (0, Some(written)));
    assert_eq!(first.key.as_deref(), Some("k"));
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    assert_eq!(first.headers, headers.iter().map(own).collect::<Vec<_>>());
    assert_eq!(
        (back[1].partition, back[1].value.as_deref()),
        (1, Some("a1"))
    );
    assert_eq!(back[1].headers, []);

    let mut read = Kafka::shared().tools().consume(&case.topic, 4);
    read.sort();
    let of = |partition, value: &str| (partition, "k".to_owned(), value.to_owned());
    let all = [of(0, "a0"), of(0, "a0"), of(1, "a1"), of(1, "a1")];
    assert_eq!(read, all);
    let kept = format!("{}.replayed", case.dead());
    let policy = case.probe.topic_config(&kept, "cleanup.policy");
    assert_eq!(policy.as_deref(), Some("compact"));
}

/// What a filter names is replayed, and the rest stays for later.
#[test]
fn a_filter_leaves_the_rest() {
    needs_kafka!();
    let letters = Letters::of("filter", &["a", "b"], 4);
    let dead = letters.case.dead();
    let topic = letters.case.topic.clone();
    let replayed = |arguments: &[&str]| {
        let all: Vec<&str> = ["replay"].iter().chain(arguments).copied().collect();
        letters.done(&all)
    };
    let one = format!("{topic}/1@0-1");
    assert_eq!(replayed(&["--origin", &one]), "2 replayed to their topic\n");
    let first = replayed(&["--reason", "no b", "--key", "k0"]);
    assert_eq!(first, "2 replayed to their topic\n");
    let letter = format!("{dead}/0@0");
    assert_eq!(
        replayed(&[&letter]).lines().next(),
        Some("1 replayed to their topic")
    );
    let none = replayed(&["--handler", "nosuch"]);
    assert_eq!(none, "0 replayed to their topic\n");
    assert_eq!(replayed(&["--until", "1h"]), "0 replayed to their topic\n");
    let (open, done) = letters.counts();
    assert!(
        open + done == 16 && (4..=5).contains(&done),
        "{open} {done}"
    );
    replayed(&["--since", "1h"]);
    let back = letters.replayed(8);
    assert!(times(&back).values().all(|times| *times == 1), "{back:#?}");
    assert_eq!(back.len(), 16);
    let missing = letters.dlq(&["replay", &format!("{dead}/0@4711")]);
    assert_eq!(missing.code, Some(1), "{missing:#?}");
}

/// Ctrl-C stops in order and says how far it came, `kill -9` does not; the same command goes on in any
/// case, and a reader of what is committed sees each message once.
#[test]
fn an_interrupted_replay_goes_on_where_it_was() {
    needs_kafka!();
    let letters = Letters::of("interrupted", &["a"], 150);
    let half = |signal: i32, enough: usize| {
        let mut command = letters.setup.command(&["dlq", "replay", "--rate", "40"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut replay = Process::spawn("replay", command);
        wait_for("some letters to be replayed", SOON, || {
            match letters.replayed(150).len() {
                n if n >= enough => Ok(()),
                n => Err(format!("{n} of {enough}")),
            }
        });
        replay.signal(signal);
        let (status, _) = replay.wait(SOON);
        let mut said = String::new();
        for output in [
            replay.child().stdout.take().map(std::io::read_to_string),
            replay.child().stderr.take().map(std::io::read_to_string),
        ] {
            said += &output.unwrap_or(Ok(String::new())).unwrap_or_default();
        }
        (status.code(), said)
    };
    let (code, said) = half(libc::SIGINT, 5);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("stopped; the same command goes on"), "{said}");
    let done = letters.replayed(150).len();
    assert!(said.contains(&format!("{done} replayed")), "{done}: {said}");
    half(libc::SIGKILL, done + 5);
    letters.done(&["replay"]);
    let back = letters.replayed(150);
    assert!(times(&back).values().all(|times| *times == 1));
    assert_eq!(back.len(), 300);
    assert_eq!(letters.counts(), (0, 300));
}

/// Of two replays at once the later one goes on, the earlier one ends, and nothing comes twice.
#[test]
fn two_replays_at_once_do_not_duplicate() {
    needs_kafka!();
    let letters = Letters::of("twice", &["a"], 60);
    let mut command = letters.setup.command(&["dlq", "replay", "--rate", "10"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut first = Process::spawn("replay", command);
    wait_for("the first replay to have begun", SOON, || {
        match letters.replayed(60).len() {
            0 => Err("nothing replayed".to_owned()),
            _ => Ok(()),
        }
    });
    letters.done(&["replay"]);
    let (status, _) = first.wait(SOON);
    assert_eq!(status.code(), Some(1));
    let said = first.child().stderr.take().map(std::io::read_to_string);
    let said = said.unwrap_or(Ok(String::new())).unwrap_or_default();
    assert!(
        said.contains("another replay of the group has begun"),
        "{said}"
    );
    let back = letters.replayed(60);
    assert!(times(&back).values().all(|times| *times == 1));
    assert_eq!(back.len(), 120);
}

/// Straight to the group: its handler sees the original message, what fails is a dead letter again,
/// and the topic is not written to.
#[test]
fn letters_go_straight_to_their_group() {
    needs_kafka!();
    let letters = Letters::of("group", &["a", "x"], 3);
    let case = &letters.case;
    let told = letters.done(&["replay", "--to", "group"]);
    let expected = "6 replayed to the group\n6 failed again, and are dead letters again\n";
    assert_eq!(told, expected);
    let mut copies = case.probe.read_committed(&case.out);
    copies.sort_by_key(|copy| {
        (
            copy.json()["partition"].as_i64(),
            copy.json()["offset"].as_i64(),
        )
    });
    assert_eq!(copies.len(), 6, "{copies:#?}");
    let copy = copies[4].json();
    let expected = serde_json::json!({
        "topic": case.topic, "partition": 1, "offset": 1, "timestamp": copy["timestamp"],
        "value": "a1", "group": case.group, "attempt": 1,
    });
    assert_eq!(copy, expected);
    assert!(copy["timestamp"].as_i64() > Some(1_700_000_000_000));
    assert_eq!(letters.replayed(6), [], "the topic is as it was");
    assert_eq!(letters.counts(), (6, 12));
    let again = letters.done(&["list", "--reason", "still"]);
    assert!(again.contains("6 open"), "{again}");
    // A dead letter of a dead letter is again the original message.
    letters.done(&["replay", "--reason", "still no good"]);
    let back = letters.replayed(6);
    assert_eq!(back.len(), 6);
    assert!(
        back.iter().all(|message| message.headers.is_empty()),
        "{back:#?}"
    );
}

/// What deliveryd can not bring back stays, and is said.
#[test]
fn what_can_not_be_replayed_stays() {
    needs_kafka!();
    let letters = Letters::of("stays", &["a"], 1);
    let dead = letters.case.dead();
    letters
        .case
        .probe
        .produce_one(&dead, None, Some("foreign"), &[], 1);
    let told = letters.done(&["replay"]);
    let expected = "2 replayed to their topic\n\
        1 stay: they were not written by deliveryd, as `dlq list` shows\n";
    assert_eq!(told, expected);
    let unknown = letters.dlq(&["list", "--group", "nobody"]);
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    assert!(unknown.err.contains("has no group nobody"), "{unknown:#?}");
}
