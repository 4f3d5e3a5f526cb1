//! The page's configurations: they load, and its table of settings is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use deliveryd::config::{self, Invocation, Loaded};
use deliveryd::preflight::Compiler;
use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table};

use crate::page::{Block, Page, spans};
use crate::support::run_dir::repository;

/// A directory with the repository's configurations and handlers, and the wrong ones of the
/// page, `config/wrong.toml` and `handlers/wrong.rhai`.
pub fn copy_of_repository(page: &Page) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("a directory: {error}"));
    for folder in ["config", "handlers"] {
        copy(&repository().join(folder), &dir.path().join(folder));
    }
    for block in page.blocks("toml", "wrong") {
        write(&dir.path().join("config/wrong.toml"), &block.text);
    }
    for block in page.blocks("rhai", "wrong") {
        write(&dir.path().join("handlers/wrong.rhai"), &block.text);
    }
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap_or_else(|error| panic!("{error}"));
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{error}"));
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            let copied = fs::copy(&from, to);
            copied.unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

fn parse(text: &str, whose: &str) -> DocumentMut {
    text.parse()
        .unwrap_or_else(|error| panic!("{whose}: {error}"))
}

/// Lays `part` over `base`, table by table.
fn lay_over(base: &mut Table, part: &Table) {
    for (key, item) in part {
        match (base.get_mut(key), item) {
            (Some(Item::Table(below)), Item::Table(above)) => lay_over(below, above),
            _ => drop(base.insert(key, item.clone())),
        }
    }
}

/// `part` laid over config/default.toml.
pub fn over_default(part: &Block) -> String {
    let file = repository().join("config/default.toml");
    let base = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
    let mut base = parse(&base, "config/default.toml");
    let part = parse(&part.text, &format!("line {}", part.line));
    lay_over(&mut base, &part);
    base.to_string()
}

/// A directory with the credential that the page names, as systemd makes one.
fn credentials(dir: &Path) -> String {
    let directory = dir.join("credentials");
    fs::create_dir_all(&directory).unwrap_or_else(|error| panic!("{error}"));
    write(&directory.join("kafka-password"), "secret");
    directory.display().to_string()
}

fn load(dir: &Path, text: &str, line: usize) -> Loaded {
    let file: PathBuf = dir.join("config/page.toml");
    // The page's authority, which only has to be there.
    write(&dir.join("config/authority.pem"), "a certificate");
    write(&file, text);
    let invocation = Invocation {
        file,
        sets: Vec::new(),
        env: BTreeMap::from([
            ("KAFKA_PASSWORD".to_owned(), "secret".to_owned()),
            ("CREDENTIALS_DIRECTORY".to_owned(), credentials(dir)),
        ]),
    };
    match config::load(&invocation, &Compiler::default()) {
        Ok(loaded) => loaded,
        Err(failed) => {
            let mut told = String::new();
            failed
                .write(&mut told, "it is on the page", false)
                .unwrap_or_else(|error| panic!("{error}"));
            panic!("the configuration at line {line} of README.md:\n{told}");
        }
    }
}

/// Every configuration on the page passes the check, its properties and handlers included.
#[test]
fn configurations_load() {
    let page = Page::read();
    let dir = copy_of_repository(&page);
    for block in page.blocks("toml", "") {
        load(dir.path(), &block.text, block.line);
    }
    for block in page.blocks("toml", "part") {
        load(dir.path(), &over_default(block), block.line);
    }
}

/// What is shown as defaults is what holds without it.
#[test]
fn defaults_are_the_defaults() {
    let page = Page::read();
    let dir = copy_of_repository(&page);
    for block in page.blocks("toml", "part defaults") {
        let without = fs::read_to_string(repository().join("config/default.toml"));
        let without = without.unwrap_or_else(|error| panic!("{error}"));
        let without = load(dir.path(), &without, block.line);
        let with = load(dir.path(), &over_default(block), block.line);
        assert_eq!(
            with.config.groups, without.config.groups,
            "line {}",
            block.line
        );
    }
}

/// The settings in the table exist, with these defaults.
#[test]
fn settings_exist_with_the_defaults_that_the_table_gives() {
    let schema = serde_json::to_value(config::schema()).unwrap_or_else(|error| panic!("{error}"));
    for row in Page::read().rows(&["setting", "default", "what it does"]) {
        let [setting, default, _] = &row[..] else {
            panic!("not three cells: {row:?}");
        };
        let path = spans(setting).concat();
        let wrong = judge(&schema, &path, default);
        assert_eq!(wrong, None, "`{path}`, said to be {default} by default");
    }
}

/// What is wrong with a setting's default, if anything.
fn judge(schema: &Value, path: &str, default: &str) -> Option<String> {
    let mut table = schema;
    let mut setting = schema;
    let mut last = "";
    for segment in path.split('.') {
        table = resolve(schema, setting);
        last = segment;
        setting = match segment {
            "NAME" => &table["additionalProperties"],
            key => &table["properties"][key],
        };
        if setting.is_null() {
            return Some(format!("there is no `{segment}`"));
        }
    }
    let has = &setting["default"];
    let required = table["required"].as_array().into_iter().flatten();
    let description = setting["description"].as_str().unwrap_or_default();
    let right = match default
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'))
    {
        Some(toml) => equal(has, toml),
        None if default == "required" => required.into_iter().any(|name| name == last),
        None => description.lines().any(|line| {
            let line = line.trim_end_matches('.');
            line == format!("Default: {default}") || line == format!("If absent: {default}")
        }),
    };
    (!right).then(|| format!("the schema says {has}: {description}"))
}

fn resolve<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    let reference = node["$ref"]
        .as_str()
        .or_else(|| node["allOf"][0]["$ref"].as_str());
    match reference.and_then(|reference| schema.pointer(reference.trim_start_matches('#'))) {
        Some(definition) => definition,
        None => node,
    }
}

fn equal(json: &Value, toml: &str) -> bool {
    let document = parse(&format!("value = {toml}"), toml);
    match document["value"].as_value() {
        Some(toml_edit::Value::String(text)) => json == text.value(),
        Some(toml_edit::Value::Integer(number)) => json.as_i64() == Some(*number.value()),
        Some(toml_edit::Value::Float(number)) => json.as_f64() == Some(*number.value()),
        Some(toml_edit::Value::Boolean(flag)) => json.as_bool() == Some(*flag.value()),
        Some(toml_edit::Value::Array(list)) => json.as_array().map(Vec::len) == Some(list.len()),
        _ => false,
    }
}
