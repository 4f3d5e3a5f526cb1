//! What a group promises, and whether the books of a rehearsal bear it out.
//!
//! [`broken`] is arithmetic: settings, books and faults in, the broken promises out as sentences.

use std::time::Duration;

use super::faults::{Fault, Struck};
use super::ledger::{Repeat, Tally};
use crate::config::{Guarantee, Ordering};

/// What came between a message and its receipt, looked up where receipts are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// A commit has passed them, or they are not in the topic that they were written to.
    pub lost: u64,
    /// No commit has passed them: they wait, or come again.
    pub unfinished: u64,
}

/// What was promised, and what happened.
#[derive(Debug)]
pub struct Case<'a> {
    pub guarantee: Guarantee,
    pub ordering: Ordering,
    pub tally: &'a Tally,
    pub missing: Missing,
    pub faults: &'a [Struck],
}

/// A receipt is read a little later than it was written.
const SLACK: Duration = Duration::from_secs(2);

/// Repeats that no fault explains. A kill explains those of which the first receipt came before it and
/// the second after it; a process that stood still may still send what it had begun when it goes on.
pub fn unexplained(repeats: &[Repeat], faults: &[Struck]) -> u64 {
    let explains = |repeat: &Repeat, struck: &Struck| {
        let end = match struck.fault {
            Fault::Term => return false,
            Fault::Kill => struck.at,
            Fault::Stop => struck.until,
        };
        repeat.first <= end + SLACK && repeat.again >= struck.at
    };
    let is_unexplained = |repeat: &&Repeat| !faults.iter().any(|struck| explains(repeat, struck));
    repeats.iter().filter(is_unexplained).count() as u64
}

/// The promises that were not kept, a sentence each.
pub fn broken(case: &Case<'_>) -> Vec<String> {
    let Case {
        guarantee,
        ordering,
        tally,
        missing,
        faults,
    } = case;
    let mut broken = Vec::new();
    let mut say = |count: u64, sentence: &str| {
        if count > 0 {
            let (noun, verb) = match count {
                1 => ("message", "was"),
                _ => ("messages", "were"),
            };
            broken.push(format!("{} {noun} {verb} {sentence}", thousands(count)));
        }
    };
    // It commits first: what a fault interrupts is gone.
    let may_lose = *guarantee == Guarantee::AtMostOnce && !faults.is_empty();
    if !may_lose {
        say(missing.lost, "lost: committed, and never finished");
    }
    say(
        missing.unfinished,
        "not finished in time, and not committed: stuck, waiting, or too slow",
    );
    let repeated = tally.repeats.len() as u64;
    match guarantee {
        Guarantee::ExactlyOnce => say(repeated, "finished more than once under exactly_once"),
        Guarantee::AtMostOnce => say(repeated, "finished more than once under at_most_once"),
        Guarantee::AtLeastOnce => say(
            unexplained(&tally.repeats, faults),
            "finished again though no kill and no standstill came in between",
        ),
    }
    if *ordering != Ordering::None {
        say(
            tally.out_of_order,
            "finished after a later one of the same key",
        );
    }
    if *ordering == Ordering::Partition {
        say(
            tally.out_of_place,
            "finished after a later one of the same partition",
        );
    }
    broken
}

