//! The five handlers, in each language, and what they must answer.

use serde_json::Value;

/// The message's value: 206 bytes, with a number that no double holds.
pub const RECORD: &str = r#"{"id":9007199254740993,"customer":"c-4711","city":"Rotterdam","status":"delivered","weight_kg":12.5,"items":[{"sku":"a-1","qty":2,"price":9.99},{"sku":"b-22","qty":1,"price":24.5}],"note":"leave at a door"}"#;
pub const TOPIC: &str = "Delivery";
pub const KEY: &str = "d-17";
pub const PARTITION: i32 = 1;
pub const OFFSET: i64 = 4711;

/// What a native contender does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Nothing,
    Metadata,
    Filter,
    Total,
    Strings,
}

pub struct Case {
    pub id: &'static str,
    pub work: Work,
    /// The most that deliveryd may need: nanoseconds, or times the native one.
    pub at_most: Option<Bound>,
    /// The same where it compiles the handler.
    pub compiled_at_most: Bound,
    /// The body of `handle(msg)`.
    pub rhai: &'static str,
    /// The same where `msg` is a map and its value is text.
    pub obvious: &'static str,
    #[cfg_attr(not(feature = "peers"), expect(dead_code))]
    pub lua: &'static str,
    #[cfg_attr(not(feature = "peers"), expect(dead_code))]
    pub vrl: &'static str,
}

pub enum Bound {
    Nanoseconds(f64),
    Native(f64),
}

pub const CASES: &[Case] = &[
    Case {
        id: "no-op",
        work: Work::Nothing,
        at_most: Some(Bound::Nanoseconds(100.0)),
        compiled_at_most: Bound::Nanoseconds(20.0),
        rhai: "",
        obvious: "",
        lua: "",
        vrl: "null",
    },
    Case {
        id: "metadata",
        work: Work::Metadata,
        at_most: None,
        compiled_at_most: Bound::Nanoseconds(100.0),
        rhai: r#"if msg.partition > 100 && msg.offset > 5 && msg.key == "x" { emit("t", 1) }"#,
        obvious: r#"if msg.partition > 100 && msg.offset > 5 && msg.key == "x" { emit("t", 1) }"#,
        lua: r#"if msg.partition > 100 and msg.offset > 5 and msg.key == "x" then emit("t", 1) end"#,
        vrl: r#"if int!(.partition) > 100 && int!(.offset) > 5 && .key == "x" { "1" }"#,
    },
    Case {
        id: "filter",
        work: Work::Filter,
        at_most: Some(Bound::Native(2.6)),
        compiled_at_most: Bound::Native(0.9),
        rhai: r#"let d = msg.json; if d.status == "delivered" && d.weight_kg > 100 { emit("t", d) }"#,
        obvious: r#"let d = parse_json(msg.value); if d.status == "delivered" && d.weight_kg > 100 { emit("t", d) }"#,
        lua: r#"local d = msg.json; if d.status == "delivered" and d.weight_kg > 100 then emit("t", d) end"#,
        vrl: r#"d = object!(parse_json!(.value))
            if d.status == "delivered" && float!(d.weight_kg) > 100.0 { encode_json(d) }"#,
    },
    Case {
        id: "total",
        work: Work::Total,
        at_most: Some(Bound::Native(2.7)),
        compiled_at_most: Bound::Native(0.6),
        rhai: r#"let d = msg.json; let total = 0.0; for i in d.items { total += i.qty * i.price; } d.total = total; emit("t", d)"#,
        obvious: r#"let d = parse_json(msg.value); let total = 0.0; for i in d.items { total += i.qty * i.price; } d.total = total; emit("t", d)"#,
        lua: r#"local d = msg.json; local total = 0.0
            for _, i in ipairs(d.items) do total = total + i.qty * i.price end
            d.total = total; emit("t", d)"#,
        vrl: r#"d = object!(parse_json!(.value))
            total = 0.0
            for_each(array!(d.items)) -> |_index, i| { total = total + int!(i.qty) * float!(i.price) }
            d.total = total
            encode_json(d)"#,
    },
    Case {
        id: "strings",
        work: Work::Strings,
        at_most: Some(Bound::Native(5.5)),
        compiled_at_most: Bound::Native(0.9),
        rhai: r#"let d = msg.json; let parts = d.note.split(" "); let s = ""; for p in parts { s += p; s += "-"; } emit("t", s + d.city)"#,
        obvious: r#"let d = parse_json(msg.value); let parts = d.note.split(" "); let s = ""; for p in parts { s += p; s += "-"; } emit("t", s + d.city)"#,
        lua: r#"local d = msg.json; local s = ""
            for p in string.gmatch(d.note, "[^ ]+") do s = s .. p .. "-" end
            emit("t", s .. d.city)"#,
        vrl: r#"d = object!(parse_json!(.value))
            s = ""
            for_each(split(string!(d.note), " ")) -> |_index, p| { s = s + p + "-" }
            s + string!(d.city)"#,
    },
];

impl Case {
    /// Panics unless `emitted` is what this handler must emit.
    pub fn check(&self, contender: &str, emitted: Option<Vec<u8>>) {
        let right = match self.work {
            Work::Nothing | Work::Metadata | Work::Filter => emitted.is_none(),
            Work::Total => emitted.as_deref().is_some_and(is_total),
            Work::Strings => emitted.as_deref() == Some(b"leave-at-a-door-Rotterdam"),
        };
        let emitted = emitted.map(|value| String::from_utf8_lossy(&value).into_owned());
        assert!(right, "{contender}, {}: {emitted:?}", self.id);
    }
}

fn is_total(emitted: &[u8]) -> bool {
    // The sum in doubles, as text: the parser then reads both alike.
    let wanted = RECORD.replace("\"note\"", "\"total\":44.480000000000004,\"note\"");
    let wanted: Value = serde_json::from_str(&wanted).expect("the record is JSON");
    serde_json::from_slice(emitted).is_ok_and(|emitted: Value| alike(&emitted, &wanted))
}

/// Numbers as doubles: LuaJIT has no others, and so loses the last digit of the id.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, one)| other.get(name).is_some_and(|other| alike(one, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}
