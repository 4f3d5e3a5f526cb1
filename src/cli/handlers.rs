//! `deliveryd handlers`: what a script can call, for people and for editors.

use std::fs;
use std::io;
use std::path::Path;

use super::{Exit, HandlersCommand, Output};
use crate::script::guide;

/// Does what the command says.
///
/// # Errors
/// What the writers say.
pub fn handlers(command: &HandlersCommand, output: &mut Output<'_>) -> io::Result<Exit> {
    match command {
        HandlersCommand::Doc { name: None } => {
            output.out.write_all(guide::page().as_bytes())?;
            Ok(Exit::Done)
        }
        HandlersCommand::Doc { name: Some(name) } => doc(name, output),
        HandlersCommand::Definitions { dir } => definitions(dir, output),
    }
}

fn doc(name: &str, output: &mut Output<'_>) -> io::Result<Exit> {
    match guide::function(name) {
        Ok(text) => {
            output.out.write_all(text.as_bytes())?;
            Ok(Exit::Done)
        }
        Err(unknown) => {
            let hint = match unknown.near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`deliveryd handlers doc` shows all there is".to_owned(),
            };
            writeln!(output.err, "error: scripts have no `{name}`; {hint}")?;
            Ok(Exit::Usage)
        }
    }
}

fn definitions(dir: &Path, output: &mut Output<'_>) -> io::Result<Exit> {
    let made = fs::create_dir_all(dir);
    let mut written = made.map_err(|error| format!("{} can't be made: {error}", dir.display()));
    for (name, text) in guide::definitions() {
        let file = dir.join(name);
        written = written.and_then(|()| {
            let done = fs::write(&file, text);
            done.map_err(|error| format!("{} can't be written: {error}", file.display()))
        });
        if written.is_ok() {
            writeln!(output.out, "{}", file.display())?;
        }
    }
    match written {
        Ok(()) => Ok(Exit::Done),
        Err(why) => {
            writeln!(output.err, "error: {why}")?;
            Ok(Exit::Failed)
        }
    }
}
