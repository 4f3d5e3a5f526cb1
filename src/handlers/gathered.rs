//! When events that came one after another are looked at together.

use std::time::Instant;

use super::store::Timing;

/// Events since the last look.
#[derive(Debug)]
pub(super) struct Gathered {
    /// When nothing more came.
    quiet: Instant,
    /// However much came.
    latest: Instant,
    /// However long somebody goes on writing.
    patience: Instant,
    waits_for_writer: bool,
}

impl Gathered {
    pub(super) fn new(now: Instant, timing: &Timing) -> Self {
        Self {
            quiet: now + timing.quiet,
            latest: now + timing.longest,
            patience: now + timing.writing,
            waits_for_writer: false,
        }
    }

    /// An event came.
    pub(super) fn one_more(&mut self, now: Instant, timing: &Timing) {
        self.quiet = now + timing.quiet;
        if self.waits_for_writer {
            // Else a folder in which something happens all the time would be looked at only then.
            self.latest = self.patience.min(now + timing.longest);
        }
        self.waits_for_writer = false;
    }

    /// Whether nothing is to be looked at until somebody has closed what he writes.
    pub(super) fn waits_for_writer(&self) -> bool {
        self.waits_for_writer
    }

    /// When to look.
    pub(super) fn due(&self) -> Instant {
        self.quiet.min(self.latest)
    }

    /// Puts the look off until somebody has closed what he writes, of which an event will tell.
    /// False: that has been waited for long enough.
    pub(super) fn wait_for_writer(&mut self, now: Instant) -> bool {
        self.quiet = self.patience;
        self.latest = self.patience;
        self.waits_for_writer = true;
        now < self.patience
    }
}
