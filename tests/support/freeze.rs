//! Stops one thread of a process and lets the others go on, as a call that never returns would.

use std::fs;
use std::ptr::null_mut;
use std::time::Duration;

use super::wait_for;

/// For the kernel.
const SOON: Duration = Duration::from_secs(30);

/// A thread that stands still until it is dropped.
///
/// It is a tracee of the thread that stopped it, so it has to be used and dropped there.
pub struct Thread {
    id: libc::pid_t,
    dead: bool,
}

impl Thread {
    /// Stops the thread of this name.
    #[track_caller]
    pub fn stop(process: u32, name: &str) -> Thread {
        let id = find(process, name);
        // SAFETY: plain system calls, which take no memory of this process.
        unsafe {
            let nothing = null_mut::<libc::c_void>();
            assert_eq!(
                libc::ptrace(libc::PTRACE_SEIZE, id, nothing, nothing),
                0,
                "seizing {id}"
            );
            assert_eq!(
                libc::ptrace(libc::PTRACE_INTERRUPT, id, nothing, nothing),
                0,
                "stopping {id}"
            );
        }
        let mut thread = Thread { id, dead: false };
        wait_for("the thread to stop", SOON, || match thread.wait() {
            Some(status) if libc::WIFSTOPPED(status) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        thread
    }

    /// A dead tracee keeps its process in the table until its tracer has heard of it.
    pub fn reap_if_dead(&mut self) {
        if self.dead {
            return;
        }
        if let Some(status) = self.wait() {
            self.dead = libc::WIFEXITED(status) || libc::WIFSIGNALED(status);
        }
    }

    /// What has happened to it, if anything.
    fn wait(&mut self) -> Option<libc::c_int> {
        let mut status = 0;
        // SAFETY: the status is this function's own.
        let heard = unsafe { libc::waitpid(self.id, &mut status, libc::WNOHANG | libc::__WALL) };
        (heard == self.id).then_some(status)
    }
}

impl Drop for Thread {
    /// Lets it go on.
    fn drop(&mut self) {
        if !self.dead {
            let nothing = null_mut::<libc::c_void>();
            // SAFETY: a plain system call. It fails where the process has died meanwhile, and then there
            // is nothing to let go.
            unsafe { libc::ptrace(libc::PTRACE_DETACH, self.id, nothing, nothing) };
        }
    }
}

#[track_caller]
fn find(process: u32, name: &str) -> libc::pid_t {
    let folder = format!("/proc/{process}/task");
    let tasks = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let found = tasks.flatten().find_map(|task| {
        let named = fs::read_to_string(task.path().join("comm")).ok()?;
        (named.trim() == name).then(|| task.file_name().to_str()?.parse().ok())?
    });
    found.unwrap_or_else(|| panic!("process {process} has no thread {name:?}"))
}
