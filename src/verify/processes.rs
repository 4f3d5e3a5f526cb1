//! The processes of a rehearsal: this same program, started, signalled, watched and stopped.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::config::Rehearsal;
use crate::control::{Client, Wanted};
use crate::observe::status::{DaemonState, MemberState};

/// Between two looks at a process that is to end.
const LOOK: Duration = Duration::from_millis(20);
/// So much of a process's log is shown.
const LAST_LINES: usize = 15;

/// How the program is called.
#[derive(Debug, Clone)]
pub struct Call {
    /// The user's own file.
    pub config: PathBuf,
    /// The user's own `--set`s.
    pub sets: Vec<String>,
    /// The group's own id.
    pub group: String,
    pub run: String,
    /// Where sockets and logs go.
    pub directory: PathBuf,
}

/// All processes, killed when dropped.
#[derive(Debug)]
pub struct Processes {
    call: Call,
    list: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    number: u32,
    /// `None` while there is none.
    child: Option<Child>,
    is_standing: bool,
}

impl Processes {
    /// Makes the directory; starts nothing yet.
    ///
    /// # Errors
    /// The directory can't be made.
    pub fn new(call: Call, count: u32) -> Result<Self, String> {
        DirBuilder::new()
            .mode(0o700)
            .create(&call.directory)
            .map_err(|error| format!("{}: {error}", call.directory.display()))?;
        let list = (1..=count).map(|number| Process {
            number,
            child: None,
            is_standing: false,
        });
        Ok(Self {
            call,
            list: list.collect(),
        })
    }

    pub fn directory(&self) -> &Path {
        &self.call.directory
    }

