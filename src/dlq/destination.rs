//! What becomes of a replayed letter: the original message in its topic, or what its group's handler
//! makes of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Letter;
use crate::delivery::Record;
use crate::kafka::{Admin, KafkaError, Outgoing, Outlet, SendError};
use crate::member::{Attempt, Ending, Lone, Next};

/// Where letters go.
pub enum Destination {
    /// Back to the topic that they were read from.
    Topic(Homes),
    /// To the handler of their group.
    Group(Box<Lone>),
}

/// The topics that letters go back to, as far as they were asked for.
pub struct Homes {
    admin: Admin,
    /// Let the key decide the partition.
    by_key: bool,
    known: BTreeMap<String, Option<Home>>,
}

/// A topic that letters go back to.
#[derive(Clone, Copy)]
struct Home {
    partitions: i32,
    /// Messages from before this time would soon be deleted for their age; in milliseconds since 1970.
    oldest: Option<i64>,
}

/// One letter on its way, as the message that it was.
pub struct Work {
    original: Rc<Record>,
    /// The next attempt, from 1.
    attempt: u32,
    first_failure: Option<SystemTime>,
    /// What is known to follow, without another call.
    next: Option<Next>,
    /// Whether it was sent with the present time instead of its own.
    pub renewed: bool,
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
    /// Nothing was sent, and nothing can be.
    Failed(KafkaError),
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
            renewed: false,
        }
    }

    /// Sends the letter's message, or calls the handler and sends what that leaves to be sent.
    pub async fn send(&mut self, work: &mut Work, outlet: &mut Outlet) -> Sent {
        match self {
            Self::Topic(homes) => {
                let record = &work.original;
                let home = match homes.of(&record.topic).await {
                    Ok(Some(home)) => home,
                    Ok(None) => return Sent::Homeless(record.topic.to_string()),
                    Err(error) => return Sent::Failed(error),
                };
                // A key stays with its neighbours, whoever has put it there.
                let original = !homes.by_key && record.partition < home.partitions;
                let partition = original.then_some(record.partition);
                work.renewed = record.timestamp.is_some() && record.timestamp < home.oldest;
                let timestamp = record.timestamp.filter(|_| !work.renewed);
                let sent = sent_all(outlet, |_, send| {
                    let message = Outgoing {
                        topic: &record.topic,
                        partition,
                        timestamp,
                        key: record.key(),
                        value: record.value(),
                        headers: &mut record.headers(),
                    };
                    send(message).map_err(|error| (0, error))
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

impl Homes {
    pub fn new(admin: &Admin, by_key: bool) -> Self {
        Self {
            admin: admin.clone(),
            by_key,
            known: BTreeMap::new(),
        }
    }

    /// What there is to know of a topic, asked once; `None` where there is no such topic.
    async fn of(&mut self, topic: &str) -> Result<Option<Home>, KafkaError> {
        if let Some(home) = self.known.get(topic) {
            return Ok(*home);
        }
        let mut found = self.admin.describe(&[topic.to_owned()]).await?;
        let home = match found.remove(topic) {
            None => None,
            Some(state) => Some(Home {
                partitions: state.partitions,
                oldest: self.admin.keeps_for(topic).await?.map(oldest),
            }),
        };
        self.known.insert(topic.to_owned(), home);
        Ok(home)
    }
}

/// The oldest time that a message may have which is to be read before its topic deletes it: a tenth of
/// what the topic keeps must be left for that.
fn oldest(keeps: Duration) -> i64 {
    let most = i64::try_from((keeps - keeps / 10).as_millis()).unwrap_or(i64::MAX);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    now.saturating_sub(most)
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
