//! `--from-topic`: a topic's last messages through two versions of a handler, and where they differ.
//!
//! The messages are read without a group, and what the handlers emit goes nowhere.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use anstyle::AnsiColor;

use super::Recorded;
use crate::cli::{Exit, Output};
use crate::config::{Brokers, Config, Failed, Group, Limits, Params, Permissive, load};
use crate::control::{Client, Wanted};
use crate::delivery::Record;
use crate::diagnostic::{Diagnostic, printable, shown_path};
use crate::kafka::{Cluster, last_messages};
use crate::script::testing::{Comparison, Settings as Cage, Side, compare as compare_one};
use crate::script::{Caller, Kind, Program, STACK_SIZE, Settings};

/// Why there is no comparison.
enum Trouble {
    /// The command line asks for what can not be.
    Usage(String),
    /// A file is wrong.
    Mistakes(Vec<Diagnostic>),
    /// The cluster or the daemon can not be asked.
    Failed(String),
}

/// The two versions, and what they are called with.
struct Versions {
    old: Arc<Program>,
    /// What the older one is called.
    old_name: String,
    new: Arc<Program>,
    settings: Settings,
}

/// Reads the messages, runs them through both versions, and writes where these differ.
///
/// # Errors
/// What the writers say.
pub(super) fn compare(
    topic: &str,
    wanted: &Recorded,
    daemon: &Wanted,
    colour: bool,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let Some(invocation) = &daemon.config else {
        writeln!(
            output.err,
            "error: --from-topic needs --config FILE, which says where the brokers are"
        )?;
        return Ok(Exit::Usage);
    };
    let config = match load(invocation, &Permissive) {
        Ok(loaded) => loaded.config,
        Err(failed) => return output.failed(&failed, "nothing was read"),
    };
    let prepared = versions(topic, wanted, &config, daemon)
        .and_then(|versions| Ok((versions, read(topic, wanted.last, &config)?)));
    let (versions, records) = match prepared {
        Ok(prepared) => prepared,
        Err(Trouble::Usage(message)) => {
            writeln!(output.err, "error: {message}")?;
            return Ok(Exit::Usage);
        }
        Err(Trouble::Failed(message)) => {
            writeln!(output.err, "error: {message}")?;
            return Ok(Exit::Failed);
        }
        Err(Trouble::Mistakes(mistakes)) => {
            let warnings = Vec::new();
            return output.failed(&Failed { mistakes, warnings }, "nothing was compared");
        }
    };
    if records.is_empty() {
        writeln!(output.err, "error: {topic} has no messages")?;
        return Ok(Exit::Failed);
    }
    write(topic, &versions, records, colour, output)
}

/// Finds the group, its settings and both versions of its handler.
fn versions(
    topic: &str,
    wanted: &Recorded,
    config: &Config,
    daemon: &Wanted,
) -> Result<Versions, Trouble> {
    let group = group(topic, wanted, config)?;
    let limits = group.map_or_else(Limits::default, |(_, group)| group.limits);
    let file = wanted.handler.as_deref();
    let file = file.or(group.map(|(_, group)| &*group.handler));
    let file = file.ok_or_else(|| no_group(topic))?;
    let new = program(file, &limits)?;
    let (old, old_name) = match (&wanted.against, group) {
        (Some(against), _) => (program(against, &limits)?, shown_path(against)),
        (None, Some((id, _))) => {
            let program = running_version(id, &limits, daemon)?;
            (program, format!("what {id} runs now"))
        }
        (None, None) => return Err(no_group(topic)),
    };
    let id: Arc<str> = group.map_or("test", |(id, _)| id).into();
    Ok(Versions {
        old,
        old_name,
        new,
        settings: Settings {
            caller: Caller {
                member: format!("{id}-1").into(),
                group: id,
            },
            limits,
            params: group.map_or_else(Params::new, |(_, group)| group.params.clone()),
            timeout: group.map_or(Cage::default().call, |(_, group)| group.handler_timeout),
            // The same for both, and anew for each message.
            seed: Some(0),
            compile: group.is_some_and(|(_, group)| group.compile),
        },
    })
}

/// The group that is named, else the only one that reads the topic.
fn group<'c>(
    topic: &str,
    wanted: &Recorded,
    config: &'c Config,
) -> Result<Option<(&'c str, &'c Group)>, Trouble> {
    if let Some(id) = &wanted.group {
        let group = config.groups.get_key_value(id);
        let group = group.map(|(id, group)| (id.as_str(), group));
        return group.map(Some).ok_or_else(|| {
            let ids = config.groups.keys().map(String::as_str);
            Trouble::Usage(match crate::config::suggest(id, ids) {
                Some(near) => format!("the config has no group {id}; did you mean {near}?"),
                None => format!("the config has no group {id}"),
            })
        });
    }
    let mut readers = config.groups.iter().filter(|(_, group)| {
        let topics = group.topics.iter();
        topics.into_iter().any(|read| read == topic)
    });
    let first = readers.next().map(|(id, group)| (id.as_str(), group));
    let others: Vec<&str> = readers.map(|(id, _)| id.as_str()).collect();
    match (first, others.is_empty()) {
        (Some((first, _)), false) => Err(Trouble::Usage(format!(
            "{topic} is read by {first}, {}; say which one with --group GROUP",
            others.join(", ")
        ))),
        (first, _) => Ok(first),
    }
}