/// `12345` as `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARANTEES: [Guarantee; 3] = [
        Guarantee::AtLeastOnce,
        Guarantee::ExactlyOnce,
        Guarantee::AtMostOnce,
    ];

    fn repeat(first: u64, again: u64) -> Repeat {
        Repeat {
            first: Duration::from_secs(first),
            again: Duration::from_secs(again),
        }
    }

    fn struck(fault: Fault, at: u64, until: u64) -> Struck {
        Struck {
            fault,
            process: 1,
            at: Duration::from_secs(at),
            until: Duration::from_secs(until),
        }
    }

    fn held(
        guarantee: Guarantee,
        ordering: Ordering,
        tally: &Tally,
        missing: Missing,
        faults: &[Struck],
    ) -> bool {
        let case = Case {
            guarantee,
            ordering,
            tally,
            missing,
            faults,
        };
        broken(&case).is_empty()
    }

    /// Who keeps a promise in a run of ten messages with one fault in it, by guarantee.
    fn who(tally: &Tally, missing: Missing, faults: &[Struck]) -> [bool; 3] {
        GUARANTEES.map(|guarantee| held(guarantee, Ordering::Partition, tally, missing, faults))
    }

    /// A run without blemish holds every guarantee.
    #[test]
    fn a_clean_run_holds() {
        assert_eq!(who(&Tally::default(), Missing::default(), &[]), [true; 3]);
    }

    /// A loss breaks every guarantee; at_most_once may lose what a fault interrupts.
    #[test]
    fn a_loss_is_only_for_at_most_once_and_only_with_a_fault() {
        let missing = Missing {
            lost: 1,
            unfinished: 0,
        };
        let kill = [struck(Fault::Kill, 5, 5)];
        assert_eq!(who(&Tally::default(), missing, &[]), [false; 3]);
        assert_eq!(who(&Tally::default(), missing, &kill), [false, false, true]);
    }

    /// What is not finished at the end proves nothing.
    #[test]
    fn what_is_unfinished_breaks_every_promise() {
        let missing = Missing {
            lost: 0,
            unfinished: 1,
        };
        let kill = [struck(Fault::Kill, 5, 5)];
        assert_eq!(who(&Tally::default(), missing, &kill), [false; 3]);
    }

    /// A repeat is for at_least_once alone, and only over a fault that explains it.
    #[test]
    fn repeats_need_a_fault_that_explains_them() {
        let tally = |first, again| Tally {
            repeats: vec![repeat(first, again)],
            ..Tally::default()
        };
        let none = Missing::default();
        let kill = [struck(Fault::Kill, 5, 5)];
        assert_eq!(who(&tally(4, 6), none, &kill), [true, false, false]);
        assert_eq!(who(&tally(4, 50), none, &kill), [true, false, false]);
        assert_eq!(who(&tally(8, 9), none, &kill), [false; 3], "both after it");
        assert_eq!(who(&tally(2, 4), none, &kill), [false; 3], "both before it");
        assert_eq!(who(&tally(4, 6), none, &[]), [false; 3], "no fault");
        let term = [struck(Fault::Term, 5, 6)];
        assert_eq!(
            who(&tally(4, 6), none, &term),
            [false; 3],
            "an orderly stop"
        );
        let stop = [struck(Fault::Stop, 5, 20)];
        assert_eq!(who(&tally(12, 20), none, &stop), [true, false, false]);
    }

    /// Order is judged as far as the group promises it.
    #[test]
    fn order_is_judged_as_far_as_it_is_promised() {
        let by_place = Tally {
            out_of_place: 3,
            ..Tally::default()
        };
        let by_key = Tally {
            out_of_order: 1,
            out_of_place: 1,
            ..Tally::default()
        };
        let holds = |ordering, tally| {
            held(
                Guarantee::AtLeastOnce,
                ordering,
                tally,
                Missing::default(),
                &[],
            )
        };
        let all = [Ordering::Partition, Ordering::Key, Ordering::None];
        assert_eq!(
            all.map(|ordering| holds(ordering, &by_place)),
            [false, true, true]
        );
        assert_eq!(
            all.map(|ordering| holds(ordering, &by_key)),
            [false, false, true]
        );
    }

    /// A broken promise says how many messages, and what befell them.
    #[test]
    fn a_broken_promise_is_a_sentence() {
        let tally = Tally {
            repeats: vec![repeat(1, 2); 1234],
            ..Tally::default()
        };
        let case = Case {
            guarantee: Guarantee::ExactlyOnce,
            ordering: Ordering::Partition,
            tally: &tally,
            missing: Missing {
                lost: 1,
                unfinished: 0,
            },
            faults: &[],
        };
        assert_eq!(
            broken(&case),
            [
                "1 message was lost: committed, and never finished",
                "1,234 messages were finished more than once under exactly_once",
            ]
        );
    }
}
