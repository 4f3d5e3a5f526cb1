//! `switch`, `try`, `do`, literals, blocks as values, and `for` over all kinds of values.

use super::named::same;
use super::*;
use crate::script::engine;

/// So many functions share an engine.
const A_FILE: usize = 200;

/// The same for thousands of bodies, of which the parser may refuse some; with a few messages.
fn all_same(bodies: &[String]) {
    on_stack(|| {
        let parser = engine::bare(&Limits::default());
        let parsed = |body: &&String| parser.compile(format!("fn h(msg) {{ {body} }}")).is_ok();
        let bodies: Vec<&String> = bodies.iter().filter(parsed).collect();
        bodies.chunks(A_FILE).for_each(a_file_is_the_same);
    });
}

fn a_file_is_the_same(bodies: &[&String]) {
    let mut text = String::from(grammar::HELPERS);
    for (at, body) in bodies.iter().enumerate() {
        text.push_str(&format!("fn h{at}(msg) {{ {body} }}\n"));
    }
    let mut pair = Pair::of_text(&text);
    pair.plenty = 3_000;
    for (at, body) in bodies.iter().enumerate() {
        if let Err(difference) = pair.compare(&format!("h{at}"), &messages::some()[..2]) {
            panic!("{body}\n{difference}");
        }
    }
}

/// What a `switch` may be asked, with every kind of case.
#[test]
fn switches() {
    let values = [
        "0",
        "1",
        "2",
        "5",
        "7",
        "10",
        "-3",
        "1.0",
        "5.5",
        "9.0",
        "0.0",
        "-0.0",
        "\"a\"",
        "\"\"",
        "\"delivered\"",
        "'a'",
        "true",
        "false",
        "()",
        "[]",
        "[1, 2]",
        "[msg.json]",
        "#{}",
        "#{a: 1}",
        "1..3",
        "msg",
        "msg.json",
        "msg.json.status",
        "msg.json.items",
        "msg.json.n",
        "msg.json.weight_kg",
        "msg.key",
        "msg.offset",
        "global::LIST",
        "global::NAME",
        "global::LIMIT",
        "params.most",
        "|x| x",
        "Fn(\"twice\")",
        "twice(5)",
        "{ let a = 1; a }",
        "msg.json.nothing.deeper",
        "\"x\".repeat",
    ];
    let cases = "0 => 'z', 1 | 1.0 | \"1\" => \"one\", true => { emit(\"t\", 1); 2 }, 2 if v == 2 => 22, \
        2 if twice(v) == 4 => 23, 'a' => 'b', \"a\" => `x${v}`, \"delivered\" => v, () => [v], \
        [1, 2] => \"list\", #{a: 1} => \"map\", 5..9 if twice(1) == 3 => 1, 5..=7 => { let y = v; y }, \
        -3..8 => { v + 1 }, _ => { emit(\"t\", type_of(v)); v }";
    let whole: Vec<String> = values
        .iter()
        .flat_map(|value| {
            [
                format!("let v = {value}; let r = switch v {{ {cases} }}; emit(\"t\", [r]); r"),
                format!("let v = 2; switch {value} {{ {cases} }}"),
                format!("let v = 2; switch {value} {{ 1 => 2 }}"),
                format!("let v = 2; switch {value} {{ 1..=5 => v, 3..9 if v > 1 => 1, 4..9 if !v => 1 }}"),
                format!("const v = {value}; switch v {{ 1..=5 => v, _ => v }}"),
            ]
        })
        .collect();
    all_same(&whole);
}

