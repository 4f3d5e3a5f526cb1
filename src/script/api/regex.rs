//! Regular expressions: compiled once, kept while they are in use, and paid for before they run.
//!
//! Nothing can interrupt a search. A pattern's size times the text's length bounds its work, so both
//! together must fit what one call may do, before the search begins.

use std::cell::RefCell;
use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};
use regex_automata::util::interpolate;
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::Fallible;
use super::catalog::{Api, Section};
use super::size::{Sizes, pay, round};
use crate::config::Limits;
use crate::script::meter;
use crate::script::told::mistake;

/// A longer pattern is a mistake, or meant to do harm.
const LONGEST_PATTERN: usize = 4096;
/// The sizes, in bytes, that a compiled pattern is tried with; the last is the largest allowed.
const PROGRAM_SIZES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// What the lazily built automaton of one pattern may hold, in bytes.
const AUTOMATON_SIZE: usize = 256 << 10;
/// Patterns of one handler that are kept, and bytes of compiled program that they may have together.
const MOST_KEPT: usize = 64;
const MOST_KEPT_BYTES: usize = 1 << 20;
/// Bytes of text times bytes of program that are searched at about the price of one operation.
const WORK_PER_OPERATION: usize = 8192;
/// Bytes of program that are compiled at the price of one operation.
const COMPILED_PER_OPERATION: usize = 64;

/// A pattern, and how large it may be.
struct Compiled {
    pattern: ImmutableString,
    size: usize,
    regex: Rc<Regex>,
}

/// The patterns of one engine, the last used first.
struct Patterns {
    kept: RefCell<Vec<Compiled>>,
    operations: u64,
}

impl Patterns {
    /// The pattern compiled, if searching `text` with it fits the limits; that is then paid for.
    fn get(&self, pattern: &ImmutableString, text: &str) -> Fallible<Rc<Regex>> {
        let mut kept = self.kept.borrow_mut();
        let known = kept.iter().position(|known| known.pattern == *pattern);
        match known {
            Some(0) => {}
            Some(at) => kept[..=at].rotate_right(1),
            None => {
                let compiled = compile(pattern)?;
                kept.insert(0, compiled);
                forget(&mut kept);
            }
        }
        let first = &kept[0];
        let work = text.len().saturating_mul(first.size) / WORK_PER_OPERATION;
        if work as u64 > self.operations {
            return Err(mistake(
                format!(
                    "searching {} bytes with this pattern takes more work than limits.operations allows",
                    text.len()
                ),
                "too much work",
                ["a shorter text or a pattern with fewer repeats takes less".into()],
            ));
        }
        meter::charge(work);
        Ok(Rc::clone(&first.regex))
    }
}

fn forget(kept: &mut Vec<Compiled>) {
    kept.truncate(MOST_KEPT);
    let mut sum = 0;
    let fits = kept.iter().take_while(|compiled| {
        sum += compiled.size;
        sum <= MOST_KEPT_BYTES
    });
    let fits = fits.count();
    kept.truncate(fits);
}

/// The beginning of a long pattern, so that what is wrong with it is still read.
fn shown(pattern: &str) -> String {
    const SHOWN: usize = 80;
    match pattern.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &pattern[..end]),
        None => pattern.to_owned(),
    }
}

fn compile(pattern: &ImmutableString) -> Fallible<Compiled> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(mistake(
            format!("the pattern is longer than {LONGEST_PATTERN} bytes"),
            "too long",
            ["search for its parts one after the other".into()],
        ));
    }
    for size in PROGRAM_SIZES {
        meter::charge(size / COMPILED_PER_OPERATION);
        let built = RegexBuilder::new(pattern)
            .size_limit(size)
            .dfa_size_limit(AUTOMATON_SIZE)
            .nest_limit(64)
            .build();
        match built {
            Ok(regex) => {
                return Ok(Compiled {
                    pattern: pattern.clone(),
                    size,
                    regex: Rc::new(regex),
                });
            }
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => {
                // The library's text has several lines; the last one says what is wrong.
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default();
                let why = why.strip_prefix("error: ").unwrap_or(why);
                return Err(mistake(
                    format!("`{}` is no pattern: {why}", shown(pattern)),
                    "this pattern",
                    ["a letter that has a meaning is taken as itself after a backslash: `#\"[0-9]+\\.[0-9]+\"#`".into()],
                ));
            }
        }
    }
    Err(mistake(
        "the pattern is too large when compiled",
        "this pattern",
        ["repeat less, or use [0-9] and [a-z] instead of \\d and \\w".into()],
    ))
}

pub(crate) fn register(api: &mut Api<'_>, limits: &Limits) {
    let patterns = Rc::new(Patterns {
        kept: RefCell::default(),
        operations: limits.operations,
    });
    let sizes = Sizes::of(limits);
    finding(api, &patterns, sizes);
    taking_apart(api, &patterns, sizes);
    replacing(api, &patterns, sizes);
}

