//! Compiled handlers: nobody can tell but by the time it takes.

mod support;

use std::collections::BTreeSet;

use support::case::{Case, SOON};

/// Reads, calculates, emits; every 50th message has no total, and every 70th is rejected.
const HANDLER: &str = r#"
fn handle(msg) {
    let d = msg.json;
    let total = 0.0;
    for item in d.items { total += item.qty * item.price; }
    if msg.offset % 70 == 69 { reject(`no more of ${d.city}`); }
    if msg.offset % 50 == 49 { total += d.nothing; }
    emit(params.out, #{ partition: msg.partition, offset: msg.offset, key: msg.key, value: `${d.id} ${total}` });
}
"#;

/// Switched on and off under load, in place: each message is handled once and in order, alike either way,
/// and so is what its error says.
#[test]
fn compiling_is_switched_in_place_and_changes_no_result() {
    needs_kafka!();
    let case = Case::new("compiled", 2);
    for partition in 0..2 {
        let value = |n: i64| {
            format!(
                r#"{{"id":{},"city":"Porto","items":[{{"qty":2,"price":1.25}},{{"qty":{n},"price":0.5}}]}}"#,
                9_007_199_254_740_993 + n
            )
        };
        let records = (0..1400).map(|n| (format!("k{n}"), value(n)));
        case.probe.produce_to(&case.topic, partition, records);
    }
    let settings = "members = 2\nrate = 800.0\ncompile = false\non_failure = { retries = 0, max_share = 1.0 }\n";
    let daemon = case.start(settings, HANDLER);
    let mut compile = false;
    let mut rebalances = None;
    for more in [400, 900, 1400] {
        let status = daemon.wait_until("more to be handled by both", SOON, |status| {
            status.shares(&case.group) == [1, 1] && status.counter(&case.group, "handled") > more
        });
        let now = status.counter(&case.group, "rebalances");
        assert_eq!(*rebalances.get_or_insert(now), now, "{status}");
        daemon.edit_config(
            &format!("compile = {compile}"),
            &format!("compile = {}", !compile),
        );
        compile = !compile;
        let status = daemon.reload();
        assert_eq!(status.at("/last_reload/ok"), true, "{status}");
        let said = status.at("/last_reload/summary").to_string();
        assert!(said.contains("compile"), "{said}");
    }
    case.wait_until_done(SOON);
    let last = daemon.status().counter(&case.group, "rebalances");
    assert_eq!(Some(last), rebalances);

    let fails = |offset: i64| offset % 50 == 49 || offset % 70 == 69;
    let wanted: Vec<(i64, String)> = (0..1400)
        .filter(|offset| !fails(*offset))
        .map(|n| {
            (
                n,
                format!("{} {:?}", 9_007_199_254_740_993 + n, 2.5 + n as f64 * 0.5),
            )
        })
        .collect();
    let copies = case.copies();
    for partition in 0..2 {
        let copies = copies.iter().filter(|copy| copy.partition == partition);
        let told: Vec<(i64, String)> = copies
            .map(|copy| (copy.offset, copy.value.clone()))
            .collect();
        assert_eq!(told, wanted, "partition {partition}");
    }
    let dead = case.probe.read_all(&case.dead());
    let failing = (0..1400).filter(|offset| fails(*offset)).count();
    assert_eq!(dead.len(), 2 * failing);
    let reasons: BTreeSet<String> = dead
        .iter()
        .flat_map(|letter| &letter.headers)
        .filter(|(name, _)| name == "deliveryd-reason")
        .map(|(_, reason)| reason.clone())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(daemon.stop().status.success());
}
