//! Which test files there are: those beside the handlers, or below what was named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::diagnostic::shown_path;
use crate::script::testing::{SUFFIX, Settings, handler_of, tests_of};

/// Where tests are looked for when nothing says where.
const FOLDER: &str = "handlers";
/// Deeper folders are not looked into; a chain of links would never end.
const DEEPEST: usize = 16;

/// A test file, and the cage of its handler.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub file: PathBuf,
    pub settings: Settings,
}

/// The command line names what is not there.
#[derive(Debug)]
pub(super) struct Wrong(pub String);

/// The test files of `paths`, else of the config's handlers, else of ./handlers; in order.
pub(super) fn planned(paths: &[PathBuf], config: Option<&Config>) -> Result<Vec<Planned>, Wrong> {
    let mut files = Vec::new();
    for path in roots(paths, config) {
        if path.is_dir() {
            below(&path, 0, &mut files);
        } else if path.is_file() {
            files.push(of_file(&path)?);
        } else {
            return Err(Wrong(format!(
                "{} is not there; name a test file, a handler or a folder",
                shown_path(&path)
            )));
        }
    }
    let files = files.into_iter().map(|file| crate::diagnostic::tidy(&file));
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files.dedup();
    let cages = cages(config);
    Ok(files
        .into_iter()
        .map(|file| Planned {
            settings: handler_of(&file)
                .and_then(|handler| cages.get(&handler).copied())
                .unwrap_or_default(),
            file,
        })
        .collect())
}

/// The folders that are watched for what is planned.
pub(super) fn folders(paths: &[PathBuf], config: Option<&Config>) -> Vec<PathBuf> {
    let folder = |path: PathBuf| match path.is_dir() {
        true => Some(path),
        false => path.parent().map(Path::to_owned),
    };
    roots(paths, config)
        .into_iter()
        .filter_map(folder)
        .collect()
}

fn roots(paths: &[PathBuf], config: Option<&Config>) -> Vec<PathBuf> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let Some(config) = config.filter(|_| paths.is_empty()) else {
        let default = [PathBuf::from(FOLDER)];
        let paths = if paths.is_empty() { &default } else { paths };
        return paths.iter().map(absolute).collect();
    };
    let groups = config.groups.values().map(|group| &group.handler);
    let handlers = groups.chain(config.producers.values().map(|producer| &producer.handler));
    handlers
        .filter_map(|handler| handler.parent().map(Path::to_owned))
        .collect()
}

/// The test file that is meant by a file: itself, or the one beside a handler.
fn of_file(path: &Path) -> Result<PathBuf, Wrong> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(SUFFIX) {
        return Ok(path.to_owned());
    }
    let tests = tests_of(path);
    if name.ends_with(".rhai") && tests.is_file() {
        return Ok(tests);
    }
    Err(Wrong(format!(
        "{} is no test file, and {} is not there",
        shown_path(path),
        shown_path(&tests)
    )))
}

/// The test files in a folder and below it, hidden folders left out.
fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && depth < DEEPEST {
            below(&path, depth + 1, files);
        } else if name.ends_with(SUFFIX) && path.is_file() {
            files.push(path);
        }
    }
}

/// Each handler of the config with the limits and the timeout that it runs with.
fn cages(config: Option<&Config>) -> BTreeMap<PathBuf, Settings> {
    let mut cages = BTreeMap::new();
    let Some(config) = config else {
        return cages;
    };
    for producer in config.producers.values() {
        let settings = Settings {
            limits: producer.limits,
            ..Settings::default()
        };
        cages.insert(producer.handler.clone(), settings);
    }
    // In reverse, so that the first group of those with the same handler counts.
    for group in config.groups.values().rev() {
        let settings = Settings {
            limits: group.limits,
            call: group.handler_timeout,
            ..Settings::default()
        };
        cages.insert(group.handler.clone(), settings);
    }
    cages
}
