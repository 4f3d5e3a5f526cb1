//! `deliveryd config show`: the effective configuration, each value with its layer.

use std::io;

use super::{Exit, Output};
use crate::config::{Invocation, Outside, load};

/// Writes the effective configuration as TOML, secrets masked; or what is wrong with it.
///
/// # Errors
/// What the writers say.
pub fn config_show(
    invocation: &Invocation,
    outside: &dyn Outside,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    match load(invocation, outside) {
        Ok(loaded) => {
            output.warnings(&loaded.warnings)?;
            let mut text = String::new();
            loaded
                .effective
                .write(&mut text)
                .map_err(io::Error::other)?;
            writeln!(output.out, "{}", text.trim_end())?;
            Ok(Exit::Done)
        }
        Err(failed) => output.failed(&failed, "there is no effective configuration to show"),
    }
}
