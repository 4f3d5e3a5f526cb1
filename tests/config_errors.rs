//! Golden files: each wrong config in `tests/config_errors/` beside the exact text that it must get.
//!
//! The first lines of a config may say `# env: NAME=value` and `# set: key=value`. After a change
//! that is meant, `UPDATE_GOLDEN=1 cargo test --test config_errors` writes the texts anew; read the
//! difference before it is committed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deliveryd::config::{Invocation, load};
use deliveryd::preflight::Compiler;

fn folder() -> PathBuf {
    PathBuf::from("tests/config_errors")
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let wrong = files.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let mut names: Vec<String> = wrong
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The file's own layers, from its comments.
fn invocation(file: PathBuf) -> Invocation {
    let bytes = std::fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let said = |what: &'static str| text.lines().filter_map(move |line| line.strip_prefix(what));
    let env = said("# env: ").map(|pair| {
        let (name, value) = pair.split_once('=').expect("# env: NAME=value");
        (name.to_owned(), value.to_owned())
    });
    let env = env.chain([("XDG_RUNTIME_DIR".to_owned(), "/run/user/1".to_owned())]);
    let env: BTreeMap<_, _> = env.collect();
    Invocation {
        env,
        sets: said("# set: ").map(str::to_owned).collect(),
        file,
    }
}

fn text_of(name: &str) -> String {
    let invocation = invocation(folder().join(format!("{name}.toml")));
    match load(&invocation, &Compiler::default()) {
        Ok(_) => "nothing is wrong with it\n".into(),
        Err(failed) => {
            let mut text = String::new();
            failed
                .write(&mut text, "nothing was started", false)
                .unwrap();
            text
        }
    }
}

/// Every wrong config gets exactly the text that lies beside it.
#[test]
fn every_wrong_config_gets_its_text() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    for name in names() {
        let text = text_of(&name);
        let golden = folder().join(format!("{name}.txt"));
        if update {
            std::fs::write(&golden, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if text != expected {
            different.push(format!(
                "== {name}\n-- expected\n{expected}\n-- got\n{text}"
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// A config here is wrong, or it would test nothing; and every text has its config.
#[test]
fn every_config_here_is_wrong() {
    let names = names();
    assert!(names.len() >= 45, "only {} golden files", names.len());
    for name in &names {
        let text = text_of(name);
        assert!(
            text.trim_end().ends_with("nothing was started."),
            "{name}: {text}"
        );
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name), "{name}.txt has no config");
        }
    }
}

/// No text shows a secret, whatever is wrong beside it.
#[test]
fn no_text_shows_a_secret() {
    let mut with_secret = 0;
    for name in names() {
        let file = folder().join(format!("{name}.toml"));
        let config = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        with_secret += usize::from(config.contains("hunter2"));
        assert!(!text_of(&name).contains("hunter2"), "{name}");
    }
    assert!(
        with_secret >= 3,
        "too few configs with a secret: {with_secret}"
    );
}
