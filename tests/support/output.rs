//! What a daemon prints, as it comes: for `contains`, for waiting, and for the panic's text.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Lines of standard output and standard error in the order in which they arrived.
#[derive(Debug, Clone, Default)]
pub struct Output(Arc<Mutex<Vec<String>>>);

impl Output {
    /// Collects `source` until its end.
    pub fn collect(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while let Ok(1..) = reader.read_until(b'\n', &mut line) {
                let text = String::from_utf8_lossy(&line);
                output.lines().push(text.trim_end().to_owned());
                line.clear();
            }
        })
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The last lines, for a panic.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The first line in which `needle` stands.
    pub fn line_with(&self, needle: &str) -> Option<String> {
        self.lines()
            .iter()
            .find(|line| line.contains(needle))
            .cloned()
    }

    /// How many lines contain `needle`.
    pub fn count(&self, needle: &str) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.contains(needle))
            .count()
    }

    /// Tells the last lines beside the panic of the test that drops it, if one does.
    pub fn last_words(&self) -> LastWords {
        LastWords(self.clone())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Output::last_words`].
#[derive(Debug)]
pub struct LastWords(Output);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's last lines:\n{}", self.0.tail());
        }
    }
}
