//! `msg.json`: read, changed, written.

use super::*;

const ORDER: &str = r#"{"id":9007199254740993,"price":12.30,"a":{"b":[1,{"c":"x"}]},"items":[{"qty":2,"price":1.5},{"qty":1,"price":0.25}],"default":1,"n":null,"t":"a\u00e4\"b"}"#;

/// Fields, elements and names are reached as in Rhai's own maps and arrays.
#[test]
fn fields_and_elements_are_read() {
    assert_eq!(value("emit(\"t\", msg.json.a.b[1].c)", ORDER), "x");
    assert_eq!(value("emit(\"t\", msg.json.a.b[-2])", ORDER), "1");
    assert_eq!(value("emit(\"t\", msg.json[\"default\"])", ORDER), "1");
    assert_eq!(value("emit(\"t\", msg.json.t)", ORDER), "aä\"b");
    assert_eq!(
        value("let k = \"price\"; emit(\"t\", msg.json[k])", ORDER),
        "12.30"
    );
}

/// A missing field and a null are `()`, which `?.` and `??` deal with.
#[test]
fn a_missing_field_is_unit() {
    assert_eq!(
        value("emit(\"t\", msg.json.x?.y ?? \"none\")", ORDER),
        "none"
    );
    assert_eq!(value("emit(\"t\", msg.json.n ?? \"none\")", ORDER), "none");
}

/// A constant stays what it is, a view as a map or an array.
#[test]
fn a_constant_view_can_not_be_changed() {
    for change in [
        "const C = msg.json; C.remove(\"n\");",
        "const C = msg.json; C.set(\"n\", 1);",
        "const C = msg.json; C.clear();",
        "const C = msg.json.items; C.push(1);",
    ] {
        let text = format!("fn handle(msg) {{ {change} }}");
        let failure = failed(handler(&text).handle(&record(ORDER), 1));
        assert!(failure.reason.contains("constant"), "{}", failure.reason);
    }
}

