//! Programs: what they are made of, and what is refused when they are loaded.

use super::*;

const HANDLE: &str = "fn handle(msg) { }";

fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    match load(folder.path(), Kind::Consumer) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes
            .into_iter()
            .map(|mistake| match mistake.place {
                crate::diagnostic::Place::File {
                    path, line, column, ..
                } => {
                    let file = Path::new(&path)
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .into_owned();
                    format!(
                        "{file}:{line}:{column}: {}: {}",
                        mistake.message, mistake.label
                    )
                }
                _ => mistake.message,
            })
            .collect(),
    }
}

/// A program is its handler and all it imports, from its folder, each read once.
#[test]
fn a_program_holds_all_its_files() {
    let folder = folder(&[
        (
            "handler.rhai",
            "import \"lib/a\" as a; fn handle(msg) { import \"b\" as b; emit(\"t\", a::f() + b::g()); }",
        ),
        ("lib/a.rhai", "import \"b\" as b; fn f() { b::g() }"),
        ("b.rhai", "fn g() { 20 }"),
        ("unused.rhai", "this is not read"),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let names: Vec<_> = program
        .files()
        .iter()
        .map(|file| file.strip_prefix(folder.path()).unwrap())
        .collect();
    assert_eq!(
        names,
        ["handler.rhai", "lib/a.rhai", "b.rhai"].map(Path::new)
    );
    assert_eq!(program.file(), folder.path().join("handler.rhai"));
    // What is compiled later is what was read, not what the folder holds then.
    fs::write(folder.path().join("b.rhai"), "broken (").unwrap();
    let mut handler = Handler::new(&program, settings()).unwrap();
    for _ in 0..100 {
        done(handler.handle(&record("{}"), 1));
        assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("40"));
    }
}

/// The version changes with any file, and only with their content.
#[test]
fn the_version_names_the_content() {
    let version = |module: &str| {
        let folder = folder(&[
            ("handler.rhai", "import \"m\" as m; fn handle(msg) { }"),
            ("m.rhai", module),
        ]);
        load(folder.path(), Kind::Consumer)
            .unwrap()
            .version()
            .to_owned()
    };
    assert_eq!(version("fn a() { }"), version("fn a() { }"));
    assert_ne!(version("fn a() { }"), version("fn b() { }"));
    assert!(version("").len() == 12 && version("").chars().all(|digit| digit.is_ascii_hexdigit()));
}

/// Programs go from thread to thread.
#[test]
fn programs_are_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Program>();
}

/// No import leaves the folder, whatever way it tries.
#[test]
fn imports_stay_in_the_folder() {
    for path in [
        "../secret",
        "/etc/secret",
        "a/../../secret",
        "..",
        "",
        "lib\\\\..\\\\x",
        "./m",
    ] {
        let text = format!("import \"{path}\" as x; {HANDLE}");
        let found = mistakes(&[("handler.rhai", &text)]);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].contains("can't be imported"), "{found:?}");
    }
}

/// Nor does a link inside the folder that leads out of it.
#[cfg(unix)]
#[test]
fn links_do_not_lead_out() {
    let outside = folder(&[("secret.rhai", "fn f() { }")]);
    let inside = folder(&[("handler.rhai", "import \"link\" as x; fn handle(msg) { }")]);
    std::os::unix::fs::symlink(
        outside.path().join("secret.rhai"),
        inside.path().join("link.rhai"),
    )
    .unwrap();
    let found = load(inside.path(), Kind::Consumer).unwrap_err();
    assert_eq!(
        found[0].label,
        "the file is a link that leaves the handler's folder"
    );
    std::os::unix::fs::symlink(inside.path(), outside.path().join("mounted")).unwrap();
    fs::remove_file(inside.path().join("link.rhai")).unwrap();
    fs::write(inside.path().join("real.rhai"), "fn f() { }").unwrap();
    std::os::unix::fs::symlink("real.rhai", inside.path().join("link.rhai")).unwrap();
    let through_a_link = outside.path().join("mounted");
    assert!(
        load(&through_a_link, Kind::Consumer).is_ok(),
        "links within the folder are fine"
    );
}

