//! `deliveryd completions SHELL` and `deliveryd man`: made from the command line's own definition.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, Output};

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

/// Writes the manual page, as `man` reads it.
///
/// # Errors
/// What the writer says.
pub fn man(output: &mut Output<'_>) -> io::Result<Exit> {
    clap_mangen::Man::new(Cli::command()).render(&mut output.out)?;
    Ok(Exit::Done)
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
        let (out, _, exit) = run(man);
        assert_eq!(exit, Exit::Done);
        for part in [".TH deliveryd 1", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(out.contains(part), "no {part} in {out}");
        }
    }
}
