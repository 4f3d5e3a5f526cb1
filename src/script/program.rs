//! A handler's sources: read once, checked, and carried from thread to thread as text.
//!
//! [`Program::load`] reads the handler and, transitively, the files that it imports, each exactly
//! once, so that a file that is being written can not be two things in one program. Every member
//! compiles its own copy from here and never touches the disk again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use rhai::AST;
use sha2::{Digest, Sha256};

use super::check::{self, Found, Import, TopicUse};
use super::{Kind, diagnose, engine};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Place};

/// More files than a handler can sensibly have; stops a runaway chain of imports.
const MOST_FILES: usize = 256;
/// Larger than any handler; stops a data file that was named by mistake.
const LARGEST_FILE: u64 = 4 << 20;

/// One source file of a program.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path in the `import` statement; empty for the handler itself.
    pub import: String,
    pub path: PathBuf,
    /// As diagnostics show it, and as Rhai names it in errors.
    pub shown: String,
    pub text: String,
}

/// A handler file and every module it imports, read once and checked. Shared between threads.
#[derive(Debug)]
pub struct Program {
    kind: Kind,
    version: String,
    sources: Vec<Source>,
    files: Vec<PathBuf>,
    warnings: Vec<Diagnostic>,
    topics: Vec<TopicUse>,
}

impl Program {
    /// Reads `file` and its imports, compiles and checks them in an engine of these limits.
    ///
    /// Only what stands in the file's own folder can be imported. The top level of the files is not
    /// run here, because it may use the `params` of whoever runs it: [`super::Handler::new`] does.
    ///
    /// # Errors
    /// Every mistake found: unreadable files, syntax, a missing or wrong `handle`/`generate`,
    /// imports that leave the folder, names that nothing has.
    pub fn load(file: &Path, kind: Kind, limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = file.parent().unwrap_or(Path::new("."));
        let read = |import: Option<&str>| match import {
            None => read(&file, String::new()),
            Some(import) => resolve(folder, import).and_then(|path| read(&path, import.to_owned())),
        };
        Self::load_with(&file, kind, limits, &read)
    }

    /// The same from texts, such as those of a program that runs elsewhere. `texts` are by their
    /// names within the folder of `file`, of which nothing is read.
    ///
    /// # Errors
    /// As [`Program::load`].
    pub fn of_texts(
        file: &Path,
        texts: &BTreeMap<String, String>,
        kind: Kind,
        limits: &Limits,
    ) -> Result<Program, Vec<Diagnostic>> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let own = file.file_name().unwrap_or_default().to_string_lossy();
        let read = |import: Option<&str>| {
            let name = match import {
                None => own.to_string(),
                Some(import) => format!("{import}.rhai"),
            };
            let path = folder.join(&name);
            Ok(Source {
                text: texts
                    .get(&name)
                    .ok_or_else(|| format!("{name} is not among its files"))?
                    .clone(),
                import: import.unwrap_or_default().to_owned(),
                shown: shown(&path),
                path,
            })
        };
        Self::load_with(file, kind, limits, &read)
    }

    fn load_with(
        file: &Path,
        kind: Kind,
        limits: &Limits,
        read: &ReadSource<'_>,
    ) -> Result<Program, Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        let (sources, asts) = read_all(file, limits, read, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let Found {
            mistakes,
            warnings,
            topics,
        } = check::program(&sources, asts, kind);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Program {
            warnings,
            topics,
            kind,
            version: version(&sources),
            files: sources.iter().map(|source| source.path.clone()).collect(),
            sources,
        })
    }

    /// Whether it may emit anything: whether the word stands in any of its files.
    pub fn may_emit(&self) -> bool {
        self.sources
            .iter()
            .any(|source| source.text.contains("emit"))
    }

    /// The first 12 hexadecimal digits of the SHA-256 of all sources.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The handler's file, absolute.
    pub fn file(&self) -> &Path {
        self.files.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Every file it was read from, the handler's own first.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The text of every file, by its name within the handler's folder.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let own = self.file().file_name().unwrap_or_default();
        let name = |source: &Source| match source.import.as_str() {
            "" => own.to_string_lossy().into_owned(),
            import => format!("{import}.rhai"),
        };
        let named = self.sources.iter();
        named
            .map(|source| (name(source), source.text.clone()))
            .collect()
    }

    /// What it was loaded as.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is allowed and probably not meant.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// A warning for each topic that it names in an `emit` and that `known`, the config's topics,
    /// lacks, or that its group `reads` itself.
    pub fn topic_warnings(&self, known: &BTreeSet<&str>, reads: &[String]) -> Vec<Diagnostic> {
        let topics = self.topics.iter();
        topics
            .filter_map(|used| used.warning(known, reads))
            .collect()
    }

    /// The names of the functions in the handler's own file.
    pub(crate) fn functions(&self, limits: &Limits) -> Vec<String> {
        let ast = self
            .sources
            .first()
            .and_then(|source| engine::bare(limits).compile(&source.text).ok());
        let functions = ast.iter().flat_map(|ast| ast.iter_functions());
        functions.map(|function| function.name.to_owned()).collect()
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The source that Rhai calls `name`; the handler's own where it calls none.
    pub(crate) fn source(&self, name: Option<&str>) -> Option<&Source> {
        let named = name.and_then(|name| self.sources.iter().find(|source| source.shown == name));
        named.or_else(|| self.sources.first())
    }
}

