//! What the commands that talk to the running daemon have in common: finding it, and telling when
//! nobody answers.

use std::io;
use std::path::PathBuf;

use super::args::Global;
use super::{Exit, Output};
use crate::config::Invocation;
use crate::control::{Client, ClientError, Wanted};

/// Which daemon the command line means.
pub fn wanted(global: Global) -> Wanted {
    let env = Invocation::from_process(PathBuf::new(), Vec::new()).env;
    Wanted {
        control: global.control,
        config: global.config.map(|file| Invocation {
            file,
            sets: global.sets,
            env: env.clone(),
        }),
        env,
    }
}

/// Finds the daemon, asks it, and shows the answer; or why there is none.
///
/// # Errors
/// What the writers say.
pub fn asked<T>(
    wanted: &Wanted,
    ask: impl FnOnce(&Client) -> Result<T, ClientError>,
    show: impl FnOnce(T, &mut Output<'_>) -> io::Result<Exit>,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    match Client::find(wanted).and_then(|client| ask(&client)) {
        Ok(answer) => show(answer, output),
        Err(error) => failed(&error, output),
    }
}

/// Shows why there is no answer.
///
/// # Errors
/// What the writer says.
pub fn failed(error: &ClientError, output: &mut Output<'_>) -> io::Result<Exit> {
    writeln!(output.err, "error: {error}")?;
    Ok(Exit::Failed)
}
