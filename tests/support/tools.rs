//! Foreign clients: Kafka's own console tools, each call a JVM of its own (about a second).
//!
//! They share no code with deliveryd or librdkafka, so they notice what those two agree on wrongly.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::jars::Release;
use super::server::{SMALL_JVM, java};

/// Kafka's console tools for one cluster.
pub struct Tools {
    servers: String,
}

/// One line of `kafka-consumer-groups --describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    pub topic: String,
    pub partition: i32,
    /// The next offset to read; `None`: the group has none.
    pub committed: Option<i64>,
    pub end: i64,
    /// `-` while nobody holds the partition.
    pub client_id: String,
}

impl Tools {
    pub fn new(servers: &str) -> Tools {
        Tools {
            servers: servers.to_owned(),
        }
    }

    /// `kafka-topics --create`.
    pub fn create_topic(&self, topic: &str, partitions: u32) {
        let partitions = partitions.to_string();
        let arguments = ["--create", "--topic", topic, "--partitions", &partitions];
        self.run(
            "org.apache.kafka.tools.TopicCommand",
            &[&arguments[..], &["--replication-factor", "1"]].concat(),
            "",
        );
    }

    /// What `kafka-topics --describe` prints.
    pub fn describe_topic(&self, topic: &str) -> String {
        let class = "org.apache.kafka.tools.TopicCommand";
        self.run(class, &["--describe", "--topic", topic], "")
    }

    /// `kafka-console-producer`: (key, value) records; a key holds no tab.
    pub fn produce(&self, topic: &str, records: &[(String, String)]) {
        let lines: String = records
            .iter()
            .map(|(key, value)| format!("{key}\t{value}\n"))
            .collect();
        self.run(
            "org.apache.kafka.tools.ConsoleProducer",
            &["--topic", topic, "--reader-property", "parse.key=true"],
            &lines,
        );
    }

    /// `kafka-console-consumer` from the beginning until `count` messages are there: (partition, key, value).
    pub fn consume(&self, topic: &str, count: usize) -> Vec<(i32, String, String)> {
        let count = count.to_string();
        let printed = self.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            &[
                "--topic",
                topic,
                "--from-beginning",
                "--max-messages",
                &count,
                "--timeout-ms",
                "20000",
                "--formatter-property",
                "print.partition=true",
                "--formatter-property",
                "print.key=true",
            ],
            "",
        );
        printed.lines().filter_map(consumed_line).collect()
    }

    /// `kafka-consumer-groups --describe --group GROUP`.
    pub fn group_offsets(&self, group: &str) -> Vec<GroupOffset> {
        let printed = self.run(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            &["--describe", "--group", group],
            "",
        );
        printed.lines().filter_map(group_line).collect()
    }

    /// `kafka-acls` with these arguments.
    pub fn acls(&self, arguments: &[&str]) {
        self.run("org.apache.kafka.tools.AclCommand", arguments, "");
    }

    /// Puts the replicas of partition 0 on these brokers, the first of which is to lead it.
    pub fn move_leader(&self, topic: &str, brokers: &[i32]) {
        let plan = format!(
            r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"replicas":{brokers:?}}}]}}"#
        );
        let mut file = tempfile::NamedTempFile::new().expect("a file for the plan");
        file.write_all(plan.as_bytes()).expect("the plan");
        let path = file.path().to_string_lossy().into_owned();
        self.run(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            &["--reassignment-json-file", &path, "--execute"],
            "",
        );
        self.run(
            "org.apache.kafka.tools.LeaderElectionCommand",
            &[
                "--election-type",
                "preferred",
                "--topic",
                topic,
                "--partition",
                "0",
            ],
            "",
        );
    }

    fn run(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let mut command = java(Release::Current, SMALL_JVM, "warn");
        command
            .arg(class)
            .args(["--bootstrap-server", &self.servers])
            .args(arguments);
        let output =
            with_input(command, input).unwrap_or_else(|error| panic!("can't run {class}: {error}"));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{class} {arguments:?} failed:\n{printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }
}

fn with_input(mut command: Command, input: &str) -> std::io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}

/// `Partition:0<TAB>KEY<TAB>VALUE`.
fn consumed_line(line: &str) -> Option<(i32, String, String)> {
    let mut fields = line.splitn(3, '\t');
    let partition = fields.next()?.strip_prefix("Partition:")?.parse().ok()?;
    let key = fields.next()?.to_owned();
    Some((partition, key, fields.next()?.to_owned()))
}

/// `GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID`.
fn group_line(line: &str) -> Option<GroupOffset> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, topic, partition, committed, end, _, _, _, client_id] = fields[..] else {
        return None;
    };
    Some(GroupOffset {
        topic: topic.to_owned(),
        partition: partition.parse().ok()?,
        committed: committed.parse().ok(),
        end: end.parse().ok()?,
        client_id: client_id.to_owned(),
    })
}
