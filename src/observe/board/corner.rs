//! A corner of the board: what one loop publishes, and what a group gathers of its members.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::lock;
use crate::observe::pulse::Pulse;
use crate::observe::status::{
    GroupStatus, HandlerStatus, MemberStatus, ProducerStatus, Rebalance, Totals,
};

/// What one loop publishes.
#[derive(Debug)]
pub(super) struct Corner<T> {
    pub status: Mutex<T>,
    pub pulse: Pulse,
}

/// What the config says of a group, and its handler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupInfo {
    pub topics: Vec<String>,
    pub members_wanted: u32,
    pub handler: HandlerStatus,
    pub paused: bool,
}

#[derive(Debug, Default)]
pub(super) struct GroupCorner {
    pub info: GroupInfo,
    pub continues: bool,
    pub rebalances: u64,
    pub history: VecDeque<Rebalance>,
    /// By number, so that `group-1-10` follows `group-1-9`; two of one number while one replaces
    /// the other.
    pub members: Vec<(u32, Arc<Corner<MemberStatus>>)>,
}

impl GroupCorner {
    pub fn snapshot(&self, now: Instant, left: Option<&BTreeMap<String, Totals>>) -> GroupStatus {
        let members: Vec<MemberStatus> = self
            .members
            .iter()
            .map(|(_, member)| member.snapshot(now))
            .collect();
        let mut totals = Totals::default();
        for counted in left.into_iter().flat_map(BTreeMap::values) {
            totals += *counted;
        }
        for member in &members {
            totals += member.totals;
        }
        GroupStatus {
            topics: self.info.topics.clone(),
            handler: self.info.handler.clone(),
            totals,
            in_flight: members.iter().map(|member| member.in_flight).sum(),
            waiting: members.iter().map(|member| member.waiting).sum(),
            paused: self.info.paused,
            continues: self.continues,
            rebalances: self.rebalances,
            rebalance_history: self.history.iter().cloned().collect(),
            members_wanted: self.info.members_wanted,
            members,
        }
    }
}

impl Corner<MemberStatus> {
    pub fn snapshot(&self, now: Instant) -> MemberStatus {
        let mut status = lock(&self.status).clone();
        status.silent_seconds = self.pulse.silent_for(now).as_secs_f64();
        status
    }
}

impl Corner<ProducerStatus> {
    pub fn snapshot(&self, now: Instant) -> ProducerStatus {
        let mut status = lock(&self.status).clone();
        status.silent_seconds = self.pulse.silent_for(now).as_secs_f64();
        status
    }
}
