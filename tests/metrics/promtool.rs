//! Prometheus' own tool, where it is there: on the path, or where `.ci/run` puts it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::run_dir::target;
use crate::support::skip;

/// Leaves the test where there is none.
pub fn there(test: &str) -> bool {
    let found = tool().is_some();
    // Where it could not be had `.ci/run` has said so.
    if !found && std::env::var_os("DELIVERYD_TESTS_WITHOUT_PROMTOOL").is_none() {
        skip::skipped(
            test,
            "`promtool` is not there; on Debian: apt-get install prometheus",
        );
    }
    found
}

/// `promtool check metrics`: everything that it says to a text.
#[track_caller]
pub fn check_metrics(text: &str) -> String {
    let mut child = command()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        let text = text.to_owned();
        // It reads while it writes.
        std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    let output = child.wait_with_output();
    let output = output.unwrap_or_else(|error| panic!("promtool: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        output.status.success() || !said.is_empty(),
        "promtool failed silently"
    );
    said
}

/// `promtool WHAT FILE` has nothing against the file.
#[track_caller]
pub fn accepts(what: &[&str], file: &Path) {
    let output = command().args(what).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("promtool: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{}: {said}", file.display());
}

fn command() -> Command {
    match tool() {
        Some(tool) => Command::new(tool),
        None => panic!("there is no promtool; ask for it first"),
    }
}

fn tool() -> Option<&'static PathBuf> {
    static TOOL: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let own = target().join("tools/bin/promtool");
        [own, PathBuf::from("promtool")].into_iter().find(|tool| {
            let version = Command::new(tool).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        })
    };
    TOOL.get_or_init(find).as_ref()
}
