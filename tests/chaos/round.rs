//! A round: faults of one kind, and what came of it.

use std::time::{Duration, Instant};

use super::faults::{Kind, Strike, Striker};
use super::ledger::{Gap, Ledger, Pages, Repeat, Time};
use super::scale;
use super::scene::{Mode, rest};

/// For everything that was written in a round to come through.
const PATIENCE: Duration = Duration::from_secs(120);

/// A strike of the mixture may show for so long: a daemon that was stopped writes when it wakes up.
const REACH: Duration = Duration::from_secs(60);

/// What one round came to.
#[derive(Debug)]
pub struct Outcome {
    pub kind: Kind,
    pub faults: usize,
    /// Copied.
    pub messages: usize,
    pub dead: u64,
    pub lost: u64,
    pub repeated: Vec<Repeat>,
    /// Of these: copies of what a commit covered when it struck.
    pub unexcused: usize,
    pub out_of_order: usize,
    /// From the producer's clock to the reader, sorted, in microseconds.
    latencies: Vec<u32>,
    /// The longest silence of a partition.
    pub silence: Duration,
    /// The longest one of a partition that no struck daemon held.
    pub others: Option<Duration>,
    /// Of the whole output.
    pub output: Duration,
    /// From the broker's return to the last partition's next message.
    pub flow: Option<Duration>,
}

impl Outcome {
    /// The latency below which `part` of them lie.
    pub fn latency(&self, part: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * part).round() as usize;
        let micros = self.latencies.get(index).copied().unwrap_or_default();
        Duration::from_micros(u64::from(micros))
    }

    /// What the mode promises and this round did not keep.
    pub fn broken_promises(&self, mode: Mode) -> Vec<String> {
        let orderly = matches!(
            self.kind,
            Kind::Calm | Kind::Term | Kind::Storm | Kind::Poison
        );
        let no_repeats = mode == Mode::ExactlyOnce || orderly;
        let repeated: &[Repeat] = if no_repeats { &self.repeated } else { &[] };
        let promises = [
            ("lost", self.lost as usize),
            ("out of order", self.out_of_order),
            ("repeated", repeated.len()),
            ("repeated though committed", self.unexcused),
        ];
        let (mode, kind) = (mode.name(), self.kind.title());
        let broken = promises.into_iter().filter(|(_, count)| *count > 0);
        let mut broken: Vec<String> = broken
            .map(|(what, count)| format!("{mode}: {kind}: {count} {what}"))
            .collect();
        broken.extend(repeated.iter().map(|repeat| format!("{repeat:?}")));
        broken
    }
}

/// Runs one.
pub fn run(round: scale::Round, striker: &mut Striker<'_>, ledger: &Ledger) -> Outcome {
    let mut span = Span::begin(&ledger.pages(), striker.epoch.elapsed());
    let strikes = match round.kind {
        Kind::Mixed => striker.mix(Duration::from_secs(u64::from(round.strikes))),
        kind => (0..round.strikes).map(|_| striker.strike(kind)).collect(),
    };
    span.end = striker.epoch.elapsed();
    let lost = wait_for_all(&striker.load.written(), ledger);
    let pages = ledger.pages();
    let repeats = &pages.repeats[span.repeats..];
    let unexcused = repeats
        .iter()
        .filter(|repeat| !is_excused(repeat, &strikes, round.kind));
    let silences = Silences::new(&pages.gaps[span.gaps..], &strikes, &span);
    let latencies = span.latencies(&pages);
    Outcome {
        kind: round.kind,
        faults: if round.kind == Kind::Calm {
            0
        } else {
            strikes.len()
        },
        messages: latencies.len(),
        dead: pages.dead - span.dead,
        lost,
        repeated: repeats.to_vec(),
        unexcused: unexcused.count(),
        out_of_order: pages.out_of_order.len() - span.out_of_order,
        latencies,
        silence: silences.any,
        others: silences.others,
        output: silences.output,
        flow: silences.flow,
    }
}

/// Where the round begins in the ledger's pages, and its time.
struct Span {
    repeats: usize,
    out_of_order: usize,
    dead: u64,
    gaps: usize,
    latencies: usize,
    begin: Time,
    end: Time,
}

impl Span {
    fn begin(pages: &Pages, now: Time) -> Span {
        Span {
            repeats: pages.repeats.len(),
            out_of_order: pages.out_of_order.len(),
            dead: pages.dead,
            gaps: pages.gaps.len(),
            latencies: pages.latencies.len(),
            begin: now,
            end: now,
        }
    }

    /// Of what was sent in the round.
    fn latencies(&self, pages: &Pages) -> Vec<u32> {
        let times = self.begin.as_micros() as u64..self.end.as_micros() as u64;
        let own = pages.latencies[self.latencies..]
            .iter()
            .filter(|(sent, _)| times.contains(sent));
        let mut latencies: Vec<u32> = own.map(|(_, took)| *took).collect();
        latencies.sort_unstable();
        latencies
    }
}

/// Returns how many are missing when the time is over.
pub fn wait_for_all(written: &[u64], ledger: &Ledger) -> u64 {
    let begin = Instant::now();
    loop {
        let missing = ledger.pages().missing(written);
        if missing == 0 || begin.elapsed() > PATIENCE {
            return missing;
        }
        rest(Duration::from_millis(100));
    }
}

/// Whether no commit covered it when the daemons were struck that may have written it again.
fn is_excused(repeat: &Repeat, strikes: &[Strike], kind: Kind) -> bool {
    let before = strikes.iter().rev().filter(|s| s.at <= repeat.came);
    let uncovered = |strike: &Strike| {
        let committed = strike.committed.get(&repeat.partition);
        committed.is_none_or(|committed| repeat.offset >= *committed)
    };
    match kind {
        Kind::Mixed => before
            .take_while(|s| s.at + REACH >= repeat.came)
            .any(uncovered),
        // All was mended before the next strike.
        _ => before.take(1).any(uncovered),
    }
}

struct Silences {
    any: Duration,
    others: Option<Duration>,
    output: Duration,
    flow: Option<Duration>,
}

impl Silences {
    fn new(gaps: &[Gap], strikes: &[Strike], span: &Span) -> Silences {
        let longest = |which: &dyn Fn(&Gap) -> bool| {
            let own = gaps
                .iter()
                .filter(|gap| gap.to >= span.begin && gap.from <= span.end);
            let longest = own.filter(|gap| which(gap)).map(Gap::length).max();
            longest.unwrap_or_default()
        };
        let spared = |gap: &Gap| {
            gap.partition.is_some_and(|partition| {
                let at_once = |s: &&Strike| gap.to >= s.at && gap.from <= s.over;
                let mut strikes = strikes.iter().filter(at_once);
                strikes.all(|strike| !strike.held.contains(&partition))
            })
        };
        let alone = strikes.iter().any(|strike| !strike.held.is_empty());
        let flow = strikes.iter().filter_map(|strike| strike.back);
        let flow = flow.map(|back| {
            let over = gaps.iter().filter(|gap| gap.from <= back && gap.to > back);
            over.map(|gap| gap.to - back).max().unwrap_or_default()
        });
        Silences {
            any: longest(&|gap| gap.partition.is_some()),
            others: alone.then(|| longest(&spared)),
            output: longest(&|gap| gap.partition.is_none()),
            flow: flow.max(),
        }
    }
}
