//! `deliveryd dlq replay`: dead letters once more, each once.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::args::{ReplayArgs, To};
use super::progress::Progress;
use super::{Desk, Trouble, run, told};
use crate::cli::{Exit, Output};
use crate::config::{Failed, Group, Log, Rate};
use crate::control::Wanted;
use crate::dlq::{Destination, End, Homes, Next, Order, Replay, Stop, Tally};
use crate::member::Lone;
use crate::observe::{Format, logs};
use crate::script::{Kind, Program, STACK_SIZE};
use crate::signals::{Asked, Signals};

/// For ending in order what is under way; brokers that do not answer by then are not waited for.
const STOPPING: Duration = Duration::from_secs(15);
const SILENT: &str = "stopped before the brokers answered";

/// Replays what is meant, or says how much it would be.
///
/// # Errors
/// What the writers say.
pub(super) fn replay(
    args: &ReplayArgs,
    format: Format,
    daemon: &Wanted,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let mut desk = match Desk::open(&args.which, &args.places, daemon) {
        Ok(desk) => desk,
        Err(trouble) => return told(trouble, "nothing was replayed", output),
    };
    let (group_id, group) = match desk.one_group() {
        Ok((id, group)) => (id.clone(), Arc::new(group.clone())),
        Err(trouble) => return told(trouble, "nothing was replayed", output),
    };
    desk.filter.group = Some(group_id.clone());
    let job = Job {
        desk: &desk,
        args,
        group_id: &group_id,
        group: &group,
    };
    let done = match args.dry_run {
        true => job.count(),
        false => job.begin(format),
    };
    match done {
        Ok(done) => job.tell(&done, output),
        Err(trouble) => told(trouble, "nothing was replayed", output),
    }
}

struct Job<'a> {
    desk: &'a Desk,
    args: &'a ReplayArgs,
    group_id: &'a str,
    group: &'a Arc<Group>,
}

/// How far it came, and why no further.
#[derive(Default)]
struct Done {
    tally: Tally,
    /// Told to stop.
    stopped: bool,
    failure: Option<String>,
}

