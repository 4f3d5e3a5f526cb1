//! `deliveryd init DIR`: a commented config and handlers to start from.

use std::fs;
use std::io;
use std::path::Path;

use super::{Exit, Output};
use crate::config::schema;
use crate::service::files::Starter;

const CONFIG: &str = "deliveryd.toml";
const SCHEMA: &str = "deliveryd.schema.json";

/// What is written beside the schema, with its place in the directory.
const FILES: [(&str, &str); 3] = [
    (CONFIG, include_str!("deliveryd.toml")),
    (
        "handlers/print_delivery.rhai",
        include_str!("../../../handlers/print_delivery.rhai"),
    ),
    (
        "handlers/random_delivery.rhai",
        include_str!("../../../handlers/random_delivery.rhai"),
    ),
];

/// Writes the files into `directory`, which is made if it is not there. Where one of them is there
/// already nothing is written at all.
///
/// # Errors
/// What the writers say.
pub fn init(directory: &Path, output: &mut Output<'_>) -> io::Result<Exit> {
    let files = starters()?;
    for Starter { name, .. } in &files {
        let path = directory.join(name);
        // A dangling link is something, too.
        if path.symlink_metadata().is_ok() {
            writeln!(
                output.err,
                "error: {} is there already; nothing was written. Name another directory, or move it away",
                path.display()
            )?;
            return Ok(Exit::Failed);
        }
    }
    for Starter { name, text, .. } in &files {
        let path = directory.join(name);
        if let Err(error) = write_new(&path, text) {
            writeln!(
                output.err,
                "error: {} can't be written: {error}",
                path.display()
            )?;
            return Ok(Exit::Failed);
        }
        writeln!(output.out, "{}", path.display())?;
    }
    let config = directory.join(CONFIG);
    writeln!(output.out, "\nnow: deliveryd --config {}", config.display())?;
    Ok(Exit::Done)
}

/// A commented config, its schema, and the handlers that it names.
///
/// # Errors
/// The schema can't be written as text.
pub(super) fn starters() -> io::Result<Vec<Starter>> {
    let schema = serde_json::to_string_pretty(&schema()).map_err(io::Error::other)? + "\n";
    let mut starters = vec![Starter {
        name: SCHEMA,
        text: schema,
        made: true,
    }];
    starters.extend(FILES.map(|(name, text)| Starter {
        name,
        text: text.to_owned(),
        made: false,
    }));
    Ok(starters)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::create_new(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::cli::{CheckArgs, check};
    use crate::config::Invocation;

    /// What is written is good as it is.
    #[test]
    fn what_init_writes_passes_the_check() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new");
        let (out, err, exit) = run(|output| init(&directory, output));
        assert_eq!((err.as_str(), exit), ("", Exit::Done));
        assert!(out.contains("handlers/print_delivery.rhai"), "{out}");
        let invocation = Invocation {
            file: directory.join(CONFIG),
            sets: Vec::new(),
            env: std::collections::BTreeMap::new(),
        };
        let (out, err, exit) = run(|output| check(&CheckArgs::default(), &invocation, output));
        assert_eq!((err.as_str(), exit), ("", Exit::Done));
        assert!(out.contains("2 groups with 3 members"), "{out}");
    }

    /// Somebody's file is never overwritten, and nothing is written beside it.
    #[test]
    fn init_does_not_touch_what_is_there() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(CONFIG), "mine").unwrap();
        let (out, err, exit) = run(|output| init(place.path(), output));
        assert_eq!((out.as_str(), exit), ("", Exit::Failed));
        assert!(err.contains("deliveryd.toml is there already"), "{err}");
        assert_eq!(
            fs::read_to_string(place.path().join(CONFIG)).unwrap(),
            "mine"
        );
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
