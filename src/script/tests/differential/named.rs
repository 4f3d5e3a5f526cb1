//! Constructs one by one, and every difference that was ever found.

use super::*;

/// Bodies that must do the same, compiled and interpreted, with every message.
pub(super) fn same(bodies: &[&str]) {
    same_below(grammar::HELPERS, bodies);
}

/// The same for files with this top.
pub(super) fn same_below(top: &str, bodies: &[&str]) {
    on_stack(|| all_same(top, bodies));
}

fn all_same(top: &str, bodies: &[&str]) {
    for body in bodies {
        let text = format!("{top}\nfn handle(msg) {{ {body} }}");
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
        "if (msg.json ?? twice(1) ?? 0) { 1 }",
        "let d = msg.json; d[\"n\"] += d.n; d[\"note\"] = d.note; d",
        "let d = msg.json; (d < { d += msg.group; d.tag; });",
        "let d = (); (d < { let i = 0; while i < 0 { i += 1; } d += \"x\"; i = i.tag; });",
        "while msg.json.items { emit(\"t\", 1); }",
    ]);
}

/// Where a limit ends a call that a native function then goes on with, all the same.
#[test]
fn limits_that_a_native_function_does_not_tell() {
    same(&[
        "msg.json.n += ((0.0 + msg.headers[\"via\"]) in 4611686018427387904); msg.json.n.id = params.most;",
        "let d = msg.json; d = -(d.keys());",
        "let s = `${#{a: msg.json}}`; s in 5",
    ]);
}

