//! The rolling log file: written by a thread of its own, so that a slow or full disk stops nobody.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::LogError;
use crate::config::{Log, Rotate};

/// Lines that wait for the disk before further ones are dropped.
const WAITING_LINES: usize = 8192;

/// The open log file. Dropped, it writes what waits (at most for a second) and closes.
pub(super) struct LogFile {
    writer: NonBlocking,
    dropped: ErrorCounter,
    failed: Arc<AtomicU64>,
    settings: (PathBuf, Rotate, usize),
    _worker: WorkerGuard,
}

impl LogFile {
    /// Opens the file that the config asks for, if it asks for one; directories are made.
    ///
    /// # Errors
    /// When it can not be created or written.
    pub fn open(log: &Log) -> Result<Option<Self>, LogError> {
        let Some(path) = &log.file else {
            return Ok(None);
        };
        let appender = appender(path, log.rotate, log.keep)?;
        let failed = Arc::new(AtomicU64::new(0));
        let writer = Telling {
            inner: appender,
            path: path.clone(),
            failed: Arc::clone(&failed),
            told: false,
            tell: tell_on_stderr,
        };
        let (writer, worker) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(WAITING_LINES)
            .thread_name("log-file")
            .finish(writer);
        Ok(Some(Self {
            dropped: writer.error_counter(),
            writer,
            failed,
            settings: settings(path, log),
            _worker: worker,
        }))
    }

    /// Whether this is already the file that the config asks for.
    pub fn fits(&self, log: &Log) -> bool {
        let wanted = log.file.as_ref().map(|path| settings(path, log));
        wanted.as_ref() == Some(&self.settings)
    }

    /// Queues one line; when too many wait, it is dropped and counted.
    pub fn write(&self, line: &str) {
        // The queue takes what it can and counts the rest; it reports no error.
        if self.writer.clone().write_all(line.as_bytes()).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that never reached the disk.
    pub fn lost(&self) -> u64 {
        self.failed.load(Ordering::Relaxed) + self.dropped.dropped_lines() as u64
    }
}

fn settings(path: &Path, log: &Log) -> (PathBuf, Rotate, usize) {
    (path.to_owned(), log.rotate, log.keep)
}

fn appender(path: &Path, rotate: Rotate, keep: usize) -> Result<RollingFileAppender, LogError> {
    let failed = |reason: String| LogError::File {
        path: path.to_owned(),
        reason,
    };
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| failed("it has no file name".to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = RollingFileAppender::builder()
        .rotation(match rotate {
            Rotate::Minutely => Rotation::MINUTELY,
            Rotate::Hourly => Rotation::HOURLY,
            Rotate::Daily => Rotation::DAILY,
            Rotate::Never => Rotation::NEVER,
        })
        .filename_prefix(name);
    if rotate != Rotate::Never && keep > 0 {
        // The appender counts the file being written too, and at every start removes down to one
        // fewer: with `keep` alone, a restart would delete a file that should stay.
        builder = builder.max_log_files(keep + 1);
    }
    builder.build(directory).map_err(|error| {
        let source = std::error::Error::source(&error);
        failed(source.map_or_else(|| error.to_string(), ToString::to_string))
    })
}

/// Passes lines on, and says on standard error once that they no longer arrive, and when they do
/// again. The appender's own thread swallows errors.
struct Telling<W> {
    inner: W,
    path: PathBuf,
    failed: Arc<AtomicU64>,
    told: bool,
    tell: fn(&str),
}

fn tell_on_stderr(line: &str) {
    eprintln!("{line}");
}

impl<W> Telling<W> {
    fn note(&mut self, result: &io::Result<()>) {
        match result {
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.told, true) {
                    let path = self.path.display();
                    (self.tell)(&format!(
                        "WARN log file {path} can not be written: {error}; going on without it, lines are lost until it can"
                    ));
                }
            }
            Ok(()) if self.told => {
                self.told = false;
                let path = self.path.display();
                let lost = self.failed.load(Ordering::Relaxed);
                (self.tell)(&format!(
                    "INFO log file {path} is written again; {lost} lines are lost"
                ));
            }
            Ok(()) => {}
        }
    }
}

impl<W: Write> Write for Telling<W> {
    /// Takes the line whole: a failed one is lost, and trying again would hold up those behind it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let result = self.inner.write_all(line);
        self.note(&result);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn log(file: &Path, keep: usize, rotate: Rotate) -> Log {
        Log {
            level: "info".to_owned(),
            file: Some(file.to_owned()),
            rotate,
            keep,
        }
    }

    /// Lines are on the disk when the file is closed, in their order.
    #[test]
    fn closing_writes_what_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/deliveryd.log");
        let file = LogFile::open(&log(&path, 7, Rotate::Never))
            .unwrap()
            .unwrap();
        for number in 0..100 {
            file.write(&format!("{number}\n"));
        }
        assert_eq!(file.lost(), 0);
        drop(file);
        let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }

    /// A start with an unwritable path is an error that names the path and the setting.
    #[test]
    fn unwritable_path_is_told_at_start() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let path = blocked.join("deliveryd.log");
        let error = LogFile::open(&log(&path, 7, Rotate::Daily)).err().unwrap();
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains("log.file"), "{text}");
    }

    /// Starting again deletes neither today's file nor more than the config allows.
    #[test]
    fn restart_keeps_the_current_file_and_the_wanted_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.log");
        let settings = log(&path, 1, Rotate::Daily);
        for _ in 0..3 {
            let file = LogFile::open(&settings).unwrap().unwrap();
            file.write("line\n");
        }
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        assert_eq!(text, "line\nline\nline\n");
    }

    /// On a disk that is really full, lines are counted as lost and nobody is held up.
    #[cfg(target_os = "linux")]
    #[test]
    fn full_device_loses_lines_and_nothing_else() {
        let settings = log(Path::new("/dev/full"), 7, Rotate::Never);
        let file = LogFile::open(&settings).unwrap().unwrap();
        let failed = Arc::clone(&file.failed);
        for _ in 0..3 {
            file.write("line\n");
        }
        drop(file);
        assert_eq!(failed.load(Ordering::Relaxed), 3);
    }

    struct Disk(Arc<Mutex<bool>>);
    impl Write for Disk {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if *self.0.lock().unwrap() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(line.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    /// A full disk is told once, not once a line, and so is its end; lost lines are counted.
    #[test]
    fn full_disk_is_told_once_and_its_end_too() {
        let full = Arc::new(Mutex::new(false));
        let mut writer = Telling {
            inner: Disk(Arc::clone(&full)),
            path: PathBuf::from("/var/log/d.log"),
            failed: Arc::default(),
            told: false,
            tell: |line| TOLD.lock().unwrap().push(line.to_owned()),
        };
        writer.write_all(b"a\n").unwrap();
        *full.lock().unwrap() = true;
        writer.write_all(b"b\n").unwrap();
        writer.write_all(b"c\n").unwrap();
        assert_eq!(writer.failed.load(Ordering::Relaxed), 2);
        *full.lock().unwrap() = false;
        writer.write_all(b"d\n").unwrap();
        writer.write_all(b"e\n").unwrap();
        let told = TOLD.lock().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("WARN log file /var/log/d.log can not be written"));
        assert!(told[1].starts_with("INFO log file /var/log/d.log is written again; 2 lines"));
    }
}
