//! What is said over the control socket, as both sides write and read it.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/status` | [`Status`](crate::observe::Status) |
//! | `GET /v1/history` | [`Remembered`](crate::observe::history::Remembered) |
//! | `GET /v1/plan` | [`Planned`] |
//! | `POST /v1/reload` | [`Reloaded`], when the change is in force or refused |
//! | `GET /v1/handlers/GROUP` | [`HandlerSources`] |
//! | `POST /v1/pause` with [`Target`] | [`Steered`] |
//! | `POST /v1/resume` with [`Resume`] | [`Steered`] |
//! | `POST /v1/seek/plan` with [`SeekTo`] | [`SeekPlan`] |
//! | `POST /v1/seek` with [`Seek`] | [`Sought`] |
//! | `POST /v1/log-level` with [`SetLevel`] | [`Level`] |
//! | `POST /v1/tap` with [`TapWanted`] | [`Tapped`], one a line, until the caller hangs up |
//!
//! Any answer but 200 has a [`Problem`] as its body. Fields may be added; readers pass over those that
//! they do not know; in what is asked, unknown fields are refused.

mod steering;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use steering::*;

pub const STATUS: &str = "/v1/status";
pub const HISTORY: &str = "/v1/history";
pub const PLAN: &str = "/v1/plan";
pub const RELOAD: &str = "/v1/reload";
/// Followed by the group's id, percent-encoded.
pub const HANDLERS: &str = "/v1/handlers/";

/// Why there is no other answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One sentence: what, and what to do.
    pub error: String,
}

/// What a reload would do now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Planned {
    /// The generation that runs.
    pub generation: u64,
    /// The configuration that was read.
    pub file: String,
    /// How a reload would end as far as can be known.
    pub verdict: Verdict,
    /// What it would do, in this order.
    pub changes: Vec<Change>,
    /// What can not be done while the daemon runs, and what to do instead.
    pub refused: Vec<String>,
    /// What to know although nothing is done about it.
    pub notes: Vec<String>,
    /// The configuration's mistakes, each of several lines as `deliveryd check` shows them.
    pub mistakes: Vec<String>,
    /// What is allowed and probably not meant, likewise.
    pub warnings: Vec<String>,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `+` for what comes, `-` for what goes, `~` for what changes.
    pub mark: char,
    pub text: String,
}

/// See [`Planned`] and [`Reloaded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Done, or to be done; also where nothing differs.
    #[default]
    Good,
    /// The configuration or a handler has mistakes.
    Wrong,
    /// It asks for what can not change while the daemon runs.
    Refused,
    /// It was tried, and one step failed.
    Failed,
}

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// This reload's own number: each one that is asked for has one.
    pub reload: u64,
    /// The generation that runs now: `reload` where it went well, an earlier one otherwise.
    pub generation: u64,
    pub verdict: Verdict,
    /// What was done, in this order. Undone again where the verdict is `failed`.
    pub steps: Vec<StepTaken>,
    /// From the request's turn to its end.
    pub seconds: f64,
    /// What it waits for before it is in force: a daemon that has not found its broker yet begins its
    /// start anew with the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Why not, where it was not done: sentences, or mistakes of several lines.
    pub reasons: Vec<String>,
    /// What to know although nothing is done about it.
    pub notes: Vec<String>,
    /// What is allowed and probably not meant, each of several lines.
    pub warnings: Vec<String>,
}

/// One step of a reload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTaken {
    /// What changed, one line each.
    pub lines: Vec<String>,
    /// Until it was in force: for members that were started, until they have joined.
    pub seconds: f64,
}

/// The program that a group runs now, as it was read; the files on disk may have changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerSources {
    pub group: String,
    pub version: String,
    /// The handler's name among `files`.
    pub file: String,
    /// Where the handler was read from, absolute.
    pub path: String,
    /// The text of the handler and of each module that it imports, by name within the handler's
    /// folder.
    pub files: BTreeMap<String, String>,
}
