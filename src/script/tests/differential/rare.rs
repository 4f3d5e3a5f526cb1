//! What no random program comes upon: closures and the constants they take along, functions by their
//! names, constants inside of other values, tags.

use super::named::{same, same_below};
use super::*;

/// The top of a file with constants of all kinds.
const CONSTANTS: &str = r#"
const LIST = [1, 2, 3]; const MAP = #{a: 1, b: [1, #{c: 2}], s: "x"}; const NAME = "n"; const NUM = 5;
fn twice(x) { x + x } fn setx(m) { m.x = 5; m } fn wrap(x) { [x] }
"#;

/// The same for handlers with these imports, name and text.
fn same_files(programs: &[(&str, &[(&str, &str)])]) {
    on_stack(|| {
        for (handler, imports) in programs {
            let imports = imports
                .iter()
                .map(|(name, text)| (format!("{name}.rhai"), (*text).to_owned()));
            let handler_file = ("handler.rhai".to_owned(), (*handler).to_owned());
            let files = imports.chain([handler_file]).collect();
            let result = Pair::of(&files)
                .unwrap()
                .compare("handle", &messages::all());
            if let Err(difference) = result {
                panic!("{handler}\n{difference}");
            }
        }
    });
}

#[test]
fn closures_take_constants_along() {
    same(&[
        "const C = 5; [1].map(|x| x + C)",
        "const K = 5; msg.json.items.filter(|i| i.qty < K).len()",
        "const C = \"a\" + \"b\"; \"a b\".split(\" \").map(|x| x + C)",
        "const A = 1; const B = [2, 3]; [1].map(|x| x + A + B[0] + A).some(|x| x == A)",
        "const C = 2; let c = 3; [1, 2].reduce(|s, x| s + x * C, 0) + [1].map(|x| x + c)[0]",
        "const C = 5; [1].map(|x| { let C = x + C; C.nowhere })",
        "const C = 5; [1].map(|x| x.nowhere + C)",
        "const C = 5; if [1].some(|x| x + C == 6) { [2].map(|y| [y].map(|z| z + C)) } else { C }",
        "const C = 5; let f = |x| x + C; [1].map(f) + [f.call(2)]",
        "const C = 5; [1].map(|x| { C = 2; x })",
        "const C = 5; [1].map(|x| { C += x; x + C })",
        "const C = #{a: 1}; [1].map(|x| { C.a = x; C })",
        "const C = 5; [3, 1].sort(|a, b| a * C - b * C)",
        "const C = 5; try { [1].map(|x| throw x + C) } catch (e) { e }",
        "[1].reduce(|a, b| `${a}`, |x, y| 5)",
        "let f = [].reduce(|a, b| a, |x, y| [x, y]); f.call(1, 2)",
    ]);
}

