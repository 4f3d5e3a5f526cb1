//! A member's transactions: `begin`, `commit` or `abort`, then `outcome` when `wake` tells.
//!
//! librdkafka's calls block until the coordinator has answered, for seconds where a broker is away. So
//! they are made on a thread of their own, one after another, and the member's loop goes on: it must
//! also take the delivery reports that they wait for. What passes by itself is tried again in here;
//! what comes out is final for its transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::Notify;

use super::context::{Context, lock};
use super::emitter::Emitter;
use super::error::KafkaError;
use super::producing::Producing;
use super::raw::GroupMetadata;
use super::{Cluster, Commit, commit, settings};
use crate::config::Group;

/// How one of the jobs ended.
#[derive(Debug)]
pub enum TransactionOutcome {
    /// The transactional id is this producer's, and nothing of an earlier one is open any more.
    Ready,
    Committed,
    Aborted,
    /// The commit can not succeed; the transaction must be aborted.
    MustAbort(KafkaError),
    /// This producer can not go on: somebody else has its transactional id, or worse.
    Broken(KafkaError),
}

/// The transactions of one producer, which is an [`Emitter`] at the same time.
pub struct Transactions {
    shared: Arc<Shared>,
    /// Closed when this is dropped, which ends the thread.
    jobs: Sender<Job>,
}

struct Shared {
    producing: Arc<Producing>,
    outcome: Mutex<Option<TransactionOutcome>>,
    /// Why the job under way has not come to its end yet.
    trouble: Mutex<Option<KafkaError>>,
    wake: Arc<Notify>,
    /// When the call that is under way began.
    calling: Mutex<Option<Instant>>,
    given_up: AtomicBool,
}

enum Job {
    Init {
        after: Duration,
    },
    Commit {
        begin: bool,
        offsets: TopicPartitionList,
        group: GroupMetadata,
    },
    /// Of a transaction without offsets.
    CommitAlone,
    Abort,
}

/// One call. When it is over the same call goes on, so it only bounds how late the thread sees that it
/// is not needed any more.
const CALL: Duration = Duration::from_secs(2);
/// An abort throws away what is queued, again with each call; what was just on its way back into the
/// queue is thrown away only by the next one.
const ABORT_CALL: Duration = Duration::from_millis(250);
/// librdkafka 2.12 keeps to no time limit while the broker is away that it knows as the group's
/// coordinator, though another one has become that meanwhile. Then only another producer gets on.
const HANGS: Duration = Duration::from_secs(3);
/// Between two attempts at what was refused for the moment.
const AGAIN: Duration = Duration::from_millis(50);

impl Transactions {
    /// A producer under this transactional id, and its transactions. No broker is needed yet.
    pub fn new(
        cluster: &Cluster,
        group: &Group,
        id: &str,
        wake: Arc<Notify>,
    ) -> Result<(Emitter, Transactions), KafkaError> {
        let config = settings::transactional(cluster, group, id);
        let context = Context::new(id, &cluster.servers);
        let producing = Arc::new(Producing::new(&config, context, Some(&wake))?);
        let shared = Arc::new(Shared {
            producing: producing.clone(),
            outcome: Mutex::default(),
            trouble: Mutex::default(),
            wake,
            calling: Mutex::default(),
            given_up: AtomicBool::new(false),
        });
        let (jobs, waiting) = channel();
        let worker = shared.clone();
        std::thread::Builder::new()
            .name("transactions".into())
            .spawn(move || worker.work_off(&waiting))
            .map_err(|error| {
                KafkaError::new(
                    "_CRIT_SYS_RESOURCE",
                    format!("no thread for transactions: {error}"),
                )
            })?;
        Ok((Emitter::over(producing), Transactions { shared, jobs }))
    }

    /// Takes the transactional id over when so much time has passed, once, before anything else.
    pub fn init(&self, after: Duration) {
        self.ask(Job::Init { after });
    }

    /// What is sent from here on belongs to a transaction. Asks no broker.
    pub fn begin(&self) -> Result<(), KafkaError> {
        self.shared.producing.client().begin_transaction()
    }

    /// Why the transaction that has begun can only be aborted, if so. Asks no broker; not to be called
    /// before `begin` or while a job is under way.
    pub fn failure(&self) -> Option<KafkaError> {
        // A second begin is refused in any case; the refusal tells the state.
        let refusal = self.shared.producing.client().begin_transaction().err()?;
        (refusal.aborts || refusal.fatal).then_some(refusal)
    }

