//! What people and machines see of the daemon: logs, the terminal's lines, status, metrics, HTTP.
//!
//! The daemon and its members write into a [`Board`] and a few metric handles; everything here reads
//! snapshots of them. Nothing here knows Kafka, Rhai, members or the topology, and nothing here
//! changes what runs.

mod board;
mod clock;
pub mod history;
pub mod http;
pub mod lessons;
pub mod logs;
pub mod metrics;
mod pulse;
pub mod rebalances;
pub mod status;
pub mod terminal;

pub use board::{Board, GroupInfo, MemberBoard, ProducerBoard, Summary, Wedged};
pub use clock::now;
pub use history::History;
pub use http::HttpServer;
pub(crate) use logs::escaped;
pub use logs::{Format, LogError, LogGuard};
pub use metrics::Metrics;
pub use status::Status;
