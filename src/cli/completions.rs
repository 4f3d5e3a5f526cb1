//! `deliveryd completions SHELL` and `deliveryd man`: made from the command line's own definition.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, Output};
use crate::diagnostic::shown_path;

/// Writes what `shell` needs to complete commands, options and their values.
///
/// # Errors
/// What the writer says.
pub fn completions(shell: Shell, output: &mut Output<'_>) -> io::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "deliveryd", &mut script);
    output.out.write_all(&script)?;
    Ok(Exit::Done)
}

/// Writes the manual page, as `man` reads it; into `dir` with the pages of all commands, to which it refers.
///
/// # Errors
/// What the writer says.
pub fn man(dir: Option<&Path>, output: &mut Output<'_>) -> io::Result<Exit> {
    // `help` has no page of its own to refer to.
    let command = Cli::command().disable_help_subcommand(true);
    let Some(dir) = dir else {
        clap_mangen::Man::new(command).render(&mut output.out)?;
        return Ok(Exit::Done);
    };
    let written =
        std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    match written {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let (dir, why) = (shown_path(dir), error.to_string());
            writeln!(output.err, "error: no manual pages in {dir}: {why}")?;
            Ok(Exit::Failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    /// Every shell gets a script that knows the commands.
    #[test]
    fn completions_know_the_commands() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::Elvish,
            Shell::PowerShell,
        ] {
            let (out, err, exit) = run(|output| completions(shell, output));
            assert_eq!((err.as_str(), exit), ("", Exit::Done));
            for word in ["check", "config", "completions", "log-format"] {
                assert!(out.contains(word), "{shell}: no {word}");
            }
        }
    }

    /// The manual page has the parts that manual pages have.
    #[test]
    fn manual_page_has_its_parts() {
        let (out, _, exit) = run(|output| man(None, output));
        assert_eq!(exit, Exit::Done);
        for part in [".TH deliveryd 1", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(out.contains(part), "no {part} in {out}");
        }
    }

    /// Every page that the manual page refers to is there.
    #[test]
    fn every_command_has_its_page() {
        let dir = tempfile::tempdir().expect("a directory");
        let (out, err, exit) = run(|output| man(Some(dir.path()), output));
        assert_eq!((out.as_str(), err.as_str(), exit), ("", "", Exit::Done));
        let (main, _, _) = run(|output| man(None, output));
        let words = main.split_whitespace();
        let pages: Vec<String> = words
            .filter_map(|word| word.strip_suffix("(1)"))
            .map(|page| page.replace('\\', ""))
            .collect();
        assert!(pages.len() > 15, "{pages:?}");
        for page in pages {
            let file = dir.path().join(format!("{page}.1"));
            assert!(file.exists(), "{} is not there", file.display());
        }
    }
}
