//! Replaying: letter after letter, in batches that are written and noted as replayed in one
//! transaction. So whatever ends a replay, each letter has been replayed once or not at all, and the
//! next one goes on with the rest.
//!
//! The transactional id is the group's own, so that of two replays at once the later one ends the
//! earlier one, before it looks what there is to do.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::destination::{Destination, Sent, Work};
use super::order::{End, Failure, Order, Tally};
use super::replayed::kept_in;
use super::stop::Stop;
use super::{Letter, Letters, Next};
use crate::config::Topic;
use crate::kafka::{KafkaError, Outgoing, Outlet, SendError};
use crate::member::{Ending, RateLimit};

/// Letters in one transaction, at most.
const MOST: usize = 500;
/// Bytes of them.
const MOST_BYTES: usize = 4 << 20;
/// How often a letter is sent again whose transaction failed for no fault of its own.
const MOST_UNLUCKY: u32 = 5;
/// How long one is open while letters come: until then nobody sees any of it.
const INTERVAL: Duration = Duration::from_millis(200);

/// The id that only one replay of a group can have at a time.
pub fn transactional_id(group_id: &str) -> String {
    format!("{group_id}.replay")
}

/// What became of a letter.
struct Done {
    ending: Ending,
    /// With the present time instead of its own.
    renewed: bool,
}

/// A replay under way.
pub struct Replay<'a> {
    order: Order<'a>,
    letters: Letters,
    destination: Destination,
    outlet: Outlet,
    pace: RateLimit,
    stop: Stop,
    /// Sent in the transaction that is open.
    batch: Vec<(Letter, Done)>,
    bytes: usize,
    since: Instant,
    /// Taken back by an abort.
    again: VecDeque<Letter>,
    /// So many letters have a transaction for themselves, because one of them is refused.
    alone: usize,
    /// Transactions in a row that failed for no fault of their letter.
    unlucky: u32,
    tally: Tally,
}

impl<'a> Replay<'a> {
    /// Takes the place of any other replay of the group, and looks what there is to do.
    ///
    /// # Errors
    /// What the brokers say.
    pub async fn open(
        order: Order<'a>,
        destination: Destination,
        stop: Stop,
    ) -> Result<Self, KafkaError> {
        let id = transactional_id(order.group_id);
        let outlet = Outlet::open(order.cluster, order.group, &id).await?;
        keep_what_is_replayed(&order).await?;
        // After the transactional id has been taken: nobody else adds to it from here on.
        let letters = Letters::open(order.cluster, order.admin, order.topics, order.filter).await?;
        Ok(Self {
            tally: Tally {
                of: letters.total(),
                ..Tally::default()
            },
            pace: RateLimit::new(order.rate),
            order,
            letters,
            destination,
            outlet,
            stop,
            batch: Vec::new(),
            bytes: 0,
            since: Instant::now(),
            again: VecDeque::new(),
            alone: 0,
            unlucky: 0,
        })
    }

    /// Lets the handler end, if there is one.
    pub fn close(self) {
        self.destination.close();
    }

    /// How far it is.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Replays everything that is meant. `progress` hears how far it is, again and again.
    ///
    /// # Errors
    /// Why it can not go on.
    pub async fn run(&mut self, mut progress: impl FnMut(&Tally)) -> Result<End, Failure> {
        loop {
            if self.stop.is_asked() {
                self.commit().await?;
                return Ok(End::Stopped);
            }
            let letter = match self.again.pop_front() {
                Some(letter) => letter,
                None => match self.letters.next_letter()? {
                    Next::Letter(letter) => match self.meant(*letter) {
                        Some(letter) => letter,
                        None => continue,
                    },
                    Next::Nothing => {
                        self.commit().await?;
                        progress(&self.tally);
                        continue;
                    }
                    Next::End => {
                        self.commit().await?;
                        if self.again.is_empty() {
                            progress(&self.tally);
                            return Ok(End::Done);
                        }
                        continue;
                    }
                },
            };
            if !self.wait_for_turn().await? {
                self.again.push_front(letter);
                continue;
            }
            self.replay(letter).await?;
            if self.is_full() {
                self.commit().await?;
                progress(&self.tally);
            }
        }
    }

    /// The letter, if it is one to be replayed.
    fn meant(&mut self, letter: Letter) -> Option<Letter> {
        self.tally.looked_at += 1;
        if !self.order.filter.takes(&letter) {
            return None;
        }
        if letter.provenance.is_err() {
            self.tally.foreign += 1;
            return None;
        }
        if letter.replayed && !self.order.again {
            self.tally.before += 1;
            return None;
        }
        Some(letter)
    }

    /// Waits for the rate. Whether the letter's turn has come; if not, the replay is to stop.
    async fn wait_for_turn(&mut self) -> Result<bool, Failure> {
        while !self.stop.is_asked() {
            let Err(wait) = self.pace.take(Instant::now()) else {
                return Ok(true);
            };
            if !self.batch.is_empty() && self.since.elapsed() + wait >= INTERVAL {
                self.commit().await?;
            }
            self.stop.wait(wait).await;
        }
        Ok(false)
    }

