//! The built daemon, run the way its users run it.
//!
//! [`Setup`] is a directory with a config and handlers, and `start`s it; [`Daemon`] looks at it over
//! HTTP, sends signals, edits its files and stops it. It is killed when dropped.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::http::{self, Response};
use super::output::{LastWords, Output};
use super::process::Process;
use super::run_dir::repository;
use super::status::Status;
use super::wait::wait_for;

/// For the banner, and for an orderly stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A config, its handlers and the command line, in a directory of their own.
pub struct Setup {
    dir: tempfile::TempDir,
    config: PathBuf,
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// A config for these brokers (`embedded` or `host:port,…`) with `toml` after its first tables.
    pub fn new(brokers: &str, toml: &str) -> Setup {
        Self::named("test", brokers, toml)
    }

    /// The same for one of several daemons.
    pub fn named(instance: &str, brokers: &str, toml: &str) -> Setup {
        let setup = Self::empty("deliveryd.toml");
        let control = setup.dir.path().join("control.sock");
        let head = format!(
            "[daemon]\ninstance = {instance:?}\nhttp = \"127.0.0.1:0\"\ncontrol = {control:?}\n\n\
             [kafka]\nbrokers = {brokers:?}\n\n"
        );
        write(&setup.config, &(head + toml));
        setup
    }

    /// A copy of the repository's config and handlers, run with `config/NAME`.
    pub fn copy_of_repository(name: &str) -> Setup {
        let setup = Self::empty(&format!("config/{name}"));
        for folder in ["config", "handlers"] {
            copy(&repository().join(folder), &setup.dir.path().join(folder));
        }
        let control = setup.dir.path().join("control.sock");
        setup
            .set("daemon.http", "\"127.0.0.1:0\"")
            .set("daemon.control", &format!("{control:?}"))
    }

    fn empty(config: &str) -> Setup {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("a directory: {error}"));
        Setup {
            config: dir.path().join(config),
            dir,
            program: option_env!("CARGO_BIN_EXE_deliveryd").map(PathBuf::from),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// A handler file beside the config.
    pub fn handler(self, name: &str, source: &str) -> Setup {
        write(&self.dir.path().join(name), source);
        self
    }

    /// The directory with its config and handlers.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its config's file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Another binary than the one that Cargo built for the test; the benches have none.
    pub fn program(mut self, program: &Path) -> Setup {
        self.program = Some(program.to_owned());
        self
    }

    /// `--set key=value`; the value is TOML.
    pub fn set(self, key: &str, value: &str) -> Setup {
        let setting = format!("{key}={value}");
        self.argument("--set").argument(&setting)
    }

    pub fn argument(mut self, argument: &str) -> Setup {
        self.arguments.push(argument.into());
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it says where its status page is.
    #[track_caller]
    pub fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        let address = wait_for("the banner's `status page`", PATIENCE, || {
            if let Some(status) = daemon.process.ended() {
                panic!("the daemon ended ({status}):\n{}", daemon.output.tail());
            }
            address_in(&daemon.output).ok_or_else(|| daemon.output.tail())
        });
        daemon.address = Some(address);
        daemon
    }

    /// Starts it with `http = "off"` and waits for its first line.
    #[track_caller]
    pub fn start_without_page(self) -> Daemon {
        let daemon = self.set("daemon.http", "\"off\"").spawn();
        daemon.wait_for_line("brokers ", PATIENCE);
        daemon
    }

    /// Runs what is expected to end by itself, and returns how it did.
    pub fn run(self) -> Exit {
        self.spawn().wait()
    }

    fn spawn(self) -> Daemon {
        let Some(program) = &self.program else {
            panic!("which deliveryd to run is not known; name it with `program`");
        };
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(&self.config)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process::spawn("deliveryd", command);
        let output = Output::default();
        let child = process.child();
        let readers = [
            child.stdout.take().map(|out| output.collect(out)),
            child.stderr.take().map(|err| output.collect(err)),
        ];
        Daemon {
            process,
            _last_words: output.last_words(),
            output,
            readers: readers.into_iter().flatten().collect(),
            address: None,
            setup: self,
        }
    }
}

/// A running daemon.
pub struct Daemon {
    process: Process,
    _last_words: LastWords,
    pub output: Output,
    readers: Vec<std::thread::JoinHandle<()>>,
    address: Option<SocketAddr>,
    setup: Setup,
}

/// How a daemon ended.
#[derive(Debug)]
pub struct Exit {
    pub status: ExitStatus,
    /// From the signal, or from the beginning of waiting.
    pub took: Duration,
    pub output: String,
}

impl Daemon {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where its status page is.
    pub fn address(&self) -> SocketAddr {
        match self.address {
            Some(address) => address,
            None => panic!("it has not said where its status page is"),
        }
    }

    /// The most memory that it ever had resident, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let file = format!("/proc/{}/status", self.id());
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        match kilobytes {
            Some(kilobytes) => kilobytes * 1024,
            None => panic!("no VmHWM in {file}"),
        }
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The directory with its config and handlers.
    pub fn dir(&self) -> &Path {
        self.setup.dir.path()
    }

