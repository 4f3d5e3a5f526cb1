//! The lines that people see when they run deliveryd in a terminal.
//!
//! Each line is a pure function from facts to text; [`tell`] shows it. What they say elsewhere
//! (status page, logs for machines) comes from the same facts, not from these lines.

mod assignment;
mod summary;

use std::time::Duration;

use super::logs::TELL;
use super::status::Reload;
pub use assignment::{assignment, holders, partitions, ranges, rebalanced};
pub use summary::summary;

/// Shows a line, or several, without decoration.
pub fn tell(text: &str) {
    tracing::info!(target: TELL, "{text}");
}

/// Shows what went wrong with something that was asked for, such as a refused reload.
pub fn tell_refusal(text: &str) {
    tracing::warn!(target: TELL, "{text}");
}

/// The first line: which cluster, and where the status page is.
///
/// `page` is the address it listens on; an unspecified one is shown as the loopback address.
pub fn banner(servers: &str, embedded: bool, page: Option<std::net::SocketAddr>) -> String {
    let cluster = if embedded {
        format!("embedded broker on {servers} (in memory only)")
    } else {
        format!("brokers {servers}")
    };
    match page {
        Some(address) => format!("{cluster}   status page http://{}", reachable(address)),
        None => cluster,
    }
}

/// `0.0.0.0` is no address to open in a browser.
fn reachable(mut address: std::net::SocketAddr) -> std::net::SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// What to try next: one more member of `group`, by editing `config`.
pub fn suggestion(members: u32, config: &str, pid: u32) -> String {
    format!("try: members = {members} in {config}, then kill -HUP {pid}")
}

/// A reload's result, one line per step or reason, under one another.
pub fn reload(result: &Reload) -> String {
    let lead = if result.ok {
        format!("reload {}: ", result.generation)
    } else {
        format!("reload {} refused: ", result.generation)
    };
    if result.summary.is_empty() {
        let nothing = if result.ok {
            "nothing to change"
        } else {
            "no reason given"
        };
        return lead + nothing;
    }
    let indent = format!("\n{:width$}", "", width = lead.chars().count());
    let text = lead + result.summary.join(&indent).as_str();
    // An empty line in a reason gets no indentation.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// A duration as people say it: `160 ms`, `1.1 s`, `2 min 5 s`.
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis} ms");
    }
    let tenths = (millis + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (millis + 500) / 1000;
    format!("{} min {} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line names the cluster and the page, as far as there is one.
    #[test]
    fn banner_names_cluster_and_page() {
        let page = "127.0.0.1:8660".parse().ok();
        assert_eq!(
            banner("127.0.0.1:41873", true, page),
            "embedded broker on 127.0.0.1:41873 (in memory only)   status page http://127.0.0.1:8660"
        );
        assert_eq!(
            banner("a:9092,b:9092", false, None),
            "brokers a:9092,b:9092"
        );
        assert_eq!(
            banner("a:9092", false, "[::]:80".parse().ok()),
            "brokers a:9092   status page http://[::1]:80"
        );
        assert_eq!(
            suggestion(3, "config/default.toml", 4711),
            "try: members = 3 in config/default.toml, then kill -HUP 4711"
        );
    }

    /// A reload says what it did, or why it did not and what goes on.
    #[test]
    fn reload_lines_say_what_happened() {
        let mut result = Reload {
            generation: 2,
            ok: true,
            at: crate::observe::now(),
            summary: vec!["group-1 members 2 → 3".to_owned()],
            ..Reload::default()
        };
        assert_eq!(reload(&result), "reload 2: group-1 members 2 → 3");
        result.summary.push("group-2 rate 5 → 10".to_owned());
        assert_eq!(
            reload(&result),
            "reload 2: group-1 members 2 → 3\n          group-2 rate 5 → 10"
        );
        result.summary.clear();
        assert_eq!(reload(&result), "reload 2: nothing to change");
        result.ok = false;
        result.summary.push("3 mistakes".to_owned());
        assert_eq!(reload(&result), "reload 2 refused: 3 mistakes");
    }

    /// Durations have the unit that fits, and carry when they are rounded up.
    #[test]
    fn durations_are_short() {
        let said = |millis| duration(Duration::from_millis(millis));
        let all = [0, 160, 999, 1000, 1149, 59_940, 59_960, 125_400].map(said);
        assert_eq!(
            all,
            [
                "0 ms",
                "160 ms",
                "999 ms",
                "1.0 s",
                "1.1 s",
                "59.9 s",
                "1 min 0 s",
                "2 min 5 s"
            ]
        );
    }
}