/// Every mistake of a load is told, with its place.
#[test]
fn every_mistake_is_told() {
    let found = mistakes(&[
        (
            "handler.rhai",
            "import \"m\" as m;\nimport \"gone\" as g;\nlet x = \"a\";\nimport x as y;\nfn handle(msg) { }",
        ),
        ("m.rhai", "fn f( { }"),
    ]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("handler.rhai:4:8: an import must name its file in plain quotes"),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("handler.rhai:2:8: `gone` can't be imported"),
        "{found:#?}"
    );
    assert!(found[2].starts_with("m.rhai:1:"), "{found:#?}");
}

/// The functions that deliveryd calls must be there and take what they are given.
#[test]
fn entry_functions_are_checked() {
    assert_eq!(mistakes(&[("handler.rhai", HANDLE)]), Vec::<String>::new());
    assert_eq!(
        mistakes(&[("handler.rhai", "\nfn handel(msg) { }")]),
        ["handler.rhai:2:4: the handler has no function `handle`: is this meant to be `handle`?"]
    );
    assert_eq!(
        mistakes(&[("handler.rhai", "fn handle(msg, x) { }\nfn on_stop(y) { }")]),
        [
            "handler.rhai:1:4: `handle` takes 1 parameter, not 2: `fn handle(msg)` was expected",
            "handler.rhai:2:4: `on_stop` takes no parameters, not 1: `fn on_stop()` was expected",
        ]
    );
}

/// Files that import each other in a circle are refused.
#[test]
fn circles_are_refused() {
    let found = mistakes(&[
        ("handler.rhai", "import \"a\" as a; fn handle(msg) { }"),
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "import \"a\" as a;"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("import each other in a circle"),
        "{found:?}"
    );
}

/// A file that is not there is named, with the reason.
#[test]
fn a_missing_handler_is_named() {
    let found = mistakes(&[("other.rhai", "")]);
    assert!(
        found[0].contains("handler.rhai can't be read: No such file"),
        "{found:?}"
    );
}

/// The example handlers do what they say.
#[test]
fn the_examples_work() {
    let handlers = Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers");
    let load = |name: &str, kind| {
        Arc::new(Program::load(&handlers.join(name), kind, &Limits::default()).unwrap())
    };
    let random = load("random_delivery.rhai", Kind::Producer);
    let mut random = Generator::new(&random, settings(), "Delivery").unwrap();
    let mut run = |name: &str| -> Vec<_> {
        let mut handler = Handler::new(&load(name, Kind::Consumer), settings()).unwrap();
        let mut all = Vec::new();
        for n in 0..50 {
            done(random.generate(n));
            let (_, key, value) = emitted(random.effects()).remove(0);
            let (key, value) = (key.unwrap(), value.unwrap());
            assert!(
                key.starts_with("d-") && (120..300).contains(&value.len()),
                "{key} {value}"
            );
            done(handler.handle(
                &record_of(Some(key.as_bytes()), Some(value.as_bytes()), &[]),
                1,
            ));
            all.extend(
                emitted(handler.effects())
                    .into_iter()
                    .map(|emit| (emit, value.clone())),
            );
        }
        all
    };
    assert!(run("print_delivery.rhai").is_empty());
    assert!(
        run("filter_and_route.rhai")
            .iter()
            .any(|((topic, ..), _)| topic == "Delivery.returned")
    );
    let priced = run("enrich_total.rhai");
    assert_eq!(priced.len(), 50);
    for ((_, _, priced), original) in priced {
        let priced: serde_json::Value = serde_json::from_str(&priced.unwrap()).unwrap();
        let original: serde_json::Value = serde_json::from_str(&original).unwrap();
        let items = original["items"].as_array().unwrap();
        let total: f64 = items
            .iter()
            .map(|i| i["price"].as_f64().unwrap() * i["qty"].as_f64().unwrap())
            .sum();
        assert!(
            (priced["total"].as_f64().unwrap() - total).abs() < 0.01,
            "{priced}"
        );
        assert_eq!(
            (&priced["id"], &priced["currency"]),
            (&original["id"], &"EUR".into())
        );
    }
}
