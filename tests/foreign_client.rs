//! Seen from outside: Kafka's own console tools write, read, and look up what deliveryd committed.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::notes::numbered;
use support::{Kafka, Setup, unique};

const SOON: Duration = Duration::from_secs(20);

/// Records of the console producer are handled, their offsets are committed under the group's name
/// by clients named INSTANCE-GROUP-N, and emits lie in the partitions where Java's client puts them.
#[test]
fn console_tools_see_what_was_handled_and_committed() {
    needs_kafka!();
    let kafka = Kafka::shared();
    let (probe, tools) = (kafka.probe(), kafka.tools());
    let (input, output) = (unique("orders"), unique("copies"));
    let group = unique("accounting");
    tools.create_topic(&input, 2);
    let daemon = Setup::named(
        "house-7",
        &kafka.servers(),
        &format!(
            "[topics.{input:?}]\npartitions = 2\n[topics.{output:?}]\npartitions = 2\n\
             [groups.{group:?}]\ntopics = [{input:?}]\nmembers = 2\nhandler = \"copy.rhai\"\n\
             params = {{ to = {output:?} }}\n"
        ),
    )
    .handler(
        "copy.rhai",
        "fn handle(msg) { emit(params.to, msg.value); }",
    )
    .start();
    daemon.wait_until_assigned(&group, 2);

    let records = numbered(0, 60);
    tools.produce(&input, &records);
    probe.wait_until_committed(&group, &input, SOON);

    let offsets = tools.group_offsets(&group);
    assert_eq!(offsets.len(), 2, "{offsets:?}");
    let mut clients: Vec<&str> = Vec::new();
    for partition in &offsets {
        assert_eq!(partition.committed, Some(partition.end), "{partition:?}");
        clients.push(&partition.client_id);
    }
    clients.sort_unstable();
    let expected = [1, 2].map(|n| format!("house-7-{group}-{n}"));
    assert_eq!(clients, expected);
    assert_eq!(offsets.iter().map(|each| each.end).sum::<i64>(), 60);

    let by_key = |messages: Vec<(i32, String, String)>| {
        let keyed = messages
            .into_iter()
            .map(|(partition, key, value)| ((key, value), partition));
        keyed.collect::<BTreeMap<_, _>>()
    };
    let read = by_key(tools.consume(&input, 60));
    let copied = by_key(tools.consume(&output, 60));
    assert_eq!(read.len(), 60);
    assert_eq!(copied, read, "same keys, same values, same partitions");
    assert!(daemon.stop().status.success());
}
