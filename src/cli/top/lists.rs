//! Topics, producers, reloads, lessons, and the help.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use super::draw::View;
use super::layout::{Piece, flow, indented, wrapped};
use super::mistake::mistake;
use super::plot::{Plot, span};
use super::table::{Column, table};
use super::theme::Theme;
use crate::cli::facts::{rate, took, wanted_rate, word};
use crate::observe::lessons::LESSONS;
use crate::observe::status::{GroupStatus, ProducerState, ProducerStatus, Reload, Status};

/// A quiet title.
pub fn section(title: &str, theme: Theme) -> Line<'static> {
    Line::styled(title.to_owned(), theme.heading())
}

/// Each topic with its partitions: who holds which, in each group. And the producers.
pub fn topics(view: &View<'_>) -> Vec<Line<'static>> {
    let mut lines = producers(view, true);
    lines.extend(topics_table(view));
    for (name, topic) in &view.status().topics {
        lines.push(Line::default());
        lines.push(section(name, view.theme()));
        lines.extend(holders_table(view, name, topic.partitions));
    }
    lines
}

/// One line a topic.
pub fn topics_table(view: &View<'_>) -> Vec<Line<'static>> {
    const COLUMNS: [Column; 4] = [
        Column {
            head: "topic",
            right: false,
            rank: 0,
        },
        Column {
            head: "partitions",
            right: true,
            rank: 0,
        },
        Column {
            head: "replication",
            right: true,
            rank: 1,
        },
        Column {
            head: "",
            right: false,
            rank: 0,
        },
    ];
    let rows = view.status().topics.iter().map(|(name, topic)| {
        vec![
            Span::raw(name.clone()),
            Span::raw(topic.partitions.to_string()),
            Span::raw(topic.replication.to_string()),
            Span::styled(
                topic.mismatch.clone().unwrap_or_default(),
                view.theme().bad(),
            ),
        ]
    });
    table(&COLUMNS, rows.collect(), view.room, view.theme())
}

/// A row for each partition, with the member that holds it in each group that reads the topic.
fn holders_table(view: &View<'_>, topic: &str, partitions: i32) -> Vec<Line<'static>> {
    let theme = view.theme();
    let holders = holders(view.status(), topic);
    if holders.is_empty() {
        return vec![Line::styled("no group reads it here", theme.quiet())];
    }
    let line = |number: i32| {
        let mut pieces: Vec<Piece> = vec![vec![Span::raw(format!("{number:>4}"))]];
        for (group, held) in &holders {
            let piece = match held.get(&number) {
                Some(member) => Span::styled((*member).to_owned(), theme.accent()),
                None => Span::styled(format!("{group}: nobody here"), theme.quiet()),
            };
            pieces.push(vec![piece]);
        }
        let lines = flow(pieces, 3, 7, view.room);
        lines.into_iter()
    };
    (0..partitions).flat_map(line).collect()
}

/// By group that reads the topic, and by partition: who holds it.
fn holders<'a>(status: &'a Status, topic: &str) -> BTreeMap<&'a str, BTreeMap<i32, &'a str>> {
    let readers = status.groups.iter();
    let readers = readers.filter(|(_, group)| group.topics.iter().any(|read| read == topic));
    let of = |(name, group): (&'a String, &'a GroupStatus)| {
        let mut held = BTreeMap::new();
        for member in &group.members {
            let here = member.partitions.iter().filter(|held| held.topic == topic);
            held.extend(here.map(|it| (it.partition, member.name.as_str())));
        }
        (name.as_str(), held)
    };
    readers.map(of).collect()
}

/// Each producer, with its curve; `whole` with all of a refused handler's mistake.
pub fn producers(view: &View<'_>, whole: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (name, producer) in &view.status().producers {
        lines.extend(producer_lines(view, name, producer, whole));
        lines.push(Line::default());
    }
    lines
}

fn producer_lines(
    view: &View<'_>,
    name: &str,
    producer: &ProducerStatus,
    whole: bool,
) -> Vec<Line<'static>> {
    let theme = view.theme();
    let samples = &view.seen.samples;
    let plot = Plot::rates(samples, |sample| Some(sample.producers.get(name)?.produced));
    let style = match producer.state {
        ProducerState::Running | ProducerState::Finished => theme.good(),
        ProducerState::Stopped | ProducerState::WaitingForBroker => theme.bad(),
        ProducerState::Starting | ProducerState::Paused => theme.warn(),
    };
    let file = producer.handler.file.rsplit('/').next().unwrap_or_default();
    let pieces: Vec<Piece> = vec![
        vec![
            Span::styled(name.to_owned(), theme.heading()),
            Span::raw(format!(" → {}", producer.topic)),
        ],
        vec![Span::raw(wanted_rate(producer.rate))],
        vec![Span::styled(word(&producer.state), style)],
        vec![Span::raw(format!("produced {}", producer.produced))],
        match producer.failed {
            0 => Vec::new(),
            failed => vec![Span::styled(format!("failed {failed}"), theme.warn())],
        },
        vec![Span::styled(
            format!("{file}, version {}", producer.handler.version),
            theme.quiet(),
        )],
    ];
    let mut lines = flow(pieces, 3, 2, view.room);
    let label = format!("  messages/s {} ", plot.now().map_or("?".to_owned(), rate));
    let end = view.seen.at.as_duration().as_secs_f64();
    let wide = view.room.saturating_sub(label.chars().count()).min(60);
    let curve = plot.draw(end, span(samples), wide, 1).concat();
    lines.push(vec![Span::raw(label), Span::styled(curve, theme.accent())].into());
    if let Some(reason) = &producer.reason {
        let text = wrapped(reason, 0, view.room.saturating_sub(2), theme.bad());
        lines.extend(text.into_iter().map(|line| indented(line, 2)));
    }
    if let Some(error) = producer.handler.error.as_ref().filter(|_| whole) {
        lines.extend(mistake(error, view.room, theme));
    }
    lines
}

