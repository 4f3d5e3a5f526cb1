//! Golden files: each wrong script in `tests/script_errors/` beside the exact text that it must get.
//!
//! A script is loaded like a handler of group-1, which reads `Delivery`; where it loads, it is called
//! with one message. The first lines may say `// value: …` (the message's value), `// params: …`
//! (JSON) and `// kind: producer`. The topics of the config are `Delivery`, `Delivery.out` and
//! `alerts`. After a change that is meant, `UPDATE_GOLDEN=1 cargo test --test script_errors` writes
//! the texts anew; read the difference before it is committed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deliveryd::config::{Limits, Params};
use deliveryd::delivery::Record;
use deliveryd::diagnostic::{self, Diagnostic, Severity};
use deliveryd::script::{Caller, Generator, Handler, Kind, Outcome, Program, STACK_SIZE, Settings};

const VALUE: &str = r#"{"id": 17, "city": "Lyon", "items": [{"price": 1.5}, {"price": 2}]}"#;
const TOPICS: [&str; 3] = ["Delivery", "Delivery.out", "alerts"];

fn folder() -> PathBuf {
    PathBuf::from("tests/script_errors")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let scripts = files.filter(|path| path.extension().is_some_and(|e| e == "rhai"));
    let mut names: Vec<String> = scripts
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What a script's comments say of its call.
struct Script {
    file: PathBuf,
    text: String,
}

impl Script {
    fn new(name: &str) -> Self {
        let file = folder().join(format!("{name}.rhai"));
        let text = fs::read_to_string(&file).unwrap();
        Self { file, text }
    }

    fn said(&self, what: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix(what))
    }

    fn kind(&self) -> Kind {
        match self.said("// kind: ") {
            Some("producer") => Kind::Producer,
            _ => Kind::Consumer,
        }
    }

    fn record(&self) -> Rc<Record> {
        let mut record = Record::default();
        record.topic = "Delivery".into();
        record.set_key(Some(b"d-17"));
        record.set_value(Some(self.said("// value: ").unwrap_or(VALUE).as_bytes()));
        Rc::new(record)
    }

    fn settings(&self) -> Settings {
        let params = self.said("// params: ").unwrap_or("{}");
        Settings {
            caller: Caller {
                group: "group-1".into(),
                member: "group-1-1".into(),
            },
            limits: Limits::default(),
            params: serde_json::from_str::<Params>(params).unwrap(),
            // Far beyond what any script may take: the operations must end it first.
            timeout: Duration::from_secs(60),
            seed: Some(1),
            compile: true,
        }
    }
}

fn written(list: &[(Severity, &Diagnostic)], state: &str) -> String {
    let mut text = String::new();
    diagnostic::write_list(&mut text, list, state, false).unwrap();
    text
}

/// Everything that a script's author is told.
fn text_of(name: &str) -> String {
    let script = Script::new(name);
    let refused = |mistakes: &[Diagnostic]| {
        let list: Vec<_> = mistakes.iter().map(|m| (Severity::Error, m)).collect();
        written(&list, "nothing was started")
    };
    let program = match Program::load(&script.file, script.kind(), &Limits::default()) {
        Ok(program) => Arc::new(program),
        Err(mistakes) => return refused(&mistakes),
    };
    let known: BTreeSet<&str> = TOPICS.into();
    let topics = program.topic_warnings(&known, &["Delivery".to_owned()]);
    let warnings = program.warnings().iter().chain(&topics);
    let warnings: Vec<_> = warnings.map(|w| (Severity::Warning, w)).collect();
    let mut text = written(&warnings, "");
    match run(&script, &program) {
        Ok(end) => text.push_str(&end),
        Err(mistakes) => text.push_str(&refused(&mistakes)),
    }
    text
}