fn finding(api: &mut Api<'_>, patterns: &Rc<Patterns>, sizes: Sizes) {
    let owned = Rc::clone(patterns);
    api.describe(
        Section::Regex,
        "regex_is_match",
        "Whether a regular expression matches somewhere in a text. The syntax is that of Rust's \
         `regex`; between `#\"` and `\"#` a backslash needs no second one.",
        "msg.key.regex_is_match(\"^d-[0-9]+$\")    // → true",
    )
    .form(
        "regex_is_match(text: string, pattern: string) -> bool",
        move |text: &str, pattern: ImmutableString| -> Fallible<bool> {
            Ok(owned.get(&pattern, text)?.is_match(text))
        },
    )
    .done();
    let owned = Rc::clone(patterns);
    api.describe(
        Section::Regex,
        "regex_find",
        "The first match in a text; `()` where there is none.",
        "\"order 17, line 4\".regex_find(#\"\\d+\"#)    // → \"17\"",
    )
    .form(
        "regex_find(text: string, pattern: string) -> string",
        move |text: &str, pattern: ImmutableString| -> Fallible<Dynamic> {
            let regex = owned.get(&pattern, text)?;
            let found = regex.find(text);
            Ok(found.map_or(Dynamic::UNIT, |found| found.as_str().into()))
        },
    )
    .done();
    let owned = Rc::clone(patterns);
    api.describe(
        Section::Regex,
        "regex_find_all",
        "All matches in a text, one after the other.",
        "\"order 17, line 4\".regex_find_all(#\"\\d+\"#)    // → [\"17\", \"4\"]",
    )
    .form(
        "regex_find_all(text: string, pattern: string) -> array",
        move |text: &str, pattern: ImmutableString| -> Fallible<Array> {
            let regex = owned.get(&pattern, text)?;
            let mut all = Array::new();
            for found in regex.find_iter(text) {
                round()?;
                sizes.array(all.len() + 1)?;
                all.push(found.as_str().into());
            }
            Ok(all)
        },
    )
    .done();
}

fn taking_apart(api: &mut Api<'_>, patterns: &Rc<Patterns>, sizes: Sizes) {
    let owned = Rc::clone(patterns);
    api.describe(
        Section::Regex,
        "regex_captures",
        "The groups of the first match as a map: by name, and by number where a group has no name; \
         `\"0\"` is the whole match. A group that took no part is `()`. `()` where nothing matches.",
        "let c = \"2026-11\".regex_captures(#\"(?<year>\\d+)-(\\d+)\"#);\n\
         c.year      // → \"2026\"\n\
         c[\"2\"]      // → \"11\"",
    )
    .form(
        "regex_captures(text: string, pattern: string) -> map",
        move |text: &str, pattern: ImmutableString| -> Fallible<Dynamic> {
            let regex = owned.get(&pattern, text)?;
            let Some(found) = regex.captures(text) else {
                return Ok(Dynamic::UNIT);
            };
            sizes.map(found.len())?;
            groups(&regex, &found, sizes).map(Dynamic::from_map)
        },
    )
    .done();
}

fn groups(regex: &Regex, found: &Captures<'_>, sizes: Sizes) -> Fallible<Map> {
    let mut groups = Map::new();
    for (number, (name, group)) in regex.capture_names().zip(found.iter()).enumerate() {
        let group = group.map(|group| group.as_str());
        // Nested groups repeat their text, so together they may be much longer than it.
        sizes.string(group.map_or(0, str::len))?;
        let group = group.map_or(Dynamic::UNIT, Into::into);
        match name {
            Some(name) => groups.insert(name.into(), group),
            None => groups.insert(number.to_string().into(), group),
        };
    }
    Ok(groups)
}

fn replacing(api: &mut Api<'_>, patterns: &Rc<Patterns>, sizes: Sizes) {
    let owned = Rc::clone(patterns);
    api.describe(
        Section::Regex,
        "regex_replace_all",
        "A new text in which every match is replaced. In the replacement `$1` and `${name}` are \
         groups, `$$` is a dollar sign. The text itself stays as it is.",
        "\"Doe, Jane\".regex_replace_all(#\"(\\w+), (\\w+)\"#, \"$2 $1\")    // → \"Jane Doe\"\n\
         \"4111 1111\".regex_replace_all(\"[0-9]\", \"*\")                // → \"**** ****\"",
    )
    .form(
        "regex_replace_all(text: string, pattern: string, by: string) -> string",
        move |text: &str, pattern: ImmutableString, by: &str| -> Fallible<String> {
            let regex = owned.get(&pattern, text)?;
            replace_all(text, &regex, by, sizes)
        },
    )
    .done();
}

/// As [`Regex::replace_all`] does it, but never longer than a string may be.
fn replace_all(text: &str, regex: &Regex, by: &str, sizes: Sizes) -> Fallible<String> {
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        round()?;
        pay(by.len());
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        let mut too_long = Ok(());
        interpolate::string(
            by,
            |group, out| {
                let group = found.get(group).map_or("", |group| group.as_str());
                if too_long.is_ok() {
                    too_long = sizes.string(out.len() + group.len());
                }
                if too_long.is_ok() {
                    out.push_str(group);
                }
            },
            |name| number_of(regex, name),
            &mut out,
        );
        too_long?;
        sizes.string(out.len())?;
    }
    sizes.string(out.len() + text.len() - end)?;
    out.push_str(&text[end..]);
    Ok(out)
}

fn number_of(regex: &Regex, name: &str) -> Option<usize> {
    let mut names = regex.capture_names();
    names.position(|known| known == Some(name))
}