/// A `switch` whose value comes by, again and again, in one place.
#[test]
fn switches_that_meet_many_values() {
    same(&[
        "for v in [1, 1.0, \"1\", '1', true, (), [1], 1, 1.0, \"1\", '1', true, ()] { emit(\"t\", switch v { 1 => \"int\", 1.0 => \"float\", \"1\" => \"text\", '1' => \"char\", true => \"flag\", () => \"unit\", [1] => \"list\" }); }",
        "let r = 0; for v in 0..200 { r += switch v { 3 => 1, 70 => 2, 199 => 3, _ => 0 }; } emit(\"t\", r);",
        "let r = 0; for v in 0..200 { r += switch `k${v % 90}` { \"k3\" => 1, \"k70\" => 2, \"k89\" => 3, _ => 0 }; } emit(\"t\", r);",
        "let s = \"\"; for i in 0..100 { s += \"x\"; switch s { \"xx\" => emit(\"t\", 2), \"\" => 1, _ => 0 } }",
        "for i in 0..5 { switch i { 1 => continue, 3 => break, _ => emit(\"t\", i) } }",
        "for i in 0..5 { switch i { 2 => return i, 1 if i == 1 => { let q = 5; emit(\"t\", q); } } }",
        "let x = 5; let f = || { x += 1; x }; switch x { 5 => f.call(), _ => 0 } + x",
        "let x = 5; let f = || x; switch x { 5..8 => x, _ => 0 }",
        "switch msg.json.status { \"delivered\" if msg.json.weight_kg > 1 => emit(\"t\", 1), \"delivered\" if deep(2) => 2, _ => throw \"none\" }",
        "switch deep(1) { 1 => 2 }",
        "switch { let a = 1; let b = a; b } { 1 => { let c = 1; c + 1 } }",
        "let a = switch 1 { 1 => 2, _ => 3 }; a",
        "switch 5 { 1..3 => 1, 4..9 if msg.offset > 0 => 2, _ => 3 }",
        "let n = -9223372036854775807 - 1; switch n { 0..=9223372036854775807 => 1, -9223372036854775807..0 => 2 }",
        "let n = 0.0 / 0.0; switch n { 0..9 => 1, _ => 2 }",
    ]);
}

/// Errors of every kind, caught, thrown again, and those that can't be.
#[test]
fn errors_that_are_caught() {
    let failing = [
        "throw 1;",
        "throw;",
        "throw ();",
        "throw \"\";",
        "throw #{a: 1};",
        "throw msg.json;",
        "throw [1, msg.json];",
        "1 / (msg.partition - msg.partition);",
        "deep(3);",
        "nothing_there(1);",
        "msg.no_such_field;",
        "[1][5];",
        "\"abc\"[7];",
        "5[99];",
        "#{}.a.b.c;",
        "let q = 1; q.a.b;",
        "global::NOTHING;",
        "no::thing();",
        "for x in 5 { }",
        "if 5 { }",
        "let z = 1; z.push(2);",
        "const C = 1; C += 1;",
        "const L = [1]; L.push(2);",
        "let f = 5; f.call();",
        "this.x = 1;",
        "reject(\"no\");",
        "retry(\"later\");",
        "emit(5, 6);",
        "parse_int(\"x\");",
        "exit(5);",
        "return 7;",
        "let a = []; loop { a += [1, 2, 3]; }",
        "let s = \"x\"; loop { s += s; }",
        "loop { }",
        "fn_that_is_not.call(1);",
        "msg.json.items.map(|x| x / 0);",
        "[1, 2].map(|x| throw x);",
        "let d = msg.json; d.a = 1; d.a.b = 2;",
        "let v = 1; v.grow(); v / 0;",
        "emit(\"t\", 1); 5",
        "let m = #{}; m.x();",
        "let s = \"a\"; s.push_str(); s -= 1;",
        "msg.json.n += \"x\" - 1;",
        "switch 1 { 1 => throw \"in\" }",
        "add_to(5);",
        "is_def_fn(\"x\");",
        "() + 1;",
        "!5;",
        "-\"x\";",
    ];
    let whole: Vec<String> = failing
        .iter()
        .flat_map(|failing| {
            [
                format!("let v = 1; try {{ let w = 2; v = 3; {failing} v = 4; }} catch (e) {{ let u = 9; emit(\"t\", [v, u, e]); }} emit(\"t\", v); v"),
                format!("let v = 1; try {{ {failing} }} catch {{ v += 1; emit(\"t\", v); }} v"),
                format!("try {{ {failing} }} catch (e) {{ throw; }}"),
                format!("try {{ {failing} }} catch (e) {{ throw e; }}"),
                format!("try {{ {failing} }} catch {{ throw; }}"),
                format!("try {{ try {{ {failing} }} catch (e) {{ throw (); }} }} catch (e) {{ emit(\"t\", [e]); }}"),
                format!("try {{ {failing} }} catch (e) {{ emit(\"t\", [e.message, e.line, e.position, e.error, e.source]); }}"),
                format!("let r = try {{ {failing} }} catch (e) {{ 1 }}; r"),
                format!("for i in 0..2 {{ try {{ {failing} }} catch (e) {{ if i == 0 {{ continue; }} break; }} emit(\"t\", i); }}"),
                format!("try {{ {failing} }} catch (e) {{ return type_of(e); }}"),
                format!("try {{ {failing} }} catch (e) {{ let f = || e; e = 5; emit(\"t\", f.call()); }}"),
                format!("try {{ {failing} }} catch (e) {{ deep(1) }}"),
            ]
        })
        .collect();
    all_same(&whole);
}

