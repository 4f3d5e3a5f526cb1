//! What becomes of a replayed letter: the original message in its topic, or what its group's handler
//! makes of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Letter;
use crate::delivery::Record;
use crate::kafka::{KafkaError, Outgoing, Outlet, SendError};
use crate::member::{Attempt, Ending, Lone, Next};

/// Where letters go.
pub enum Destination {
    /// Back to the topic that they were read from.
    Topic {
        /// Let the key decide the partition.
        by_key: bool,
        /// How many partitions each topic has.
        partitions: BTreeMap<String, i32>,
    },
    /// To the handler of their group.
    Group(Box<Lone>),
}

/// One letter on its way, as the message that it was.
pub struct Work {
    original: Rc<Record>,
    /// The next attempt, from 1.
    attempt: u32,
    first_failure: Option<SystemTime>,
    /// What is known to follow, without another call.
    next: Option<Next>,
}

/// What came of sending.
pub enum Sent {
    All(Ending),
    /// Its topic is not there; nothing was sent.
    Homeless(String),
    /// Nothing was sent; another attempt after so long.
    Wait(Duration),
    /// Nothing was sent, and the group's policy is to stop.
    Halt(String),
    /// Something of it was refused.
    Refused(KafkaError),
}

impl Destination {
    pub fn begin(&self, letter: &Letter) -> Work {
        let own = letter.provenance.as_ref().ok();
        let first = own.and_then(|own| own.first_failure);
        let first = first.and_then(|millis| u64::try_from(millis).ok());
        Work {
            original: Rc::new(
                own.map_or_else(|| letter.record.clone(), |own| own.restore(&letter.record)),
            ),
            attempt: 1,
            first_failure: first
                .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis))),
            next: None,
        }
    }

    /// Sends the letter's message, or calls the handler and sends what that leaves to be sent.
    pub async fn send(&mut self, work: &mut Work, outlet: &mut Outlet) -> Sent {
        match self {
            Self::Topic { by_key, partitions } => {
                let record = &work.original;
                let Some(count) = partitions.get(&*record.topic) else {
                    return Sent::Homeless(record.topic.to_string());
                };
                // A key stays with its neighbours, whoever has put it there.
                let original = (!*by_key && record.partition < *count).then_some(record.partition);
                let sent = sent_all(outlet, |_, send| {
                    send(plain(record, original, &mut record.headers())).map_err(|error| (0, error))
                });
                match sent.await {
                    Ok(()) => Sent::All(Ending::Handled),
                    Err(error) => Sent::Refused(error),
                }
            }
            Self::Group(lone) => {
                let next = work.next.take();
                let next = next.unwrap_or_else(|| lone.call(&work.attempt()));
                match next {
                    Next::Again(wait) => {
                        work.attempt += 1;
                        Sent::Wait(wait)
                    }
                    Next::Stop(reason) => Sent::Halt(reason),
                    Next::Send(ending) => {
                        let original = &work.original;
                        let sent = sent_all(outlet, |from, send| lone.send(from, send, original));
                        match sent.await {
                            Ok(()) => {
                                work.next = Some(Next::Send(ending));
                                Sent::All(ending)
                            }
                            Err(error) => {
                                work.next = Some(Next::Send(ending));
                                Sent::Refused(error)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Nothing more is sent.
    pub fn close(self) {
        if let Self::Group(lone) = self {
            lone.stop();
        }
    }

    /// What was sent of this letter alone was refused, and has been taken back: whether there is
    /// something else to try.
    pub fn refused(&mut self, work: &mut Work, error: &KafkaError) -> bool {
        let Self::Group(lone) = self else {
            return false;
        };
        if work.next.take() != Some(Next::Send(Ending::Handled)) {
            return false;
        }
        work.next = Some(lone.refused(&work.attempt(), error.message.clone()));
        true
    }
}

impl Work {
    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            record: &self.original,
            number: self.attempt,
            first_failure: self.first_failure,
        }
    }
}

fn plain<'a, 'h>(
    record: &'a Record,
    partition: Option<i32>,
    headers: &'h mut (dyn Iterator<Item = (&'a str, Option<&'a [u8]>)> + 'h),
) -> Outgoing<'a, 'h> {
    Outgoing {
        topic: &record.topic,
        partition,
        timestamp: record.timestamp,
        key: record.key(),
        value: record.value(),
        headers,
    }
}

/// How many messages have been queued, and why not the next one.
type Halfway = (usize, SendError);

/// Queues all messages that `messages` gives from a number on, waiting for room as often as it takes.
async fn sent_all(
    outlet: &mut Outlet,
    messages: impl Fn(
        usize,
        &mut dyn FnMut(Outgoing<'_, '_>) -> Result<(), SendError>,
    ) -> Result<(), Halfway>,
) -> Result<(), KafkaError> {
    let mut from = 0;
    loop {
        match messages(from, &mut |outgoing| outlet.send(outgoing)) {
            Ok(()) => return Ok(()),
            Err((_, SendError::Refused(error))) => return Err(error),
            Err((_, SendError::Full)) if outlet.has_failed() => return outlet.settle().await,
            Err((reached, SendError::Full)) => {
                from = reached;
                outlet.room().await;
            }
        }
    }
}
