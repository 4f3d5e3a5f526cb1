//! Logins: the job is done over each mechanism, and a login that is refused is told and mended.

use std::fs;
use std::sync::OnceLock;

use crate::doors::{Doors, guarded, password};
use crate::support::{Kafka, Setup};
use crate::tls::tls;
use crate::{Job, SOON, assert_commands_say, assert_waits, hint, needs_kafka, told};

/// The broker, where `worker` may do everything.
pub fn worked() -> (&'static Kafka, &'static Doors) {
    static ALLOWED: OnceLock<()> = OnceLock::new();
    let (kafka, doors) = guarded();
    ALLOWED.get_or_init(|| {
        let who = [
            "--add",
            "--allow-principal",
            "User:worker",
            "--operation",
            "All",
        ];
        let what = [
            "--topic",
            "*",
            "--group",
            "*",
            "--transactional-id",
            "*",
            "--cluster",
        ];
        kafka.tools().acls(&[&who[..], &what].concat());
    });
    (kafka, doors)
}

/// A login with a name and a password that comes from the environment.
pub fn login(mechanism: &str, user: &str) -> String {
    format!(
        "\"sasl.mechanism\" = {mechanism:?}\n\"sasl.username\" = {user:?}\n\
         \"sasl.password\" = {{ env = \"PASSWORD\" }}\n"
    )
}

fn is_done_with(mechanism: &str, door: fn(&Doors) -> String, protocol: &str) {
    let (kafka, doors) = worked();
    let job = Job::new(kafka, mechanism);
    let tls = tls(doors).replace("\"ssl\"", &format!("{protocol:?}"));
    let properties = tls + &login(mechanism, "worker");
    let setup = job.setup(&door(doors), &properties);
    let daemon = setup.environment("PASSWORD", &password("worker")).start();
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

#[test]
fn the_job_is_done_with_plain() {
    needs_kafka!();
    is_done_with("PLAIN", Doors::login, "sasl_ssl");
}

#[test]
fn the_job_is_done_with_scram_sha_256() {
    needs_kafka!();
    is_done_with("SCRAM-SHA-256", Doors::login, "sasl_ssl");
}

#[test]
fn the_job_is_done_with_scram_sha_512_without_tls() {
    needs_kafka!();
    is_done_with("SCRAM-SHA-512", Doors::open_login, "sasl_plaintext");
}

/// With tokens that nobody signs, as for trying it out.
#[test]
fn the_job_is_done_with_oauthbearer() {
    needs_kafka!();
    let (kafka, doors) = worked();
    let job = Job::new(kafka, "oauthbearer");
    let properties = "\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"OAUTHBEARER\"\n\
        \"enable.sasl.oauthbearer.unsecure.jwt\" = true\n\
        \"sasl.oauthbearer.config\" = { env = \"TOKEN\" }\n";
    let setup = job.setup(&doors.open_login(), properties);
    let daemon = setup.environment("TOKEN", "principal=worker").start();
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

/// A wrong password is told by the daemon once, and by each command. The daemon waits; when the secret is
/// right a reload has it go on.
#[test]
fn a_wrong_password_is_told_and_mended() {
    needs_kafka!();
    let (kafka, doors) = worked();
    let job = Job::new(kafka, "password");
    let protocol = "\"security.protocol\" = \"sasl_plaintext\"\n";
    let login = login("PLAIN", "worker").replace("env = \"PASSWORD\"", "file = \"password\"");
    let setup = job.setup(&doors.open_login(), &format!("{protocol}{login}"));
    let secret = setup.dir().join("password");
    fs::write(&secret, "not-it\n").expect("the secret");
    let daemon = setup.start();
    assert_waits(&daemon);
    let expected = format!(
        "authentication failed: the broker at {} refused the login: Authentication failed: Invalid username \
         or password; check security.protocol and sasl.* in [kafka.properties]",
        doors.open_login()
    );
    assert_eq!(told(&daemon, "authentication"), format!("WARN {expected}"));
    assert_eq!(
        hint(&daemon, "authentication"),
        "is it another password by now? `deliveryd reload` reads secrets again; what is mended on the \
         broker is noticed by itself"
    );
    assert_commands_say(daemon.setup(), &job, &expected);
    let status = daemon.wait_until("the reason", SOON, |status| {
        status.at("/brokers/state") == "down"
    });
    assert!(status.to_string().contains("refused the login"), "{status}");

    fs::write(&secret, password("worker")).expect("the secret");
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

/// librdkafka's default mechanism is not built in: the check says so, and what there is.
#[test]
fn a_mechanism_that_is_not_built_in_is_told() {
    let properties = "\"security.protocol\" = \"sasl_ssl\"\n";
    let toml = format!("[kafka.properties]\n{properties}[topics.T]\n");
    let setup = Setup::new("localhost:9092", &toml);
    let answer = setup.ask(&["check"]);
    assert_eq!(answer.code, Some(78), "{answer:#?}");
    let expected = format!(
        "error: no Kafka client can be made with [kafka.properties]\n  --> {}\n   \
         = the login with GSSAPI (Kerberos) is not built in\n   \
         = set `\"sasl.mechanism\"` to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; GSSAPI is \
         librdkafka's default\n\n1 mistake; nothing was started.\n",
        setup
            .config()
            .file_name()
            .expect("a name")
            .to_string_lossy()
    );
    assert_eq!(answer.err, expected);
}

/// A certificate that is none, and a key without its password, are found by the check.
#[test]
fn broken_certificates_are_found_by_the_check() {
    let properties = "\"security.protocol\" = \"ssl\"\n\"ssl.ca.location\" = \"ca.crt\"\n";
    let toml = format!("[kafka.properties]\n{properties}[topics.T]\n");
    let setup = Setup::new("localhost:9092", &toml);
    fs::write(setup.dir().join("ca.crt"), "no certificate").expect("a file");
    let answer = setup.ask(&["check"]);
    assert_eq!(answer.code, Some(78), "{answer:#?}");
    assert!(answer.err.contains("ssl.ca.location failed"), "{answer:#?}");
    assert_eq!(
        answer.err.matches("error").count(),
        2,
        "librdkafka adds nothing: {answer:#?}"
    );
}
