//! `deliveryd status`: what runs now, once; `--json` is what `/api/status` says.

mod text;

use std::io;
use std::time::Duration;

use super::{Exit, Output, remote};
use crate::control::{Client, Wanted};
use crate::observe::now;

/// Asks the running daemon and prints what it says.
///
/// # Errors
/// What the writers say.
pub fn status(wanted: &Wanted, json: bool, output: &mut Output<'_>) -> io::Result<Exit> {
    // Rates come from what the daemon remembers; one of an older version remembers nothing.
    let ask = |client: &Client| {
        let status = client.status()?;
        let remembered = match json {
            true => None,
            false => client.history().ok(),
        };
        Ok((status, remembered.unwrap_or_default()))
    };
    remote::asked(
        wanted,
        ask,
        |(status, remembered), output| {
            if json {
                let text = serde_json::to_string_pretty(&status).map_err(io::Error::other)?;
                writeln!(output.out, "{text}")?;
            } else {
                let age = now().duration_since(status.started_at);
                let age = Duration::try_from(age).unwrap_or_default();
                let text = text::text(&status, &remembered.samples, age);
                output.out.write_all(text.as_bytes())?;
            }
            Ok(Exit::Done)
        },
        output,
    )
}
