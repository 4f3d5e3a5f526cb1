//! `/api/status` as the tests read it.

use serde_json::Value;

/// One answer of `/api/status`.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

/// A member in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub state: String,
    /// (topic, partition), sorted.
    pub partitions: Vec<(String, i64)>,
}

impl Status {
    /// The value at a JSON pointer such as `/last_reload/ok`; null where there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A number at a JSON pointer; zero where there is none.
    pub fn number(&self, pointer: &str) -> u64 {
        self.at(pointer).as_u64().unwrap_or_default()
    }

    pub fn state(&self) -> &str {
        self.at("/state").as_str().unwrap_or_default()
    }

    pub fn generation(&self) -> u64 {
        self.number("/generation")
    }

    /// One group's object.
    pub fn group(&self, group: &str) -> &Value {
        self.0
            .get("groups")
            .and_then(|all| all.get(group))
            .unwrap_or(&Value::Null)
    }

    /// One of a group's counters: `handled`, `failed`, `retried`, `dead_lettered`, `rebalances`.
    pub fn counter(&self, group: &str, name: &str) -> u64 {
        self.group(group)[name].as_u64().unwrap_or_default()
    }

    pub fn handled(&self, group: &str) -> u64 {
        self.counter(group, "handled")
    }

    /// The group's members in this process.
    pub fn members(&self, group: &str) -> Vec<Member> {
        let members = self.group(group)["members"].as_array();
        members.into_iter().flatten().map(member).collect()
    }

    /// (topic, partition) of all the group's members here, sorted; one that two claim stands twice.
    pub fn assigned(&self, group: &str) -> Vec<(String, i64)> {
        let members = self.members(group);
        let mut all: Vec<_> = members.into_iter().flat_map(|m| m.partitions).collect();
        all.sort();
        all
    }

    /// How many partitions each member holds, sorted.
    pub fn shares(&self, group: &str) -> Vec<usize> {
        let members = self.members(group);
        let mut shares: Vec<usize> = members.iter().map(|m| m.partitions.len()).collect();
        shares.sort_unstable();
        shares
    }

    /// Whether the last rebalance that was counted ended with what the members hold now.
    pub fn has_settled(&self, group: &str) -> bool {
        let history = self.group(group)["rebalance_history"].as_array();
        let Some(last) = history.and_then(|history| history.last()) else {
            return false;
        };
        self.members(group).iter().all(|member| {
            let topics = last["assignment"][member.name.as_str()].as_object();
            let numbers = topics.into_iter().flat_map(|topics| topics.values());
            let held = numbers
                .filter_map(Value::as_array)
                .map(Vec::len)
                .sum::<usize>();
            held == member.partitions.len()
        })
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

fn member(value: &Value) -> Member {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let partitions = value["partitions"].as_array().into_iter().flatten();
    let mut partitions: Vec<(String, i64)> = partitions
        .map(|each| {
            let topic = each["topic"].as_str().unwrap_or_default().to_owned();
            (topic, each["partition"].as_i64().unwrap_or(-1))
        })
        .collect();
    partitions.sort();
    Member {
        name: text("name"),
        state: text("state"),
        partitions,
    }
}
