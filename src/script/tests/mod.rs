//! What the room promises, seen from outside its modules.

mod api;
mod cage;
mod differential;
mod digits;
mod emits;
mod explained;
mod flow;
mod generators;
mod helpers;
mod json;
mod left;
mod messages;
mod mistakes;
mod programs;
mod speed;

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::delivery::{Effects, Record};

/// The settings that the tests begin with.
fn settings() -> Settings {
    Settings {
        caller: Caller {
            group: "group-1".into(),
            member: "group-1-2".into(),
        },
        limits: Limits::default(),
        params: Params::default(),
        timeout: Duration::from_secs(10),
        seed: Some(7),
        compile: true,
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &Path, kind: Kind) -> Result<Program, Vec<Diagnostic>> {
    Program::load(&folder.join("handler.rhai"), kind, &Limits::default())
}

fn program(text: &str, kind: Kind) -> Arc<Program> {
    let folder = folder(&[("handler.rhai", text)]);
    Arc::new(load(folder.path(), kind).unwrap())
}

fn handler_with(text: &str, settings: Settings) -> Handler {
    Handler::new(&program(text, Kind::Consumer), settings).unwrap()
}

fn handler(text: &str) -> Handler {
    handler_with(text, settings())
}

/// A handler of this body.
fn body(statements: &str) -> Handler {
    handler(&format!("fn handle(msg) {{ {statements} }}"))
}

fn record_of(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]) -> Rc<Record> {
    let mut record = Record::default();
    record.topic = "Delivery".into();
    record.partition = 1;
    record.offset = 4711;
    record.timestamp = Some(1_700_000_000_000);
    record.set_key(key);
    record.set_value(value);
    for (name, value) in headers {
        record.add_header(name, Some(value));
    }
    Rc::new(record)
}

fn record(value: &str) -> Rc<Record> {
    record_of(Some(b"d-17"), Some(value.as_bytes()), &[])
}

/// What a call that must succeed emitted: topic, key and value as text.
fn emitted(effects: &Effects) -> Vec<(String, Option<String>, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let emits = effects.emits();
    emits
        .map(|emit| {
            (
                emit.topic().to_string(),
                emit.key().map(text),
                emit.value().map(text),
            )
        })
        .collect()
}

fn done(outcome: Outcome) {
    if let Outcome::Rejected(failure) | Outcome::Failed(failure) = outcome {
        panic!("the call failed: {failure:#?}");
    }
}

/// The values that a handler of this body emits for a message.
fn values(statements: &str, value: &str) -> Vec<String> {
    let mut handler = body(statements);
    done(handler.handle(&record(value), 1));
    let emitted = emitted(handler.effects());
    emitted
        .into_iter()
        .map(|(_, _, value)| value.unwrap_or("()".into()))
        .collect()
}

/// The one value that a handler of this body emits for a message.
fn value(statements: &str, json: &str) -> String {
    let mut values = values(statements, json);
    assert_eq!(values.len(), 1, "{values:?}");
    values.remove(0)
}

fn failed(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => *failure,
        other => panic!("expected a failure, found {other:?}"),
    }
}

fn rejected(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Rejected(failure) => *failure,
        other => panic!("expected a rejection, found {other:?}"),
    }
}
