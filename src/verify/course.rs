//! The course of a rehearsal: topics, processes, load and faults, until everything is finished or
//! patience is at its end; then the verdict. What it started is stopped and removed by whoever called.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::faults::{Fault, Schedule, Struck};
use super::ledger::Ledger;
use super::load::{Load, Orders};
use super::processes::Processes;
use super::progress::Progress;
use super::promise::{self, Case, Missing};
use super::receipts::Receipts;
use super::report::Report;
use super::source::Origin;
use super::{Books, Failure, Request, group_id, session};
use crate::config::Group;
use crate::config::rehearsal::{receipts, temporary};
use crate::delivery::Stamp;
use crate::kafka::{Admin, Cluster, Sender, TopicState, last_messages};
use crate::signals::Asked;

/// One round of looking after everything.
const ROUND: Duration = Duration::from_millis(20);
/// For all processes to start and to join.
const JOINING: Duration = Duration::from_secs(120);
/// Beyond what it may take by its settings, an orderly stop may take so long.
const ENDING: Duration = Duration::from_secs(15);
/// Beyond sessions and waits for retries, nothing may be finished for so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that a rehearsal works with.
pub struct Course<'a> {
    pub request: Request,
    pub run: &'a str,
    pub cluster: Cluster,
    pub admin: &'a Admin,
    pub processes: &'a mut Processes,
    pub(super) books: Books,
    pub asked: &'a mut UnboundedReceiver<Asked>,
    pub progress: &'a Progress,
}

/// A fault whose end is still to come.
struct UnderWay {
    fault: Fault,
    process: u32,
    at: Duration,
    /// When it is over, or for an orderly stop when it has to be.
    until: Instant,
}

