//! What no random program comes upon: closures and the constants they take along, functions by their
//! names, constants inside of other values, tags.

use super::named::same;
use super::*;

/// The top of a file with constants of all kinds.
const CONSTANTS: &str = r#"
const LIST = [1, 2, 3]; const MAP = #{a: 1, b: [1, #{c: 2}], s: "x"}; const NAME = "n"; const NUM = 5;
fn twice(x) { x + x } fn setx(m) { m.x = 5; m } fn wrap(x) { [x] }
"#;

/// The same for files with this top.
fn same_below(top: &str, bodies: &[&str]) {
    on_stack(|| {
        for body in bodies {
            let text = format!("{top}\nfn handle(msg) {{ {body} }}");
            let result = Pair::of_text(&text).compare("handle", &messages::all());
            if let Err(difference) = result {
                panic!("{body}\n{difference}");
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
    let files = |body: &str| {
        BTreeMap::from([
            (
                "handler.rhai".to_owned(),
                format!(
                    "import \"lib\" as lib; fn own(x) {{ x * 1000 }} fn handle(msg) {{ {body} }}"
                ),
            ),
            (
                "lib.rhai".to_owned(),
                "fn own(x) { x * 2 } fn all(f, x) { x.map(f) }".to_owned(),
            ),
        ])
    };
    on_stack(|| {
        for body in [
            "lib::all(Fn(\"own\"), [1, 2])",
            "own(1); [1].map(Fn(\"own\"))",
        ] {
            let mut pair = Pair::of(&files(body)).unwrap();
            if let Err(difference) = pair.compare("handle", &messages::all()) {
                panic!("{body}\n{difference}");
            }
        }
    });
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
