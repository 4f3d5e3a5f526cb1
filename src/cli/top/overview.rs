//! The first view: everything at a glance.

use ratatui::text::{Line, Span};

use super::curves::sparks;
use super::draw::View;
use super::group::{heading, numbers, rebalances_line};
use super::layout::{Piece, flow, indented, wrapped};
use super::lists::{lesson_ticks, producers, reload_lines, section, topics_table};
use super::members::picture;
use super::mistake::mistake;
use super::model::Tab;
use crate::cli::facts::{counted, troubles};
use crate::observe::status::GroupStatus;

/// Of long lists, so many lines.
const TROUBLES: usize = 8;
const MEMBERS: usize = 4;
const ERROR: usize = 12;

pub fn lines(view: &View<'_>, tabs: &[Tab]) -> Vec<Line<'static>> {
    let mut lines = trouble_lines(view);
    for (name, group) in &view.status().groups {
        let number = tabs.iter().position(|tab| *tab == Tab::Group(name.clone()));
        lines.extend(group_lines(view, name, group, number));
        lines.push(Line::default());
    }
    let mut makers = producers(view, false);
    // The last empty line: what follows is as short.
    makers.pop();
    lines.extend(makers);
    if !view.status().topics.is_empty() {
        lines.extend(topics_table(view));
        lines.push(Line::default());
    }
    lines.extend(lesson_ticks(view));
    if let Some(last) = &view.status().last_reload {
        lines.push(Line::default());
        let shown: Vec<Line<'static>> = reload_lines(view, last).into_iter().take(3).collect();
        lines.extend(shown);
    }
    lines
}

/// What needs somebody, at the top.
fn trouble_lines(view: &View<'_>) -> Vec<Line<'static>> {
    let theme = view.theme();
    let troubles = troubles(view.status());
    let shown = troubles.iter().take(TROUBLES);
    let mut lines: Vec<Line<'static>> = shown
        .flat_map(|trouble| wrapped(&format!("! {trouble}"), 2, view.room, theme.bad()))
        .collect();
    let more = troubles.len().saturating_sub(TROUBLES);
    if more > 0 {
        lines.push(Line::styled(format!("! and {more} more"), theme.bad()));
    }
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    lines
}

fn group_lines(
    view: &View<'_>,
    name: &str,
    group: &GroupStatus,
    tab: Option<usize>,
) -> Vec<Line<'static>> {
    let theme = view.theme();
    let within = View {
        room: view.room.saturating_sub(2),
        ..*view
    };
    let mut lines = heading(view, name, group);
    let mut below = Vec::new();
    if let Some(error) = &group.handler.error {
        below.extend(mistake(error, within.room, theme).into_iter().take(ERROR));
    }
    let mut members = picture(&within, group);
    if members.len() > MEMBERS {
        members.truncate(MEMBERS);
        let all = counted(group.members.len(), "member");
        let key = match tab {
            Some(tab) if tab < 9 => format!("{} shows all", tab + 1),
            _ => "Tab leads to all".to_owned(),
        };
        members.push(section(&format!("… of {all}; {key}"), theme));
    }
    below.extend(members);
    below.extend(sparks(&within, name, group));
    let mut facts: Vec<Piece> = numbers(view, group);
    facts.push(vec![Span::raw(rebalances_line(view, group))]);
    below.extend(flow(facts, 3, 0, within.room));
    lines.extend(below.into_iter().map(|line| indented(line, 2)));
    lines
}
