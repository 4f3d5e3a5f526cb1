//! `deliveryd test` as its users run it: the examples pass, and what fails is told so that it can be
//! mended.
//!
//! `tests/handler_tests/NAME.test.rhai`, or a folder `NAME`, is run, and `NAME.txt` beside it is the
//! exit code and all that is printed, with the times left out. UPDATE_GOLDEN=1 writes them anew.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use support::output::Output as Collected;
use support::process::Process;
use support::run_dir::repository;
use support::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `deliveryd test` with these arguments in a folder.
fn test_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .arg("test")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("deliveryd: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a user sees: exit code, standard output, standard error; each time as `_`.
fn seen(output: &Output) -> String {
    let code = output.status.code();
    let code = code.map_or("no exit code".to_owned(), |code| {
        format!("exit code {code}")
    });
    let printed = text(&output.stdout) + &text(&output.stderr);
    let lines = printed.lines().map(without_time);
    let lines: Vec<String> = std::iter::once(code).chain(lines).collect();
    lines.join("\n") + "\n"
}

fn without_time(line: &str) -> String {
    let Some((before, after)) = line.split_once(" ms") else {
        return line.to_owned();
    };
    let digits = |letter: char| letter.is_ascii_digit() || letter == '.';
    let head = before.trim_end_matches(digits);
    match head.len() < before.len() {
        true => format!("{} _ ms{after}", head.trim_end()),
        false => line.to_owned(),
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for (name, text) in files {
        write(&folder.path().join(name), text);
    }
    folder
}

fn write(file: &Path, text: &str) {
    let parent = file.parent().unwrap_or(file);
    fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{error}"));
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// Every example handler has tests, and all of them pass.
#[test]
fn the_examples_pass_their_tests() {
    let output = test_in(&repository(), &["handlers"]);
    assert!(output.status.success(), "{}", seen(&output));
    let told = text(&output.stdout);
    let handlers = fs::read_dir(repository().join("handlers"));
    let handlers = handlers.unwrap_or_else(|error| panic!("{error}")).flatten();
    for handler in handlers.filter(|entry| entry.path().is_file()) {
        let name = handler.file_name().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".rhai").trim_end_matches(".test");
        let tests = format!("handlers/{stem}.test.rhai");
        assert!(told.contains(&tests), "{name} has no tests");
    }
}

/// What fails shows the file, the line, the place in it, what was expected and what was found.
#[test]
fn failures_are_told_so_that_they_can_be_mended() {
    let all = repository().join("tests/handler_tests");
    let mut wrong = Vec::new();
    let mut cases: Vec<String> = fs::read_dir(&all)
        .unwrap_or_else(|error| panic!("{error}"))
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.rhai") || all.join(name).is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 5, "only {cases:?}");
    for case in cases {
        let path = format!("tests/handler_tests/{case}");
        let found = seen(&test_in(&repository(), &[&path]));
        let golden = all.join(format!("{}.txt", case.trim_end_matches(".test.rhai")));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            write(&golden, &found);
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{case}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const COPY: &str = "fn handle(msg) { emit(\"Copies\", msg.value); }\n";
const COPIES: &str = "fn test_copies() { assert_emits(handle(message(#{ value: \"x\" })), [\"Copies\"]); }\n\
                      fn test_keeps_the_key() { assert_emitted(handle(message(#{ key: \"k\" })), #{ key: \"k\" }); }\n";
const FAILING: &str = "fn test_fails() { assert_eq(1, 2); }\n";

/// 0 where all pass, 1 where one fails or there is none, 78 where something does not compile, 2 where
/// the command line names what is not there.
#[test]
fn exit_codes_tell_how_it_ended() {
    let folder = folder(&[
        ("handlers/a.rhai", COPY),
        ("handlers/a.test.rhai", COPIES),
        ("failing/b.rhai", COPY),
        ("failing/b.test.rhai", FAILING),
        ("broken/c.rhai", "fn handle(msg) {"),
        ("broken/c.test.rhai", COPIES),
        ("none/d.rhai", COPY),
    ]);
    for (arguments, code) in [
        (&[][..], 0),
        (&["failing"], 1),
        (&["handlers", "failing"], 1),
        (&["broken"], 78),
        (&["failing", "broken"], 78),
        (&["none"], 1),
        (&["handlers", "--filter", "nowhere"], 1),
        (&["handlers/a.rhai"], 0),
        (&["handlers/a.test.rhai"], 0),
        (&["none/d.rhai"], 2),
        (&["nowhere"], 2),
        (&["--from-topic", "Delivery"], 2),
        (&["--last", "7"], 2),
    ] {
        let output = test_in(folder.path(), arguments);
        let found = output.status.code();
        assert_eq!(found, Some(code), "{arguments:?}: {}", seen(&output));
    }
}

/// Nothing to run is said, with what a test would be, or what the filter left out.
#[test]
fn no_tests_are_told() {
    let folder = folder(&[("handlers/a.rhai", COPY), ("more/a.test.rhai", COPIES)]);
    let told = seen(&test_in(folder.path(), &[]));
    assert_eq!(
        told,
        "exit code 1\nerror: there are no tests; a test is a `fn test_…()` in a file NAME.test.rhai \
         beside NAME.rhai\n"
    );
    let told = seen(&test_in(folder.path(), &["more", "--filter", "xyz"]));
    assert_eq!(
        told,
        "exit code 1\nerror: no test or file has \"xyz\" in its name; there are 2 without it\n"
    );
}

/// `--filter` runs the tests that have the text in their own name or in their file's.
#[test]
fn a_filter_picks_tests() {
    let folder = folder(&[
        ("handlers/a.rhai", COPY),
        ("handlers/a.test.rhai", COPIES),
        ("handlers/b.rhai", COPY),
        ("handlers/b.test.rhai", FAILING),
    ]);
    let told = seen(&test_in(folder.path(), &["--filter", "keeps"]));
    assert_eq!(
        told,
        "exit code 0\nhandlers/a.test.rhai\n  ok _ ms  test_keeps_the_key\n\n\
         1 test passed, 2 left out; 1 file in _ ms\n"
    );
    let output = test_in(folder.path(), &["--filter", "b.test"]);
    assert_eq!(output.status.code(), Some(1), "{}", seen(&output));
    assert!(
        !text(&output.stdout).contains("a.test"),
        "{}",
        seen(&output)
    );
}

/// A test is in the handler's cage itself, with all the calls that it makes.
#[test]
fn tests_are_caged() {
    let config = "[topics.Delivery]\n[groups.g]\ntopics = [\"Delivery\"]\nhandler = \"a.rhai\"\n\
                  [groups.g.limits]\noperations = 20000\n";
    let tests = "fn test_endless() { loop { } }\n\
                 fn test_many_calls() { loop { handle(message(#{ value: \"x\" })); } }\n\
                 fn test_goes_on_after_them() { handle(message(#{ value: \"x\" })); }\n";
    let folder = folder(&[("d.toml", config), ("a.rhai", COPY), ("a.test.rhai", tests)]);
    let told = seen(&test_in(folder.path(), &["--config", "d.toml"]));
    let limit = "error: the call made more than 20000 operations";
    assert_eq!(told.matches(limit).count(), 2, "{told}");
    assert!(told.contains("ok _ ms  test_goes_on_after_them"), "{told}");
    assert!(told.starts_with("exit code 1\n"), "{told}");
}

/// With `--config` the tests beside that config's handlers run, in the cage that the group has.
#[test]
fn a_config_says_where_the_handlers_are_and_what_they_may() {
    let config = "[kafka]\nbrokers = \"localhost:1\"\n[topics.Delivery]\n[groups.g]\n\
                  topics = [\"Delivery\"]\nhandler = \"../own/a.rhai\"\n\
                  [groups.g.limits]\noperations = 2000\n";
    let endless = "fn handle(msg) { loop { } }\n";
    let tests =
        "fn test_ends() { assert_failed(try_handle(message()), \"more than 2000 operations\"); }\n";
    let folder = folder(&[
        ("conf/d.toml", config),
        ("own/a.rhai", endless),
        ("own/a.test.rhai", tests),
        ("handlers/b.test.rhai", FAILING),
    ]);
    let output = test_in(folder.path(), &["--config", "conf/d.toml"]);
    assert!(output.status.success(), "{}", seen(&output));
    assert!(text(&output.stdout).contains("own/a.test.rhai"));
}

/// The JUnit file has every test, each failure with its text, and counts that agree.
#[test]
fn junit_xml_can_be_read() {
    let folder = folder(&[
        ("handlers/a.rhai", COPY),
        ("handlers/a.test.rhai", COPIES),
        ("handlers/b.rhai", COPY),
        (
            "handlers/b.test.rhai",
            "fn test_fails() { print(\"<b>\\x1b[1m\"); assert_eq(\"<a & b>\", `]]>\"`); }\n",
        ),
        ("handlers/c.test.rhai", "fn test_x( {"),
    ]);
    let output = test_in(folder.path(), &["--junit", "out.xml"]);
    assert_eq!(output.status.code(), Some(78), "{}", seen(&output));
    let xml = fs::read_to_string(folder.path().join("out.xml"));
    let xml = xml.unwrap_or_else(|error| panic!("{error}"));
    let read = elements(&xml);
    let count = |name: &str| read.iter().filter(|(element, ..)| element == name).count();
    assert_eq!(
        [
            count("testsuite"),
            count("testcase"),
            count("failure"),
            count("error")
        ],
        [3, 4, 1, 1],
        "{xml}"
    );
    let all = |name: &str, attribute: &str| {
        let of_name = read.iter().filter(|(element, ..)| element == name);
        let values = of_name.filter_map(|(_, attributes, _)| {
            let found = attributes.iter().find(|(known, _)| known == attribute);
            found.map(|(_, value)| value.clone())
        });
        values.collect::<Vec<_>>()
    };
    assert_eq!(all("testsuites", "tests"), ["4"]);
    assert_eq!(all("testsuites", "failures"), ["1"]);
    assert_eq!(all("testsuites", "errors"), ["1"]);
    assert_eq!(all("testcase", "classname")[0], "handlers/a.test.rhai");
    assert_eq!(all("failure", "message"), ["the values differ"]);
    let failure = read.iter().find(|(element, ..)| element == "failure");
    let failure = failure.map(|(.., text)| text.clone()).unwrap_or_default();
    assert!(failure.contains("found    \"<a & b>\""), "{failure}");
}

type Element = (String, Vec<(String, String)>, String);

/// The elements of an XML text: name, attributes, and the text that follows the start.
fn elements(xml: &str) -> Vec<Element> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut all: Vec<Element> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) => {
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.unwrap_or_else(|error| panic!("{error}"));
                    let value = attribute.value.to_string();
                    (attribute.key.as_ref().to_owned(), unescaped(&value))
                });
                let attributes = attributes.collect();
                all.push((start.name().as_ref().to_owned(), attributes, String::new()));
            }
            Ok(Event::Text(found)) => {
                if let Some(last) = all.last_mut() {
                    last.2 += &found;
                }
            }
            Ok(Event::GeneralRef(found)) => {
                if let Some(last) = all.last_mut() {
                    last.2 += &unescaped(&format!("&{};", &*found));
                }
            }
            Ok(Event::Eof) => return all,
            Ok(_) => {}
            Err(error) => panic!("{error} in {xml}"),
        }
    }
}

