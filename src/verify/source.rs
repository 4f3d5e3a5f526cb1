//! What a rehearsal's messages are made of: a generator's, or a sample of the real topic's.
//!
//! An [`Origin`] can go to any thread; the [`Source`] that is made of it stays on its own.

use std::sync::Arc;

use crate::config::{Limits, Params};
use crate::delivery::Record;
use crate::script::{Caller, Generator, Outcome, Program, Settings};

/// One call of `generate`, as for configured producers.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// Where the messages for one topic come from.
#[derive(Debug)]
pub enum Origin {
    Generator {
        program: Arc<Program>,
        params: Params,
        limits: Limits,
        seed: u64,
    },
    /// Not empty; used again from the beginning when all are used.
    Sample(Vec<Record>),
}

/// Makes messages.
pub enum Source {
    Generator {
        generator: Box<Generator>,
        next: u64,
    },
    Sample {
        records: Vec<Record>,
        next: usize,
    },
}

/// One message that was made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Made {
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Source {
    /// # Errors
    /// The generator's top level fails.
    pub fn new(origin: Origin, topic: &str) -> Result<Self, String> {
        match origin {
            Origin::Sample(records) => Ok(Self::Sample { records, next: 0 }),
            Origin::Generator {
                program,
                params,
                limits,
                seed,
            } => {
                let name: Arc<str> = "verify".into();
                let settings = Settings {
                    caller: Caller {
                        group: name.clone(),
                        member: name,
                    },
                    limits,
                    params,
                    timeout: TIMEOUT,
                    seed: Some(seed),
                    compile: true,
                };
                let generator = Generator::new(&program, settings, topic).map_err(|mistakes| {
                    let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                    format!("the generator can't be used: {}", texts.join("; "))
                })?;
                Ok(Self::Generator {
                    generator: Box::new(generator),
                    next: 0,
                })
            }
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// The generator fails, or makes nothing.
    pub fn next(&mut self) -> Result<Made, String> {
        match self {
            Self::Sample { records, next } => {
                let record = records.get(*next % records.len().max(1));
                *next += 1;
                record
                    .map(sampled)
                    .ok_or_else(|| "the sample is empty".into())
            }
            Self::Generator { generator, next } => {
                let outcome = generator.generate(*next);
                if let Outcome::Failed(failure) | Outcome::Rejected(failure) = outcome {
                    let frame = failure.diagnostic.as_ref();
                    let frame = frame.map(|found| format!("\n{}", found.frame()));
                    let frame = frame.unwrap_or_default();
                    return Err(format!(
                        "generate({next}) failed: {}{frame}",
                        failure.reason
                    ));
                }
                let number = *next;
                *next += 1;
                // The returned message is the last one.
                let emit = generator.effects().emits().last();
                let emit = emit.ok_or_else(|| format!("generate({number}) made no message"))?;
                Ok(Made {
                    partition: emit.partition(),
                    key: emit.key().map(<[u8]>::to_vec),
                    value: emit.value().map(<[u8]>::to_vec),
                    headers: emit
                        .headers()
                        .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
                        .collect(),
                })
            }
        }
    }
}

fn sampled(record: &Record) -> Made {
    Made {
        partition: None,
        key: record.key().map(<[u8]>::to_vec),
        value: record.value().map(<[u8]>::to_vec),
        headers: record
            .headers()
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &str) -> Record {
        let mut record = Record::default();
        record.set_key(Some(b"k"));
        record.set_value(Some(value.as_bytes()));
        record.add_header("via", Some(b"b"));
        record
    }

    /// A sample is used with keys and headers, and again from its beginning.
    #[test]
    fn a_sample_goes_round() {
        let origin = Origin::Sample(vec![record("a"), record("b")]);
        let mut source = Source::new(origin, "t").expect("a source");
        let made: Vec<Made> = (0..3).map(|_| source.next().expect("a message")).collect();
        assert_eq!(made[0], made[2]);
        assert_eq!(made[1].value.as_deref(), Some(&b"b"[..]));
        assert_eq!(made[1].key.as_deref(), Some(&b"k"[..]));
        assert_eq!(made[1].headers, [("via".to_owned(), Some(b"b".to_vec()))]);
    }
}