impl Course<'_> {
    /// Rehearses, and judges.
    pub fn run(&mut self) -> Result<Report, Failure> {
        self.progress.say("making temporary topics");
        self.make_topics()?;
        self.start_processes()?;
        let books = self.books.clone();
        *books.lock() = Ledger::new(Instant::now());
        let receipts = receipts(self.run);
        let reader = Receipts::start(&self.cluster, &receipts, books.clone())?;
        let load = self.start_load()?;
        let began = Instant::now();
        let faults = self.write_and_strike(&load, &reader)?;
        let seconds = began.elapsed();
        load.finish()?;
        self.settle(&reader)?;
        self.progress.say("stopping the processes");
        let within = self.request.config.daemon.shutdown_timeout + ENDING;
        let wrong = self.processes.stop_all(within);
        // Nobody writes receipts any more.
        reader.finish()?;
        let missing = self.look_up_missing()?;
        let mut report = self.report(missing, faults, seconds)?;
        report.held &= wrong.is_empty();
        report.broken.extend(wrong);
        Ok(report)
    }

    fn group(&self) -> Result<&Group, String> {
        let name = &self.request.group;
        let group = self.request.config.groups.get(name);
        group.ok_or_else(|| format!("there is no group `{name}`"))
    }

    /// The topics that are read, as large as the real ones, and that of the receipts.
    fn make_topics(&self) -> Result<(), Failure> {
        let mut replication = 1;
        for real in &self.group()?.topics {
            let otherwise = self.request.config.topics.get(real);
            let size = self
                .admin
                .create_like(&temporary(self.run, real), real, otherwise)
                .map_err(|error| error.message)?;
            replication = replication.max(size.replication);
        }
        let size = TopicState {
            partitions: 1,
            replication,
        };
        self.admin
            .create_temporary(&receipts(self.run), &size, &BTreeMap::new())
            .map_err(|error| Failure::Failed(error.message))
    }

    fn start_processes(&mut self) -> Result<(), Failure> {
        self.processes.start_all()?;
        let deadline = Instant::now() + JOINING;
        while let Some(not_yet) = self.processes.not_joined() {
            self.look_after()?;
            self.progress.say(&not_yet);
            if Instant::now() >= deadline {
                let after = JOINING.as_secs();
                return Err(Failure::Failed(format!("{not_yet}, after {after} s")));
            }
            std::thread::sleep(ROUND * 5);
        }
        Ok(())
    }

    /// Signals, and processes that end by themselves.
    fn look_after(&mut self) -> Result<(), Failure> {
        match self.asked.try_recv() {
            Ok(Asked::Stop(why)) => return Err(Failure::Interrupted(why)),
            // There is nothing to reload.
            Ok(Asked::Reload) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        Ok(())
    }

    fn start_load(&mut self) -> Result<Load, String> {
        let origins: BTreeMap<String, Origin> = std::mem::take(&mut self.request.origins);
        let name = format!("{}-load", self.cluster.instance);
        let sender = Sender::new(&self.cluster, &Default::default(), &name);
        let orders = Orders {
            topics: origins
                .into_iter()
                .map(|(real, origin)| (temporary(self.run, &real), origin))
                .collect(),
            rate: self.request.rate,
            keys: self.request.keys,
        };
        let sender = sender.map_err(|error| error.message)?;
        Load::start(orders, sender, self.books.clone())
    }

    /// Until the time is over, every kind of fault has come, and the last one is over.
    fn write_and_strike(&mut self, load: &Load, reader: &Receipts) -> Result<Vec<Struck>, Failure> {
        let Request {
            faults,
            seed,
            processes,
            fault_interval,
            duration,
            ..
        } = &self.request;
        let duration = *duration;
        let mut schedule = Schedule::new(faults, *seed, *processes, *fault_interval);
        let mut struck = Vec::new();
        let mut under_way: Option<UnderWay> = None;
        let began = self.books.lock().began();
        loop {
            let now = began.elapsed();
            match under_way.take() {
                Some(fault) => {
                    under_way = self.go_on_with(fault, began, &mut struck)?;
                    if under_way.is_none() {
                        schedule.over(began.elapsed());
                    }
                }
                None if now >= duration && schedule.has_shown_all() => return Ok(struck),
                None => {
                    if let Some((fault, process)) = schedule.due(now) {
                        under_way = Some(self.strike(fault, process, began)?);
                    }
                }
            }
            self.nobody_ended(under_way.as_ref().map(|fault| fault.process))?;
            if load.has_ended() || reader.has_ended() {
                // Their own word for it comes when they are finished.
                return Ok(struck);
            }
            self.look_after()?;
            let glance = self.books.lock().glance();
            let left = duration.saturating_sub(now);
            self.progress.show(glance, struck.len(), left);
            std::thread::sleep(ROUND);
        }
    }

    fn nobody_ended(&mut self, struck: Option<u32>) -> Result<(), Failure> {
        match self.processes.ended_unasked(struck)? {
            Some(who) => Err(Failure::Failed(who)),
            None => Ok(()),
        }
    }

    fn strike(&mut self, fault: Fault, process: u32, began: Instant) -> Result<UnderWay, String> {
        let at = began.elapsed();
        let (signal, lasts) = match fault {
            Fault::Term => {
                let within = self.request.config.daemon.shutdown_timeout;
                (Signal::TERM, within + ENDING)
            }
            Fault::Kill => (Signal::KILL, ENDING),
            Fault::Stop => (Signal::STOP, self.standstill()),
        };
        self.processes.signal(process, signal)?;
        Ok(UnderWay {
            fault,
            process,
            at,
            until: Instant::now() + lasts,
        })
    }

    /// Longer than the group waits for a silent member.
    fn standstill(&self) -> Duration {
        let session = session(&self.request.config, &self.request.group);
        let longer = session + Duration::from_secs(2);
        self.request.standstill.unwrap_or(longer)
    }

    /// Ends a fault when its time has come; gives it back until then.
    fn go_on_with(
        &mut self,
        fault: UnderWay,
        began: Instant,
        struck: &mut Vec<Struck>,
    ) -> Result<Option<UnderWay>, Failure> {
        let process = fault.process;
        let is_due = Instant::now() >= fault.until;
        if fault.fault == Fault::Stop {
            if !is_due {
                return Ok(Some(fault));
            }
            self.processes.signal(process, Signal::CONT)?;
        } else {
            match self.processes.take_ended(process)? {
                None if is_due => {
                    return Err(Failure::Failed(format!(
                        "process {process} did not end in time after {}:\n{}",
                        fault.fault.name(),
                        self.processes.last_words(process)
                    )));
                }
                None => return Ok(Some(fault)),
                Some(status) if fault.fault == Fault::Term && !status.success() => {
                    return Err(Failure::Failed(format!(
                        "process {process} was stopped in order and ended with {status}:\n{}",
                        self.processes.last_words(process)
                    )));
                }
                Some(_) => self.processes.start(process)?,
            }
        }
        struck.push(Struck {
            fault: fault.fault,
            process,
            at: fault.at,
            until: began.elapsed(),
        });
        Ok(None)
    }

    /// Until every message is finished, or nothing was for longer than any wait explains.
    fn settle(&mut self, reader: &Receipts) -> Result<(), Failure> {
        let group = self.group()?;
        let waits = group.on_failure.max_backoff.max(group.drain_timeout);
        let session = session(&self.request.config, &self.request.group);
        let patience = self.request.patience;
        let patience = patience.unwrap_or(session.max(waits) + PATIENCE);
        let mut seen = self.books.lock().counts();
        let mut since = Instant::now();
        while !self.books.lock().is_settled() && !reader.has_ended() {
            self.look_after()?;
            self.nobody_ended(None)?;
            let (sent, finished) = self.books.lock().counts();
            if finished != seen.1 {
                seen = (sent, finished);
                since = Instant::now();
            }
            if since.elapsed() >= patience {
                break;
            }
            let missing = promise::thousands(sent - finished);
            self.progress
                .say(&format!("waiting for the last {missing} messages"));
            std::thread::sleep(ROUND);
        }
        Ok(())
    }

    /// Whether commits have passed what has no receipt.
    fn look_up_missing(&self) -> Result<Missing, String> {
        let books = self.books.lock();
        let (sent, finished) = books.counts();
        let mut missing = Missing::default();
        if sent == finished {
            return Ok(missing);
        }
        self.progress.say("looking up what is missing");
        let topics: Vec<String> = self.group()?.topics.clone();
        let topics: Vec<String> = topics
            .iter()
            .map(|real| temporary(self.run, real))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        let id = group_id(self.run, &self.request.group);
        let committed = runtime
            .block_on(self.admin.group_offsets(&id, &topics))
            .map_err(|error| error.message)?;
        let next = |topic: &str, partition: i32| {
            let mut found = committed.iter();
            let found = found.find(|commit| {
                *commit.partition.topic == *topic && commit.partition.number == partition
            });
            found.and_then(|commit| commit.offset).unwrap_or(0)
        };
        for topic in &topics {
            let records = last_messages(&self.cluster, topic, usize::MAX);
            for record in records.map_err(|error| error.message)? {
                let is_missing = Stamp::of(&record).is_some_and(|stamp| books.is_missing(stamp));
                if is_missing && record.offset >= next(topic, record.partition) {
                    missing.unfinished += 1;
                }
            }
        }
        missing.lost = (sent - finished).saturating_sub(missing.unfinished);
        Ok(missing)
    }

    fn report(
        &self,
        missing: Missing,
        faults: Vec<Struck>,
        seconds: Duration,
    ) -> Result<Report, String> {
        let tally = self.books.lock().tally();
        let request = &self.request;
        let group = self.group()?;
        let broken = promise::broken(&Case {
            guarantee: group.guarantee,
            ordering: group.ordering,
            tally: &tally,
            missing,
            faults: &faults,
        });
        Ok(Report {
            held: broken.is_empty(),
            broken,
            group: request.group.clone(),
            guarantee: group.guarantee,
            ordering: group.ordering,
            processes: request.processes,
            members: request.processes * group.members,
            seconds,
            sent: tally.sent,
            finished: tally.finished,
            verdicts: tally.verdicts,
            lost: missing.lost,
            unfinished: missing.unfinished,
            repeated: tally.repeats.len() as u64,
            repeated_unexplained: promise::unexplained(&tally.repeats, &faults),
            out_of_order: tally.out_of_order,
            out_of_order_in_partition: tally.out_of_place,
            strangers: tally.strangers,
            latency_ms: tally.latency,
            silence: tally.silence,
            partition_silence: tally.partition_silence,
            faults,
            seed: request.seed,
        })
    }
}