fn unescaped(text: &str) -> String {
    match quick_xml::escape::unescape(text) {
        Ok(text) => text.into_owned(),
        Err(error) => panic!("{error} in {text}"),
    }
}

/// `--watch` runs again what a saved file may have changed, and only that: the test file, its handler,
/// and what these import.
#[test]
fn watching_runs_again_what_changed() {
    let with_module = "import \"lib/m\" as m;\nfn handle(msg) { emit(m::topic(), msg.value); }\n";
    let folder = folder(&[
        ("handlers/a.rhai", with_module),
        ("handlers/lib/m.rhai", "fn topic() { \"Copies\" }\n"),
        ("handlers/a.test.rhai", COPIES),
        ("handlers/b.rhai", COPY),
        ("handlers/b.test.rhai", COPIES),
    ]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_deliveryd"));
    command
        .args(["test", "--watch"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    let mut process = Process::spawn("deliveryd test --watch", command);
    let output = Collected::default();
    let reader = process.child().stdout.take().map(|out| output.collect(out));
    let runs = |count: usize| {
        wait_for("the tests to have run", PATIENCE, || {
            let told = output.text();
            let runs: Vec<&str> = told.split("waiting for a change").collect();
            match runs.len() > count {
                true => Ok(runs[count - 1].to_owned()),
                false => Err(told),
            }
        })
    };
    assert!(runs(1).contains("4 tests passed; 2 files"));
    write(
        &folder.path().join("handlers/lib/m.rhai"),
        "fn topic() { \"Other\" }\n",
    );
    let second = runs(2);
    assert!(second.contains("1 of 2 tests failed; 1 file"), "{second}");
    assert!(!second.contains("b.test.rhai"), "{second}");
    write(&folder.path().join("handlers/b.rhai"), "fn handle(msg) {");
    let third = runs(3);
    assert!(third.contains("1 file not run"), "{third}");
    assert!(!third.contains("a.test.rhai"), "{third}");
    write(&folder.path().join("handlers/b.rhai"), COPY);
    let fourth = runs(4);
    assert!(fourth.contains("2 tests passed; 1 file"), "{fourth}");
    drop(process);
    if let Some(reader) = reader {
        assert!(reader.join().is_ok(), "the output was read to its end");
    }
}
