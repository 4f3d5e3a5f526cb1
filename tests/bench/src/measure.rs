//! Another process's CPU time and memory, and medians.

use std::fmt;
use std::time::Duration;

/// What one contender's run cost.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub messages: u64,
    /// User and system time of the process, without its start-up.
    pub cpu: Duration,
    /// From the first message to the last.
    pub wall: Duration,
    /// The most memory that was resident, in bytes.
    pub peak: u64,
}

impl Run {
    /// Microseconds of CPU a message.
    pub fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }

    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.wall.as_secs_f64()
    }

    pub fn peak_mib(&self) -> f64 {
        self.peak as f64 / (1 << 20) as f64
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cost, rate, peak) = (self.cost(), self.rate(), self.peak_mib());
        write!(
            f,
            "{cost:.2} µs a message, {rate:.0} messages/s, peak {peak:.1} MiB"
        )
    }
}

/// User and system time that a process has used so far, by the kernel's own clock of it.
pub fn cpu_time(process: u32) -> Duration {
    let mut clock = 0;
    // SAFETY: both calls write only to the variables given.
    let time = unsafe {
        let failed = libc::clock_getcpuclockid(process as libc::pid_t, &mut clock);
        assert_eq!(failed, 0, "no CPU clock of process {process}");
        let mut time = std::mem::zeroed::<libc::timespec>();
        let failed = libc::clock_gettime(clock, &mut time);
        assert_eq!(failed, 0, "process {process} is gone");
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that a process ever had resident (`VmHWM`), in bytes.
pub fn peak_memory(process: u32) -> u64 {
    let file = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_else(|| panic!("no VmHWM in {file}")) * 1024
}

/// The middle value; of an even number, the mean of the middle two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}
