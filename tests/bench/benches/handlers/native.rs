//! The same work in Rust with serde_json, in the three ways in which it is written.

use std::borrow::Cow;
use std::hint::black_box;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Call;
use crate::cases::Case;
use crate::cases::{KEY, OFFSET, PARTITION, RECORD, Work};

/// The record with its own strings, as most programs have it.
#[derive(Serialize, Deserialize)]
struct Owned {
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

/// The record with strings that borrow from the message where they have no escapes: the quickest
/// that serde_json does without giving up any text.
#[derive(Serialize, Deserialize)]
struct Borrowed<'a> {
    id: i64,
    #[serde(borrow)]
    customer: Cow<'a, str>,
    #[serde(borrow)]
    city: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    weight_kg: f64,
    #[serde(borrow)]
    items: Vec<BorrowedItem<'a>>,
    #[serde(borrow)]
    note: Cow<'a, str>,
    #[serde(default)]
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct BorrowedItem<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    qty: i64,
    price: f64,
}

struct Native {
    work: fn(&mut Vec<u8>),
    out: Vec<u8>,
}

impl Call for Native {
    fn call(&mut self) {
        self.out.clear();
        (self.work)(&mut self.out);
        black_box(&self.out);
    }

    fn emitted(&self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| self.out.clone())
    }
}

fn native(work: fn(&mut Vec<u8>)) -> Box<dyn Call> {
    let out = Vec::new();
    Box::new(Native { work, out })
}

pub fn owned(case: &Case) -> Box<dyn Call> {
    native(match case.work {
        Work::Nothing => nothing,
        Work::Metadata => metadata,
        Work::Filter => |out| {
            let d: Owned = parse();
            if d.status == "delivered" && d.weight_kg > 100.0 {
                *out = text(&d);
            }
        },
        Work::Total => |out| {
            let mut d: Owned = parse();
            let totals = d.items.iter().map(|item| item.qty as f64 * item.price);
            d.total = totals.sum();
            *out = text(&d);
        },
        Work::Strings => |out| {
            let d: Owned = parse();
            *out = joined(&d.note, &d.city).into_bytes();
        },
    })
}

pub fn borrowed(case: &Case) -> Box<dyn Call> {
    fn parse() -> Borrowed<'static> {
        serde_json::from_slice(black_box(RECORD.as_bytes())).expect("the record is JSON")
    }
    native(match case.work {
        Work::Nothing => nothing,
        Work::Metadata => metadata,
        Work::Filter => |out| {
            let d = parse();
            if d.status == "delivered" && d.weight_kg > 100.0 {
                append(&d, out);
            }
        },
        Work::Total => |out| {
            let mut d = parse();
            let totals = d.items.iter().map(|item| item.qty as f64 * item.price);
            d.total = totals.sum();
            append(&d, out);
        },
        Work::Strings => |out| {
            let d = parse();
            out.extend_from_slice(joined(&d.note, &d.city).as_bytes());
        },
    })
}

pub fn value(case: &Case) -> Box<dyn Call> {
    native(match case.work {
        Work::Nothing => nothing,
        Work::Metadata => metadata,
        Work::Filter => |out| {
            let d: Value = parse();
            let heavy = d["weight_kg"].as_f64().is_some_and(|kg| kg > 100.0);
            if d["status"] == "delivered" && heavy {
                *out = text(&d);
            }
        },
        Work::Total => |out| {
            let mut d: Value = parse();
            let items = d["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let number = |item: &Value, name| item[name].as_f64().unwrap_or_default();
            let totals = items
                .iter()
                .map(|item| number(item, "qty") * number(item, "price"));
            d["total"] = totals.sum::<f64>().into();
            *out = text(&d);
        },
        Work::Strings => |out| {
            let d: Value = parse();
            let field = |name| d[name].as_str().unwrap_or_default();
            *out = joined(field("note"), field("city")).into_bytes();
        },
    })
}

fn nothing(_out: &mut Vec<u8>) {}

fn metadata(out: &mut Vec<u8>) {
    if black_box(PARTITION) > 100 && black_box(OFFSET) > 5 && black_box(KEY) == "x" {
        out.push(b'1');
    }
}

fn parse<T: DeserializeOwned>() -> T {
    serde_json::from_slice(black_box(RECORD.as_bytes())).expect("the record is JSON")
}

fn text<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value without odd keys")
}

fn append<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a value without odd keys");
}

fn joined(note: &str, city: &str) -> String {
    let mut text = String::new();
    for part in note.split(' ') {
        text.push_str(part);
        text.push('-');
    }
    text + city
}
