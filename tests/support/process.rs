//! Child processes that never outlive the test, whatever ends it.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::wait::wait_for;

/// A running program, killed with its whole process group when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in a process group of its own.
    pub fn spawn(name: &str, mut command: Command) -> Process {
        command.process_group(0);
        Self::start(name, command)
    }

    /// Starts `command` in a session of its own, with its standard input as the terminal that controls it.
    pub fn spawn_at_terminal(name: &str, mut command: Command) -> Process {
        // SAFETY: both calls are async-signal-safe and touch no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        Self::start(name, command)
    }

    fn start(name: &str, mut command: Command) -> Process {
        // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
        }
        let child = spawn_from_keeper(command)
            .unwrap_or_else(|error| panic!("can't start {name}: {error}"));
        Process {
            name: name.to_owned(),
            child,
            ended: None,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal, such as `libc::SIGHUP`, to the program itself.
    pub fn signal(&self, signal: i32) {
        assert!(self.ended.is_none(), "{} has ended already", self.name);
        // SAFETY: plain system call; the child is not reaped yet, so the id is still its own.
        let result = unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
        assert_eq!(
            result,
            0,
            "signal {signal} to {}: {}",
            self.name,
            io::Error::last_os_error()
        );
    }

    /// No file that it writes may grow beyond so many bytes from now on.
    pub fn limit_files(&self, bytes: u64) {
        let limit = libc::rlimit {
            rlim_cur: bytes,
            rlim_max: libc::RLIM_INFINITY,
        };
        let id = self.child.id() as libc::pid_t;
        // SAFETY: plain system call; `limit` outlives it, and the old limit is not asked for.
        let result = unsafe { libc::prlimit(id, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
        assert_eq!(
            result,
            0,
            "limiting {}: {}",
            self.name,
            io::Error::last_os_error()
        );
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self
                .child
                .try_wait()
                .unwrap_or_else(|error| panic!("waiting for {}: {error}", self.name));
        }
        self.ended
    }

    /// Waits for its end; with how long that took.
    pub fn wait(&mut self, deadline: Duration) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        let what = format!("the end of {}", self.name);
        let status = wait_for(&what, deadline, || {
            self.ended().ok_or_else(|| "still running".to_owned())
        });
        (status, begin.elapsed())
    }

    /// `kill -9`, for the whole process group; returns when it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        // SAFETY: plain system call; the group is this child's own since `spawn`.
        unsafe { libc::kill(-(self.child.id() as libc::pid_t), libc::SIGKILL) };
        self.ended = self.child.wait().ok().or(Some(ExitStatus::from_raw(9)));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Order = (Command, Sender<io::Result<Child>>);

/// Forks on a thread that lives as long as this process.
///
/// The kernel sends the parent-death signal when the *thread* that forked ends (prctl(2)), and
/// libtest runs every test on a thread of its own: a broker that tests share would die with the first.
fn spawn_from_keeper(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, incoming) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in incoming {
                if let Err(unheard) = reply.send(command.spawn()) {
                    drop(unheard);
                }
            }
        });
        orders
    });
    let (reply, answer) = channel();
    let gone = |_| io::Error::other("the thread that starts processes is gone");
    keeper
        .send((command, reply))
        .map_err(|_| io::Error::other("the thread that starts processes is gone"))?;
    answer.recv().map_err(gone)?
}
