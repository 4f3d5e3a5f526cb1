//! One member's consumer: `poll` for messages and events, `next_rebalance` for what the group asks,
//! `assign`, `unassign`, `seek`, `pause` to move about, `leave` to go.
//!
//! librdkafka hands messages over in batches, which keep its locks and clocks out of the cost of a
//! message; what is taken and not yet polled waits in the [`Inbox`]. Commits are in `commit`, leaving
//! in `leave`. Nothing here decides when to commit or what an answer to the group should be.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::context::Context;
use super::error::KafkaError;
use super::inbox::Inbox;
use super::raw::{self, Client, GroupMetadata, Message, Queue};
use super::{
    Committed, ConsumerSettings, Partition, Polled, Position, Rebalance, Statistics, settings,
};
use crate::config::Protocol;
use crate::delivery::Record;

/// One member's consumer.
///
/// Poll it until [`Polled::Nothing`] whenever `wake` tells, and at least a few times within
/// `max.poll.interval.ms` even if it does not: else the group takes the partitions away.
///
/// Dropped without [`Consumer::leave`], it vanishes: the group notices at the session timeout.
pub struct Consumer {
    inbox: RefCell<Inbox>,
    /// Reported as out of range and not yet asked for.
    out_of_range: RefCell<Vec<Partition>>,
    pub(super) queue: Queue,
    pub(super) answers: Queue,
    pub(super) committing: Cell<bool>,
    last_served: Cell<Instant>,
    wake: Arc<Notify>,
    pub(super) is_static: bool,
    /// `protocol = "classic"`: the coordinator gives the member id, and takes it away with the leave.
    pub(super) is_classic: bool,
    pub(super) context: Arc<Context>,
    // Last, so that queues and messages go before it.
    pub(super) client: Client,
}

/// Most messages taken from librdkafka at once.
const BATCH: usize = 256;
/// With messages in hand, librdkafka is still asked this often, for rebalances and its poll timer.
const SERVE_EVERY: Duration = Duration::from_millis(20);
/// For what librdkafka does within the process.
const LOCAL: Duration = Duration::from_secs(5);
/// For a broker that is connected: an answer that comes later does its work too.
const SOON: Duration = Duration::from_millis(20);
/// So often a seek is tried again that was overtaken.
const OVERTAKEN: u32 = 10;

impl Consumer {
    /// Creates the client; no broker is needed yet.
    pub fn new(settings: ConsumerSettings<'_>) -> Result<Consumer, KafkaError> {
        let config = settings::consumer(&settings)?;
        let client_id = settings::client_id(
            &settings.cluster.instance,
            settings.group_id,
            settings.member,
        );
        let context = Context::new(&client_id, &settings.cluster.servers);
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let client = Client::new(kind, &config, context.clone(), false)?;
        Ok(Consumer {
            inbox: RefCell::default(),
            out_of_range: RefCell::default(),
            queue: client.consumer_queue(&settings.wake)?,
            answers: client.new_queue(&settings.wake)?,
            committing: Cell::new(false),
            last_served: Cell::new(Instant::now()),
            wake: settings.wake,
            is_static: settings.group.static_membership,
            is_classic: settings.group.protocol == Protocol::Classic,
            context,
            client,
        })
    }

    /// Joins the group for these topics.
    pub fn subscribe(&self, topics: &[String]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(topics.len());
        for topic in topics {
            list.add_topic_unassigned(topic);
        }
        self.client.subscribe(&list)
    }

    /// Serves events and takes one message into `record` without waiting.
    ///
    /// From the moment the group asks for something until it is answered no message comes, of the
    /// partitions that are kept neither. After `unassign`, `seek` and `pause` no message comes that
    /// was fetched before and belongs to the partition; what `pause` holds back comes after `resume`.
    pub fn poll(&self, record: &mut Record) -> Polled {
        let inbox = &mut *self.inbox.borrow_mut();
        if inbox.is_empty() || self.last_served.get().elapsed() >= SERVE_EVERY {
            let questions = self.context.questions();
            self.serve(inbox);
            if self.context.questions() > questions {
                return Polled::Event;
            }
            if let Some(error) = self.context.next_error() {
                return Polled::Error(error);
            }
        }
        if self.context.asked() {
            return Polled::Nothing;
        }
        match inbox.next() {
            Some(message) if message.code() == Code::RD_KAFKA_RESP_ERR_NO_ERROR => {
                inbox.fill(record, &message);
                Polled::Record
            }
            Some(message) => self.error(&message),
            None => Polled::Nothing,
        }
    }

