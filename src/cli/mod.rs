//! The commands, one file each: they take what was parsed, write to a writer, and say the exit code.

mod args;
mod check;
mod cluster;
mod completions;
mod config_schema;
mod config_show;
mod dlq;
mod examples;
mod facts;
mod handlers;
mod init;
mod log_level;
mod part;
mod pause;
mod plan;
mod produce;
mod read;
mod rehearse;
mod reload;
mod remote;
mod run;
mod seek;
mod service;
mod status;
mod table;
mod tap;
mod test;
mod top;
mod verify;

use std::io::{self, Write};

pub use args::{
    Cli, Command, ConfigCommand, HandlersCommand, LogFormat, ServiceArgs, ServiceCommand,
};
pub use check::{CheckArgs, check};
pub use completions::{completions, man};
pub use config_schema::config_schema;
pub use config_show::config_show;
pub use dlq::{DlqCommand, dlq};
pub use handlers::handlers;
pub use init::init;
pub use log_level::log_level;
pub use part::PartArgs;
pub use pause::{ResumeArgs, pause, resume};
pub use plan::plan;
pub use produce::{ProduceArgs, produce};
pub use read::{ReadArgs, read};
pub use rehearse::{RehearseArgs, rehearse};
pub use reload::reload;
pub use run::run;
pub use seek::{SeekArgs, seek};
pub use service::service;
pub use status::status;
pub use tap::{TapArgs, tap};
pub use test::{TestArgs, test};
pub use top::top;
pub use verify::{VerifyArgs, verify};

use args::Global;

use crate::config::{Failed, Invocation};
use crate::diagnostic::{Diagnostic, Severity, write};
use crate::observe::Format;
use crate::preflight::Compiler;

/// How a command ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1: failed while running.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 78 (`EX_CONFIG` of sysexits.h): the configuration or a handler is wrong.
    Config,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Where a command writes: its result, its complaints, and whether these are coloured.
pub struct Output<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    pub colour: bool,
}

impl Output<'_> {
    /// Shows all mistakes of a configuration; `state` says how the world stands.
    ///
    /// # Errors
    /// What the writer says.
    pub fn failed(&mut self, failed: &Failed, state: &str) -> io::Result<Exit> {
        let mut text = String::new();
        failed
            .write(&mut text, state, self.colour)
            .map_err(io::Error::other)?;
        self.err.write_all(text.as_bytes())?;
        Ok(Exit::Config)
    }

    /// Shows warnings.
    ///
    /// # Errors
    /// What the writer says.
    pub fn warnings(&mut self, warnings: &[Diagnostic]) -> io::Result<()> {
        for warning in warnings {
            let mut text = String::new();
            write(&mut text, Severity::Warning, warning, self.colour).map_err(io::Error::other)?;
            writeln!(self.err, "{text}")?;
        }
        Ok(())
    }
}

/// Does what the command line says.
///
/// # Errors
/// What the writers say.
pub fn execute(cli: Cli, output: &mut Output<'_>) -> io::Result<Exit> {
    let global = cli.global;
    let format = match global.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => with_file(global, output, |file, output| run(file, format, output)),
        Command::Check(args) => {
            with_file(global, output, |file, output| check(&args, &file, output))
        }
        Command::Config(ConfigCommand::Show) => with_file(global, output, |file, output| {
            config_show(&file, &Compiler::default(), output)
        }),
        Command::Config(ConfigCommand::Schema) => config_schema(output),
        Command::Test(args) => test(args, &remote::wanted(global), output),
        Command::Init { directory } => init(&directory, output),
        Command::Completions { shell } => completions(shell, output),
        Command::Man { dir } => man(dir.as_deref(), output),
        Command::Verify(args) => with_file(global, output, |file, output| {
            verify(args, file, format, output)
        }),
        Command::Rehearse(args) => with_file(global, output, |file, output| {
            rehearse(args, file, format, output)
        }),
        Command::Handlers(command) => handlers(&command, output),
        Command::Service(command) => service(&command, &global, output),
        Command::Status { json } => status(&remote::wanted(global), json, output),
        Command::Top => top(&remote::wanted(global), output),
        Command::Plan => plan(&remote::wanted(global), output),
        Command::Dlq(command) => dlq(&command, format, &remote::wanted(global), output),
        Command::Reload => reload(&remote::wanted(global), output),
        Command::Pause(part) => pause(part, &remote::wanted(global), output),
        Command::Resume(args) => resume(args, &remote::wanted(global), output),
        Command::Seek(args) => seek(args, &remote::wanted(global), output),
        Command::LogLevel { level } => log_level(level, &remote::wanted(global), output),
        Command::Produce(args) => produce(&args, &remote::wanted(global), output),
        Command::Read(args) => read(&args, &remote::wanted(global), output),
        Command::Tap(args) => tap(&args, &remote::wanted(global), output),
    }
}