/// The script's own functions: what they return, change and fail with, and how deep they go.
#[test]
fn own_functions() {
    let text = "fn twice(x) { x + x } fn deep(n) { if n <= 0 { throw \"deep\"; } deep(n - 1) }
        fn of(m) { m.json.n + m.offset } fn change(d) { d.n = 1; d } fn leave() { exit(7); }
        fn fails(d) { d.a.b.c } fn nothing() {} fn early(x) { for i in 0..9 { if i == x { return i; } } -1 }
        fn shadow(msg) { msg.n } fn fallen(x) { is_def_var(\"x\") }
        fn handle(msg) { let x = 3; twice(x) + twice(msg.offset) + twice(x) + x }
        fn h1(msg) { deep(3) } fn h2(msg) { deep(99) } fn h3(msg) { of(msg) }
        fn h4(msg) { let d = msg.json; let e = change(d); emit(\"t\", d); emit(\"t\", e); }
        fn h5(msg) { emit(\"t\", 1); leave(); emit(\"t\", 2); } fn h6(msg) { try { fails(msg.json) } catch (e) { e } }
        fn h7(msg) { fails(msg.json) } fn h8(msg) { nothing(); early(4) + early(20) }
        fn h9(msg) { shadow(msg.json) } fn h10(msg) { fallen(1) } fn h11(msg) { twice(nothing()) }
        fn h12(msg) { let x = global::NAME; twice(x); x } fn h13(msg) { const C = 4; twice(C) + C }
        fn h14(msg) { h14(msg) } fn h15(msg) { try { deep(2) } catch { } twice(2) }
        fn h16(msg) { twice(1, 2) } fn h17(msg) { let s = twice(msg.value); s.len() }
        const NAME = \"n\";";
    let mut pair = Pair::of_text(text);
    pair.compare("handle", &messages::all()).unwrap();
    for number in 1..=17 {
        let name = format!("h{number}");
        pair.compare(&name, &messages::all()).unwrap();
    }
}

/// Functions of imported files: what they see of their own file, and of each other's.
#[test]
fn imported_functions() {
    let files = BTreeMap::from([
        (
            "handler.rhai".to_owned(),
            "import \"lib\" as lib; import \"deep/more\" as more;
            fn twice(x) { x + x }
            fn handle(msg) { lib::sum(msg.json.n, msg.offset) }
            fn h1(msg) { let d = msg.json; lib::fails(d) }
            fn h2(msg) { try { more::all(msg) } catch (e) { e } }
            fn h3(msg) { lib::hidden(1) }
            fn h4(msg) { lib::twice(2) + twice(2) + lib::calls_twice(3) + twice(4) }
            fn h5(msg) { for i in 0..3 { emit(\"t\", lib::sum(i, lib::CENTS)); } more::cents() }
            fn h6(msg) { lib::name(5, 6) } fn h7(msg) { nowhere::f(1) }
            fn h8(msg) { more::deep(40) } fn h9(msg) { lib::own_len(\"abc\") + \"abc\".len() }"
                .to_owned(),
        ),
        (
            "lib.rhai".to_owned(),
            "export const CENTS = 100; const RATE = 3;
            fn sum(a, b) { if a == () { return b; } a * global::RATE + b }
            fn fails(d) { d.a.b.c.d } private fn hidden(x) { x }
            fn twice(x) { x + x + 1 } fn calls_twice(x) { twice(x) + hidden(x) }
            fn len(x) { 77 } fn own_len(x) { len(x) }"
                .to_owned(),
        ),
        (
            "deep/more.rhai".to_owned(),
            "import \"lib\" as lib; fn all(m) { lib::sum(m.json.n, 1) + lib::fails(m.json) }
            fn cents() { lib::CENTS } fn deep(n) { if n == 0 { 0 } else { 1 + deep(n - 1) } }"
                .to_owned(),
        ),
    ]);
    let mut pair = Pair::of(&files).unwrap();
    pair.compare("handle", &messages::all()).unwrap();
    for number in 1..=9 {
        let name = format!("h{number}");
        pair.compare(&name, &messages::some()).unwrap();
    }
}

/// Methods of variables, values and fields of JSON; what they change comes back to where it was.
#[test]
fn methods() {
    same(&[
        "let s = \" a b \"; s.trim(); s.pad(9, \"-\"); emit(\"t\", s.to_upper() + s.sub_string(1, 2));",
        "let d = msg.json; d.items.push(1); d.note.make_upper(); emit(\"t\", d);",
        "msg.json.items.push(1); msg.json.a.b.push(2); emit(\"t\", msg.json); msg.json.items.len()",
        "let d = msg.json; d.a.b.c.push(1); emit(\"t\", d);",
        "let m = #{ len: |x| x, list: [3, 1, 2] }; m.list.sort(); emit(\"t\", m.len(5)); m",
        "let m = #{ to_upper: |x| `own ${x}` }; m.to_upper(3)",
        "const L = [1]; L.push(2); L",
        "let a = [1]; a.push(global::LIMIT); a[1] += 1; a",
        "let a = [1]; push(a, global::NAME); a[1] += \"x\"; a",
        "let a = [1]; push(a, global::NAME); a.push(global::LIMIT); a[1] += \"x\"; a",
        "let a = [1]; a.push(global::NAME); a.push(5); a.push(5); a[1] += 1; a",
        "let a = [1]; a.push(global::LIMIT); a[1] += 1; a",
        "const L = [1]; try { L.push(2); } catch { } emit(\"t\", L); L.len() + L.contains(1)",
        "const M = #{ a: 1 }; try { M.a.b.c = 2; } catch { } emit(\"t\", M); let k = \"a\"; M[k] + M.len()",
        "let l = [1]; l.push(msg.offset); l.push(l.len()); l.remove(0); emit(\"t\", l); l.pop() + l.pop()",
        "msg.value.to_upper(); msg.key.len() + msg.topic.len(); msg.headers.all(\"via\")",
        "msg.value.trim(); msg.headers[\"via\"]; msg.headers[msg.key]; msg.type_of()",
        "(msg.json.note ?? \"x\").len().max(3); [1, 2].len(); \"abc\".index_of(\"c\"); `${msg.key}`.len()",
        "let x; x?.len(); x?.push(1); x.len()",
        "let x; x?.len().max(3); x?.a().b().c(); 7",
        "[1].pop(); [].pop()?.len().max(3); (msg.json.missing)?.len().max(2); nothing(1)?.a().b(); 7",
        "let c = (19.99 * 100.0).round().to_int(); emit(\"t\", c); \" a b \".to_upper().split(\" \").len().max(2)",
        "let d = msg.json; d.items.filter(|i| i.qty > 1).len(); d.note.to_upper().split(\" \").push(1); emit(\"t\", d); d.items.pop().keys()",
        "msg.json.note?.split(\" \").len(); msg.json.missing?.len()?.max(3); msg.json.items.pop()?.keys().sort(); msg.json",
        "let s = \"b a\"; s.split(\" \").order().reduce(|a, b| `${a}${b}`); s.trim(); s.make_upper(); s.len().to_string().len()",
        "let f = |x| x + 1; f.call(2) + f.call(3)",
        "let d = msg.json; let n = d.items.len; emit(\"t\", d.items.filter(|i| i.qty > 1)); d.type_of()",
        "let d = msg.json.items; d.push(1); d[0] = 5; emit(\"t\", d);",
        "let s = \"abc\"; s.nothing_of_this_name(1)",
        "let b = blob(3, 1); b.push(2); b.len() + b[1]",
    ]);
}

/// Closures that methods of arrays call: how often, with what, and what they take along.
#[test]
fn closures() {
    let list = "let l = [3, 1, 2, \"x\", 2.5];";
    let bodies = [
        "let d = msg.json; emit(\"t\", d.items.filter(|i| i.qty > 1)); d.items.map(|i| i.sku)",
        "msg.json.items.some(|i| i.qty == 2) || msg.json.items.all(|i| i.price > 1.0)",
        "let n = 1; let f = msg.json.items.filter(|i| i.qty > n); n += 1; emit(\"t\", f); f.len()",
        "let sum = 0; [1, 2, 3].map(|x| { sum += x; sum * 2 })",
        "let s = 0; for x in [1, 2].map(|x, i| x * 10 + i) { s += x; } s",
        "[1, 2, 3, 4].reduce(|sum, x| (sum ?? 0) + x) + [1, 2].reduce(|sum, x, i| sum + x * i, 5)",
        "[1, 2, 3].reduce_rev(|sum, x| `${sum}${x}`, \"\")",
        "let l = [3, 1, 2]; l.sort(|a, b| b - a); emit(\"t\", l); l.order_by(|a, b| a < b)",
        "[1, 2, 3].find(|x| x > 1) ?? 0; [1, 2].find_map(|x| if x > 1 { x * 7 }); [5].index_of(|x| x == 5)",
        "let l = [1, 2, 3, 4]; let even = l.drain(|x| x % 2 == 0); l.retain(|x, i| i > 0); emit(\"t\", [l, even]);",
        "[1, 1, 2].dedup(|a, b| a == b); [1, 2].zip([3, 4], |a, b| a * b); [1].zip([2], |a, b, i| [a, b, i])",
        "[1, 2].map(|x| x.y.z)",
        "[1, 2].map(|| this + 1)",
        "[1, 2].map(|a, b, c| 1)",
        "[1, 2].filter(|x| { if x > 1 { return true; } throw \"small\" })",
        "try { [1].map(|x| throw x) } catch (e) { e }",
        "let f = |x| x + 1; [1, 2].map(f) + [f.call(3)]",
        "[1, 2].map(|x| { exit(x) })",
        "#{ a: 1, b: 2 }.filter(|k, v| v > 1).keys()",
        "let d = msg.json; d.filter(|k| k == \"n\"); d.items.for_each(|| this.n = 1); emit(\"t\", d);",
        "[1, 2].map(|x| {}); [].map(|x| x); [[1], [2]].map(|l| l.map(|x| x + l.len()))",
        "[1, 2].map(|x| twice(x) + global::LIMIT)",
        "let l = [1, 2]; let f = |x| { l.push(x); l.len() }; l.map(f); emit(\"t\", l);",
        "let x = 5; let f = |y| { x = y; x += 1; x }; [7].map(f); let g = x; x = 9; emit(\"t\", [g, x, twice(x)]); x.max(3)",
        "let a = [1, 2]; let f = |y| a.push(y); for v in a { if v < 3 { f.call(v + 2); } } emit(\"t\", a);",
        "msg.json.items.sort(|a, b| a.price - b.price); emit(\"t\", msg.json);",
        "msg.json.items.filter(|i| emit(\"t\", i)); msg.json.items.map(|i| reject(\"no\"))",
    ];
    let bodies: Vec<String> = bodies.iter().map(|body| format!("{list} {body}")).collect();
    same(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Constants at the top of a file: as they are, and what can't be done to them.
#[test]
fn constants_of_the_file() {
    same(&[
        "global::LIMIT + msg.offset * global::LIMIT; if msg.offset > global::LIMIT { 1 } else { `${global::NAME}!` }",
        "global::LIST.sample(); global::LIST.len(); global::LIST.contains(2); 2 in global::LIST; global::LIST[1] + global::LIST[-1]",
        "global::LIST.push(4); 5",
        "let l = global::LIST; l.push(4); l[0] += 1; emit(\"t\", [l, global::LIST]);",
        "let a = [global::LIST, global::NAME]; a[1] += 1; a[0].push(1); a",
        "let m = #{ a: global::LIST }; m.a.push(1); m",
        "for x in global::LIST { x += 1; emit(global::NAME, x); }",
        "switch global::LIMIT { 100 => \"hundred\", _ => 0 }",
        "(global::LIST ?? 1).len(); global::LIMIT ?? 5; -global::LIMIT; !global::LIMIT",
        "global::NAME.to_upper() + global::NAME.len(); type_of(global::LIST) + type_of(global::NAME)",
        "let f = |x| x + global::LIMIT; [1].map(f); f.call(global::LIMIT)",
        "twice(global::NAME); let t = twice(global::LIST); t.push(1); t",
        "let l = [1]; l.push(global::NAME); l.append(global::LIST); l[1] = 2; l[2] = 3; l",
        "global::NOWHERE + 1",
        "global::LIST[9]",
        "type_of(msg) + type_of(msg.json) + type_of(msg.json.items) + type_of(1) + type_of(1.5) + type_of(()) + type_of(true) + type_of('a')",
        "let s = msg.json.note; let p = s.split(\" \"); let x = 1; let f = || x; type_of(s) + type_of(p) + type_of(x) + type_of(f) + type_of(msg.key) + type_of(msg.json.weight_kg)",
    ]);
}

/// Fields and indexes that are calculated, read and set.
#[test]
fn calculated_places() {
    same(&[
        "let d = msg.json; let k = \"items\"; for i in 0..2 { emit(\"t\", d[k][i]?.sku); } d[k][0].qty",
        "let m = #{ a: #{ b: [1, 2, #{ c: 3 }] } }; let i = 2; emit(\"t\", m.a.b[i].c); m[\"a\"][\"b\"][0 - 1].c",
        "let l = [1, [2, 3]]; let i = 1; l[i][0] + l[1][i]; l[i] = 5; l[0] += 2; l[-1] -= 1; l[9] = 1; l",
        "let m = #{}; for w in [\"a\", \"b\", \"a\"] { m[w] = (m[w] ?? 0) + 1; m.total = m.a; m.n += 1; } m",
        "let c = #{ n: 1, f: 1.5, s: \"x\" }; c.n += 1; c.f *= 2; c.s += \"y\"; c[\"n\"] -= 3; c.n += \"z\"; c",
        "let d = msg.json; d.n += 1; d.weight_kg *= 2; d.note += \"!\"; d[\"city\"] = 1; d[\"n\"] += 1; emit(\"t\", d);",
        "let d = msg.json; d.a.b = 5; d.a.x.y = 1; emit(\"t\", d);",
        "msg.json.a.b = msg.offset; msg.json.n += 2; emit(\"t\", msg.json); msg.json = #{}; msg.json.n = 1; msg.json",
        "let d = msg.json; d.items[0].qty = 9; d.items[0].qty += 1; emit(\"t\", d);",
        "let s = \"abc\"; s[0] = 'x'; emit(\"t\", s[1]); s[9]",
        "const M = #{ a: 1 }; M.a = 2; M",
        "let n = 5; n[0] = true; n[3..5]; n.x = 1",
        "let d = msg.json; d[0]; d[msg.key] = 1; d[5] = 1;",
        "let l = []; l[0] = 1;",
        "let x = #{}; x.a = x; x.a.a = 1; x",
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
