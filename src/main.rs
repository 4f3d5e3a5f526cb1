//! Parses the command line and hands over to `cli`.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;

use deliveryd::cli::{self, Cli};

fn main() -> ExitCode {
    deliveryd::kafka::prepare();
    let colour = stderr().is_terminal();
    let (mut out, mut err) = (stdout(), stderr());
    let mut output = cli::Output {
        out: &mut out,
        err: &mut err,
        colour,
    };
    match cli::execute(Cli::parse(), &mut output) {
        Ok(exit) => exit.into(),
        // Nobody reads any more, as with `deliveryd config show | head -1`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => cli::Exit::Failed.into(),
    }
}
