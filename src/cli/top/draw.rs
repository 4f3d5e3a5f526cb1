//! The picture: what is known in, a buffer out.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout::{Piece, cut, fit, width};
use super::model::{Link, Model, Seen, Tab};
use super::theme::Theme;
use super::{group, lists, overview};
use crate::cli::facts::{age, word};
use crate::observe::status::{BrokerState, DaemonState, Status};

/// A daemon that answers is asked again within this.
const SILENCE: Duration = Duration::from_secs(4);
/// Times that are older are told with their day.
const TODAY: Duration = Duration::from_secs(20 * 3600);

/// What does not change: how things look and where the clock is.
#[derive(Debug, Clone)]
pub struct Look {
    pub theme: Theme,
    pub zone: TimeZone,
}

/// What a view is made of.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub seen: &'a Seen,
    pub look: &'a Look,
    /// Columns that there are.
    pub room: usize,
}

impl View<'_> {
    pub fn theme(&self) -> Theme {
        self.look.theme
    }

    pub fn status(&self) -> &Status {
        &self.seen.status
    }

    /// A time of today as a clock shows it.
    pub fn clock(&self, at: Timestamp) -> String {
        self.look.clock(at, self.seen.at)
    }
}

impl Look {
    fn clock(&self, at: Timestamp, now: Timestamp) -> String {
        let old = now.duration_since(at).unsigned_abs() > TODAY;
        let form = if old { "%Y-%m-%d %H:%M" } else { "%H:%M:%S" };
        at.to_zoned_datetime(self.zone.clone())
            .strftime(form)
            .to_string()
    }
}

/// Draws everything, and notes in the model how much of it fitted.
pub fn draw(model: &mut Model, look: &Look, now: Timestamp, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let view = View {
        seen: model.seen(),
        look,
        room,
    };
    let mut top = vec![header(&view, now), tabs(model, look, room)];
    if height >= 30 {
        top.push(Line::styled("─".repeat(room), look.theme.quiet()));
    }
    let page = height.saturating_sub(top.len() + 1);
    let body = body(model, &view);
    let furthest = body.len().saturating_sub(page);
    let scroll = model.scroll.min(furthest);
    let footer = footer(model, &view, now, scroll, page, body.len());
    let shown = body.into_iter().skip(scroll).take(page);
    let lines = top.into_iter().chain(shown);
    for (line, y) in lines.zip(area.top()..area.bottom().saturating_sub(1)) {
        put(buffer, area, y, &line);
    }
    if let Some(y) = area.bottom().checked_sub(1).filter(|y| *y >= area.top()) {
        put(buffer, area, y, &footer);
    }
    (model.page, model.furthest, model.scroll) = (page.max(1), furthest, scroll);
}

fn put(buffer: &mut Buffer, area: Rect, y: u16, line: &Line<'_>) {
    let whole = Rect {
        y,
        height: 1,
        ..area
    };
    buffer.set_style(whole, line.style);
    buffer.set_line(area.x, y, line, area.width);
}

