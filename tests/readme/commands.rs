//! The page's commands: run where that is cheap, else at least taken apart.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use clap::{CommandFactory, Parser};
use deliveryd::cli::{self, Cli};

use crate::configs::copy_of_repository;
use crate::page::Page;
use crate::support::run_dir::repository;

/// Cargo's commands that stand for themselves.
const CARGO: &[&str] = &[
    "cargo test",
    "cargo build --release",
    "cargo install cargo-deb",
    "cargo deb",
    "SAVES=200 cargo test --release --test handler_files from_save -- --nocapture",
    "cargo test --release --test scale -- --nocapture",
    "STORM=long cargo test --release --test storm -- --nocapture",
    "CHAOS=30m cargo test --release --test chaos -- --nocapture",
];

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
pub struct Call {
    environment: Vec<(String, String)>,
    pub arguments: Vec<String>,
}

impl Call {
    /// `None` where the line calls something else.
    pub fn of(line: &str) -> Option<Call> {
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

    /// Whether it draws on a terminal until a key ends it; tests/top.rs does that.
    pub fn needs_a_terminal(&self) -> bool {
        self.is(|command| matches!(command, cli::Command::Top))
    }

    /// Whether it talks to a running daemon: `steering` runs it.
    pub fn asks_a_daemon(&self) -> bool {
        use cli::Command::{
            LogLevel, Pause, Plan, Produce, Read, Reload, Resume, Seek, Status, Tap,
        };
        self.is(|command| {
            matches!(
                command,
                Plan | Reload
                    | Status { .. }
                    | Pause(_)
                    | Resume(_)
                    | Seek(_)
                    | LogLevel { .. }
                    | Produce(_)
                    | Read(_)
                    | Tap(_)
            )
        })
    }

    /// Whether it needs a real cluster, as tests/verify.rs and tests/dlq.rs have one.
    fn asks_a_cluster(&self) -> bool {
        use cli::Command::{Dlq, Verify};
        self.is(|command| matches!(command, Dlq(_) | Verify(_)))
    }

    fn is(&self, what: impl FnOnce(cli::Command) -> bool) -> bool {
        let parsed = Cli::try_parse_from(["deliveryd".to_owned()].iter().chain(&self.arguments));
        parsed.is_ok_and(|parsed| parsed.command.is_some_and(what))
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
        ["cargo", "run", "--release", "--manifest-path", file] => missing(file),
        [
            "cargo",
            "run",
            "--release",
            "--manifest-path",
            file,
            "--",
            options @ ..,
        ] => missing(file).or_else(|| no_bench_option(options)),
        // tests/metrics.rs runs it.
        ["promtool", "check", "rules", file] => missing(file),
        [
            "cargo",
            "bench",
            "--manifest-path",
            file,
            "--bench",
            bench,
            "--features",
            feature,
        ] => no_bench(file, bench, feature),
        [programs, seed, "cargo", "test", "--release", "--lib", name] => {
            let variables = [(programs, "DELIVERYD_PROGRAMS"), (seed, "DELIVERYD_SEED")];
            variables
                .iter()
                .find_map(|(word, name)| no_number(word, name))
                .or_else(|| no_random_test(name))
        }
        ["docker", "compose", "up", rest @ ..] => {
            let missing = rest
                .iter()
                .find(|word| **word != "-d" && !compose["services"][**word].is_object());
            missing.map(|service| format!("{service} is no service of docker-compose.yml"))
        }
        ["docker", "compose", "down"] | ["docker", "compose", "down", "--volumes"] => None,
        ["kill", "-HUP", "PID"] | ["kill", "-HUP"] | ["kill", "-9"] => None,
        ["curl", "-s", "--unix-socket", _, address] => (!address
            .starts_with("http://localhost/v1/"))
        .then(|| format!("{address} is not of the control socket")),
        // Asked of a running daemon by the tour.
        ["curl", "-s", address] => (!address.starts_with("http://127.0.0.1:8660/"))
            .then(|| format!("{address} is not deliveryd's page")),
        _ => Some("nobody knows how to check it".to_owned()),
    }
}

fn missing(file: &str) -> Option<String> {
    (!repository().join(file).is_file()).then(|| format!("{file} is not there"))
}

/// Whether `word` does not set the variable `name` to a number.
fn no_number(word: &str, name: &str) -> Option<String> {
    let value = word
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    let number = value.is_some_and(|value| value.parse::<u64>().is_ok());
    (!number).then(|| format!("{word} does not set {name} to a number"))
}

/// Whether no random test of compiled handlers is called so, or it does not ask for the variables.
fn no_random_test(name: &str) -> Option<String> {
    let source = repository().join("src/script/tests/differential/random.rs");
    let source = std::fs::read_to_string(source).unwrap_or_else(|error| panic!("{error}"));
    let wanted = [name, "\"DELIVERYD_PROGRAMS\"", "\"DELIVERYD_SEED\""];
    let missing = wanted.iter().find(|wanted| !source.contains(**wanted))?;
    Some(format!("the random test has no {missing}"))
}

/// Which of the options the bench does not have, if any.
fn no_bench_option(options: &[&str]) -> Option<String> {
    let source = repository().join("tests/bench/src/options.rs");
    let source = std::fs::read_to_string(source).unwrap_or_else(|error| panic!("{error}"));
    let known = |option: &str| source.contains(&format!("Long(\"{option}\")"));
    let mut options = options.iter().filter_map(|each| each.strip_prefix("--"));
    let unknown = options.find(|option| !known(option))?;
    Some(format!("the bench has no option --{unknown}"))
}

/// What of a bench the manifest `file` does not have, if anything.
fn no_bench(file: &str, bench: &str, feature: &str) -> Option<String> {
    let text = std::fs::read_to_string(repository().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let manifest: toml_edit::DocumentMut = text
        .parse()
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let benches = manifest["bench"].as_array_of_tables().into_iter().flatten();
    let mut names = benches.filter_map(|each| each.get("name")?.as_str());
    let named = names.any(|name| name == bench);
    match (named, manifest["features"].get(feature)) {
        (false, _) => Some(format!("{file} has no bench {bench}")),
        (_, None) => Some(format!("{file} has no feature {feature}")),
        _ => None,
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
                Some(call) if call.asks_a_daemon() || call.asks_a_cluster() => {}
                Some(call) if call.needs_a_terminal() => {}
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

/// The long options of a command and of all below it.
fn options(command: &clap::Command, found: &mut BTreeSet<String>) {
    let own = command.get_arguments().filter_map(clap::Arg::get_long);
    found.extend(own.map(|name| format!("--{name}")));
    for inner in command.get_subcommands() {
        options(inner, found);
    }
}

/// Options that are named are ones that there are.
#[test]
fn options_in_running_text_exist() {
    let mut known = BTreeSet::from(["--help".to_owned(), "--version".to_owned()]);
    options(&Cli::command(), &mut known);
    for span in Page::read().spans() {
        let option = span.split([' ', '=']).next().unwrap_or_default();
        if option.starts_with("--") && option != "---" {
            assert!(known.contains(option), "{option} is not among {known:?}");
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
