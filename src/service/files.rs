//! What belongs to an installed service, with its places: the unit, and for the machine's service the
//! user, the modes, the configuration and this program.
//!
//! The texts are those of the folder `systemd/` and of `deliveryd init`; the Debian package installs
//! the same.

use std::path::{Path, PathBuf};

const UNIT: &str = include_str!("../../systemd/deliveryd.service");
const USER_UNIT: &str = include_str!("../../systemd/user/deliveryd.service");
const SYSUSERS: &str = include_str!("../../systemd/deliveryd.sysusers");
const TMPFILES: &str = include_str!("../../systemd/deliveryd.tmpfile");

/// Where the units expect the program; the Debian package puts it there.
const PACKAGED: &str = "/usr/bin/deliveryd";
/// Where it is put for the machine's service: not in a home directory, which the service can't see.
const COPIED: &str = "/usr/local/bin/deliveryd";

const CONFIG: &str = "deliveryd.toml";

/// Whose service it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The machine's, below this directory: `/`, or that of an image.
    System { root: PathBuf },
    /// One user's, whose configurations are in this directory (`XDG_CONFIG_HOME`, `~/.config`).
    User { configs: PathBuf },
}

/// What goes into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// The same as in this file: the running program.
    CopyOf(PathBuf),
}

/// A file that a first installation starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starter {
    /// Its place below the configuration's directory.
    pub name: &'static str,
    pub text: String,
    /// Made from the program and not edited, such as the configuration's schema.
    pub made: bool,
}

/// A file of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub path: PathBuf,
    pub content: Content,
    pub mode: u32,
}

impl Scope {
    /// The unit's file.
    pub fn unit(&self) -> PathBuf {
        match self {
            Self::System { root } => root.join("etc/systemd/system/deliveryd.service"),
            Self::User { configs } => configs.join("systemd/user/deliveryd.service"),
        }
    }

    /// The unit of a distribution's package, which needs no other.
    pub fn packaged_unit(&self) -> Option<PathBuf> {
        let folder = match self {
            Self::System { .. } => "system",
            Self::User { .. } => "user",
        };
        let root = match self {
            Self::System { root } => root.as_path(),
            Self::User { .. } => Path::new("/"),
        };
        ["usr/lib/systemd", "lib/systemd"]
            .iter()
            .map(|lib| root.join(lib).join(folder).join("deliveryd.service"))
            .find(|unit| unit.exists())
    }

    /// The directory of the configuration.
    pub fn configuration(&self) -> PathBuf {
        match self {
            Self::System { root } => root.join("etc/deliveryd"),
            Self::User { configs } => configs.join("deliveryd"),
        }
    }

    /// The configuration that the service runs.
    pub fn config_file(&self) -> PathBuf {
        self.configuration().join(CONFIG)
    }

    /// What is the service's own, and replaced by a newer version: the unit last, so that it is there
    /// only when everything that it needs is.
    pub fn own(&self, program: &Path) -> Vec<Piece> {
        match self {
            Self::System { root } => {
                let mut pieces = Vec::new();
                let service = service_program(program);
                if service != program {
                    pieces.push(Piece {
                        path: below(root, &service),
                        content: Content::CopyOf(program.to_owned()),
                        mode: 0o755,
                    });
                }
                pieces.push(text(root.join("etc/sysusers.d/deliveryd.conf"), SYSUSERS));
                pieces.push(text(root.join("etc/tmpfiles.d/deliveryd.conf"), TMPFILES));
                pieces.push(text(self.unit(), &unit_for(UNIT, &service)));
                pieces
            }
            Self::User { .. } => vec![text(self.unit(), &unit_for(USER_UNIT, program))],
        }
    }

    /// The file for a starter.
    pub fn starter(&self, starter: &Starter) -> Piece {
        Piece {
            path: self.configuration().join(starter.name),
            content: Content::Text(starter.text.clone()),
            // It may come to hold secrets; tmpfiles.d lets the service's group read it.
            mode: if starter.name == CONFIG { 0o640 } else { 0o644 },
        }
    }

