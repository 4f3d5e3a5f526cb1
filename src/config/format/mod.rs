//! How values are written: what each format takes, what it says when it refuses, and its schema.
//!
//! A [`Format`] turns one of figment's values into the checked type. Most are [`Scalar`]s, which
//! are a sentence (`a whole number from 1 to 1000`), a schema and a function.

mod kafka;
mod properties;
mod scalar;
mod table;

use figment::value::Value;
use schemars::{Schema, SchemaGenerator};

pub use kafka::{brokers, client_name, rate, start, topic_name, topic_names};
pub use properties::{is_file, properties};
pub use scalar::{
    address, choice, duration, flag, handler, hosts, level, path, share, size, whole,
};
pub use table::{entries, optional, params, section, texts};

use super::reader::Reader;
use super::settings::Node;

/// What can be known of a format without reading a value.
pub trait Shape {
    fn node(&self) -> Node;
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
}

/// A format that is read into `Out`.
pub trait Format: Shape {
    type Out;

    /// Reads `value`, which stands at `path`; `None` once its mistakes are in the reader's report.
    fn read(&self, value: &Value, path: &[String], reader: &mut Reader<'_>) -> Option<Self::Out>;

    /// What is used where there is no value or a wrong one. A wrong one is never run with.
    fn stand_in(&self, reader: &mut Reader<'_>) -> Self::Out;
}
