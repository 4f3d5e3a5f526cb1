//! Curves of the last minutes, in blocks of eighths.

use std::collections::BTreeMap;

use crate::observe::history::Sample;

/// At least this much is shown, so that a new daemon's curve does not jump about.
const LEAST: f64 = 60.0;
/// One block, by how much of it is filled.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A value at a time, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at: f64,
    pub value: f64,
}

/// What is drawn of a series of points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plot {
    pub points: Vec<Point>,
}

impl Plot {
    /// A counter's rate per second, between neighbours. One that is smaller than before began anew.
    pub fn rates(samples: &[Sample], counter: impl Fn(&Sample) -> Option<u64>) -> Self {
        let pairs = samples.windows(2).filter_map(|pair| {
            let (before, now) = (counter(&pair[0])?, counter(&pair[1])?);
            let span = pair[1].at - pair[0].at;
            (span > 0.0).then(|| Point {
                at: pair[1].at,
                value: now.saturating_sub(before) as f64 / span,
            })
        });
        Self {
            points: pairs.collect(),
        }
    }

    /// A value as it is, where it is known.
    pub fn values(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Self {
        let known = samples.iter().filter_map(|sample| {
            let value = value(sample)?;
            Some(Point {
                at: sample.at,
                value,
            })
        });
        Self {
            points: known.collect(),
        }
    }

    /// The largest value.
    pub fn most(&self) -> f64 {
        self.points
            .iter()
            .map(|point| point.value)
            .fold(0.0, f64::max)
    }

    /// The newest value.
    pub fn now(&self) -> Option<f64> {
        self.points.last().map(|point| point.value)
    }

    /// The picture, from top to bottom, up to the time `end`; nothing stands where nothing is known.
    pub fn draw(&self, end: f64, span: f64, width: usize, height: usize) -> Vec<String> {
        let most = self.most();
        let steps = (8 * height).saturating_sub(1) as f64;
        let level = |value: f64| match most > 0.0 {
            // Zero is a line at the ground: it is known.
            true => 1 + (value / most * steps).round() as usize,
            false => 1,
        };
        let columns: Vec<usize> = self
            .columns(end, span, width)
            .into_iter()
            .map(|value| value.map_or(0, level))
            .collect();
        let row = |above: usize| {
            let blocks = columns
                .iter()
                .map(|level| EIGHTHS[level.saturating_sub(above * 8).min(8)]);
            blocks.collect()
        };
        (0..height).rev().map(row).collect()
    }

    /// One value for each column: the largest in it; where none is, the one before.
    fn columns(&self, end: f64, span: f64, width: usize) -> Vec<Option<f64>> {
        let mut filled: BTreeMap<usize, f64> = BTreeMap::new();
        for point in &self.points {
            let at = (point.at - (end - span)) / span * width as f64;
            if at < 0.0 || width == 0 {
                continue;
            }
            let column = (at as usize).min(width - 1);
            let most = filled.entry(column).or_insert(point.value);
            *most = most.max(point.value);
        }
        let mut last = None;
        let column = |at| {
            last = filled.get(&at).copied().or(last);
            last
        };
        (0..width).map(column).collect()
    }
}

/// How far back samples reach, in seconds.
pub fn span(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => (last.at - first.at).max(LEAST),
        _ => LEAST,
    }
}

/// A line of time with a mark for each event, as wide as it took: `(end, seconds)`.
pub fn strip(events: &[(f64, f64)], end: f64, span: f64, width: usize) -> String {
    let mut cells = vec!['·'; width];
    for (at, took) in events {
        let column = |at: f64| ((at - (end - span)) / span * width as f64).floor();
        let (from, to) = (column(at - took), column(*at));
        if to < 0.0 || width == 0 {
            continue;
        }
        let to = (to as usize).min(width - 1);
        let from = (from.max(0.0) as usize).min(to);
        cells[from..=to].fill('█');
    }
    cells.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::history::ProducerSample;

    fn plot(values: &[f64]) -> Plot {
        let points = values.iter().enumerate();
        Plot {
            points: points
                .map(|(at, value)| Point {
                    at: at as f64,
                    value: *value,
                })
                .collect(),
        }
    }

    /// The curve is scaled to its largest value; zero is at the ground, the unknown is nothing.
    #[test]
    fn curve_is_scaled_to_the_most() {
        let curve = plot(&[0.0, 1.0, 2.0, 3.5, 7.0]);
        assert_eq!(curve.draw(5.0, 5.0, 5, 1), ["▁▂▃▅█"]);
        assert_eq!(curve.draw(5.0, 10.0, 10, 1), ["     ▁▂▃▅█"]);
        assert_eq!(plot(&[0.0, 0.0]).draw(2.0, 2.0, 2, 1), ["▁▁"]);
        assert_eq!(plot(&[0.0, 15.0]).draw(2.0, 2.0, 2, 2), [" █", "▁█"]);
        assert_eq!(plot(&[]).draw(2.0, 2.0, 3, 1), ["   "]);
        assert_eq!(plot(&[1.0]).draw(2.0, 2.0, 0, 1), [""]);
    }

    /// Where there are more columns than values the curve stands; where there are fewer, no peak is lost.
    #[test]
    fn curve_fits_the_width() {
        assert_eq!(plot(&[1.0, 2.0]).draw(2.0, 2.0, 4, 1), ["▅▅██"]);
        assert_eq!(plot(&[0.0, 9.0, 0.0, 0.0]).draw(4.0, 4.0, 2, 1), ["█▁"]);
    }

    /// A rate is between neighbours, and a counter that began anew is no negative one.
    #[test]
    fn rates_are_between_neighbours() {
        let sample = |at: f64, produced: Option<u64>| Sample {
            at,
            groups: BTreeMap::new(),
            producers: produced
                .map(|produced| ("p".to_owned(), ProducerSample { produced }))
                .into_iter()
                .collect(),
        };
        let samples = [
            sample(0.0, None),
            sample(2.0, Some(10)),
            sample(4.0, Some(30)),
            sample(6.0, Some(5)),
        ];
        let plot = Plot::rates(&samples, |sample| Some(sample.producers.get("p")?.produced));
        assert_eq!(
            plot.points,
            [
                Point {
                    at: 4.0,
                    value: 10.0
                },
                Point {
                    at: 6.0,
                    value: 0.0
                }
            ]
        );
        assert_eq!(
            (plot.most(), plot.now(), span(&samples)),
            (10.0, Some(0.0), 60.0)
        );
    }

    /// A rebalance is as wide as it took, and at least one cell.
    #[test]
    fn strip_marks_when_and_how_long() {
        let events = [(1.0, 0.1), (8.0, 3.0), (-20.0, 1.0)];
        assert_eq!(strip(&events, 10.0, 10.0, 10), "██···████·");
        assert_eq!(strip(&events, 10.0, 10.0, 0), "");
    }
}
