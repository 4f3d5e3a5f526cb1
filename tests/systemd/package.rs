//! The Debian package of the program that was built for the tests.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::run_dir::{repository, target};
use crate::support::skip;

/// Packs it; `None` where that can't be done here, which is told.
pub fn build(test: &str) -> Option<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let Some(tool) = tool() else {
        skip::skipped(test, "`cargo-deb` is not there; cargo install cargo-deb");
        return None;
    };
    match BUILT.get_or_init(|| pack(&tool)) {
        Ok(package) => Some(package.clone()),
        Err(error) => panic!("cargo-deb: {error}"),
    }
}

/// Installed for all, or by `.ci/run` for this repository.
fn tool() -> Option<PathBuf> {
    let own = target().join("tools/bin/cargo-deb");
    [own, PathBuf::from("cargo-deb")].into_iter().find(|tool| {
        let version = Command::new(tool).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    })
}

fn pack(tool: &PathBuf) -> Result<PathBuf, String> {
    // cargo-deb takes what a release build left; this is what was built for the tests.
    let folder = target().join("package");
    let release = folder.join("release");
    let program = release.join("deliveryd");
    let package = folder.join("deliveryd.deb");
    let placed = fs::create_dir_all(&release)
        .and_then(|()| fs::copy(env!("CARGO_BIN_EXE_deliveryd"), &program));
    placed.map_err(|error| format!("{}: {error}", program.display()))?;
    let output = Command::new(tool)
        .args(["--no-build", "--fast", "--strip", "--quiet", "--output"])
        .arg(&package)
        .env("CARGO_TARGET_DIR", &folder)
        .current_dir(repository())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(package);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
