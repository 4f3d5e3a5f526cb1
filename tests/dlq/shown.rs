//! A replay as whoever watches it sees it, and what an interrupted one to the group leaves to the next.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::letters::{Letters, SOON};
use super::support::output::Output;
use super::support::process::Process;
use super::support::wait_for;
use crate::needs_kafka;

/// On a terminal a bar shows how far it is; `--rate` bounds how fast it goes.
#[test]
fn a_replay_shows_how_far_it_is_and_holds_its_rate() {
    needs_kafka!();
    let letters = Letters::of("shown", &["a"], 30);
    let begin = Instant::now();
    let (code, text) = in_a_terminal(&letters, "dlq replay --rate 20");
    let took = begin.elapsed();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("looked at "), "{text}");
    assert!(text.contains(" of 60"), "{text}");
    assert!(text.contains("60 replayed to their topic"), "{text}");
    // Three seconds of them, less what may run ahead.
    assert!(took > Duration::from_millis(2700), "it took {took:?}");
}

/// Interrupted on its way to the group, the same command goes on with the rest; what has been handled is not
/// handled again, and does not go to the topic either.
#[test]
fn a_replay_to_the_group_is_interrupted_and_goes_on() {
    needs_kafka!();
    let letters = Letters::of("half-way", &["a"], 40);
    let to_group = ["dlq", "replay", "--to", "group"];
    let copies = || letters.case.probe.read_committed(&letters.case.out);
    let mut done = 0;
    for signal in [libc::SIGINT, libc::SIGKILL] {
        let mut command = letters
            .setup
            .command(&[&to_group[..], &["--rate", "30"]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut replay = Process::spawn("replay", command);
        wait_for("some letters to be handled", SOON, || {
            match copies().len() {
                n if n >= done + 5 => Ok(()),
                n => Err(format!("{n} of {}", done + 5)),
            }
        });
        replay.signal(signal);
        let (status, _) = replay.wait(SOON);
        assert!(!status.success(), "it was interrupted too late");
        done = copies().len();
    }
    letters.done(&to_group[1..]);
    letters.wait_for_counts(0, 80);
    let again = letters.done(&to_group[1..]);
    let expected = "0 replayed to the group\n80 had been replayed before";
    assert!(again.starts_with(expected), "{again}");
    letters.done(&["replay"]);
    let copies = copies();
    let mut places: Vec<_> = copies
        .iter()
        .map(|copy| copy.json())
        .map(|copy| (copy["partition"].as_i64(), copy["offset"].as_i64()))
        .collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!((places.len(), copies.len()), (80, 80));
    assert_eq!(letters.replayed(40), [], "the topic is as it was");
}

/// Runs a command to its end on a terminal of its own; with all that was shown there.
fn in_a_terminal(letters: &Letters, arguments: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_deliveryd");
    let config = letters.setup.config();
    let line = format!("{program} {arguments} --config {}", config.display());
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm")
        .current_dir(letters.setup.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut process = Process::spawn("script", command);
    let shown = Output::default();
    let reader = process.child().stdout.take().map(|out| shown.collect(out));
    let (status, _) = process.wait(SOON);
    assert!(reader.is_some_and(|reader| reader.join().is_ok()));
    (status.code(), shown.text())
}
