//! The socket's place on the file system: taken from a dead daemon, never from a live one, closed to
//! others, and given back at the end.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::protocol;
use crate::observe::Status;

/// The daemon's user and group may ask; nobody else.
const MODE: u32 = 0o660;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// A daemon that has the socket already is asked for its name for so long.
const NAME: Duration = Duration::from_secs(2);

/// Why the socket can not be had.
#[derive(Debug, thiserror::Error)]
#[error("the control socket {} can not be opened: {why}; {instead}", path.display())]
pub struct SocketError {
    pub path: PathBuf,
    pub why: String,
    /// What to do.
    pub instead: String,
}

/// A place that is taken; given back when dropped.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    /// Device and inode, so that a successor's socket is not taken for ours.
    identity: (u64, u64),
}

impl Socket {
    /// Takes the place, and listens there.
    ///
    /// The directory is made where it is missing, for the daemon's user alone. A socket that nobody
    /// answers at is replaced.
    ///
    /// # Errors
    /// Another daemon has it, or the file system refuses.
    pub fn open(path: &Path) -> Result<(Self, std::os::unix::net::UnixListener), SocketError> {
        let fail = |why: String| SocketError {
            path: path.to_owned(),
            why,
            instead: "set `daemon.control` to a place that deliveryd may write to".to_owned(),
        };
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        make(directory).map_err(|error| fail(with_place(directory, &error)))?;
        check_owner(directory).map_err(fail)?;
        // Of two daemons that start at once, one looks only when the other one listens.
        let _turn = turn(directory).map_err(|error| fail(with_place(directory, &error)))?;
        clear(path)?;
        let listener = listen(path).map_err(|error| fail(words(&error)))?;
        let about = fs::symlink_metadata(path).map_err(|error| fail(words(&error)))?;
        let socket = Self {
            path: path.to_owned(),
            identity: (about.dev(), about.ino()),
        };
        Ok((socket, listener))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|about| (about.dev(), about.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(
                "the control socket {} stays behind: {}",
                self.path.display(),
                words(&error)
            );
        }
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Somebody else's directory is somebody else's socket tomorrow.
fn check_owner(directory: &Path) -> Result<(), String> {
    let about = fs::metadata(directory).map_err(|error| with_place(directory, &error))?;
    let own = rustix::process::geteuid().as_raw();
    if about.uid() == own || about.uid() == 0 {
        return Ok(());
    }
    Err(format!(
        "{} belongs to another user ({})",
        directory.display(),
        about.uid()
    ))
}

/// Holds the directory's lock while it is kept.
fn turn(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Removes what a dead daemon left; refuses to touch anything else.
fn clear(path: &Path) -> Result<(), SocketError> {
    let fail = |why: String, instead: &str| {
        Err(SocketError {
            path: path.to_owned(),
            why,
            instead: instead.to_owned(),
        })
    };
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return fail(words(&error), "set `daemon.control` to another place"),
    };
    if !about.file_type().is_socket() {
        return fail(
            "there is a file of that name, and it is no socket".to_owned(),
            "remove it, or set `daemon.control` to another place",
        );
    }
    match UnixStream::connect(path) {
        Ok(stream) => fail(
            format!("it belongs to {}", owner(stream)),
            "stop that one, or give this one its own `daemon.instance` or `daemon.control`",
        ),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::debug!("replacing {}, which nobody listens at", path.display());
            fs::remove_file(path).or_else(|error| fail(words(&error), "remove it"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => fail(
            format!("somebody else has it ({})", words(&error)),
            "set `daemon.control` to another place",
        ),
    }
}

/// Names the daemon at the other end.
fn owner(stream: UnixStream) -> String {
    let process = rustix::net::sockopt::socket_peercred(&stream)
        .map(|peer| format!("process {}", peer.pid.as_raw_nonzero()))
        .unwrap_or_else(|_| "another process".to_owned());
    match instance(stream) {
        Some(name) => format!("another deliveryd ({name:?}, {process})"),
        None => process,
    }
}

fn instance(mut stream: UnixStream) -> Option<String> {
    stream.set_read_timeout(Some(NAME)).ok()?;
    stream.set_write_timeout(Some(NAME)).ok()?;
    // HTTP/1.0: the answer ends with the connection.
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n",
        protocol::STATUS
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(16 << 20).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<Status>(body)
        .ok()
        .map(|status| status.instance)
}

fn listen(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // Before it has a name, so that it is at no time open to more than it is to be.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(MODE))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    // The umask may have taken the group's part away.
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

fn with_place(path: &Path, error: &io::Error) -> String {
    format!("{}: {}", path.display(), words(error))
}

/// Without the number, which says nothing to most.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
