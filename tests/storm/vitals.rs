//! What a process holds of the system: memory, threads, descriptors.

use std::collections::BTreeMap;
use std::fs;

use crate::support::Daemon;

/// At one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Vitals {
    /// Resident, in MiB.
    pub memory: f64,
    /// By their names.
    pub threads: BTreeMap<String, usize>,
    /// Open file descriptors.
    pub files: usize,
}

impl Vitals {
    pub fn of(daemon: &Daemon) -> Vitals {
        let process = format!("/proc/{}", daemon.id());
        let entries = |name: &str| {
            let folder = format!("{process}/{name}");
            let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            entries.count()
        };
        let status = fs::read_to_string(format!("{process}/status"));
        let status = status.unwrap_or_else(|error| panic!("{process}: {error}"));
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        Vitals {
            memory: kib.unwrap_or_else(|| panic!("no VmRSS in {status}")) / 1024.0,
            threads: threads(&process),
            files: entries("fd"),
        }
    }

    pub fn threads(&self) -> usize {
        self.threads.values().sum()
    }

    /// Whether nothing is on its way out: neither the check that a start or reload makes, nor clients of it
    /// whose threads are still ending.
    pub fn is_settled(&self) -> bool {
        !["preflight", "kafka-destroy"]
            .iter()
            .any(|name| self.threads.contains_key(*name))
    }

    /// Whether threads and descriptors are the same, up to the runtime's pool: that one keeps a
    /// thread more for as long as now and then two have something to do.
    pub fn is_back_at(&self, before: &Vitals) -> bool {
        let but_pool = |vitals: &Vitals| {
            let mut threads = vitals.threads.clone();
            let pool = threads.remove("daemon").unwrap_or_default();
            (threads, pool)
        };
        let ((now, pool), (then, pool_then)) = (but_pool(self), but_pool(before));
        self.files <= before.files && now == then && pool <= pool_then + 2
    }
}

fn threads(process: &str) -> BTreeMap<String, usize> {
    let mut threads = BTreeMap::new();
    let tasks = fs::read_dir(format!("{process}/task"));
    for task in tasks
        .unwrap_or_else(|error| panic!("{process}: {error}"))
        .flatten()
    {
        // A thread may end while they are counted.
        if let Ok(name) = fs::read_to_string(task.path().join("comm")) {
            *threads.entry(name.trim_end().to_owned()).or_default() += 1;
        }
    }
    threads
}
