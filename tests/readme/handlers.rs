//! The page's handlers: compiled as deliveryd compiles them, and called.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deliveryd::config::Limits;
use deliveryd::delivery::Record;
use deliveryd::script::{Caller, Generator, Handler, Kind, Outcome, Program, STACK_SIZE, Settings};
use serde_json::json;

use crate::page::{Block, Page, spans};

/// A message that has every field that the page's handlers touch.
fn message() -> Rc<Record> {
    let value = json!({
        "id": 7, "city": "Porto", "weight_kg": 12.5, "default": "x",
        "items": [{ "sku": "a", "price": 3.5, "count": 2 }],
    });
    let mut record = Record::default();
    record.topic = "Delivery".into();
    record.offset = 7;
    record.timestamp = Some(1_700_000_000_000);
    record.set_key(Some(b"d-7"));
    record.set_value(Some(value.to_string().as_bytes()));
    record.add_header("name", Some(b"value"));
    Rc::new(record)
}

fn settings() -> Settings {
    Settings {
        caller: Caller {
            group: "group-1".into(),
            member: "group-1-1".into(),
        },
        limits: Limits::default(),
        params: [("currency".to_owned(), json!("EUR"))].into(),
        timeout: Duration::from_secs(10),
        seed: Some(1),
    }
}

/// Compiles `source` in `folder` and calls it once; says what is wrong with it.
fn run(folder: &Path, source: &str) -> Result<(), String> {
    let file = folder.join("page.rhai");
    fs::write(&file, source).map_err(|error| error.to_string())?;
    let told = |mistakes: Vec<deliveryd::diagnostic::Diagnostic>| {
        let texts: Vec<String> = mistakes.iter().map(|mistake| mistake.render()).collect();
        texts.join("\n")
    };
    let load = |kind| {
        let program = Program::load(&file, kind, &Limits::default()).map_err(told)?;
        Ok::<_, String>(Arc::new(program))
    };
    let outcome = if source.contains("fn generate(") {
        let made = Generator::new(&load(Kind::Producer)?, settings(), "Delivery");
        made.map_err(told)?.generate(0)
    } else {
        let mut handler = Handler::new(&load(Kind::Consumer)?, settings()).map_err(told)?;
        let message = message();
        let partitions = [(Arc::from("Delivery"), 0)];
        let calls = [
            handler.on_start(),
            handler.on_assign(&partitions),
            handler.handle(&message, 1),
            handler.on_failed(&message, 1, "a reason"),
            handler.on_revoke(&partitions),
            handler.on_stop(),
        ];
        let failed = calls
            .into_iter()
            .find(|call| !matches!(call, Outcome::Done));
        failed.unwrap_or(Outcome::Done)
    };
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Rejected(failure) | Outcome::Failed(failure) => {
            let place = failure.diagnostic.map(|diagnostic| diagnostic.render());
            Err(place.unwrap_or(failure.reason))
        }
    }
}

/// Runs `check` where scripts have the stack that they may use.
fn with_stack(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(check);
    let ended = thread.unwrap_or_else(|error| panic!("{error}")).join();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Every handler on the page compiles, and does with a message what it says.
#[test]
fn handlers_compile_and_run() {
    with_stack(|| {
        let page = Page::read();
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let right = |block: &&Block| block.kind == "rhai" && block.tag != "wrong";
        let rhai = || page.blocks.iter().filter(right);
        for module in rhai().filter(|block| block.tag.ends_with(".rhai")) {
            let file = dir.path().join(&module.tag);
            let folder = file.parent().unwrap_or(dir.path());
            fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
            fs::write(&file, &module.text).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut tried = 0;
        for block in rhai().filter(|block| !block.tag.ends_with(".rhai")) {
            let source = match block.tag.as_str() {
                "part" => format!("fn handle(msg) {{\n{}}}\n", block.text),
                _ => block.text.clone(),
            };
            if let Err(wrong) = run(dir.path(), &source) {
                panic!("the handler at line {} of README.md: {wrong}", block.line);
            }
            tried += 1;
        }
        assert!(tried > 5, "only {tried} handlers were found");
    });
}

/// What the tables say of messages and of random values can be called.
#[test]
fn fields_and_functions_of_the_tables_can_be_called() {
    with_stack(|| {
        let page = Page::read();
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let fields = page.rows(&["field", "what it is"]);
        let fields = fields
            .iter()
            .flat_map(|row| row.iter().flat_map(|cell| spans(cell)));
        for field in fields.filter(|span| span.starts_with("msg.")) {
            let source = format!("fn handle(msg) {{ let x = {field}; }}");
            assert_eq!(run(dir.path(), &source), Ok(()), "{field}");
        }
        let functions = page.rows(&["function", "what it gives"]);
        for function in functions.iter().flat_map(|row| spans(&row[0])) {
            let source =
                format!("fn generate(n) {{ let array = [1, 2, 3, 4]; `${{{function}}}` }}");
            assert_eq!(run(dir.path(), &source), Ok(()), "{function}");
        }
    });
}
