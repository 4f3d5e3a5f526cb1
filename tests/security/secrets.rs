//! A secret is used and never told: not in logs at any level, nor in librdkafka's own lines, nor by the
//! status, the metrics, `config show`, plans, reloads, complaints or the process's arguments.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::doors::password;
use crate::logins::{login, worked};
use crate::support::{Daemon, Setup, wait_for};
use crate::{Job, SOON, needs_kafka};

/// Everything that the daemon and its commands have said by now, and where.
struct Told(Vec<(String, String)>);

impl Told {
    fn add(&mut self, place: &str, text: impl Into<String>) {
        self.0.push((place.to_owned(), text.into()));
    }

    /// What a command of this configuration says, run by hand.
    fn ask(&mut self, setup: &Setup, environment: &[(&str, &str)], arguments: &[&str]) {
        let mut command = setup.command(arguments);
        let output = command.envs(environment.iter().copied()).output();
        let output = output.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let both = [&output.stdout[..], &output.stderr[..]].concat();
        self.add(&format!("{arguments:?}"), String::from_utf8_lossy(&both));
    }

    /// The channels of a daemon that runs.
    fn listen(&mut self, daemon: &Daemon) {
        for path in ["/api/status", "/api/history", "/metrics", "/readyz", "/"] {
            self.add(path, daemon.get(path).body);
        }
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["plan"],
            &["reload"],
        ] {
            let answer = daemon.command(arguments);
            self.add(&format!("{arguments:?}"), answer.out + &answer.err);
        }
        for file in ["cmdline", "comm"] {
            let text = fs::read(format!("/proc/{}/{file}", daemon.id()));
            let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
            self.add(file, String::from_utf8_lossy(&text));
        }
        self.add("its output", daemon.output.text());
        let log = daemon.dir().join("deliveryd.log");
        for entry in fs::read_dir(daemon.dir()).expect("its directory").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(&*log.file_name().expect("a name").to_string_lossy()) {
                let text = fs::read_to_string(entry.path()).expect("the log");
                assert!(!text.is_empty(), "{name} has nothing in it");
                self.add(&name, text);
            }
        }
    }

    #[track_caller]
    fn holds_nothing_of(&self, secret: &str, user: &str) {
        let exchanged = STANDARD.encode(format!("\0{user}\0{secret}"));
        for form in [secret, &exchanged, &STANDARD.encode(secret)] {
            for (place, text) in &self.0 {
                let line = text.lines().find(|line| line.contains(form));
                assert_eq!(line, None, "{place} tells a secret");
            }
        }
    }
}

/// With everything switched on that makes it talk.
fn talkative(job: &Job, servers: &str, source: &str) -> Setup {
    let login = login("PLAIN", "worker").replace("{ env = \"PASSWORD\" }", source);
    let properties =
        format!("\"security.protocol\" = \"sasl_plaintext\"\n\"debug\" = \"all\"\n{login}");
    job.setup(servers, &properties)
        .set("log.level", "\"debug\"")
        .set("log.file", "\"deliveryd.log\"")
}

/// Runs it, makes mistakes around the secret, and collects what is said.
fn all_that_is_said(job: &Job, setup: Setup, environment: &[(&str, &str)], works: bool) -> Told {
    let mut told = Told(Vec::new());
    told.ask(&setup, environment, &["check"]);
    told.ask(&setup, environment, &["config", "show"]);
    told.ask(&setup, environment, &["produce", &job.input, "x"]);
    told.ask(&setup, environment, &["read", &job.input]);
    told.ask(&setup, environment, &["dlq", "list"]);
    let mut setup = setup;
    for (name, value) in environment {
        setup = setup.environment(name, value);
    }
    let daemon = setup.start();
    match works {
        true => job.wait_until_done(&daemon),
        false => drop(daemon.wait_for_line("authentication failed", SOON)),
    }
    let talks = |needle: &str| {
        wait_for(needle, SOON, || match daemon.output.count(needle) {
            0 => Err(daemon.output.tail()),
            _ => Ok(()),
        });
    };
    // librdkafka's own debug lines, about the login too; or this would test nothing.
    talks("librdkafka: SASL");
    told.listen(&daemon);
    for (from, to) in [
        ("\"sasl.username\"", "\"sasl.usernam\""),
        (
            "\"sasl.usernam\"",
            "\"sasl.username\" = \"x\"\n\"sasl.username\"",
        ),
        (
            "\"sasl.username\" = \"x\"\n",
            "\"security.protocl\" = { env = \"PASSWORD\" }\n",
        ),
        ("\"security.protocl\"", "\"compression.type\""),
    ] {
        daemon.edit_config(from, to);
        told.listen(&daemon);
        told.ask(daemon.setup(), environment, &["check"]);
        told.ask(daemon.setup(), environment, &["config", "show"]);
    }
    told.add("its end", daemon.stop().output);
    told
}

