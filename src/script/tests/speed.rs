//! What a call costs: no allocation where nothing is kept, and times to print.

use std::hint::black_box;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::*;
use crate::script::memory::allocations;

/// 206 bytes, like the record of the measurements.
const DELIVERY: &str = r#"{"id":9007199254740993,"customer":"c-4711","city":"Rotterdam","status":"delivered","weight_kg":12.5,"items":[{"sku":"a-1","qty":2,"price":9.99},{"sku":"b-22","qty":1,"price":24.5}],"note":"leave at door"}"#;

const NOTHING: &str = "";
const METADATA: &str =
    "if msg.partition > 100 && msg.offset > 5 && msg.key == \"x\" { emit(\"t\", 1) }";
const FILTER: &str =
    "let d = msg.json; if d.status == \"delivered\" && d.weight_kg > 100 { emit(\"t\", d) }";
const FILTER_DIRECT: &str =
    "if msg.json.status == \"delivered\" && msg.json.weight_kg > 100 { emit(\"t\", msg.json) }";
const TOTAL: &str = "let d = msg.json; let total = 0.0; for i in d.items { total += i.qty * i.price; } d.total = total; emit(\"t\", d)";
const STRINGS: &str = "let d = msg.json; let parts = d.note.split(\" \"); let s = \"\"; for p in parts { s += p; s += \"-\"; } emit(\"t\", s + d.city)";

/// A handler that reads two fields allocates nothing once it is warm, nor does one that does nothing
/// or reads metadata.
#[test]
fn reading_two_fields_allocates_nothing() {
    for statements in [NOTHING, METADATA, FILTER_DIRECT] {
        let mut handler = body(statements);
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

#[derive(Serialize, Deserialize)]
struct Delivery<'a> {
    id: i64,
    customer: &'a str,
    city: &'a str,
    status: &'a str,
    weight_kg: f64,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    note: &'a str,
    #[serde(default)]
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct Item<'a> {
    sku: &'a str,
    qty: i64,
    price: f64,
}

/// The same as most people write it: owned strings, a new buffer for each message.
#[derive(Serialize, Deserialize)]
struct OwnedDelivery {
    id: i64,
    customer: String,
    city: String,
    status: String,
    weight_kg: f64,
    items: Vec<OwnedItem>,
    note: String,
    #[serde(default)]
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct OwnedItem {
    sku: String,
    qty: i64,
    price: f64,
}

fn parse(record: &Record) -> Delivery<'_> {
    serde_json::from_slice(black_box(record.value().unwrap())).unwrap()
}

/// Nanoseconds a call, the best of many short rounds: what else the machine does falls between them.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 200;
    let round = |call: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..CALLS).for_each(|_| call());
        begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..1500)
        .map(|_| round(&mut call))
        .fold(f64::INFINITY, f64::min)
}

/// Prints what calls cost beside the same work in native Rust; run it in a release build.
#[test]
#[ignore = "prints times: cargo test --release --lib script::tests::speed -- --ignored --nocapture"]
fn times() {
    let record = record(DELIVERY);
    let mut out = Vec::new();
    let filter = nanoseconds(|| {
        let d = parse(&record);
        black_box(d.status == "delivered" && d.weight_kg > 100.0);
    });
    let total = nanoseconds(|| {
        let mut d = parse(&record);
        d.total = d
            .items
            .iter()
            .map(|item| item.qty as f64 * item.price)
            .sum();
        out.clear();
        serde_json::to_writer(&mut out, &d).unwrap();
        black_box(&out);
    });
    let owned_total = nanoseconds(|| {
        let value = black_box(record.value().unwrap());
        let mut d: OwnedDelivery = serde_json::from_slice(value).unwrap();
        d.total = d
            .items
            .iter()
            .map(|item| item.qty as f64 * item.price)
            .sum();
        black_box(serde_json::to_vec(&d).unwrap());
    });
    let strings = nanoseconds(|| {
        let d = parse(&record);
        let mut text = String::new();
        for part in d.note.split(' ') {
            text.push_str(part);
            text.push('-');
        }
        text.push_str(d.city);
        out.clear();
        out.extend_from_slice(text.as_bytes());
        black_box(&out);
    });
    println!("{} bytes a record", DELIVERY.len());
    for (name, statements, native, wanted) in [
        ("no-op", NOTHING, None, 100.0),
        ("metadata", METADATA, None, 1000.0),
        ("filter", FILTER, Some(filter), 2.6),
        ("filter, msg.json", FILTER_DIRECT, Some(filter), 2.6),
        ("total, set, emit", TOTAL, Some(owned_total), 2.7),
        ("- against borrowed", TOTAL, Some(total), 2.7),
        ("strings", STRINGS, Some(strings), 5.5),
    ] {
        let mut handler = body(statements);
        let ours = nanoseconds(|| done(handler.handle(&record, 1)));
        match native {
            Some(native) => println!(
                "{name:18} {ours:7.0} ns   native {native:6.0} ns   {:.2} times (at most {wanted})",
                ours / native
            ),
            None => println!("{name:18} {ours:7.0} ns   (at most {wanted})"),
        }
    }
    let mut parse_only = body("msg.json; ()");
    println!(
        "parse only         {:7.0} ns",
        nanoseconds(|| done(parse_only.handle(&record, 1)))
    );
}
