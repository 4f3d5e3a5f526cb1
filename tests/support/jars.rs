//! Kafka's jars, resolved once by Maven through the poms under tests/kafka.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run_dir::{repository, target};

/// A Kafka that the tests can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Current Apache Kafka, KRaft.
    Current,
    /// Kafka 4.0: unlike 4.1 to 4.4 it does not forget the ends of transactions while no broker leads a
    /// partition (KAFKA-20734).
    FourZero,
    /// Kafka 3.3.1 with ZooKeeper 3.6.3.
    Zookeeper,
}

impl Release {
    /// The pom that names its jars.
    pub fn pom(self) -> PathBuf {
        repository().join(match self {
            Release::Current => "tests/kafka/pom.xml",
            Release::FourZero => "tests/kafka/4.0/pom.xml",
            Release::Zookeeper => "tests/kafka/zookeeper/pom.xml",
        })
    }

    /// Kafka's version, as the pom has it.
    pub fn version(self) -> String {
        let pom = read(&self.pom());
        let after = pom
            .split_once("<kafka.version>")
            .and_then(|(_, rest)| rest.split_once('<'));
        match after {
            Some((version, _)) => version.to_owned(),
            None => panic!("no <kafka.version> in {}", self.pom().display()),
        }
    }

    /// Java's class path, `DIR/*`; resolves the jars where that has not been done.
    pub fn class_path(self) -> String {
        format!("{}/*", self.directory().display())
    }

    /// Several test processes may ask at once: one resolves, the others wait for its lock.
    fn directory(self) -> PathBuf {
        let cache = target().join("kafka-jars");
        let jars = cache.join(self.version());
        let marker = cache.join(format!("{}.complete", self.version()));
        let pom = read(&self.pom());
        fs::create_dir_all(&cache)
            .unwrap_or_else(|error| panic!("can't create {}: {error}", cache.display()));
        let lock = cache.join(format!("{}.lock", self.version()));
        let lock = File::create(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .unwrap_or_else(|error| panic!("can't lock {}: {error}", lock.display()));
        // The marker holds the pom, so a changed pom resolves anew.
        if fs::read_to_string(&marker).is_ok_and(|complete| complete == pom) {
            return jars;
        }
        if jars.exists() {
            fs::remove_dir_all(&jars)
                .unwrap_or_else(|error| panic!("can't remove {}: {error}", jars.display()));
        }
        resolve(&self.pom(), &jars);
        fs::write(&marker, pom)
            .unwrap_or_else(|error| panic!("can't write {}: {error}", marker.display()));
        drop(lock);
        jars
    }
}

fn resolve(pom: &Path, jars: &Path) {
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .output()
        .unwrap_or_else(|error| panic!("can't run mvn: {error}"));
    assert!(
        output.status.success(),
        "mvn could not resolve {}:\n{}{}",
        pom.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(file: &Path) -> String {
    fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("can't read {}: {error}", file.display()))
}
