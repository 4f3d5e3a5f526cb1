//! Faults: which process is struck, when and how, from a seed.

use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// SIGTERM, an orderly stop, and start again
    Term,
    /// SIGKILL and start again
    Kill,
    /// SIGSTOP until the group has given it up, then SIGCONT
    Stop,
}

impl Fault {
    /// As it is given on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Term => "term",
            Self::Kill => "kill",
            Self::Stop => "stop",
        }
    }

    /// The signal that it begins with.
    pub fn signal(self) -> &'static str {
        match self {
            Self::Term => "SIGTERM",
            Self::Kill => "SIGKILL",
            Self::Stop => "SIGSTOP",
        }
    }
}

/// A fault that was struck. Times since the rehearsal began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Struck {
    pub fault: Fault,
    /// From 1.
    pub process: u32,
    #[serde(rename = "at_seconds", serialize_with = "seconds")]
    pub at: Duration,
    /// When the process could go on, or the new one was started.
    #[serde(rename = "until_seconds", serialize_with = "seconds")]
    pub until: Duration,
}

/// Seconds with three digits behind the point.
pub fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// The order of faults. The same seed strikes the same processes in the same way.
#[derive(Debug)]
pub struct Schedule {
    kinds: Vec<Fault>,
    /// What is left of this round: in each round every kind comes once.
    bag: Vec<Fault>,
    random: Xoshiro256PlusPlus,
    processes: u32,
    interval: Duration,
    rounds: u32,
    next: Duration,
}

impl Schedule {
    /// The first fault is due about an `interval` after the beginning.
    pub fn new(kinds: &[Fault], seed: u64, processes: u32, interval: Duration) -> Self {
        let mut schedule = Self {
            kinds: kinds.to_owned(),
            bag: Vec::new(),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            processes,
            interval,
            rounds: 0,
            next: Duration::ZERO,
        };
        schedule.next = schedule.pause();
        schedule
    }

    /// What is to be done at `now`, if something is: a fault, and the process that it befalls.
    pub fn due(&mut self, now: Duration) -> Option<(Fault, u32)> {
        if self.kinds.is_empty() || now < self.next {
            return None;
        }
        if self.bag.is_empty() {
            self.bag = self.kinds.clone();
            self.bag.shuffle(&mut self.random);
        }
        let fault = self.bag.pop()?;
        Some((fault, self.random.random_range(1..=self.processes)))
    }

    /// The fault is over at `now`; the next one follows in about an interval.
    pub fn over(&mut self, now: Duration) {
        self.rounds += u32::from(self.bag.is_empty());
        self.next = now + self.pause();
    }

    /// Whether every kind has come at least once.
    pub fn has_shown_all(&self) -> bool {
        self.kinds.is_empty() || self.rounds > 0
    }

    fn pause(&mut self) -> Duration {
        self.interval.mul_f64(self.random.random_range(0.75..1.25))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Duration = Duration::from_secs(4);

    fn strikes(seed: u64) -> Vec<(Fault, u32, Duration)> {
        let kinds = [Fault::Term, Fault::Kill, Fault::Stop];
        let mut schedule = Schedule::new(&kinds, seed, 3, EACH);
        let mut strikes = Vec::new();
        for n in 0..100_000 {
            let now = Duration::from_millis(n);
            if let Some((fault, process)) = schedule.due(now) {
                strikes.push((fault, process, now));
                schedule.over(now);
            }
        }
        strikes
    }

    /// A seed is a schedule; another seed is another one.
    #[test]
    fn a_seed_is_a_schedule() {
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
    }

    /// Every kind comes in every round, every process is struck, at the distance that was asked for.
    #[test]
    fn every_kind_and_every_process_has_its_turn() {
        let strikes = strikes(7);
        assert!((20..=33).contains(&strikes.len()), "{}", strikes.len());
        for round in strikes.chunks_exact(3) {
            let mut names = [round[0].0, round[1].0, round[2].0].map(Fault::name);
            names.sort_unstable();
            assert_eq!(names, ["kill", "stop", "term"]);
        }
        for process in 1..=3 {
            assert!(strikes.iter().any(|strike| strike.1 == process));
        }
        for pair in strikes.windows(2) {
            let apart = pair[1].2 - pair[0].2;
            assert!(
                (EACH.mul_f64(0.74)..EACH.mul_f64(1.26)).contains(&apart),
                "{apart:?}"
            );
        }
    }

    /// It is known when everything that was asked for has been shown.
    #[test]
    fn all_kinds_are_shown_before_the_end() {
        let mut schedule = Schedule::new(&[Fault::Kill, Fault::Term], 1, 2, EACH);
        let late = Duration::from_secs(60);
        assert!(!schedule.has_shown_all());
        for shown in [false, true] {
            assert!(schedule.due(late).is_some());
            schedule.over(Duration::ZERO);
            assert_eq!(schedule.has_shown_all(), shown);
        }
        assert!(Schedule::new(&[], 1, 2, EACH).has_shown_all());
        assert_eq!(Schedule::new(&[], 1, 2, EACH).due(late), None);
    }
}
