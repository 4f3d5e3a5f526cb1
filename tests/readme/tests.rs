//! The page's own test file: it passes, it tells a mistake as shown, and what its table lists exists.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::page::{Page, spans};
use crate::support::run_dir::repository;

/// The page's handler and its tests, with `change` made to the handler; what running them prints.
fn run(change: impl Fn(&str) -> String) -> (Option<i32>, String) {
    let page = Page::read();
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut tests = 0;
    for block in page.blocks.iter().filter(|block| block.kind == "rhai") {
        if let Some(name) = block.tag.strip_suffix(".test.rhai") {
            tests += 1;
            write(&dir.path().join(&block.tag), &block.text);
            let tag = format!("{name}.rhai");
            let Some(handler) = page.blocks.iter().find(|block| block.tag == tag) else {
                panic!("{tag} is not on the page");
            };
            write(&dir.path().join(tag), &change(&handler.text));
        }
    }
    assert!(tests > 0, "no test file is on the page");
    let output = Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .args(["test", "."])
        .current_dir(dir.path())
        .output()
        .unwrap_or_else(|error| panic!("deliveryd: {error}"));
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&both).into_owned(),
    )
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// The text with each time as `_`; how wide a time is does not count.
fn without_times(text: &str) -> String {
    let words = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut kept: Vec<&str> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            if words.get(at + 1) == Some(&"ms") {
                while kept.last() == Some(&"") {
                    kept.pop();
                }
                kept.push("_");
            } else {
                kept.push(word);
            }
        }
        kept.join(" ")
    });
    words.collect::<Vec<_>>().join("\n")
}

/// The tests that are shown pass, and with the mistake that is named they print what is shown.
#[test]
fn the_tests_on_the_page_pass_and_tell_the_mistake() {
    let (code, told) = run(str::to_owned);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = run(|handler| {
        assert!(handler.contains(" * item.qty"), "{handler}");
        handler.replace(" * item.qty", "")
    });
    assert_eq!(code, Some(1), "{told}");
    let page = Page::read();
    let shown = page.blocks("text", "tests");
    assert_eq!(shown.len(), 1);
    assert_eq!(
        without_times(&told),
        without_times(shown[0].text.trim_end())
    );
}

/// Every function and field of the table of tests is one that a test has.
#[test]
fn what_the_table_of_tests_lists_exists() {
    let source = texts(&repository().join("src/script/testing"));
    let rows = Page::read().rows(&["in a test", "what it does"]);
    assert!(rows.len() > 10, "{rows:?}");
    for span in rows.iter().flat_map(|row| spans(&row[0])) {
        let names = match span.strip_prefix("run.") {
            Some(field) => vec![field],
            None => vec![span.split('(').next().unwrap_or_default()],
        };
        for name in names {
            assert!(
                source.contains(&format!("\"{name}\"")),
                "{name} of `{span}`"
            );
        }
    }
}

/// The text of every file in a folder and below.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}"));
    let texts = entries.flatten().map(|entry| match entry.path() {
        path if path.is_dir() => texts(&path),
        path => fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}")),
    });
    texts.collect()
}
