//! The scene: topics, the daemon with its groups, and the hangups that change them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::edits;
use super::load::Input;
use super::vitals::Vitals;
use crate::support::{Daemon, Kafka, Probe, Setup, Status, wait_for};

/// A group that copies a topic.
#[derive(Debug, Clone, Copy)]
pub struct Copied {
    pub group: &'static str,
    /// Which of [`Scene::inputs`].
    pub input: usize,
    pub output: &'static str,
    handler: &'static str,
}

/// The last one comes and goes; it has a small topic of its own.
pub const COPIED: [Copied; 3] = [
    Copied {
        group: "alpha",
        input: 0,
        output: "alpha.out",
        handler: "alpha.rhai",
    },
    Copied {
        group: "beta",
        input: 0,
        output: "beta.out",
        handler: "beta.rhai",
    },
    Copied {
        group: "guest",
        input: 1,
        output: "guest.out",
        handler: "alpha.rhai",
    },
];

const INPUTS: [Input; 2] = [
    Input {
        topic: "storm",
        partitions: 6,
        one_of: 1,
    },
    Input {
        topic: "side",
        partitions: 3,
        one_of: 100,
    },
];

/// For a rebalance, and for what has piled up during the storm.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a configuration says; `broken` is a line that does not belong there.
#[derive(Debug, Clone, Default)]
struct Wanted {
    members: [u32; 2],
    guest: bool,
    in_flight: u32,
    /// A property that needs new clients.
    fetch_wait: u32,
    broken: &'static str,
}

/// Between storms.
const CALM: Wanted = Wanted {
    members: [2, 2],
    guest: false,
    in_flight: 1000,
    fetch_wait: 100,
    broken: "",
};

/// How the hangups were answered.
#[derive(Debug, Default)]
pub struct Answers {
    pub applied: u32,
    /// The configuration was broken on purpose.
    pub refused: u32,
    /// A handler on disk was broken or away at that moment.
    pub handler_broken: u32,
    /// Neither of these; what was said.
    pub wrong: Vec<String>,
}

impl Answers {
    pub fn add(&mut self, other: Answers) {
        self.applied += other.applied;
        self.refused += other.refused;
        self.handler_broken += other.handler_broken;
        self.wrong.extend(other.wrong);
    }

    pub fn check(&self) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert!(self.applied > 0 && self.refused > 0, "{self:?}");
    }
}

impl std::ops::AddAssign for Answers {
    fn add_assign(&mut self, other: Answers) {
        self.add(other);
    }
}

/// See the module.
pub struct Scene<'a> {
    pub daemon: Daemon,
    kafka: &'a Kafka,
    /// The config's first tables, which stay.
    head: String,
}

