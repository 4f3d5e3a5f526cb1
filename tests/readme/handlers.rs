//! The page's handlers: compiled as deliveryd compiles them, and called.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deliveryd::config::Limits;
use deliveryd::delivery::Record;
use deliveryd::script::guide;
use deliveryd::script::{Caller, Generator, Handler, Kind, Outcome, Program, STACK_SIZE, Settings};
use serde_json::json;

use crate::page::{Block, Page, spans};
use crate::support::run_dir::repository;

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
        compile: true,
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

/// What the table says of messages can be read.
#[test]
fn fields_of_the_table_can_be_read() {
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
    });
}

/// The tables of fields and functions are what the functions say of themselves. After a change
/// there, `UPDATE_GOLDEN=1 cargo test --test readme` writes them anew.
#[test]
fn tables_are_what_the_functions_say() {
    const END: &str = "<!-- end of table -->\n";
    let file = repository().join("README.md");
    let mut text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
    let mut wanted = text.clone();
    for part in [guide::FIELDS, guide::FUNCTIONS] {
        let begin = format!("<!-- table of {part} -->\n");
        let from = wanted.find(&begin).map(|at| at + begin.len());
        let from = from.unwrap_or_else(|| panic!("README.md has no line {begin}"));
        let len = wanted[from..].find(END);
        let len = len.unwrap_or_else(|| panic!("the table of {part} has no end"));
        let table = guide::table(part).unwrap_or_default();
        assert!(table.lines().count() > 10, "{table}");
        wanted.replace_range(from..from + len, &format!("\n{table}\n"));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() && wanted != text {
        fs::write(&file, &wanted).unwrap_or_else(|error| panic!("{error}"));
        text = wanted.clone();
    }
    let differs = text
        .lines()
        .zip(wanted.lines())
        .find(|(is, told)| is != told);
    assert_eq!(differs, None, "README.md and what the functions say");
    assert_eq!(text.len(), wanted.len());
}
