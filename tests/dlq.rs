//! `deliveryd dlq`: dead letters listed, shown and replayed, on real Kafka, without a daemon.

mod support;

#[path = "dlq/letters.rs"]
mod letters;
#[path = "dlq/shown.rs"]
mod shown;

use std::process::Stdio;

use letters::{Letters, SOON, now, times};
use serde_json::Value;
use support::process::Process;
use support::{Case, Kafka, Setup, wait_for};

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
        .produce_one(&dead, None, Some("who wrote this"), &foreign, now());

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
    let written = now() - 3_600_000;
    case.probe
        .produce_one(&case.topic, Some("k"), Some("a0"), &headers, written);
    case.probe.produce_to(&case.topic, 1, [("k", "a1")]);
    let letters = Letters::given_up(case);
    let case = &letters.case;

    let told = letters.done(&["replay", "--dry-run"]);
    assert_eq!(told, "2 would be replayed to their topic\n");
    letters.wait_for_counts(2, 0);
    assert_eq!(letters.done(&["replay"]), "2 replayed to their topic\n");
    letters.wait_for_counts(0, 2);
    let told = letters.done(&["replay"]);
    assert!(told.contains("2 had been replayed before"), "{told}");

    let back = letters.wait_for_replayed(1, 2);
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
    let shown = letters.done(&["show", "--json", "--origin", &format!("{topic}/0@2")]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let letter = shown["at"].as_str().unwrap();
    assert_eq!(replayed(&[letter]), "1 replayed to their topic\n");
    let none = replayed(&["--handler", "nosuch"]);
    assert_eq!(none, "0 replayed to their topic\n");
    assert_eq!(replayed(&["--until", "1h"]), "0 replayed to their topic\n");
    letters.wait_for_counts(11, 5);
    replayed(&["--since", "1h"]);
    let back = letters.wait_for_replayed(8, 16);
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
    let letters = Letters::of("interrupted", &["a"], 80);
    let half = |signal: i32, enough: usize| {
        let mut command = letters.setup.command(&["dlq", "replay", "--rate", "40"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut replay = Process::spawn("replay", command);
        wait_for("some letters to be replayed", SOON, || {
            match letters.replayed(80).len() {
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
    let count = said
        .lines()
        .find_map(|line| line.strip_suffix(" replayed to their topic"));
    let count = count.and_then(|count| count.parse().ok());
    let done = count.unwrap_or_else(|| panic!("it does not say how far it came: {said}"));
    assert_eq!(letters.wait_for_replayed(80, done).len(), done);
    half(libc::SIGKILL, done + 5);
    letters.done(&["replay"]);
    letters.wait_for_counts(0, 160);
    let back = letters.wait_for_replayed(80, 160);
    assert!(times(&back).values().all(|times| *times == 1));
    assert_eq!(back.len(), 160);
}

/// Of two replays at once the later one goes on, the earlier one ends, and nothing comes twice.
#[test]
fn two_replays_at_once_do_not_duplicate() {
    needs_kafka!();
    let letters = Letters::of("twice", &["a"], 30);
    let mut command = letters.setup.command(&["dlq", "replay", "--rate", "10"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut first = Process::spawn("replay", command);
    wait_for("the first replay to have begun", SOON, || {
        match letters.replayed(30).len() {
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
    let back = letters.wait_for_replayed(30, 60);
    assert!(times(&back).values().all(|times| *times == 1));
    assert_eq!(back.len(), 60);
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
    letters.wait_for_counts(6, 12);
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
    let again = letters.done(&["list", "--reason", "still"]);
    assert!(again.contains("6 open"), "{again}");
    // A dead letter of a dead letter is again the original message.
    letters.done(&["replay", "--reason", "still no good"]);
    let back = letters.wait_for_replayed(6, 6);
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
    let probe = &letters.case.probe;
    probe.produce_one(&dead, None, Some("foreign"), &[], now());
    letters.write_letter("no-such-topic", now());
    let answer = letters.dlq(&["replay"]);
    let expected = "2 replayed to their topic\n\
        1 stay: they were not written by deliveryd, as `dlq list` shows\n\
        1 stay: there is no topic no-such-topic any more\n";
    assert_eq!((answer.out.as_str(), answer.code), (expected, Some(1)));
    letters.wait_for_counts(1, 2);
    let unknown = letters.dlq(&["list", "--group", "nobody"]);
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    assert!(unknown.err.contains("has no group nobody"), "{unknown:#?}");
}

/// A letter that the broker refuses ends the replay with its name; nothing of it is written, and what
/// was written beside it is not written twice.
#[test]
fn a_refused_letter_is_named_and_harms_no_other() {
    needs_kafka!();
    let case = Case::new("refused", 1);
    let large = "a".repeat(20_000);
    let values = ["a0", &large, "a2"];
    case.probe
        .produce_to(&case.topic, 0, values.map(|value| ("k", value)));
    let letters = Letters::given_up(case);
    let case = &letters.case;
    let limit = "max.message.bytes";
    case.probe.set_topic_config(&case.topic, limit, "10000");
    let answer = letters.dlq(&["replay"]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    let at = format!(
        "error: {}/0@1 is refused, and what is behind it waits: ",
        case.dead()
    );
    assert!(answer.err.starts_with(&at), "{answer:#?}");
    assert!(answer.out.starts_with("1 replayed"), "{answer:#?}");
    letters.done(&["replay", &format!("{}/0@2", case.dead())]);
    case.probe.set_topic_config(&case.topic, limit, "1000000");
    letters.done(&["replay"]);
    let back = times(&letters.wait_for_replayed(3, 3));
    assert_eq!(back.values().copied().collect::<Vec<_>>(), [1, 1, 1]);
}

/// Topics that are deleted and made anew have other letters at the same offsets.
#[test]
fn letters_of_a_topic_made_anew_are_not_taken_for_replayed() {
    needs_kafka!();
    let letters = Letters::of("anew", &["a"], 1);
    letters.done(&["replay"]);
    letters.wait_for_counts(0, 2);
    let (probe, dead) = (&letters.case.probe, letters.case.dead());
    probe.delete_topic(&dead);
    probe.create_topic(&dead, 2);
    letters.write_letter(&letters.case.topic, now());
    letters.wait_for_counts(1, 0);
}

/// The group's policy holds for a replay straight to it: further attempts, and then a stop.
#[test]
fn a_replay_to_the_group_follows_its_policy() {
    needs_kafka!();
    let letters = Letters::of("policy", &["a"], 2);
    let case = &letters.case;
    let policy = "on_failure = { retries = 1, backoff = \"10ms\", then = \"stop\" }\n";
    let handler = r#"
        fn handle(msg) {
            if msg.value == "a1" && msg.attempt < 2 { throw "not yet"; }
            if msg.value == "a1" && msg.partition == 1 { throw "not at all"; }
            emit(params.out, msg.value);
        }
    "#;
    let setup = case.setup(policy, handler);
    let answer = setup.ask(&["dlq", "replay", "--to", "group", "--topic", &case.dead()]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    assert!(answer.err.contains("attempt 1 of 2"), "{answer:#?}");
    let at = "failed, and `on_failure.then` is \"stop\": not at all";
    assert!(answer.err.contains(at), "{answer:#?}");
    wait_for("the letters that were handled", SOON, || {
        let (open, done) = letters.counts();
        let written = case.probe.read_committed(&case.out).len() as u64;
        match open >= 1 && done >= 1 && done == written && open + done == 4 {
            true => Ok(()),
            false => Err(format!("{open} open, {done} done, {written} written")),
        }
    });
}

/// On the embedded broker the letters are those of the daemon that runs.
#[test]
fn letters_of_the_embedded_broker_are_in_the_running_daemon() {
    let toml = "[topics.Delivery]\n\n[producers.once]\ntopic = \"Delivery\"\nhandler = \"one.rhai\"\n\
        rate = \"unlimited\"\ncount = 3\n\n\
        [groups.g]\ntopics = [\"Delivery\"]\nhandler = \"handle.rhai\"\n\
        on_failure = { retries = 0, max_share = 1.0 }\n";
    let setup = Setup::new("embedded", toml)
        .handler("one.rhai", "fn generate(n) { `v${n}` }")
        .handler(
            "handle.rhai",
            "fn handle(msg) { if msg.offset < 3 { reject(\"no\"); } }",
        );
    let nobody = setup.ask(&["dlq", "list"]);
    assert_eq!(nobody.code, Some(1), "{nobody:#?}");
    let why = "in the memory of the running daemon";
    assert!(nobody.err.contains(why), "{nobody:#?}");
    let daemon = setup.start();
    let list = || daemon.setup().ask(&["dlq", "list", "--json"]);
    let counts = |open: u64, replayed: u64| {
        wait_for("the letters", SOON, || {
            let list = list();
            let json: Value = serde_json::from_str(&list.out).map_err(|_| format!("{list:?}"))?;
            let of = &json["topics"]["Delivery.dead"]["groups"]["g"];
            match of["open"] == open && of["replayed"] == replayed {
                true => Ok(()),
                false => Err(format!("{json:#}")),
            }
        });
    };
    counts(3, 0);
    let replay = daemon.setup().ask(&["dlq", "replay"]);
    assert_eq!(replay.out, "3 replayed to their topic\n", "{replay:#?}");
    counts(0, 3);
    let again = daemon.setup().ask(&["dlq", "replay"]);
    assert!(
        again.out.starts_with("0 replayed to their topic\n"),
        "{again:#?}"
    );
}

/// A message that its topic would delete for its age before anybody reads it gets the present time.
#[test]
fn a_message_too_old_for_its_topic_becomes_new() {
    needs_kafka!();
    let letters = Letters::of("old", &["a"], 1);
    letters.done(&["replay"]);
    let begin = now();
    letters.write_letter(&letters.case.topic, begin - 8 * 86_400_000);
    letters.write_letter(&letters.case.topic, begin - 86_400_000);
    let told = letters.done(&["replay"]);
    assert!(told.contains("1 of these with the present time"), "{told}");
    let back = letters.wait_for_replayed(2, 2);
    let times: Vec<i64> = back
        .iter()
        .filter_map(|message| message.timestamp)
        .collect();
    assert!(times[0] >= begin, "{times:?} since {begin}");
    assert_eq!(times[1], begin - 86_400_000);
}
