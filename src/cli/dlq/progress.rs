//! How far a replay is, for whoever watches it: a bar, or lines between those that the handler logs.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::To;
use crate::dlq::Tally;
use crate::observe::terminal::tell;

/// Between two lines.
const AGAIN: Duration = Duration::from_secs(5);

/// What is shown. Nothing where standard error is no terminal.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    /// `of` is how many offsets are to be looked at.
    pub(super) fn begin(to: To, of: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Nothing;
        }
        match to {
            To::Group => Self::Lines {
                last: Instant::now(),
            },
            To::Topic => {
                let bar = ProgressBar::new(of);
                let style = "{bar:30} looked at {pos} of {len}   {msg}   {elapsed}";
                if let Ok(style) = ProgressStyle::with_template(style) {
                    bar.set_style(style);
                }
                Self::Bar(bar)
            }
        }
    }

    pub(super) fn show(&mut self, tally: &Tally) {
        match self {
            Self::Nothing => {}
            Self::Bar(bar) => {
                bar.set_position(tally.looked_at);
                bar.set_message(format!("{} replayed", tally.replayed));
            }
            Self::Lines { last } if last.elapsed() < AGAIN => {}
            Self::Lines { last } => {
                *last = Instant::now();
                let Tally {
                    looked_at,
                    of,
                    replayed,
                    failed_again,
                    ..
                } = tally;
                tell(&format!(
                    "looked at {looked_at} of {of}: {replayed} replayed, {failed_again} failed again"
                ));
            }
        }
    }

    pub(super) fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
