//! Handlers: the file is there, and what the script room says of it.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Checks, Said};
use crate::config::load::HandlerKind;
use crate::config::places::Spot;
use crate::config::secrets::without_number;
use crate::config::types::Limits;
use crate::diagnostic::shown_path;

pub fn check(checks: &mut Checks<'_, '_>) {
    let config = checks.config;
    for (name, producer) in &config.producers {
        let path = ["producers", name, "handler"];
        handler(
            checks,
            &path,
            &producer.handler,
            HandlerKind::Producer,
            &producer.limits,
        );
    }
    for (id, group) in &config.groups {
        let path = ["groups", id, "handler"];
        handler(
            checks,
            &path,
            &group.handler,
            HandlerKind::Consumer,
            &group.limits,
        );
    }
}

fn handler(
    checks: &mut Checks<'_, '_>,
    path: &[&str],
    file: &Path,
    kind: HandlerKind,
    limits: &Limits,
) {
    // A stand-in for a path that is missing or mistaken.
    if file.as_os_str().is_empty() || !checks.good(path) {
        return;
    }
    let mistake = match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some("it is not a file".to_owned()),
        Err(error) => Some(without_number(&error)),
    };
    if let Some(mistake) = mistake {
        let message = format!("the handler {} can't be read", shown_path(file));
        let hints = neighbour(file).map(|near| format!("did you mean {near:?}?"));
        let said = Said {
            hints: hints.into_iter().collect(),
            ..Said::new(message, mistake)
        };
        checks.mistake(path, Spot::Value, said);
        return;
    }
    for mistake in checks.outside.handler(file, kind, limits) {
        checks.reader.report.handler(mistake);
    }
}

/// A file in the same folder with a similar name.
fn neighbour(file: &Path) -> Option<String> {
    let names: BTreeSet<String> = std::fs::read_dir(file.parent()?)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let wanted = file.file_name()?.to_str()?;
    crate::config::suggest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}
