//! Installing the service and taking it away again: which files are written, kept and removed.
//!
//! A look decides what is to be done with each file, and nothing is touched by it; doing it comes
//! after. Doing it twice changes nothing the second time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::files::{Content, Piece, Scope, Starter};

/// What is to be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Create,
    /// It is there, and another.
    Replace,
    /// It is there, and as it should be.
    Nothing,
    /// It is the user's.
    Keep,
}

/// A file of the service, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub piece: Piece,
    pub deed: Deed,
}

/// A file or directory that could not be written, removed or looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct FileError {
    path: PathBuf,
    error: io::Error,
}

/// What installing means here and now. `starters` are the configuration and what it needs; where there
/// is one already, none of them is touched that somebody may have edited.
///
/// # Errors
/// Something that is there can't be read.
pub fn look(scope: &Scope, program: &Path, starters: &[Starter]) -> Result<Vec<Step>, FileError> {
    let mut steps = Vec::new();
    let configured = exists(&scope.config_file());
    for starter in starters {
        let piece = scope.starter(starter);
        let deed = match exists(&piece.path) {
            _ if starter.made => compare(&piece)?,
            true => Deed::Keep,
            // Whoever has a configuration has removed an example on purpose.
            false if configured => continue,
            false => Deed::Create,
        };
        steps.push(Step { piece, deed });
    }
    for piece in scope.own(program) {
        let deed = compare(&piece)?;
        steps.push(Step { piece, deed });
    }
    Ok(steps)
}

/// Does one step. A file is there as a whole or not at all.
///
/// # Errors
/// The file can't be written.
pub fn take(step: &Step) -> Result<(), FileError> {
    match step.deed {
        Deed::Create | Deed::Replace => {
            let Piece { path, .. } = &step.piece;
            write(&step.piece).map_err(|error| fail(path, error))
        }
        Deed::Nothing | Deed::Keep => Ok(()),
    }
}

/// The files that uninstalling removes, those that are there.
pub fn removed(scope: &Scope) -> Vec<PathBuf> {
    // The program stays: it may have been there before the service.
    let own = scope.own(Path::new("/usr/bin/deliveryd"));
    let mut paths = vec![scope.enabled()];
    paths.extend(own.into_iter().rev().map(|piece| piece.path));
    paths.retain(|path| exists(path));
    paths
}

/// Removes a file.
///
/// # Errors
/// It can't be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(|error| fail(path, error))
}

fn compare(piece: &Piece) -> Result<Deed, FileError> {
    let there = match fs::read(&piece.path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Deed::Create),
        Err(error) => return Err(fail(&piece.path, error)),
    };
    let wanted = match &piece.content {
        Content::Text(text) => text.clone().into_bytes(),
        Content::CopyOf(file) => fs::read(file).map_err(|error| fail(file, error))?,
    };
    Ok(match there == wanted {
        true => Deed::Nothing,
        false => Deed::Replace,
    })
}

/// Beside its place first, so that a program that runs from there is replaced and not written into.
fn write(piece: &Piece) -> io::Result<()> {
    let folder = piece.path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut name = piece.path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let written = fill(&beside, piece).and_then(|()| fs::rename(&beside, &piece.path));
    if written.is_err()
        && let Err(error) = fs::remove_file(&beside)
    {
        tracing::debug!("{} stays behind: {error}", beside.display());
    }
    written
}

fn fill(path: &Path, piece: &Piece) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.set_permissions(fs::Permissions::from_mode(piece.mode))?;
    match &piece.content {
        Content::Text(text) => file.write_all(text.as_bytes())?,
        Content::CopyOf(program) => {
            io::copy(&mut File::open(program)?, &mut file)?;
        }
    }
    file.sync_all()
}

/// A dangling link is something, too.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn fail(path: &Path, error: io::Error) -> FileError {
    FileError {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starters(schema: &str) -> Vec<Starter> {
        let starter = |name, text: &str, made| Starter {
            name,
            text: text.to_owned(),
            made,
        };
        vec![
            starter("deliveryd.schema.json", schema, true),
            starter("deliveryd.toml", "# ours\n", false),
            starter("handlers/print.rhai", "fn handle(msg) {}\n", false),
        ]
    }

    struct Image {
        folder: tempfile::TempDir,
        scope: Scope,
        program: PathBuf,
    }

    impl Image {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("built");
            fs::write(&program, "a program").unwrap();
            Self {
                scope: Scope::System {
                    root: folder.path().join("root"),
                },
                program,
                folder,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join("root").join(name)
        }

        fn install(&self, schema: &str) -> Vec<Deed> {
            let steps = look(&self.scope, &self.program, &starters(schema)).unwrap();
            steps.iter().for_each(|step| take(step).unwrap());
            steps.iter().map(|step| step.deed).collect()
        }
    }

    /// Installing twice changes nothing the second time.
    #[test]
    fn installing_is_idempotent() {
        let image = Image::new();
        let first = image.install("{}");
        assert_eq!(first, [Deed::Create; 7]);
        let mode = |name| fs::metadata(image.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("usr/local/bin/deliveryd"), 0o755);
        assert_eq!(mode("etc/deliveryd/deliveryd.toml"), 0o640);
        let second = image.install("{}");
        assert_eq!(second[0], Deed::Nothing);
        assert_eq!(second[1..3], [Deed::Keep; 2]);
        assert_eq!(second[3..], [Deed::Nothing; 4]);
    }

    /// An edited configuration is kept, and a removed example does not come back; a newer program, its
    /// schema and its unit take their places.
    #[test]
    fn an_edited_configuration_is_kept() {
        let image = Image::new();
        image.install("{}");
        let config = image.path("etc/deliveryd/deliveryd.toml");
        fs::write(&config, "# mine\n").unwrap();
        fs::remove_file(image.path("etc/deliveryd/handlers/print.rhai")).unwrap();
        fs::write(&image.program, "a newer program").unwrap();
        fs::write(image.path("etc/systemd/system/deliveryd.service"), "old").unwrap();
        let again = image.install("{ \"newer\": true }");
        let expected = [
            Deed::Replace,
            Deed::Keep,
            Deed::Replace,
            Deed::Nothing,
            Deed::Nothing,
            Deed::Replace,
        ];
        assert_eq!(again, expected);
        assert_eq!(fs::read_to_string(config).unwrap(), "# mine\n");
        let program = fs::read_to_string(image.path("usr/local/bin/deliveryd")).unwrap();
        assert_eq!(program, "a newer program");
        assert!(!image.path("usr/local/bin/deliveryd.new").exists());
    }

    /// Uninstalling takes what the service manager reads, and leaves the configuration.
    #[test]
    fn uninstalling_leaves_the_configuration() {
        let image = Image::new();
        image.install("{}");
        let enabled = image.scope.enabled();
        fs::create_dir_all(enabled.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(image.scope.unit(), &enabled).unwrap();
        for path in removed(&image.scope) {
            remove(&path).unwrap();
        }
        assert!(!exists(&enabled));
        assert!(!image.path("etc/systemd/system/deliveryd.service").exists());
        assert!(!image.path("etc/sysusers.d/deliveryd.conf").exists());
        assert!(!image.path("etc/tmpfiles.d/deliveryd.conf").exists());
        assert!(removed(&image.scope).is_empty());
        let remains = image.scope.remains();
        let expected = ["etc/deliveryd", "usr/local/bin/deliveryd"].map(|name| image.path(name));
        assert_eq!(remains, expected);
    }
}