#[test]
fn functions_are_found_by_their_names_as_the_interpreter_finds_them() {
    same_below(
        "fn g0() { this * 10 } fn g0(x) { x * 100 } fn p(a) { a + 1 } fn p(a, b) { a + b }
        fn int.dbl() { this * 2 } fn dbl(x) { \"plain\" } fn max(a, b) { -1 }",
        &[
            "g0(1); [1, 2].map(Fn(\"g0\"))",
            "p(1, 2); [1, 2].map(Fn(\"p\"))",
            "dbl(1); [1].map(Fn(\"dbl\"))",
            "[1, 2].reduce(Fn(\"max\"))",
            "[1, 2].map(Fn(\"p\").curry(5))",
        ],
    );
    same_files(&[
        (
            "import \"lib\" as lib; fn own(x) { x * 1000 } fn handle(msg) { lib::all(Fn(\"own\"), [1, 2]) }",
            &[("lib", "fn own(x) { x * 2 } fn all(f, x) { x.map(f) }")],
        ),
        (
            "import \"lib\" as lib; fn own(x) { x * 1000 } fn handle(msg) { own(1); [1].map(Fn(\"own\")) }",
            &[("lib", "fn own(x) { x * 2 }")],
        ),
    ]);
}

/// Rhai remembers one answer to a question, whichever file asks it, and looks at the imports of whoever calls.
#[test]
fn names_that_files_mean_differently() {
    const MA: (&str, &str) = ("ma", "const K = \"ma\"; fn h(v) { global::K }");
    const MB: (&str, &str) = ("mb", "const K = \"mb\"; fn h(v) { global::K }");
    const ALL: (&str, &str) = ("lib", "import \"mb\" as m; fn all(x, f) { x.map(f) }");
    const OWN: (&str, &str) = ("lib", "fn own(x) { \"l\" } fn g(x) { own(x) }");
    const K: (&str, &str) = ("lib", "import \"mb\" as m;\nfn k(x) { x.map(|v| m::h(v)) }");
    same_files(&[
        (
            "import \"ma\" as m; import \"lib\" as lib; fn handle(msg) { lib::all([1], |v| m::h(v)) }",
            &[ALL, MA, MB],
        ),
        (
            "import \"ma\" as m; import \"lib\" as lib; fn handle(msg) { lib::all([1], |v| m::h(v)); m::h(1) }",
            &[ALL, MA, MB],
        ),
        (
            "import \"ma\" as m; import \"lib\" as lib; fn via(v) { m::h(v) } fn handle(msg) { lib::all([1], |v| via(v)) }",
            &[ALL, MA, MB],
        ),
        (
            "import \"ma\" as m; import \"lib\" as lib; fn handle(msg) { [k([1]), lib::k([1])] }\nfn k(x) { x.map(|v| m::h(v)) }",
            &[K, MA, MB],
        ),
        (
            "import \"lib\" as lib; fn own(x) { \"h\" } fn handle(msg) { [1, 2].map(|x| [own(x), lib::g(x)]) }",
            &[OWN],
        ),
        (
            "import \"lib\" as lib; fn handle(msg) { lib::g(1); lib::g(1); let n = \"ow\"; n += \"n\"; Fn(n).call(1) }",
            &[OWN],
        ),
        (
            "import \"lib\" as lib; fn handle(msg) { let n = \"ow\"; n += \"n\"; for i in 0..2 { try { Fn(n).call(1); } catch (e) {} } lib::g(1) }",
            &[OWN],
        ),
        (
            "import \"lib\" as lib; fn handle(msg) { let m = #{own: 1}; lib::g(1); lib::g(1); Fn(m.keys()[0]).call(1) }",
            &[OWN],
        ),
    ]);
}

/// A map's own function stands in for a method of its name, in that map only.
#[test]
fn methods_that_a_map_brings_along() {
    same(&[
        "for m in [#{f: Fn(\"keys\")}, #{}] { m.f(); }",
        "for m in [#{f: |x| x.len()}, #{}] { m.f(\"a\"); }",
        "for m in [#{f: |x| x.push(1)}, #{}] { m.f([1]); }",
        "let r = []; for m in [#{f: |x| x.abs()}, #{}, #{a: 1}] { try { r.push(m.f(-1)); } catch (e) { r.push(e); } } r",
        "let m = #{}; if msg.json?.n == 7 { m.f = Fn(\"keys\"); } m.f()",
        "let d = parse_json(\"{}\"); d.x = #{f: || this.len()}; d.x.f();",
        "let d = parse_json(\"{}\"); d.x = #{f: || { this.q = 5; this.clear(); }}; d.x.f(); emit(\"t\", d.x.keys());",
        "let d = parse_json(\"{}\"); for i in 0..2 { d.x = if i == 0 { #{} } else { #{clear: || { this.q = 5; }} }; d.x.clear(); } emit(\"t\", d.x.keys());",
    ]);
}

/// A method that gets a copy leaves the constant that it is of.
#[test]
fn constants_after_methods() {
    same_below(
        CONSTANTS,
        &[
            "const C = [1]; for i in 0..2 { C.len(); C.contains(1); } C.push(2);",
            "const C = \"a\"; for i in 0..3 { C.to_upper(); } C.trim();",
            "const C = msg.json; for i in 0..2 { C.to_json(); } C.q = 5;",
            "const C = msg.json; C.len(); C.remove(\"n\"); C.n",
            "const C = msg.json; C.set(\"n\", 5); C.n",
            "const C = msg.json; C.clear(); C.n",
            "const C = msg.json.items; C.push(5); C",
            "for i in 0..3 { for x in [\"a\", global::NAME] { x.to_upper(); try { x += \"1\"; } catch (e) { emit(\"t\", e); } emit(\"t\", x); } }",
            "let a = []; a.push([global::LIST]); for i in 0..3 { to_json(a); a.len(); } a[0][0].push(1)",
        ],
    );
}

/// A place that is called again while its own call runs.
#[test]
fn calls_within_the_same_call() {
    same_below(
        "fn f(d) { d.x.map(|v| if type_of(v) == \"i64\" { v } else { v.x = [7]; f(v) }) }",
        &[
            r#"f(parse_json("{\"x\":[1]}")); f(parse_json("{\"x\":[{}]}"))"#,
            "let f = |a| { msg.json.n = 5; a }; msg.json.items.map(f); emit(\"t\", msg.json)",
        ],
    );
}

#[test]
fn constants_of_the_file_can_not_be_assigned_to() {
    same_below(
        CONSTANTS,
        &[
            "global::LIST[0] = 1;",
            "global::LIST[0] += 1;",
            "global::LIST[-1] = twice(1);",
            "global::LIST[twice(1)] = 1;",
            "global::LIST[9] = 1;",
            "global::LIST[0..1] = 1;",
            "global::MAP.a = 5;",
            "global::MAP.a += twice(5);",
            "global::MAP[\"a\"] = 5;",
            "global::MAP.b[0] = 5; 1",
            "global::MAP.b[1].c = 5;",
            "global::MAP.s += \"x\";",
            "global::MAP.zz = 5;",
            "global::NAME[0] = 'x';",
            "global::NUM[0] = true;",
            "global::MAP.s[0] = 'x';",
        ],
    );
}

#[test]
fn what_is_constant_in_a_value_stays_so() {
    same_below(
        CONSTANTS,
        &[
            "[global::LIST][0].push(1)",
            "#{a: global::LIST}.a.push(5)",
            "#{a: global::LIST, n: twice(1)}[\"a\"].push(1)",
            "[global::LIST].pop().push(1)",
            "[global::NAME][0].trim()",
            "[global::MAP][0].remove(\"a\")",
            "[[global::MAP, 1], twice(2)][0][0].b.push(1)",
            "let m = #{}; m += #{b: global::LIST}; m.b.push(1); m",
            "let m = #{}; m = m + #{b: global::LIST}; m.b.push(1); m",
            "let m = #{}; m.mixin(#{b: global::LIST}); m.b.push(1); m",
            "let m = #{a: #{}}; m.a += #{b: global::LIST}; m.a.b.push(1); m",
            "let m = #{}; m += #{b: global::NUM}; m.b += 1; m",
            "let a = []; a.push([global::LIST]); a[0][0].push(1)",
            "let a = []; a.append([global::LIST]); a[0].push(1)",
            "let a = [[]]; a[0] += [global::LIST]; a[0][0].push(1)",
            "let a = [[]]; a[0] = [global::LIST]; a[0][0].push(1); a",
            "let m = #{a: []}; m.a.push(global::LIST); m.a[0].push(1)",
            "let m = #{a: []}; m.a.push([global::LIST, twice(1)]); m.a[0][0].push(1)",
            "let a = []; a += [global::LIST]; a[0].push(1)",
            "for x in [global::LIST, twice(1)] { x.push(1); }",
            "for x in global::NUM { x; }",
            "for x in global::MAP { x; }",
            "let l = [1]; for x in global::LIST { l += x; l += global::LIST; } l",
            "let l = 1; l += global::LIST; l",
            "let l = \"a\"; l += twice(global::NAME); l[0] = global::NAME; l",
            "let d = msg.json; d.x = [global::LIST]; d.x[0].push(1); emit(\"t\", d);",
            "let d = msg.json; d += #{x: global::LIST}; d.x.push(1); emit(\"t\", d);",
            "wrap(global::LIST)[0].push(1)",
            "let w = wrap(global::LIST); w[0].push(1); w",
        ],
    );
}

#[test]
fn a_functions_own_arguments_can_be_changed() {
    same_below(
        CONSTANTS,
        &[
            "setx(#{x: global::NUM})",
            "setx(#{x: global::NUM, y: twice(1)})",
            "[1].map(|i| setx(#{x: global::NUM, y: i}))",
            "let m = #{}; m += #{x: global::NUM}; setx(m)",
        ],
    );
}

#[test]
fn closures_of_every_number_of_parameters() {
    let mut bodies = Vec::new();
    for method in [
        "sort", "sort_by", "order", "order_by", "dedup", "map", "filter", "some", "all", "find",
        "retain", "reduce", "index_of", "drain",
    ] {
        for parameters in ["||", "|a|", "|a, b|", "|a, b, c|", "|a, b, c, d|"] {
            bodies.push(format!(
                "let a = [3, 1, 2]; let r = a.{method}({parameters} 1); [a, r]"
            ));
        }
    }
    for parameters in ["||", "|a|", "|a, b|", "|a, b, c|", "|a, b, c, d|"] {
        bodies.push(format!("[3, 1].zip([1, 2], {parameters} 1)"));
        bodies.push(format!("[3, 1].reduce({parameters} 1, 5)"));
    }
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    same(&bodies);
}

/// Rhai interns a string where it puts it: what a script has tagged it with is gone.
#[test]
fn tags_of_strings() {
    same(&[
        "let x = \"a\"; x.tag = 3; let y = x; y += \"b\"; [x.tag, y.tag]",
        "let s = \"x\"; s.tag = 2; let a = [1]; a[0] = s; a[0].tag",
        "let s = \"x\"; s.tag = 2; let m = #{}; m[\"p\"] = s; m.q = s; [m.p.tag, m.q.tag]",
        "let s = \"x\"; s.tag = 2; let d = msg.json; d[\"q\"] = s; d.q.tag",
        "let s = \"x\"; s.tag = 2; let d = msg.json; d.q = s; d.q.tag",
        "let s = \"x\"; s.tag = 2; let d = msg.json; d.a.q = s; d.a.q.tag",
        "let s = \"x\"; s.tag = 2; msg.json.q = s; msg.json.q.tag",
        "let s = \"x\"; s.tag = 2; const T = s; T.tag",
        "let s = \"x\"; s.tag = 2; let t = 1; t = s; t.tag",
        "let s = 5; s.tag = 2; let t = s; let a = [1]; a[0] = s; [t.tag, a[0].tag]",
    ]);
}

#[test]
fn the_message_can_be_replaced_whatever_it_is() {
    same(&[
        "msg.json = 5; msg.json",
        "msg.json = (); msg.json",
        "{ msg.json = [1]; } msg.json",
        "try { msg.json = \"s\"; } catch (e) { emit(\"t\", e); } msg.json",
    ]);
}