    fn serve(&self, inbox: &mut Inbox) {
        // With messages left over only one more is taken: this call is for what comes before it.
        let most = if inbox.is_empty() { BATCH } else { 1 };
        self.queue
            .take::<BATCH>(most, Duration::ZERO, &mut inbox.waiting);
        self.last_served.set(Instant::now());
    }

    fn error(&self, message: &Message) -> Polled {
        let text = String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
        match message.code() {
            Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
            | Code::RD_KAFKA_RESP_ERR__NO_OFFSET
            | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                if message.partition() >= 0 {
                    self.out_of_range.borrow_mut().push(Partition {
                        topic: Arc::from(message.topic()),
                        number: message.partition(),
                    });
                }
                Polled::OutOfRange
            }
            code => match self.client.fatal_error() {
                Some(fatal) => Polled::Error(fatal),
                None if code == Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
                    Polled::Denied {
                        partition: Partition {
                            topic: Arc::from(message.topic()),
                            number: message.partition(),
                        },
                        error: KafkaError::denied("READ", message.topic()),
                    }
                }
                None => Polled::Error(KafkaError::of(code, &text)),
            },
        }
    }

    /// The partitions that [`Polled::OutOfRange`] was about since the last call, where known.
    pub fn take_out_of_range(&self) -> Vec<Partition> {
        self.out_of_range.take()
    }

    /// The next thing the group asked, in order; to be answered by `assign` or `unassign`, also when
    /// the list of partitions is empty.
    pub fn next_rebalance(&self) -> Option<Rebalance> {
        self.context.next_rebalance()
    }

    /// The member id that the coordinator gave; `None` while not in the group.
    pub fn member_id(&self) -> Option<String> {
        Some(self.client.member_id()).filter(|id| !id.is_empty())
    }

    /// This member's place in the group as it is now, for a transaction that commits its offsets. To be
    /// taken anew for each: one from before a rebalance is refused.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.client.group_metadata()
    }

    /// Starts fetching these (incrementally, or as the whole assignment under an eager protocol).
    pub fn assign(&self, partitions: &[(Partition, Position)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (partition, position) in partitions {
            list.add_partition_offset(&partition.topic, partition.number, offset(*position))?;
        }
        let inbox = &mut *self.inbox.borrow_mut();
        for (partition, _) in partitions {
            inbox.drop_partition(partition);
        }
        let result = self.client.assign(&list);
        self.answered(inbox);
        result
    }

    /// Lets the partitions that are kept go on although an assignment can't be answered yet: librdkafka
    /// has paused them until it is. `assign` with the new ones follows.
    pub fn go_on_meanwhile(&self) -> Result<(), KafkaError> {
        if !self.context.answer_for_now() {
            return Ok(());
        }
        let result = self.client.assign(&TopicPartitionList::new());
        self.go_on(&self.inbox.borrow());
        result
    }

    /// Gives these up; the answer to a revoke.
    pub fn unassign(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let inbox = &mut *self.inbox.borrow_mut();
        for partition in partitions {
            inbox.drop_partition(partition);
        }
        let result = self.client.unassign(&list(partitions));
        self.answered(inbox);
        result
    }

    fn answered(&self, inbox: &Inbox) {
        self.context.answered();
        self.go_on(inbox);
    }

    /// What is at hand may be polled again.
    fn go_on(&self, inbox: &Inbox) {
        if !inbox.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Stops the partitions' messages. Their prefetched messages are thrown away, so this is no valve
    /// to open and close by the message.
    pub fn pause(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let inbox = &mut *self.inbox.borrow_mut();
        for partition in partitions {
            inbox.hold(partition);
        }
        self.client.pause(&list(partitions))
    }

    pub fn resume(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let inbox = &mut *self.inbox.borrow_mut();
        for partition in partitions {
            inbox.release(partition);
        }
        self.go_on(inbox);
        self.client.resume(&list(partitions))
    }

    /// Moves the fetch position of one assigned partition; its prefetched messages are dropped.
    pub fn seek(&self, partition: &Partition, to: Position) -> Result<(), KafkaError> {
        self.inbox.borrow_mut().drop_partition(partition);
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&partition.topic, partition.number, offset(to))?;
        let mut result = self.client.seek(&list, LOCAL);
        for _ in 0..OVERTAKEN {
            match result {
                // It was overtaken by the pause that librdkafka makes for a rebalance.
                Err(error) if error.code == "_OUTDATED" => {
                    result = self.client.seek(&list, LOCAL);
                }
                _ => break,
            }
        }
        match result {
            // Fetching has ended for a partition whose position was out of range: begin it anew.
            Err(error) if error.code == "_STATE" => {
                self.client.unassign(&list)?;
                self.client.assign(&list)
            }
            result => result,
        }
    }

    /// The group's committed offsets. Blocks for up to `timeout`.
    pub fn committed(
        &self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<Vec<Committed>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = list(partitions);
        self.client
            .committed(&list, timeout)
            .map_err(|error| self.context.explain(error))?;
        Ok(committed(&list))
    }

    /// First offset that is there, and the one after the last. Asks the broker; blocks for up to `timeout`.
    pub fn watermarks(
        &self,
        partition: &Partition,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        self.client
            .watermarks(&partition.topic, partition.number, timeout)
            .map_err(|error| self.context.explain(error))
    }

    /// The last known end (high watermark) from fetch answers; no request, no wait.
    pub fn known_end(&self, partition: &Partition) -> Option<i64> {
        self.client.known_end(&partition.topic, partition.number)
    }

    /// How far the client has come in a partition of which nothing is at hand: beyond the last message
    /// where a transaction's marker follows that. `None` while something is at hand.
    pub fn passed(&self, partition: &Partition) -> Option<i64> {
        match self.inbox.borrow().first(partition) {
            Some(_) => None,
            None => self.client.position(&partition.topic, partition.number),
        }
    }

    /// When the next message of a partition was written that has been fetched and not polled, if there is
    /// one at hand.
    pub fn next_written(&self, partition: &Partition) -> Option<i64> {
        self.inbox.borrow().first(partition)?.timestamp()
    }

    /// librdkafka's statistics since the last call, if there are new ones.
    pub fn statistics(&self) -> Option<Statistics> {
        self.context.statistics()
    }

    /// Makes new partitions of the subscribed topics known at once. Blocks for up to `timeout`.
    pub fn refresh_metadata(&self, timeout: Duration) -> Result<(), KafkaError> {
        // Only an answer about all topics makes librdkafka compare its subscription with it.
        match self.client.topics(timeout) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.context.explain(error)),
        }
    }

    /// Has librdkafka look at once whether a heartbeat is due. Asks no broker.
    pub fn look_after_the_group(&self) {
        self.client.wake_main_thread();
    }

    /// Has librdkafka join the group soon, where it has been put off; true if there was a broker to ask.
    pub fn join_soon(&self) -> bool {
        // Any answer about topics ends its rest (`rd_kafka_parse_Metadata0`).
        self.client.brokers(SOON).is_ok()
    }

    /// Empties the hand; returned for closing, when nothing of it may be alive.
    pub(super) fn drop_messages(&self) {
        self.inbox.borrow_mut().clear();
    }
}

fn offset(position: Position) -> Offset {
    match position {
        Position::Beginning => Offset::Beginning,
        Position::End => Offset::End,
        Position::Offset(offset) => Offset::Offset(offset),
    }
}

pub(super) fn list(partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    list
}

/// What a request for committed offsets filled in.
pub(super) fn committed(list: &TopicPartitionList) -> Vec<Committed> {
    found(raw::results(list))
}

/// Committed offsets as the broker told them.
pub(super) fn found(results: Vec<raw::PartitionResult>) -> Vec<Committed> {
    results
        .into_iter()
        .map(|result| Committed {
            partition: Partition {
                topic: Arc::from(result.topic),
                number: result.partition,
            },
            // The negative ones are librdkafka's words for "none".
            offset: (result.offset >= 0).then_some(result.offset),
            metadata: result.metadata,
        })
        .collect()
}