impl Job<'_> {
    /// How many it would be.
    fn count(&self) -> Result<Done, Trouble> {
        run(async {
            let mut letters = self.desk.letters().await?;
            let mut tally = Tally::default();
            loop {
                match letters.next_letter()? {
                    Next::End => break,
                    Next::Nothing => {}
                    Next::Letter(letter) if !self.desk.filter.takes(&letter) => {}
                    Next::Letter(letter) if letter.provenance.is_err() => tally.foreign += 1,
                    Next::Letter(letter) if letter.replayed && !self.args.again => {
                        tally.before += 1;
                    }
                    Next::Letter(_) => tally.replayed += 1,
                }
            }
            Ok(Done {
                tally,
                ..Done::default()
            })
        })
    }

    fn begin(&self, format: Format) -> Result<Done, Trouble> {
        let level = match self.args.to {
            // What librdkafka says is said here in other words.
            To::Topic => "warn,librdkafka=off".to_owned(),
            // What the handler logs is worth as much here as in the daemon.
            To::Group => self.desk.config.log.level.clone(),
        };
        // Not into the daemon's file: two processes do not share one.
        let log = Log {
            level,
            file: None,
            ..self.desk.config.log.clone()
        };
        let _log = logs::init(&log, format).map_err(|error| Trouble::Failed(error.to_string()))?;
        let stop = Stop::default();
        let _signals = listen(stop.clone())
            .map_err(|error| Trouble::Failed(format!("no signals can be heard: {error}")))?;
        // Scripts run with the stack that they were checked with.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("replay".to_owned())
                .stack_size(STACK_SIZE)
                .spawn_scoped(scope, || run(self.work(&stop)));
            match thread.map(|thread| thread.join()) {
                Ok(Ok(done)) => done,
                Ok(Err(panic)) => Err(Trouble::Failed(crate::panic_text(&*panic))),
                Err(error) => Err(Trouble::Failed(format!("no thread: {error}"))),
            }
        })
    }

    async fn work(&self, stop: &Stop) -> Result<Done, Trouble> {
        let given_up = async {
            stop.asked().await;
            tokio::time::sleep(STOPPING).await;
        };
        let desk = self.desk;
        let order = Order {
            cluster: &desk.cluster,
            admin: &desk.admin,
            group_id: self.group_id,
            group: self.group,
            topics: &desk.topics,
            filter: &desk.filter,
            rate: self.args.rate.map_or(Rate::Unlimited, Rate::PerSecond),
            again: self.args.again,
        };
        let opening = async {
            let destination = self.destination().await?;
            Ok::<_, Trouble>(Replay::open(order, destination, stop.clone()).await?)
        };
        tokio::pin!(given_up);
        let mut replay = tokio::select! {
            replay = opening => replay?,
            () = &mut given_up => return Err(Trouble::Failed(SILENT.to_owned())),
        };
        let mut progress = Progress::begin(self.args.to, replay.tally().of);
        let result = tokio::select! {
            result = replay.run(|tally| progress.show(tally)) => result.map_err(|failure| failure.to_string()),
            () = &mut given_up => Err(format!(
                "{SILENT}; what they had not confirmed is taken back, and the same command goes on with it"
            )),
        };
        progress.end();
        let tally = replay.tally().clone();
        replay.close();
        Ok(Done {
            tally,
            stopped: matches!(result, Ok(End::Stopped)),
            failure: result.err(),
        })
    }

    async fn destination(&self) -> Result<Destination, Trouble> {
        match self.args.to {
            To::Topic => Ok(Destination::Topic(Homes::new(
                &self.desk.admin,
                self.args.by_key,
            ))),
            To::Group => {
                let wrong = |mistakes| {
                    let warnings = Vec::new();
                    Trouble::Config(Box::new(Failed { mistakes, warnings }))
                };
                let group = self.group;
                let program = Program::load(&group.handler, Kind::Consumer, &group.limits);
                let program = Arc::new(program.map_err(wrong)?);
                let there = self.desk.admin.describe(&[]).await?;
                let configured = self.desk.config.topics.keys().cloned();
                let topics: HashSet<String> = configured.chain(there.into_keys()).collect();
                let lone = Lone::start(&program, self.group_id, group, topics);
                Ok(Destination::Group(Box::new(lone.map_err(wrong)?)))
            }
        }
    }

    fn tell(&self, done: &Done, output: &mut Output<'_>) -> io::Result<Exit> {
        let tally = &done.tally;
        let verb = match (self.args.dry_run, self.args.to) {
            (true, To::Topic) => "would be replayed to their topic",
            (true, To::Group) => "would be replayed to the group",
            (false, To::Topic) => "replayed to their topic",
            (false, To::Group) => "replayed to the group",
        };
        writeln!(output.out, "{} {verb}", tally.replayed)?;
        let mut also = |count: u64, what: &str| match count {
            0 => Ok(()),
            count => writeln!(output.out, "{count} {what}"),
        };
        also(
            tally.renewed,
            "of these with the present time: their topic would soon delete them for their own",
        )?;
        also(
            tally.failed_again,
            "failed again, and are dead letters again",
        )?;
        also(
            tally.skipped,
            "failed again, and are skipped as `on_failure.then` says",
        )?;
        also(
            tally.before,
            "had been replayed before; --again replays them too",
        )?;
        also(
            tally.foreign,
            "stay: they were not written by deliveryd, as `dlq list` shows",
        )?;
        for (topic, count) in &tally.homeless {
            also(*count, &format!("stay: there is no topic {topic} any more"))?;
        }
        let found = tally.replayed + tally.failed_again + tally.skipped;
        let left = tally.before + tally.foreign + tally.homeless.values().sum::<u64>();
        if let Some(failure) = &done.failure {
            writeln!(output.err, "error: {failure}")?;
            return Ok(Exit::Failed);
        }
        if done.stopped {
            writeln!(
                output.err,
                "stopped; the same command goes on with the rest"
            )?;
            return Ok(Exit::Failed);
        }
        let named = self.args.places.iter().collect::<BTreeSet<_>>().len() as u64;
        if found + left < named {
            let missing = named - found - left;
            writeln!(
                output.err,
                "error: {missing} of the {named} letters that were named are not there, or are not meant by the other conditions"
            )?;
            return Ok(Exit::Failed);
        }
        // Whoever names a letter wants that one.
        let complete = tally.homeless.is_empty() && (named == 0 || tally.foreign == 0);
        match complete {
            true => Ok(Exit::Done),
            false => Ok(Exit::Failed),
        }
    }
}

/// Lets the signals that stop a daemon stop this, in order; the second one ends it at once.
fn listen(stop: Stop) -> io::Result<Signals> {
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let signals = Signals::listen(sender)?;
    std::thread::Builder::new()
        .name("stop".to_owned())
        .spawn(move || {
            while let Some(asked) = asked.blocking_recv() {
                if matches!(asked, Asked::Stop(_)) {
                    stop.ask();
                }
            }
        })?;
    Ok(signals)
}
