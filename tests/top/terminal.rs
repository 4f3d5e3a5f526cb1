//! A program at a real terminal: a pseudo-terminal whose screen can be read and whose keys can be
//! pressed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::process::Process;
use crate::support::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with one program.
pub struct Terminal {
    process: Process,
    keys: File,
    /// The program's side, kept so that the terminal outlives the program.
    line: OwnedFd,
    screen: Arc<Mutex<vt100::Parser>>,
    before: Modes,
}

/// The settings of a terminal line: input, output, control, local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Modes(u32, u32, u32, u32);

impl Terminal {
    /// Starts `command` at a terminal of this size.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Terminal {
        let (ours, line) =
            open(columns, rows).unwrap_or_else(|error| panic!("a terminal: {error}"));
        let copy = |line: &OwnedFd| match line.try_clone() {
            Ok(line) => Stdio::from(line),
            Err(error) => panic!("a terminal: {error}"),
        };
        command
            .stdin(copy(&line))
            .stdout(copy(&line))
            .stderr(copy(&line));
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let before = modes(&line);
        let process = Process::spawn_at_terminal("the program at the terminal", command);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            cells(rows),
            cells(columns),
            0,
        )));
        let keys = File::from(ours);
        let mut output = keys.try_clone().unwrap_or_else(|error| panic!("{error}"));
        let shown = Arc::clone(&screen);
        // It ends with the terminal.
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                lock(&shown).process(&piece[..length]);
            }
        });
        Terminal {
            process,
            keys,
            line,
            screen,
            before,
        }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        lock(&self.screen).screen().contents()
    }

    /// Waits until the screen shows all of this.
    #[track_caller]
    pub fn wait_for(&self, wanted: &[&str]) {
        wait_for(&format!("the screen to show {wanted:?}"), PATIENCE, || {
            let text = self.text();
            match wanted.iter().all(|wanted| text.contains(wanted)) {
                true => Ok(()),
                false => Err(format!("\n{text}")),
            }
        });
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let pressed = self.keys.write_all(keys.as_bytes());
        pressed.unwrap_or_else(|error| panic!("pressing {keys:?}: {error}"));
    }

    /// Gives the terminal another size; the program is told as terminals tell it.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        lock(&self.screen).set_size(cells(rows), cells(columns));
        let size = size(columns, rows);
        // SAFETY: plain system call; `size` outlives it.
        let result = unsafe { libc::ioctl(self.keys.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        self.process.wait(PATIENCE).0
    }

    /// Whether the terminal is in its usual state, as it was before the program; if not, why.
    #[track_caller]
    pub fn wait_until_given_back(&self) {
        wait_for("the terminal to be as before", PATIENCE, || {
            let parser = lock(&self.screen);
            let screen = parser.screen();
            let now = (
                screen.alternate_screen(),
                screen.hide_cursor(),
                modes(&self.line),
            );
            match now == (false, false, self.before) {
                true => Ok(()),
                false => Err(format!("{now:?}, before {:?}", self.before)),
            }
        });
    }
}

fn lock(screen: &Mutex<vt100::Parser>) -> MutexGuard<'_, vt100::Parser> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}

fn size(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Our side and the program's.
fn open(columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut line) = (-1, -1);
    let size = size(columns, rows);
    let (no_name, no_settings) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: the pointers are of living values or null, which stands for the usual settings.
    let result = unsafe { libc::openpty(&mut ours, &mut line, no_name, no_settings, &size) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: openpty has just opened both, and nobody else owns them.
    let (ours, line) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(line)) };
    for side in [&ours, &line] {
        // SAFETY: plain system call on a file that is open. Other children must not keep the terminal.
        if unsafe { libc::fcntl(side.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok((ours, line))
}

fn modes(line: &OwnedFd) -> Modes {
    // SAFETY: all bits zero is a value of this structure of numbers, which the call then fills.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `settings` outlives the call.
    let result = unsafe { libc::tcgetattr(line.as_raw_fd(), &mut settings) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    Modes(
        settings.c_iflag,
        settings.c_oflag,
        settings.c_cflag,
        settings.c_lflag,
    )
}
