//! Constructs one by one, and every difference that was ever found.

use super::*;

/// Bodies that must do the same, compiled and interpreted, with every message.
fn same(bodies: &[&str]) {
    on_stack(|| all_same(bodies));
}

fn all_same(bodies: &[&str]) {
    for body in bodies {
        let text = format!("{}\nfn handle(msg) {{ {body} }}", grammar::HELPERS);
        let result = Pair::of_text(&text).compare("handle", &messages::all());
        if let Err(difference) = result {
            panic!("{body}\n{difference}");
        }
    }
}

/// The handlers of the benchmark.
#[test]
fn the_benchmarks_handlers() {
    same(&[
        "",
        r#"if msg.partition > 100 && msg.offset > 5 && msg.key == "x" { emit("t", 1) }"#,
        r#"let d = msg.json; if d.status == "delivered" && d.weight_kg > 100 { emit("t", d) }"#,
        r#"let d = msg.json; let total = 0.0; for i in d.items { total += i.qty * i.price; } d.total = total; emit("t", d)"#,
        r#"let d = msg.json; let parts = d.note.split(" "); let s = ""; for p in parts { s += p; s += "-"; } emit("t", s + d.city)"#,
    ]);
}

/// A `for` loop's variables, a constant among what it goes through, and leaving it.
#[test]
fn loops() {
    same(&[
        "let s = 0; for (x, i) in [5, 6, 7] { if i == 1 { continue; } s += x * i; } emit(\"t\", s);",
        "for x in global::LIST { x += 1; emit(\"t\", x); }",
        "for x in [global::NAME, 1] { x = 2; emit(\"t\", x); }",
        "let r = 0; for i in 0..=3 { for j in i..4 { if j == 2 { break; } r += j; } } emit(\"t\", r);",
        "for c in msg.json.note { emit(\"t\", c); }",
        "for x in msg.json { emit(\"t\", x); }",
        "for i in 3..0 { emit(\"t\", i); } for i in 0..3 {} loop { break; } while false {}",
        "let f = []; for i in 0..3 { f.push(|| i); } emit(\"t\", f[0].call());",
        "let i = 0; while i < 3 { i += 1; if i == 2 { continue; } emit(\"t\", i); }",
        "loop {}",
        "while true {}",
        "let x = 1; for x in 0..2 { let x = x + 1; emit(\"t\", x); } emit(\"t\", x);",
    ]);
}

/// What is counted at once and goes in registers, and where that ends.
#[test]
fn short_ways() {
    same(&[
        "let d = msg.json; let p = d.note.split(\" \"); emit(\"t\", p); emit(\"t\", p.len()); p.push(1); emit(\"t\", p);",
        "let d = msg.json; let p = d.note.split(\" \"); let q = p; q.push(1); for x in p { p = 5; emit(\"t\", x); } emit(\"t\", q);",
        "let d = msg.json; for p in d.note.split(\"a\") { p += \"!\"; emit(\"t\", p.len()); if p > \"a\" { emit(\"t\", p + 1); } }",
        "let d = msg.json; for (p, i) in d.note.split(\" \") { d.note = p; d.i = i; emit(\"t\", d); if p == \"at\" { break; } }",
        "let d = msg.json; let p = d.note.split(\" \"); d.p = p; emit(\"t\", d); emit(\"t\", p == p); p",
        "let d = msg.json; emit(\"t\", d.status + d.city); emit(\"t\", msg.key + \"x\"); emit(\"t\", d.city); emit(\"t\", d.n + d.n);",
        "let d = msg.json; emit(\"t\", d.status + d.city + \"-\" + d.n); emit(\"t\", msg.value); emit(\"t\", msg.topic + \"-\");",
        "let d = msg.json; let x = d.n; x -= d.n * 2; x *= 1.5; emit(\"t\", x); let f = d.weight_kg; f += 0; emit(\"t\", f);",
        "let d = msg.json; let x = 1.5; x += d.n; x -= -d.n; x /= d.weight_kg; x %= 7; emit(\"t\", x); let s = \"a\"; s += d.n; s",
        "let d = msg.json; let n = 0; for i in d.items { n += i.qty; let q = i.qty * 2; i.q = q; emit(\"t\", i); } emit(\"t\", n);",
        "let d = msg.json; let x = 1; d.y = x; d.n = x; x = \"s\"; d.city = x; d.z = x; d.d = d; emit(\"t\", d);",
        "let d = msg.json; d.remove(\"n\"); d.y = 1; emit(\"t\", d); d[\"a \\\"b\"] = 2; emit(\"t\", d);",
        "msg.json.extra = 2; let d = msg.json; emit(\"t\", d); d.extra = 3; emit(\"t\", msg.json); if msg.json.extra > 1 { 5 }",
        "if msg.json.n > 1 && !(msg.json.ok) || msg.key != \"d-17\" { emit(\"t\", 1); }",
        "if msg.json.n { emit(\"t\", 1); }",
        "if msg.timestamp == () || msg.key == 5 || msg.key < \"e\" { emit(\"t\", 1); }",
        "let d = msg.json; if d.status == \"open\" || d.n == \"x\" || d.nothing != \"x\" || d.items == \"y\" { emit(\"t\", 2); }",
    ]);
}