fn no_group(topic: &str) -> Trouble {
    Trouble::Usage(format!(
        "no group of the config reads {topic}; name one with --group GROUP, or both versions with \
         --handler FILE and --against FILE"
    ))
}

fn program(file: &Path, limits: &Limits) -> Result<Arc<Program>, Trouble> {
    let program = Program::load(file, Kind::Consumer, limits);
    program.map(Arc::new).map_err(Trouble::Mistakes)
}

/// The program that the group runs now, as its daemon read it.
fn running_version(group: &str, limits: &Limits, daemon: &Wanted) -> Result<Arc<Program>, Trouble> {
    let found = Client::find(daemon).and_then(|client| client.handler(group));
    let sources = found.map_err(|error| {
        let hint = "to compare with a file instead, say --against FILE";
        Trouble::Failed(format!(
            "what {group} runs now is not known: {error}; {hint}"
        ))
    })?;
    let file = Path::new(&sources.path);
    let program = Program::of_texts(file, &sources.files, Kind::Consumer, limits);
    program.map(Arc::new).map_err(Trouble::Mistakes)
}

/// The messages, oldest first.
fn read(topic: &str, last: usize, config: &Config) -> Result<Vec<Record>, Trouble> {
    let Brokers::Servers(servers) = &config.kafka.brokers else {
        return Err(Trouble::Failed(
            "the embedded broker is inside its daemon, on a port of its own; take the port from the \
             daemon's first line and say --set kafka.brokers=127.0.0.1:PORT"
                .to_owned(),
        ));
    };
    let cluster = Cluster {
        servers: servers.clone(),
        embedded: false,
        properties: config.kafka.properties.clone(),
        instance: format!("{}-test", config.daemon.instance),
    };
    last_messages(&cluster, topic, last).map_err(|error| Trouble::Failed(error.message))
}

/// One message that the two versions handle differently.
struct Differing {
    title: String,
    lines: Vec<String>,
    ends_otherwise: bool,
}

fn write(
    topic: &str,
    versions: &Versions,
    records: Vec<Record>,
    colour: bool,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let all = records.len();
    let new_name = shown_path(versions.new.file());
    let (old_version, new_version) = (versions.old.version(), versions.new.version());
    writeln!(
        output.out,
        "old: {} (version {old_version})",
        versions.old_name
    )?;
    writeln!(output.out, "new: {new_name} (version {new_version})")?;
    let (mut differ, mut end_otherwise) = (0, 0);
    let mistakes = thread::scope(|scope| {
        let (tell, differing) = mpsc::channel();
        // Scripts need more stack than this thread may have.
        let comparing = thread::Builder::new()
            .name("comparing".to_owned())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, move || compare_all(versions, records, &tell))?;
        for differing in differing {
            differ += 1;
            end_otherwise += usize::from(differing.ends_otherwise);
            show(&differing, colour, output)?;
        }
        comparing
            .join()
            .map_err(|panic| io::Error::other(crate::panic_text(panic.as_ref())))
    })?;
    if let Err(mistakes) = mistakes {
        let warnings = Vec::new();
        return output.failed(&Failed { mistakes, warnings }, "nothing was compared");
    }
    let what = if all == 1 { "message" } else { "messages" };
    let sum = match (differ, end_otherwise) {
        (0, _) => "both versions do the same".to_owned(),
        (differ, 0) => format!("{differ} handled differently"),
        (differ, ends) => format!("{differ} handled differently, {ends} of them end otherwise"),
    };
    writeln!(output.out, "\n{all} {what} of {topic}: {sum}")?;
    Ok(if differ == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Tells each message that is handled differently.
fn compare_all(
    versions: &Versions,
    records: Vec<Record>,
    tell: &Sender<Differing>,
) -> Result<(), Vec<Diagnostic>> {
    let mut old = Side::new(&versions.old, versions.settings.clone())?;
    let mut new = Side::new(&versions.new, versions.settings.clone())?;
    for record in records {
        let record = Rc::new(record);
        let comparison = compare_one(&mut old, &mut new, &record);
        // Nobody listens any more when the writer failed.
        if !comparison.same() && tell.send(differing(&record, &comparison)).is_err() {
            break;
        }
    }
    Ok(())
}

fn differing(record: &Record, comparison: &Comparison) -> Differing {
    let key = record.key().map(String::from_utf8_lossy);
    let key = key.map(|key| format!("  {key}")).unwrap_or_default();
    Differing {
        title: format!(
            "{}/{}@{}{key}",
            record.topic, record.partition, record.offset
        ),
        lines: comparison.lines("old", "new"),
        ends_otherwise: comparison.ends_otherwise(),
    }
}

fn show(differing: &Differing, colour: bool, output: &mut Output<'_>) -> io::Result<()> {
    let title = printable(&differing.title);
    writeln!(output.out, "\n{title}")?;
    for line in &differing.lines {
        let line = printable(line);
        let style = match line.trim_start() {
            line if line.starts_with("old ") => AnsiColor::Red.on_default(),
            line if line.starts_with("new ") => AnsiColor::Green.on_default(),
            _ => anstyle::Style::new(),
        };
        match colour {
            true => writeln!(output.out, "  {style}{line}{style:#}")?,
            false => writeln!(output.out, "  {line}")?,
        }
    }
    Ok(())
}
