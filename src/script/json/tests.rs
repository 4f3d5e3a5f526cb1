//! The view against serde_json: the same texts are JSON, the same values are read, the same edits
//! give the same result.

use std::rc::Rc;

use proptest::prelude::*;
use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::Value;

use super::doc::Doc;
use super::not_json::NotJson;
use super::text::Text;
use super::view::{JsonArray, JsonObject, value};
use super::{parse, write};

/// A JSON text with every kind of number, escape, nesting, space and repeated name.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| serde_json::to_string(&number).unwrap()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?",
        string(),
    ];
    scalar.prop_recursive(6, 64, 6, |inner| {
        let space = "[ \n\t\r]{0,2}";
        prop_oneof![
            prop::collection::vec((inner.clone(), space), 0..6).prop_map(|elements| {
                let elements: Vec<String> = elements
                    .into_iter()
                    .map(|(e, s)| format!("{s}{e}{s}"))
                    .collect();
                format!("[{}]", elements.join(","))
            }),
            prop::collection::vec((name(), inner, space), 0..6).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(n, v, s)| format!("{s}{n}{s}:{s}{v}{s}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        r#""([a-z]|\\n|\\/|\\u00[0-9a-fA-F]{2}|\\ud83d\\ude00|ä|😀){0,20}""#,
    ]
}

/// Few names, so that some repeat, and some the same in escapes.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"\"".to_owned()),
        Just("\"a\"".to_owned()),
        Just("\"\\u0061\"".to_owned()),
        Just("\"b\"".to_owned()),
        string(),
    ]
}

/// What a script sees, as serde_json would have it.
fn seen(value: &Dynamic) -> Value {
    if let Some(object) = value.read_lock::<JsonObject>() {
        let names = object.names();
        assert_eq!(names.len(), object.len());
        return names
            .iter()
            .map(|name| (name.to_string(), seen(&object.field(name))))
            .collect();
    }
    if let Some(array) = value.read_lock::<JsonArray>() {
        let elements: Vec<Value> = array.to_array().iter().map(seen).collect();
        for (index, element) in elements.iter().enumerate() {
            assert_eq!(&seen(&array.get(index as i64).unwrap()), element);
            assert_eq!(
                &seen(&array.get(index as i64 - elements.len() as i64).unwrap()),
                element
            );
        }
        return elements.into();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map
            .iter()
            .map(|(name, value)| (name.to_string(), seen(value)))
            .collect();
    }
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().map(seen).collect();
    }
    if value.is_unit() {
        Value::Null
    } else if let Ok(flag) = value.as_bool() {
        flag.into()
    } else if let Ok(number) = value.as_int() {
        number.into()
    } else if let Ok(number) = value.as_float() {
        number.into()
    } else {
        value.clone().into_string().unwrap().into()
    }
}

/// Whether a script sees what serde_json sees. Whole numbers beyond 64 bits and `-0` are alike as
/// doubles, and serde_json's own reading of a double may be off by one in the last place.
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.as_i64(), theirs.as_i64()) {
                return ours == theirs;
            }
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            (ours - theirs).abs() <= ours.abs() * 1e-15
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| alike(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let same = |(name, ours)| theirs.get(name).is_some_and(|theirs| alike(ours, theirs));
            ours.len() == theirs.len() && ours.iter().all(same)
        }
        _ => ours == theirs,
    }
}

fn written(value: &Dynamic) -> Value {
    let mut text = Vec::new();
    write(value, &mut text, usize::MAX, None).unwrap();
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)))
}

fn view(text: &str) -> Dynamic {
    value(&Rc::new(Doc::of_text(text.to_owned(), None).unwrap()), 0)
}

fn parsed(bytes: &[u8]) -> Result<(), NotJson> {
    let mut text = Text::default();
    text.refill(bytes)?;
    parse::parse(text.reader(), &mut Vec::new())
}

fn agrees(text: &[u8]) {
    let ours = parsed(text);
    let theirs = serde_json::from_slice::<Value>(text);
    // A number too large for a double is JSON all the same.
    let too_large =
        |error: &serde_json::Error| error.to_string().starts_with("number out of range");
    if theirs.as_ref().is_err_and(too_large) {
        return;
    }
    assert_eq!(
        ours.is_ok(),
        theirs.is_ok(),
        "{}: {ours:?} {theirs:?}",
        String::from_utf8_lossy(text)
    );
}