    /// `GET path`; panics where there is no answer.
    pub fn get(&self, path: &str) -> Response {
        match http::get(self.address(), path) {
            Ok(response) => response,
            Err(error) => panic!("{error}\n{}", self.output.tail()),
        }
    }

    /// How it ended by itself, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// `/api/status`, or why there is none.
    pub fn try_status(&self) -> Result<Status, String> {
        let response = http::get(self.address(), "/api/status")?;
        let value = serde_json::from_str(&response.body);
        value
            .map(Status)
            .map_err(|error| format!("{error} in {}", response.body))
    }

    /// `/api/status`.
    #[track_caller]
    pub fn status(&self) -> Status {
        match self.try_status() {
            Ok(status) => status,
            Err(error) => panic!("{error}\n{}", self.output.tail()),
        }
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        self.get("/metrics").body
    }

    /// The sum of a metric over all label sets that contain `labels`, such as `group="g"`.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics();
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let bare = series.split('{').next()?;
            (bare == name && series.contains(labels)).then(|| value.parse::<f64>().ok())?
        });
        values.sum()
    }

    /// Waits for a condition of the status; at the deadline shows the last status and the log's end.
    #[track_caller]
    pub fn wait_until(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Status) -> bool,
    ) -> Status {
        wait_for(what, deadline, || {
            let seen = match self.try_status() {
                Ok(status) if condition(&status) => return Ok(status),
                Ok(status) => status.to_string(),
                Err(error) => error,
            };
            Err(format!("{seen}\nlog:\n{}", self.output.tail()))
        })
    }

    /// Waits until the group's members here hold `partitions` partitions between them.
    #[track_caller]
    pub fn wait_until_assigned(&self, group: &str, partitions: usize) -> Status {
        let what = format!("{group} to hold {partitions} partitions");
        self.wait_until(&what, PATIENCE, |status| {
            status.assigned(group).len() == partitions
        })
    }

    /// Waits until a line with `needle` was printed.
    #[track_caller]
    pub fn wait_for_line(&self, needle: &str, deadline: Duration) -> String {
        wait_for(&format!("a line with {needle:?}"), deadline, || {
            self.output
                .line_with(needle)
                .ok_or_else(|| self.output.tail())
        })
    }

    /// Replaces text in the config file; nothing is told to the daemon.
    pub fn edit_config(&self, from: &str, to: &str) {
        edit(&self.setup.config, from, to);
    }

    /// Replaces text in a handler file.
    pub fn edit_handler(&self, name: &str, from: &str, to: &str) {
        edit(&self.dir().join(name), from, to);
    }

    /// SIGHUP, and waits until the next generation's result is there.
    #[track_caller]
    pub fn reload(&self) -> Status {
        let before = self.status().number("/last_reload/generation");
        let before = before.max(self.status().generation());
        self.signal(libc::SIGHUP);
        self.wait_until("the reload's result", PATIENCE, |status| {
            status.number("/last_reload/generation") > before
        })
    }

    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(self) -> Exit {
        self.end_with(libc::SIGTERM)
    }

    /// Sends `signal` and waits for the end.
    pub fn end_with(self, signal: i32) -> Exit {
        self.signal(signal);
        self.wait()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// SIGTERM, and another one from the same directory when it has ended.
    #[track_caller]
    pub fn restart(mut self) -> (Exit, Daemon) {
        self.signal(libc::SIGTERM);
        let exit = self.end();
        (exit, self.setup.start())
    }

    /// `kill -9`, and another one from the same directory; `between` comes between the two.
    #[track_caller]
    pub fn kill_and_start(mut self, between: impl FnOnce()) -> Daemon {
        self.process.kill();
        between();
        self.setup.start()
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self) -> Exit {
        self.end()
    }

    fn end(&mut self) -> Exit {
        let (status, took) = self.process.wait(PATIENCE);
        for reader in self.readers.drain(..) {
            if reader.join().is_err() {
                panic!("a reader of the daemon's output panicked");
            }
        }
        Exit {
            status,
            took,
            output: self.output.text(),
        }
    }
}

/// The address in `status page http://ADDRESS`.
fn address_in(output: &Output) -> Option<SocketAddr> {
    let line = output.line_with("status page http://")?;
    let (_, rest) = line.split_once("status page http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)));
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

fn write(file: &Path, text: &str) {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .unwrap_or_else(|error| panic!("can't create {}: {error}", folder.display()));
    }
    fs::write(file, text).unwrap_or_else(|error| panic!("can't write {}: {error}", file.display()));
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("can't read {}: {error}", file.display()));
    assert!(
        text.contains(from),
        "no {from:?} in {}:\n{text}",
        file.display()
    );
    write(file, &text.replace(from, to));
}

fn copy(from: &Path, to: &Path) {
    let entries =
        fs::read_dir(from).unwrap_or_else(|error| panic!("can't read {}: {error}", from.display()));
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            let text = fs::read_to_string(&from)
                .unwrap_or_else(|error| panic!("can't read {}: {error}", from.display()));
            write(&to, &text);
        }
    }
}