/// From a variable, a file and a credential, with a login that is good.
#[test]
fn a_secret_in_use_is_never_told() {
    needs_kafka!();
    let (_, doors) = worked();
    let secret = password("worker");
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("kafka"), &secret).expect("the credential");
    let directory = folder.path().display().to_string();
    for (source, environment) in [
        ("{ env = \"PASSWORD\" }", [("PASSWORD", secret.as_str())]),
        ("{ file = \"secret\" }", [("PASSWORD", "compression")]),
        (
            "{ credential = \"kafka\" }",
            [("CREDENTIALS_DIRECTORY", directory.as_str())],
        ),
    ] {
        let (kafka, _) = worked();
        let job = Job::new(kafka, "secret");
        let setup = talkative(&job, &doors.open_login(), source);
        fs::write(setup.dir().join("secret"), &secret).expect("the secret");
        let told = all_that_is_said(&job, setup, &environment, true);
        told.holds_nothing_of(&secret, "worker");
    }
}

/// One that the broker refuses is no less a secret.
#[test]
fn a_secret_that_is_refused_is_never_told() {
    needs_kafka!();
    let (kafka, doors) = worked();
    let job = Job::new(kafka, "refused");
    let secret = "hunter2-is-not-it";
    let setup = talkative(&job, &doors.open_login(), "{ env = \"PASSWORD\" }");
    let told = all_that_is_said(&job, setup, &[("PASSWORD", secret)], false);
    told.holds_nothing_of(secret, "worker");
}

/// Nor is a part of one told that librdkafka quotes in its complaint.
#[test]
fn a_secret_that_is_quoted_in_part_is_not_told() {
    needs_kafka!();
    let (kafka, doors) = worked();
    let job = Job::new(kafka, "quoted");
    let properties = "\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"OAUTHBEARER\"\n\
        \"enable.sasl.oauthbearer.unsecure.jwt\" = true\n\
        \"sasl.oauthbearer.config\" = { file = \"token\" }\n";
    let setup = job.setup(&doors.open_login(), properties);
    let token = "principal=worker wrong_claim=hunter2";
    fs::write(setup.dir().join("token"), token).expect("the token");
    let answer = setup.ask(&["produce", &job.input, "x"]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    assert!(answer.err.contains("beginning at: ********"), "{answer:#?}");
    assert!(!answer.err.contains("hunter2"), "{answer:#?}");
}

/// A secret on the command line is refused, not told, and the way instead is taken.
#[test]
fn a_secret_is_not_taken_from_the_command_line() {
    let setup = Setup::new("localhost:9092", "[topics.T]\n");
    let secret = "kafka.properties.\"sasl.password\"=hunter2";
    let refused = setup.ask(&["check", "--set", secret]);
    assert_eq!(refused.code, Some(78), "{refused:#?}");
    assert!(
        refused.err.contains("is a secret on the command line"),
        "{refused:#?}"
    );
    assert!(!refused.err.contains("hunter2"), "{refused:#?}");
    let instead = "kafka.properties.\"sasl.password\"={ file = \"secret\" }";
    assert!(refused.err.contains("={ file = \"PATH\" }"), "{refused:#?}");
    fs::write(setup.dir().join("secret"), "hunter2").expect("the secret");
    let taken = setup.ask(&["config", "show", "--set", instead]);
    assert_eq!(taken.code, Some(0), "{taken:#?}");
    assert!(!taken.out.contains("hunter2"), "{taken:#?}");
}
