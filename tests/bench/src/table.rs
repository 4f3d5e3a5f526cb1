//! The one table: medians, the multiple of the floor, and whether it is within what was promised.

use std::fmt::Write;

use crate::contender::{Contender, NOTHING, Work};
use crate::measure::{Run, median};
use crate::options::Options;
use crate::records::SIZE;

/// The most memory that one member may need at full backlog, in MiB.
const MEMORY: f64 = 64.0;

pub fn render(options: &Options, results: &[(&Contender, Vec<Run>)]) -> String {
    let mut text = format!(
        "\n{} messages of {SIZE} bytes, 2 partitions, 1 consumer; medians of {} interleaved rounds\n\n\
         {:<40} {:>10} {:>7} {:>9} {:>12} {:>10}\n",
        options.messages,
        options.rounds,
        "",
        "µs CPU/msg",
        "ratio",
        "at most",
        "messages/s",
        "peak MiB"
    );
    for (contender, runs) in results {
        let floor = results
            .iter()
            .find(|(other, _)| other.name == contender.floor);
        let ratio = floor.map(|(_, floor)| cost(runs) / cost(floor));
        let bound = match (ratio, contender.at_most) {
            (Some(ratio), Some(most)) if ratio > most => format!("{most:.1} ✗"),
            (Some(_), Some(most)) => format!("{most:.1} ✓"),
            _ => String::new(),
        };
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let rate = median(runs.iter().map(Run::rate));
        let peak = median(runs.iter().map(Run::peak_mib));
        let (name, cost) = (contender.name, cost(runs));
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "{name:<40} {cost:>10.2} {ratio:>7} {bound:>9} {rate:>12.0} {peak:>10.1}"
        );
    }
    text + &memory(results)
}

fn cost(runs: &[Run]) -> f64 {
    median(runs.iter().map(Run::cost))
}

/// The worst run of the handler that is quickest to take the backlog in.
fn memory(results: &[(&Contender, Vec<Run>)]) -> String {
    let empty = |contender: &Contender| matches!(contender.work, Work::Handler(NOTHING));
    let Some((_, runs)) = results.iter().find(|(contender, _)| empty(contender)) else {
        return String::new();
    };
    let worst = runs.iter().map(Run::peak_mib).fold(0.0, f64::max);
    let mark = if worst > MEMORY { '✗' } else { '✓' };
    format!(
        "\npeak memory, one member at full backlog: {worst:.1} MiB, at most {MEMORY:.0} {mark}\n"
    )
}
