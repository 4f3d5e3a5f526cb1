//! What a test and its handler log: taken from `tracing` on this thread instead of written.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// One log line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub level: Level,
    pub text: String,
}

/// Catches the lines that scripts log on one thread.
pub(super) struct Capture {
    dispatch: Dispatch,
    // After the dispatch, so that it is dropped when that is gone.
    _forget: Forget,
    // A subscriber must be `Sync`; there is one thread, and nobody to wait for.
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Capture {
    pub(super) fn new() -> Self {
        let lines = Arc::default();
        // The target of everything that a script logs, and of nothing else.
        let handlers = Targets::new().with_target("handler", Level::DEBUG);
        let layer = Collect(Arc::clone(&lines)).with_filter(handlers);
        Self {
            dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)),
            _forget: Forget,
            lines,
        }
    }

    /// Runs `run` with this thread's log lines caught.
    pub(super) fn during<R>(&self, run: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.dispatch, run)
    }

    /// The lines since the last call.
    pub(super) fn take(&self) -> Vec<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines)
    }
}

/// `tracing` keeps in mind what some subscriber wants to hear, and looks again only when told to: else
/// the whole process would go on making the debug lines that only a test's capture heard.
struct Forget;

impl Drop for Forget {
    fn drop(&mut self) {
        tracing::callsite::rebuild_interest_cache();
    }
}

struct Collect(Arc<Mutex<Vec<Line>>>);

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let line = Line {
            level: *event.metadata().level(),
            text: text.0,
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

/// Picks the message out of an event's fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
