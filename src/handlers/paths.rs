//! The way to a file: each directory and symbolic link that is passed until it is reached.
//!
//! A kernel watch hangs on a directory itself, not on its name. To see a link or a directory
//! replaced anywhere on the way, the directory that holds its name has to be watched.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// What is passed on the way to some files. All paths are real: no part of them is a link, except
/// that the last part of a name may be one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ways {
    /// The entries passed: a change to one of them may lead elsewhere.
    pub names: BTreeSet<PathBuf>,
    /// The directories that hold those entries.
    pub dirs: BTreeSet<PathBuf>,
    /// Those of the directories that hold a file or a link; the others are only their ancestors.
    pub needed: BTreeSet<PathBuf>,
}

impl Ways {
    /// Adds the way to `path`, as far as it exists.
    pub fn add(&mut self, path: &Path) {
        let mut here = PathBuf::new();
        let mut ahead: VecDeque<Part> = parts(path).collect();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            let name = match part {
                Part::Root => {
                    here = PathBuf::from("/");
                    continue;
                }
                Part::Up => {
                    here.pop();
                    continue;
                }
                Part::Name(name) => here.join(name),
            };
            self.names.insert(name.clone());
            self.dirs.insert(here.clone());
            let Ok(metadata) = fs::symlink_metadata(&name) else {
                // What is missing may come back in the last directory that is there.
                self.needed.insert(here);
                return;
            };
            if metadata.is_symlink() {
                self.needed.insert(here.clone());
                links += 1;
                let Ok(target) = fs::read_link(&name) else {
                    return;
                };
                if links > MOST_LINKS {
                    return;
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    ahead.push_front(part);
                }
            } else {
                if ahead.is_empty() {
                    self.needed.insert(here);
                }
                here = name;
            }
        }
    }

    /// Adds the directories below `dir`, for files that are not known yet: at most `most`, hidden
    /// ones left out, links not followed.
    pub fn add_below(&mut self, dir: &Path, most: usize) {
        let Ok(dir) = fs::canonicalize(dir) else {
            return;
        };
        let mut ahead = VecDeque::from([dir]);
        let mut found = 0;
        while let Some(dir) = ahead.pop_front() {
            if found == most {
                return;
            }
            found += 1;
            if let Ok(entries) = fs::read_dir(&dir) {
                ahead.extend(
                    entries
                        .flatten()
                        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
                        .map(|entry| entry.path()),
                );
            }
            self.dirs.insert(dir.clone());
            self.needed.insert(dir);
        }
    }
}

enum Part {
    Root,
    Up,
    Name(OsString),
}

fn parts(path: &Path) -> impl Iterator<Item = Part> {
    path.components().filter_map(|component| match component {
        Component::Prefix(_) | Component::CurDir => None,
        Component::RootDir => Some(Part::Root),
        Component::ParentDir => Some(Part::Up),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn real(dir: &tempfile::TempDir) -> PathBuf {
        fs::canonicalize(dir.path()).expect("a temporary directory is there")
    }

    /// A link on the way counts with the directory that holds it and the one it leads to.
    #[test]
    fn links_are_followed_and_remembered() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = real(&temp);
        fs::create_dir(dir.join("v1")).expect("a directory");
        fs::write(dir.join("v1/a.rhai"), "").expect("a file");
        symlink("v1", dir.join("current")).expect("a link");

        let mut ways = Ways::default();
        ways.add(&dir.join("current/a.rhai"));

        assert!(ways.names.contains(&dir.join("current")));
        assert!(ways.names.contains(&dir.join("v1/a.rhai")));
        assert_eq!(ways.needed, BTreeSet::from([dir.clone(), dir.join("v1")]));
        assert!(ways.dirs.contains(dir.parent().expect("a parent")));
    }

    /// A missing directory is waited for in the last one that is there.
    #[test]
    fn what_is_missing_is_awaited_where_it_will_come() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = real(&temp);
        let mut ways = Ways::default();
        ways.add(&dir.join("handlers/deep/a.rhai"));
        assert_eq!(ways.needed, BTreeSet::from([dir.clone()]));
        assert!(ways.names.contains(&dir.join("handlers")));
    }

    /// Links in a circle end.
    #[test]
    fn a_circle_of_links_ends() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = real(&temp);
        symlink("b", dir.join("a")).expect("a link");
        symlink("a", dir.join("b")).expect("a link");
        let mut ways = Ways::default();
        ways.add(&dir.join("a"));
        assert_eq!(ways.needed, BTreeSet::from([dir]));
    }

    /// A tree of any size costs no more than the number of directories allowed.
    #[test]
    fn the_tree_below_is_bounded() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = real(&temp);
        for n in 0..9 {
            fs::create_dir_all(dir.join(format!("{n}/lib"))).expect("directories");
        }
        fs::create_dir(dir.join(".git")).expect("a directory");
        let mut ways = Ways::default();
        ways.add_below(&dir, 5);
        assert_eq!(ways.dirs.len(), 5);
        let mut all = Ways::default();
        all.add_below(&dir, 1000);
        assert_eq!(all.dirs.len(), 19);
    }
}