/// How a call ends.
fn run(script: &Script, program: &Arc<Program>) -> Result<String, Vec<Diagnostic>> {
    let outcome = match script.kind() {
        Kind::Consumer | Kind::Test => {
            Handler::new(program, script.settings())?.handle(&script.record(), 1)
        }
        Kind::Producer => Generator::new(program, script.settings(), "Delivery")?.generate(0),
    };
    let (how, failure) = match outcome {
        Outcome::Done => return Ok("the call is done\n".into()),
        Outcome::Rejected(failure) => ("the message is rejected", failure),
        Outcome::Failed(failure) => ("the call failed", failure),
    };
    let mut text = format!("{how}\n");
    match &failure.diagnostic {
        Some(diagnostic) => text += &written(&[(Severity::Error, diagnostic)], ""),
        None => {
            let _ = writeln!(text, "error: {}", failure.reason);
        }
    }
    Ok(text.replace("1 mistake; .\n", ""))
}

fn on_a_large_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, run)
            .unwrap();
        thread.join().unwrap();
    });
}

/// Every wrong script gets exactly the text that lies beside it.
#[test]
fn every_wrong_script_gets_its_text() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    on_a_large_stack(|| {
        let mut different = Vec::new();
        for name in names() {
            let text = text_of(&name);
            let golden = folder().join(format!("{name}.txt"));
            if update {
                fs::write(&golden, &text).unwrap();
            }
            let expected = fs::read_to_string(&golden).unwrap_or_default();
            if text != expected {
                different.push(format!(
                    "== {name}\n-- expected\n{expected}\n-- got\n{text}"
                ));
            }
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
    });
}

/// A script here is wrong, or it would test nothing; each text shows a place; and every text has its
/// script.
#[test]
fn every_script_here_is_wrong() {
    let names = names();
    assert!(names.len() >= 60, "only {} golden files", names.len());
    for name in &names {
        let golden = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        let said = golden.contains("error: ") || golden.contains("warning: ");
        assert!(said && golden.contains("-->"), "{name}: {golden}");
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name), "{name}.txt has no script");
        }
    }
}

/// Whatever an editor saves halfway through a script is told of, never a panic: every beginning of
/// every script, and every script without one of its lines, loads or gets its mistakes.
#[test]
fn half_written_scripts_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("half.rhai");
    on_a_large_stack(|| {
        let mut refused = 0;
        for name in names() {
            let script = Script::new(&name);
            for half in halves(&script.text) {
                fs::write(&file, &half).unwrap();
                if let Err(mistakes) = Program::load(&file, script.kind(), &Limits::default()) {
                    assert!(!mistakes.is_empty(), "{half}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 500, "only {refused} were refused");
    });
}

/// Beginnings of a text, and the text without each of its lines.
fn halves(text: &str) -> Vec<String> {
    // Some are enough: the scripts together end at every kind of place.
    let ends = text.char_indices().map(|(at, _)| at).step_by(23);
    let lines: Vec<&str> = text.lines().collect();
    let without = (0..lines.len()).map(|gone| {
        let kept = lines.iter().enumerate().filter(|(line, _)| *line != gone);
        kept.map(|(_, line)| format!("{line}\n")).collect()
    });
    ends.map(|end| text[..end].to_owned())
        .chain(without)
        .collect()
}

/// Scripts that work are neither refused nor warned of: the examples, and all that the README shows.
#[test]
fn the_examples_get_no_warnings() {
    on_a_large_stack(|| {
        let mut seen = 0;
        for entry in fs::read_dir("handlers").unwrap() {
            let path = entry.unwrap().path();
            if !is_handler(&path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let kind = if text.contains("fn generate(") {
                Kind::Producer
            } else {
                Kind::Consumer
            };
            let program = Program::load(&path, kind, &Limits::default())
                .unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}", path.display()));
            assert_eq!(program.warnings(), [], "{}", path.display());
            seen += 1;
        }
        assert!(seen >= 4, "only {seen} examples");
    });
}

fn is_handler(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.ends_with(".rhai") && !name.ends_with(".test.rhai")
}
