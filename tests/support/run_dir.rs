//! Where the tests keep jars and running servers' data: below Cargo's target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The repository's top level, also for the package under tests/bench.
pub fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .find(|dir| dir.join("tests/kafka/pom.xml").is_file())
        .unwrap_or(own)
        .to_owned()
}

/// Cargo's target directory of the daemon's own package.
pub fn target() -> PathBuf {
    // Set for integration tests only; the benches share the default place.
    match option_env!("CARGO_TARGET_TMPDIR").and_then(|tmp| Path::new(tmp).parent()) {
        Some(target) => target.to_owned(),
        None => repository().join("target"),
    }
}

/// A directory for one server, removed when dropped.
///
/// What is left behind by a process that could not drop it goes when the next one starts.
#[derive(Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn create() -> RunDir {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let parent = target().join("kafka-run");
        remove_leftovers(&parent);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("{}-{number}", std::process::id()));
        fs::create_dir_all(&dir)
            .unwrap_or_else(|error| panic!("can't create {}: {error}", dir.display()));
        RunDir(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // After a failure the servers' logs are what one wants to read.
        if !std::thread::panicking() {
            remove(&self.0);
        }
    }
}

/// Removes the directories of processes that are gone.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('-').next());
        let alive = owner.is_some_and(|id| Path::new("/proc").join(id).exists());
        if !alive {
            remove(&entry.path());
        }
    }
}

fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("can't remove {}: {error}", dir.display());
    }
}
