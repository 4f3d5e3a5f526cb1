//! Scripts that try to hurt the daemon, each with the exact error that it must end in.
//!
//! `tests/hostile/NAME.rhai` is loaded and called; `NAME.error` beside it holds what must come of it.
//! A comment at its top, `// value: …`, gives the message's value, `// members: N` an object of so many,
//! `// items: N` an array; `// operations: N` and `// milliseconds: N` set those limits. With
//! `UPDATE_GOLDEN=1` the errors are written anew.

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

/// What the deepest chains of values take of the stack: some 1 KiB a level in a debug build, for at
/// most 65536 levels.
const STACK_TOUCHED: u64 = 64 << 20;

/// What the comments at the top of a script say behind `// NAME: `.
fn said<'s>(script: &'s str, name: &str) -> Option<&'s str> {
    let comments = script.lines().map_while(|line| line.strip_prefix("// "));
    let mut values = comments.filter_map(|comment| comment.strip_prefix(name)?.strip_prefix(": "));
    values.next()
}

fn number(script: &str, name: &str) -> Option<usize> {
    said(script, name).map(|number| number.parse().unwrap())
}

/// Small enough to be quick in a debug build: each copy of a nested array costs its depth.
fn limits(script: &str) -> Limits {
    Limits {
        operations: number(script, "operations").unwrap_or(200_000) as u64,
        array: 2_000,
        ..Limits::default()
    }
}

fn settings(script: &str, limits: Limits) -> Settings {
    // Else far beyond what any script may take: the operations must end it first.
    let milliseconds = number(script, "milliseconds").unwrap_or(60_000);
    Settings {
        caller: Caller {
            group: "group-1".into(),
            member: "group-1-1".into(),
        },
        limits,
        params: Params::default(),
        timeout: Duration::from_millis(milliseconds as u64),
        seed: Some(1),
        compile: true,
    }
}

fn show(kind: &str, diagnostic: &Diagnostic) -> String {
    let mut text = format!("{kind}: {}\n", diagnostic.message);
    // Where memory runs out depends on what the allocator and the calls before have kept, and where
    // time does on the machine.
    let anywhere = ["bytes of memory", "values at once", "took longer than"];
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

/// The message's value, as the script wants it.
fn value(script: &str) -> String {
    if let Some(value) = said(script, "value") {
        value.to_owned()
    } else if let Some(n) = number(script, "members") {
        listed('{', n, '}', |n| format!("\"k{n}\":{n}"))
    } else if let Some(n) = number(script, "items") {
        listed('[', n, ']', |n| n.to_string())
    } else {
        r#"{"items":[1,2,3],"name":"x"}"#.to_owned()
    }
}

/// In one text at once: a list of the pieces would be the largest thing in the process.
fn listed(open: char, n: usize, close: char, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::from(open);
    for n in 0..n {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&piece(n));
    }
    text.push(close);
    text
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
    let mut handler = match Handler::new(&program, settings(&script, limits)) {
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

/// The most memory that this process ever had resident, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap() * 1024
}

/// Every hostile script ends in its error, in time, and the thread goes on to handle messages; all of
/// them together leave the process small.
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
    let before = peak();
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(run)
        .unwrap();
    thread.join().unwrap();
    let grown = peak() - before;
    eprintln!("peak memory: {} MiB more than before", grown >> 20);
    // The limit; as much again for what one native makes of it before the next look, and for what a
    // call's buffers keep; and the stack on which the deepest chains are dropped.
    let most = 3 * limits("").memory as u64 + STACK_TOUCHED;
    assert!(
        grown <= most,
        "{grown} bytes more than before, {most} are allowed"
    );
}
