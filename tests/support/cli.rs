//! The commands that talk to a running daemon, run as its users run them.

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
        let socket = self.dir().join("control.sock");
        let Some(program) = option_env!("CARGO_BIN_EXE_deliveryd") else {
            panic!("which deliveryd to run is not known");
        };
        let output = Command::new(program)
            .args(arguments)
            .arg("--control")
            .arg(socket)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("can't run {program}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// `deliveryd reload`, which has to go well; returns what it printed.
    #[track_caller]
    pub fn reload_now(&self) -> String {
        let answer = self.command(&["reload"]);
        assert_eq!(answer.code, Some(0), "{answer:#?}\n{}", self.output.tail());
        answer.out
    }
}