/// For commands that need the configuration's file.
fn with_file(
    global: Global,
    output: &mut Output<'_>,
    command: impl FnOnce(Invocation, &mut Output<'_>) -> io::Result<Exit>,
) -> io::Result<Exit> {
    let Some(file) = global.config else {
        writeln!(
            output.err,
            "error: which configuration? Say --config FILE; config/default.toml is one to try"
        )?;
        return Ok(Exit::Usage);
    };
    command(Invocation::from_process(file, global.sets), output)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Invocation, Permissive};

    fn sample(sets: &[&str]) -> Invocation {
        Invocation {
            file: PathBuf::from("config/default.toml"),
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            env: BTreeMap::new(),
        }
    }

    /// What a command wrote to its two outputs, and how it ended.
    pub(super) fn run(
        command: impl FnOnce(&mut Output<'_>) -> io::Result<Exit>,
    ) -> (String, String, Exit) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output {
            out: &mut out,
            err: &mut err,
            colour: false,
        };
        let exit = command(&mut output).unwrap();
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
            exit,
        )
    }

    /// A good configuration is summed up in one line.
    #[test]
    fn check_sums_up() {
        let (out, err, exit) = run(|output| check(&CheckArgs::default(), &sample(&[]), output));
        let expected = "config/default.toml is good: \
                        1 topic, 1 producer, 2 groups with 3 members, 2 handlers\n";
        assert_eq!(
            (out.as_str(), err.as_str(), exit),
            (expected, "", Exit::Done)
        );
    }

    /// A wrong one gets its mistakes, and the exit code that says whose fault it is.
    #[test]
    fn check_and_show_tell_mistakes() {
        let wrong = sample(&["groups.group-1.members=0", "log.keep=0"]);
        let (out, err, exit) = run(|output| check(&CheckArgs::default(), &wrong, output));
        assert_eq!((out.as_str(), exit.code()), ("", 78));
        assert!(
            err.ends_with("\n2 mistakes; nothing was started.\n"),
            "{err}"
        );
        let (out, err, exit) = run(|output| config_show(&wrong, &Permissive, output));
        assert_eq!((out.as_str(), exit.code()), ("", 78));
        assert!(err.contains("`members` must be"), "{err}");
    }

    /// Warnings do not keep a configuration from being good.
    #[test]
    fn warnings_go_beside_the_result() {
        let sample = sample(&["daemon.shutdown_timeout=5s"]);
        let (out, err, exit) = run(|output| check(&CheckArgs::default(), &sample, output));
        assert!(err.starts_with("warning: "), "{err}");
        assert!(out.contains("is good"), "{out}");
        assert_eq!(exit, Exit::Done);
    }

    /// Every command says with examples how it is called, and each example is a command line that is taken.
    #[test]
    fn every_command_has_examples() {
        use clap::{CommandFactory, Parser};

        fn look(command: &clap::Command, path: &str) -> usize {
            let mut seen = 0;
            for inner in command
                .get_subcommands()
                .filter(|inner| !inner.is_hide_set())
            {
                let path = format!("{path} {}", inner.get_name());
                if inner.has_subcommands() {
                    seen += look(inner, &path);
                    continue;
                }
                let help = inner
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.starts_with("Examples:\n"),
                    "{path} has no examples: {help:?}"
                );
                let lines = help
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("deliveryd "));
                for line in lines {
                    let words = line.split_once("  ").map_or(line, |(words, _)| words);
                    let words = words
                        .split(['|', '>', '&', '\''])
                        .next()
                        .unwrap_or_default();
                    let words = words.split_whitespace();
                    let taken = Cli::try_parse_from(std::iter::once("deliveryd").chain(words));
                    assert!(taken.is_ok(), "{path}: {line}: {:?}", taken.err());
                }
                seen += 1;
            }
            seen
        }
        assert!(look(&Cli::command(), "deliveryd") > 20);
    }

    /// `config show` is TOML, `config schema` is JSON.
    #[test]
    fn show_and_schema_can_be_read_by_machines() {
        let (out, _, exit) = run(|output| config_show(&sample(&[]), &Permissive, output));
        assert_eq!(exit, Exit::Done);
        assert!(out.parse::<toml_edit::DocumentMut>().is_ok(), "{out}");
        let (out, _, exit) = run(config_schema);
        assert_eq!(exit, Exit::Done);
        let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(schema["title"], "deliveryd");
    }
}
