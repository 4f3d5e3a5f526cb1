//! The commands that talk to a running daemon, run as its users run them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::daemon::Daemon;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Daemon {
    /// `deliveryd ARGUMENTS` for this daemon, found by its socket; returns when it has ended.
    pub fn command(&self, arguments: &[&str]) -> Answer {
        self.command_with_input(arguments, "")
    }

    /// The same with this on its standard input.
    pub fn command_with_input(&self, arguments: &[&str], input: &str) -> Answer {
        let socket = self.dir().join("control.sock");
        let socket = socket.to_string_lossy();
        let all = [arguments, &["--control", &socket]].concat();
        run(self.dir(), &all, input)
    }

    /// `deliveryd reload`, which has to go well; returns what it printed.
    #[track_caller]
    pub fn reload_now(&self) -> String {
        let answer = self.command(&["reload"]);
        assert_eq!(answer.code, Some(0), "{answer:#?}\n{}", self.output.tail());
        answer.out
    }
}

/// `deliveryd ARGUMENTS` in this directory; returns when it has ended.
pub fn run(directory: &Path, arguments: &[&str], input: &str) -> Answer {
    let Some(program) = option_env!("CARGO_BIN_EXE_deliveryd") else {
        panic!("which deliveryd to run is not known");
    };
    let failed = |error: std::io::Error| -> ! { panic!("can't run {program}: {error}") };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| failed(error));
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(input.as_bytes())
        // It may have had enough before all of it was written.
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        failed(error);
    }
    let output = child
        .wait_with_output()
        .unwrap_or_else(|error| failed(error));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}
