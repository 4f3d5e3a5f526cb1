//! Scripts that were not written for this test: the repository's handlers, and the examples in the
//! documentation that ships with the rhai crate.

use std::fs;
use std::path::PathBuf;

use super::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` that ends in `.rhai`, with its folder.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        // Links are not followed: one of the hostile scripts' leads back here.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            scripts(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rhai") {
            found.push(path);
        }
    }
}

/// A script and what it can import, by the names that it imports them under.
fn files(script: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(script).unwrap_or_default();
    let mut files = BTreeMap::new();
    if text.contains("import") {
        let folder = script.parent().unwrap();
        let mut all = Vec::new();
        scripts(folder, &mut all);
        files.extend(all.iter().filter_map(|path| {
            let name = path.strip_prefix(folder).unwrap().to_string_lossy();
            Some((name.into_owned(), fs::read_to_string(path).ok()?))
        }));
    }
    files.insert("handler.rhai".into(), text);
    files
}

/// Every handler of the repository does the same.
#[test]
fn the_repositorys_handlers_do_the_same() {
    on_stack(handlers);
}

fn handlers() {
    let mut found = Vec::new();
    for folder in ["handlers", "tests", "src/cli/init", "config"] {
        scripts(&root().join(folder), &mut found);
    }
    let (mut compared, mut skipped) = (0, 0);
    for script in &found {
        let Ok(mut pair) = Pair::of(&files(script)) else {
            skipped += 1;
            continue;
        };
        let mut records = messages::all();
        if script.starts_with(root().join("tests")) {
            // Most of these go on until a limit ends them, whatever the message.
            pair.plenty = 2_000;
            records.truncate(2);
        }
        // Closures have names that no script can write; only what shares their variables can call them.
        let names = pair.compiled.functions.keys();
        let names: Vec<String> = names
            .filter(|name| !name.starts_with("anon$"))
            .cloned()
            .collect();
        for name in names {
            match pair.compare(&name, &records) {
                Ok(_) => compared += 1,
                // The time is not the same twice.
                Err(difference) if difference.contains("created_at") => {}
                Err(difference) => panic!("{}: {name}\n{difference}", script.display()),
            }
        }
    }
    println!(
        "{compared} functions of {} files, {skipped} files do not compile",
        found.len()
    );
    assert!(
        compared > 20,
        "only {compared} functions of {} files",
        found.len()
    );
}

/// The examples in the documentation of Rhai's own functions do the same. They are read from the crate,
/// where cargo has unpacked it.
#[test]
fn rhais_own_examples_do_the_same() {
    on_stack(rhais_examples);
}

fn rhais_examples() {
    let Some(source) = rhai_source() else {
        println!("skipped: the source of the rhai crate is not on this machine");
        return;
    };
    let mut compared = 0;
    for (at, example) in examples(&source).into_iter().enumerate() {
        let files = BTreeMap::from([(
            "handler.rhai".to_owned(),
            format!("fn handle(msg) {{\n{example}\n}}"),
        )]);
        let Ok(mut pair) = Pair::of(&files) else {
            continue;
        };
        match pair.compare("handle", &messages::some()[..1]) {
            Ok(_) => compared += 1,
            // Instants are not the same twice.
            Err(_) if example.contains("timestamp") => {}
            Err(difference) => panic!("example {at}:\n{example}\n{difference}"),
        }
    }
    println!("{compared} examples");
    assert!(compared > 100, "only {compared}");
}

fn rhai_source() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    let mut sources =
        registries.filter_map(|entry| Some(entry.ok()?.path().join("rhai-1.27.0/src")));
    sources.find(|source| source.is_dir())
}

/// The blocks of Rhai in doc comments.
fn examples(source: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(source.join("packages"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut examples = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut example: Option<String> = None;
        for line in text.lines() {
            let Some(line) = line.trim_start().strip_prefix("///") else {
                example = None;
                continue;
            };
            match (line.trim(), &mut example) {
                ("```rhai", _) => example = Some(String::new()),
                ("```", Some(done)) => {
                    examples.push(std::mem::take(done));
                    example = None;
                }
                (_, Some(open)) => {
                    open.push_str(line);
                    open.push('\n');
                }
                (_, None) => {}
            }
        }
    }
    examples
}
