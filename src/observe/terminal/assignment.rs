//! Which member of a group holds which partition, on one line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::duration;
use crate::observe::status::Assignment;

/// `group-1   0 → group-1-1   1 → group-1-2`: who begins with what.
///
/// The group's name is filled up to `width`, so that the lines of several groups stand under one
/// another. Topics are named where the group has several.
pub fn assignment(group: &str, width: usize, members: &Assignment) -> String {
    format!("{group:width$}{}", holders(members))
}

/// `group-1 rebalanced in 1.1 s   0 → group-1-1   …`: who holds what after a rebalance.
pub fn rebalanced(group: &str, took: Duration, members: &Assignment) -> String {
    format!(
        "{group} rebalanced in {}{}",
        duration(took),
        holders(members)
    )
}

/// `   0 → group-1-1   1 → group-1-2   idle: …`, each part after three spaces.
pub fn holders(members: &Assignment) -> String {
    let topics: BTreeSet<&String> = members.values().flat_map(BTreeMap::keys).collect();
    let named = topics.len() > 1;
    let mut holders: Vec<(&String, &BTreeMap<String, Vec<i32>>)> =
        members.iter().filter(|(_, held)| count(held) > 0).collect();
    // In the order of the partitions, as they are thought of.
    holders.sort_by_key(|(_, held)| first(held));
    let mut line = String::new();
    for (member, held) in &holders {
        line.push_str("   ");
        line.push_str(&partitions(held, named));
        line.push_str(" → ");
        line.push_str(member);
    }
    let mut idle: Vec<&String> = members
        .iter()
        .filter(|(_, held)| count(held) == 0)
        .map(|(member, _)| member)
        .collect();
    if idle.is_empty() {
        return line;
    }
    // `group-1-10` comes after `group-1-9`.
    idle.sort_by_key(|name| (name.len(), *name));
    let idle: Vec<&str> = idle.into_iter().map(String::as_str).collect();
    let total: usize = members.values().map(count).sum();
    line.push_str(&format!(
        "   idle: {} ({}, {})",
        idle.join(", "),
        counted(members.len(), "member"),
        counted(total, "partition")
    ));
    line
}

fn count(held: &BTreeMap<String, Vec<i32>>) -> usize {
    held.values().map(Vec::len).sum()
}

fn first(held: &BTreeMap<String, Vec<i32>>) -> Option<(&String, i32)> {
    held.iter()
        .find_map(|(topic, numbers)| Some((topic, *numbers.iter().min()?)))
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// `0-7,9`, or `Delivery/0-7 Orders/9` where topics are named.
pub fn partitions(held: &BTreeMap<String, Vec<i32>>, named: bool) -> String {
    let held = held.iter().filter(|(_, numbers)| !numbers.is_empty());
    let parts: Vec<String> = held
        .map(|(topic, numbers)| {
            if named {
                format!("{topic}/{}", ranges(numbers))
            } else {
                ranges(numbers)
            }
        })
        .collect();
    parts.join(" ")
}

/// `0-7,9`: three or more in a row are a range.
pub fn ranges(numbers: &[i32]) -> String {
    let sorted: BTreeSet<i32> = numbers.iter().copied().collect();
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for number in sorted {
        match runs.last_mut() {
            Some((_, end)) if number - *end == 1 => *end = number,
            _ => runs.push((number, number)),
        }
    }
    let runs: Vec<String> = runs
        .into_iter()
        .map(|(start, end)| match end - start {
            0 => start.to_string(),
            1 => format!("{start},{end}"),
            _ => format!("{start}-{end}"),
        })
        .collect();
    runs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Held<'a> = &'a [(&'a str, &'a [i32])];

    fn members(members: &[(&str, Held<'_>)]) -> Assignment {
        let held = |held: Held<'_>| {
            let held = held.iter();
            held.map(|(topic, numbers)| ((*topic).to_owned(), numbers.to_vec()))
                .collect()
        };
        members
            .iter()
            .map(|(member, partitions)| ((*member).to_owned(), held(partitions)))
            .collect()
    }

    /// At the start each group's line says who holds what; one topic need not be named.
    #[test]
    fn first_assignment_is_a_line() {
        let two = members(&[
            ("group-1-1", &[("Delivery", &[0])]),
            ("group-1-2", &[("Delivery", &[1])]),
        ]);
        assert_eq!(
            assignment("group-1", 7, &two),
            "group-1   0 → group-1-1   1 → group-1-2"
        );
        let one = members(&[("g2-1", &[("Delivery", &[1, 0])])]);
        assert_eq!(assignment("g2", 7, &one), "g2        0,1 → g2-1");
    }

    /// A spare member is named as idle, with the reason that the numbers are.
    #[test]
    fn spare_member_is_idle() {
        let three = members(&[
            ("group-1-1", &[("Delivery", &[0])]),
            ("group-1-2", &[("Delivery", &[1])]),
            ("group-1-3", &[]),
        ]);
        assert_eq!(
            rebalanced("group-1", Duration::from_millis(1100), &three),
            "group-1 rebalanced in 1.1 s   0 → group-1-1   1 → group-1-2   idle: group-1-3 (3 members, 2 partitions)"
        );
    }

    /// Other processes may hold everything; then all members here are idle.
    #[test]
    fn members_without_any_partition_are_all_idle() {
        let names = ["g-10", "g-9"];
        let all = members(&[(names[0], &[]), (names[1], &[("Delivery", &[])])]);
        assert_eq!(
            assignment("g", 1, &all),
            "g   idle: g-9, g-10 (2 members, 0 partitions)"
        );
    }

    /// Many partitions are ranges, several topics are named, members come in partition order.
    #[test]
    fn many_partitions_and_topics_stay_readable() {
        let many = members(&[
            ("g-1", &[("Delivery", &[9, 7, 6, 5, 4, 3, 2, 1, 0])]),
            ("g-2", &[("Delivery", &[8]), ("Orders", &[0, 1])]),
        ]);
        assert_eq!(
            assignment("g", 1, &many),
            "g   Delivery/0-7,9 → g-1   Delivery/8 Orders/0,1 → g-2"
        );
        let swapped = members(&[("g-1", &[("D", &[1])]), ("g-2", &[("D", &[0])])]);
        assert_eq!(assignment("g", 1, &swapped), "g   0 → g-2   1 → g-1");
    }
}
