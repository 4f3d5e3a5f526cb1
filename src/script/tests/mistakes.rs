//! Mistakes in a script, as the user reads them.

use super::*;
use crate::diagnostic::Place;

/// A diagnostic in the form of the documentation, its file's name only.
fn shown(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Place::File {
        path,
        line,
        column,
        text: source,
        width,
    } = &diagnostic.place
    {
        let file = Path::new(path)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let mark = format!("{}{}", " ".repeat(column - 1), "^".repeat(*width));
        text += &format!(
            "\n{file}:{line}:{column}\n{source}\n{mark} {}",
            diagnostic.label
        );
    }
    for hint in &diagnostic.hints {
        text += &format!("\n= {hint}");
    }
    text
}

fn when_loaded(text: &str) -> String {
    let folder = folder(&[("handler.rhai", text)]);
    let mistakes = load(folder.path(), Kind::Consumer).unwrap_err();
    mistakes.iter().map(shown).collect::<Vec<_>>().join("\n")
}

fn when_run(text: &str) -> String {
    let failure = failed(handler(text).handle(&record(r#"{"a":{"b":1}}"#), 1));
    shown(&failure.diagnostic.unwrap())
}

/// Arithmetic on a missing field names the field.
#[test]
fn arithmetic_on_a_missing_field_names_it() {
    assert_eq!(
        when_run("fn handle(msg) {\n    let d = msg.json;\n    let kg = d.weight_kg * 1000;\n}"),
        "`weight_kg` is missing\nhandler.rhai:3:16\n    let kg = d.weight_kg * 1000;\n               ^^^^^^^^^ number expected, found ()\n= where it may be missing, write `(d.weight_kg ?? 0)` or whatever it should be then"
    );
    assert_eq!(
        when_run("fn handle(msg) {\n    let x = 1.5 + msg.json.a.c;\n}"),
        "`c` is missing\nhandler.rhai:2:30\n    let x = 1.5 + msg.json.a.c;\n                             ^ number expected, found ()\n= where it may be missing, write `(msg.json.a.c ?? 0)` or whatever it should be then"
    );
}

/// A field of a missing value names what is missing.
#[test]
fn a_field_of_a_missing_value_names_it() {
    assert_eq!(
        when_run("fn handle(msg) {\n    let x = msg.json.address.city;\n}"),
        "`address` is missing\nhandler.rhai:2:30\n    let x = msg.json.address.city;\n                             ^^^^ map expected before `.city`, found ()\n= where it may be missing, write `msg.json.address?.city`"
    );
}

/// A misspelt field of `msg` is found when the handler is loaded.
#[test]
fn a_misspelt_field_of_msg_is_found_early() {
    assert_eq!(
        when_loaded("fn handle(m) {\n    print(m.ofset);\n}"),
        "a message has no field `ofset`\nhandler.rhai:2:13\n    print(m.ofset);\n            ^^^^^ no such field\n= did you mean `offset`?"
    );
    assert_eq!(
        when_run("fn f(x) { x.ofset }\nfn handle(m) { f(m) }"),
        "a message has no field `ofset`\nhandler.rhai:1:13\nfn f(x) { x.ofset }\n            ^^^^^ no such field\n= did you mean `offset`?"
    );
}

/// A reserved word as a field's name says how to write it.
#[test]
fn a_reserved_word_says_how_to_write_it() {
    for word in ["default", "new", "for", "in", "match", "switch"] {
        let column = 22 + word.len();
        let mark = "^".repeat(word.len());
        assert_eq!(
            when_loaded(&format!(
                "fn handle(msg) {{\n    let x = msg.json.{word};\n}}"
            )),
            format!(
                "`{word}` is a word of the language and can't follow a dot\nhandler.rhai:2:22\n    let x = msg.json.{word};\n{}{mark} reserved word\n= write `msg.json[\"{word}\"]`",
                " ".repeat(21)
            ),
            "{column}"
        );
    }
}

/// An error in a module shows the module's line.
#[test]
fn an_error_in_a_module_shows_its_line() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"money\" as money;\nfn handle(msg) { money::total(msg.json) }",
        ),
        (
            "money.rhai",
            "// sums up\nfn sum(d) { d.price * 2 }\nfn total(d) { sum(d) }",
        ),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut handler = Handler::new(&program, settings()).unwrap();
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(
        shown(&failure.diagnostic.unwrap()),
        "`price` is missing\nmoney.rhai:2:15\nfn sum(d) { d.price * 2 }\n              ^^^^^ number expected, found ()\n= where it may be missing, write `(d.price ?? 0)` or whatever it should be then"
    );
}

/// `reject` in a module shows the module's line too.
#[test]
fn a_rejection_in_a_module_shows_its_line() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"m\" as m;\nfn handle(msg) { m::f() }",
        ),
        ("m.rhai", "\n\nfn f() { reject(\"no\") }"),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut handler = Handler::new(&program, settings()).unwrap();
    let failure = rejected(handler.handle(&record("{}"), 1));
    assert_eq!(
        shown(&failure.diagnostic.unwrap()),
        "no\nm.rhai:3:10\nfn f() { reject(\"no\") }\n         ^^^^^^ rejected here"
    );
}

/// A misspelt function gets a suggestion.
#[test]
fn a_misspelt_function_gets_a_suggestion() {
    assert_eq!(
        when_run("fn handle(msg) { emti(\"t\", 1) }"),
        "there is no function `emti` for (string, i64)\nhandler.rhai:1:18\nfn handle(msg) { emti(\"t\", 1) }\n                 ^^^^ not found\n= did you mean `emit`?"
    );
}

/// A text that does not parse shows where.
#[test]
fn a_syntax_error_shows_where() {
    assert_eq!(
        when_loaded("fn handle(msg) {\n    let x = (1 + ;\n}"),
        "unexpected ';'\nhandler.rhai:2:18\n    let x = (1 + ;\n                 ^ here"
    );
}

/// The top level is checked when a handler is made, with its place.
#[test]
fn a_failing_top_level_shows_where() {
    let program = program(
        "const A = params.rate * 2;\nfn handle(msg) { }",
        Kind::Consumer,
    );
    let Err(mistakes) = Handler::new(&program, settings()) else {
        panic!("it was made");
    };
    assert_eq!(
        shown(&mistakes[0]),
        "`rate` is missing\nhandler.rhai:1:18\nconst A = params.rate * 2;\n                 ^^^^ number expected, found ()\n= where it may be missing, write `(params.rate ?? 0)` or whatever it should be then"
    );
}

/// `params` can not be changed, and the check says so.
#[test]
fn params_can_not_be_changed() {
    assert_eq!(
        when_loaded("fn handle(msg) {\n    params.a.b = 5;\n}"),
        "`params` can't be changed\nhandler.rhai:2:5\n    params.a.b = 5;\n    ^^^^^^ a constant from the config\n= copy it first: `let p = params`"
    );
}