/// What a failed statement was about to change is as it was.
#[test]
fn what_is_left_after_an_error() {
    same(&[
        "let a = [1, 2]; try { a.push(3); a.push(deep(1)); } catch { } emit(\"t\", a);",
        "let s = \"x\"; try { s += deep(1); } catch { } emit(\"t\", s);",
        "let a = [1, 2]; try { a.insert(\"x\", 1); } catch { } emit(\"t\", a);",
        "let a = [1, 2]; try { a.no_such(1); } catch { } emit(\"t\", a);",
        "let a = [1, 2]; try { no_such(a); } catch { } emit(\"t\", a);",
        "let a = [3, 4]; try { for x in a { if x == 4 { throw x; } } } catch (e) { emit(\"t\", e); } emit(\"t\", a);",
        "let a = msg.json; try { a.n = deep(1); } catch { } emit(\"t\", a);",
        "let a = [1]; try { let b = 1; { let c = 2; a[deep(1)] = 1; } } catch { let d = 3; emit(\"t\", d); } let e = 4; emit(\"t\", [a, e]);",
        "let a = [1]; try { parse_json(a); } catch { } emit(\"t\", a);",
        "let m = #{a: [1]}; try { m.a.push(deep(1)); } catch { } try { m.a.b.c = 1; } catch { } emit(\"t\", m);",
        "let x = 1; try { try { throw 1; } catch (e) { throw e + 1; } } catch (e) { emit(\"t\", e); } x",
        "try { } catch (e) { } try { let a = 1; } catch { throw; }",
        "let i = 0; while i < 3 { i += 1; try { if i == 2 { continue; } throw i; } catch (e) { emit(\"t\", e); } }",
        "let a = [1]; try { let b = [a, deep(1)]; } catch { } let c = 5; emit(\"t\", [a, c]);",
    ]);
}

/// `do`, with all that can leave it.
#[test]
fn do_loops() {
    same(&[
        "let i = 0; do { i += 1; emit(\"t\", i); } while i < 3; i",
        "let i = 0; do { i += 1; emit(\"t\", i); } until i >= 3; i",
        "let i = 0; do { i += 1; if i == 2 { continue; } emit(\"t\", i); } while i < 4;",
        "let i = 0; let r = do { i += 1; if i > 5 { break \"out\"; } } until false; r",
        "do { } while false; do { } until true;",
        "do { } while true;",
        "do { let x = 1; } until deep(1);",
        "do { let x = 1; } while msg.json;",
        "let i = 0; do { let j = i; i += 1; continue; } while i < 3;",
        "let i = 0; do { let j = i; i += 1; if j == 2 { return j; } } while twice(i) < 30;",
        "let x = 5; do { let x = x + 1; emit(\"t\", x); } while false; x",
    ]);
}

/// Blocks where a value is wanted.
#[test]
fn blocks_as_values() {
    same(&[
        "let x = if msg.offset > 5 { 1 } else { 2 }; x",
        "let x = if msg.offset > 5 { let a = msg.json; a.n } else if msg.key == () { emit(\"t\", 1); } else { twice(2) }; [x]",
        "let z = { let a = 1; let b = 2; a + b }; let c = z; emit(\"t\", [z, c]);",
        "let z = { }; z",
        "let z = { 5; }; z",
        "let z = {{ 5 }}; z",
        "let x = 1; let y = { let x = 2; x += 1; x } + x; y",
        "let r = loop { break 5; }; r",
        "let r = while false { }; r",
        "let r = for i in 0..5 { if i == 3 { break i; } }; r",
        "let a = [1]; a.push({ let b = 2; a.push(7); b }); a",
        "emit({ \"t\" }, { let q = msg.json; q.n = 1; q });",
        "for i in 0..3 { let x = if i == 1 { continue; } else { i }; emit(\"t\", x); }",
        "let x = { return 5; }; x",
        "let x = [1, { return 6; }]; x",
        "let x = { throw 7; }; x",
        "let x = 1; let y = { x = 2; x }; let f = || x; let z = { x += 1; x }; [x, y, z, f.call()]",
        "let b = { let a = 5; a }; if b { 1 }",
        "let d = msg.json; d.total = { let q = 1; q }; emit(\"t\", d); let x = 1; x += { let q = 2; q }; x",
        "let s = `a${ let z = 5; z + 1 }b${ if msg.offset > 0 { 'c' } }`; s",
    ]);
}