    /// Sends what becomes of a letter, as part of the transaction.
    async fn replay(&mut self, letter: Letter) -> Result<(), Failure> {
        if self.batch.is_empty() {
            self.since = Instant::now();
        }
        let mut work = self.destination.begin(&letter);
        loop {
            let sent = self.destination.send(&mut work, &mut self.outlet).await;
            let ending = match sent {
                Sent::All(ending) => ending,
                Sent::Failed(error) => return Err(error.into()),
                Sent::Homeless(topic) => {
                    *self.tally.homeless.entry(topic).or_default() += 1;
                    self.alone = self.alone.saturating_sub(1);
                    return Ok(());
                }
                Sent::Wait(wait) => {
                    // Nobody shall wait for what is finished because this one waits for its retry.
                    self.commit().await?;
                    self.since = Instant::now();
                    if self.stop.wait(wait).await {
                        return Ok(());
                    }
                    continue;
                }
                Sent::Halt(reason) => {
                    self.commit().await?;
                    let at = letter.place.to_string();
                    return Err(Failure::Halted { at, reason });
                }
                Sent::Refused(error) => {
                    if self.take_back(&letter, error, &mut work).await? {
                        continue;
                    }
                    self.again.push_back(letter);
                    return Ok(());
                }
            };
            let done = Done {
                ending,
                renewed: work.renewed,
            };
            if self.alone == 0 {
                self.bytes += letter.record.size();
                self.batch.push((letter, done));
                return Ok(());
            }
            if let Err(error) = self.outlet.settle().await
                && self.take_back(&letter, error, &mut work).await?
            {
                continue;
            }
            self.alone -= 1;
            self.unlucky = 0;
            self.batch.push((letter, done));
            return self.commit().await;
        }
    }

    /// Something sent was refused. With others in the transaction all of it is to be sent again, one by
    /// one; a letter that has it for itself is to blame. Whether that one is to be sent again.
    async fn take_back(
        &mut self,
        letter: &Letter,
        error: KafkaError,
        work: &mut Work,
    ) -> Result<bool, Failure> {
        self.outlet.abort().await?;
        if self.alone == 0 {
            self.send_again();
            self.alone += 1;
            return Ok(false);
        }
        if is_unlucky(&error) && self.unlucky < MOST_UNLUCKY {
            self.unlucky += 1;
            return Ok(true);
        }
        match self.destination.refused(work, &error) {
            true => Ok(true),
            false => Err(Failure::Refused {
                at: letter.place.to_string(),
                error,
            }),
        }
    }

    fn send_again(&mut self) {
        self.alone = self.batch.len();
        self.bytes = 0;
        self.again
            .extend(self.batch.drain(..).map(|(letter, _)| letter));
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= MOST
            || self.bytes >= MOST_BYTES
            || !self.batch.is_empty() && self.since.elapsed() >= INTERVAL
    }

    /// Ends the transaction: what was sent, and that it was.
    async fn commit(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.outlet.settle().await {
            if !may_be_about_one(&error) {
                return Err(error.into());
            }
            self.outlet.abort().await?;
            self.send_again();
            return Ok(());
        }
        self.note().await?;
        self.outlet.settle().await?;
        self.outlet.commit().await?;
        self.bytes = 0;
        for (_, done) in self.batch.drain(..) {
            self.tally.renewed += u64::from(done.renewed);
            match done.ending {
                Ending::Handled => self.tally.replayed += 1,
                Ending::DeadLettered => self.tally.failed_again += 1,
                Ending::Skipped => self.tally.skipped += 1,
            }
        }
        Ok(())
    }

    /// Writes down what of the batch has been replayed.
    async fn note(&mut self) -> Result<(), KafkaError> {
        for (letter, _) in &self.batch {
            let place = &letter.place;
            if let Some(replayed) = self.letters.replayed_of(&place.topic) {
                replayed.insert(self.order.group_id, place.partition, place.offset);
            }
        }
        for topic in self.order.topics {
            let Some(replayed) = self.letters.replayed_of(topic) else {
                continue;
            };
            let kept_in = kept_in(topic);
            for (key, value) in replayed.take_changed() {
                loop {
                    let sent = self.outlet.send(Outgoing {
                        topic: &kept_in,
                        partition: Some(0),
                        timestamp: None,
                        key: Some(&key),
                        value: Some(&value),
                        headers: &mut std::iter::empty(),
                    });
                    match sent {
                        Ok(()) => break,
                        Err(SendError::Full) if !self.outlet.has_failed() => {
                            self.outlet.room().await;
                        }
                        Err(SendError::Full) => return self.outlet.settle().await,
                        Err(SendError::Refused(error)) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a message was given up because of another one. After one that was refused, librdkafka leaves a
/// gap in the sequence numbers of its partition, which it notices only in the next transaction.
fn is_unlucky(error: &KafkaError) -> bool {
    matches!(
        error.code.as_str(),
        "_PURGE_QUEUE" | "_PURGE_INFLIGHT" | "OUT_OF_ORDER_SEQUENCE_NUMBER"
    )
}

/// Whether one message may be to blame, and not the transaction as a whole.
fn may_be_about_one(error: &KafkaError) -> bool {
    !error.fatal
}

/// Makes sure of the topics that keep what has been replayed.
async fn keep_what_is_replayed(order: &Order<'_>) -> Result<(), KafkaError> {
    // There a topic is made by its first message.
    if order.cluster.embedded {
        return Ok(());
    }
    let found = order.admin.describe(order.topics).await?;
    for (topic, state) in found {
        let wanted = Topic {
            partitions: Some(1),
            replication: Some(state.replication),
            config: [("cleanup.policy".to_owned(), "compact".to_owned())].into(),
            create: true,
        };
        order.admin.ensure_topic(&kept_in(&topic), &wanted).await?;
    }
    Ok(())
}