/// Declarations again, in and out of blocks, constants, and what closures share.
#[test]
fn variables() {
    same(&[
        "let x = 1; let x = x + 1; { let x = 5; emit(\"t\", x); } emit(\"t\", x);",
        "const X = msg.json; emit(\"t\", X);",
        "const D = msg.json; D.n = 1;",
        "const N = 1; let y = N + 1; emit(\"t\", y);",
        "let x = 1; let f = |y| x + y; x = 5; emit(\"t\", f.call(2)); x += 1; emit(\"t\", x);",
        "let x = msg.json; let y = x; y.n = 100; emit(\"t\", x); emit(\"t\", y);",
        "msg.json.n = 5; emit(\"t\", msg.json); let d = msg.json; d.n = 6; emit(\"t\", msg.json.n);",
        "let x = global::LIST; x.push(4); emit(\"t\", x);",
        "let x = params; x.a = 1; emit(\"t\", x);",
        "msg = 5; emit(\"t\", msg);",
        "let msg = msg.json; emit(\"t\", msg);",
        "msg.grow(); emit(\"t\", msg.partition);",
        "let n = 1; n.grow(); emit(\"t\", n);",
    ]);
}

/// Numbers at their ends, floats that are none, and what has no number.
#[test]
fn arithmetic() {
    let values = [
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "(-9223372036854775807 - 1)",
        "0.0",
        "1.5",
        "1e308",
        "(0.0 / 0.0)",
        "(1.0 / 0.0)",
        "\"a\"",
        "\"\"",
        "true",
        "()",
        "'a'",
        "[1]",
        "#{}",
        "msg.json",
        "msg.json.n",
        "msg.json.weight_kg",
        "msg.json.status",
        "msg.key",
    ];
    let operators = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="];
    let changes = ["+=", "-=", "*=", "/=", "%="];
    let records = [messages::some()[0].clone(), messages::some()[2].clone()];
    for left in values {
        let mut text = String::new();
        let mut bodies = Vec::new();
        for right in values {
            for operator in operators {
                bodies.push(format!(
                    "let l = {left}; let r = {right}; let v = l {operator} r; emit(\"t\", [v]); v"
                ));
            }
            for operator in changes {
                bodies.push(format!(
                    "let l = {left}; l {operator} {right}; emit(\"t\", [l]); l"
                ));
            }
        }
        for (at, body) in bodies.iter().enumerate() {
            text.push_str(&format!("fn h{at}(msg) {{ {body} }}\n"));
        }
        let mut pair = Pair::of_text(&text);
        for (at, body) in bodies.iter().enumerate() {
            if let Err(difference) = pair.compare(&format!("h{at}"), &records) {
                panic!("{body}\n{difference}");
            }
        }
    }
}

/// Chains that are there, that end early, and that can't be followed.
#[test]
fn chains() {
    same(&[
        "emit(\"t\", msg.json.a.b); ",
        "emit(\"t\", msg.json.a?.b?.c ?? \"none\");",
        "emit(\"t\", msg.json.items[0].sku);",
        "emit(\"t\", msg.json[\"status\"]);",
        "let d = msg.json; emit(\"t\", d.items[-1]); emit(\"t\", d[\"default\"]); emit(\"t\", d.a[\"b\"]);",
        "let d = msg.json; d.a = #{b: 1}; emit(\"t\", d.a.b);",
        "let d = msg.json; d.note = \"x y\"; for p in d.note.split(\" \") { emit(\"t\", p); } emit(\"t\", d);",
        "let d = msg.json; d.a = msg.json.items; emit(\"t\", d.a.len());",
        "let n = msg.json.items.len(); emit(\"t\", n); emit(\"t\", msg.json.note.len());",
        "let d = msg.json; emit(\"t\", d?.items?.len() ?? 0);",
        "let d = msg.json; emit(\"t\", d.items.len); emit(\"t\", d.tag); emit(\"t\", d.len);",
        "let s = msg.value; emit(\"t\", s.split(\",\").len());",
        "let d = msg.json.items; emit(\"t\", d[0]); emit(\"t\", d.len());",
    ]);
}

