//! Ctrl-C while a command waits.

use std::process::{Command, Stdio};

use crate::{SOON, start};

/// Ctrl-C at `deliveryd reload` ends the waiting and not the reload, and says so.
#[test]
fn an_interrupted_reload_goes_on() {
    let daemon = start();
    daemon.edit_config("members = 2", "members = 8");
    let reload = Command::new(env!("CARGO_BIN_EXE_deliveryd"))
        .args(["reload", "--control", "control.sock"])
        .current_dir(daemon.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let reload = reload.unwrap_or_else(|error| panic!("{error}"));
    daemon.wait_until("the reload", SOON, |status| status.state() == "reloading");
    let id = i32::try_from(reload.id()).unwrap_or_default();
    // SAFETY: it only sends a signal, to a child that was not waited for yet.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    let ended = reload.wait_with_output();
    let ended = ended.unwrap_or_else(|error| panic!("{error}"));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("the reload goes on"), "{said}");
    let status = daemon.wait_until("its end", SOON, |status| status.generation() == 2);
    assert_eq!(status.members("first").len(), 8, "{status}");
}
