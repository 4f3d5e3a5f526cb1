//! What is given elsewhere and told here: constants by the engine, JSON's two functions by the views.

use super::catalog::{Api, FormKind, Section};

pub(crate) fn register(api: &mut Api<'_>) {
    api.describe(
        Section::Constants,
        "params",
        "The constants that the configuration gives: `params = { currency = \"EUR\" }` of a group or \
         producer. Seen in every function of every file. A missing one is `()`.",
        "params.currency ?? \"EUR\"    // → \"EUR\"",
    )
    .given(FormKind::Constant, "params: map")
    .done();
    api.describe(
        Section::Constants,
        "global",
        "`global::NAME` is a constant of the file itself: `const NAME = …` at its top. Seen in every \
         function of that file.",
        "const LIMIT = 100;\nfn is_much(n) { n > global::LIMIT }",
    )
    .given(FormKind::Module, "global::NAME: any")
    .done();
    api.describe(
        Section::Json,
        "parse_json",
        "Reads a text as JSON, as `msg.json` does with the value. An error where it is none.",
        "parse_json(\"{\\\"a\\\": [1, 2]}\").a[1]    // → 2",
    )
    .given(FormKind::Function, "parse_json(text: string) -> any")
    .done();
    api.describe(
        Section::Json,
        "to_json",
        "Writes a map or an array as JSON.",
        "#{a: [1, 2]}.to_json()    // → \"{\\\"a\\\":[1,2]}\"",
    )
    .given(FormKind::Function, "to_json(value: map|array) -> string")
    .done();
}