    /// Makes the offsets part of the transaction and ends it well. Everything sent must be acknowledged
    /// before: librdkafka takes its time to wait for it (100 ms where the wait itself is 5).
    /// `begin`: there is no transaction yet.
    pub fn commit(
        &self,
        begin: bool,
        offsets: &[Commit],
        group: GroupMetadata,
    ) -> Result<(), KafkaError> {
        let offsets = commit::list(offsets)?;
        self.ask(Job::Commit {
            begin,
            offsets,
            group,
        });
        Ok(())
    }

    /// Ends the transaction well, without offsets of a group. Everything sent must be acknowledged before.
    pub fn commit_alone(&self) {
        self.ask(Job::CommitAlone);
    }

    /// Takes everything back that was sent since `begin`. Acknowledgements must be taken meanwhile.
    pub fn abort(&self) {
        self.ask(Job::Abort);
    }

    /// How the last job ended, once.
    pub fn outcome(&self) -> Option<TransactionOutcome> {
        if let Some(outcome) = lock(&self.shared.outcome).take() {
            return Some(outcome);
        }
        let calling = *lock(&self.shared.calling);
        let hangs = calling.is_some_and(|since| since.elapsed() > HANGS);
        hangs.then(|| {
            let why = format!("a transaction has got no answer for {} s", HANGS.as_secs());
            TransactionOutcome::Broken(KafkaError::new("_TIMED_OUT", why))
        })
    }

    /// Why the job under way takes so long, once for each reason heard.
    pub fn trouble(&self) -> Option<KafkaError> {
        lock(&self.shared.trouble).take()
    }

    fn ask(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            // Its thread ends only with this, or in a panic, which would otherwise go unnoticed.
            let error = KafkaError::new("_FAIL", "the thread for transactions has ended".into());
            *lock(&self.shared.outcome) = Some(TransactionOutcome::Broken(error));
        }
    }
}

impl Drop for Transactions {
    fn drop(&mut self) {
        self.shared.given_up.store(true, Ordering::Release);
    }
}

impl Shared {
    fn work_off(&self, jobs: &Receiver<Job>) {
        for job in jobs {
            let Some(outcome) = self.run(job) else {
                return;
            };
            *lock(&self.trouble) = None;
            *lock(&self.outcome) = Some(outcome);
            self.wake.notify_one();
        }
    }

    /// `None`: nobody waits for it any more.
    fn run(&self, job: Job) -> Option<TransactionOutcome> {
        let client = self.producing.client();
        let broken = TransactionOutcome::Broken;
        Some(match job {
            Job::Init { after } => {
                std::thread::sleep(after);
                // Whoever has given this one up may have taken the id over with another.
                if self.given_up.load(Ordering::Acquire) {
                    return None;
                }
                match self.persist(|| client.init_transactions(CALL))? {
                    Ok(()) => TransactionOutcome::Ready,
                    Err(error) => broken(error.while_trying("transactions can't begin")),
                }
            }
            Job::CommitAlone => committed(self.persist(|| client.commit_transaction(CALL))?),
            Job::Abort => match self.persist(|| client.abort_transaction(ABORT_CALL))? {
                Ok(()) => TransactionOutcome::Aborted,
                Err(error) => broken(error.while_trying("a transaction can't be aborted")),
            },
            Job::Commit {
                begin,
                offsets,
                group,
            } => {
                if begin && let Err(error) = client.begin_transaction() {
                    return Some(broken(error.while_trying("a transaction can't begin")));
                }
                let sent = self.persist(|| client.send_offsets(&offsets, &group, CALL))?;
                let ended = match sent {
                    Ok(()) => self.persist(|| client.commit_transaction(CALL))?,
                    Err(error) => Err(error),
                };
                committed(ended)
            }
        })
    }

    /// Makes a call until it has an answer that is final. `None`: nobody waits for it any more.
    fn persist(&self, call: impl Fn() -> Result<(), KafkaError>) -> Option<Result<(), KafkaError>> {
        loop {
            *lock(&self.calling) = Some(Instant::now());
            let result = call();
            *lock(&self.calling) = None;
            let error = match result {
                Ok(()) => return Some(Ok(())),
                Err(error) => error,
            };
            if error.fatal || error.aborts || !error.retriable {
                return Some(Err(error));
            }
            if self.given_up.load(Ordering::Acquire) {
                return None;
            }
            if error.code != "_TIMED_OUT" {
                std::thread::sleep(AGAIN);
            }
            *lock(&self.trouble) = Some(error);
        }
    }
}

/// How a commit ended.
fn committed(result: Result<(), KafkaError>) -> TransactionOutcome {
    match result {
        Ok(()) => TransactionOutcome::Committed,
        Err(error) if error.fatal => {
            TransactionOutcome::Broken(error.while_trying("a transaction can't be committed"))
        }
        Err(error) => TransactionOutcome::MustAbort(error),
    }
}
