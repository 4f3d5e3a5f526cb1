//! What the configuration promises, tried on whole files.

mod layers;
mod samples;
mod show;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Failed, Invocation, Loaded, Permissive, load};

/// A configuration in a folder of its own, with handlers beside it.
struct Sample {
    folder: tempfile::TempDir,
    invocation: Invocation,
}

/// A topic and a group that reads it; more can be written behind.
const GROUP: &str = r#"
[topics.Delivery]
[groups.group-1]
topics = ["Delivery"]
handler = "consume.rhai"
"#;

impl Sample {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("a.toml", text), ("consume.rhai", ""), ("produce.rhai", "")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let file = folder.path().join("a.toml");
        let invocation = Invocation {
            file,
            sets: Vec::new(),
            env: BTreeMap::new(),
        };
        Self { folder, invocation }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.invocation.env.insert(name.into(), value.into());
        self
    }

    fn set(mut self, set: &str) -> Self {
        self.invocation.sets.push(set.into());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Failed> {
        load(&self.invocation, &Permissive)
    }

    /// Loads what must be good.
    fn good(&self) -> Loaded {
        self.load()
            .unwrap_or_else(|failed| panic!("{}", text(&failed)))
    }

    /// The text of what must be wrong.
    fn wrong(&self) -> String {
        match self.load() {
            Ok(loaded) => panic!("nothing is wrong with {:?}", loaded.config),
            Err(failed) => text(&failed),
        }
    }

    fn shown(&self) -> String {
        let mut shown = String::new();
        self.good().effective.write(&mut shown).unwrap();
        shown
    }
}

fn text(failed: &Failed) -> String {
    let mut text = String::new();
    failed
        .write(&mut text, "nothing was started", false)
        .unwrap();
    text
}
