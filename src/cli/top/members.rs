//! The picture of a group: its members, each with the partitions that it holds.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::View;
use super::layout::Piece;
use super::table::{Cell, grid};
use super::theme::Theme;
use crate::cli::facts::{elsewhere, word};
use crate::observe::status::{Assignment, GroupStatus, MemberState, MemberStatus, PartitionStatus};
use crate::observe::terminal::ranges;

/// A partition that has moved is marked for so long.
const FRESH: Duration = Duration::from_secs(15);
/// With more partitions than this on one member, those that have nothing to tell become ranges.
const SINGLE: usize = 12;
/// Commas in the text of one range.
const RUNS: usize = 5;
/// A partition that is further behind is marked, as on the status page.
const LAGGING: f64 = 5.0;

/// Each member with its partitions, side by side; at the end what nobody here holds.
pub fn picture(view: &View<'_>, group: &GroupStatus) -> Vec<Line<'static>> {
    let theme = view.theme();
    let moved = moved(group, view.seen.at);
    let named = group.topics.len() > 1;
    let cell = |member: &MemberStatus| Cell {
        name: vec![Span::styled(member.name.clone(), theme.plain())],
        pieces: pieces(member, &moved, named, theme),
    };
    let mut cells: Vec<Cell> = group.members.iter().map(cell).collect();
    let away = elsewhere(view.status(), group);
    if !away.is_empty() {
        let chips = away.iter().map(|(topic, numbers)| {
            vec![Span::styled(
                chip(topic, &ranges(numbers), "", named),
                theme.quiet(),
            )]
        });
        cells.push(Cell {
            name: vec![Span::styled("nobody here", theme.quiet())],
            pieces: chips.collect(),
        });
    }
    grid(cells, view.room)
}

fn pieces(
    member: &MemberStatus,
    moved: &BTreeSet<(String, i32)>,
    named: bool,
    theme: Theme,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if member.state != MemberState::Running {
        let style = state_style(member.state, theme);
        pieces.push(vec![Span::styled(word(&member.state), style)]);
    }
    let many = member.partitions.len() > SINGLE;
    let mut plain: Vec<&PartitionStatus> = Vec::new();
    for held in &member.partitions {
        let fresh = moved.contains(&(held.topic.clone(), held.partition));
        let (mark, style) = look(held, fresh, theme);
        if many && mark.is_empty() && !fresh {
            plain.push(held);
            continue;
        }
        let text = chip(&held.topic, &held.partition.to_string(), mark, named);
        pieces.push(vec![Span::styled(text, style)]);
    }
    let topics: BTreeSet<&str> = plain.iter().map(|held| held.topic.as_str()).collect();
    for topic in topics {
        let of_topic = plain.iter().filter(|held| held.topic == topic);
        let numbers: Vec<i32> = of_topic.map(|held| held.partition).collect();
        let mut texts = vec![ranges(&numbers)];
        // Every third partition, say, makes no ranges.
        if texts[0].matches(',').count() > RUNS {
            texts = numbers.iter().map(i32::to_string).collect();
        }
        let chips = texts.iter().map(|text| chip(topic, text, "", named));
        pieces.extend(chips.map(|text| vec![Span::styled(text, theme.accent())]));
    }
    pieces
}

/// `[0]`, `[Delivery/0!]`.
fn chip(topic: &str, numbers: &str, mark: &str, named: bool) -> String {
    match named {
        true => format!("[{topic}/{numbers}{mark}]"),
        false => format!("[{numbers}{mark}]"),
    }
}

/// A sign for what does not depend on colour, and the colour.
fn look(held: &PartitionStatus, fresh: bool, theme: Theme) -> (&'static str, Style) {
    match held {
        held if held.stuck.is_some() => ("!", theme.bad()),
        held if held.paused => ("‖", theme.warn()),
        _ if fresh => ("", theme.marked()),
        held if held.lag_seconds > Some(LAGGING) => ("", theme.warn()),
        _ => ("", theme.accent()),
    }
}

/// How a member's state is shown.
pub fn state_style(state: MemberState, theme: Theme) -> Style {
    match state {
        MemberState::Running => theme.good(),
        MemberState::Idle => theme.quiet(),
        MemberState::Stuck | MemberState::Stopped | MemberState::WaitingForBroker => theme.bad(),
        MemberState::Starting
        | MemberState::Joining
        | MemberState::Paused
        | MemberState::Draining => theme.warn(),
    }
}

/// The partitions that came to another member in a rebalance which is not long ago.
fn moved(group: &GroupStatus, now: Timestamp) -> BTreeSet<(String, i32)> {
    let [.., before, last] = group.rebalance_history.as_slice() else {
        return BTreeSet::new();
    };
    if now.duration_since(last.at).unsigned_abs() > FRESH {
        return BTreeSet::new();
    }
    let holders = |assignment: &Assignment| {
        let mut holders = BTreeSet::new();
        for (member, topics) in assignment {
            for (topic, numbers) in topics {
                let held = numbers
                    .iter()
                    .map(|number| (topic.clone(), *number, member.clone()));
                holders.extend(held);
            }
        }
        holders
    };
    let (before, last) = (holders(&before.assignment), holders(&last.assignment));
    last.difference(&before)
        .map(|(topic, number, _)| (topic.clone(), *number))
        .collect()
}
