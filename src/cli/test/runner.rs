//! Runs test files on a thread with the stack that scripts may use, and tells as it goes.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::find::Planned;
use crate::diagnostic::{Diagnostic, shown_path};
use crate::script::STACK_SIZE;
use crate::script::testing::{Suite, Tested};

/// What is told, file by file.
pub(super) enum Event {
    /// A file begins.
    File {
        file: PathBuf,
        /// Every file that the results hang on.
        files: Vec<PathBuf>,
    },
    Tested(Tested),
    /// The file, or the handler that it is about, does not compile.
    Mistakes(Vec<Diagnostic>),
    /// Tests of the file that the filter left out.
    LeftOut(usize),
}

/// Runs the tests whose name or file contains `filter`, and gives `take` each event in order.
pub(super) fn run(
    planned: &[Planned],
    filter: &str,
    mut take: impl FnMut(Event) -> io::Result<()>,
) -> io::Result<()> {
    thread::scope(|scope| {
        let (tell, events) = mpsc::channel();
        let running = thread::Builder::new()
            .name("tests".to_owned())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, move || {
                for planned in planned {
                    // Nobody listens any more when the writer failed.
                    if run_file(planned, filter, &tell).is_err() {
                        return;
                    }
                }
            })?;
        for event in events {
            take(event)?;
        }
        running
            .join()
            .map_err(|panic| io::Error::other(crate::panic_text(panic.as_ref())))
    })
}

fn run_file(
    planned: &Planned,
    filter: &str,
    tell: &Sender<Event>,
) -> Result<(), mpsc::SendError<Event>> {
    let file = planned.file.clone();
    let whole = shown_path(&file).contains(filter);
    let suite = match Suite::load(&file, planned.settings) {
        Ok(suite) => suite,
        // A file that does not compile is told whatever the filter: its tests are not known.
        Err(mistakes) => {
            let files = vec![file.clone()];
            tell.send(Event::File { file, files })?;
            return tell.send(Event::Mistakes(mistakes));
        }
    };
    let wanted = |name: &&String| whole || name.contains(filter);
    let names: Vec<&String> = suite.names().iter().filter(wanted).collect();
    let left_out = suite.names().len() - names.len();
    if !names.is_empty() {
        let files = suite.files();
        tell.send(Event::File { file, files })?;
    }
    for name in names {
        tell.send(Event::Tested(suite.run(name)))?;
    }
    tell.send(Event::LeftOut(left_out))
}
