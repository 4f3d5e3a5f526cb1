//! Which values are secret, and where a secret is fetched from.
//!
//! A property is secret because it comes from `{ env = … }`, `{ file = … }` or `{ credential = … }`,
//! or because of its name. What is secret is never printed.

use std::ops::Range;
use std::path::Path;

use crate::diagnostic::shown_path;

/// What is shown instead of a secret.
pub const MASK: &str = "********";

/// Where a secret may come from: the keys of the tables that say so.
pub const SOURCES: [&str; 3] = ["env", "file", "credential"];

/// What the name of a librdkafka property has in it if its value is a secret.
const TELLING: [&str; 6] = [
    "password",
    "passphrase",
    "secret",
    "key.pem",
    "private.key",
    "oauthbearer.config",
];

/// Whether a librdkafka property of this name holds a secret, such as `sasl.password`.
pub fn secret_property(name: &str) -> bool {
    TELLING
        .iter()
        .any(|part| name.to_lowercase().contains(part))
}

/// Whether this path of keys leads to a plainly written secret, its name quoted or not.
pub fn secret_by_nature(path: &[String]) -> bool {
    let Some(table) = path.iter().position(|key| key == "properties") else {
        return false;
    };
    match &path[table + 1..] {
        [_, .., source] if SOURCES.contains(&source.as_str()) => false,
        name => secret_property(&name.join(".")),
    }
}

/// The parts of a text that is not TOML which may hold a secret: what stands behind the `=` of a
/// telling name, and the lines after it as far as they may belong to the same value.
pub fn suspects(text: &str) -> Vec<Range<usize>> {
    let mut suspects: Vec<Range<usize>> = Vec::new();
    let mut hiding = false;
    // The quotes of a text over several lines, until they come again.
    let mut open: Option<&str> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let value = secret_part(line);
        if let Some(quotes) = open {
            suspects.push(start..end);
            open = open.filter(|_| !line.contains(quotes));
        } else if let Some(value) = value {
            suspects.push(start + value..end);
            hiding = true;
            let odd = |quotes: &&str| line.matches(*quotes).count() % 2 == 1;
            open = ["\"\"\"", "'''"].into_iter().find(odd);
        } else if hiding && !begins_anew(line) {
            suspects.push(start..end);
        } else {
            hiding = false;
        }
        start += line.len();
    }
    suspects.retain(|range| range.start < range.end);
    suspects
}

/// Where in a line the value of a telling name may begin.
fn secret_part(line: &str) -> Option<usize> {
    let lower = line.to_lowercase();
    // A letter whose lower case has another length would shift what is found.
    let name = TELLING.iter().filter_map(|part| lower.find(part)).min()?;
    let name = if lower.len() == line.len() { name } else { 0 };
    let behind = line[name..]
        .find('=')
        .map_or(name, |equals| name + equals + 1);
    let blank = line[behind..].len() - line[behind..].trim_start().len();
    Some(behind + blank)
}

/// Whether a line begins with `name = …` or `[table]`.
fn begins_anew(line: &str) -> bool {
    let line = line.trim();
    let pair = line.split_once('=');
    // Base64 ends in `=`.
    let valued = |rest: &str| !rest.is_empty() && !rest.starts_with('=');
    line.starts_with('[') || pair.is_some_and(|(name, rest)| is_key(name) && valued(rest))
}

fn is_key(name: &str) -> bool {
    let bare = |c: char| c.is_ascii_alphanumeric() || "._-\"'".contains(c);
    let name = name.trim();
    !name.is_empty() && name.chars().all(bare)
}

/// A secret from the environment variable `name`.
///
/// # Errors
/// Why there is none, without its value.
pub fn from_variable(name: &str, value: Option<&String>) -> Result<String, String> {
    match value {
        None => Err(format!("the environment variable `{name}` is not set")),
        Some(value) if value.is_empty() => {
            Err(format!("the environment variable `{name}` is empty"))
        }
        Some(value) => Ok(trimmed(value.clone())),
    }
}

/// A secret from a file, without the newline at its end that editors and `echo` leave.
///
/// # Errors
/// Why there is none, without its value.
pub fn from_file(path: &Path) -> Result<String, String> {
    let shown = shown_path(path);
    match std::fs::read(path) {
        Err(error) => Err(format!("{shown} can't be read: {}", without_number(&error))),
        Ok(bytes) => match String::from_utf8(bytes).map(trimmed) {
            Err(_) => Err(format!("{shown} is not UTF-8 text")),
            Ok(secret) if secret.is_empty() => Err(format!("{shown} is empty")),
            Ok(secret) => Ok(secret),
        },
    }
}

/// A secret that systemd hands to the service under this name (`LoadCredential=`, systemd.exec(5));
/// `directory` is the `CREDENTIALS_DIRECTORY` of the environment.
///
/// # Errors
/// Why there is none, without its value.
pub fn from_credential(name: &str, directory: Option<&String>) -> Result<String, String> {
    // The name of a file in that directory, and of none elsewhere.
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(format!("`{name}` is not the name of a credential"));
    }
    match directory {
        Some(directory) => from_file(&Path::new(directory).join(name)),
        None => Err(format!(
            "systemd hands credentials to the service only: LoadCredential={name}:PATH in its unit"
        )),
    }
}

/// An operating system's error without the `(os error 2)` that says nothing to most readers.
pub fn without_number(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

fn trimmed(mut secret: String) -> String {
    if secret.ends_with('\n') {
        secret.pop();
        if secret.ends_with('\r') {
            secret.pop();
        }
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secrets that librdkafka has are known by name, and its other properties are not hidden.
    #[test]
    fn secrets_are_known_by_name() {
        for secret in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.assertion.private.key.passphrase",
        ] {
            assert!(secret_property(secret), "{secret}");
        }
        for open in [
            "sasl.username",
            "ssl.ca.location",
            "ssl.key.location",
            "client.id",
        ] {
            assert!(!secret_property(open), "{open}");
        }
    }

    /// A credential is a file of its name in systemd's directory, and nothing elsewhere.
    #[test]
    fn credential_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        let inner = folder.path().join("inner").display().to_string();
        let folder = folder.path().display().to_string();
        let found = from_credential("password", Some(&folder));
        assert_eq!(found.unwrap(), "hunter2");
        for outside in ["../password", "..", "", "/etc/hostname"] {
            let refused = from_credential(outside, Some(&inner)).unwrap_err();
            assert!(
                refused.contains("not the name of a credential"),
                "{refused}"
            );
        }
        let missing = from_credential("passwort", Some(&folder)).unwrap_err();
        assert!(missing.contains("no such file"), "{missing}");
        let by_hand = from_credential("password", None).unwrap_err();
        assert!(by_hand.contains("LoadCredential=password:"), "{by_hand}");
    }

    /// One newline at the end of a secret is an editor's, not the secret's.
    #[test]
    fn trailing_newline_is_no_part_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (content, secret) in [
            ("a b\n", "a b"),
            ("a\r\n", "a"),
            ("a", "a"),
            ("a\n\n", "a\n"),
        ] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(from_file(&file).unwrap(), secret);
        }
        std::fs::write(&file, "\n").unwrap();
        assert!(from_file(&file).unwrap_err().contains("empty"));
        assert!(
            from_file(&folder.path().join("none"))
                .unwrap_err()
                .contains("no such file")
        );
    }
}
