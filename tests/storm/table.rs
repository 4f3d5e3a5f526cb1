//! Every figure of a storm, as it is told.

use std::time::Duration;

use super::edits::{Edits, Waits};
use super::ledger::Ledger;
use super::scene::Answers;
use super::vitals::Vitals;

/// Prints a row at a time, so that a failure later does not swallow what is known.
pub struct Table;

impl Table {
    pub fn new(scale: &str) -> Table {
        println!("\nstorm, {scale} form");
        Table
    }

    fn row(&self, what: &str, figures: &str) {
        println!("  {what:<34} {figures}");
    }

    pub fn scale(&self, rate: u32, took: Duration, written: u64, rebalances: u64) {
        let took = took.as_secs_f64();
        self.row(
            "messages written",
            &format!("{written}, {rate} a second and group, {took:.0} s"),
        );
        self.row("rebalances of the two groups", &rebalances.to_string());
    }

    pub fn changes(&self, edits: &Edits, answers: &Answers) {
        let (good, broken) = (edits.good(), edits.broken);
        self.row("handler edits", &format!("{good} good, {broken} broken"));
        let Answers {
            applied,
            refused,
            handler_broken,
            ..
        } = answers;
        self.row(
            "SIGHUPs",
            &format!("{applied} applied, {refused} refused for their config, {handler_broken} for a broken handler"),
        );
    }

    pub fn ledger(&self, group: &str, ledger: &Ledger) {
        let Ledger {
            read,
            lost,
            repeated,
            out_of_order,
            older,
            ..
        } = ledger;
        self.row(
            &format!("group {group}"),
            &format!("{read} copies: lost {lost}, repeated {repeated}, out of order {out_of_order}, older version after newer {older}"),
        );
    }

    pub fn waits(&self, waits: &Waits) {
        let ms = |percent| waits.at(percent).as_millis();
        self.row(
            "save to first message",
            &format!(
                "median {} ms, 99 % {} ms, most {} ms ({} versions seen)",
                ms(50),
                ms(99),
                ms(100),
                waits.0.len()
            ),
        );
    }

    pub fn vitals(&self, before: &Vitals, early: &Vitals, after: &Vitals, few: u32, all: u32) {
        let (begin, first, last) = (before.memory, early.memory, after.memory);
        self.row(
            "memory",
            &format!("{begin:.1} MiB before, {first:.1} after {few} edits, {last:.1} after {all}"),
        );
        self.row(
            "threads",
            &format!("{} before, {} after", before.threads(), after.threads()),
        );
        self.row(
            "file descriptors",
            &format!("{} before, {} after", before.files, after.files),
        );
    }
}