fn body(model: &Model, view: &View<'_>) -> Vec<Line<'static>> {
    if model.help {
        return lists::help(view);
    }
    match &model.tab {
        Tab::All => overview::lines(view, &model.tabs()),
        Tab::Group(name) => match view.status().groups.get(name) {
            Some(group) => group::lines(view, name, group),
            None => Vec::new(),
        },
        Tab::Topics => lists::topics(view),
        Tab::Reloads => lists::reloads(view),
        Tab::Lessons => lists::lessons(view),
    }
}

/// Who it is and how it is, as far as there is room.
fn header(view: &View<'_>, now: Timestamp) -> Line<'static> {
    let (status, theme) = (view.status(), view.theme());
    let running = now.duration_since(status.started_at);
    let running = Duration::try_from(running).unwrap_or_default();
    let state = match status.state {
        DaemonState::Running => theme.good(),
        DaemonState::WaitingForBroker => theme.bad(),
        DaemonState::Starting | DaemonState::Reloading | DaemonState::Stopping => theme.warn(),
    };
    let cluster = match status.brokers.state {
        BrokerState::Down => theme.bad(),
        BrokerState::Unknown | BrokerState::Up => theme.plain(),
    };
    // Why it is down stands among what needs somebody.
    let servers = match status.brokers.embedded {
        true => "embedded broker",
        false => &status.brokers.servers,
    };
    let generation = status.generation;
    let pieces: [(String, Style); 6] = [
        (status.instance.clone(), theme.heading()),
        (word(&status.state), state),
        (format!("generation {generation}"), theme.plain()),
        (format!("for {}", age(running)), theme.plain()),
        (
            format!("{servers} {}", word(&status.brokers.state)),
            cluster,
        ),
        (format!("deliveryd {}", status.version), theme.quiet()),
    ];
    let pieces = pieces.map(|(text, style)| vec![Span::styled(text, style)]);
    fit(pieces.into(), 3, view.room)
}

/// ` 1 all  2 group-1 …`, so that the one that is shown has room.
fn tabs(model: &Model, look: &Look, room: usize) -> Line<'static> {
    let theme = look.theme;
    let tabs = model.tabs();
    let chosen = tabs.iter().position(|tab| *tab == model.tab).unwrap_or(0);
    let label = |(at, tab): (usize, &Tab)| {
        let name = match tab {
            Tab::All => "all",
            Tab::Group(name) => name,
            Tab::Topics => "topics",
            Tab::Reloads => "reloads",
            Tab::Lessons => "lessons",
        };
        let style = match at == chosen {
            true => theme.marked(),
            false => theme.plain(),
        };
        let number = if at < 9 {
            format!("{} ", at + 1)
        } else {
            String::new()
        };
        vec![Span::styled(
            format!(" {number}{} ", cut(name, room / 2)),
            style,
        )]
    };
    let mut labels: Vec<Piece> = tabs.iter().enumerate().map(label).collect();
    // As many before the chosen one as there is room for.
    let mut first = chosen;
    let mut used = width(&labels[chosen]);
    while first > 0 && used + width(&labels[first - 1]) < room.saturating_sub(1) {
        first -= 1;
        used += width(&labels[first]);
    }
    let shown = labels.split_off(first);
    let more = if first > 0 { "‹" } else { "" };
    let mut line = vec![Span::styled(more, theme.quiet())];
    let left = room.saturating_sub(width(&line));
    let all = shown.iter().map(|piece| width(piece)).sum::<usize>() <= left;
    line.extend(fit(shown, 0, left.saturating_sub(usize::from(!all))).spans);
    if !all {
        line.push(Span::styled("›", theme.quiet()));
    }
    line.into()
}

/// The last line: what is wrong with what is shown, or which keys there are; and where in it we are.
fn footer(
    model: &Model,
    view: &View<'_>,
    now: Timestamp,
    scroll: usize,
    page: usize,
    lines: usize,
) -> Line<'static> {
    let theme = view.theme();
    let clock = |at| view.look.clock(at, now);
    let silent = |at: Timestamp| now.duration_since(at).unsigned_abs() > SILENCE;
    let (text, style) = match &model.link {
        Link::Down { since, why } => (
            format!(
                "no answer since {}, trying again; what is shown is old: {why}",
                clock(*since)
            ),
            theme.alarm(),
        ),
        Link::Up(at) if silent(*at) => (
            format!(
                "no answer since {}, waiting; what is shown is old",
                clock(*at)
            ),
            theme.alarm(),
        ),
        Link::Up(_) if model.is_paused() => (
            format!("display paused at {}; p goes on", clock(model.seen().at)),
            theme.warn(),
        ),
        Link::Up(_) => (
            "q quit  Tab view  ↑↓ scroll  p pause  ? help".to_owned(),
            theme.quiet(),
        ),
    };
    let place = match lines > page {
        true => format!(" {}-{} of {lines}", scroll + 1, (scroll + page).min(lines)),
        false => String::new(),
    };
    let left = view.room.saturating_sub(place.chars().count());
    let text = cut(&text, left);
    let fill = " ".repeat(left.saturating_sub(Span::raw(text.as_str()).width()));
    Line::styled(format!("{text}{fill}{place}"), style)
}
