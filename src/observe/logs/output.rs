//! The one tracing layer: gathers an event once and writes it wherever lines go.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tracing::{Event, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;

use super::entry::{Context, Entry};
use super::file::LogFile;
use super::text::{self, Look};
use super::{Format, colour_on_stderr, journal, json};
use crate::observe::clock;

/// The file in use, exchanged when the config is reloaded.
#[derive(Clone)]
pub(super) struct FileSlot(Arc<ArcSwapOption<LogFile>>);

impl FileSlot {
    pub fn from_pointee(file: Option<LogFile>) -> Self {
        Self(Arc::new(ArcSwapOption::from_pointee(file)))
    }
    pub fn load(&self) -> arc_swap::Guard<Option<Arc<LogFile>>> {
        self.0.load()
    }
    pub fn store(&self, file: Option<Arc<LogFile>>) {
        self.0.store(file);
    }
}

/// Takes one line, or a few that belong together.
type WriteLine = Box<dyn Fn(&str) -> io::Result<()> + Send + Sync>;

/// Standard error, or what stands for it in a test.
pub(super) struct Terminal {
    pub format: Format,
    pub colour: bool,
    /// Whether lines are led by their time: not where somebody sits and watches.
    pub times: bool,
    pub write: WriteLine,
}

impl Terminal {
    pub fn stderr(format: Format) -> Self {
        Self {
            format,
            colour: colour_on_stderr(),
            times: !io::stderr().is_terminal(),
            // One call for the whole line, so that lines of several threads do not mix.
            write: Box::new(|line| io::stderr().lock().write_all(line.as_bytes())),
        }
    }
}

/// Where lines go.
pub(super) struct Output {
    terminal: Option<Terminal>,
    journal: Option<tracing_journald::Layer>,
    file: FileSlot,
    file_format: Format,
    pub unseen: Arc<AtomicU64>,
}

impl Output {
    pub fn new(
        terminal: Option<Terminal>,
        journal: Option<tracing_journald::Layer>,
        file: FileSlot,
        file_format: Format,
    ) -> Self {
        Self {
            terminal,
            journal,
            file,
            file_format,
            unseen: Arc::default(),
        }
    }

    fn lines(&self, entry: &Entry, buffer: &mut String) {
        let time = clock::rfc3339(clock::now());
        if let Some(terminal) = &self.terminal {
            buffer.clear();
            match terminal.format {
                Format::Json => json::write(buffer, entry, &time),
                Format::Text => {
                    let look = Look {
                        colour: terminal.colour,
                        level: true,
                    };
                    text::write(buffer, entry, look, terminal.times.then_some(&time));
                }
            }
            // A closed standard error leaves nobody to tell; the count remains.
            if (terminal.write)(buffer).is_err() {
                self.unseen.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(file) = self.file.load().as_ref() {
            buffer.clear();
            match self.file_format {
                Format::Json => json::write(buffer, entry, &time),
                Format::Text => {
                    let look = Look {
                        colour: false,
                        level: true,
                    };
                    text::write(buffer, entry, look, Some(&time));
                }
            }
            file.write(buffer);
        }
    }
}

impl<S> Layer<S> for Output
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        layers: LayerContext<'_, S>,
    ) {
        let context = Context::of_span(attributes);
        if let Some(span) = layers.span(id)
            && context != Context::default()
        {
            span.extensions_mut().insert(context);
        }
        if let Some(journal) = &self.journal {
            journal.on_new_span(attributes, id, layers);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, layers: LayerContext<'_, S>) {
        if let Some(span) = layers.span(id) {
            let mut extensions = span.extensions_mut();
            let mut context = extensions.remove::<Context>().unwrap_or_default();
            context.record(values);
            extensions.insert(context);
        }
        if let Some(journal) = &self.journal {
            journal.on_record(id, values, layers);
        }
    }

    fn on_event(&self, event: &Event<'_>, layers: LayerContext<'_, S>) {
        let entry = Entry::new(event, &layers);
        if self.terminal.is_some() || self.file.load().is_some() {
            with_buffer(|buffer| self.lines(&entry, buffer));
        }
        if let Some(journal) = &self.journal {
            journal::send(journal, &entry, event, layers);
        }
    }
}

/// The thread's own buffer, so that a line costs no allocation; a fresh one inside another line.
fn with_buffer(write: impl FnOnce(&mut String)) {
    /// A single huge line must not hold its memory forever.
    const KEEP: usize = 64 << 10;
    thread_local!(static BUFFER: RefCell<String> = const { RefCell::new(String::new()) });
    BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => {
            write(&mut buffer);
            if buffer.capacity() > KEEP {
                *buffer = String::new();
            }
        }
        Err(_) => write(&mut String::new()),
    });
}
