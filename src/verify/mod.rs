//! `deliveryd verify`: proves on the user's own cluster what a group promises.
//!
//! A rehearsal: `processes` of this same program run the group's handler and settings under another
//! group id on temporary topics; `load` writes stamped, keyed messages; `faults` befall the
//! processes; `receipts` come back from whoever finished a message; `ledger` keeps the books, and
//! `promise` judges them. `clean_up` takes everything away again, however it ended. `run` is the
//! whole of it, `course` its middle.

mod clean_up;
mod course;
mod faults;
mod ledger;
mod load;
mod processes;
mod progress;
mod promise;
mod receipts;
mod report;
mod source;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::config::rehearsal::{PREFIX, temporary};
use crate::config::{Brokers, Config, Group, PropertyValue};
use crate::kafka::{Admin, Cluster};
use crate::signals::Asked;

pub use clean_up::Remains;
pub use faults::Fault;
pub use promise::thousands;
pub use report::Report;
pub use source::Origin;

use course::Course;
use ledger::Ledger;
use processes::{Call, Processes};
use progress::Progress;

/// What is to be rehearsed, and how.
pub struct Request {
    /// As it was checked.
    pub config: Config,
    /// The user's own file and `--set`s, for the processes.
    pub file: PathBuf,
    pub sets: Vec<String>,
    /// The group's id; it is in the configuration.
    pub group: String,
    /// At least one.
    pub processes: u32,
    /// Messages per second, over all topics; more than zero.
    pub rate: f64,
    /// How long messages are written; longer if not every kind of fault has come by then.
    pub duration: Duration,
    /// Where the messages for each of the group's topics come from.
    pub origins: BTreeMap<String, Origin>,
    /// For messages that have none of their own.
    pub keys: u32,
    pub faults: Vec<Fault>,
    /// Between the end of one fault and the next.
    pub fault_interval: Duration,
    /// How long SIGSTOP lasts; `None`: longer than the group's session.
    pub standstill: Option<Duration>,
    pub seed: u64,
    /// How long nothing may be finished at the end before what is missing counts as missing; `None`:
    /// longer than the group's session and its waits.
    pub patience: Option<Duration>,
    /// Whether a line on the terminal shows how it goes.
    pub progress: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Failed(String),
    #[error("interrupted by {0}; nothing is proved")]
    Interrupted(&'static str),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// How a rehearsal ended.
pub struct Outcome {
    pub report: Result<Report, Failure>,
    /// What could not be removed from the cluster, and why.
    pub left: Vec<String>,
    /// Where the processes' logs are, if somebody will want to read them.
    pub logs: Option<PathBuf>,
}

/// The books, shared by who writes and who reads.
#[derive(Debug, Clone)]
struct Books(Arc<Mutex<Ledger>>);

impl Books {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A panic elsewhere ends the rehearsal; the books are whole between two entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client settings of a rehearsal.
///
/// # Errors
/// The broker is the embedded one.
pub fn cluster(config: &Config, run: &str) -> Result<Cluster, String> {
    match &config.kafka.brokers {
        Brokers::Servers(servers) => Ok(Cluster {
            servers: servers.clone(),
            embedded: false,
            properties: config.kafka.properties.clone(),
            instance: format!("{PREFIX}{run}"),
        }),
        Brokers::Embedded => Err(
            "there is nothing to prove on the embedded broker: it lives in one process's memory, so no \
             other process can take over there, and it does not survive what verify strikes with; name a \
             real cluster, as with --set kafka.brokers=localhost:9092"
                .to_owned(),
        ),
    }
}

/// A client for the cluster.
///
/// # Errors
/// The settings are refused.
pub fn admin(cluster: &Cluster) -> Result<Admin, String> {
    Admin::new(cluster, None).map_err(|error| error.message)
}

/// What earlier rehearsals that were killed have left, by run.
///
/// # Errors
/// No broker answers.
pub fn leftovers(admin: &Admin) -> Result<BTreeMap<String, Remains>, String> {
    clean_up::remains(admin).map_err(|error| error.message)
}

/// Removes what a rehearsal that is over has left.
///
/// # Errors
/// It goes on, or something can't be removed.
pub fn remove(admin: &Admin, remains: &Remains) -> Result<(), String> {
    clean_up::remove_if_over(admin, remains)
}

/// Tells this run from others: the time and a random number.
pub fn new_run() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S");
    format!("{now}-{:04x}", rand::random::<u16>())
}

/// Rehearses, and takes everything away again.
pub fn run(
    request: Request,
    run: &str,
    cluster: Cluster,
    admin: &Admin,
    asked: &mut UnboundedReceiver<Asked>,
) -> Outcome {
    let call = Call {
        config: request.file.clone(),
        sets: request.sets.clone(),
        group: request.group.clone(),
        run: run.to_owned(),
        directory: std::env::temp_dir().join(format!("{PREFIX}{run}")),
    };
    let mut processes = match Processes::new(call, request.processes) {
        Ok(processes) => processes,
        Err(reason) => {
            return Outcome {
                report: Err(Failure::Failed(reason)),
                left: Vec::new(),
                logs: None,
            };
        }
    };
    let progress = Progress::new(request.progress);
    let patience = session(&request.config, &request.group) + Duration::from_secs(20);
    let within = request.config.daemon.shutdown_timeout;
    let books = Books(Arc::new(Mutex::new(Ledger::new(Instant::now()))));
    // Also after a panic nothing may stay behind.
    let course = AssertUnwindSafe(|| {
        let mut course = Course {
            request,
            run,
            cluster,
            admin,
            processes: &mut processes,
            books,
            asked,
            progress: &progress,
        };
        course.run()
    });
    let mut report = catch_unwind(course)
        .unwrap_or_else(|panic| Err(Failure::Failed(crate::panic_text(&*panic))));
    progress.say("stopping the processes");
    let wrong = processes.stop_all(within);
    if let (Ok(report), false) = (&mut report, wrong.is_empty()) {
        report.held = false;
        report.broken.extend(wrong);
    }
    progress.say("removing topics and groups; a member that was killed is waited for");
    let left = match clean_up::remains(admin) {
        Ok(mut remains) => match remains.remove(run) {
            Some(remains) => clean_up::remove(admin, &remains, patience),
            None => Vec::new(),
        },
        Err(error) => vec![format!("what is left is not known: {error}")],
    };
    progress.end();
    let logs = match &report {
        Ok(report) if report.held => processes.remove_directory().err().map(|_| ()),
        Err(Failure::Interrupted(_)) => processes.remove_directory().err().map(|_| ()),
        _ => Some(()),
    };
    Outcome {
        report,
        left,
        logs: logs.map(|()| processes.directory().to_owned()),
    }
}

/// How long the group waits for a member that is silent.
fn session(config: &Config, group: &str) -> Duration {
    const NAME: &str = "session.timeout.ms";
    // What deliveryd sets itself, and what brokers have for KIP-848.
    const DEFAULT: Duration = Duration::from_secs(45);
    let own = config
        .groups
        .get(group)
        .map(|group: &Group| &group.properties);
    let own = own.and_then(|properties| properties.get(NAME));
    let value = own.or_else(|| config.kafka.properties.get(NAME));
    let millis = value.map(PropertyValue::expose).map(str::parse);
    match millis {
        Some(Ok(millis)) => Duration::from_millis(millis),
        _ => DEFAULT,
    }
}

/// The id of a rehearsed group.
fn group_id(run: &str, group: &str) -> String {
    temporary(run, group)
}
