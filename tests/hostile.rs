//! Scripts that try to hurt the daemon, each with the exact error that it must end in.
//!
//! `tests/hostile/NAME.rhai` is loaded and called; `NAME.error` beside it holds what must come of it.
//! A first line `// value: …` gives the message's value, `// members: N` an object of so many,
//! `// items: N` an array; `// operations: N` sets that limit. With `UPDATE_GOLDEN=1` the errors are written anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deliveryd::config::{Limits, Params};
use deliveryd::delivery::Record;
use deliveryd::diagnostic::{Diagnostic, Place};
use deliveryd::script::{Caller, Handler, Kind, Outcome, Program, STACK_SIZE, Settings};

/// Small enough to be quick in a debug build: each copy of a nested array costs its depth.
fn limits(script: &str) -> Limits {
    let first = script.lines().next().unwrap_or_default();
    let operations = first.strip_prefix("// operations: ");
    Limits {
        operations: operations.map_or(200_000, |n| n.parse().unwrap()),
        array: 2_000,
        ..Limits::default()
    }
}

fn settings(limits: Limits) -> Settings {
    Settings {
        caller: Caller {
            group: "group-1".into(),
            member: "group-1-1".into(),
        },
        limits,
        params: Params::default(),
        // Far beyond what any script may take: the operations must end it first.
        timeout: Duration::from_secs(60),
        seed: Some(1),
    }
}

fn show(kind: &str, diagnostic: &Diagnostic) -> String {
    let mut text = format!("{kind}: {}\n", diagnostic.message);
    // Where memory runs out depends on what the allocator and the calls before have kept.
    let anywhere = ["bytes of memory", "values at once"];
    if anywhere
        .iter()
        .any(|some| diagnostic.message.contains(some))
    {
        text.push_str("wherever it was\n");
    } else if let Place::File {
        line,
        column,
        width,
        text: shown,
        ..
    } = &diagnostic.place
    {
        let mark = format!("{}{}", " ".repeat(column - 1), "^".repeat(*width));
        let _ = writeln!(
            text,
            "{line}:{column}\n{}\n{mark} {}",
            shown.trim_end(),
            diagnostic.label
        );
    }
    for hint in &diagnostic.hints {
        let _ = writeln!(text, "= {hint}");
    }
    text
}

/// The message's value, from the script's first line.
fn value(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let number = |text: &str| text.parse::<usize>().unwrap();
    if let Some(value) = first.strip_prefix("// value: ") {
        value.to_owned()
    } else if let Some(n) = first.strip_prefix("// members: ") {
        let members: Vec<String> = (0..number(n)).map(|n| format!("\"k{n}\":{n}")).collect();
        format!("{{{}}}", members.join(","))
    } else if let Some(n) = first.strip_prefix("// items: ") {
        let items: Vec<String> = (0..number(n)).map(|n| n.to_string()).collect();
        format!("[{}]", items.join(","))
    } else {
        r#"{"items":[1,2,3],"name":"x"}"#.to_owned()
    }
}

fn record(text: &str) -> Rc<Record> {
    let mut record = Record::default();
    record.topic = "Delivery".into();
    record.set_value(Some(value(text).as_bytes()));
    Rc::new(record)
}

/// What comes of a script: its mistakes when it is loaded, or how a call ends.
fn outcome(path: &Path) -> String {
    let script = fs::read_to_string(path).unwrap();
    let limits = limits(&script);
    let program = match Program::load(path, Kind::Consumer, &limits) {
        Ok(program) => Arc::new(program),
        Err(mistakes) => {
            return mistakes
                .iter()
                .map(|mistake| show("refused", mistake))
                .collect();
        }
    };
    let mut handler = match Handler::new(&program, settings(limits)) {
        Ok(handler) => handler,
        Err(mistakes) => {
            return mistakes
                .iter()
                .map(|mistake| show("refused", mistake))
                .collect();
        }
    };
    let record = record(&script);
    let mut call = || {
        let (kind, failure) = match handler.handle(&record, 1) {
            Outcome::Done => return "done\n".to_owned(),
            Outcome::Rejected(failure) => ("rejected", failure),
            Outcome::Failed(failure) => ("failed", failure),
        };
        assert!(
            handler.effects().no_emits(),
            "{}: emits of a failed call",
            path.display()
        );
        match &failure.diagnostic {
            Some(diagnostic) => show(kind, diagnostic),
            None => format!("{kind}: {}\n", failure.reason),
        }
    };
    let first = call();
    assert_eq!(
        call(),
        first,
        "{}: the second call ends otherwise",
        path.display()
    );
    first
}

/// Every hostile script ends in its error, in time, and the thread goes on to handle messages.
#[test]
fn hostile_scripts_end_in_their_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut scripts: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "rhai")
        })
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 100, "only {} scripts", scripts.len());
    let run = move || {
        let mut wrong = Vec::new();
        for path in scripts {
            let begun = Instant::now();
            let found = outcome(&path);
            let took = begun.elapsed();
            if took > Duration::from_secs(1) {
                eprintln!("{} took {took:?}", path.display());
            }
            assert!(
                took < Duration::from_secs(30),
                "{} took {took:?}",
                path.display()
            );
            let beside = path.with_extension("error");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&beside, &found).unwrap();
            }
            let expected = fs::read_to_string(&beside).unwrap_or_default();
            if found != expected {
                wrong.push(format!(
                    "{}\nexpected:\n{expected}found:\n{found}",
                    path.display()
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(run)
        .unwrap();
    thread.join().unwrap();
}
