//! What people of other languages write, and what it is called here.

use super::suggestion;
use crate::script::natives::natives;

/// Functions and methods of JavaScript, Python, Rust and others, and what to write instead.
const FUNCTIONS: &[(&str, &str)] = &[
    ("toUpperCase", "`to_upper()`"),
    ("upper", "`to_upper()`"),
    ("uppercase", "`to_upper()`"),
    ("to_uppercase", "`to_upper()`"),
    ("toLowerCase", "`to_lower()`"),
    ("lower", "`to_lower()`"),
    ("lowercase", "`to_lower()`"),
    ("to_lowercase", "`to_lower()`"),
    ("length", "`len()`"),
    ("size", "`len()`"),
    ("strip", "`trim()`, which changes the string where it is"),
    (
        "trimStart",
        "`trim()`, which changes the string where it is",
    ),
    ("trimEnd", "`trim()`, which changes the string where it is"),
    (
        "replaceAll",
        "`replace(find, by)`, which changes the string where it is",
    ),
    ("startsWith", "`starts_with(text)`"),
    ("startswith", "`starts_with(text)`"),
    ("endsWith", "`ends_with(text)`"),
    ("endswith", "`ends_with(text)`"),
    ("includes", "`contains(value)`"),
    ("has", "`contains(name)`"),
    ("hasOwnProperty", "`contains(name)`"),
    ("contains_key", "`contains(name)`"),
    ("indexOf", "`index_of(value)`"),
    ("findIndex", "`index_of(|x| …)`"),
    ("substring", "`sub_string(start, len)`"),
    ("substr", "`sub_string(start, len)`"),
    (
        "slice",
        "`sub_string(start, len)` of a string, `extract(start, len)` of an array",
    ),
    ("charAt", "an index: `text[0]`"),
    ("forEach", "`for x in list { … }`, or `for_each(|x| …)`"),
    ("toString", "`to_string()`"),
    (
        "str",
        "`to_string(value)`, or a text in backticks: `${value}`",
    ),
    ("String", "`to_string(value)`"),
    ("format", "a text in backticks: `${value} kg`"),
    ("sprintf", "a text in backticks: `${value} kg`"),
    ("parseInt", "`parse_int(text)`"),
    ("parseFloat", "`parse_float(text)`"),
    ("int", "`parse_int(text)`, or `x.to_int()` of a float"),
    ("float", "`parse_float(text)`, or `n.to_float()` of an int"),
    ("Number", "`parse_int(text)` or `parse_float(text)`"),
    (
        "parse",
        "`parse_int(text)`, `parse_float(text)` or `parse_json(text)`",
    ),
    ("stringify", "`to_json()`"),
    ("dumps", "`to_json()`"),
    ("loads", "`parse_json(text)`"),
    ("typeof", "`type_of(value)`"),
    ("isinstance", "`type_of(value) == \"map\"`"),
    ("isArray", "`type_of(value) == \"array\"`"),
    ("isNaN", "`is_nan()`"),
    ("toFixed", "`round()`"),
    ("ceil", "`ceiling()`"),
    ("pow", "the operator `**`: `2 ** 8`"),
    ("concat", "the operator `+`"),
    ("add", "`push(value)` of an array"),
    ("items", "`keys()` and `values()`"),
    ("entries", "`keys()` and `values()`"),
    ("println", "`print(value)`"),
    ("printf", "`print(value)`"),
    ("log_info", "`info(value)`"),
    ("send", "`emit(topic, value)`"),
    ("produce", "`emit(topic, value)`"),
    ("publish", "`emit(topic, value)`"),
    ("assert", "`if …  { throw \"…\" }`"),
    ("raise", "`throw \"…\"`"),
    ("panic", "`throw \"…\"`"),
    (
        "unwrap",
        "nothing: a missing value is `()`; give another with `??`",
    ),
    ("unwrap_or", "`value ?? other`"),
    ("clone", "`let copy = value`, which copies"),
    ("range", "a range: `for i in 0..10`"),
    ("random", "`rand()`, `rand(1..=6)` or `rand_float()`"),
];

/// Names that are values elsewhere, and what to write instead.
const VALUES: &[(&str, &str)] = &[
    ("None", "a missing value is `()` here"),
    ("undefined", "a missing value is `()` here"),
    ("NULL", "a missing value is `()` here"),
    ("Nil", "a missing value is `()` here"),
    ("True", "it is written `true` here"),
    ("TRUE", "it is written `true` here"),
    ("False", "it is written `false` here"),
    ("FALSE", "it is written `false` here"),
    ("self", "a method's own value is `this` here"),
    (
        "console",
        "a log line is written with `print(…)`, or `debug`, `info`, `warn`, `error`",
    ),
    (
        "JSON",
        "it is `parse_json(text)` and `value.to_json()` here",
    ),
    (
        "Math",
        "it is `x.floor()`, `x.abs()`, `x.sqrt()` and the like here",
    ),
    ("json", "the message's value as JSON is `msg.json`"),
    ("message", "the message is the parameter of `handle`"),
    ("event", "the message is the parameter of `handle`"),
];

/// What to write instead of a function's name that is not known.
pub(crate) fn function_hints<'a>(name: &str, own: impl Iterator<Item = &'a str>) -> Vec<String> {
    let foreign = FUNCTIONS.iter().find(|(known, _)| *known == name);
    if let Some((_, instead)) = foreign {
        return vec![format!("it is {instead} here")];
    }
    // The script's own names first: of two that are as near, they are meant.
    let own: Vec<&str> = own.collect();
    let near = suggestion(name, own).or_else(|| suggestion(name, natives().names()));
    near.map(|near| format!("did you mean `{near}`?"))
        .into_iter()
        .collect()
}

/// What to write instead of a variable's name that is not known.
pub(crate) fn value_hint(name: &str) -> Option<String> {
    let known = VALUES.iter().find(|(known, _)| *known == name);
    known.map(|(_, instead)| (*instead).to_owned())
}
