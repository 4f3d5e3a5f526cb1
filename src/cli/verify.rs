//! `deliveryd verify`: has a group rehearsed, and tells what came of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc::unbounded_channel;

use super::{Exit, Output};
use crate::config::{Config, Group, Invocation, Limits, Params, suggest};
use crate::diagnostic::{Diagnostic, shown_path};
use crate::kafka::{Admin, Cluster, last_messages};
use crate::observe::Format;
use crate::observe::terminal::duration;
use crate::preflight::{self, Checked};
use crate::script::{Kind, Program};
use crate::signals::Signals;
use crate::verify::{self, Fault, Origin, Outcome, Request, thousands};

const EXAMPLES: &str = "Examples:\n  \
    deliveryd verify --config FILE --group orders\n  \
    deliveryd verify --config FILE --group orders --sample 1000 --rate 2000 --duration 5m\n  \
    deliveryd verify --config FILE --group orders --processes 3 --faults term,kill --seed 7 --json\n  \
    deliveryd verify --config FILE --clean 20250131T120000-4f1c\n\n\
    Exit codes: 0 the guarantee held, 1 it did not or could not be proved, 2 wrong command line,\n\
    78 wrong configuration.";

/// The sample where neither a generator nor a number is named.
const SAMPLE: usize = 1000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// The group whose handler and settings are to be proved; needed where there is more than one
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// How many processes run the group's members
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    processes: u32,
    /// Messages per second
    #[arg(long, value_name = "RATE", default_value_t = 500.0, value_parser = rate)]
    rate: f64,
    /// How long messages are written
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    duration: Duration,
    /// Make the messages with this generator; else with that of a producer of the configuration, or from
    /// a sample
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    generator: Option<PathBuf>,
    /// Make the messages of the last N of the real topic
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: Option<u32>,
    /// How many keys messages get that have none
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Strike the processes: term, kill, stop, with commas between
    #[arg(long, value_name = "FAULTS", value_delimiter = ',', value_enum)]
    faults: Vec<Fault>,
    /// Between two faults
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    fault_interval: Duration,
    /// How long `stop` lasts; else 2 s longer than the group's session
    #[arg(long, value_name = "TIME", value_parser = time)]
    standstill: Option<Duration>,
    /// How long nothing may be finished at the end before the rest counts as missing; else 20 s longer
    /// than the group's session and its waits
    #[arg(long, value_name = "TIME", value_parser = time)]
    patience: Option<Duration>,
    /// Strike as in the run that told this number
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
    /// Only remove what a run that was killed has left on the cluster
    #[arg(long, value_name = "RUN", conflicts_with_all = ["group", "faults", "json"])]
    clean: Option<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err("expected a number of messages per second above 0".to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text);
    let time = time.map_err(|_| "expected a time such as 500ms, 30s or 5m".to_owned())?;
    match time {
        time if time.is_zero() => Err("expected more than no time".to_owned()),
        // Temporary topics keep their messages for two days.
        time if time > Duration::from_secs(24 * 3600) => Err("expected at most a day".to_owned()),
        time => Ok(time),
    }
}

/// Rehearses, and prints what was found.
///
/// # Errors
/// What the writers say.
pub fn verify(
    args: VerifyArgs,
    invocation: Invocation,
    format: Format,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let checked = match preflight::check(&invocation) {
        Ok(checked) => checked,
        Err(failed) => return output.failed(&failed, "nothing was started"),
    };
    let run = verify::new_run();
    let cluster = match verify::cluster(&checked.config, &run) {
        Ok(cluster) => cluster,
        Err(reason) => return usage(output, &reason),
    };
    if let Some(run) = &args.clean {
        return match verify::admin(&cluster) {
            Ok(admin) => clean(&admin, run, output),
            Err(reason) => failed(output, &reason),
        };
    }
    let Some(name) = args.group.clone().or_else(|| only_group(&checked.config)) else {
        let names = names_of_groups(&checked.config);
        return usage(output, &format!("which group? Say --group GROUP; {names}"));
    };
    let Some(group) = checked.config.groups.get(&name) else {
        return usage(output, &unknown_group(&name, &checked.config));
    };
    let group = group.clone();
    let (sender, mut asked) = unbounded_channel();
    // From here on a signal must not leave anything behind.
    let _signals = match Signals::listen(sender) {
        Ok(signals) => signals,
        Err(error) => return failed(output, &format!("signals can't be heard: {error}")),
    };
    let prepared = verify::admin(&cluster).and_then(|admin| {
        let left = verify::leftovers(&admin)?;
        Ok((admin, left))
    });
    let (admin, left) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => return failed(output, &reason),
    };
    tell_leftovers(&left, output)?;
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let (origins, of_what) = match origins(&args, &checked, &group, &cluster, seed) {
        Ok(origins) => origins,
        Err(mistakes) => return wrong(output, &mistakes),
    };
    tell_beginning(&args, &name, &run, &of_what, seed, output)?;
    let request = Request {
        config: checked.config,
        file: invocation.file,
        sets: invocation.sets,
        group: name,
        processes: args.processes,
        rate: args.rate,
        duration: args.duration,
        origins,
        keys: args.keys,
        faults: args.faults,
        fault_interval: args.fault_interval,
        standstill: args.standstill,
        seed,
        patience: args.patience,
        progress: matches!(format, Format::Text),
    };
    let outcome = verify::run(request, &run, cluster, &admin, &mut asked);
    tell(&outcome, args.json, output)
}

