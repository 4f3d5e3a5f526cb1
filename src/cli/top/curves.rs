//! A group's throughput and lag over the last minutes: in a line, or with room to see their shape.

use ratatui::text::{Line, Span};

use super::draw::View;
use super::layout::{Piece, cut, flow};
use super::plot::{Plot, span};
use crate::cli::facts::{behind, lag, rate, took};
use crate::observe::history::{GroupSample, Sample};
use crate::observe::status::GroupStatus;

/// Rows of a curve.
const HIGH: usize = 3;
/// Below this width curves stand under one another.
const SIDE_BY_SIDE: usize = 70;

/// Throughput and lag of one group, by its samples.
fn plots(view: &View<'_>, name: &str) -> [(&'static str, String, Plot); 3] {
    let samples = &view.seen.samples;
    let of = |sample: &Sample| sample.groups.get(name).copied();
    let now = samples.last().and_then(of);
    let pace = Plot::rates(samples, |sample| Some(of(sample)?.handled));
    let lags = Plot::values(samples, |sample| Some(of(sample)?.lag? as f64));
    let ages = Plot::values(samples, |sample| of(sample)?.lag_seconds);
    [
        ("messages/s", pace.now().map_or("?".to_owned(), rate), pace),
        ("lag", lag(now.and_then(|now| now.lag)), lags),
        ("behind", behind(now.and_then(|now| now.lag_seconds)), ages),
    ]
}

/// One line, or some where it is narrow: the numbers of now, each with its curve.
pub fn sparks(view: &View<'_>, name: &str, group: &GroupStatus) -> Vec<Line<'static>> {
    let theme = view.theme();
    let mut plots = plots(view, name);
    // The numbers are those of the status, which is newer than the last sample.
    let now = GroupSample::of(group);
    plots[1].1 = lag(now.lag);
    plots[2].1 = behind(now.lag_seconds);
    let labels = plots
        .each_ref()
        .map(|(label, now, _)| format!("{label} {now} "));
    let used: usize = labels
        .iter()
        .map(|label| Span::raw(label.as_str()).width())
        .sum();
    let side_by_side = view.room >= SIDE_BY_SIDE;
    let wide = |label: &str| match side_by_side {
        true => view.room.saturating_sub(used + 6) / 3,
        false => view.room.saturating_sub(Span::raw(label).width()),
    };
    let end = view.seen.at.as_duration().as_secs_f64();
    let span = span(&view.seen.samples);
    let pieces = plots.iter().zip(&labels).map(|((_, _, plot), label)| {
        let curve = plot.draw(end, span, wide(label), 1).concat();
        vec![
            Span::raw(label.clone()),
            Span::styled(curve, theme.accent()),
        ]
    });
    match side_by_side {
        true => flow(pieces.collect(), 3, 0, view.room),
        false => pieces.map(Line::from).collect(),
    }
}

/// The curves, with room to see their shape, on one axis of time with the rebalances.
pub fn curves(view: &View<'_>, name: &str) -> Vec<Line<'static>> {
    let theme = view.theme();
    let plots = plots(view, name);
    let end = view.seen.at.as_duration().as_secs_f64();
    let span = span(&view.seen.samples);
    let beside = if view.room >= SIDE_BY_SIDE {
        plots.len()
    } else {
        1
    };
    let wide = (view.room + 2) / beside - 2;
    let mut lines = Vec::new();
    for row in plots.chunks(beside) {
        let mut drawn: Vec<Piece> = vec![Vec::new(); HIGH + 2];
        for (label, now, plot) in row {
            let most = match *label {
                "behind" => behind(Some(plot.most())),
                "lag" => format!("{:.0}", plot.most()),
                _ => rate(plot.most()),
            };
            let mut texts = vec![cut(&format!("{label} {now}, most {most}"), wide)];
            texts.extend(plot.draw(end, span, wide, HIGH));
            let from = format!("{} ago", took(span));
            let fill = wide.saturating_sub(from.chars().count() + 3);
            texts.push(cut(&format!("{from}{}now", " ".repeat(fill)), wide));
            for (at, (line, text)) in drawn.iter_mut().zip(texts).enumerate() {
                if !line.is_empty() {
                    line.push("  ".into());
                }
                let style = match at {
                    0 => theme.plain(),
                    at if at <= HIGH => theme.accent(),
                    _ => theme.quiet(),
                };
                let fill = wide.saturating_sub(Span::raw(text.as_str()).width());
                line.push(Span::styled(format!("{text}{}", " ".repeat(fill)), style));
            }
        }
        lines.extend(drawn.into_iter().map(Line::from));
    }
    lines
}
