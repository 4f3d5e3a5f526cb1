//! Paths as people are shown them.

use std::path::{Component, Path, PathBuf};

/// A path as it is shown to people: without `..` where that names the same file, and relative to
/// the working directory where that is shorter.
pub fn shown_path(path: &Path) -> String {
    let path = tidy(path);
    let relative = std::env::current_dir()
        .ok()
        .and_then(|here| relative_to(&path, &here));
    let whole = path.display().to_string();
    match relative {
        Some(relative) if relative.len() < whole.len() && !relative.is_empty() => relative,
        _ => whole,
    }
}

/// Takes `.` and `..` out of a path, but only where the result names the same file: behind a
/// symbolic link, `..` is not the folder that was written before it.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(tidied.components().next_back(), Some(Component::Normal(_))) =>
            {
                tidied.pop();
            }
            other => tidied.push(other),
        }
    }
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    if folder(path) == folder(&tidied) {
        tidied
    } else {
        path.to_owned()
    }
}

fn relative_to(path: &Path, base: &Path) -> Option<String> {
    let mut up = 0;
    let mut base = base;
    loop {
        if let Ok(rest) = path.strip_prefix(base) {
            return Some(format!("{}{}", "../".repeat(up), rest.display()));
        }
        base = base.parent()?;
        up += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths are shown from the working directory where that is shorter.
    #[test]
    fn paths_are_shown_from_here() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(shown_path(&here.join("src/lib.rs")), "src/lib.rs");
        assert_eq!(shown_path(&here.join("src/../src/lib.rs")), "src/lib.rs");
        assert_eq!(shown_path(Path::new("/etc/x")), "/etc/x");
    }

    /// `..` after a symbolic link stays: it leads elsewhere than the text suggests.
    #[test]
    fn parent_of_a_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("real/inner")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("real/inner"), folder.path().join("link"))
            .unwrap();
        let through = folder.path().join("link/../a.rhai");
        assert_eq!(tidy(&through), through);
    }
}
