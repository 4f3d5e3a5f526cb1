//! One line on the terminal that shows how a rehearsal goes; nothing where there is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::promise::thousands;

/// The line. What it shows is also in the report.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new(shown: bool) -> Self {
        let bar = match shown {
            // On standard error, and only where that is a terminal.
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// What is done now.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// How far it is: sent, finished, repeated, out of order; faults, and how long messages are written
    /// still.
    pub fn show(&self, glance: [u64; 4], faults: usize, left: Duration) {
        let [sent, finished, repeated, out_of_order] = glance.map(thousands);
        let left = left.as_secs();
        self.0.set_message(format!(
            "{sent} sent, {finished} finished, {repeated} repeated, {out_of_order} out of order, \
             {faults} faults, {left} s to go"
        ));
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
