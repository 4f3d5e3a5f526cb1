//! `deliveryd reload`: has the daemon reload, waits until that is in force, and prints what was done.

use std::io::{self, Write};
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use unicode_width::UnicodeWidthStr;

use super::{Exit, Output, remote};
use crate::control::protocol::{Reloaded, Verdict};
use crate::control::{Client, Wanted};
use crate::observe::terminal::duration;

/// Times stand in one column unless a line is longer than this.
const WIDEST: usize = 72;

/// Asks the running daemon and prints what came of it.
///
/// # Errors
/// What the writers say.
pub fn reload(wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    tell_at_interrupt()?;
    remote::asked(
        wanted,
        Client::reload,
        |reloaded, output| show(&reloaded, output),
        output,
    )
}

/// Ctrl-C ends the waiting. The daemon was asked and goes on, which nobody would guess.
fn tell_at_interrupt() -> io::Result<()> {
    const GOES_ON: &str = "the reload goes on; `deliveryd status` and the log say what comes of it";
    let mut signals = Signals::new([SIGINT])?;
    std::thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                // Where nobody can read it, nothing else can be done either.
                writeln!(io::stderr(), "{GOES_ON}").ok();
                signal_hook::low_level::exit(128 + SIGINT);
            }
        })
        .map(drop)
}

fn show(reloaded: &Reloaded, output: &mut Output<'_>) -> io::Result<Exit> {
    for warning in &reloaded.warnings {
        writeln!(output.err, "{warning}\n")?;
    }
    if reloaded.verdict != Verdict::Good {
        for step in &reloaded.steps {
            for line in &step.lines {
                writeln!(output.err, "undone: {line}")?;
            }
        }
        let lead = match reloaded.verdict {
            // These have their own.
            Verdict::Wrong => "",
            _ => "error: ",
        };
        for (index, reason) in reloaded.reasons.iter().enumerate() {
            let lead = if index == 0 { lead } else { "" };
            writeln!(output.err, "{lead}{reason}")?;
        }
        return Ok(match reloaded.verdict {
            Verdict::Failed => Exit::Failed,
            _ => Exit::Config,
        });
    }
    let lines = reloaded.steps.iter().flat_map(|step| &step.lines);
    let widths = lines
        .map(|line| line.width())
        .filter(|width| *width <= WIDEST);
    let width = widths.max().unwrap_or_default();
    for step in &reloaded.steps {
        for (index, line) in step.lines.iter().enumerate() {
            // The time is that of the whole step.
            if index == 0 {
                let padding = width.saturating_sub(line.width());
                let took = time(step.seconds);
                writeln!(output.out, "{line}{:padding$}  {took}", "")?;
            } else {
                writeln!(output.out, "{line}")?;
            }
        }
    }
    for note in &reloaded.notes {
        writeln!(output.out, "{note}")?;
    }
    if let Some(waiting) = &reloaded.waiting {
        writeln!(output.out, "the start begins anew with it; {waiting}")?;
        return Ok(Exit::Done);
    }
    let (generation, took) = (reloaded.generation, time(reloaded.seconds));
    if reloaded.steps.is_empty() {
        writeln!(
            output.out,
            "nothing changed; generation {generation} is in force"
        )?;
    } else {
        writeln!(
            output.out,
            "generation {generation} is in force after {took}"
        )?;
    }
    Ok(Exit::Done)
}

fn time(seconds: f64) -> String {
    // The number comes from another process.
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::StepTaken;

    fn shown(reloaded: &Reloaded) -> (String, String, Exit) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output {
            out: &mut out,
            err: &mut err,
            colour: false,
        };
        let exit = show(reloaded, &mut output).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out), text(err), exit)
    }

    fn step(lines: &[&str], seconds: f64) -> StepTaken {
        StepTaken {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            seconds,
        }
    }

    /// Each step with its time, and the generation that is in force.
    #[test]
    fn steps_have_their_times() {
        let (out, err, exit) = shown(&Reloaded {
            reload: 4,
            generation: 4,
            steps: vec![
                step(
                    &["group-1: rate 5/s → 9/s", "group-1: in_flight 1 → 2"],
                    0.0,
                ),
                step(&["group-1: members 2 → 3"], 1.13),
            ],
            seconds: 1.25,
            ..Reloaded::default()
        });
        assert_eq!(
            out,
            "group-1: rate 5/s → 9/s   0 ms\n\
             group-1: in_flight 1 → 2\n\
             group-1: members 2 → 3    1.1 s\n\
             generation 4 is in force after 1.3 s\n"
        );
        assert_eq!((err.as_str(), exit), ("", Exit::Done));
    }

    /// Before the first broker is found, a reload is taken up, and what is missing is said.
    #[test]
    fn a_start_that_waits_says_so() {
        let (out, err, exit) = shown(&Reloaded {
            reload: 2,
            generation: 2,
            waiting: Some("waiting for the broker at b:9092".to_owned()),
            ..Reloaded::default()
        });
        assert_eq!(
            out,
            "the start begins anew with it; waiting for the broker at b:9092\n"
        );
        assert_eq!((err.as_str(), exit), ("", Exit::Done));
    }

    /// A step that failed is 1, what the configuration asks for wrongly is 78; both say what runs.
    #[test]
    fn failures_say_what_still_runs() {
        let mut reloaded = Reloaded {
            reload: 4,
            generation: 3,
            verdict: Verdict::Failed,
            steps: vec![step(&["group late: added (1 member of Late)"], 0.2)],
            reasons: vec![
                "group late: no such topic".to_owned(),
                "generation 3 still runs".to_owned(),
            ],
            ..Reloaded::default()
        };
        let (out, err, exit) = shown(&reloaded);
        assert_eq!(out, "");
        assert_eq!(
            err,
            "undone: group late: added (1 member of Late)\n\
             error: group late: no such topic\ngeneration 3 still runs\n"
        );
        assert_eq!(exit, Exit::Failed);
        reloaded.verdict = Verdict::Refused;
        assert_eq!(shown(&reloaded).2, Exit::Config);
        reloaded.verdict = Verdict::Wrong;
        let (_, err, exit) = shown(&reloaded);
        assert!(!err.contains("error: group"), "{err}");
        assert_eq!(exit, Exit::Config);
    }
}
