//! Numbers keep their text on their way through a handler.

use super::*;

/// A number that the script only moves keeps its text, wherever it goes: one beyond 64 bits, a long
/// decimal, one with an exponent or with a 0 at its end.
#[test]
fn moved_numbers_keep_their_text() {
    const BIG: &str = r#"{"n":12345678901234567890123,"d":0.1234567890123456789,"list":[1.50,12345678901234567891,2e3],"deep":[[-0.0,7.10]],"o":{"x":98765432109876543210,"y":1},"zero":-0,"huge":1e400}"#;
    for (script, expected) in [
        ("emit(\"t\", d.n)", "12345678901234567890123"),
        (
            "let a = d.list; a.push(1); emit(\"t\", a)",
            "[1.50,12345678901234567891,2e3,1]",
        ),
        (
            "let a = d.list; a.remove(0); emit(\"t\", a)",
            "[12345678901234567891,2e3]",
        ),
        (
            "let a = d.list; a.sort(); emit(\"t\", a)",
            "[1.50,2e3,12345678901234567891]",
        ),
        (
            "emit(\"t\", d.list.map(|x| x))",
            "[1.50,12345678901234567891,2e3]",
        ),
        (
            "emit(\"t\", d.list.filter(|x| x > 2.0))",
            "[12345678901234567891,2e3]",
        ),
        (
            "let a = []; for x in d.list { a.push(x); } emit(\"t\", a)",
            "[1.50,12345678901234567891,2e3]",
        ),
        (
            "let a = d.deep; a[0][0] = d.n; emit(\"t\", a)",
            "[[12345678901234567890123,7.10]]",
        ),
        (
            "let a = d.deep; a[0].push(d.d); emit(\"t\", a)",
            "[[-0.0,7.10,0.1234567890123456789]]",
        ),
        (
            "let o = d.o; o.y = d.d; emit(\"t\", o)",
            r#"{"x":98765432109876543210,"y":0.1234567890123456789}"#,
        ),
        (
            "let o = d.o; o.x = d.list[1]; emit(\"t\", o)",
            r#"{"x":12345678901234567891,"y":1}"#,
        ),
        (
            "let o = d.o; o.mixin(#{z: d.list[0]}); emit(\"t\", o)",
            r#"{"x":98765432109876543210,"y":1,"z":1.50}"#,
        ),
        (
            "let x = d.n; let f = || x; emit(\"t\", #{x: x, f: f.call()})",
            r#"{"f":12345678901234567890123,"x":12345678901234567890123}"#,
        ),
        ("emit(\"t\", [d.n].to_json())", "[12345678901234567890123]"),
        (
            "emit(\"t\", parse_json(d.list.to_json()).map(|x| x))",
            "[1.50,12345678901234567891,2e3]",
        ),
        // Also a zero with a sign, and what is beyond any float.
        ("emit(\"t\", [d.zero, -d.zero, d.zero + 1])", "[-0,0.0,1.0]"),
        (
            "emit(\"t\", #{a: d.huge, b: [d.huge].map(|x| x), c: d.zero})",
            r#"{"a":1e400,"b":[1e400],"c":-0}"#,
        ),
        ("emit(\"t\", d.huge); let o = d.o; o.x = d.huge;", "1e400"),
        // What was calculated is a new number.
        (
            "let x = d.list[0]; x += 1.0; emit(\"t\", [x, d.list[0] * 2.0])",
            "[2.5,3.0]",
        ),
        ("let x = d.list[0]; emit(\"t\", [x - 0.25 + 0.25])", "[1.5]"),
    ] {
        let script = format!("let d = msg.json; {script}");
        assert_eq!(value(&script, BIG), expected, "{script}");
    }
}

/// A number of one message is never taken for one of another, nor a constant's for a message's.
#[test]
fn texts_of_numbers_do_not_outlive_their_message() {
    let mut handler = handler(
        "const RATE = parse_json(\"[12345678901234567890]\")[0];
        fn handle(msg) { emit(\"t\", [global::RATE, msg.json[0], parse_json(msg.json[1])]) }",
    );
    for last in [1, 2] {
        let json = format!(r#"[1234567890123456789{last},"1234567890123456788{last}"]"#);
        done(handler.handle(&record(&json), 1));
        let emits: Vec<_> = handler.effects().emits().collect();
        let expected =
            format!("[12345678901234567890,1234567890123456789{last},1234567890123456788{last}]");
        assert_eq!(emits[0].value(), Some(expected.as_bytes()));
    }
}
