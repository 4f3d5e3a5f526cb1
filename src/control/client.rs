//! The commands' side of the socket: finds the daemon that is meant, asks, and waits.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use hyper::{Method, StatusCode};

use super::protocol::{
    self, HandlerSources, Level, Planned, Reloaded, Resume, Seek, SeekPlan, SeekTo, SetLevel,
    Sought, Steered, TapWanted, Tapped, Target,
};
use crate::config::{Invocation, control_directories, named_control};
use crate::diagnostic::{shown_path, tidy};
use crate::observe::Status;
use crate::observe::history::Remembered;

/// Answers that need no work are there within this time.
const SOON: Duration = Duration::from_secs(10);
/// A configuration is read, its handlers compiled; a reload that is under way is waited for.
const PLAN: Duration = Duration::from_secs(600);
/// A steering command waits for a reload that is under way, and a seek for what is in flight.
const STEER: Duration = Duration::from_secs(600);
/// Members drain, leave and join, one after another where they are replaced.
const RELOAD: Duration = Duration::from_secs(3600);

/// Which daemon is meant.
#[derive(Clone, Default)]
pub struct Wanted {
    /// `--control`.
    pub control: Option<PathBuf>,
    /// `--config`, with what else says where the socket is.
    pub config: Option<Invocation>,
    /// The environment, for the default places.
    pub env: BTreeMap<String, String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// With all places that were tried and what was found there.
    #[error("no deliveryd answers: {tried}; {instead}")]
    Nobody {
        tried: String,
        instead: &'static str,
    },
    #[error("there is more than one deliveryd: {found}; say which with --control PATH")]
    Several { found: String },
    #[error("{socket} did not answer within {}", humantime::format_duration(*after))]
    Slow { socket: String, after: Duration },
    /// What the daemon said, one sentence.
    #[error("{0}")]
    Refused(String),
    #[error("the answer of {socket} can not be read: {why}")]
    Strange { socket: String, why: String },
}

/// A daemon's socket.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) path: PathBuf,
}

impl Client {
    /// Finds the daemon that is meant: at the place that is named, else at the default places.
    ///
    /// # Errors
    /// Nobody answers there, or more than one does and nothing says which.
    pub fn find(wanted: &Wanted) -> Result<Self, ClientError> {
        let named = match (&wanted.control, &wanted.config) {
            (Some(path), _) => Some(path.clone()),
            (None, Some(invocation)) => named_control(invocation),
            (None, None) => None,
        };
        if let Some(path) = named {
            let client = Self { path };
            return match client.look() {
                Ok(_) => Ok(client),
                Err(why) => Err(ClientError::Nobody {
                    tried: why,
                    instead: "is it running, and is this its socket?",
                }),
            };
        }
        let file = wanted.config.as_ref().map(|config| absolute(&config.file));
        Self::search(&control_directories(&wanted.env), file.as_deref())
    }

    /// Looks through the default places for the one daemon; with `file` for the one that runs it.
    pub(super) fn search(
        directories: &[PathBuf],
        file: Option<&Path>,
    ) -> Result<Self, ClientError> {
        let (mut found, mut tried) = (Vec::new(), Vec::new());
        for directory in directories {
            let sockets = sockets(directory);
            if sockets.is_empty() {
                tried.push(format!("no socket in {}", directory.display()));
            }
            for path in sockets {
                let client = Self { path };
                match client.look() {
                    Ok(status) if file.is_none_or(|file| file == status.config) => {
                        found.push((client, status.instance));
                    }
                    Ok(status) => tried.push(format!(
                        "{} runs {}",
                        client.path.display(),
                        shown_path(&status.config)
                    )),
                    Err(why) => tried.push(why),
                }
            }
        }
        match found.len() {
            0 => Err(ClientError::Nobody {
                tried: tried.join("; "),
                instead: "start it, or say where it is with --control PATH or --config FILE",
            }),
            1 => Ok(found.remove(0).0),
            _ => {
                let named: Vec<String> = found
                    .iter()
                    .map(|(client, instance)| format!("{instance} at {}", client.path.display()))
                    .collect();
                let found = named.join(", ");
                Err(ClientError::Several { found })
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that runs.
    ///
    /// # Errors
    /// See [`ClientError`]; so with the others.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get(protocol::STATUS, SOON)
    }

    /// The last ten minutes in numbers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn history(&self) -> Result<Remembered, ClientError> {
        self.get(protocol::HISTORY, SOON)
    }

    /// What a reload would do.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn plan(&self) -> Result<Planned, ClientError> {
        self.get(protocol::PLAN, PLAN)
    }