    /// Starts every process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start_all(&mut self) -> Result<(), String> {
        (1..=self.list.len() as u32).try_for_each(|number| self.start(number))
    }

    /// Starts a process that does not run.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&mut self, number: u32) -> Result<(), String> {
        let child = self
            .spawn(number)
            .map_err(|error| format!("process {number} can't be started: {error}"))?;
        let process = self.get(number)?;
        process.child = Some(child);
        process.is_standing = false;
        Ok(())
    }

    fn spawn(&self, number: u32) -> std::io::Result<Child> {
        let log = self.open_log(number)?;
        let mut arguments: Vec<OsString> = vec!["--config".into(), self.call.config.clone().into()];
        for set in &self.call.sets {
            arguments.extend(["--set".into(), set.into()]);
        }
        arguments.push("rehearse".into());
        arguments.push(format!("--group={}", self.call.group).into());
        arguments.push(format!("--run={}", self.call.run).into());
        arguments.push(format!("--process={number}").into());
        arguments.push(format!("--parent={}", std::process::id()).into());
        arguments.extend(["--directory".into(), self.call.directory.clone().into()]);
        // Not by its path: the file there may be another version meanwhile.
        Command::new("/proc/self/exe")
            .arg0("deliveryd")
            .args(arguments)
            // The service manager hears of this process only.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // The terminal's Ctrl-C is for this process, which stops the others in order.
            .process_group(0)
            .spawn()
    }

    fn open_log(&self, number: u32) -> std::io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.log(number))
    }

    fn log(&self, number: u32) -> PathBuf {
        self.call.directory.join(format!("{number}.log"))
    }

    fn get(&mut self, number: u32) -> Result<&mut Process, String> {
        let index = (number as usize).checked_sub(1);
        index
            .and_then(|index| self.list.get_mut(index))
            .ok_or_else(|| format!("there is no process {number}"))
    }

    /// Asks every process whether all its members have their place in the group; says who has not.
    pub fn not_joined(&self) -> Option<String> {
        self.list.iter().find_map(|process| {
            let rehearsal = Rehearsal {
                run: self.call.run.clone(),
                group: self.call.group.clone(),
                process: process.number,
                directory: self.call.directory.clone(),
            };
            let wanted = Wanted {
                control: Some(rehearsal.socket()),
                ..Wanted::default()
            };
            let status = match Client::find(&wanted).and_then(|client| client.status()) {
                Ok(status) => status,
                Err(error) => return Some(format!("process {}: {error}", process.number)),
            };
            let joined = |state: &MemberState| {
                !matches!(
                    state,
                    MemberState::Starting | MemberState::Joining | MemberState::WaitingForBroker
                )
            };
            let whole = status.state == DaemonState::Running
                && status.groups.values().all(|group| {
                    group.members.len() == group.members_wanted as usize
                        && group.members.iter().all(|member| joined(&member.state))
                });
            let number = process.number;
            (!whole).then(|| format!("process {number} has not joined the group"))
        })
    }

    /// A process other than `struck` that ended though nobody asked it to, with its last words.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended_unasked(&mut self, struck: Option<u32>) -> Result<Option<String>, String> {
        for index in 0..self.list.len() {
            let process = &mut self.list[index];
            let number = process.number;
            if Some(number) != struck
                && let Some(status) = process.ended()?
            {
                process.child = None;
                return Ok(Some(format!(
                    "process {number} ended by itself ({status}):\n{}",
                    self.last_words(number)
                )));
            }
        }
        Ok(None)
    }

    /// The end of a process's log.
    pub fn last_words(&self, number: u32) -> String {
        let text = std::fs::read_to_string(self.log(number)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&mut self, number: u32, signal: Signal) -> Result<(), String> {
        let process = self.get(number)?;
        let child = process.child.as_ref();
        let child = child.ok_or_else(|| format!("process {number} does not run"))?;
        // Not reaped yet, so the id is still its own.
        kill_process(Pid::from_child(child), signal)
            .map_err(|error| format!("process {number} can't be signalled: {error}"))?;
        if signal == Signal::STOP {
            process.is_standing = true;
        } else if signal == Signal::CONT {
            process.is_standing = false;
        }
        Ok(())
    }

    /// How a process that was told to stop ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn take_ended(&mut self, number: u32) -> Result<Option<ExitStatus>, String> {
        let process = self.get(number)?;
        let status = process.ended()?;
        if status.is_some() {
            process.child = None;
        }
        Ok(status)
    }

    /// Stops all processes in order, at most for `most`; what is left then is killed. Returns what was
    /// not in order.
    pub fn stop_all(&mut self, most: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        for number in 1..=self.list.len() as u32 {
            let running = self
                .get(number)
                .is_ok_and(|process| process.child.is_some());
            if running {
                wrong.extend(self.signal(number, Signal::TERM).err());
                let standing = self.get(number).is_ok_and(|process| process.is_standing);
                if standing {
                    wrong.extend(self.signal(number, Signal::CONT).err());
                }
            }
        }
        let deadline = Instant::now() + most;
        for number in 1..=self.list.len() as u32 {
            wrong.extend(self.await_end(number, deadline));
        }
        wrong
    }

    fn await_end(&mut self, number: u32, deadline: Instant) -> Option<String> {
        while self.get(number).ok()?.child.is_some() {
            match self.take_ended(number) {
                Ok(Some(status)) if status.success() => return None,
                Ok(Some(status)) => {
                    let words = self.last_words(number);
                    return Some(format!("process {number} ended with {status}:\n{words}"));
                }
                Ok(None) if Instant::now() >= deadline => {
                    self.get(number).ok()?.kill();
                    let words = self.last_words(number);
                    return Some(format!("process {number} did not stop in time:\n{words}"));
                }
                Ok(None) => std::thread::sleep(LOOK),
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Removes the directory with its logs.
    ///
    /// # Errors
    /// The system refuses.
    pub fn remove_directory(&self) -> std::io::Result<()> {
        std::fs::remove_dir_all(&self.call.directory)
    }
}

impl Process {
    fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        let number = self.number;
        match &mut self.child {
            Some(child) => child
                .try_wait()
                .map_err(|error| format!("process {number} can't be looked at: {error}")),
            None => Ok(None),
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take()
            && let Err(error) = child.kill().and_then(|()| child.wait().map(drop))
        {
            tracing::warn!("process {} can't be killed: {error}", self.number);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
