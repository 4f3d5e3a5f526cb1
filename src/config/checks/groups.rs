//! Groups: settings that exclude each other.

use std::time::Duration;

use super::{Checks, Said};
use crate::config::names::topic_mistake;
use crate::config::places::Spot;
use crate::config::types::{Brokers, Group, Guarantee, Ordering, Protocol};

/// How long a member may go without polling when nothing else is said (librdkafka's default).
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);
const MAX_POLL_PROPERTY: &str = "max.poll.interval.ms";
const ISOLATION: &str = "isolation.level";
const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";

/// What a group that the broker assigns refuses, because the broker decides it (KIP-848).
const CLASSIC_ONLY: [&str; 4] = [
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "partition.assignment.strategy",
    "group.protocol.type",
];

pub fn check(checks: &mut Checks<'_, '_>) {
    let config = checks.config;
    for (id, group) in &config.groups {
        exactly_once(checks, id, group);
        transactions(checks, id, group);
        intervals(checks, id, group);
        timeouts(checks, id, group);
        protocol(checks, id, group);
        static_membership(checks, id, group);
        backoff(checks, id, group);
    }
}

fn exactly_once(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    let guarantee = ["groups", id, "guarantee"];
    if group.guarantee != Guarantee::ExactlyOnce || !checks.good(&guarantee) {
        return;
    }
    let embedded =
        checks.config.kafka.brokers == Brokers::Embedded && checks.good(&["kafka", "brokers"]);
    if embedded {
        let said = Said::new(
            "`guarantee` can't be \"exactly_once\" on the embedded broker",
            "its transactions are a pretence",
        );
        checks.separate(
            &guarantee,
            Spot::Value,
            said.hint("name a real cluster in `kafka.brokers`"),
        );
    }
    let ordering = ["groups", id, "ordering"];
    if group.ordering != Ordering::Partition && checks.good(&ordering) {
        let path = checks.first_given(&[&ordering, &guarantee]);
        let said = Said::new(
            "`guarantee = \"exactly_once\"` needs `ordering = \"partition\"`",
            "a transaction holds a contiguous stretch of a partition",
        );
        checks.mistake(path, Spot::Value, said);
    }
}

/// librdkafka's properties that bear on transactions.
fn transactions(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    if group.guarantee != Guarantee::ExactlyOnce || !checks.good(&["groups", id, "guarantee"]) {
        return;
    }
    if group.properties.contains_key(ISOLATION) {
        let said = Said::new(
            format!("`{ISOLATION}` can't be set with `guarantee = \"exactly_once\"`"),
            "it is always `read_committed`",
        );
        let hint = "else it would handle what aborted transactions have left";
        let path = ["groups", id, "properties", ISOLATION];
        checks.mistake(&path, Spot::Key, said.hint(hint));
    }
    let own = ["groups", id, "properties", TRANSACTION_TIMEOUT];
    let common = ["kafka", "properties", TRANSACTION_TIMEOUT];
    let given = group.properties.get(TRANSACTION_TIMEOUT);
    let given = given.or_else(|| checks.config.kafka.properties.get(TRANSACTION_TIMEOUT));
    let Some(Ok(timeout)) = given.map(|value| value.expose().parse().map(Duration::from_millis))
    else {
        return;
    };
    let work = group.transaction_interval + group.handler_timeout;
    if timeout <= work {
        let path = checks.first_given(&[&own, &common]);
        let said = Said::new(
            format!("`{TRANSACTION_TIMEOUT}` is too short for a transaction of the group `{id}`"),
            format!(
                "{} is not above {}",
                humantime::format_duration(timeout),
                humantime::format_duration(work)
            ),
        );
        let hint = "a transaction is open for `transaction_interval`, and a call that begins in it for up to \
                    `handler_timeout`; the broker would abort it meanwhile";
        checks.separate(path, Spot::Value, said.hint(hint));
    }
}

/// The interval that a group with this guarantee has no use for.
pub fn unused_interval(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::ExactlyOnce => "commit_interval",
        Guarantee::AtLeastOnce | Guarantee::AtMostOnce => "transaction_interval",
    }
}

/// An interval that is given and not used is a mistake like a key that does not exist.
fn intervals(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    if !checks.good(&["groups", id, "guarantee"]) {
        return;
    }
    let exactly_once = group.guarantee == Guarantee::ExactlyOnce;
    let unused = unused_interval(group.guarantee);
    let path = ["groups", id, unused];
    if checks.given(&path) {
        let said = if exactly_once {
            Said::new(
                format!("`{unused}` is not used with `guarantee = \"exactly_once\"`"),
                "offsets are committed by the transactions",
            )
            .hint("did you mean `transaction_interval`?")
        } else {
            let label = "this group has no transactions";
            Said::new(
                format!("`{unused}` is only used with `guarantee = \"exactly_once\"`"),
                label,
            )
        };
        checks.mistake(&path, Spot::Key, said);
    }
}