    /// Reloads, and waits until that is in force or refused.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn reload(&self) -> Result<Reloaded, ClientError> {
        self.ask(Method::POST, protocol::RELOAD, Bytes::new(), RELOAD)
    }

    /// The program that a group runs now.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn handler(&self, group: &str) -> Result<HandlerSources, ClientError> {
        let path = format!("{}{}", protocol::HANDLERS, encoded(group));
        self.get(&path, SOON)
    }

    /// Has a group, a part of it or a producer start nothing more until it is resumed.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn pause(&self, target: &Target) -> Result<Steered, ClientError> {
        self.post(protocol::PAUSE, target, STEER)
    }

    /// Has what is paused or stuck go on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn resume(&self, wanted: &Resume) -> Result<Steered, ClientError> {
        self.post(protocol::RESUME, wanted, STEER)
    }

    /// What a seek would do.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn plan_seek(&self, wanted: &SeekTo) -> Result<SeekPlan, ClientError> {
        self.post(protocol::SEEK_PLAN, wanted, STEER)
    }

    /// Moves a group's offsets, and waits until they are committed.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn seek(&self, wanted: &Seek) -> Result<Sought, ClientError> {
        self.post(protocol::SEEK, wanted, STEER)
    }

    /// Says or changes what the log shows.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn log_level(&self, wanted: &SetLevel) -> Result<Level, ClientError> {
        self.post(protocol::LOG_LEVEL, wanted, SOON)
    }

    /// Gives each line of a tap to `take` until the daemon ends it or `take` fails.
    ///
    /// # Errors
    /// See [`ClientError`]; within them, what `take` says.
    pub fn tap(
        &self,
        wanted: &TapWanted,
        take: impl FnMut(Tapped) -> io::Result<()>,
    ) -> Result<io::Result<()>, ClientError> {
        let body = self.json(wanted)?;
        self.runtime()?.block_on(async {
            let began = tokio::time::timeout(SOON, self.open(Method::POST, protocol::TAP, body));
            let (answer, _connection) = began.await.map_err(|_| self.slow(SOON))??;
            let code = answer.status();
            if code != StatusCode::OK {
                let body = self.body(answer.into_body()).await?;
                return Err(self.problem(code, &body));
            }
            self.lines(answer, take).await
        })
    }

    /// The daemon's status, or what there is instead.
    fn look(&self) -> Result<Status, String> {
        let shown = self.path.display();
        match self.status() {
            Ok(status) => Ok(status),
            Err(ClientError::Nobody { tried, .. }) => Err(tried),
            Err(error) => Err(format!("{shown}: {error}")),
        }
    }

    pub(super) fn nobody(&self, error: &io::Error) -> ClientError {
        let path = self.path.display();
        let tried = match error.kind() {
            io::ErrorKind::NotFound => format!("{path} is not there"),
            io::ErrorKind::ConnectionRefused => {
                format!("{path} is there, but nobody listens (left by one that was killed)")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{path} is only for its daemon's user and group")
            }
            _ => format!("{path}: {error}"),
        };
        ClientError::Nobody {
            tried,
            instead: "is it running, and is this its socket?",
        }
    }
}

/// The sockets in a default place, and in the directories of services below it.
fn sockets(directory: &Path) -> Vec<PathBuf> {
    // In /tmp anybody could have made it, to answer as they like.
    let own = rustix::process::geteuid().as_raw();
    let trusted = |about: fs::Metadata| about.uid() == own || about.uid() == 0;
    let temporary = directory.starts_with("/tmp");
    if temporary && !fs::symlink_metadata(directory).is_ok_and(trusted) {
        return Vec::new();
    }
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let nested = path.join("control.sock");
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("control") && name.ends_with(".sock") {
            sockets.push(path);
        } else if nested.exists() {
            sockets.push(nested);
        }
    }
    sockets.sort();
    sockets
}

fn absolute(file: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    tidy(&here.join(file))
}

/// Percent-encoded as one segment of a path.
fn encoded(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
