//! A member's turn: what its loop does in one round, and when it sleeps.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::{Notify, mpsc};

use crate::config::{Group, Guarantee};
use crate::delivery::Record;
use crate::kafka::{
    Acknowledgement, Consumer, ConsumerSettings, Emitter, KafkaError, Partition, Polled,
};
use crate::script::Handler;

use super::awake::Awake;
use super::commit::Commits;
use super::exactly_once::ExactlyOnce;
use super::lane::Lane;
use super::publish::Tally;
use super::rebalance::{Leave, Pending};
use super::rehearsal::Rehearsal;
use super::retry::Retries;
use super::seek::Seek;
use super::send::{Flight, Sending};
use super::stuck::GiveUpReply;
use super::tap::Watched;
use super::trial::build_handler;
use super::{Command, Event, Setup, member_name};

/// So many messages are taken before the loop looks at anything else.
const BATCH: usize = 512;

/// The loop goes round at least so often, which also keeps `max.poll.interval.ms` away.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// For leaving the group there is always so long.
const SHORTEST_LEAVE: Duration = Duration::from_secs(1);

/// How a member hears from others.
pub(super) struct Inbox {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) wake: Arc<Notify>,
}

/// One member with all its state. The files of this room each add their part of its methods.
pub(super) struct Member {
    pub(super) setup: Setup,
    pub(super) name: Arc<str>,
    /// The settings in force.
    pub(super) group: Arc<Group>,
    pub(super) inbox: Inbox,
    pub(super) consumer: Consumer,
    /// Made when the handler emits for the first time, or for the transactions.
    pub(super) emitter: Option<Emitter>,
    /// The emitter can not be used any more; it goes when its last acknowledgement is in.
    pub(super) emitter_failed: bool,
    pub(super) acknowledgements: Vec<Acknowledgement>,
    pub(super) handler: Handler,
    pub(super) handler_generation: u64,
    /// Its engine is to be built anew, for other settings.
    handler_outdated: bool,
    pub(super) lanes: Slab<Lane>,
    /// Grows with each lane, so that a partition that comes back is not taken for its former self.
    pub(super) epoch: u64,
    /// Messages whose emits are not all acknowledged.
    pub(super) flights: Slab<Flight>,
    /// The message whose emits did not all fit into the producer's queue; nothing starts until they do.
    pub(super) sending: Option<Sending>,
    pub(super) retries: Retries,
    /// Where `deliveryd verify` runs it.
    pub(super) rehearsal: Option<Rehearsal>,
    /// Messages started and not ended.
    pub(super) under_way: usize,
    /// Bytes of them.
    pub(super) under_way_bytes: usize,
    pub(super) pending: Pending,
    pub(super) awake: Awake,
    pub(super) leave: Option<Leave>,
    pub(super) commits: Commits,
    /// With `guarantee = "exactly_once"`.
    pub(super) exactly_once: Option<ExactlyOnce>,
    pub(super) stop: Option<Stop>,
    /// Why the brokers do not let it take part.
    pub(super) kept_out: Option<String>,
    pub(super) tally: Tally,
    /// Who watches the calls.
    pub(super) watched: Vec<Watched>,
    pub(super) seeks: Vec<Seek>,
    /// Stuck partitions whose message is to be given up.
    pub(super) to_give_up: Vec<(Partition, GiveUpReply)>,
    /// The lane that is first in line when the next message may start.
    pub(super) first_lane: usize,
    /// Calls have taken so long that something else must be looked after.
    pub(super) turn_is_over: bool,
    /// When the rate limit lets the next message through.
    pub(super) rate_wait: Option<Duration>,
    /// Records to be filled again.
    pool: Vec<Rc<Record>>,
    /// The lane of the last message: the next one is nearly always of the same.
    last_lane: usize,
    /// Read once a round: what happens within a round counts as simultaneous.
    pub(super) now: Instant,
}

/// The member was told to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) for_good: bool,
    pub(super) deadline: Instant,
}

/// Why a member's round ended its life.
enum End {
    Stopped,
    /// The client is beyond repair, as after a duplicate static member id.
    Fatal(KafkaError),
}