/// A member that does not poll for `max.poll.interval.ms` loses its place in the group.
fn timeouts(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    let own = ["groups", id, "properties", MAX_POLL_PROPERTY];
    let common = ["kafka", "properties", MAX_POLL_PROPERTY];
    let text = match group.properties.get(MAX_POLL_PROPERTY) {
        Some(value) => Some(value),
        None => checks.config.kafka.properties.get(MAX_POLL_PROPERTY),
    };
    let most = match text.map(|value| value.expose().parse()) {
        None => MAX_POLL_INTERVAL,
        Some(Ok(milliseconds)) => Duration::from_millis(milliseconds),
        // The check of the property itself tells.
        Some(Err(_)) => return,
    };
    let timeouts = [
        ("handler_timeout", group.handler_timeout),
        ("drain_timeout", group.drain_timeout),
    ];
    for (name, timeout) in timeouts.into_iter().filter(|(_, timeout)| *timeout >= most) {
        let own_timeout = ["groups", id, name];
        if !checks.good(&own_timeout) {
            continue;
        }
        let path = checks.first_given(&[&own_timeout, &own, &common]);
        let said = Said::new(
            format!("`{name}` must stay below `{MAX_POLL_PROPERTY}`"),
            format!(
                "{} is not below {}",
                humantime::format_duration(timeout),
                humantime::format_duration(most)
            ),
        );
        let hint = format!("the group `{id}` would lose its partitions while it waits");
        checks.separate(path, Spot::Value, said.hint(hint));
    }
}

fn protocol(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    if group.protocol != Protocol::Consumer {
        return;
    }
    for name in CLASSIC_ONLY {
        let own = ["groups", id, "properties", name];
        let common = ["kafka", "properties", name];
        let said = Said::new(
            format!("`{name}` can't be set with `protocol = \"consumer\"`"),
            "the broker decides it",
        );
        if group.properties.contains_key(name) {
            checks.mistake(&own, Spot::Key, said);
        } else if checks.config.kafka.properties.contains_key(name) {
            let hint = format!(
                "the group `{id}` has that protocol; set it in the groups that are \"classic\""
            );
            checks.mistake(&common, Spot::Key, said.hint(hint));
        }
    }
}

fn static_membership(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    let path = ["groups", id, "static_membership"];
    if !group.static_membership || !checks.good(&path) {
        return;
    }
    if group.protocol == Protocol::Consumer && checks.good(&["groups", id, "protocol"]) {
        let said = Said::new(
            "`static_membership` can't be used with `protocol = \"consumer\"`",
            "only with \"classic\"",
        );
        let hint = "a static member that leaves would keep its partitions until the session times out: \
                    librdkafka leaves with epoch -2, which means \"back soon\"";
        checks.mistake(&path, Spot::Value, said.hint(hint));
        return;
    }
    let instance = &checks.config.daemon.instance;
    let member = format!("{instance}-{id}-{}", group.members);
    if let Some(mistake) = topic_mistake(&member).filter(|_| checks.good(&["daemon", "instance"])) {
        let message = format!("`{member}` can't be the id of a static member");
        checks.mistake(&path, Spot::Value, Said::new(message, mistake));
    }
}

fn backoff(checks: &mut Checks<'_, '_>, id: &str, group: &Group) {
    let failure = &group.on_failure;
    let first = ["groups", id, "on_failure", "backoff"];
    let most = ["groups", id, "on_failure", "max_backoff"];
    if failure.backoff > failure.max_backoff && checks.good(&first) && checks.good(&most) {
        let path = checks.first_given(&[&most, &first]);
        let said = Said::new(
            "`backoff` can't be longer than `max_backoff`",
            format!(
                "{} is longer than {}",
                humantime::format_duration(failure.backoff),
                humantime::format_duration(failure.max_backoff)
            ),
        );
        checks.mistake(path, Spot::Value, said);
    }
    let stop = checks.config.daemon.shutdown_timeout;
    let drain = ["groups", id, "drain_timeout"];
    let shutdown = ["daemon", "shutdown_timeout"];
    if group.drain_timeout > stop && checks.good(&shutdown) {
        let path = checks.first_given(&[&drain, &shutdown]);
        let said = Said::new(
            format!("the group `{id}` may not have its whole `drain_timeout` at a stop"),
            format!(
                "{} is longer than the {} of `daemon.shutdown_timeout`",
                humantime::format_duration(group.drain_timeout),
                humantime::format_duration(stop)
            ),
        );
        checks.warning(path, Spot::Value, said);
    }
}