fn version(sources: &[Source]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        // Lengths keep apart what would otherwise run together.
        for part in [&source.import, &source.text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    let digest = hash.finalize();
    let hex: Vec<String> = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.concat()
}

/// Reads what an `import` names; the handler itself for none.
type ReadSource<'a> = dyn Fn(Option<&str>) -> Result<Source, String> + 'a;

/// Reads the handler and everything it imports, breadth first; a file without its syntax tree is a
/// mistake.
fn read_all(
    file: &Path,
    limits: &Limits,
    read: &ReadSource<'_>,
    mistakes: &mut Vec<Diagnostic>,
) -> (Vec<Source>, Vec<AST>) {
    let mut sources = Vec::new();
    let mut asts = Vec::new();
    match read(None) {
        Ok(source) => sources.push(source),
        Err(why) => {
            mistakes.push(unreadable(file, &why));
            return (sources, asts);
        }
    }
    let mut seen = HashSet::new();
    let engine = engine::bare(limits);
    let mut at = 0;
    while let Some(source) = sources.get(at) {
        let imports = match engine.compile(&source.text) {
            Ok(ast) => {
                let imports = check::imports(&ast, source, mistakes);
                asts.push(ast);
                imports
            }
            Err(error) => {
                mistakes.push(diagnose::parse_error(source, &error));
                Vec::new()
            }
        };
        let mut found = Vec::new();
        for import in imports {
            if !seen.insert(import.path.clone()) {
                continue;
            }
            match read(Some(&import.path)) {
                Ok(module) => found.push(module),
                Err(why) => mistakes.push(refused(source, &import, &why)),
            }
        }
        sources.extend(found);
        at += 1;
        if sources.len() > MOST_FILES {
            mistakes.push(Diagnostic {
                message: format!("the handler imports more than {MOST_FILES} files"),
                place: Place::Nowhere,
                label: String::new(),
                hints: Vec::new(),
            });
            break;
        }
    }
    (sources, asts)
}

/// The file that `import "path"` means, if it lies in `folder` whatever links lead there.
fn resolve(folder: &Path, import: &str) -> Result<PathBuf, String> {
    let relative = Path::new(import);
    if import.is_empty() || import.contains('\\') || import.contains('\0') {
        return Err("a path in the handler's folder was expected".into());
    }
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err("imports can not leave the handler's folder".into());
    }
    let mut path = folder.join(relative).into_os_string();
    path.push(".rhai");
    let path = PathBuf::from(path);
    let real = fs::canonicalize(&path).map_err(|error| io_text(&path, &error))?;
    let home = fs::canonicalize(folder).map_err(|error| io_text(folder, &error))?;
    if !real.starts_with(&home) {
        return Err("the file is a link that leaves the handler's folder".into());
    }
    Ok(path)
}

fn io_text(path: &Path, error: &std::io::Error) -> String {
    format!("{} can't be read: {error}", shown(path))
}

fn read(path: &Path, import: String) -> Result<Source, String> {
    let text = || -> std::io::Result<String> {
        let about = fs::metadata(path)?;
        if !about.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        if about.len() > LARGEST_FILE {
            return Err(std::io::Error::other("it is larger than 4 MiB"));
        }
        fs::read_to_string(path)
    };
    Ok(Source {
        text: text().map_err(|error| io_text(path, &error))?,
        import,
        shown: shown(path),
        path: path.to_owned(),
    })
}

fn unreadable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic {
        message: format!("the handler {why}"),
        place: Place::Nowhere,
        label: String::new(),
        hints: vec![format!("`handler` names {}", path.display())],
    }
}

fn refused(source: &Source, import: &Import, why: &str) -> Diagnostic {
    Diagnostic {
        message: format!("`{}` can't be imported", import.path.escape_debug()),
        place: diagnose::place(source, import.line, import.column, import.path.chars().count() + 2),
        label: why.to_owned(),
        hints: vec![
            "an import names a file below the handler's folder, without `.rhai`: import \"lib/money\" as money"
                .into(),
        ],
    }
}

/// A path as the user would write it: from the working directory where that is shorter.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    relative
        .unwrap_or_else(|| path.to_owned())
        .display()
        .to_string()
}