/// Why there are no messages to write.
enum Mistake {
    /// A generator that is wrong.
    Script(Vec<Diagnostic>),
    Reason(String),
}

/// Where the messages for each of the group's topics come from, and that in words.
fn origins(
    args: &VerifyArgs,
    checked: &Checked,
    group: &Group,
    cluster: &Cluster,
    seed: u64,
) -> Result<(BTreeMap<String, Origin>, String), Mistake> {
    let mut origins = BTreeMap::new();
    let mut words: Vec<String> = Vec::new();
    for topic in &group.topics {
        let (origin, words_of_it) = match (&args.generator, args.sample) {
            (Some(file), _) => generated(file, checked, seed)?,
            (None, Some(last)) => sampled(cluster, topic, last as usize)?,
            (None, None) => match producer_of(topic, checked, seed) {
                Some(found) => found,
                None => sampled(cluster, topic, SAMPLE)?,
            },
        };
        origins.insert(topic.clone(), origin);
        if !words.contains(&words_of_it) {
            words.push(words_of_it);
        }
    }
    Ok((origins, words.join(" and ")))
}

fn generated(file: &Path, checked: &Checked, seed: u64) -> Result<(Origin, String), Mistake> {
    let limits = Limits::default();
    let program = Program::load(file, Kind::Producer, &limits).map_err(Mistake::Script)?;
    // Its constants, where it is also a producer's.
    let mut producers = checked.config.producers.values();
    let of_file = producers
        .find(|producer| std::path::absolute(file).is_ok_and(|file| file == producer.handler));
    let params: Params = of_file
        .map(|producer| producer.params.clone())
        .unwrap_or_default();
    let origin = Origin::Generator {
        program: Arc::new(program),
        params,
        limits,
        seed,
    };
    Ok((origin, format!("made by {}", shown_path(file))))
}

/// A producer of the configuration writes to the topic.
fn producer_of(topic: &str, checked: &Checked, seed: u64) -> Option<(Origin, String)> {
    let mut producers = checked.config.producers.iter();
    let (name, producer) = producers.find(|(_, producer)| producer.topic == topic)?;
    let origin = Origin::Generator {
        program: checked.programs.producer(&producer.handler)?,
        params: producer.params.clone(),
        limits: producer.limits,
        seed: producer.seed.unwrap_or(seed),
    };
    Some((origin, format!("made as by producer {name}")))
}

fn sampled(cluster: &Cluster, topic: &str, last: usize) -> Result<(Origin, String), Mistake> {
    let records = last_messages(cluster, topic, last).map_err(|error| {
        let instead = "name a generator with --generator FILE to do without a sample";
        Mistake::Reason(format!("no sample of {topic}: {error}; {instead}"))
    })?;
    if records.is_empty() {
        return Err(Mistake::Reason(format!(
            "{topic} is empty, so there is nothing to make messages of; \
             name a generator with --generator FILE"
        )));
    }
    let count = thousands(records.len() as u64);
    let words = format!("a sample of {count} of {topic}");
    Ok((Origin::Sample(records), words))
}

