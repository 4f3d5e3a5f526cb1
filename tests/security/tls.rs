//! TLS: the job is done over it, and what is wrong with certificates and protocols is told.

use crate::doors::{Doors, guarded};
use crate::support::Setup;
use crate::{Job, assert_commands_say, assert_waits, hint, needs_kafka, told};

const RELOAD: &str = "`deliveryd reload` takes up a changed configuration at once";

/// TLS with the authority that signed the broker's certificate.
pub fn tls(doors: &Doors) -> String {
    format!(
        "\"security.protocol\" = \"ssl\"\n\"ssl.ca.location\" = {:?}\n",
        doors.authority()
    )
}

/// The whole job is done over TLS; files are found from the folder of the config.
#[test]
fn the_job_is_done_over_tls() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "tls");
    let properties = "\"security.protocol\" = \"ssl\"\n\"ssl.ca.location\" = \"ca.crt\"\n";
    let setup = job.setup(&doors.tls(), properties);
    let copied = std::fs::copy(doors.authority(), setup.dir().join("ca.crt"));
    copied.expect("the authority's certificate");
    // A working directory without such a file.
    let shown = setup.command(&["config", "show"]).current_dir("/").output();
    let shown = String::from_utf8(shown.expect("config show").stdout).expect("text");
    let whole = setup.dir().join("ca.crt").display().to_string();
    assert!(shown.contains(&whole), "{shown}");
    let daemon = setup.start();
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

/// With a certificate of its own the daemon is who the certificate says, and has that one's rights.
#[test]
fn a_certificate_is_a_login() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "mutual");
    kafka.tools().acls(&[
        "--add",
        "--allow-principal",
        "User:CN=worker",
        "--operation",
        "All",
        "--resource-pattern-type",
        "prefixed",
        "--topic",
        &job.input,
        "--group",
        &job.input,
    ]);
    let client = doors.client();
    let properties = format!(
        "{}\"ssl.certificate.location\" = {:?}\n\"ssl.key.location\" = {:?}\n",
        tls(doors),
        client.certificate,
        client.key
    );
    let daemon = job.setup(&doors.tls(), &properties).start();
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

/// A certificate of an unknown authority is told as such, by the daemon once and by each command. The
/// daemon waits, and a reload with the right authority has it go on.
#[test]
fn an_unknown_authority_is_told_and_mended() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "unknown");
    let daemon = job
        .setup(&doors.tls(), "\"security.protocol\" = \"ssl\"")
        .start();
    assert_waits(&daemon);
    let expected = format!(
        "no TLS connection to the broker at {}: no authority that is known here has signed its \
         certificate; set ssl.ca.location in [kafka.properties] to its authority's certificate",
        doors.tls()
    );
    assert_eq!(told(&daemon, "no TLS"), format!("WARN {expected}"));
    assert_eq!(hint(&daemon, "no TLS"), RELOAD);
    assert_commands_say(daemon.setup(), &job, &expected);
    let warnings = daemon.output.count("WARN") + daemon.output.count("ERROR");
    assert!(warnings <= 3, "a flood:\n{}", daemon.output.text());

    daemon.edit_config("\"security.protocol\" = \"ssl\"", tls(doors).trim_end());
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    job.wait_until_done(&daemon);
    assert!(daemon.stop().status.success());
}

/// A certificate for another name is told as such; the daemon waits until the name is right.
#[test]
fn a_certificate_for_another_name_is_told_and_mended() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "named");
    let daemon = job.setup(&doors.elsewhere(), &tls(doors)).start();
    assert_waits(&daemon);
    let expected = format!(
        "no TLS connection to the broker at {}: its certificate is not for `127.0.0.1`; use a name that \
         is in the certificate, in `kafka.brokers` and in the brokers' advertised.listeners",
        doors.elsewhere()
    );
    assert_eq!(told(&daemon, "no TLS"), format!("WARN {expected}"));
    assert_eq!(hint(&daemon, "no TLS"), RELOAD);
    assert_commands_say(daemon.setup(), &job, &expected);

    daemon.edit_config(&doors.elsewhere(), &doors.tls());
    let answer = daemon.command(&["reload"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    job.wait_until_done(&daemon);
}

/// Who turns the check of names off gets what librdkafka then accepts: a known authority is enough.
#[test]
fn names_are_not_looked_at_where_that_is_said() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "nameless");
    let lax = tls(doors) + "\"ssl.endpoint.identification.algorithm\" = \"none\"\n";
    let daemon = job.setup(&doors.elsewhere(), &lax).start();
    job.wait_until_done(&daemon);
}

fn asked(job: &Job, servers: &str, properties: &str) -> (Setup, String) {
    let setup = job.setup(servers, properties);
    let answer = setup.ask(&["produce", &job.input, "x"]);
    assert_eq!(answer.code, Some(1), "{answer:#?}");
    (setup, answer.err.trim_end().to_owned())
}

/// No TLS where the broker wants it, and TLS where it does not, are told apart from a broker that is
/// down.
#[test]
fn the_wrong_protocol_is_told() {
    needs_kafka!();
    let (kafka, doors) = guarded();
    let job = Job::new(kafka, "protocol");
    let check = "check security.protocol in [kafka.properties]";
    let (setup, complaint) = asked(&job, &doors.tls(), "");
    let expected = format!(
        "the broker at {} hangs up: does its port speak TLS? {check}",
        doors.tls()
    );
    assert_eq!(complaint, format!("error: {expected}"));
    let daemon = setup.start();
    assert_eq!(told(&daemon, "hangs up"), format!("WARN {expected}"));
    assert_eq!(hint(&daemon, "hangs up"), RELOAD);

    let (_, complaint) = asked(&job, &kafka.servers(), &tls(doors));
    let speaks = format!(
        "error: the broker at {} speaks no TLS at this port; {check}",
        kafka.servers()
    );
    assert_eq!(complaint, speaks);
}
