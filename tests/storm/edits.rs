//! The edits: good and broken versions of two handlers and a module, saved in the ways that tools save.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::ledger::Ledger;

/// Stands in every broken version, and so in every message about one.
const MISTAKE: &str = "this_is_broken";

/// Whether a refusal is about a file that was broken, taken away or half written at that moment.
pub fn caused(refusal: &str) -> bool {
    [MISTAKE, "can't be read", "can't be imported", "no function"]
        .iter()
        .any(|word| refusal.contains(word))
}

/// Which numbers a file's edits are seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    /// The handler of one group and of the guest.
    Alpha,
    /// The handler of the other group.
    Beta,
    /// What Beta imports by way of another module.
    Module,
}

impl File {
    const ALL: [File; 3] = [File::Alpha, File::Module, File::Beta];

    fn name(self) -> &'static str {
        match self {
            File::Alpha => "alpha.rhai",
            File::Beta => "beta.rhai",
            File::Module => "lib/deep/mark.rhai",
        }
    }

    fn text(self, number: u32) -> String {
        match self {
            File::Alpha => format!("const MARK = {number};\n{}", copying("0")),
            File::Beta => format!(
                "import \"lib/way\" as way;\nconst MARK = {number};\n{}",
                copying("way::number()")
            ),
            File::Module => format!("fn number() {{ {number} }}\n"),
        }
    }
}

fn copying(module: &str) -> String {
    format!(
        "fn handle(msg) {{\n    emit(#{{ topic: params.out, partition: msg.partition, \
         value: `${{global::MARK}} ${{{module}}} ${{msg.offset}}` }});\n}}\n"
    )
}

/// The handlers as they are at the start.
pub fn first_files() -> Vec<(&'static str, String)> {
    let way = "import \"lib/deep/mark\" as mark;\nfn number() { mark::number() }\n".to_owned();
    let files = File::ALL.map(|file| (file.name(), file.text(0)));
    files.into_iter().chain([("lib/way.rhai", way)]).collect()
}

/// See the module.
#[derive(Debug)]
pub struct Edits {
    dir: PathBuf,
    count: u32,
    pub broken: u32,
    /// The file that is broken now.
    to_mend: Option<File>,
    /// When each good version was saved.
    saved: BTreeMap<(File, u32), SystemTime>,
}

impl Edits {
    pub fn new(dir: &Path) -> Edits {
        Edits {
            dir: dir.to_owned(),
            count: 0,
            broken: 0,
            to_mend: None,
            saved: BTreeMap::new(),
        }
    }

    /// One more edit: every eighth breaks a file, the next one mends it.
    pub fn next(&mut self) {
        self.count += 1;
        let file = File::ALL[self.count as usize % File::ALL.len()];
        if let Some(file) = self.to_mend.take() {
            self.save(file);
        } else if self.count.is_multiple_of(8) {
            self.broken += 1;
            self.to_mend = Some(file);
            let text = format!("fn {MISTAKE}( {{\n{}", file.text(self.count));
            self.write(file, &text);
        } else {
            self.save(file);
        }
    }

    /// Mends what is still broken.
    pub fn mend(&mut self) {
        if let Some(file) = self.to_mend.take() {
            self.save(file);
        }
    }

    fn save(&mut self, file: File) {
        self.saved.insert((file, self.count), SystemTime::now());
        self.write(file, &file.text(self.count));
    }

    fn write(&self, file: File, text: &str) {
        let path = self.dir.join(file.name());
        let beside = path.with_extension("new");
        let written = match self.count / 3 % 3 {
            // In place.
            0 => fs::write(&path, text),
            // As most editors save.
            1 => fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path)),
            // Taken away and put back.
            _ => fs::remove_file(&path).and_then(|()| fs::write(&path, text)),
        };
        written.unwrap_or_else(|error| panic!("can't write {}: {error}", path.display()));
    }

    pub fn good(&self) -> usize {
        self.saved.len()
    }

    /// From each save to the first message that a group wrote under it. A version that was followed
    /// by another before any message came has none.
    pub fn waits(&self, ledgers: &[(&str, Ledger)]) -> Waits {
        let ledger = |name: &str| ledgers.iter().find(|(group, _)| *group == name);
        let waits = self.saved.iter().filter_map(|((file, number), saved)| {
            let (group, column) = match file {
                File::Alpha => ("alpha", 0),
                File::Beta => ("beta", 0),
                File::Module => ("beta", 1),
            };
            let first = *ledger(group)?.1.first[column].get(number)?;
            let saved = saved
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            Some(Duration::from_millis(
                (first - saved.as_millis() as i64).max(0) as u64,
            ))
        });
        let mut waits: Vec<Duration> = waits.collect();
        waits.sort();
        Waits(waits)
    }
}

/// Sorted.
#[derive(Debug)]
pub struct Waits(pub Vec<Duration>);

impl Waits {
    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// The value below which `percent` of them lie.
    pub fn at(&self, percent: usize) -> Duration {
        let index = (self.0.len().saturating_sub(1)) * percent / 100;
        self.0.get(index).copied().unwrap_or(Duration::MAX)
    }
}