    /// The link by which the service is enabled.
    pub fn enabled(&self) -> PathBuf {
        let target = match self {
            Self::System { .. } => "multi-user.target.wants",
            Self::User { .. } => "default.target.wants",
        };
        let unit = self.unit();
        let units = unit.parent().unwrap_or(Path::new("/"));
        units.join(target).join("deliveryd.service")
    }

    /// Whether there is a user that the machine's service runs as.
    pub fn has_user(&self) -> bool {
        let Self::System { root } = self else {
            return false;
        };
        let users = std::fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
        users.lines().any(|line| line.starts_with("deliveryd:"))
    }

    /// What an uninstalled service leaves behind, where it is there.
    pub fn remains(&self) -> Vec<PathBuf> {
        let mut remains = vec![self.configuration()];
        if let Self::System { root } = self {
            let others = ["var/lib/deliveryd", "var/log/deliveryd"];
            remains.extend(others.map(|directory| root.join(directory)));
            remains.push(below(root, Path::new(COPIED)));
        }
        let mut drop_ins = self.unit().into_os_string();
        drop_ins.push(".d");
        remains.push(drop_ins.into());
        remains.retain(|path| path.symlink_metadata().is_ok());
        remains
    }
}

/// The program that the machine's service runs.
fn service_program(program: &Path) -> PathBuf {
    match program == Path::new(PACKAGED) || program == Path::new(COPIED) {
        true => program.to_owned(),
        false => PathBuf::from(COPIED),
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn text(path: PathBuf, text: &str) -> Piece {
    Piece {
        path,
        content: Content::Text(text.to_owned()),
        mode: 0o644,
    }
}

/// The unit with the program's place.
fn unit_for(unit: &str, program: &Path) -> String {
    if program == Path::new(PACKAGED) {
        return unit.to_owned();
    }
    unit.replace(PACKAGED, &quoted(&program.to_string_lossy()))
}

/// A word of a command line in a unit (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Specifiers and variables.
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a unit that say how the daemon is run, told and restarted.
    fn running(unit: &str) -> Vec<String> {
        let kept = ["Type=", "Exec", "Timeout", "Watchdog", "Restart", "Start"];
        let lines = unit.lines();
        let lines = lines.filter(|line| kept.iter().any(|key| line.starts_with(key)));
        lines.map(|line| line.replace("%E/", "/etc/")).collect()
    }

    /// A user's service is run, watched and restarted as the machine's is.
    #[test]
    fn both_units_run_the_daemon_alike() {
        assert_eq!(running(USER_UNIT), running(UNIT));
        assert!(running(UNIT).len() > 10);
    }

    /// A unit calls the program where it is, whatever its path has in it, and the same one each time.
    #[test]
    fn program_may_be_anywhere() {
        let fitted = unit_for(USER_UNIT, Path::new("/home/me/my tools/100% $x/deliveryd"));
        let line = "ExecStart=\"/home/me/my tools/100%% $$x/deliveryd\" --config ";
        assert!(fitted.contains(line), "{fitted}");
        assert_eq!(fitted.matches("100%% $$x").count(), 3);
        assert!(!fitted.contains(PACKAGED));
        assert_eq!(unit_for(UNIT, Path::new(PACKAGED)), UNIT);
    }

    /// The machine's service never runs a program out of a home directory, which it can not see.
    #[test]
    fn program_is_copied_out_of_a_home_directory() {
        let scope = Scope::System {
            root: PathBuf::from("/image"),
        };
        let program = Path::new("/home/me/target/release/deliveryd");
        let pieces = scope.own(program);
        assert_eq!(pieces[0].path, Path::new("/image/usr/local/bin/deliveryd"));
        assert_eq!(pieces[0].content, Content::CopyOf(program.to_owned()));
        let in_place = scope.own(Path::new("/usr/bin/deliveryd"));
        assert_eq!(in_place.len(), pieces.len() - 1);
        assert_eq!(
            in_place.last().map(|unit| unit.content.clone()),
            Some(Content::Text(UNIT.to_owned()))
        );
    }
}