/// Runs a member until it is told to stop.
///
/// # Errors
/// Why it can not go on: no client, no runtime, or a handler that does not compile.
pub(super) fn run(mut setup: Setup, mut inbox: Inbox) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let span = tracing::info_span!(
        "member",
        group = %setup.group_id,
        member = %member_name(&setup.group_id, setup.number)
    );
    let _entered = span.enter();
    runtime.block_on(async move {
        loop {
            let mut member = Member::new(setup, inbox)?;
            let error = match member.run().await {
                End::Stopped => {
                    member.close();
                    return Ok(());
                }
                End::Fatal(error) => error,
            };
            (setup, inbox) = member.give_up_client(error);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

impl Member {
    fn new(setup: Setup, inbox: Inbox) -> Result<Self, String> {
        let name: Arc<str> = member_name(&setup.group_id, setup.number).into();
        let group = setup.group.clone();
        let consumer = Consumer::new(ConsumerSettings {
            cluster: &setup.cluster,
            group_id: &setup.group_id,
            group: &group,
            member: setup.number,
            wake: inbox.wake.clone(),
        })
        .map_err(|error| error.message)?;
        let (emitter, exactly_once) = match group.guarantee {
            Guarantee::ExactlyOnce => ExactlyOnce::new(&setup, inbox.wake.clone())
                .map(|(emitter, own)| (Some(emitter), Some(own)))
                .map_err(|error| error.message)?,
            Guarantee::AtLeastOnce | Guarantee::AtMostOnce => (None, None),
        };
        let handler_generation = setup.slot.generation();
        let handler = build_handler(&setup, &setup.slot.current(), &name, &group)?;
        let now = Instant::now();
        Ok(Self {
            name,
            group,
            inbox,
            consumer,
            emitter,
            emitter_failed: false,
            acknowledgements: Vec::new(),
            handler,
            handler_generation,
            handler_outdated: false,
            lanes: Slab::new(),
            epoch: 0,
            flights: Slab::new(),
            sending: None,
            retries: Retries::default(),
            rehearsal: Rehearsal::of(&setup.group),
            under_way: 0,
            under_way_bytes: 0,
            pending: Pending::new(now),
            awake: Awake::new(now),
            leave: None,
            commits: Commits::new(now),
            stop: None,
            kept_out: None,
            tally: Tally::new(now, exactly_once.is_some()),
            exactly_once,
            watched: Vec::new(),
            seeks: Vec::new(),
            to_give_up: Vec::new(),
            first_lane: 0,
            turn_is_over: false,
            rate_wait: None,
            pool: Vec::new(),
            last_lane: 0,
            now,
            setup,
        })
    }

    async fn run(&mut self) -> End {
        // With transactions it joins when its transactional id is its own.
        if self.exactly_once.is_none()
            && let Err(error) = self.consumer.subscribe(&self.group.topics)
        {
            return End::Fatal(error);
        }
        self.call_on_start();
        self.follow_taps();
        loop {
            self.now = Instant::now();
            self.turn_is_over = false;
            self.setup.observer.beat(self.now);
            self.hear_commands();
            self.take_acknowledgements();
            self.retry_due();
            self.run_waiting();
            let polled = match self.poll() {
                Ok(polled) => polled,
                Err(fatal) => return End::Fatal(fatal),
            };
            self.follow_handler();
            self.rebalance();
            self.keep_awake();
            self.steer();
            self.commit();
            if let Err(error) = self.transact() {
                return End::Fatal(error);
            }
            self.hold_back_or_fetch();
            self.publish();
            if self.stop.is_some() && self.has_drained() {
                return End::Stopped;
            }
            if polled == 0 && !self.turn_is_over {
                let sleep = self.sleep_time();
                // The result only tells whether somebody woke us before the time was over.
                tokio::time::timeout(sleep, self.inbox.wake.notified())
                    .await
                    .ok();
            }
        }
    }

    fn hear_commands(&mut self) {
        while let Ok(command) = self.inbox.commands.try_recv() {
            match command {
                Command::Change(group, settings) => self.change(group, settings),
                Command::RefreshTopics => {
                    if let Err(error) = self.consumer.refresh_metadata(Duration::from_secs(2)) {
                        tracing::debug!(%error, "could not refresh the topics");
                    }
                }
                Command::Resume(partition) => self.resume(partition.as_ref()),
                Command::Follow(reply) => self.follow(reply),
                Command::Ends(ends) => self.hear_ends(&ends),
                Command::GiveUp(partition, reply) => self.to_give_up.push((partition, reply)),
                Command::Seek {
                    partition,
                    to,
                    reply,
                } => self.begin_seek(partition, to, reply),
                Command::Stop { for_good, deadline } => {
                    self.begin_stop(Stop { for_good, deadline })
                }
            }
        }
    }

    /// Takes up settings that need no new client.
    fn change(&mut self, group: Arc<Group>, settings: u64) {
        self.handler_outdated |= group.limits != self.group.limits
            || group.params != self.group.params
            || group.handler_timeout != self.group.handler_timeout
            || group.compile != self.group.compile;
        let policy_changed = group.on_failure != self.group.on_failure
            || group.on_out_of_range != self.group.on_out_of_range;
        for (_, lane) in &mut self.lanes {
            lane.gate.set_ordering(group.ordering);
        }
        self.setup.observer.changed(&group);
        self.group = group.clone();
        self.setup.group = group;
        self.setup.settings = settings;
        if policy_changed {
            // What stands still because of the old one may go on under the new.
            self.resume(None);
        }
    }

    /// Takes up a new version of the handler or other settings of its engine, once the effects of the
    /// last call have left the old one.
    #[inline]
    pub(super) fn follow_handler(&mut self) {
        let moved = self.setup.slot.generation() != self.handler_generation;
        if (moved || self.handler_outdated) && self.sending.is_none() {
            self.rebuild_handler();
        }
    }

    fn rebuild_handler(&mut self) {
        // The generation first: a version that is set in between is taken at the next message.
        let generation = self.setup.slot.generation();
        let Some(program) = self.setup.slot.current_with(self.setup.settings) else {
            // It belongs to settings that are on their way here, or to the member that replaces this one.
            return;
        };
        let moved = generation != self.handler_generation;
        self.handler_generation = generation;
        self.handler_outdated = false;
        match build_handler(&self.setup, &program, &self.name, &self.group) {
            Ok(handler) => {
                self.tell_calls();
                self.handler = handler;
                // Who looks at the status shall see it soon, also of a member that idles.
                self.tally.touch();
            }
            Err(error) => tracing::error!(%error, "the version before stays in use"),
        }
        if moved {
            self.resume(None);
        }
    }

    /// Takes up to a batch of messages from the client. Returns how many came.
    fn poll(&mut self) -> Result<usize, KafkaError> {
        for polled in 0..BATCH {
            let mut record = self.pool.pop().unwrap_or_default();
            let outcome = match Rc::get_mut(&mut record) {
                Some(record) => self.consumer.poll(record),
                // A script kept the last message: that one is left to it.
                None => continue,
            };
            match outcome {
                Polled::Record => {
                    self.take(record);
                    if self.turn_is_over {
                        return Ok(polled + 1);
                    }
                }
                Polled::Nothing => {
                    self.pool.push(record);
                    return Ok(polled);
                }
                Polled::Event => {
                    self.pool.push(record);
                    return Ok(polled + 1);
                }
                Polled::OutOfRange => {
                    self.pool.push(record);
                    self.find_out_of_range();
                    return Ok(polled + 1);
                }
                Polled::Denied { partition, error } => {
                    self.pool.push(record);
                    self.may_not_read(&partition, error);
                    return Ok(polled + 1);
                }
                Polled::Error(error) => {
                    self.pool.push(record);
                    self.hear_error(error)?;
                    return Ok(polled + 1);
                }
            }
        }
        Ok(BATCH)
    }

    /// The lane that a record belongs to.
    pub(super) fn lane_of(&mut self, record: &Record) -> Option<usize> {
        let fits = |lane: &Lane| {
            lane.partition.number == record.partition && lane.partition.topic == record.topic
        };
        if self.lanes.get(self.last_lane).is_some_and(fits) {
            return Some(self.last_lane);
        }
        let (index, _) = self.lanes.iter().find(|(_, lane)| fits(lane))?;
        self.last_lane = index;
        Some(index)
    }

    /// Gives a record back to be filled again.
    pub(super) fn recycle(&mut self, mut record: Rc<Record>) {
        // What is still referred to, or has grown large, is left to the allocator.
        if self.pool.len() < BATCH
            && let Some(empty) = Rc::get_mut(&mut record)
            && empty.size() < 64 << 10
        {
            empty.clear();
            self.pool.push(record);
        }
    }

    fn sleep_time(&self) -> Duration {
        let until = |due: Instant| due.saturating_duration_since(self.now);
        [
            // Else something will wake the loop when handlers may be called again.
            self.retries
                .next_due()
                .filter(|_| self.may_call())
                .map(until),
            self.commits.due(&self.group).map(until),
            self.exactly_once
                .as_ref()
                .and_then(|own| own.state.due(self.group.transaction_interval))
                .map(until),
            self.tally.due().map(until),
            self.leave.as_ref().map(|leave| until(leave.due())),
            self.pending
                .due()
                .filter(|_| !self.exactly_once.as_ref().is_some_and(|own| own.holds_up()))
                .map(until),
            self.awake.due().map(until),
            self.rate_wait,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(LONGEST_SLEEP)
        .clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }

    /// Ends every delivery without finishing it, and hands back what a new client is built from.
    fn give_up_client(mut self, error: KafkaError) -> (Setup, Inbox) {
        self.abandon_everything();
        tracing::error!(%error, "the client can not go on; making a new one");
        self.setup.observer.event(Event::Rebuilt(error));
        self.consumer.leave(false, Duration::from_secs(2));
        (self.setup, self.inbox)
    }

    /// Leaves the group, after everything is drained and committed.
    fn close(mut self) {
        self.call_on_stop();
        self.publish_last();
        let for_good = self.stop.is_some_and(|stop| stop.for_good);
        let left = self.stop.map_or(Duration::ZERO, |stop| {
            stop.deadline.saturating_duration_since(Instant::now())
        });
        // A coordinator that did not answer the last commit will not hear of the leave either.
        let most = if self.commits.no_answer {
            SHORTEST_LEAVE
        } else {
            left
        };
        self.consumer.leave(for_good, most.max(SHORTEST_LEAVE));
        self.setup.observer.event(Event::Left);
    }
}
