//! What calls leave behind: a handler whose calls leave nothing must never be taken for one that does.

use std::collections::{HashMap, VecDeque};

use super::*;

/// Closures, patterns, counts, topics and failures of all kinds, none of which stays.
const BUSY: &str = r#"
fn handle(msg) {
    let n = msg.offset;
    let total = 0.0;
    let seen = [];
    msg.json.items.for_each(|item| { total += item.price; seen.push(item.sku); });
    let more = |x| x + total;
    let held = [msg.json, more];
    count(`count-${n % 500}`, n % 3);
    observe(`observed-${n % 500}`, more.call(1.0));
    if msg.value.regex_is_match(`a${n % 90}+[a-z]{3}`) { info("found"); }
    if n % 11 == 0 { warn(`${msg.json}`); }
    for i in 0..(n % 4) { emit(`to-${(n + i) % 700}`, msg.json.pad); }
    emit(#{topic: `to-${n % 300}`, key: `k-${n}`, value: #{seen: seen}, headers: #{h: "x"}});
    switch n % 13 {
        0 => throw `thrown ${n}`,
        1 => reject(`rejected ${n}`),
        2 => retry(`retried ${n}`),
        3 => throw msg.json,
        4 => seen[n],
        5 => msg.json.nothing + 1,
        6 => throw held,
        7 => loop { seen.push(total); },
        _ => (),
    }
}
"#;

/// Whatever the readers of effects and failures keep, and for how long.
#[test]
fn calls_that_leave_nothing_add_nothing_up() {
    let limits = Limits {
        operations: 4_000,
        ..Limits::default()
    };
    let mut handler = handler_with(
        BUSY,
        Settings {
            limits,
            ..settings()
        },
    );
    let mut metrics: HashMap<Arc<str>, u64> = HashMap::new();
    let mut sent: VecDeque<Arc<str>> = VecDeque::new();
    let mut failures = VecDeque::new();
    let mut settled = 0;
    for n in 0..20_000_usize {
        let pad = "x".repeat(n * 37 % 3_000);
        let mut record = Record::default();
        record.topic = "Delivery".into();
        record.offset = n as i64;
        let value = format!(
            r#"{{"pad":"{pad}","items":[{{"sku":"s-{n}","price":1.25}},{{"sku":"b","price":{n}}}]}}"#
        );
        record.set_value(Some(value.as_bytes()));
        let outcome = handler.handle(&Rc::new(record), 1);
        let effects = handler.effects();
        for (name, n) in &effects.counts {
            *metrics.entry(Arc::clone(name)).or_default() += n;
        }
        sent.extend(effects.emits().map(|emit| Arc::clone(emit.topic())));
        sent.drain(..sent.len().saturating_sub(1_000));
        failures.push_back(outcome);
        failures.drain(..failures.len().saturating_sub(100));
        if n == 5_000 {
            settled = handler.left();
        }
    }
    let (left, grown) = (handler.left(), handler.left() - settled);
    // At one byte a call, hundred million of them fit into what is allowed.
    assert!(grown < 15_000, "{grown} of {left} bytes in 15,000 calls");
    assert!(left < 16 << 20, "{left} bytes");
}
