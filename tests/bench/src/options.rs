//! The command line of the bench.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::bare::Child;

pub const HELP: &str = "\
usage: bench [--messages N] [--rounds N] [--latency SECONDS] [--only TEXT] [--deliveryd PATH]
             [--bare | --observation]

  --messages N       in the topic that every contender reads (default 1000000)
  --rounds N         every contender runs once a round; medians are shown (default 5)
  --latency SECONDS  how long latency is measured; 0 for not at all (default 20)
  --only TEXT        only what has this in its name
  --deliveryd PATH   the binary to measure (default: builds this working copy's, in release)
  --bare             only the bare client library
  --observation      only what it costs that somebody looks: the same handlers with metrics, status,
                     events and librdkafka's statistics read all the time, and with none of it";

/// What to measure.
#[derive(Debug)]
pub struct Options {
    pub messages: u64,
    pub rounds: usize,
    pub latency: Duration,
    /// Part of the names of those who run; empty: all run.
    pub only: String,
    pub deliveryd: Option<PathBuf>,
    pub bare: bool,
    pub observation: bool,
}

/// What this process is for.
pub enum Job {
    Bench(Options),
    Child(Child),
    Help,
}

pub fn parse() -> Result<Job, lexopt::Error> {
    let mut options = Options {
        messages: 1_000_000,
        rounds: 5,
        latency: Duration::from_secs(20),
        only: String::new(),
        deliveryd: None,
        bare: false,
        observation: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("messages") => options.messages = parser.value()?.parse()?,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("latency") => options.latency = Duration::from_secs(parser.value()?.parse()?),
            Long("only") => options.only = parser.value()?.parse()?,
            Long("deliveryd") => {
                let path = PathBuf::from(parser.value()?);
                options.deliveryd = Some(std::path::absolute(path).map_err(|e| e.to_string())?);
            }
            Long("bare") => options.bare = true,
            Long("observation") => options.observation = true,
            Long("help") | Short('h') => return Ok(Job::Help),
            Value(child) if child == "child" => return child_job(&mut parser).map(Job::Child),
            other => return Err(other.unexpected()),
        }
    }
    if options.messages == 0 || options.rounds == 0 {
        return Err("nothing to measure: --messages and --rounds start at 1".into());
    }
    Ok(Job::Bench(options))
}

/// `child LOOP SERVERS INPUT MESSAGES OUTPUT`.
fn child_job(parser: &mut lexopt::Parser) -> Result<Child, lexopt::Error> {
    Ok(Child {
        kind: parser.value()?.parse()?,
        servers: parser.value()?.string()?,
        input: parser.value()?.string()?,
        messages: parser.value()?.parse()?,
        output: parser.value()?.string()?,
    })
}
