//! `deliveryd plan`: what a reload would do, like a diff. The daemon itself reads its configuration and
//! compares, so that a reload does just this.

use std::io;

use super::{Exit, Output, remote};
use crate::control::protocol::{Planned, Verdict};
use crate::control::{Client, Wanted};

/// Asks the running daemon and prints what it says.
///
/// # Errors
/// What the writers say.
pub fn plan(wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    remote::asked(
        wanted,
        Client::plan,
        |planned, output| show(&planned, output),
        output,
    )
}

fn show(planned: &Planned, output: &mut Output<'_>) -> io::Result<Exit> {
    for text in planned.warnings.iter().chain(&planned.mistakes) {
        writeln!(output.err, "{text}\n")?;
    }
    for refused in &planned.refused {
        writeln!(output.out, "! {refused}")?;
    }
    for change in &planned.changes {
        writeln!(output.out, "{} {}", change.mark, change.text)?;
    }
    for note in &planned.notes {
        writeln!(output.out, "  {note}")?;
    }
    let generation = planned.generation;
    match planned.verdict {
        Verdict::Good if planned.changes.is_empty() => {
            writeln!(
                output.out,
                "nothing to change; generation {generation} runs"
            )?;
            Ok(Exit::Done)
        }
        Verdict::Good => {
            let number = planned.changes.len();
            let changes = if number == 1 { "change" } else { "changes" };
            writeln!(
                output.out,
                "{number} {changes}; generation {generation} runs, `deliveryd reload` makes them"
            )?;
            Ok(Exit::Done)
        }
        Verdict::Refused => {
            writeln!(
                output.err,
                "a reload would be refused; generation {generation} runs"
            )?;
            Ok(Exit::Config)
        }
        Verdict::Wrong | Verdict::Failed => {
            let number = planned.mistakes.len();
            let mistakes = if number == 1 { "mistake" } else { "mistakes" };
            writeln!(
                output.err,
                "{number} {mistakes}; a reload would be refused; generation {generation} runs"
            )?;
            Ok(Exit::Config)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::Change;

    fn shown(planned: &Planned) -> (String, String, Exit) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output {
            out: &mut out,
            err: &mut err,
            colour: false,
        };
        let exit = show(planned, &mut output).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out), text(err), exit)
    }

    /// A plan reads like a diff, with what to do next below it.
    #[test]
    fn a_plan_reads_like_a_diff() {
        let change = |mark, text: &str| Change {
            mark,
            text: text.to_owned(),
        };
        let mut planned = Planned {
            generation: 3,
            changes: vec![
                change('+', "group late: added (1 member of Delivery)"),
                change('-', "producer random: removed"),
            ],
            notes: vec!["topic Old: no longer configured".to_owned()],
            ..Planned::default()
        };
        let (out, err, exit) = shown(&planned);
        assert_eq!(
            out,
            "+ group late: added (1 member of Delivery)\n\
             - producer random: removed\n  \
               topic Old: no longer configured\n\
             2 changes; generation 3 runs, `deliveryd reload` makes them\n"
        );
        assert_eq!((err.as_str(), exit), ("", Exit::Done));

        planned.verdict = Verdict::Refused;
        planned.refused = vec!["daemon.http: a → b can't be changed while it runs: c".to_owned()];
        let (out, err, exit) = shown(&planned);
        assert!(out.starts_with("! daemon.http"), "{out}");
        assert_eq!(err, "a reload would be refused; generation 3 runs\n");
        assert_eq!(exit, Exit::Config);
    }

    /// Without a difference it says so, and that is no failure.
    #[test]
    fn nothing_to_change_is_good() {
        let (out, _, exit) = shown(&Planned {
            generation: 1,
            ..Planned::default()
        });
        assert_eq!(out, "nothing to change; generation 1 runs\n");
        assert_eq!(exit, Exit::Done);
    }

    /// Mistakes are shown as `check` shows them, with the exit code that says whose fault it is.
    #[test]
    fn mistakes_are_the_configurations() {
        let (out, err, exit) = shown(&Planned {
            generation: 1,
            verdict: Verdict::Wrong,
            mistakes: vec!["error: unknown setting `membres`".to_owned()],
            ..Planned::default()
        });
        assert_eq!(out, "");
        assert_eq!(
            err,
            "error: unknown setting `membres`\n\n\
             1 mistake; a reload would be refused; generation 1 runs\n"
        );
        assert_eq!(exit, Exit::Config);
    }
}
