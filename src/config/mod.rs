//! The configuration: its types, its layers, its checks, and where each value stands.

mod types;

pub use types::*;
