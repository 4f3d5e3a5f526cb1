//! The process itself, read when a scraper asks: the names that Prometheus' own clients use.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::time::{ClockId, clock_gettime};

/// See the module.
#[derive(Debug)]
pub(super) struct Process {
    /// Seconds since 1970.
    pub started: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let metric = encoder.encode_descriptor(
            "process_cpu_seconds",
            "User and system CPU time in seconds.",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(cpu).encode(metric)?;

        // Without /proc (another system, a strict container) what can't be read is left out.
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory in bytes.",
                field(&status, "VmRSS:").map(|kib| kib * 1024.0),
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory in bytes.",
                field(&status, "VmSize:").map(|kib| kib * 1024.0),
            ),
            (
                "process_threads",
                "Threads of the process.",
                field(&status, "Threads:"),
            ),
            ("process_open_fds", "Open file descriptors.", open_fds()),
            (
                "process_max_fds",
                "Most file descriptors that may be open.",
                field(&limits, "Max open files"),
            ),
            (
                "process_start_time_seconds",
                "Start of the process in seconds since 1970.",
                Some(self.started),
            ),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}

fn open_fds() -> Option<f64> {
    // The directory that is being read is one of them.
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as f64)
}

/// The first number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures are found by their name at the start of a line; what is not there is nothing.
    #[test]
    fn proc_files_are_read() {
        let status = "Name:\tx\nVmRSS:\t  1024 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(1024.0));
        assert_eq!(field(status, "Threads:"), Some(7.0));
        assert_eq!(field(status, "VmSize:"), None);
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(field(limits, "Max open files"), Some(1024.0));
    }
}
