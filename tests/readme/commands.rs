//! The page's commands: run where that is cheap, else at least taken apart.

use std::path::Path;
use std::process::{Command, Output};

use clap::Parser;
use deliveryd::cli::{self, Cli};

use crate::configs::copy_of_repository;
use crate::page::Page;
use crate::support::run_dir::repository;

/// Cargo's commands that stand for themselves.
const CARGO: &[&str] = &["cargo test", "cargo build --release"];

/// A line of a shell as words; only what the page uses of quoting.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            letter => word.push(letter),
        }
    }
    words.push(word);
    words
}

/// A call of deliveryd: variables before it, arguments after it.
struct Call {
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Call {
    /// `None` where the line calls something else.
    fn of(line: &str) -> Option<Call> {
        let words = words(line);
        let is_variable = |word: &&String| word.split('=').next().is_some_and(is_name);
        let before = words.iter().take_while(is_variable).count();
        let environment = words[..before]
            .iter()
            .filter_map(|word| word.split_once('='));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let rest = &words[before..];
        let arguments = match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["deliveryd", ..] => &rest[1..],
            ["cargo", "run", "--release", "--", ..] => &rest[4..],
            _ => return None,
        };
        Some(Call {
            environment: environment.map(own).collect(),
            arguments: arguments.to_vec(),
        })
    }

    /// What clap makes of it; the daemon is only checked, everything else is run.
    fn run(&self, dir: &Path) -> Output {
        let mut arguments = self.arguments.clone();
        let parsed = Cli::try_parse_from(["deliveryd".to_owned()].iter().chain(&arguments));
        if let Ok(Cli {
            command: None | Some(cli::Command::Run),
            ..
        }) = parsed
        {
            arguments.retain(|argument| argument != "run");
            arguments.insert(0, "check".to_owned());
        }
        Command::new(env!("CARGO_BIN_EXE_deliveryd"))
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(dir)
            .output()
            .unwrap_or_else(|error| panic!("deliveryd: {error}"))
    }
}

fn is_name(word: &str) -> bool {
    word.contains('_')
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Why a line that does not call deliveryd is not known, if so.
fn unknown(line: &str, compose: &serde_json::Value) -> Option<String> {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[..] {
        _ if CARGO.contains(&line) => None,
        ["cargo", "run", "--release", "--manifest-path", file] => {
            (!repository().join(file).is_file()).then(|| format!("{file} is not there"))
        }
        ["docker", "compose", "up", rest @ ..] => {
            let missing = rest
                .iter()
                .find(|word| **word != "-d" && !compose["services"][**word].is_object());
            missing.map(|service| format!("{service} is no service of docker-compose.yml"))
        }
        ["docker", "compose", "down"] | ["docker", "compose", "down", "--volumes"] => None,
        ["kill", "-HUP", "PID"] | ["kill", "-HUP"] | ["kill", "-9"] => None,
        // Asked of a running daemon by the tour.
        ["curl", "-s", address] => (!address.starts_with("http://127.0.0.1:8660/"))
            .then(|| format!("{address} is not deliveryd's page")),
        _ => Some("nobody knows how to check it".to_owned()),
    }
}

fn compose() -> serde_json::Value {
    let file = repository().join("docker-compose.yml");
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Each command can be given as it stands there.
#[test]
fn commands_are_taken() {
    let page = Page::read();
    let dir = copy_of_repository(&page);
    let compose = compose();
    for block in page.blocks("sh", "") {
        for line in block.text.lines() {
            match Call::of(line) {
                Some(call) => {
                    let output = call.run(dir.path());
                    assert!(output.status.success(), "{line}\n{}", text(&output));
                }
                None => assert_eq!(unknown(line, &compose), None, "{line}"),
            }
        }
    }
}

/// Commands in running text and tables are ones that there are.
#[test]
fn commands_in_running_text_exist() {
    let page = Page::read();
    let compose = compose();
    for span in page.spans() {
        let first = span.split(' ').next().unwrap_or_default();
        match Call::of(span) {
            Some(call) if !call.arguments.is_empty() => {
                let parsed =
                    Cli::try_parse_from(["deliveryd".to_owned()].iter().chain(&call.arguments));
                assert!(parsed.is_ok(), "`{span}`: {parsed:?}");
            }
            None if span.contains(' ') && ["cargo", "docker", "kill", "curl"].contains(&first) => {
                assert_eq!(unknown(span, &compose), None, "`{span}`");
            }
            _ => {}
        }
    }
}

/// Options and subcommands that are named are ones that there are.
#[test]
fn options_in_running_text_exist() {
    let help = ["deliveryd --help", "deliveryd test --help"]
        .into_iter()
        .filter_map(Call::of)
        .map(|call| text(&call.run(&repository())));
    let help: String = help.collect();
    for span in Page::read().spans() {
        let option = span.split([' ', '=']).next().unwrap_or_default();
        if option.starts_with("--") && option != "---" {
            assert!(help.contains(option), "{option} is not in --help:\n{help}");
        }
    }
}

/// A command that is shown with its output prints exactly that.
#[test]
fn shown_outputs_are_what_is_printed() {
    let page = Page::read();
    let dir = copy_of_repository(&page);
    for block in page.blocks("console", "") {
        let Some((line, expected)) = block.text.split_once('\n') else {
            panic!("line {}: no output", block.line);
        };
        let Some(call) = line.strip_prefix("$ ").and_then(Call::of) else {
            panic!("line {}: {line} is no call of deliveryd", block.line);
        };
        assert_eq!(text(&call.run(dir.path())), expected, "{line}");
    }
}
