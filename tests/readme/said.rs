//! Comparing quoted output: with what a run printed, and with the texts in the source.

use std::fs;
use std::path::Path;

use crate::support::run_dir::repository;

/// A printed line without what differs from run to run: numbers, times, versions, values, widths.
pub fn shape(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    // Where standard error is no terminal, the time leads each line.
    if words
        .first()
        .is_some_and(|word| word.len() == 24 && word.ends_with('Z'))
    {
        words.remove(0);
    }
    let mut shape = String::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |before| words[before]);
        match *word {
            // The value of a message.
            value if value.starts_with("{\"") => return shape + "{…",
            _ if before == "version" => shape.push('#'),
            "ms" if before.starts_with(|c: char| c.is_ascii_digit()) => shape.push('s'),
            word => shape.push_str(&without_numbers(word)),
        }
        shape.push(' ');
    }
    shape.trim_end().to_owned()
}

/// `#` for each number, decimal places and the dots of addresses included.
fn without_numbers(word: &str) -> String {
    let mut text = String::new();
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        let between = letter == '.'
            && text.ends_with('#')
            && letters.peek().is_some_and(char::is_ascii_digit);
        match letter.is_ascii_digit() || between {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(letter),
        }
    }
    text
}

/// The texts of the source as their fixed pieces: those between the placeholders of a literal.
pub struct Texts(Vec<Vec<String>>);

impl Texts {
    /// Of every file below `src`.
    pub fn of_source() -> Texts {
        let mut texts = Vec::new();
        collect(&repository().join("src"), &mut texts);
        Texts(texts)
    }

    /// The words of `line` that no text of the source accounts for, apart from names and numbers.
    ///
    /// A text accounts for its fixed pieces, if all of them stand in the line in their order.
    pub fn strange_words(&self, line: &str) -> Vec<String> {
        let mut covered = vec![false; line.len()];
        for pieces in &self.0 {
            let Some(places) = places(line, pieces) else {
                continue;
            };
            for (start, length) in places {
                covered[start..start + length].fill(true);
            }
        }
        let mut strange = Vec::new();
        let mut at = 0;
        for word in line.split(' ') {
            let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
            let name = letters.contains(|c: char| c.is_ascii_digit() || "./".contains(c))
                || letters.starts_with(|c: char| c.is_ascii_uppercase())
                || letters.chars().count() < 2;
            if !name && !covered[at..at + word.len()].iter().any(|covered| *covered) {
                strange.push(word.to_owned());
            }
            at += word.len() + 1;
        }
        strange
    }
}

fn places(line: &str, pieces: &[String]) -> Option<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    let mut from = 0;
    for piece in pieces {
        let at = from + line[from..].find(piece.as_str())?;
        found.push((at, piece.len()));
        from = at + piece.len();
    }
    Some(found)
}

fn collect(folder: &Path, texts: &mut Vec<Vec<String>>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // What the tests of a file quote is not what the program prints.
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            texts.extend(literals(source));
        }
    }
}

/// The string literals of a source as pieces, without those that say too little to be recognised.
fn literals(source: &str) -> Vec<Vec<String>> {
    const LEAST: usize = 8;
    let mut found = Vec::new();
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' if letters.next_if_eq(&'"').is_some() => {}
            '/' if letters.peek() == Some(&'/') => {
                letters.by_ref().find(|letter| *letter == '\n');
            }
            '"' => {
                let mut text = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    match (letter, letter == '\\') {
                        (_, true) => match letters.next() {
                            // A line that goes on: its indentation is not part of the text.
                            Some('\n') => while letters.next_if(|c| c.is_whitespace()).is_some() {},
                            Some('n') => text.push('\n'),
                            Some(escaped) => text.push(escaped),
                            None => {}
                        },
                        (letter, false) => text.push(letter),
                    }
                }
                let pieces = pieces(&text);
                if pieces.iter().map(String::len).sum::<usize>() >= LEAST {
                    found.push(pieces);
                }
            }
            _ => {}
        }
    }
    found
}

/// What stands around `{placeholders}`.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => {
                piece.push(letter);
                continue;
            }
            _ => continue,
        }
        if !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
