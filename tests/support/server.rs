//! Kafka's and ZooKeeper's server processes: a properties file, a JVM, a log.
//!
//! [`format`] prepares a KRaft node's directory, [`kafka`] and [`zookeeper`] start a server. Which
//! properties belong in the file is the caller's business.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::jars::Release;
use super::process::Process;

/// A server's properties file.
pub type Properties = BTreeMap<String, String>;

/// What a JVM of the tests gets unless told otherwise: a broker starts in seconds and stays small.
pub const SMALL_JVM: &[&str] = &[
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
];

/// A started server.
#[derive(Debug)]
pub struct Server {
    pub process: Process,
    /// Where its output goes.
    pub log: PathBuf,
}

impl Server {
    /// The end of its log.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

/// The last lines of a log file.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// `kafka-storage format`: what a KRaft node needs before its first start.
pub fn format(release: Release, cluster_id: &str, properties: &Path, more: &[String]) {
    let output = java(release, SMALL_JVM, "error")
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            cluster_id,
        ])
        .arg("--config")
        .arg(properties)
        .args(more)
        .output()
        .unwrap_or_else(|error| panic!("can't run java: {error}"));
    assert!(
        output.status.success(),
        "kafka-storage format failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts `kafka.Kafka`.
pub fn kafka(release: Release, jvm: &[&str], name: &str, properties: &Path) -> Server {
    start(release, jvm, "kafka.Kafka", name, properties)
}

/// Starts a ZooKeeper of its own.
pub fn zookeeper(release: Release, name: &str, properties: &Path) -> Server {
    let class = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    start(release, SMALL_JVM, class, name, properties)
}

/// Writes `properties` as NAME.properties into `dir`.
pub fn write_properties(dir: &Path, name: &str, properties: &Properties) -> PathBuf {
    let mut text = String::new();
    for (key, value) in properties {
        text.push_str(&format!("{key}={value}\n"));
    }
    let file = dir.join(format!("{name}.properties"));
    fs::write(&file, text)
        .unwrap_or_else(|error| panic!("can't write {}: {error}", file.display()));
    file
}

/// A JVM with Kafka's classes; the class to run and its arguments are for the caller to add.
pub fn java(release: Release, jvm: &[&str], log_level: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(jvm)
        .args([
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-Dorg.slf4j.simpleLogger.showThreadName=false",
        ])
        .arg(format!(
            "-Dorg.slf4j.simpleLogger.defaultLogLevel={log_level}"
        ))
        .args(["-cp", &release.class_path()])
        .stdin(Stdio::null());
    command
}

fn start(release: Release, jvm: &[&str], class: &str, name: &str, properties: &Path) -> Server {
    let log = properties.with_extension("log");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .unwrap_or_else(|error| panic!("can't open {}: {error}", log.display()));
    let errors = file
        .try_clone()
        .unwrap_or_else(|error| panic!("can't share {}: {error}", log.display()));
    let mut command = java(release, jvm, "info");
    command
        .arg(class)
        .arg(properties)
        .stdout(file)
        .stderr(errors);
    Server {
        process: Process::spawn(name, command),
        log,
    }
}
