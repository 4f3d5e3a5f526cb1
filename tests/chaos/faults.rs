//! The faults: what strikes the daemons, the brokers and the lines between them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus as Dice;
use rand::{RngExt, SeedableRng};

use super::ledger::Time;
use super::load::Load;
use super::scale::Scale;
use super::scene::{Scene, THREE, rest};
use crate::support::Line;

/// The daemon whose connections go through proxies.
const PROXIED: usize = 2;

/// What happens in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Calm,
    Term,
    Kill,
    Stop,
    Broker,
    Outage,
    Line,
    Storm,
    Poison,
    Mixed,
}

impl Kind {
    /// The mixture last.
    pub const ALL: [Kind; 10] = [
        Kind::Calm,
        Kind::Term,
        Kind::Kill,
        Kind::Stop,
        Kind::Broker,
        Kind::Outage,
        Kind::Line,
        Kind::Storm,
        Kind::Poison,
        Kind::Mixed,
    ];

    /// As `CHAOS_FAULTS` names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Calm => "calm",
            Kind::Term => "term",
            Kind::Kill => "kill",
            Kind::Stop => "stop",
            Kind::Broker => "broker",
            Kind::Outage => "outage",
            Kind::Line => "line",
            Kind::Storm => "storm",
            Kind::Poison => "poison",
            Kind::Mixed => "mixed",
        }
    }

    pub fn named(name: &str) -> Kind {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.unwrap_or_else(|| panic!("CHAOS_FAULTS: no fault {name:?}"))
    }

    pub fn title(self) -> &'static str {
        match self {
            Kind::Calm => "no fault",
            Kind::Term => "SIGTERM and start again",
            Kind::Kill => "kill -9 and start again",
            Kind::Stop => "SIGSTOP past the session, SIGCONT",
            Kind::Broker => "kill -9 of a broker, and back",
            Kind::Outage => "kill -9 of all brokers, and back",
            Kind::Line => "connections cut or held up",
            Kind::Storm => "handler edits and SIGHUPs",
            Kind::Poison => "1 % poison",
            Kind::Mixed => "all of them mixed",
        }
    }

    /// How often it strikes in the short and in the long form.
    pub fn strikes(self) -> (u32, u32) {
        match self {
            Kind::Calm => (1, 5),
            Kind::Term | Kind::Kill => (2, 9),
            Kind::Stop => (1, 3),
            Kind::Broker => (1, 3),
            Kind::Outage => (1, 2),
            Kind::Line => (2, 8),
            Kind::Storm => (2, 8),
            Kind::Poison => (1, 5),
            Kind::Mixed => (8, 120),
        }
    }

    /// About how long one strike of it lasts.
    pub fn lasts(self, scale: &Scale) -> Duration {
        match self {
            Kind::Stop => scale.session + scale.every * 2,
            Kind::Broker | Kind::Outage => Duration::from_secs(20),
            // It fills what is left.
            Kind::Mixed => Duration::ZERO,
            _ => scale.every,
        }
    }
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Strike {
    pub at: Time,
    /// When all was mended.
    pub over: Time,
    /// The partitions of the daemon that was struck, and those it was given when it was back; none where
    /// it was no single one.
    pub held: BTreeSet<i32>,
    /// The group's offsets when it struck, where they could be learnt: a message before them may not
    /// come again.
    pub committed: BTreeMap<i32, i64>,
    /// When the broker was there again.
    pub back: Option<Time>,
}

/// Who strikes.
pub struct Striker<'a> {
    pub scene: &'a Scene,
    pub load: &'a Load,
    pub scale: &'a Scale,
    pub epoch: Instant,
    pub dice: Dice,
}

