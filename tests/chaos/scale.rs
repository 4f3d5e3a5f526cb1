//! How much of everything, and what of it: as the environment says.

use std::path::PathBuf;
use std::time::Duration;

use super::faults::Kind;
use super::scene::Mode;

/// Faults of one kind, one after another.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub kind: Kind,
    /// How often it strikes; of [`Kind::Mixed`] how many seconds it lasts.
    pub strikes: u32,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Scale {
    pub form: String,
    /// Messages written a second.
    pub rate: u32,
    /// The group misses a member after this.
    pub session: Duration,
    /// From the beginning of one strike to the next, if that one is over.
    pub every: Duration,
    /// How long the brokers are warmed up: their machine compiles as it goes.
    pub warm: Duration,
    /// From a broker's death to its start, which takes a few seconds more.
    pub down: Duration,
    pub seed: u64,
    /// A directory for the daemons' logs.
    pub logs: Option<String>,
    /// Another deliveryd than the one that Cargo built.
    pub program: Option<PathBuf>,
    /// Three, or the only one.
    pub brokers: usize,
    pub rounds: Vec<Round>,
    modes: Option<String>,
}

impl Scale {
    /// `CHAOS=30m` is a long form that lasts about so long with both modes; without it the short one.
    /// `CHAOS_SEED=N` repeats a schedule, `CHAOS_FAULTS=kill,stop` and `CHAOS_MODE=exactly_once` leave
    /// the others out, `CHAOS_LOGS=DIR` keeps the daemons' logs, `CHAOS_PROGRAM=PATH` strikes another
    /// deliveryd than the one that Cargo built, `CHAOS_BROKERS=1` has one broker in place of three, and
    /// `CHAOS_TIMES=N` goes through the rounds so many times, with other dice each time.
    pub fn chosen() -> Scale {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let lasts = set("CHAOS").map(|text| {
            humantime::parse_duration(&text).unwrap_or_else(|error| panic!("CHAOS={text}: {error}"))
        });
        let seed = set("CHAOS_SEED").map(|text| {
            text.parse()
                .unwrap_or_else(|error| panic!("CHAOS_SEED={text}: {error}"))
        });
        let faults = set("CHAOS_FAULTS").map(|text| text.split(',').map(Kind::named).collect());
        let mut scale = match lasts {
            Some(lasts) => Self::long(lasts),
            None => Self::short(),
        };
        scale.seed = seed.unwrap_or_else(rand::random);
        scale.logs = set("CHAOS_LOGS");
        scale.program = set("CHAOS_PROGRAM").map(PathBuf::from);
        scale.modes = set("CHAOS_MODE");
        if let Some(brokers) = set("CHAOS_BROKERS") {
            scale.brokers = match brokers.as_str() {
                "1" => 1,
                "3" => 3,
                other => panic!("CHAOS_BROKERS={other}: 1 or 3"),
            };
        }
        if scale.brokers == 1 {
            // The death of the only one is an outage.
            scale.rounds.retain(|round| round.kind != Kind::Broker);
        }
        if let Some(faults) = faults {
            let faults: Vec<Kind> = faults;
            scale.rounds.retain(|round| faults.contains(&round.kind));
        }
        if let Some(times) = set("CHAOS_TIMES") {
            let times: usize = times
                .parse()
                .unwrap_or_else(|error| panic!("CHAOS_TIMES={times}: {error}"));
            scale.rounds = scale.rounds.repeat(times);
        }
        scale
    }

    fn short() -> Scale {
        Scale {
            form: "short".to_owned(),
            // Two cores are too few for more, unoptimised.
            rate: if cfg!(debug_assertions) { 1000 } else { 4000 },
            session: Duration::from_secs(6),
            every: Duration::from_secs(2),
            warm: Duration::ZERO,
            down: Duration::from_secs(2),
            seed: 0,
            logs: None,
            program: None,
            brokers: 3,
            rounds: rounds(|kind| kind.strikes().0),
            modes: None,
        }
    }

    /// Both modes share the time; what the kinds leave is for the mixture.
    fn long(lasts: Duration) -> Scale {
        let mut scale = Scale {
            form: format!("long, {}", humantime::format_duration(lasts)),
            session: Duration::from_secs(10),
            every: Duration::from_secs(4),
            warm: Duration::from_secs(30),
            down: Duration::from_secs(6),
            rounds: rounds(|kind| kind.strikes().1),
            ..Self::short()
        };
        let kinds: Duration = scale
            .rounds
            .iter()
            .map(|round| round.kind.lasts(&scale) * round.strikes)
            .sum();
        let mixed = (lasts / 2).saturating_sub(kinds + scale.warm).as_secs() as u32;
        for round in &mut scale.rounds {
            if round.kind == Kind::Mixed {
                round.strikes = mixed.max(round.strikes);
            }
        }
        scale
    }

    /// Whether this mode is asked for.
    pub fn has(&self, mode: Mode) -> bool {
        self.modes.as_ref().is_none_or(|only| only == mode.name())
    }
}

fn rounds(strikes: impl Fn(Kind) -> u32) -> Vec<Round> {
    let round = |kind: Kind| Round {
        kind,
        strikes: strikes(kind),
    };
    Kind::ALL.into_iter().map(round).collect()
}
