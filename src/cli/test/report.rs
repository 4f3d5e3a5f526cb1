//! What came of the tests, for people: a line each, the failures, a sum.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use super::runner::Event;
use crate::cli::{Exit, Output};
use crate::diagnostic::{Diagnostic, Severity, printable, shown_path, write};
use crate::script::testing::Tested;

/// The tests of one file.
pub(super) struct FileReport {
    pub file: PathBuf,
    /// Every file that the results hang on.
    pub files: Vec<PathBuf>,
    pub tested: Vec<Tested>,
    /// Why it could not be run.
    pub mistakes: Vec<Diagnostic>,
}

impl FileReport {
    /// Whether something in it, or in a handler that it names, does not compile.
    pub(super) fn not_compiled(&self) -> bool {
        !self.mistakes.is_empty() || self.tested.iter().any(|tested| tested.not_compiled)
    }

    pub(super) fn took(&self) -> Duration {
        self.tested.iter().map(|tested| tested.took).sum()
    }
}

/// Takes what is told, and writes it at once.
pub(super) struct Report {
    colour: bool,
    begun: Instant,
    pub files: Vec<FileReport>,
    left_out: usize,
    /// An empty line was the last.
    after_failure: bool,
}

impl Report {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            begun: Instant::now(),
            files: Vec::new(),
            left_out: 0,
            after_failure: false,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        let failed = |file: &FileReport| file.tested.iter().any(|tested| !tested.passed());
        if self.files.iter().any(FileReport::not_compiled) {
            Exit::Config
        } else if self.files.is_empty() || self.files.iter().any(failed) {
            Exit::Failed
        } else {
            Exit::Done
        }
    }

    pub(super) fn take(&mut self, event: Event, out: &mut dyn Write) -> io::Result<()> {
        match event {
            Event::File { file, files } => {
                writeln!(out, "{}", shown_path(&file))?;
                self.after_failure = false;
                self.files.push(FileReport {
                    file,
                    files,
                    tested: Vec::new(),
                    mistakes: Vec::new(),
                });
            }
            Event::Tested(tested) => {
                self.line(&tested, out)?;
                self.after_failure = !tested.passed();
                if let Some(file) = self.files.last_mut() {
                    file.tested.push(tested);
                }
            }
            Event::Mistakes(mistakes) => {
                let word = self.paint(AnsiColor::Red, "not run");
                writeln!(out, "  {word}")?;
                self.failure(&mistakes, &[], out)?;
                self.after_failure = true;
                if let Some(file) = self.files.last_mut() {
                    file.mistakes = mistakes;
                }
            }
            Event::LeftOut(tests) => self.left_out += tests,
        }
        out.flush()
    }

    fn line(&self, tested: &Tested, out: &mut dyn Write) -> io::Result<()> {
        let word = match tested.passed() {
            true => self.paint(AnsiColor::Green, "ok    "),
            false => self.paint(AnsiColor::Red, "FAILED"),
        };
        writeln!(
            out,
            "  {word} {:>9}  {}",
            milliseconds(tested.took),
            tested.name
        )?;
        if tested.passed() {
            return Ok(());
        }
        self.failure(&tested.failure, &tested.printed, out)
    }

    fn failure(
        &self,
        mistakes: &[Diagnostic],
        printed: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for mistake in mistakes {
            let mut text = String::new();
            write(&mut text, Severity::Error, mistake, self.colour).map_err(io::Error::other)?;
            for line in text.trim_end().lines() {
                writeln!(out, "    {line}")?;
            }
        }
        for line in printed.iter().flat_map(|text| text.lines()) {
            writeln!(out, "    printed: {}", printable(line))?;
        }
        writeln!(out)
    }

    /// The last line: how many tests, how they ended, how long it took; or that there were none.
    pub(super) fn sum_up(&self, filter: &str, output: &mut Output<'_>) -> io::Result<()> {
        if self.files.is_empty() {
            return match self.left_out {
                0 => writeln!(
                    output.err,
                    "error: there are no tests; a test is a `fn test_…()` in a file NAME.test.rhai beside NAME.rhai"
                ),
                tests => writeln!(
                    output.err,
                    "error: no test or file has {filter:?} in its name; there {} without it",
                    are(tests)
                ),
            };
        }
        let all: usize = self.files.iter().map(|file| file.tested.len()).sum();
        let tested = self.files.iter().flat_map(|file| &file.tested);
        let failed = tested.filter(|tested| !tested.passed()).count();
        let not_run = self.files.iter().filter(|file| !file.mistakes.is_empty());
        let not_run = not_run.count();
        let mut parts = Vec::new();
        match (all, failed) {
            (0, _) => {}
            (all, 0) => parts.push(format!("{} passed", counted(all, "test"))),
            (all, failed) => parts.push(format!("{failed} of {} failed", counted(all, "test"))),
        }
        if not_run > 0 {
            parts.push(format!("{} not run", counted(not_run, "file")));
        }
        if self.left_out > 0 {
            parts.push(format!("{} left out", self.left_out));
        }
        let colour = match (failed, not_run) {
            (0, 0) => AnsiColor::Green,
            _ => AnsiColor::Red,
        };
        let sum = self.paint(colour, &parts.join(", "));
        let took = milliseconds(self.begun.elapsed());
        if !self.after_failure {
            writeln!(output.out)?;
        }
        writeln!(
            output.out,
            "{sum}; {} in {took}",
            counted(self.files.len(), "file")
        )
    }

    fn paint(&self, colour: AnsiColor, text: &str) -> String {
        let style: Style = colour.on_default().bold();
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

fn are(tests: usize) -> String {
    match tests {
        1 => "is 1".to_owned(),
        many => format!("are {many}"),
    }
}
