//! Logging: where lines go, how they look, which are shown.
//!
//! [`init`] installs it, [`LogGuard::apply`] and [`LogGuard::set_level`] change it while it runs.
//! Lines go to standard error (or to the journal, when standard error is the journal's stream) and
//! to the rolling file; standard output belongs to commands.
//!
//! Three targets are special: [`TELL`] for the daemon's lines to people, [`HANDLER`] for what
//! scripts print and log, [`LIBRDKAFKA`] for the client library's own lines. An event may carry
//! `group`, `member`, `producer`, `topic`, `partition` and `offset`, itself or from the spans around
//! it, a `frame` (a diagnostic of several lines) and a `hint` (the way out).

mod entry;
mod escape;
mod file;
mod journal;
mod json;
mod output;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::Log;
pub(crate) use escape::escaped;
use file::LogFile;
use output::{FileSlot, Output, Terminal};

/// The target of the daemon's lines to people: shown as they are, without decoration.
pub const TELL: &str = "deliveryd::tell";
/// The target of what handlers print and log.
pub const HANDLER: &str = "handler";
/// The target of librdkafka's own lines.
pub const LIBRDKAFKA: &str = "librdkafka";

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// Why logging can not be as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "`{given}` is no log level: expected error, warn, info, debug or trace, or such as `info,deliveryd::member=debug`"
    )]
    Level { given: String },
    #[error("log file {} can not be written: {reason}; set `log.file` to another path", path.display())]
    File { path: PathBuf, reason: String },
    #[error("logging is set up already")]
    Twice,
}

/// Changes logging while it runs; dropped at the end, it writes what waits for the file.
pub struct LogGuard {
    level: reload::Handle<EnvFilter, Registry>,
    file: FileSlot,
    /// Lines that standard error did not take.
    unseen: Arc<AtomicU64>,
}

impl LogGuard {
    /// Shows what `level` selects: a level, or a list such as `info,deliveryd::member=debug`.
    ///
    /// # Errors
    /// When it is not a level; the one in force stays.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter = parse_level(level)?;
        // Fails only when the subscriber is gone, and with it everything that could log.
        self.level.reload(filter).map_err(|_| LogError::Twice)
    }

    /// Takes the settings of a reloaded config: level and file, all of them without a restart.
    ///
    /// # Errors
    /// When the level or the new file is no good; then everything stays as it was.
    pub fn apply(&self, log: &Log) -> Result<(), LogError> {
        check_level(&log.level)?;
        let fits = self.file.load().as_ref().map(|file| file.fits(log));
        if fits.unwrap_or(log.file.is_none()) {
            return self.set_level(&log.level);
        }
        let file = LogFile::open(log)?;
        self.set_level(&log.level)?;
        self.file.store(file.map(Arc::new));
        Ok(())
    }

    /// What is shown now, as [`LogGuard::set_level`] takes it.
    pub fn level(&self) -> String {
        self.level
            .with_current(ToString::to_string)
            .unwrap_or_default()
    }

    /// Lines that never arrived: standard error was closed, or the file's disk full, gone or too
    /// slow. Counts anew with a new file.
    pub fn lost(&self) -> u64 {
        let file = self.file.load().as_ref().map_or(0, |file| file.lost());
        self.unseen.load(Ordering::Relaxed) + file
    }
}

#[cfg(test)]
impl LogGuard {
    /// For tests: changes nothing that anybody sees.
    pub fn unattached() -> Self {
        let built = build("info", None, None, None, Format::Text);
        let (subscriber, guard) = built.unwrap_or_else(|error| panic!("{error}"));
        // The level can be changed as long as the subscriber lives.
        Box::leak(Box::new(subscriber));
        guard
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // The global subscriber lives on; closing the file here writes what waits.
        self.file.store(None);
    }
}

/// Installs logging for the whole process as the config says.
///
/// # Errors
/// When the level is none, the file can not be written, or logging is installed already.
pub fn init(log: &Log, format: Format) -> Result<LogGuard, LogError> {
    check_level(&log.level)?;
    let file = LogFile::open(log)?;
    install(&log.level, file, format)
}

/// Installs logging before the config is known: level `info`, no file. Then [`LogGuard::apply`].
///
/// # Errors
/// When logging is installed already.
pub fn init_before_config(format: Format) -> Result<LogGuard, LogError> {
    install("info", None, format)
}

fn install(level: &str, file: Option<LogFile>, format: Format) -> Result<LogGuard, LogError> {
    let journal = if journal::is_stderr() {
        journal::connect().ok()
    } else {
        None
    };
    // Without journald's socket, lines on standard error still reach the journal.
    let terminal = journal.is_none().then(|| Terminal::stderr(format));
    let (subscriber, guard) = build(level, terminal, journal, file, format)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
    Ok(guard)
}

fn build(
    level: &str,
    terminal: Option<Terminal>,
    journal: Option<tracing_journald::Layer>,
    file: Option<LogFile>,
    format: Format,
) -> Result<(impl tracing::Subscriber + Send + Sync, LogGuard), LogError> {
    let (filter, handle) = reload::Layer::new(parse_level(level)?);
    let slot = FileSlot::from_pointee(file);
    let output = Output::new(terminal, journal, slot.clone(), format);
    let guard = LogGuard {
        level: handle,
        file: slot,
        unseen: Arc::clone(&output.unseen),
    };
    Ok((Registry::default().with(filter).with(output), guard))
}

/// Whether `level` is something that [`LogGuard::set_level`] takes.
///
/// # Errors
/// When it is not, naming the part that is wrong.
pub fn check_level(level: &str) -> Result<(), LogError> {
    parse_level(level).map(drop)
}

fn parse_level(level: &str) -> Result<EnvFilter, LogError> {
    let wrong = |given: &str| LogError::Level {
        given: given.to_owned(),
    };
    // A lone word is a module's name to EnvFilter, so that `inof` would silence everything else.
    for part in level.split(',').map(str::trim) {
        let lone_word = !part.contains(['=', '[', ':']);
        if part.is_empty() || (lone_word && part.parse::<LevelFilter>().is_err()) {
            return Err(wrong(part));
        }
    }
    EnvFilter::builder().parse(level).map_err(|_| wrong(level))
}

/// Whether lines on standard error may be coloured: a terminal, and no `NO_COLOR` (no-color.org).
fn colour_on_stderr() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !refused
}
