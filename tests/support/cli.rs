//! The commands, run as their users run them: those that talk to a running daemon, and those that need
//! only its config.

use std::process::{Command, Stdio};

use super::daemon::{Daemon, Setup};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

fn program() -> &'static str {
    match option_env!("CARGO_BIN_EXE_deliveryd") {
        Some(program) => program,
        None => panic!("which deliveryd to run is not known"),
    }
}

fn answer(mut command: Command) -> Answer {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("can't run {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

impl Setup {
    /// `deliveryd ARGUMENTS --config FILE`, ready to be run; nothing of this needs a running daemon.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("--config").arg(self.config());
        command.current_dir(self.dir());
        command
    }

    /// The same; returns when it has ended.
    pub fn ask(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments))
    }
}

impl Daemon {
    /// `deliveryd ARGUMENTS` for this daemon, found by its socket; returns when it has ended.
    pub fn command(&self, arguments: &[&str]) -> Answer {
        let socket = self.dir().join("control.sock");
        let mut command = Command::new(program());
        command.args(arguments).arg("--control").arg(socket);
        command.current_dir(self.dir());
        answer(command)
    }

    /// `deliveryd reload`, which has to go well; returns what it printed.
    #[track_caller]
    pub fn reload_now(&self) -> String {
        let answer = self.command(&["reload"]);
        assert_eq!(answer.code, Some(0), "{answer:#?}\n{}", self.output.tail());
        answer.out
    }
}
