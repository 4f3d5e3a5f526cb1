//! `deliveryd verify` on real Kafka: it proves what holds, catches what does not, and leaves nothing behind.

mod support;

#[path = "verify/run.rs"]
mod run;

use run::{SOON, Verify, assert_nothing_left, in_a_terminal, json, verify, wait_until_written};
use support::{COPY, Case, Kafka, Setup, wait_for};

/// Sessions that are over soon.
const QUICK: &str = "properties = { \"session.timeout.ms\" = \"3000\" }";

/// Emits, filters, fans out to a topic whose name is made up as it goes, rejects; and sees real names.
const MANY_SIDED: &str = r#"
fn handle(msg) {
    if msg.topic != params.topic { throw `the topic is ${msg.topic}`; }
    if msg.group != params.group { throw `the group is ${msg.group}`; }
    if !msg.member.starts_with(params.group) { throw `the member is ${msg.member}`; }
    let n = msg.json.n;
    if n % 10 == 1 { return; }
    if n % 50 == 2 { reject("a two"); }
    emit(params.out, msg.json);
    for kind in ["out", "more"] {
        if n % 3 == 0 { emit(`${params.topic}.${kind}`, #{ fan: n }); }
    }
}
"#;

const NUMBERS: &str = "fn generate(n) { #{ value: #{ n: n } } }";

/// A group that keeps its promise is said to, whatever its handler does; real topics see nothing, the
/// handler sees real names, and nothing stays behind.
#[test]
fn a_good_group_holds() {
    needs_kafka!();
    let case = Case::new("verified", 3);
    let more = format!("{}.more", case.topic);
    case.probe.create_topic(&more, 2);
    let settings = "members = 2\non_failure = { retries = 0 }";
    let toml = case.toml(settings).replace(
        &format!("out = {:?}", case.out),
        &format!(
            "out = {:?}, topic = {:?}, group = {:?}",
            case.out, case.topic, case.group
        ),
    );
    let setup = Setup::new(&Kafka::shared().servers(), &toml)
        .handler("handle.rhai", MANY_SIDED)
        .handler("numbers.rhai", NUMBERS);
    let answer = verify(
        setup,
        &[
            "--group",
            &case.group,
            "--generator",
            "numbers.rhai",
            "--duration",
            "4s",
            "--processes",
            "2",
            "--json",
        ],
    );
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let report = json(&answer);
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    assert!(number("sent") > 1000, "{report:#}");
    assert_eq!(number("sent"), number("finished"), "{report:#}");
    let twos = (0..number("sent")).filter(|n| n % 10 != 1 && n % 50 == 2);
    assert_eq!(number("dead_lettered"), twos.count() as u64, "{report:#}");
    for zero in [
        "lost",
        "unfinished",
        "repeated",
        "out_of_order",
        "strangers",
    ] {
        assert_eq!(number(zero), 0, "{report:#}");
    }
    assert_eq!((number("processes"), number("members")), (2, 4));
    assert!(
        report["latency_ms"]["p50"].as_f64() > Some(0.0),
        "{report:#}"
    );
    for topic in [&case.topic, &case.out, &more] {
        let ends = case.probe.end_offsets(topic);
        assert!(ends.values().all(|end| *end == 0), "{topic}: {ends:?}");
    }
    assert_eq!(case.probe.partitions(&case.dead()), None);
    assert_nothing_left(&format!(".{}", case.topic));
}

/// The command of the README works as it stands there: without a generator, the config's own producer
/// says what the messages are. On a terminal a line shows how it goes.
#[test]
fn the_command_of_the_readme_works() {
    needs_kafka!();
    let brokers = format!("kafka.brokers={}", Kafka::shared().servers());
    let more = ["--group", "group-1", "--duration", "2s", "--set", &brokers];
    let setup = Setup::copy_of_repository("kafka.toml");
    let (code, text) = in_a_terminal("config/kafka.toml", &setup, &more);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("made as by producer random"), "{text}");
    assert!(text.contains(" s to go"), "{text}");
    let answer = "group-1 keeps its promise: at_least_once, in order by partition";
    assert!(text.contains(answer), "{text}");
    assert!(text.contains("  lost             0"), "{text}");
}

/// Orderly stops, kills and standstills among three processes: a group that survives them is said to
/// hold, every kind was struck, and what was repeated is explained.
#[test]
fn a_group_is_struck_and_holds() {
    needs_kafka!();
    let case = Case::new("struck", 6);
    let setup = case.setup(QUICK, COPY).handler("numbers.rhai", NUMBERS);
    let mut arguments = vec![
        "--group",
        &case.group,
        "--generator",
        "numbers.rhai",
        "--json",
    ];
    arguments.extend(["--processes", "3", "--faults", "term,kill,stop"]);
    arguments.extend(["--duration", "10s", "--fault-interval", "2s", "--seed", "7"]);
    let answer = verify(setup, &arguments);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let report = json(&answer);
    assert_eq!(report["held"], true, "{report:#}");
    assert_eq!(report["seed"], 7);
    assert_eq!(report["repeated_unexplained"], 0, "{report:#}");
    for kind in ["term", "kill", "stop"] {
        let struck = report["faults"].as_array().into_iter().flatten();
        let count = struck.filter(|struck| struck["fault"] == *kind).count();
        assert!(count > 0, "no {kind} in {report:#}");
    }
}

/// With `exactly_once` a kill repeats nothing, and the receipts are part of the transactions.
#[test]
fn exactly_once_holds_over_kills() {
    needs_kafka!();
    let case = Case::new("verify-exactly-once", 4);
    case.fill(0..4, 10);
    let settings = format!("guarantee = \"exactly_once\"\n{QUICK}");
    let setup = case.setup(&settings, COPY);
    let mut arguments = vec!["--group", &case.group, "--sample", "25", "--json"];
    arguments.extend(["--processes", "2", "--faults", "kill", "--duration", "8s"]);
    arguments.extend(["--fault-interval", "2s"]);
    let answer = verify(setup, &arguments);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let sample = format!("a sample of 25 of {}", case.topic);
    assert!(answer.err.contains(&sample), "{answer:#?}");
    let report = json(&answer);
    assert_eq!(report["guarantee"], "exactly_once");
    assert!(
        report["faults"]
            .as_array()
            .is_some_and(|faults| faults.len() > 1),
        "{report:#}"
    );
    for zero in ["lost", "unfinished", "repeated", "out_of_order"] {
        assert_eq!(report[zero], 0, "{report:#}");
    }
}

/// A message that comes twice though nothing was struck breaks the promise, and verify says so.
#[test]
fn a_repeat_that_nothing_explains_is_caught() {
    needs_kafka!();
    let case = Case::new("doubled", 2);
    let setup = case.setup(QUICK, COPY).handler("numbers.rhai", NUMBERS);
    let mut arguments = vec![
        "--group",
        &case.group,
        "--generator",
        "numbers.rhai",
        "--json",
    ];
    arguments.extend(["--duration", "8s", "--rate", "50"]);
    let verify = Verify::start(setup, &arguments);
    let input = format!("deliveryd-verify.{}.{}", verify.run(), case.topic);
    wait_for("messages to double", SOON, || {
        let written = match case.probe.partitions(&input) {
            Some(_) => case.probe.end_offsets(&input)[&0],
            None => 0,
        };
        match written {
            10.. => Ok(()),
            few => Err(format!("{few} messages")),
        }
    });
    for message in &case.probe.read_all(&input)[..3] {
        let headers: Vec<(&str, &str)> = message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (key, value) = (message.key.as_deref(), message.value.as_deref());
        case.probe.produce_one(&input, key, value, &headers, 0);
    }
    let answer = verify.end();
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    let report = json(&answer);
    assert_eq!(report["held"], false, "{report:#}");
    assert_eq!(report["repeated_unexplained"], 3, "{report:#}");
    assert_eq!(
        report["broken"][0],
        "3 messages were finished again though no kill and no standstill came in between"
    );
    assert_eq!(report["lost"], 0, "{report:#}");
}

/// A handler that gets stuck proves nothing: what is not finished is told apart from what is lost.
#[test]
fn what_is_stuck_is_not_proved() {
    needs_kafka!();
    let case = Case::new("verify-stuck", 1);
    let settings = format!("on_failure = {{ retries = 0, then = \"stop\" }}\n{QUICK}");
    let stuck = "fn handle(msg) { if msg.json.n == 20 { throw \"no further\"; } }";
    let setup = case
        .setup(&settings, stuck)
        .handler("numbers.rhai", NUMBERS);
    let mut arguments = vec![
        "--group",
        &case.group,
        "--generator",
        "numbers.rhai",
        "--json",
    ];
    arguments.extend(["--duration", "1s", "--rate", "100", "--patience", "3s"]);
    let answer = verify(setup, &arguments);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    let report = json(&answer);
    assert_eq!(
        (&report["held"], &report["lost"]),
        (&false.into(), &0.into()),
        "{report:#}"
    );
    assert_eq!(report["finished"], 20, "{report:#}");
    let left = report["sent"].as_u64().map(|sent| sent - 20);
    assert_eq!(report["unfinished"].as_u64(), left, "{report:#}");
}

/// Interrupted, it removes what it made, and says that nothing is proved.
#[test]
fn an_interrupted_run_leaves_nothing() {
    needs_kafka!();
    let case = Case::new("interrupted", 2);
    let setup = case.setup(QUICK, COPY).handler("numbers.rhai", NUMBERS);
    let mut arguments = vec!["--group", &case.group, "--generator", "numbers.rhai"];
    arguments.extend(["--processes", "2", "--duration", "1h"]);
    let verify = Verify::start(setup, &arguments);
    let run = verify.run();
    let receipts = format!("deliveryd-verify.{run}-receipts");
    wait_until_written(&case, &receipts);
    verify.process.signal(libc::SIGINT);
    let answer = verify.end();
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    assert!(
        answer
            .err
            .contains("interrupted by SIGINT; nothing is proved"),
        "{answer:#?}"
    );
    assert_eq!(answer.out, "");
    assert_nothing_left(&run);
}

/// Killed, it leaves topics but no processes; the next run names them, and they can be removed.
#[test]
fn what_a_killed_run_leaves_is_named_and_removed() {
    needs_kafka!();
    let case = Case::new("killed-verify", 2);
    let setup = || case.setup(QUICK, COPY).handler("numbers.rhai", NUMBERS);
    let of_group = ["--group", &case.group, "--generator", "numbers.rhai"];
    let long = [&of_group[..], &["--duration", "1h"]].concat();
    let mut verify = Verify::start(setup(), &long);
    let run = verify.run();
    wait_until_written(&case, &format!("deliveryd-verify.{run}-receipts"));
    // Its own process alone, not the group that the harness would kill.
    verify.process.signal(libc::SIGKILL);
    verify.process.wait(SOON);
    let short = [&of_group[..], &["--duration", "1s"]].concat();
    let next = self::verify(setup(), &short);
    assert_eq!(next.code, Some(0), "{next:#?}");
    let input = format!("deliveryd-verify.{run}.{}", case.topic);
    assert!(
        next.err.contains("another run goes on, or was killed"),
        "{next:#?}"
    );
    assert!(next.err.contains(&input), "{next:#?}");
    assert!(next.err.contains(&format!("--clean {run}")), "{next:#?}");
    // Once its processes' session is over: they ended with it.
    wait_for("the leftovers to be removed", SOON, || {
        let answer = self::verify(setup(), &["--clean", &run]);
        match answer.code {
            Some(0) => Ok(()),
            _ => Err(answer.err),
        }
    });
    assert_nothing_left(&run);
}

/// `at_most_once` may lose what a kill interrupts, and still holds; it may repeat nothing.
#[test]
fn at_most_once_holds_though_it_loses() {
    needs_kafka!();
    let case = Case::new("verify-at-most-once", 2);
    let slow = "fn handle(msg) { let n = 0; while n < 300 { n += 1; } }";
    let settings = format!("guarantee = \"at_most_once\"\nin_flight = 200\n{QUICK}");
    let setup = case.setup(&settings, slow);
    let setup = setup.handler("numbers.rhai", NUMBERS);
    let mut arguments = vec![
        "--group",
        &case.group,
        "--generator",
        "numbers.rhai",
        "--json",
    ];
    arguments.extend(["--duration", "5s", "--rate", "400"]);
    arguments.extend([
        "--faults",
        "kill",
        "--fault-interval",
        "2s",
        "--patience",
        "5s",
    ]);
    let answer = verify(setup, &arguments);
    let report = json(&answer);
    assert_eq!(answer.code, Some(0), "{report:#}");
    assert_eq!(
        (&report["repeated"], &report["unfinished"]),
        (&0.into(), &0.into()),
        "{report:#}"
    );
    let (sent, finished) = (report["sent"].as_u64(), report["finished"].as_u64());
    assert_eq!(
        report["lost"].as_u64(),
        sent.zip(finished).map(|(sent, finished)| sent - finished)
    );
}

/// What can't be proved is refused with the reason, before anything is touched.
#[test]
fn what_can_not_be_proved_is_refused() {
    let toml =
        "[topics.Orders]\n[groups.orders]\ntopics = [\"Orders\"]\nhandler = \"handle.rhai\"\n";
    let setup = |brokers| Setup::new(brokers, toml).handler("handle.rhai", "fn handle(msg) { }");
    let embedded = verify(setup("embedded"), &["--group", "orders"]);
    assert_eq!(embedded.code, Some(2));
    assert!(
        embedded
            .err
            .contains("nothing to prove on the embedded broker"),
        "{embedded:#?}"
    );
    let misspelt = verify(setup("localhost:1"), &["--group", "order"]);
    assert_eq!(misspelt.code, Some(2));
    assert!(
        misspelt.err.contains("did you mean `orders`?"),
        "{misspelt:#?}"
    );
    let which = verify(
        Setup::new(
            "localhost:1",
            &format!("{toml}[groups.other]\ntopics = [\"Orders\"]\nhandler = \"handle.rhai\"\n"),
        )
        .handler("handle.rhai", "fn handle(msg) { }"),
        &[],
    );
    assert_eq!(which.code, Some(2));
    assert!(
        which
            .err
            .contains("which group? Say --group GROUP; the configuration has orders, other"),
        "{which:#?}"
    );
    let nobody = verify(setup("localhost:1"), &[]);
    assert_eq!(nobody.code, Some(1));
    assert!(
        nobody.err.contains("no broker at localhost:1"),
        "{nobody:#?}"
    );
}
