//! ACLs: each right that is missing is told with its name, and when it is given the work goes on.

use crate::doors::{guarded, password};
use crate::logins::login;
use crate::support::{Daemon, Kafka};
use crate::{Job, SOON, assert_waits, hint, needs_kafka, told};

const GOES_ON: &str = "deliveryd goes on by itself when the right is given; README.md, \"Rights\", lists what it needs";

/// Gives a user one right.
fn give(kafka: &Kafka, user: &str, operation: &str, what: &[&str]) {
    let who = format!("User:{user}");
    let given = ["--add", "--allow-principal", &who, "--operation", operation];
    kafka.tools().acls(&[&given[..], what].concat());
}

fn start(job: &Job, servers: &str, user: &str) -> Daemon {
    let properties = format!(
        "\"security.protocol\" = \"sasl_plaintext\"\n{}",
        login("PLAIN", user)
    );
    let setup = job.setup(servers, &properties);
    setup.environment("PASSWORD", &password(user)).start()
}

/// A newcomer without any right: topics that can't be made, a group that can't be used, a topic that can't
/// be read, one that can't be written to. Each is told when its turn comes, and the daemon goes on when
/// it is given, without a restart.
#[test]
fn each_missing_right_is_told_and_the_work_goes_on() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "rights");
    let (input, output, group) = (job.input.as_str(), job.output.as_str(), job.group.as_str());
    let daemon = start(&job, &doors.open_login(), "newcomer");
    assert_waits(&daemon);
    let needle = format!("topic `{input}`");
    assert_eq!(
        told(&daemon, &needle),
        format!(
            "WARN topic `{input}`: not authorised: it is not there, and the broker's ACLs deny CREATE; \
             or it is there, and they deny DESCRIBE"
        )
    );
    assert_eq!(hint(&daemon, &needle), GOES_ON);

    let all = ["--resource-pattern-type", "prefixed", "--topic", input];
    give(kafka, "newcomer", "Describe", &all);
    give(kafka, "newcomer", "Create", &all);
    let needle = format!("where group `{group}` starts");
    assert_eq!(
        told(&daemon, &needle),
        format!(
            "WARN {needle}: not authorised: the broker's ACLs deny READ on the consumer group `{group}`"
        )
    );
    assert_eq!(hint(&daemon, &needle), GOES_ON);
    assert_waits(&daemon);

    give(kafka, "newcomer", "Read", &["--group", group]);
    let denied = format!("not authorised: the broker's ACLs deny READ on topic `{input}`");
    assert_eq!(
        told(&daemon, &denied),
        format!("WARN {needle}: the commit of {input}/0 was refused: {denied}")
    );
    assert_eq!(hint(&daemon, &denied), GOES_ON);

    // Now it starts, and its producer meets a wall of its own.
    give(kafka, "newcomer", "Read", &["--topic", input]);
    let written = told(&daemon, "could not be delivered");
    assert!(
        written.contains(
            "not authorised: the broker's ACLs give this client no topic to write to: WRITE"
        ),
        "{written}"
    );

    // It may write to one topic, and so to none of the others.
    give(kafka, "newcomer", "Write", &["--topic", input]);
    job.probe.produce_to(input, 0, [("k", "0")]);
    let emit = told(&daemon, "handler failed");
    assert!(
        emit.ends_with(&format!(
            "not authorised: the broker's ACLs deny WRITE on topic `{output}`"
        )),
        "{emit}"
    );
    let stuck = told(&daemon, "can't go on with");
    assert!(
        stuck.contains(&format!(
            "its dead letter can not be written: not authorised: the broker's ACLs deny WRITE on topic \
             `{input}.dead`. When it may, `deliveryd resume {group} {input}:0` goes on"
        )),
        "{stuck}"
    );

    give(kafka, "newcomer", "Write", &all);
    let resumed = daemon.command(&["resume", group, &format!("{input}:0")]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    job.probe.wait_until_committed(group, input, SOON);
    assert!(daemon.stop().status.success());
}

/// A producer that may not write yet is told, and writes when it may: its client, which is of no more
/// use by then, is replaced.
#[test]
fn a_producer_writes_when_it_may() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "late");
    job.probe.create_topic(&job.input, 1);
    give(kafka, "late", "Describe", &["--topic", &job.input]);
    let toml = format!(
        "[kafka.properties]\n\"security.protocol\" = \"sasl_plaintext\"\n{}\n\
         [topics.{:?}]\ncreate = false\n\n\
         [producers.steady]\ntopic = {:?}\nhandler = \"steady.rhai\"\nrate = 20.0\n",
        login("PLAIN", "late"),
        job.input,
        job.input
    );
    let daemon = crate::support::Setup::new(&doors.open_login(), &toml)
        .handler("steady.rhai", "fn generate(n) { `${n}` }")
        .environment("PASSWORD", &password("late"))
        .start();
    let line = told(&daemon, "could not be delivered");
    assert!(line.contains("WRITE on the topic is missing"), "{line}");
    assert_eq!(daemon.output.count("FATAL"), 0, "{}", daemon.output.text());
    give(kafka, "late", "Write", &["--topic", &job.input]);
    daemon.wait_until("messages to arrive", SOON, |status| {
        status.at("/producers/steady/produced").as_u64() > Some(10)
    });
    assert!(daemon.stop().status.success());
}

/// Commands that look at topics need no right to a group; what they lack is told.
#[test]
fn commands_say_which_right_is_missing() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "clerk");
    job.probe.create_topic(&job.input, 1);
    job.probe.produce_to(&job.input, 0, [("k", "v")]);
    let properties = format!(
        "\"security.protocol\" = \"sasl_plaintext\"\n{}",
        login("PLAIN", "clerk")
    )
    .replace("env = \"PASSWORD\"", "file = \"password\"");
    let setup = job.setup(&doors.open_login(), &properties);
    std::fs::write(setup.dir().join("password"), password("clerk")).expect("the secret");
    let said = |arguments: &[&str]| {
        let answer = setup.ask(arguments);
        assert_eq!(answer.code, Some(1), "{arguments:?}: {answer:#?}");
        answer.err.lines().last().unwrap_or_default().to_owned()
    };
    let input = job.input.as_str();
    let hidden = format!(
        "error: the cluster at {} has no topic `{input}`, or its ACLs hide it from this client",
        doors.open_login()
    );
    assert_eq!(said(&["read", input, "--last", "1"]), hidden);
    assert_eq!(said(&["produce", input, "x"]), hidden);

    give(kafka, "clerk", "Describe", &["--topic", input]);
    assert_eq!(
        said(&["read", input, "--last", "1"]),
        format!("error: not authorised: the broker's ACLs deny READ on topic `{input}`")
    );
    let written = said(&["produce", input, "x"]);
    assert!(
        written.contains("WRITE on the topic is missing"),
        "{written}"
    );

    give(kafka, "clerk", "Read", &["--topic", input]);
    let read = setup.ask(&["read", input, "--last", "1"]);
    assert_eq!(read.code, Some(0), "{read:#?}");
    assert!(read.out.contains("k  v"), "{read:#?}");
}