/// Arrays and maps with values of all kinds.
#[test]
fn literals() {
    same(&[
        "let x = 1; let a = [x, 2, [x, 3], #{a: x, b: [x]}, 'c', (), 1.5, msg.json, msg.key]; emit(\"t\", a); a",
        "let m = #{a: 1, b: msg.json.n, \"c d\": twice(2), e: #{f: msg.json.items}, g: []}; emit(\"t\", m); m",
        "let a = [1, deep(2), emit(\"t\", 1)];",
        "let a = [emit(\"t\", 1), deep(2)];",
        "let m = #{b: emit(\"t\", 1), a: emit(\"t\", 2)}; m.keys()",
        "let a = [global::LIST, global::NAME]; a[0].push(1); a[1] += \"x\"; emit(\"t\", a);",
        "const C = [1]; let a = [C, C]; a[0].push(2); emit(\"t\", a);",
        "let a = [msg.json.weight_kg, msg.json.x]; emit(\"t\", a); a[0]",
        "let x = 1; let f = || x; let a = [x, f]; x = 2; a[0]",
        "[1, 2, 3]",
        "[1, [2, [3]]].len()",
        "#{}",
        "let a = []; a.push(1); a",
        "twice([msg.offset]) + [1]",
        "emit(\"t\", [msg.offset, [1, 2]]); emit(\"t\", #{a: msg.offset});",
        "[msg.offset, 2][0]",
        "#{a: msg.offset}.a",
        "[[[[[[msg.offset]]]]]]",
        "let d = msg.json; d.a = [d.n, 1]; emit(\"t\", d);",
    ]);
}