fn unknown_group(name: &str, config: &Config) -> String {
    let names = config.groups.keys().map(String::as_str);
    let mut text = format!("there is no group `{name}` in {}", shown_path(&config.file));
    match suggest(name, names) {
        Some(meant) => text.push_str(&format!("; did you mean `{meant}`?")),
        None => text.push_str(&format!("; {}", names_of_groups(config))),
    }
    text
}

fn only_group(config: &Config) -> Option<String> {
    let mut names = config.groups.keys();
    names.next().filter(|_| names.next().is_none()).cloned()
}

fn names_of_groups(config: &Config) -> String {
    let names: Vec<&str> = config.groups.keys().map(String::as_str).collect();
    match &names[..] {
        [] => "the configuration has none".to_owned(),
        names => format!("the configuration has {}", names.join(", ")),
    }
}

fn tell_beginning(
    args: &VerifyArgs,
    name: &str,
    run: &str,
    of_what: &str,
    seed: u64,
    output: &mut Output<'_>,
) -> io::Result<()> {
    let processes = match args.processes {
        1 => "1 process".to_owned(),
        more => format!("{more} processes"),
    };
    writeln!(
        output.err,
        "rehearsing {name} for {} at {} messages/s ({of_what}), {processes}",
        duration(args.duration),
        args.rate
    )?;
    writeln!(
        output.err,
        "temporary topics and groups: deliveryd-verify.{run}…"
    )?;
    if args.faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<&str> = args.faults.iter().map(|fault| fault.name()).collect();
    writeln!(
        output.err,
        "faults: {}, about every {}, --seed {seed}",
        faults.join(", "),
        duration(args.fault_interval)
    )
}

fn tell_leftovers(
    left: &BTreeMap<String, verify::Remains>,
    output: &mut Output<'_>,
) -> io::Result<()> {
    for (run, remains) in left {
        let names = [&remains.topics[..], &remains.groups[..]]
            .concat()
            .join(", ");
        writeln!(
            output.err,
            "warning: another run goes on, or was killed and left behind {names}\n  \
             `deliveryd verify --config FILE --clean {run}` removes that"
        )?;
    }
    Ok(())
}

/// Removes what is left of a run, unless it goes on.
fn clean(admin: &Admin, run: &str, output: &mut Output<'_>) -> io::Result<Exit> {
    let mut runs = match verify::leftovers(admin) {
        Ok(runs) => runs,
        Err(reason) => return failed(output, &reason),
    };
    let Some(remains) = runs.remove(run) else {
        writeln!(output.out, "nothing is left of run {run}")?;
        return Ok(Exit::Done);
    };
    match verify::remove(admin, &remains) {
        Ok(()) => {
            for name in remains.topics.iter().chain(&remains.groups) {
                writeln!(output.out, "removed {name}")?;
            }
            Ok(Exit::Done)
        }
        Err(reason) => failed(output, &reason),
    }
}

fn tell(outcome: &Outcome, json: bool, output: &mut Output<'_>) -> io::Result<Exit> {
    for reason in &outcome.left {
        writeln!(output.err, "warning: left behind: {reason}")?;
    }
    let exit = match &outcome.report {
        Ok(report) => {
            if json {
                serde_json::to_writer_pretty(&mut *output.out, report)?;
                writeln!(output.out)?;
            } else {
                write!(output.out, "{report}")?;
            }
            if report.held {
                Exit::Done
            } else {
                Exit::Failed
            }
        }
        Err(failure) => {
            writeln!(output.err, "error: {failure}")?;
            Exit::Failed
        }
    };
    if let Some(logs) = &outcome.logs {
        writeln!(output.err, "the processes' logs: {}", logs.display())?;
    }
    Ok(exit)
}

fn wrong(output: &mut Output<'_>, mistake: &Mistake) -> io::Result<Exit> {
    match mistake {
        Mistake::Reason(reason) => failed(output, reason),
        Mistake::Script(mistakes) => {
            for mistake in mistakes {
                writeln!(output.err, "error: {mistake}")?;
            }
            Ok(Exit::Config)
        }
    }
}

fn usage(output: &mut Output<'_>, reason: &str) -> io::Result<Exit> {
    writeln!(output.err, "error: {reason}")?;
    Ok(Exit::Usage)
}

fn failed(output: &mut Output<'_>, reason: &str) -> io::Result<Exit> {
    writeln!(output.err, "error: {reason}")?;
    Ok(Exit::Failed)
}
