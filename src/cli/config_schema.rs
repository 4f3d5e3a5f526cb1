//! `deliveryd config schema`: the JSON Schema of the configuration file.

use std::io;

use super::{Exit, Output};
use crate::config::schema;

/// Writes the schema, for editors that complete and check TOML by one.
///
/// # Errors
/// What the writers say.
pub fn config_schema(output: &mut Output<'_>) -> io::Result<Exit> {
    let text = serde_json::to_string_pretty(&schema()).map_err(io::Error::other)?;
    writeln!(output.out, "{text}")?;
    Ok(Exit::Done)
}
