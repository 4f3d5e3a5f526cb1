//! Where the control socket is: the default places, and the one that a configuration names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers::{Layer, Origins};
use super::load::{Invocation, host_name, layers, read_file};
use super::names::client_mistake;
use super::places::SourceFile;
use crate::diagnostic::tidy;

/// Where services have their runtime directories.
const SERVICES: &str = "/run/deliveryd";
const NAME: &str = "control.sock";

/// The default place of the control socket of the daemon with this instance name.
///
/// A service has a runtime directory of its own. The user's may be shared by several daemons, so
/// there one that is not named after the host has its own name in its socket's.
pub fn control_socket(env: &BTreeMap<String, String>, instance: &str) -> PathBuf {
    if let Some(directory) = service_directory(env) {
        return directory.join(NAME);
    }
    let own = instance != host_name() && client_mistake(instance).is_none();
    user_directory(env).join(if own {
        format!("control-{instance}.sock")
    } else {
        NAME.to_owned()
    })
}

/// The directories in which daemons have their sockets by default, for commands that look for one:
/// the service's of this process, the user's, and those of services.
pub fn control_directories(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = service_directory(env).into_iter().collect();
    for directory in [user_directory(env), PathBuf::from(SERVICES)] {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// The control socket that a configuration names, however wrong the rest of it may be; `None` where
/// it names none, and the default places count.
pub fn named_control(invocation: &Invocation) -> Option<PathBuf> {
    let working_directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = tidy(&working_directory.join(&invocation.file));
    // Of a file that is no TOML nothing is known; variables and `--set` still count.
    let (file, content) = read_file(&path)
        .or_else(|_| SourceFile::parse(path.clone(), String::new()))
        .ok()?;
    let layers = layers(&path, content, invocation, &mut Vec::new());
    let origins = Origins::new(file, layers, working_directory, invocation.env.clone());
    let merged = origins.merged();
    let control = merged.get("daemon")?.as_dict()?.get("control")?;
    if origins.layer(control.tag()) == Layer::Default {
        return None;
    }
    let text = control.as_str().filter(|text| !text.is_empty())?;
    Some(tidy(&origins.base(control.tag()).join(text)))
}

fn service_directory(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let directories = env.get("RUNTIME_DIRECTORY")?;
    // systemd puts colons between several (systemd.exec(5)).
    let first = directories.split(':').next().unwrap_or_default();
    (!first.is_empty()).then(|| PathBuf::from(first))
}

fn user_directory(env: &BTreeMap<String, String>) -> PathBuf {
    match env.get("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        Some(directory) => Path::new(directory).join("deliveryd"),
        None => {
            let user = rustix::process::getuid().as_raw();
            PathBuf::from(format!("/tmp/deliveryd-{user}"))
        }
    }
}
