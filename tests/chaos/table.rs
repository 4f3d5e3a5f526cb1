//! The figures as they are told: a row for each kind of fault, printed when it is known.

use std::time::Duration;

use super::round::Outcome;
use super::scale::Scale;
use super::scene::Mode;

/// Widths follow the titles.
const COLUMNS: [&str; 14] = [
    "fault                            ",
    "faults",
    "messages",
    "dead",
    "lost",
    "repeated",
    "out of order",
    "    p50",
    "    p99",
    "  p99.9",
    "silence",
    " others",
    " output",
    "   flow",
];

/// Says what is about to happen.
pub fn begin(scale: &Scale, mode: Mode) {
    println!(
        "\nchaos, {} form, {}: {} broker{}, 3 daemons, 6 partitions, {} messages/s, session timeout {} s, \
         CHAOS_SEED={}",
        scale.form,
        mode.name(),
        scale.brokers,
        if scale.brokers == 1 { "" } else { "s" },
        scale.rate,
        scale.session.as_secs(),
        scale.seed,
    );
    println!(
        "times from the producer's clock to a read_committed reader; silence: the longest of a \
         partition; others: of those that\nno struck daemon held; output: of all together; flow: from the broker's return to \
         every partition's next message"
    );
    println!("{}", COLUMNS.join(" | "));
}

/// One round.
pub fn row(outcome: &Outcome) {
    let Outcome {
        faults,
        messages,
        dead,
        lost,
        repeated,
        out_of_order,
        silence,
        others,
        output,
        flow,
        ..
    } = outcome;
    let cells = [
        outcome.kind.title().to_owned(),
        faults.to_string(),
        messages.to_string(),
        dead.to_string(),
        lost.to_string(),
        repeated.len().to_string(),
        out_of_order.to_string(),
        time(outcome.latency(0.5)),
        time(outcome.latency(0.99)),
        time(outcome.latency(0.999)),
        time(*silence),
        others.map(time).unwrap_or_default(),
        time(*output),
        flow.map(time).unwrap_or_default(),
    ];
    let aligned = COLUMNS.iter().zip(&cells).enumerate();
    let aligned: Vec<String> = aligned
        .map(|(index, (title, cell))| {
            let width = title.chars().count();
            match index {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            }
        })
        .collect();
    println!("{}", aligned.join(" | "));
}

/// All of a mode together.
pub fn total(outcomes: &[Outcome]) {
    let sum = |count: fn(&Outcome) -> u64| outcomes.iter().map(count).sum::<u64>();
    println!(
        "{} messages in the rounds, {} faults, {} dead letters: lost {}, repeated {}, out of order {}",
        sum(|outcome| outcome.messages as u64),
        sum(|outcome| outcome.faults as u64),
        sum(|outcome| outcome.dead),
        sum(|outcome| outcome.lost),
        sum(|outcome| outcome.repeated.len() as u64),
        sum(|outcome| outcome.out_of_order as u64),
    );
}

fn time(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms => format!("{:.1} s", ms as f64 / 1000.0),
    }
}