impl<'a> Scene<'a> {
    /// Topics, and the daemon at [`CALM`].
    pub fn new(kafka: &'a Kafka) -> Scene<'a> {
        let probe = kafka.probe();
        for input in INPUTS {
            probe.create_topic(input.topic, input.partitions);
        }
        for copied in COPIED {
            probe.create_topic(copied.output, INPUTS[copied.input].partitions);
        }
        let mut setup = Setup::new(&kafka.servers(), &CALM.toml());
        for (name, text) in edits::first_files() {
            setup = setup.handler(name, &text);
        }
        let daemon = setup.start();
        let config = read(&daemon);
        let head = config
            .split("[topics.")
            .next()
            .unwrap_or_default()
            .to_owned();
        Scene {
            daemon,
            kafka,
            head,
        }
    }

    pub fn inputs(&self) -> Vec<Input> {
        INPUTS.to_vec()
    }

    fn probe(&self) -> Probe {
        self.kafka.probe()
    }

    /// Writes configuration number `number`, hangs up and hears the answer.
    pub fn hang_up(&self, number: u32) -> Answers {
        let wanted = Wanted::number(number);
        let status = self.reload(&wanted);
        let said = status.at("/last_reload/summary").to_string();
        let mut answers = Answers::default();
        match (
            status.at("/last_reload/ok") == true,
            wanted.broken.is_empty(),
        ) {
            (true, true) => answers.applied = 1,
            (false, false) => answers.refused = 1,
            (false, true) if edits::caused(&said) => answers.handler_broken = 1,
            _ => answers.wrong.push(format!("{wanted:?}: {said}")),
        }
        answers
    }

    fn reload(&self, wanted: &Wanted) -> Status {
        let file = self.daemon.dir().join("deliveryd.toml");
        fs::write(&file, format!("{}{}", self.head, wanted.toml()))
            .unwrap_or_else(|error| panic!("can't write {}: {error}", file.display()));
        let number = |status: &Status| status.number("/last_reload/generation");
        let status = self.daemon.status();
        let before = number(&status).max(status.generation());
        self.daemon.signal(libc::SIGHUP);
        self.daemon
            .wait_until("the hangup's answer", PATIENCE, |status| {
                number(status) > before
            })
    }

    /// Back to where the storm began, with nothing left to be done.
    pub fn calm_down(&self) {
        let status = self.reload(&CALM);
        assert_eq!(status.at("/last_reload/ok"), true, "{status}");
        self.wait_until_calm();
    }

    /// Until both groups have their members and nearly nothing to do.
    pub fn wait_until_calm(&self) {
        self.daemon
            .wait_until("two members each, at work", PATIENCE, |status| {
                COPIED[..2].iter().all(|copied| {
                    let group = status.group(copied.group);
                    status.shares(copied.group) == [3, 3]
                        && members(group).all(|member| member["handled"].as_u64() > Some(0))
                        && lag(group) < 5000
                })
            });
    }

    /// What the daemon has at rest.
    pub fn vitals_at_rest(&self) -> Vitals {
        wait_for("what has begun with the start to be over", PATIENCE, || {
            let now = Vitals::of(&self.daemon);
            match now.is_settled() {
                true => Ok(now),
                false => Err(format!("{now:?}")),
            }
        })
    }

    /// Waits until threads and descriptors are what they were.
    pub fn wait_until_back_at(&self, before: &Vitals) -> Vitals {
        wait_for("threads and descriptors to come back", PATIENCE, || {
            let now = Vitals::of(&self.daemon);
            match now.is_back_at(before) {
                true => Ok(now),
                false => Err(format!("{now:?}, before {before:?}")),
            }
        })
    }

    /// Until everything that was written is committed; the guest comes once more for that.
    pub fn wait_until_done(&self) {
        let status = self.reload(&Wanted {
            guest: true,
            ..CALM
        });
        assert_eq!(status.at("/last_reload/ok"), true, "{status}");
        for copied in COPIED {
            let input = INPUTS[copied.input].topic;
            self.probe()
                .wait_until_committed(copied.group, input, PATIENCE);
        }
    }

    /// Rebalances of the two groups that stay.
    pub fn rebalances(&self) -> u64 {
        let status = self.daemon.status();
        let both = COPIED[..2].iter();
        both.map(|copied| status.counter(copied.group, "rebalances"))
            .sum()
    }

    /// Stops the daemon in order.
    pub fn stop(self) {
        let exit = self.daemon.stop();
        assert_eq!(exit.status.code(), Some(0), "{}", exit.output);
        assert!(!exit.output.contains("unfinished"), "{}", exit.output);
    }
}

fn read(daemon: &Daemon) -> String {
    let file = daemon.dir().join("deliveryd.toml");
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn members(group: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    group["members"].as_array().into_iter().flatten()
}

/// How much a group still has before it; what is not known counts as much.
fn lag(group: &serde_json::Value) -> i64 {
    members(group)
        .filter_map(|member| member["partitions"].as_array())
        .flatten()
        .map(|partition| partition["lag"].as_i64().unwrap_or(i64::from(u32::MAX)))
        .sum()
}

impl Wanted {
    /// One of ten that follow each other: more members, fewer, a guest, broken ones, new clients.
    fn number(number: u32) -> Wanted {
        let members = match number % 10 {
            0 => [3, 1],
            1 => [6, 2],
            2 | 3 => [1, 6],
            4 => [4, 6],
            5 | 6 => [2, 5],
            7 => [5, 3],
            _ => [2, 3],
        };
        Wanted {
            members,
            guest: matches!(number % 10, 1..=3 | 6 | 9),
            in_flight: 500 + 100 * (number % 3),
            // Alternates each time round, so that one in ten changes it.
            fetch_wait: if ((number + 2) / 10).is_multiple_of(2) {
                100
            } else {
                60
            },
            broken: match number % 10 {
                2 => "membres = 3\n",
                5 => "rate = 0.0\n",
                _ => "",
            },
        }
    }

    fn toml(&self) -> String {
        let mut toml = String::new();
        let outputs = COPIED.iter().map(|copied| copied.output);
        for topic in INPUTS.iter().map(|input| input.topic).chain(outputs) {
            toml += &format!("[topics.{topic:?}]\ncreate = false\n\n");
        }
        let members = BTreeMap::from([
            ("alpha", self.members[0]),
            ("beta", self.members[1]),
            ("guest", 2),
        ]);
        for (index, copied) in COPIED.iter().enumerate() {
            if copied.group == "guest" && !self.guest {
                continue;
            }
            let input = INPUTS[copied.input].topic;
            toml += &format!(
                "[groups.{:?}]\ntopics = [{input:?}]\nhandler = {:?}\nstart = \"earliest\"\n\
                 commit_interval = \"200ms\"\nparams = {{ out = {:?} }}\nmembers = {}\nin_flight = {}\n",
                copied.group, copied.handler, copied.output, members[copied.group], self.in_flight
            );
            if index == 0 {
                toml += &format!(
                    "{}properties = {{ \"fetch.wait.max.ms\" = \"{}\" }}\n",
                    self.broken, self.fetch_wait
                );
            }
            toml.push('\n');
        }
        toml
    }
}
