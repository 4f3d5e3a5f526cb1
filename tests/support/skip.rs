//! The one rule for tests that need what a machine may lack.
//!
//! Such a test prints why it was skipped, past libtest's capture; with `CI=true` it fails instead.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Leaves the test, told and counted by the rule above, unless real Kafka can be had here.
#[macro_export]
macro_rules! needs_kafka {
    () => {
        if !$crate::support::skip::has_kafka(module_path!()) {
            return;
        }
    };
}

/// Whether Java and Maven are there, and the jars could be resolved.
pub fn has_kafka(test: &str) -> bool {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    match MISSING.get_or_init(missing) {
        None => true,
        Some(reason) => {
            skipped(test, reason);
            false
        }
    }
}

/// Tells that `test` is skipped; a failure with `CI=true`.
pub fn skipped(test: &str, reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or(test);
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{name} may not be skipped with CI=true: {reason}"
    );
    let line = format!("SKIPPED {name}: {reason}\n");
    // Not `eprintln!`, which libtest would swallow for a test that passes.
    if let Err(error) = std::io::stderr().write_all(line.as_bytes()) {
        panic!("{line} (and standard error is closed: {error})");
    }
}

fn missing() -> Option<String> {
    for (program, argument) in [("java", "-version"), ("mvn", "--version")] {
        let found = Command::new(program)
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Some(format!(
                "`{program}` is not there; on Debian: apt-get install openjdk-17-jre-headless maven"
            ));
        }
    }
    None
}
