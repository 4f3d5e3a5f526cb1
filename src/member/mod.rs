//! The loop of one member: the only place that knows both the scripts and Kafka.
//!
//! A message's way through these files: `turn` polls it, `work` calls the handler and decides what
//! follows, `send` queues its emits and hears of their acknowledgement, `commit` hands the finished
//! prefix to the broker; `rebalance` gives partitions up in order. With `exactly_once`, `transaction`
//! says when what is committed, `exactly_once` does it in place of `commit`, and `again` goes back.
//!
//! A member is one async task on a thread of its own. So the Rhai engine can be the single-threaded
//! build without locks, a member that drains before it gives partitions up holds up nobody else, and
//! a runaway script stalls only its own member. librdkafka has threads of its own for fetching,
//! heartbeats and sending.

mod abandon;
mod again;
mod awake;
mod commit;
mod denied;
mod exactly_once;
mod gate;
mod lag;
mod lane;
mod letter;
mod life_cycle;
mod lines;
mod lone;
mod lost_end;
mod out_of_range;
mod pauses;
mod publish;
mod rate;
mod rebalance;
mod rehearsal;
mod report;
mod retry;
mod room;
mod seek;
mod send;
mod share;
mod steer;
mod stuck;
mod tap;
mod transaction;
mod trial;
mod turn;
mod work;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::config::Group;
use crate::handlers::HandlerSlot;
use crate::kafka::{Cluster, Partition};

pub use lone::{Attempt, Ending, Lone, Next};
pub use pauses::{Pauses, Scope};
pub use rate::RateLimit;
pub use report::{Calls, Event, MemberReport, Observer, PartitionReport, State};
pub use seek::SeekAnswer;
pub use share::Share;
pub use stuck::GivenUp;
pub use tap::{CallResult, Seen, Shown, Tap};
pub use trial::try_handler;

/// What the members of one group in this process share.
#[derive(Debug)]
pub struct GroupShared {
    pub rate: RateLimit,
    pub share: Share,
    /// Where partitions begin of topics that the group has begun to read and has no offsets of.
    starts: Mutex<BTreeMap<Partition, i64>>,
    /// Why the whole group stands still, if it does.
    halted: Mutex<Option<String>>,
    pauses: Mutex<Pauses>,
    taps: Mutex<Vec<Arc<Tap>>>,
    /// Topics that the config or the broker knows, so that may be emitted to.
    pub topics: Arc<ArcSwap<HashSet<String>>>,
}

impl GroupShared {
    pub fn new(group: &Group, topics: Arc<ArcSwap<HashSet<String>>>) -> Self {
        Self {
            rate: RateLimit::new(group.rate),
            share: Share::default(),
            starts: Mutex::default(),
            halted: Mutex::new(None),
            pauses: Mutex::default(),
            taps: Mutex::default(),
            topics,
        }
    }

    /// Has members begin there, and nowhere else, with partitions of which the group has no offset, and
    /// commit that. Other such partitions begin at their beginning.
    pub fn set_starts(&self, starts: impl IntoIterator<Item = (Partition, i64)>) {
        *lock(&self.starts) = starts.into_iter().collect();
    }

    /// Where to begin with a partition of which the group has no offset, unless that is its beginning.
    fn start_of(&self, partition: &Partition) -> Option<i64> {
        lock(&self.starts).get(partition).copied()
    }

    /// The group has an offset of it from now on.
    fn has_begun(&self, partition: &Partition) {
        lock(&self.starts).remove(partition);
    }

    /// What the user has paused.
    pub fn pauses(&self) -> Pauses {
        lock(&self.pauses).clone()
    }

    /// Pauses or resumes a part of the group; its members follow when they are told to.
    pub fn set_paused(&self, scope: &Scope, paused: bool) {
        lock(&self.pauses).set(scope, paused);
    }

    /// Shows the members' messages to one more; the members follow when they are told to.
    pub fn add_tap(&self, tap: Arc<Tap>) {
        let mut taps = lock(&self.taps);
        taps.retain(|tap| !tap.is_over());
        taps.push(tap);
    }

