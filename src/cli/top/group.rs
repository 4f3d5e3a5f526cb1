//! One group: its picture, its curves, its rebalances, and everything in numbers.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::curves::curves;
use super::draw::View;
use super::layout::{Piece, flow, indented, width, wrapped};
use super::lists::section;
use super::members::{picture, state_style};
use super::mistake::mistake;
use super::plot::{span, strip};
use super::table::{Column, table};
use crate::cli::facts::{
    behind, counted, handler, held, idle, lag, member_lag, shares, took, word,
};
use crate::observe::status::{GroupStatus, MemberStatus, PartitionStatus, Rebalance};
use crate::observe::terminal::partitions;

/// The whole view.
pub fn lines(view: &View<'_>, name: &str, group: &GroupStatus) -> Vec<Line<'static>> {
    let theme = view.theme();
    let mut lines = heading(view, name, group);
    if let Some(error) = &group.handler.error {
        lines.extend(mistake(error, view.room, theme));
    }
    lines.extend(flow(numbers(view, group), 3, 0, view.room));
    lines.push(Line::default());
    lines.extend(picture(view, group));
    let stuck = group.members.iter().filter_map(|member| {
        let reason = member.reason.as_ref()?;
        Some((
            format!("{}: {reason}", member.name),
            state_style(member.state, theme),
        ))
    });
    for (text, style) in stuck {
        lines.extend(wrapped(&text, 2, view.room, style));
    }
    lines.push(Line::default());
    lines.extend(curves(view, name));
    lines.push(Line::default());
    lines.extend(rebalances(view, group));
    lines.push(section("members", theme));
    lines.extend(member_table(view, group));
    lines.push(Line::default());
    lines.push(section("partitions", theme));
    lines.extend(partition_table(view, group));
    lines
}

/// Its name, what it reads, who is in it, and its handler.
pub fn heading(view: &View<'_>, name: &str, group: &GroupStatus) -> Vec<Line<'static>> {
    let theme = view.theme();
    let mut members = counted(group.members.len(), "member");
    match idle(group) {
        0 => {}
        idle => members.push_str(&format!(", {idle} idle")),
    }
    if group.members.len() != group.members_wanted as usize {
        members.push_str(&format!(", {} wanted", group.members_wanted));
    }
    let file = group.handler.file.rsplit('/').next().unwrap_or_default();
    let style = match group.handler.error {
        Some(_) => theme.bad(),
        None => theme.quiet(),
    };
    let mut pieces: Vec<Piece> = vec![
        vec![Span::styled(name.to_owned(), theme.heading())],
        vec![Span::raw(group.topics.join(", "))],
        vec![Span::raw(members)],
    ];
    if group.paused {
        pieces.push(vec![Span::styled("paused", theme.warn())]);
    }
    pieces.push(vec![Span::styled(handler(group, file), style)]);
    flow(pieces, 3, 2, view.room)
}

/// What became of its messages.
pub fn numbers(view: &View<'_>, group: &GroupStatus) -> Vec<Piece> {
    let theme = view.theme();
    let totals = &group.totals;
    let all = [
        ("handled", totals.handled, theme.plain(), true),
        ("failed", totals.failed, theme.warn(), true),
        ("retried", totals.retried, theme.plain(), true),
        ("dead letters", totals.dead_lettered, theme.warn(), true),
        ("skipped", totals.skipped, theme.warn(), false),
        ("in flight", group.in_flight, theme.plain(), true),
        ("waiting for a retry", group.waiting, theme.warn(), false),
    ];
    let shown = all
        .into_iter()
        .filter(|(_, count, _, always)| *always || *count > 0);
    let piece = |(label, count, style, _): (&str, u64, Style, bool)| {
        let style = if count > 0 { style } else { theme.plain() };
        vec![
            Span::styled(format!("{label} "), theme.quiet()),
            Span::styled(count.to_string(), style),
        ]
    };
    shown.map(piece).collect()
}

/// How often, and the last one.
pub fn rebalances_line(view: &View<'_>, group: &GroupStatus) -> String {
    match group.rebalance_history.last() {
        None => format!("rebalances {}", group.rebalances),
        Some(last) => format!(
            "rebalances {}, the last at {} in {}",
            group.rebalances,
            view.clock(last.at),
            took(last.seconds)
        ),
    }
}

/// A line of time, and the list, the newest first.
fn rebalances(view: &View<'_>, group: &GroupStatus) -> Vec<Line<'static>> {
    const COLUMNS: [Column; 3] = [
        Column {
            head: "at",
            right: false,
            rank: 0,
        },
        Column {
            head: "took",
            right: true,
            rank: 0,
        },
        Column {
            head: "then",
            right: false,
            rank: 0,
        },
    ];
    let theme = view.theme();
    let history = &group.rebalance_history;
    let end = view.seen.at.as_duration().as_secs_f64();
    let events: Vec<(f64, f64)> = history
        .iter()
        .map(|one| (one.at.as_duration().as_secs_f64(), one.seconds))
        .collect();
    let span = span(&view.seen.samples);
    let title = format!("rebalances {}", group.rebalances);
    let line = strip(
        &events,
        end,
        span,
        view.room.saturating_sub(width(&[Span::raw(&*title)]) + 2),
    );
    let mut lines = vec![Line::from(vec![
        Span::styled(title, theme.heading()),
        Span::raw("  "),
        Span::styled(line, theme.accent()),
    ])];
    if history.is_empty() {
        lines.push(Line::default());
        return lines;
    }
    let row = |one: &Rebalance| {
        vec![
            Span::raw(view.clock(one.at)),
            Span::raw(took(one.seconds)),
            Span::raw(shares(&one.assignment).join(" · ")),
        ]
    };
    let rows = history.iter().rev().map(row).collect();
    lines.extend(table(&COLUMNS, rows, view.room, theme));
    lines.push(Line::default());
    lines
}

fn member_table(view: &View<'_>, group: &GroupStatus) -> Vec<Line<'static>> {
    const COLUMNS: [Column; 11] = [
        Column {
            head: "member",
            right: false,
            rank: 0,
        },
        Column {
            head: "state",
            right: false,
            rank: 1,
        },
        Column {
            head: "handled",
            right: true,
            rank: 2,
        },
        Column {
            head: "failed",
            right: true,
            rank: 5,
        },
        Column {
            head: "retried",
            right: true,
            rank: 6,
        },
        Column {
            head: "dead",
            right: true,
            rank: 4,
        },
        Column {
            head: "in flight",
            right: true,
            rank: 8,
        },
        Column {
            head: "lag",
            right: true,
            rank: 1,
        },
        Column {
            head: "behind",
            right: true,
            rank: 3,
        },
        Column {
            head: "version",
            right: false,
            rank: 9,
        },
        Column {
            head: "holds",
            right: false,
            rank: 0,
        },
    ];
    let named = group.topics.len() > 1;
    let row = |member: &MemberStatus| {
        let (lags, age) = member_lag(member);
        vec![
            Span::raw(member.name.clone()),
            Span::styled(word(&member.state), state_style(member.state, view.theme())),
            Span::raw(member.totals.handled.to_string()),
            Span::raw(member.totals.failed.to_string()),
            Span::raw(member.totals.retried.to_string()),
            Span::raw(member.totals.dead_lettered.to_string()),
            Span::raw(member.in_flight.to_string()),
            Span::raw(lags),
            Span::raw(age),
            Span::raw(member.handler_version.clone()),
            Span::raw(partitions(&held(member), named)),
        ]
    };
    let rows = group.members.iter().map(row).collect();
    table(&COLUMNS, rows, view.room, view.theme())
}

fn partition_table(view: &View<'_>, group: &GroupStatus) -> Vec<Line<'static>> {
    const COLUMNS: [Column; 8] = [
        Column {
            head: "partition",
            right: false,
            rank: 0,
        },
        Column {
            head: "member",
            right: false,
            rank: 0,
        },
        Column {
            head: "position",
            right: true,
            rank: 3,
        },
        Column {
            head: "committed",
            right: true,
            rank: 4,
        },
        Column {
            head: "lag",
            right: true,
            rank: 1,
        },
        Column {
            head: "behind",
            right: true,
            rank: 2,
        },
        Column {
            head: "waiting",
            right: true,
            rank: 5,
        },
        Column {
            head: "",
            right: false,
            rank: 0,
        },
    ];
    let theme = view.theme();
    let mut held: Vec<(&MemberStatus, &PartitionStatus)> = group
        .members
        .iter()
        .flat_map(|member| member.partitions.iter().map(move |held| (member, held)))
        .collect();
    held.sort_by(|(_, a), (_, b)| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    let row = |(member, held): (&MemberStatus, &PartitionStatus)| {
        let (note, style) = match &held.stuck {
            Some(reason) => (format!("stuck: {reason}"), theme.bad()),
            None if held.paused => ("paused".to_owned(), theme.warn()),
            None => (String::new(), theme.plain()),
        };
        let committed = held
            .committed
            .map_or("none".to_owned(), |at| at.to_string());
        vec![
            Span::raw(format!("{}/{}", held.topic, held.partition)),
            Span::raw(member.name.clone()),
            Span::raw(held.position.to_string()),
            Span::raw(committed),
            Span::raw(lag(held.lag)),
            Span::raw(behind(held.lag_seconds)),
            Span::raw(held.waiting.to_string()),
            Span::styled(note, style),
        ]
    };
    let rows: Vec<Vec<Span<'static>>> = held.into_iter().map(row).collect();
    if rows.is_empty() {
        return vec![indented(section("none is held here", theme), 2)];
    }
    table(&COLUMNS, rows, view.room, theme)
}
