//! `msg` and its headers.

use super::*;

/// Every field of the contract is there, in the script's own types.
#[test]
fn a_message_has_its_fields() {
    let text = r#"fn handle(msg) {
        emit("t", `${msg.topic} ${msg.partition} ${msg.offset} ${msg.timestamp} ${msg.key}`);
        emit("t", `${msg.value} ${msg.attempt} ${msg.group} ${msg.member}`);
    }"#;
    let mut handler = handler(text);
    done(handler.handle(&record("v"), 3));
    let emitted = emitted(handler.effects());
    assert_eq!(
        emitted[0].2.as_deref(),
        Some("Delivery 1 4711 1700000000000 d-17")
    );
    assert_eq!(emitted[1].2.as_deref(), Some("v 3 group-1 group-1-2"));
}

/// What is not UTF-8 is a blob, and null is `()`.
#[test]
fn bytes_are_text_or_a_blob_or_nothing() {
    let mut handler = body("emit(\"t\", (), type_of(msg.key) + \" \" + type_of(msg.value))");
    done(handler.handle(&record_of(Some(&[0xff, 0]), None, &[]), 1));
    assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("blob ()"));
}

/// A header's last value counts; all of them can be had; a missing one is `()`.
#[test]
fn headers_keep_repeated_names() {
    let text = r#"emit("t", (), #{last: msg.headers["a"], all: msg.headers.all("a"),
        none: msg.headers["x"], names: msg.headers.keys(), n: msg.headers.len()})"#;
    let mut handler = body(text);
    let headers: &[(&str, &[u8])] = &[("a", b"1"), ("b", b"2"), ("a", b"3")];
    done(handler.handle(&record_of(None, Some(b"{}"), headers), 1));
    assert_eq!(
        emitted(handler.effects())[0].2.as_deref(),
        Some(r#"{"all":["1","3"],"last":"3","n":3,"names":["a","b"],"none":null}"#)
    );
}

/// `params` and the file's constants are seen in every function, and in modules.
#[test]
fn constants_are_seen_everywhere() {
    let folder = folder(&[
        (
            "handler.rhai",
            r#"import "lib/money" as money;
            const SIGN = "~";
            fn helper() { params.currency + global::SIGN }
            fn handle(msg) { emit("t", helper() + money::show(3)); }"#,
        ),
        (
            "lib/money.rhai",
            "const UNIT = \"ct\"; fn show(n) { `${n}${global::UNIT}/${params.currency}` }",
        ),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut settings = settings();
    settings.params.insert("currency".into(), "EUR".into());
    let mut handler = Handler::new(&program, settings).unwrap();
    for _ in 0..3 {
        done(handler.handle(&record("{}"), 1));
        assert_eq!(
            emitted(handler.effects())[0].2.as_deref(),
            Some("EUR~3ct/EUR")
        );
    }
}

/// Closures see `params` too, in a handler and in its modules; a variable of this name goes before it.
#[test]
fn closures_see_params() {
    let folder = folder(&[
        (
            "handler.rhai",
            r#"import "m" as m;
            fn own(x) { let params = #{rate: 5}; [x].map(|x| x * params.rate)[0] }
            fn handle(msg) {
                emit("t", [1, 2].map(|x| [x].map(|y| y * params.rate)[0]));
                emit("t", m::scaled([1, 2]));
                emit("t", own(1));
            }"#,
        ),
        (
            "m.rhai",
            "fn scaled(list) { list.map(|x| x * params.rate) }",
        ),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let mut settings = settings();
    settings.params.insert("rate".into(), 3.into());
    let mut handler = Handler::new(&program, settings).unwrap();
    done(handler.handle(&record("{}"), 1));
    let values: Vec<_> = emitted(handler.effects())
        .into_iter()
        .map(|(_, _, value)| value.unwrap())
        .collect();
    assert_eq!(values, ["[3,6]", "[3,6]", "5"]);
}

/// `params` can be copied and the copy changed.
#[test]
fn params_are_constant() {
    let mut settings = settings();
    settings
        .params
        .insert("a".into(), serde_json::json!({"b": 1}));
    let text = r#"fn handle(msg) { let p = params; p.x = 1; p.a.b = 2; emit("t", p); emit("t", params); }"#;
    let mut handler = handler_with(text, settings);
    done(handler.handle(&record("{}"), 1));
    let emitted = emitted(handler.effects());
    assert_eq!(emitted[0].2.as_deref(), Some(r#"{"a":{"b":2},"x":1}"#));
    assert_eq!(emitted[1].2.as_deref(), Some(r#"{"a":{"b":1}}"#));
}

/// One handler serves several groups: each has the parameters of its own configuration.
#[test]
fn one_handler_serves_several_groups() {
    let folder = folder(&[
        (
            "handler.rhai",
            r#"import "lib/route" as route;
            const DEFAULT = "Other";
            fn handle(msg) { emit(route::topic() ?? global::DEFAULT, [1].map(|n| n + (params.add ?? 0))); }"#,
        ),
        ("lib/route.rhai", "fn topic() { params.topic }"),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Consumer).unwrap());
    let with = |params: serde_json::Value| {
        let params = params.as_object().unwrap().clone().into_iter().collect();
        Handler::new(
            &program,
            Settings {
                params,
                ..settings()
            },
        )
        .unwrap()
    };
    let mut first = with(serde_json::json!({"topic": "A", "add": 1}));
    let mut second = with(serde_json::json!({"topic": "B"}));
    let mut third = with(serde_json::json!({}));
    for _ in 0..3 {
        for (handler, topic, value) in [
            (&mut first, "A", "[2]"),
            (&mut second, "B", "[1]"),
            (&mut third, "Other", "[1]"),
        ] {
            done(handler.handle(&record("{}"), 1));
            let (found, _, emitted) = emitted(handler.effects()).remove(0);
            assert_eq!((found.as_str(), emitted.as_deref()), (topic, Some(value)));
        }
    }
}

/// The life-cycle functions and `on_failed` see `params` and the file's constants as `handle` does.
#[test]
fn constants_are_seen_in_every_function_that_deliveryd_calls() {
    let text = r#"const NAME = "n"; fn show() { `${global::NAME} ${params.currency}` }
        fn handle(msg) { throw 1 } fn on_start() { emit("t", show()) } fn on_stop() { emit("t", show()) }
        fn on_assign(p) { emit("t", show()) } fn on_revoke(p) { emit("t", show()) }
        fn on_failed(msg, reason) { emit("t", show()) }"#;
    let mut settings = settings();
    settings.params.insert("currency".into(), "EUR".into());
    let mut handler = handler_with(text, settings);
    let calls: [fn(&mut Handler) -> Outcome; 5] = [
        |handler| handler.on_start(),
        |handler| handler.on_assign(&[]),
        |handler| handler.on_failed(&record("{}"), 1, "why"),
        |handler| handler.on_revoke(&[]),
        |handler| handler.on_stop(),
    ];
    for call in calls {
        done(call(&mut handler));
        assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("n EUR"));
    }
}

/// What a handler puts in the place of `msg` is gone with its call.
#[test]
fn msg_is_the_message_again_in_the_next_call() {
    let text = "fn handle(msg) { emit(\"t\", msg.offset); msg = 5; msg += 1; }";
    let mut handler = handler(text);
    for _ in 0..3 {
        done(handler.handle(&record("{}"), 1));
        assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("4711"));
    }
}