/// A literal is too large where its element makes it so.
#[test]
fn literals_have_their_limits() {
    let limits = Limits {
        string: 32,
        array: 6,
        map: 4,
        ..Limits::default()
    };
    let records = [record(r#"{"a":"abcdefgh","b":[1,2],"n":5}"#)];
    for body in [
        "let a = msg.json.a; [a, a, a, a]",
        "let a = msg.json.a; [a, a, a, a, a]",
        "let a = msg.json.a; #{a: a, b: a, c: a, d: a}",
        "let a = msg.json.a; #{a: a, b: [a, a], c: [a + \"x\"], d: a}",
        "let a = [1, 2]; [a, a]",
        "let a = [1, 2]; [a, a, a]",
        "let a = [1, 2]; [[a], [1, 2]]",
        "let a = #{a: 1}; [a, a, a, a]",
        "let a = #{a: 1}; [a, a, a, a, a]",
        "let a = #{a: 1, b: 2}; #{a: a, b: 1}",
        "let a = #{a: 1, b: 2}; #{a: a, b: a}",
        "let b = blob(3); [b, b]",
        "let b = blob(3); [b]",
        "let b = blob(3); [[b]]",
        "let b = blob(3); #{a: [b, [b]]}",
        "let a = [msg.json, msg.json.b, msg.json.b, msg.json.b, 1, 2]; 1",
        "let a = [msg.json, msg.json.b, msg.json.b, msg.json.b, 1, [2]]; 1",
        "let a = 1; try { [[a, a, a], [a, a, a]] } catch (e) { emit(\"t\", e); }",
        "for x in [msg.json.n, 1, 2, 3, 4, 5, 6] { emit(\"t\", x); }",
    ] {
        let files = BTreeMap::from([(
            "handler.rhai".to_owned(),
            format!("fn handle(msg) {{ {body} }}"),
        )]);
        // Some of them the parser refuses.
        let Ok(mut pair) = Pair::with(&files, limits) else {
            continue;
        };
        if let Err(difference) = pair.compare("handle", &records) {
            panic!("{body}\n{difference}");
        }
    }
}

/// `for` over what comes with effects, and over what only the interpreter can go through.
#[test]
fn loops_over_all_kinds() {
    let over = [
        "twice(\"ab\")",
        "[msg.offset, 2]",
        "\"é😀x\"",
        "\"\"",
        "msg.json.note",
        "range(0, 10, 3)",
        "range(10, 0, -3)",
        "range(0, 5, 0)",
        "range(0.0, 2.0, 0.5)",
        "0..3",
        "0..=3",
        "3..0",
        "msg.partition..msg.offset",
        "twice(1)..twice(2)",
        "0..\"x\"",
        "\"a\"..\"c\"",
        "0..2.5",
        "1.0..3.0",
        "'a'..'d'",
        "#{a: 1, b: 2}.keys()",
        "#{a: msg.offset}",
        "5",
        "()",
        "1.5",
        "true",
        "msg",
        "blob(3, 7)",
        "msg.json.items",
        "msg.json",
        "msg.key",
        "params.currency",
        "global::LIST",
        "\"abc\".chars()",
        "5.bits()",
        "|x| x",
        "timestamp()",
        "msg.json.a.b",
        "deep(1)",
        "{ let q = [1, 2]; q.push(3); q }",
        "switch 1 { 1 => [5], _ => 6 }",
        "if msg.offset > 5 { [1] } else { \"xy\" }",
        "(0..3)",
        "add_to([1])",
        "msg.json.items.map(|x| x.qty)",
        "9223372036854775805..=9223372036854775807",
    ];
    let whole: Vec<String> = over
        .iter()
        .flat_map(|over| {
            [
                format!("let v = 1; for x in {over} {{ v += 1; emit(\"t\", [v, x]); }} v"),
                format!("let x = \"outer\"; for (x, i) in {over} {{ if i == 1 {{ continue; }} if i == 2 {{ break x; }} emit(\"t\", x); }}"),
                format!("let v = {over}; for x in v {{ emit(\"t\", x); v = 5; }} emit(\"t\", v);"),
                format!("let v = {over}; for x in v {{ emit(\"t\", x); }} emit(\"t\", v);"),
                format!("const v = {over}; for x in v {{ emit(\"t\", x); }}"),
                format!("for x in {over} {{ }}"),
                format!("for x in {over} {{ x = 1; return x; }}"),
                format!("let a = []; for x in {over} {{ a.push(|| x); }} for f in a {{ emit(\"t\", f.call()); }}"),
                format!("for x in {over} {{ try {{ throw x; }} catch (e) {{ emit(\"t\", e); }} }}"),
                format!("let k = 0; for x in {over} {{ for y in {over} {{ k += 1; if k > 20 {{ return k; }} }} }} k"),
            ]
        })
        .collect();
    all_same(&whole);
}

/// Powers, bits and `in`, with values of all kinds.
#[test]
fn operators_of_bits_and_in() {
    let values = [
        "0",
        "1",
        "-1",
        "3",
        "63",
        "64",
        "65",
        "-64",
        "4294967296",
        "9223372036854775807",
        "(-9223372036854775807 - 1)",
        "0.5",
        "-2.0",
        "\"a\"",
        "'a'",
        "true",
        "false",
        "()",
        "[1, 'a', \"a\"]",
        "#{a: 1}",
        "msg.json",
        "msg.json.items",
        "msg.json.n",
        "msg.json.weight_kg",
        "msg.json.status",
        "1..5",
    ];
    let mut bodies = Vec::new();
    for left in values {
        for right in values {
            for operator in ["**", "&", "|", "^", "<<", ">>", "in", "!in"] {
                bodies.push(format!(
                    "let l = {left}; let r = {right}; let v = l {operator} r; [v]"
                ));
            }
            for operator in ["**=", "&=", "|=", "^=", "<<=", ">>="] {
                bodies.push(format!("let l = {left}; l {operator} {right}; [l]"));
            }
        }
    }
    all_same(&bodies);
}

/// Assignments of what comes with effects, to all kinds of places.
#[test]
fn assignments_of_values_with_effects() {
    let places = [
        ("let x = 1;", "x"),
        ("let x = 1.5;", "x"),
        ("let x = \"s\";", "x"),
        ("let x = true;", "x"),
        ("let x = [1, [2]];", "x"),
        ("let x = [];", "x"),
        ("let x = [];", "x[0]"),
        ("let x = [1, [2], #{a: 1}];", "x[1]"),
        ("let x = [1, [2], #{a: 1}];", "x[2].a"),
        ("let x = [1, [2], #{a: 1}];", "x[twice(1)].b"),
        ("let x = #{a: 1, b: [1]};", "x.a"),
        ("let x = #{a: 1, b: [1]};", "x[\"b\"]"),
        ("let x = #{a: 1, b: [1]};", "x.b[0]"),
        ("let x = #{a: 1, b: [1]};", "x.c"),
        ("let x = msg.json;", "x"),
        ("let x = msg.json;", "x.n"),
        ("let x = msg.json;", "x.new"),
        ("let x = msg.json;", "x.items"),
        ("let x = msg.json;", "x[\"n\"]"),
        ("let x = msg.json;", "x.a.b"),
        ("let x = 1;", "msg.json.n"),
        ("let x = 1;", "msg.key"),
        ("let x = 1;", "msg"),
        ("const x = 1;", "x"),
        ("const x = #{a: msg.offset};", "x.a"),
        ("const x = msg.json;", "x.n"),
        ("let x = blob(2);", "x"),
        ("let x = blob(2);", "x[1]"),
        ("let x = 'c';", "x"),
        ("let x = ();", "x.a"),
        ("let x = 1; let f = || x;", "x"),
        ("let x = #{a: 1}; let f = || x;", "x.a"),
    ];
    let values = [
        "twice(2)",
        "twice(\"a\")",
        "[twice(1), 2]",
        "[global::NAME, twice(1)]",
        "[]",
        "global::LIST",
        "deep(1)",
        "if msg.offset > 1 { 5 } else { 6 }",
        "{ let q = msg.json; q }",
        "nothing(1)",
        "#{q: twice(1)}",
        "{ x = 7; 8 }",
        "msg.json.items.map(|y| y.qty)",
        "'c'",
        "msg.json.items",
        "return 5",
    ];
    let operators = ["=", "+=", "-=", "*=", "**=", "|="];
    let mut bodies = Vec::new();
    for (declared, place) in places {
        for operator in operators {
            bodies.extend(values.map(|value| {
                format!("{declared} {place} {operator} {{ emit(\"t\", 2); {value} }}; emit(\"t\", [x]); x")
            }));
        }
    }
    all_same(&bodies);
}

/// An array that is assigned to keeps the constants that it is given.
#[test]
fn constants_in_arrays_stay() {
    same(&[
        "let a = [1]; a += [global::NAME, twice(1)]; a[1] += \"x\"; a",
        "let a = []; a += [global::NAME, twice(1)]; a[0] += \"x\"; a",
        "let a = [1]; a += { twice(1); global::LIST }; a[1] += 1; a",
        "let a = [1]; a += { twice(1); global::NAME }; a[1] += 1; a",
        "let a = [[1]]; a += [global::LIST]; a[1].push(2); a",
        "let a = [1]; a += global::LIST; a[1] += 2; a",
        "let d = #{}; d.x = [global::NAME, twice(1)]; d.x[0] += \"x\"; d",
        "let d = msg.json; d.x = [global::NAME, twice(1)]; d.x[0] += \"x\"; d.x",
    ]);
}

/// A limit that is reached where Rhai keeps it to itself, as in the text of a number, ends the call at the
/// next operation, which may be in what the interpreter does with the value.
#[test]
fn limits_that_are_kept_from_the_script() {
    same(&[
        "msg.json.n /= (-2.25 + \"\"); throw 1;",
        "let d = msg.json; msg.json.tag = (d).len();",
        "let d = msg.json; msg.json.note = d.keys();",
        "let x = #{}; x.a = (2 + \"a b  c\"); x",
        "for c in 'c'..(2 + \"a\") { emit(\"t\", c); }",
        "let q = #{a: (2 + \"a\")}; for x in q { emit(\"t\", x); }",
        "switch (2 + \"a\") { \"2a\" => emit(\"t\", 1) }",
        "let x = 1; x += (2 + \"a\"); x",
        "let x = [1]; x += (2 + \"a\"); x",
        "emit(\"t\", [(2 + \"a\"), 1]); twice((2 + \"a\")); parse_int((2 + \"a\"));",
    ]);
}
