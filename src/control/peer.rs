//! Who is at the other end of the socket, as the kernel says (`SO_PEERCRED`).

use std::fmt;

use tokio::net::UnixStream;

/// A process that asked for something. Nothing that it says itself goes in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peer {
    /// User, group and process, where the kernel says.
    known: Option<(u32, u32, Option<i32>)>,
}

impl Peer {
    /// The process that opened this connection.
    pub fn of(stream: &UnixStream) -> Self {
        let known = stream.peer_cred().ok();
        Self {
            known: known.map(|it| (it.uid(), it.gid(), it.pid())),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known {
            Some((user, group, process)) => {
                write!(f, "user {user}, group {group}")?;
                match process {
                    Some(process) => write!(f, ", process {process}"),
                    None => Ok(()),
                }
            }
            None => f.write_str("a process that the kernel does not name"),
        }
    }
}
