//! What a call costs: no allocation where nothing is kept. Times are measured by tests/bench.

use super::*;
use crate::script::memory::allocations;

const DELIVERY: &str = r#"{"id":9007199254740993,"customer":"c-4711","city":"Rotterdam","status":"delivered","weight_kg":12.5,"items":[{"sku":"a-1","qty":2,"price":9.99},{"sku":"b-22","qty":1,"price":24.5}],"note":"leave at door"}"#;

const NOTHING: &str = "";
const METADATA: &str =
    "if msg.partition > 100 && msg.offset > 5 && msg.key == \"x\" { emit(\"t\", 1) }";
const FILTER_A_COPY: &str =
    "let d = msg.json; if d.status == \"delivered\" && d.weight_kg > 100 { emit(\"t\", d) }";
const FILTER: &str =
    "if msg.json.status == \"delivered\" && msg.json.weight_kg > 100 { emit(\"t\", msg.json) }";

/// A handler that reads two fields allocates nothing once it is warm, nor does one that does nothing
/// or reads metadata.
#[test]
fn reading_two_fields_allocates_nothing() {
    for (statements, compile) in [
        (NOTHING, false),
        (METADATA, false),
        (FILTER, false),
        (NOTHING, true),
        (METADATA, true),
        (FILTER, true),
        // Compiled, a copy of a view is no Rhai value.
        (FILTER_A_COPY, true),
    ] {
        let text = format!("fn handle(msg) {{ {statements} }}");
        let settings = Settings {
            compile,
            ..settings()
        };
        let mut handler = handler_with(&text, settings);
        let record = record(DELIVERY);
        for _ in 0..8 {
            done(handler.handle(&record, 1));
        }
        let before = allocations();
        for _ in 0..100 {
            done(handler.handle(&record, 1));
        }
        assert_eq!(allocations() - before, 0, "{statements}");
    }
}