/// Views say that they are maps and arrays, and have their methods.
#[test]
fn views_are_maps_and_arrays() {
    for (script, expected) in [
        ("type_of(msg.json)", "map"),
        ("type_of(msg.json.items)", "array"),
        ("msg.json.items.len()", "2"),
        ("msg.json.items.len", "2"),
        (
            "msg.json.keys()",
            r#"["id","price","a","items","default","n","t"]"#,
        ),
        ("msg.json.a.values()", r#"[[1,{"c":"x"}]]"#),
        ("msg.json.contains(\"id\")", "true"),
        ("\"nix\" in msg.json", "false"),
        ("1 in msg.json.a.b", "true"),
        ("msg.json.items.map(|i| i.qty)", "[2,1]"),
        (
            "msg.json.items.filter(|i| i.qty > 1)",
            r#"[{"qty":2,"price":1.5}]"#,
        ),
        ("msg.json.items.reduce(|s, i| s + i.qty, 0)", "3"),
        ("msg.json.items.some(|i| i.qty == 1)", "true"),
        ("msg.json.a == #{b: [1, #{c: \"x\"}]}", "true"),
        ("msg.json.a != msg.json.a", "false"),
        ("msg.json.a.b == [1, 2]", "false"),
        (
            "msg.json.items[0] + #{z: 1}",
            r#"{"price":1.5,"qty":2,"z":1}"#,
        ),
        ("`${msg.json.a}`", r#"{"b":[1,{"c":"x"}]}"#),
        ("msg.json.get(\"nix\")", "null"),
    ] {
        let statements = format!("emit(\"t\", #{{v: {script}}})");
        let value = value(&statements, ORDER);
        let quoted = serde_json::to_string(expected).unwrap();
        let (plain, text) = (
            format!("{{\"v\":{expected}}}"),
            format!("{{\"v\":{quoted}}}"),
        );
        assert!(value == plain || value == text, "{script}: {value}");
    }
}

/// What a handler only reads goes out byte for byte, however it was written.
#[test]
fn an_untouched_value_keeps_its_bytes() {
    let odd = " { \"a\" : 1.10 , \"b\":[ 1,2 ] } ";
    assert_eq!(
        value("let x = msg.json.a; emit(\"t\", msg.json)", odd),
        odd.trim()
    );
}

/// A change is written; everything else keeps its bytes: numbers, escapes, order, spaces.
#[test]
fn a_change_touches_only_its_place() {
    let odd = r#"{ "id": 18446744073709551615, "x" : 0.10000000000000000001, "y": "\u00e4" }"#;
    assert_eq!(
        value(
            "let d = msg.json; d.x = 3; d.z = [1, ()]; emit(\"t\", d)",
            odd
        ),
        r#"{"id": 18446744073709551615,"x" : 3,"y": "\u00e4","z":[1,null]}"#
    );
}

/// Nested writes reach the copy, through objects, arrays and methods that change in place.
#[test]
fn nested_writes_change_the_copy() {
    let script = r#"let d = msg.json; d.a.b[1].c = "y"; d.a.n = 1; d.items.push(7); d.items[0].qty += 1;
        d.remove("id"); d.price *= 2; emit("t", d); emit("t", msg.json)"#;
    let values = values(
        script,
        r#"{"id":1,"price":1.5,"a":{"b":[1,{"c":"x"}]},"items":[{"qty":2.50}]}"#,
    );
    assert_eq!(
        values[0],
        r#"{"price":3.0,"a":{"b":[1,{"c":"y"}],"n":1},"items":[{"qty":3.5},7]}"#
    );
    assert_eq!(
        values[1],
        r#"{"id":1,"price":1.5,"a":{"b":[1,{"c":"x"}]},"items":[{"qty":2.50}]}"#
    );
}

/// Rhai writes a value back after each method call on it; that is no change.
#[test]
fn writing_back_what_was_read_is_no_change() {
    let odd =
        r#"{"n": 1.50,"big":123456789012345678901234567890,"items":[ {"q":1.0} ],"s":"\u0041"}"#;
    let script = r#"let d = msg.json; d.items.len(); d.items.map(|i| i.q); d.items[0].q.to_string();
        d.s.len(); d.n.to_string(); d.big.to_string(); d.nix.is_shared(); d.n = d.n; d.s = d.s;
        for i in d.items { i.q }
        emit("t", d)"#;
    assert_eq!(value(script, odd), odd);
}

/// `msg.json` may be changed in place too, for the rest of the call only.
#[test]
fn a_retry_sees_the_original() {
    let mut handler =
        body("msg.json.total = msg.json.total + 1; msg.json.a.b = 2; emit(\"t\", msg.json)");
    let record = record(r#"{"total":1,"a":{}}"#);
    for attempt in 1..4 {
        done(handler.handle(&record, attempt));
        assert_eq!(
            emitted(handler.effects())[0].2.as_deref(),
            Some(r#"{"total":2,"a":{"b":2}}"#)
        );
    }
    assert_eq!(record.value(), Some(r#"{"total":1,"a":{}}"#.as_bytes()));
}

/// A copy is a copy, as with Rhai's maps.
#[test]
fn copies_are_independent() {
    let script = "let a = msg.json; let b = a; b.x = 1; let c = b; c.x = 2; let l = [a, b, c]; emit(\"t\", l)";
    assert_eq!(value(script, "{}"), r#"[{},{"x":1},{"x":2}]"#);
}

/// A tombstone's json is `()`; a value that is not JSON is rejected, with the place.
#[test]
fn what_is_not_json_is_rejected() {
    let mut handler = body("try { let d = msg.json; emit(\"t\", (), type_of(d)); } catch { }");
    done(handler.handle(&record_of(None, None, &[]), 1));
    assert_eq!(emitted(handler.effects())[0].2.as_deref(), Some("()"));
    let failure = rejected(handler.handle(&record(r#"{"id": 1, "to": }"#), 1));
    assert_eq!(
        failure.reason,
        "the value is not JSON: a value was expected at byte 16"
    );
    let hints = failure.diagnostic.unwrap().hints;
    assert_eq!(hints, [r#"{"id": 1, "to": }"#, "                ^"]);
    assert!(handler.effects().no_emits());
}

/// Scalars and arrays at the top are values like others.
#[test]
fn any_json_value_is_a_message() {
    assert_eq!(value("emit(\"t\", msg.json + 1)", " 41 "), "42");
    assert_eq!(value("emit(\"t\", msg.json[1])", "[1,\"b\"]"), "b");
    assert_eq!(
        value("let d = msg.json; d.push(2); emit(\"t\", d)", "[1.0]"),
        "[1.0,2]"
    );
    assert_eq!(
        value("msg.json.push(2); emit(\"t\", msg.json)", "[1.0]"),
        "[1.0,2]"
    );
}

/// `parse_json` gives the same views; `to_json` writes any value.
#[test]
fn text_and_json_convert() {
    assert_eq!(
        value(
            "let d = parse_json(msg.value); d.x = 1; emit(\"t\", d.to_json())",
            "{\"a\":1.0}"
        ),
        r#"{"a":1.0,"x":1}"#
    );
    assert_eq!(
        value("emit(\"t\", #{a: [1, 'c']}.to_json())", "{}"),
        r#"{"a":[1,"c"]}"#
    );
    let failure = failed(body("parse_json(\"{\")").handle(&record("{}"), 1));
    assert_eq!(
        failure.reason,
        "the text is not JSON: it ends too early at byte 1"
    );
}

/// Numbers and texts that a script's own types can not hold, or would write otherwise.
const ODD: &str = r#"{"id":9223372036854775807,"u64":18446744073709551615,"big":123456789012345678901234567890,
 "price":12.30,"long":0.1000000000000000055511151231257827,"tiny":1.0E-400,"zero":-0,"exp":1E+2,
 "text":"\u00e4\ud83d\ude00\/\u0000\"","plain":"ä😀","":"empty name","a\u0062":"escaped name","dup":1,"dup":2,
 "nested":{"list":[ 1.0, {"x":[2.50,"\u0041"]}, [] ],"none":null},"items":[{"sku":"a","qty":2.0}]}"#;

/// Whatever a handler reads, and whatever Rhai writes back for it: the value goes out byte for byte.
#[test]
fn reading_changes_nothing() {
    let reads = r#"
        J.id; J.u64; J.big.to_string(); J.long + 1; J.zero; J.text.len(); J.plain.to_upper();
        J.text.split("x"); J.plain.regex_is_match("a"); J[""]; J["ab"].contains("e"); J.dup; J.none; J.none?.x;
        J.keys(); J.values(); J.len(); J.contains("id"); "id" in J; J.get("price"); J.to_json(); J.is_empty();
        J.nested.list.len(); J.nested.list.len; J.nested.list[1].x[0]; J.nested.list[1].x.map(|v| v);
        J.nested.list.filter(|v| type_of(v) == "map"); J.nested.list[-1].is_empty(); J.nested.keys();
        J.items.map(|i| i.qty * 2); J.items.filter(|i| i.qty > 1).len(); J.items.find(|i| i.qty == 2.0);
        J.items.some(|i| i.sku == "a"); J.items.all(|i| i.sku == "a"); J.items.reduce(|s, i| s + i.qty, 0.0);
        J.items.index_of(1); J.items.contains(1); J.items.extract(0, 1); J.items.order(|a, b| 0);
        J.items[0].sku.len(); J.items[0].keys(); J.items[0].qty.to_int(); J.items.for_each(|| this.sku);
        for item in J.items { item.sku; for name in item.keys() { item[name]; } }
        J.nested == J.nested; J.items != J.items; let c = J; c.id; let n = J.nested; n.list[0]; `${J}`; J.type_of();"#;
    for root in ["d", "msg.json"] {
        let reads = reads.replace('J', root);
        let script = format!("let d = msg.json; {reads} emit(\"t\", d); emit(\"t\", msg.json);");
        assert_eq!(values(&script, ODD), [ODD, ODD], "{root}");
    }
}

/// One changed member leaves the text of every other one as it was, at any depth.
#[test]
fn one_change_keeps_all_other_texts() {
    let out = value(
        "let d = msg.json; d.nested.list[1].x[1] = \"B\"; d.fresh = true; emit(\"t\", d)",
        ODD,
    );
    let untouched = [
        r#""id":9223372036854775807"#,
        r#""u64":18446744073709551615"#,
        r#""big":123456789012345678901234567890"#,
        r#""price":12.30"#,
        r#""long":0.1000000000000000055511151231257827"#,
        r#""tiny":1.0E-400"#,
        r#""zero":-0"#,
        r#""exp":1E+2"#,
        r#""text":"\u00e4\ud83d\ude00\/\u0000\"""#,
        r#""plain":"ä😀""#,
        r#""a\u0062":"escaped name""#,
        r#""items":[{"sku":"a","qty":2.0}]"#,
        r#"[2.50,"B"]"#,
        r#""none":null"#,
        r#""fresh":true"#,
    ];
    for text in untouched {
        assert!(out.contains(text), "{text} is not in {out}");
    }
}

/// What a script's own maps and arrays take, they take from a message too.
#[test]
fn views_are_arguments_of_methods() {
    let text = r#"{"l":[1.50,2],"o":{"x":1.10,"y":[3]}}"#;
    for (script, expected) in [
        ("[0] + d.l", "[0,1.50,2]"),
        ("let a = [0]; a.append(d.l); a", "[0,1.50,2]"),
        ("[1, 2].zip(d.l, |x, y| x + y)", "[2.5,4]"),
        ("let a = [0, 9]; a.splice(0, 1, d.l); a", "[1.50,2,9]"),
        ("let a = [0, 9]; a.splice(0..1, d.l); a", "[1.50,2,9]"),
        ("let a = [0, 9]; a.splice(0..=1, d.l); a", "[1.50,2]"),
        (
            "let m = #{x: 0, z: 1}; m.mixin(d.o); m",
            r#"{"x":1.10,"y":[3],"z":1}"#,
        ),
        ("#{x: 0, z: 1} + d.o", r#"{"x":1.10,"y":[3],"z":1}"#),
        ("let m = #{x: 0}; m += d.o; m", r#"{"x":1.10,"y":[3]}"#),
        ("let m = #{x: 0}; m.fill_with(d.o); m", r#"{"x":0,"y":[3]}"#),
        (
            "let a = [0]; a.push(d.l); a += d.l; a",
            "[0,[1.50,2],[1.50,2]]",
        ),
    ] {
        let script = format!("let d = msg.json; emit(\"t\", {{ {script} }})");
        assert_eq!(value(&script, text), expected, "{script}");
    }
    let mut handler = body("emit(msg.json)");
    let spelt = r#"{"topic":"t","key":"k","value":{"a":1.50},"headers":{"h":["1","2"]}}"#;
    done(handler.handle(&record(spelt), 1));
    let emit = handler.effects().emits().next().unwrap();
    assert_eq!(emit.value(), Some(&br#"{"a":1.50}"#[..]));
    let headers: Vec<_> = emit.headers().map(|(_, value)| value.unwrap()).collect();
    assert_eq!(headers, [b"1", b"2"]);
}

/// A method that could change its object or array and does not is no change either: spaces, repeated
/// names and all keep their place.
#[test]
fn a_method_that_changes_nothing_leaves_the_text() {
    let text = r#"{ "a": [ 1.50, {"q" : 1E5}, [ -0 ], "\u0041", null ], "o": { "k":1, "k":2 , "x":[ ] } }"#;
    for reads in [
        "d.a.for_each(|| this); d.o.retain(|name, value| true); d.o.mixin(#{}); d.o += #{};",
        "d.a.retain(|x| true); d.a.drain(|x| false); d.a.truncate(9); d.a.chop(9); d.a.pad(2, 0);",
        "d.a += []; d.a.append([]); d.a.dedup(|x, y| false); d.a.splice(0, 0, []);",
        "d.o.fill_with(#{k: 3}); d.o.k = 2; d.o.k = d.o.k; d.o.drain(|name| false); d.o.set(\"k\", 2);",
        "d.a[2][0] = d.a[2][0]; d.a[1].q = d.a[1].q; d.a[0] = d.a[0]; d.a[3] = \"A\"; d.a = d.a;",
        "for i in 0..5 { d.a[i] = d.a[i]; } for name in d.keys() { d[name] = d[name]; }",
    ] {
        let script = format!("let d = msg.json; {reads} emit(\"t\", d)");
        assert_eq!(value(&script, text), text, "{reads}");
    }
    // And what does change something changes only that.
    for (change, expected) in [
        (
            "d.for_each(|| if this == 3 { this = 4 })",
            "[1.50,{\"q\" : 1E5},4]",
        ),
        ("d.retain(|x| x != 3)", "[1.50,{\"q\" : 1E5}]"),
        ("d[1].for_each(1)", "[ 1.50, {\"q\" : 1E5}, 3 ]"),
    ] {
        let script = format!("let d = msg.json; try {{ {change}; }} catch {{ }} emit(\"t\", d)");
        let text = "[ 1.50, {\"q\" : 1E5}, 3 ]";
        assert_eq!(value(&script, text), expected, "{change}");
    }
}

/// A part of a message that is emitted, or put in another place, keeps its text too.
#[test]
fn parts_keep_their_text() {
    let script = "let d = msg.json; emit(\"t\", d.nested.list[1]); emit(\"t\", #{part: d.nested.list, id: d.id});
        emit(\"t\", [d.items[0]]);";
    assert_eq!(
        values(script, ODD),
        [
            r#"{"x":[2.50,"\u0041"]}"#,
            r#"{"id":9223372036854775807,"part":[ 1.0, {"x":[2.50,"\u0041"]}, [] ]}"#,
            r#"[{"sku":"a","qty":2.0}]"#,
        ]
    );
}

/// Methods that change an object in place change its members, and keep the text of all others.
#[test]
fn methods_on_objects_keep_other_texts() {
    let text = r#"{"z":1.50,"big":18446744073709551615,"a":"\u0041","o":{"n":2.0}}"#;
    for (change, expected) in [
        (
            "J.mixin(#{z: 2})",
            r#"{"z":2,"big":18446744073709551615,"a":"\u0041","o":{"n":2.0}}"#,
        ),
        (
            "J += #{n: 1}",
            r#"{"z":1.50,"big":18446744073709551615,"a":"\u0041","o":{"n":2.0},"n":1}"#,
        ),
        (
            "J.fill_with(#{z: 3, n: 1})",
            r#"{"z":1.50,"big":18446744073709551615,"a":"\u0041","o":{"n":2.0},"n":1}"#,
        ),
        (
            "J.retain(|name| name != \"z\")",
            r#"{"big":18446744073709551615,"a":"\u0041","o":{"n":2.0}}"#,
        ),
        (
            "J.drain(|name| name == \"a\")",
            r#"{"z":1.50,"big":18446744073709551615,"o":{"n":2.0}}"#,
        ),
        (
            "J.o.mixin(#{m: 1})",
            r#"{"z":1.50,"big":18446744073709551615,"a":"\u0041","o":{"n":2.0,"m":1}}"#,
        ),
        ("J.clear()", "{}"),
    ] {
        for root in ["d", "msg.json"] {
            let change = change.replace('J', root);
            let mut handler = body(&format!("let d = msg.json; {change}; emit(\"t\", {root})"));
            // Twice: the second message is not what is left of the first.
            for _ in 0..2 {
                done(handler.handle(&record(text), 1));
                let emitted = emitted(handler.effects()).remove(0).2;
                assert_eq!(emitted.as_deref(), Some(expected), "{change}");
            }
        }
    }
}

/// An array that is changed keeps the text of the elements that are not.
#[test]
fn changed_arrays_keep_other_elements() {
    let text = r#"{"ids":[18446744073709551615, 2.50, 1e2, 3.5, [0.10, 3]]}"#;
    for (change, expected) in [
        (
            "d.ids.push(1)",
            "[18446744073709551615,2.50,1e2,3.5,[0.10, 3],1]",
        ),
        (
            "d.ids.insert(0, 1)",
            "[1,18446744073709551615,2.50,1e2,3.5,[0.10, 3]]",
        ),
        (
            "d.ids.remove(1)",
            "[18446744073709551615,1e2,3.5,[0.10, 3]]",
        ),
        ("d.ids.shift()", "[2.50,1e2,3.5,[0.10, 3]]"),
        (
            "d.ids.reverse()",
            "[[0.10, 3],3.5,1e2,2.50,18446744073709551615]",
        ),
        ("d.ids[1] = 7", "[18446744073709551615,7,1e2,3.5,[0.10, 3]]"),
        (
            "d.ids[4][1] = 4",
            "[18446744073709551615,2.50,1e2,3.5,[0.10,4]]",
        ),
        (
            "let a = d.ids; a.pop(); d.ids = a",
            "[18446744073709551615,2.50,1e2,3.5]",
        ),
        ("d.ids = [1.0, 7]", "[1.0,7]"),
    ] {
        let script = format!("let d = msg.json; {change}; emit(\"t\", d)");
        let expected = format!("{{\"ids\":{expected}}}");
        assert_eq!(value(&script, text), expected, "{change}");
    }
}
