//! What is true now: gauges made from the board's snapshot when a scraper asks.
//!
//! Nothing is kept, so the series of a partition that moved, a member that left and a group that was
//! removed are gone with it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::observe::board::Board;
use crate::observe::status::{
    BrokerState, GroupStatus, HandlerStatus, MemberState, MemberStatus, PartitionStatus, Status,
};

pub(super) type Labels = Vec<(&'static str, String)>;

/// See the module.
#[derive(Debug)]
pub(super) struct Gauges(pub Board);

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let wedged = self.0.wedged().len();
        let status = self.0.snapshot();
        let mut out = Out { encoder };
        daemon(&mut out, &status, wedged)?;
        handlers(&mut out, &status)?;
        members(&mut out, &status)?;
        partitions(&mut out, &status)
    }
}

fn daemon(out: &mut Out<'_>, status: &Status, wedged: usize) -> fmt::Result {
    out.gauge(
        "deliveryd_build_info",
        "Always 1; the version is a label.",
        [(vec![("version", status.version.clone())], 1.0)],
    )?;
    out.gauge(
        "deliveryd_config_generation",
        "The configuration in force; counts up with every reload that changed something.",
        [(vec![], status.generation as f64)],
    )?;
    let up = match status.brokers.state {
        BrokerState::Up => 1.0,
        BrokerState::Down | BrokerState::Unknown => 0.0,
    };
    out.gauge(
        "deliveryd_broker_up",
        "1 while a broker can be reached.",
        [(vec![], up)],
    )?;
    out.gauge(
        "deliveryd_wedged_loops",
        "Members and producers whose loop no longer goes round.",
        [(vec![], wedged as f64)],
    )
}

fn handlers(out: &mut Out<'_>, status: &Status) -> fmt::Result {
    let groups = status
        .groups
        .iter()
        .map(|(name, group)| ("group", name, &group.handler));
    let producers = status
        .producers
        .iter()
        .map(|(name, producer)| ("producer", name, &producer.handler));
    let all: Vec<(&'static str, &String, &HandlerStatus)> = groups.chain(producers).collect();
    out.gauge(
        "deliveryd_handler_info",
        "Always 1; the version of the handler in force is a label.",
        all.iter()
            // Before its first load there is no version to speak of.
            .filter(|(_, _, handler)| !handler.version.is_empty())
            .map(|(kind, name, handler)| {
                let version = handler.version.clone();
                (vec![(*kind, (*name).clone()), ("version", version)], 1.0)
            }),
    )?;
    out.gauge(
        "deliveryd_handler_members",
        "Members that run a version of their group's handler.",
        running(status).into_iter().map(|((group, version), n)| {
            let labels = vec![("group", group.to_owned()), ("version", version.to_owned())];
            (labels, f64::from(n))
        }),
    )?;
    out.gauge(
        "deliveryd_handler_refused",
        "1 while the handler's changed file is refused and the old version runs.",
        all.iter().map(|(kind, name, handler)| {
            let refused = f64::from(u8::from(handler.error.is_some()));
            (vec![(*kind, (*name).clone())], refused)
        }),
    )
}

/// How many members run which version; one that has just started runs none yet.
fn running(status: &Status) -> BTreeMap<(&str, &str), u32> {
    let mut running = BTreeMap::new();
    for (group, member) in each_member(status).filter(|(_, m)| !m.handler_version.is_empty()) {
        *running
            .entry((group, &*member.handler_version))
            .or_default() += 1;
    }
    running
}

fn members(out: &mut Out<'_>, status: &Status) -> fmt::Result {
    const STATES: [MemberState; 9] = [
        MemberState::Starting,
        MemberState::WaitingForBroker,
        MemberState::Joining,
        MemberState::Running,
        MemberState::Idle,
        MemberState::Paused,
        MemberState::Stuck,
        MemberState::Draining,
        MemberState::Stopped,
    ];
    out.gauge(
        "deliveryd_members",
        "Members by state.",
        status.groups.iter().flat_map(|(name, group)| {
            STATES.into_iter().map(move |state| {
                let count = group.members.iter().filter(|member| member.state == state);
                let labels = vec![
                    ("group", name.clone()),
                    ("state", state.as_str().to_owned()),
                ];
                (labels, count.count() as f64)
            })
        }),
    )?;
    let each = |value: fn(&MemberStatus) -> f64| {
        each_member(status).map(move |(group, member)| (of_member(group, member), value(member)))
    };
    out.gauge(
        "deliveryd_in_flight",
        "Messages started and not finished.",
        each(|member| member.in_flight as f64),
    )?;
    out.gauge(
        "deliveryd_waiting_for_retry",
        "Messages that wait for their retry.",
        each(|member| member.waiting as f64),
    )?;
    out.gauge(
        "deliveryd_oldest_in_flight_seconds",
        "Age of the oldest message started and not finished.",
        each(|member| member.oldest_in_flight_seconds),
    )?;
    out.gauge(
        "deliveryd_buffered_bytes",
        "Bytes held of the member's buffer.",
        each(|member| member.buffered_bytes as f64),
    )
}

fn partitions(out: &mut Out<'_>, status: &Status) -> fmt::Result {
    let each = |value: fn(&PartitionStatus) -> Option<f64>| {
        each_member(status).flat_map(move |(group, member)| {
            member.partitions.iter().filter_map(move |partition| {
                let labels = vec![
                    ("group", group.to_owned()),
                    ("topic", partition.topic.clone()),
                    ("partition", partition.partition.to_string()),
                ];
                value(partition).map(|value| (labels, value))
            })
        })
    };
    out.gauge(
        "deliveryd_consumer_lag",
        "Messages that are not handled, up to the partition's end.",
        each(|partition| partition.lag.map(|lag| lag as f64)),
    )?;
    out.gauge(
        "deliveryd_consumer_lag_seconds",
        "Age of the oldest message that is not handled, by its timestamp; 0 when caught up.",
        each(|partition| partition.lag_seconds),
    )?;
    out.gauge(
        "deliveryd_committed_offset",
        "The group's committed offset: the next one to be read.",
        each(|partition| partition.committed.map(|offset| offset as f64)),
    )?;
    out.gauge(
        "deliveryd_partition_stuck",
        "1 while the partition does not move until somebody acts.",
        each(|partition| Some(f64::from(u8::from(partition.stuck.is_some())))),
    )?;
    out.gauge(
        "deliveryd_partition_paused",
        "1 while the partition is paused by command.",
        each(|partition| Some(f64::from(u8::from(partition.paused)))),
    )
}

fn each_member(status: &Status) -> impl Iterator<Item = (&str, &MemberStatus)> {
    status
        .groups
        .iter()
        .flat_map(|(name, group): (&String, &GroupStatus)| {
            group
                .members
                .iter()
                .map(move |member| (name.as_str(), member))
        })
}

fn of_member(group: &str, member: &MemberStatus) -> Labels {
    vec![("group", group.to_owned()), ("member", member.name.clone())]
}

/// Writes families of gauges.
pub(super) struct Out<'a> {
    pub(super) encoder: DescriptorEncoder<'a>,
}

impl Out<'_> {
    /// One family. A label set that was written already is left out: while one member replaces
    /// another of its name there are two, and a scraper refuses a page with duplicates.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        let mut written = HashSet::new();
        for (labels, value) in series {
            let gauge = ConstGauge::new(value);
            if labels.is_empty() {
                return gauge.encode(metric);
            }
            if !written.contains(&labels) {
                gauge.encode(metric.encode_family(&labels)?)?;
                written.insert(labels);
            }
        }
        Ok(())
    }
}
