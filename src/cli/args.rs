//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Kafka consumer groups as configuration.
#[derive(Debug, Parser)]
#[command(name = "deliveryd", version, about, long_about = LONG, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const LONG: &str = "Kafka consumer groups as configuration: one TOML file, a folder of Rhai handlers.\n\
    Creates the topics, runs the producers and every member of every consumer group, and takes up\n\
    changed handlers and settings while it runs.";

const EXAMPLES: &str = "Examples:\n  \
    deliveryd --config config/default.toml              run, on the embedded broker\n  \
    deliveryd check --config config/kafka.toml          say what is wrong, touch nothing\n  \
    deliveryd --config FILE --set groups.orders.members=3\n  \
    deliveryd config show --config FILE                 each value, and where it comes from\n  \
    deliveryd test                                      the handlers' own tests\n  \
    deliveryd top                                       what runs, live in the terminal\n  \
    deliveryd plan                                      what a reload would do now\n  \
    deliveryd reload                                    do it, wait, and say what was done\n  \
    deliveryd dlq list --config FILE                    dead letters; then show, and replay\n\n\
    Signals: SIGTERM and SIGINT stop in order (twice: at once), SIGHUP reloads the configuration.\n\
    Exit codes: 0 done, 1 failed while running, 2 wrong command line, 78 wrong configuration.";

const COMPLETIONS: &str = "Examples:\n  \
    deliveryd completions bash > /etc/bash_completion.d/deliveryd\n  \
    deliveryd completions zsh > ~/.zfunc/_deliveryd\n  \
    deliveryd completions fish > ~/.config/fish/completions/deliveryd.fish";

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Override a setting: the value is TOML, or else text
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub sets: Vec<String>,
    /// The control socket of the running daemon; else the one of --config, or in the default place
    #[arg(long, value_name = "PATH", global = true)]
    pub control: Option<PathBuf>,
    /// How log lines are written to the terminal
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    /// One object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon (also without a command)
    #[command(after_help = super::examples::RUN)]
    Run,
    /// Validate everything, compile every handler, touch nothing
    #[command(after_help = super::examples::CHECK)]
    Check(super::check::CheckArgs),
    /// Run the handlers' own tests, without a broker
    #[command(after_help = super::examples::TEST)]
    Test(super::test::TestArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a commented config and handlers to start from
    #[command(after_help = super::examples::INIT)]
    Init {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
    /// What a shell needs to complete commands and options
    #[command(after_help = COMPLETIONS)]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The manual page
    #[command(after_help = super::examples::MAN)]
    Man {
        /// Write it here instead, and beside it a page for each command
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// What runs now, once
    #[command(after_help = super::examples::STATUS)]
    Status {
        /// As JSON, as /api/status has it
        #[arg(long)]
        json: bool,
    },
    /// What runs now, live in the terminal
    #[command(after_help = super::top::EXAMPLES)]
    Top,
    /// What a reload of the running daemon would do, like a diff, without doing it
    #[command(after_help = super::examples::PLAN)]
    Plan,
    /// Have the running daemon reload, wait until that is in force, and print what it did
    #[command(after_help = super::examples::RELOAD)]
    Reload,
    /// Dead letters: list them, show them, replay them
    #[command(subcommand)]
    Dlq(super::dlq::DlqCommand),
    /// Have a group, a topic or a partition of it, or a producer start nothing more
    #[command(after_help = super::pause::PAUSE_EXAMPLES)]
    Pause(super::PartArgs),
    /// Have what is paused or stuck go on
    #[command(after_help = super::pause::RESUME_EXAMPLES)]
    Resume(super::ResumeArgs),
    /// Move a group to another offset, while it runs
    #[command(after_help = super::seek::EXAMPLES)]
    Seek(super::SeekArgs),
    /// Send messages to a topic
    #[command(after_help = super::produce::EXAMPLES)]
    Produce(super::ProduceArgs),
    /// The last messages of a topic, without a group
    #[command(after_help = super::read::EXAMPLES)]
    Read(super::ReadArgs),
    /// Watch messages as a group's handlers see them
    #[command(after_help = super::tap::EXAMPLES)]
    Tap(super::TapArgs),
    /// What the log shows, while the daemon runs
    #[command(after_help = super::log_level::EXAMPLES)]
    LogLevel {
        /// error, warn, info, debug or trace, or a list such as info,deliveryd::member=debug
        level: Option<String>,
    },
    /// Prove, on your cluster and with your handler, what a group promises
    Verify(super::verify::VerifyArgs),
    /// One process of a rehearsal, started by `verify`
    #[command(hide = true)]
    Rehearse(super::rehearse::RehearseArgs),
    /// What a handler can call
    #[command(subcommand)]
    Handlers(HandlersCommand),
    /// Install deliveryd as a systemd service, or take it away again
    #[command(subcommand, after_help = super::service::EXAMPLES)]
    Service(ServiceCommand),
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// The effective configuration with the layer each value came from, secrets masked
    #[command(after_help = super::examples::CONFIG_SHOW)]
    Show,
    /// The JSON Schema of the configuration file
    #[command(after_help = super::examples::CONFIG_SCHEMA)]
    Schema,
}

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write the unit, the user, the directories, and a configuration where there is none
    #[command(after_help = super::service::EXAMPLES)]
    Install(ServiceArgs),
    /// Stop the service and remove it; the configuration stays
    #[command(after_help = super::service::EXAMPLES)]
    Uninstall(ServiceArgs),
}

#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// A service of this user alone, without root
    #[arg(long, conflicts_with = "root")]
    pub user: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only the files, below this directory, such as an image's
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum HandlersCommand {
    /// Everything that a script can call, with examples; or one name
    #[command(after_help = super::examples::HANDLERS_DOC)]
    Doc {
        /// A function, field or constant: `emit`, `msg.json`
        name: Option<String>,
    },
    /// Write Rhai definition files, with which editors complete and explain
    #[command(after_help = super::examples::HANDLERS_DEFINITIONS)]
    Definitions {
        /// A folder of the project that the editor opens; it is made if need be
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}