impl<'a> Striker<'a> {
    /// The same with dice of its own, on which these ones decide.
    fn fork(&mut self) -> Striker<'a> {
        Striker {
            dice: Dice::seed_from_u64(self.dice.random()),
            ..*self
        }
    }

    fn now(&self) -> Time {
        self.epoch.elapsed()
    }

    fn any(&mut self) -> usize {
        self.dice.random_range(0..THREE)
    }

    fn between(&mut self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(self.dice.random_range(least..most))
    }

    /// Strikes once, and waits until all is mended.
    pub fn strike(&mut self, kind: Kind) -> Strike {
        let mut strike = match kind {
            Kind::Calm => self.begin(None),
            Kind::Term => self.term(),
            Kind::Kill => self.kill(),
            Kind::Stop => self.stop(),
            Kind::Broker => self.broker(),
            Kind::Outage => self.outage(),
            Kind::Line => self.line(),
            Kind::Storm => self.storm(),
            Kind::Poison => self.poison(),
            Kind::Mixed => panic!("the mixture strikes by itself"),
        };
        self.scene.settle();
        if strike.back.is_some() {
            // Else the next strike would hide when this one's silence was over.
            rest(Duration::from_secs(2));
        }
        strike.over = self.now();
        if let Some(left) = (strike.at + self.scale.every).checked_sub(strike.over) {
            rest(left);
        }
        strike
    }

    fn begin(&self, struck: Option<usize>) -> Strike {
        Strike {
            held: struck
                .map(|index| self.scene.held(index))
                .unwrap_or_default(),
            at: self.now(),
            over: Duration::ZERO,
            committed: self.scene.committed(),
            back: None,
        }
    }

    fn term(&mut self) -> Strike {
        let index = self.any();
        let strike = self.begin(Some(index));
        self.scene.replace(index, |daemon| {
            let (exit, next) = daemon.restart();
            assert!(exit.status.success(), "{}", exit.output);
            next
        });
        strike
    }

    fn kill(&mut self) -> Strike {
        let index = self.any();
        let mut strike = self.begin(Some(index));
        self.scene.replace(index, |daemon| {
            daemon.kill_and_start(|| strike.committed = self.scene.committed())
        });
        strike
    }

    /// The others take over, and must do so before it goes on.
    fn stop(&mut self) -> Strike {
        let index = self.any();
        let mut strike = self.begin(Some(index));
        self.scene
            .with(index, |daemon| daemon.signal(libc::SIGSTOP));
        rest(self.scale.session + Duration::from_secs(4));
        self.scene
            .with(index, |daemon| daemon.signal(libc::SIGCONT));
        self.scene.settle();
        strike.held.extend(self.scene.held(index));
        strike
    }

    fn broker(&mut self) -> Strike {
        let broker = self.dice.random_range(1..=self.scale.brokers);
        self.brokers(broker..=broker)
    }

    fn outage(&mut self) -> Strike {
        self.brokers(1..=self.scale.brokers)
    }

    fn brokers(&mut self, ids: RangeInclusive<usize>) -> Strike {
        let mut strike = self.begin(None);
        ids.clone().for_each(|id| self.scene.kafka.kill_broker(id));
        rest(self.scale.down);
        let back = self.scene.kafka.start_brokers(ids);
        strike.back = Some(back - self.epoch);
        strike
    }

    fn line(&mut self) -> Strike {
        let strike = self.begin(Some(PROXIED));
        let (line, least, most) = match self.dice.random_range(0..5) {
            0 => (Line::Cut, 0.01, 0.05),
            1 => (Line::Cut, 0.5, 3.0),
            2 => (Line::Held, 0.5, 4.0),
            3 => (Line::HeldOut, 0.5, 4.0),
            _ => (Line::HeldBack, 0.5, 4.0),
        };
        let time = self.between(least, most);
        self.scene.kafka.proxies().set(line);
        rest(time);
        self.scene.kafka.proxies().set(Line::Open);
        strike
    }

    fn storm(&mut self) -> Strike {
        let strike = self.begin(None);
        let end = Instant::now() + self.scale.every;
        let mut turn = 0;
        while Instant::now() < end {
            turn += 1;
            let index = self.any();
            let broken = self.dice.random_ratio(1, 8);
            self.scene.edit(index, broken);
            if turn % 10 == 0 {
                let members = self.dice.random_range(1..=3);
                self.scene.hang_up(index, members);
            }
            rest(Duration::from_millis(50));
        }
        self.scene.mend();
        strike
    }

    fn poison(&mut self) -> Strike {
        let strike = self.begin(None);
        self.load.poison(true);
        rest(self.scale.every);
        self.load.poison(false);
        strike
    }

    /// Everything at once for a while, each kind at its own pace.
    pub fn mix(&mut self, lasts: Duration) -> Vec<Strike> {
        let end = Instant::now() + lasts;
        self.load.poison(true);
        let daemons: [Striker<'_>; THREE] = std::array::from_fn(|_| self.fork());
        let (mut brokers, mut lines) = (self.fork(), self.fork());
        let strikes = std::thread::scope(|scope| {
            let daemons = daemons.into_iter().enumerate();
            let daemons =
                daemons.map(|(index, mut striker)| scope.spawn(move || striker.harass(index, end)));
            let others = [
                scope.spawn(move || brokers.repeat(end, 4.0, 12.0, Striker::broker)),
                scope.spawn(move || lines.repeat(end, 2.0, 8.0, Striker::line)),
            ];
            let all: Vec<_> = daemons.chain(others).collect();
            let all = all.into_iter().map(|thread| match thread.join() {
                Ok(strikes) => strikes,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            all.flatten().collect()
        });
        self.load.poison(false);
        self.scene.mend();
        self.scene.settle();
        strikes
    }

    fn repeat(
        &mut self,
        end: Instant,
        least: f64,
        most: f64,
        strike: impl Fn(&mut Self) -> Strike,
    ) -> Vec<Strike> {
        let mut strikes = Vec::new();
        loop {
            let pause = self.between(least, most);
            if Instant::now() + pause >= end {
                return strikes;
            }
            rest(pause);
            strikes.push(strike(self));
        }
    }

    /// One daemon's troubles.
    fn harass(&mut self, index: usize, end: Instant) -> Vec<Strike> {
        self.repeat(end, 0.5, 6.0, |striker| {
            let strike = striker.begin(Some(index));
            let scene = striker.scene;
            match striker.dice.random_range(0..10) {
                0..4 => scene.replace(index, |daemon| daemon.restart().1),
                4..7 => scene.replace(index, |daemon| daemon.kill_and_start(|| {})),
                7..9 => {
                    let broken = striker.dice.random_ratio(1, 8);
                    let members = striker.dice.random_range(1..=3);
                    scene.edit(index, broken);
                    scene.hang_up(index, members);
                    // Good again: a broken one would keep the daemon from starting.
                    scene.edit(index, false);
                }
                _ => {
                    scene.with(index, |daemon| daemon.signal(libc::SIGSTOP));
                    let longest = striker.scale.session.as_secs_f64() + 4.0;
                    rest(striker.between(0.1, longest));
                    scene.with(index, |daemon| daemon.signal(libc::SIGCONT));
                }
            }
            strike
        })
    }
}