/// A function of the script's own that is called like one that is compiled.
#[test]
fn own_functions_stand_in_for_ours() {
    let text = "fn emit(a, b) { print(`own ${a}`); } fn split(by) { [by] } fn len() { 77 }
        fn handle(msg) { emit(\"t\", 1); let d = msg.json; let x = d.note.split(\" \"); d.items.len() }";
    Pair::of_text(text)
        .compare("handle", &messages::all())
        .unwrap();
}

/// The text of a number stays where it is moved, and goes where it is calculated.
#[test]
fn numbers_keep_their_text() {
    same(&[
        "let d = msg.json; let x = d.weight_kg; emit(\"t\", x); x += 0; emit(\"t\", x); emit(\"t\", [d.id, d.n, d.x]);",
        "let d = msg.json; d.total = d.x; d.id = d.n; emit(\"t\", d);",
        "let x = msg.json; let y = x.weight_kg; y *= 1; emit(\"t\", #{y: y}); emit(\"t\", -y);",
    ]);
}

/// Sizes: what is too long is said by the interpreter.
#[test]
fn sizes_have_their_limits() {
    let limits = Limits {
        string: 64,
        array: 4,
        map: 4,
        ..Limits::default()
    };
    let long = "x".repeat(100);
    let value = format!(r#"{{"short":"abc","long":"{long}","many":"a b c d e f"}}"#);
    let records = [record(&value)];
    for body in [
        "let d = msg.json; emit(\"t\", d.long);",
        "emit(\"t\", msg.json.long == \"x\");",
        "emit(\"t\", msg.value);",
        "let s = \"\"; loop { s += \"abc\"; }",
        "let s = \"a\"; loop { s = s + s; }",
        "let d = msg.json; for p in d.many.split(\" \") { emit(\"t\", p); }",
        "let d = msg.json; emit(\"t\", `${d.short}${d.short}${msg.topic}${msg.offset}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}${d.short}`);",
    ] {
        let files = BTreeMap::from([(
            "handler.rhai".to_owned(),
            format!("fn handle(msg) {{ {body} }}"),
        )]);
        let mut pair = Pair::with(&files, limits).unwrap();
        if let Err(difference) = pair.compare("handle", &records) {
            panic!("{body}\n{difference}");
        }
    }
}

/// Where a limit ends a call in the middle of what only turns out to be no JSON, the place is still the
/// interpreter's; so is the name of a type in an error.
#[test]
fn limits_and_types_of_what_is_not_expected() {
    same(&[
        "let d = msg.json; d = #{ a: \"\", n: d }; d += d.note; emit(\"t\", d?.a?.b?.c, d);",
        "let d = #{ a: msg.json }; for i in d.items { emit(\"t\", i); }",
        "let b = 64; b = `<${b}|${b}>`; emit(\"t\", b);",
        "let d = msg.json; d += d; let a = `<${false}|${d}>`; emit(\"t\", a);",
        "if msg.json { emit(\"t\", 1); }",
        "if msg { emit(\"t\", 1); }",
        "while msg.json.items { emit(\"t\", 1); }",
    ]);
}

/// The configuration's constants, there and not there, hidden by a variable, and not to be changed.
#[test]
fn params() {
    same(&[
        "emit(\"t\", params.currency ?? \"EUR\"); emit(\"t\", params.nothing ?? 1); emit(\"t\", params.most);",
        "emit(params.topic ?? \"t\", params[\"currency\"] + params.most);",
        "emit(\"t\", params?.currency); emit(\"t\", params.nothing?.deeper ?? 2); emit(\"t\", params.most.deeper);",
        "let params = #{ currency: 5 }; emit(\"t\", params.currency + 1);",
        "{ let params = msg.json; emit(\"t\", params.n); } emit(\"t\", params.currency);",
        "params.currency = \"USD\"; emit(\"t\", params.currency);",
        "emit(\"t\", params.currency.len()); emit(\"t\", params.currency.split(\"U\"));",
        "for c in params.currency { emit(\"t\", c); }",
        "let f = || params.currency; emit(\"t\", f.call());",
    ]);
}