/// How many values each test tries; `DELIVERYD_FUZZ=100` makes it a hundred times as many.
fn cases() -> u32 {
    let factor = std::env::var("DELIVERYD_FUZZ").map_or(1, |factor| factor.parse().unwrap());
    factor * if cfg!(debug_assertions) { 120 } else { 5000 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Any JSON is read as serde_json reads it, and goes out as it came.
    #[test]
    fn reads_what_serde_reads(text in json()) {
        let value = view(&text);
        let (ours, theirs) = (seen(&value), serde_json::from_str(&text).unwrap());
        prop_assert!(alike(&ours, &theirs), "{ours} {theirs}");
        if value.is::<JsonObject>() || value.is::<JsonArray>() {
            let mut out = Vec::new();
            write(&value, &mut out, usize::MAX, None).unwrap();
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    /// Any bytes are JSON for both or for neither.
    #[test]
    fn accepts_what_serde_accepts(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        agrees(&bytes);
    }

    /// So is anything made of JSON's own letters.
    #[test]
    fn accepts_what_serde_accepts_of_json_letters(text in r#"[\[\]{}:,"\\ eE+.0-9truefalsnl\-udD8cC/]{0,24}"#) {
        agrees(text.as_bytes());
    }

    /// And any JSON with one byte changed, missing or cut off.
    #[test]
    fn accepts_what_serde_accepts_of_broken_json(text in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        agrees(&bytes[..at]);
        bytes[at] = byte;
        agrees(&bytes);
        bytes.remove(at);
        agrees(&bytes);
    }

    /// Edits of an object give what the same edits give in serde_json.
    #[test]
    fn edits_as_serde_does(
        members in prop::collection::vec((name(), json()), 0..5),
        edits in prop::collection::vec((name(), prop::option::of(json()), any::<bool>()), 0..6),
    ) {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} : {value}")).collect();
        let text = format!("{{ {} }}", members.join(" , "));
        let mut theirs: Value = serde_json::from_str(&text).unwrap();
        let mut root = view(&text);
        let mut ours = root.write_lock::<JsonObject>().unwrap();
        for (name, new, write_back) in edits {
            let name: ImmutableString = serde_json::from_str::<String>(&name).unwrap().into();
            let theirs = theirs.as_object_mut().unwrap();
            if write_back {
                let same = ours.field(&name);
                ours.set(&name, same);
            }
            match new {
                Some(new) => {
                    let value = view(&new);
                    // `()` where there is no such member is no member.
                    if !value.is_unit() || theirs.contains_key(name.as_str()) {
                        // What becomes a value of the script is written as the script reads it.
                        let read = if value.is::<JsonObject>() || value.is::<JsonArray>() {
                            serde_json::from_str(&new).unwrap()
                        } else {
                            seen(&value)
                        };
                        theirs.insert(name.to_string(), read);
                    }
                    ours.set(&name, value);
                }
                None => {
                    theirs.remove(name.as_str());
                    drop(ours.remove(&name));
                }
            }
        }
        drop(ours);
        let ours = written(&root);
        prop_assert!(alike(&ours, &theirs), "{ours} {theirs}");
    }
}

/// Nesting is refused where serde_json refuses it, and no stack overflows.
#[test]
fn depth_is_limited_as_in_serde() {
    for (depth, accepted) in [(1, true), (127, true), (128, false), (100_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = if open == "[" { "" } else { "1" };
            let text = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(parsed(text.as_bytes()).is_ok(), accepted, "{depth}");
            agrees(text.as_bytes());
        }
    }
}

/// Numbers, escapes and spaces at their edges.
#[test]
fn edges_agree_with_serde() {
    for text in [
        "",
        " ",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1e-400",
        "+1",
        "1E5",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u12\"",
        "\"\\x\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "\u{feff}1",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "[,]",
        "nul",
        "nulll",
        "truefalse",
        "\"a",
        "NaN",
        "Infinity",
        "[1 2]",
        "{\"a\" 1}",
        "\u{c}1",
        "1\u{0}",
        "//1\n1",
        "\"\u{0}\"",
    ] {
        agrees(text.as_bytes());
    }
    for text in ["9".repeat(400), "1e400".into(), "-1E+400".into()] {
        let value = view(&text);
        assert!(value.as_float().unwrap().is_infinite(), "{text}");
    }
    agrees(format!("0.{}", "9".repeat(400)).as_bytes());
    agrees(b"\"\xff\"");
    agrees(b"\"\xed\xa0\x80\"");
}