/// All reloads that are remembered, the newest first.
pub fn reloads(view: &View<'_>) -> Vec<Line<'static>> {
    let reloads = &view.status().reloads;
    if reloads.is_empty() {
        let text = "None yet: generation 1 is that of the start.";
        return vec![Line::styled(text, view.theme().quiet())];
    }
    let mut lines = Vec::new();
    for reload in reloads.iter().rev() {
        lines.extend(reload_lines(view, reload));
        lines.push(Line::default());
    }
    lines
}

/// A reload's result: one line, and below it what was done, or why nothing was.
pub fn reload_lines(view: &View<'_>, reload: &Reload) -> Vec<Line<'static>> {
    let theme = view.theme();
    let result = match reload.ok {
        true => Span::styled(format!("in {}", took(reload.seconds)), theme.good()),
        false => Span::styled("refused", theme.bad()),
    };
    let by = match reload.by.is_empty() {
        true => Vec::new(),
        false => vec![Span::styled(format!("by {}", reload.by), theme.quiet())],
    };
    let pieces = vec![
        vec![Span::styled(
            format!("reload {}", reload.generation),
            theme.heading(),
        )],
        vec![Span::raw(view.clock(reload.at))],
        vec![result],
        by,
    ];
    let mut lines = flow(pieces, 3, 2, view.room);
    let room = view.room.saturating_sub(2);
    let text = reload.summary.join("\n");
    let below = match reload.ok {
        true => text
            .lines()
            .flat_map(|line| wrapped(line, 2, room, theme.plain()))
            .collect(),
        false => mistake(&text, room, theme),
    };
    lines.extend(below.into_iter().map(|line| indented(line, 2)));
    lines
}

/// The five lessons with what shows each.
pub fn lessons(view: &View<'_>) -> Vec<Line<'static>> {
    let theme = view.theme();
    let mut lines = Vec::new();
    for lesson in LESSONS {
        let seen = (lesson.seen)(&view.status().lessons);
        let (tick, style, below) = match seen {
            Some(at) => ("✓", theme.good(), format!("Seen at {}.", view.clock(at))),
            None => ("○", theme.plain(), format!("To see it: {}", lesson.action)),
        };
        lines.extend(wrapped(
            &format!("{tick} {}", lesson.title),
            2,
            view.room,
            style,
        ));
        let below = wrapped(&below, 0, view.room.saturating_sub(2), theme.quiet());
        lines.extend(below.into_iter().map(|line| indented(line, 2)));
        lines.push(Line::default());
    }
    lines
}

/// One line for all five.
pub fn lesson_ticks(view: &View<'_>) -> Vec<Line<'static>> {
    const SHORT: [&str; 5] = [
        "independent groups",
        "shared partitions",
        "idle spare",
        "rebalancing",
        "own offsets",
    ];
    let theme = view.theme();
    let lessons = &view.status().lessons;
    let title = vec![Span::styled("lessons", theme.heading())];
    let ticks = LESSONS
        .iter()
        .zip(SHORT)
        .map(|(lesson, short)| match (lesson.seen)(lessons) {
            Some(_) => vec![Span::styled(format!("✓ {short}"), theme.good())],
            None => vec![Span::raw(format!("○ {short}"))],
        });
    let pieces = std::iter::once(title).chain(ticks).collect();
    flow(pieces, 3, 2, view.room)
}

/// The keys.
pub fn help(view: &View<'_>) -> Vec<Line<'static>> {
    const KEYS: [(&str, &str); 9] = [
        ("1 … 9", "a view: all, each group, topics, reloads, lessons"),
        ("Tab, ← →, h l", "the next view, the one before"),
        ("↑ ↓, j k", "a line up or down"),
        ("PgUp PgDn, Space", "a page"),
        ("Home End, g G", "the first line, the last"),
        (
            "p",
            "stop the display, and let it go on; the daemon goes on all the time",
        ),
        ("?", "this help; any view leaves it"),
        ("q, Esc, Ctrl-C", "quit"),
        (
            "[3] [3!] [3‖]",
            "a partition, one that is stuck, one that is paused; reversed: it has just moved",
        ),
    ];
    let columns = [
        Column {
            head: "key",
            right: false,
            rank: 0,
        },
        Column {
            head: "",
            right: false,
            rank: 0,
        },
    ];
    let rows = KEYS
        .iter()
        .map(|(key, what)| vec![Span::raw(*key), Span::raw(*what)])
        .collect();
    let mut lines = table(&columns, rows, view.room, view.theme());
    lines.push(Line::default());
    let more = "Curves show up to ten minutes, the newest at the right. deliveryd status prints the same once.";
    lines.extend(wrapped(more, 0, view.room, view.theme().quiet()));
    lines
}