    fn taps(&self) -> Vec<Arc<Tap>> {
        lock(&self.taps).clone()
    }

    /// Why the whole group stands still, if it does.
    pub fn halted(&self) -> Option<String> {
        lock(&self.halted).clone()
    }

    /// Stops every member from starting messages.
    pub fn halt(&self, reason: &str) {
        lock(&self.halted).get_or_insert_with(|| reason.to_owned());
    }

    /// Lets the group go on.
    pub fn resume(&self) {
        *lock(&self.halted) = None;
        self.share.reset();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept here is whole whatever panicked meanwhile.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a member is made with.
pub struct Setup {
    pub cluster: Arc<Cluster>,
    pub group_id: Arc<str>,
    pub group: Arc<Group>,
    /// Which settings of the slot's `group` holds.
    pub settings: u64,
    /// From 1.
    pub number: u32,
    pub slot: Arc<HandlerSlot>,
    pub shared: Arc<GroupShared>,
    pub observer: Box<dyn Observer>,
}

/// The name of a group's member: `GROUP-N`.
pub fn member_name(group_id: &str, number: u32) -> String {
    format!("{group_id}-{number}")
}

/// What a running member can be told.
#[derive(Debug)]
pub enum Command {
    /// New settings that need no new client, and which of the slot's they are.
    Change(Arc<Group>, u64),
    /// Partitions may have been added to its topics.
    RefreshTopics,
    /// What is stuck is to be tried again: one partition or all.
    Resume(Option<Partition>),
    /// The user has paused or resumed something, or watches. Answered with what it holds.
    Follow(oneshot::Sender<Vec<PartitionReport>>),
    /// Where partitions end that stand still, among them such as it does not hold.
    Ends(Arc<[(Partition, i64)]>),
    /// A stuck partition is to get past its message.
    GiveUp(Partition, oneshot::Sender<Result<GivenUp, String>>),
    /// The group's offset in a partition is to be this.
    Seek {
        partition: Partition,
        to: i64,
        reply: oneshot::Sender<SeekAnswer>,
    },
    /// Drain, commit, leave. `for_good`: a static member gives its partitions up at once.
    Stop { for_good: bool, deadline: Instant },
}

/// A member that runs.
#[derive(Debug)]
pub struct MemberHandle {
    pub name: String,
    pub number: u32,
    commands: mpsc::UnboundedSender<Command>,
    wake: Arc<Notify>,
    /// Closed when the thread ends.
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<Result<(), String>>,
}

impl MemberHandle {
    /// Starts a member on a thread of its own.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(setup: Setup) -> std::io::Result<Self> {
        let name = member_name(&setup.group_id, setup.number);
        let number = setup.number;
        let (commands, receiver) = mpsc::unbounded_channel();
        let wake = Arc::new(Notify::new());
        setup.slot.wakes(&wake);
        let (alive, ended) = oneshot::channel();
        let inbox = turn::Inbox {
            commands: receiver,
            wake: wake.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .stack_size(crate::script::STACK_SIZE)
            .spawn(move || {
                // Dropped on every way out, a panic included.
                let _alive: oneshot::Sender<()> = alive;
                turn::run(setup, inbox)
            })?;
        Ok(Self {
            name,
            number,
            commands,
            wake,
            ended,
            thread,
        })
    }

    /// Tells it something; a member that has ended hears nothing.
    pub fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::debug!(member = %self.name, "has ended already");
        }
        self.wake.notify_one();
    }

    /// Completes when its thread is at its end, asked or unasked. May be dropped and called again.
    pub async fn ended(&mut self) {
        if !self.ended.is_terminated() {
            // Nothing is ever sent: the error is the sender's end.
            (&mut self.ended).await.ok();
        }
    }

    /// Whether its thread is at its end, asked or unasked.
    pub fn has_ended(&self) -> bool {
        self.ended.is_terminated() || self.thread.is_finished()
    }

    /// What its thread ended with. Waits for it; tell it to stop first.
    ///
    /// # Errors
    /// Why it could not go on, or the panic's text.
    pub fn join(self) -> Result<(), String> {
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => Err(crate::panic_text(&*panic)),
        }
    }
}
