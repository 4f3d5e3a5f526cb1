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

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    /// The schema that the sample configs name for editors is the one of this version.
    #[test]
    fn schema_beside_the_sample_configs_is_current() {
        let file = "config/deliveryd.schema.json";
        let (current, _, _) = run(config_schema);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(file, &current).unwrap();
        }
        let there = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            there == current,
            "{file} is old; UPDATE_GOLDEN=1 cargo test writes it"
        );
    }
}
