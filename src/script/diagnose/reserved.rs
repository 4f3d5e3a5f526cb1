//! Words and symbols that Rhai keeps for itself, and what to write instead.

use super::chain_before;
use super::compile::{Said, disabled_eval};
use super::spot::Spot;

/// Words that Rhai keeps for itself, and what to write instead.
const RESERVED: &[(&str, &str)] = &[
    ("null", "a missing value is `()`"),
    ("nil", "a missing value is `()`"),
    ("void", "a missing value is `()`"),
    ("var", "a variable is declared with `let`"),
    (
        "static",
        "a constant is declared with `const`, at the top of the file",
    ),
    (
        "match",
        "it is called `switch`: `switch x { 1 => …, \"a\" | \"b\" => …, _ => … }`",
    ),
    (
        "case",
        "a `switch` has no `case`: `switch x { \"a\" => …, _ => … }`",
    ),
    (
        "async",
        "leave it out: a handler's calls wait by themselves",
    ),
    (
        "await",
        "leave it out: a handler's calls wait by themselves",
    ),
    (
        "public",
        "leave it out: functions are public unless they are `private`",
    ),
    (
        "protected",
        "leave it out: functions are public unless they are `private`",
    ),
    (
        "use",
        "a module is imported with: import \"lib/money\" as money;",
    ),
    (
        "module",
        "a module is a file: import \"lib/money\" as money;",
    ),
    (
        "package",
        "a module is a file: import \"lib/money\" as money;",
    ),
    ("is", "types are compared with `type_of(x) == \"string\"`"),
    (
        "new",
        "a map is made with `#{}`, an array with `[]`; for an error, `throw \"…\"`",
    ),
    (
        "yield",
        "a handler returns once; `emit` sends as many messages as it likes",
    ),
    (
        "thread",
        "handlers run side by side by `members` in the config",
    ),
    (
        "spawn",
        "handlers run side by side by `members` in the config",
    ),
    ("go", "handlers run side by side by `members` in the config"),
    (
        "sync",
        "no locks are needed: each member has its own engine",
    ),
    ("goto", "use `loop`, `break` and `continue`"),
];

/// A word that is reserved.
pub(super) fn reserved(spot: &Spot<'_>, word: &str) -> Said {
    if word == "eval" {
        return disabled_eval();
    }
    if let Some(said) = symbol(word) {
        return said;
    }
    let digit = word.starts_with(|first: char| first.is_ascii_digit());
    if spot.after_dot && digit && word.contains(char::is_alphabetic) {
        let chain = chain_before(spot.line_text, spot.column.saturating_sub(2));
        return Said::new(
            "a field's name after a dot does not begin with a digit",
            "not expected here",
            format!("write `{chain}[\"{word}\"]`"),
        );
    }
    if spot.after_dot && digit {
        return Said::new(
            "a number has only one dot",
            "not expected here",
            "write `1.25`; a version or an address is a text: \"1.2.3\"",
        );
    }
    if spot.after_dot {
        let chain = chain_before(spot.line_text, spot.column.saturating_sub(2));
        return Said::new(
            format!("`{word}` is a word of the language and can't follow a dot"),
            "reserved word",
            format!("write `{chain}[\"{word}\"]`"),
        );
    }
    let after = spot.rest()[word.len().min(spot.rest().len())..].trim_start();
    let message = format!("`{word}` is a word of the language");
    if after.starts_with(':') && !after.starts_with("::") && spot.line_text.contains("#{") {
        return Said::new(
            message,
            "reserved word",
            format!("write it in quotes: `\"{word}\":`"),
        );
    }
    if word == "default" && after.starts_with("=>") {
        return Said::new(
            message,
            "reserved word",
            "a switch's last branch is written `_ => …`",
        );
    }
    if after.starts_with(':') {
        let hint = match word {
            "default" => "a switch's last branch is written `_ => …`".to_owned(),
            _ => format!("as a field of a map it stands in quotes: `\"{word}\":`"),
        };
        return Said::new(message, "reserved word", hint);
    }
    let is_name = matches!(&*spot.previous, "let" | "const" | "fn" | "for")
        || spot.previous == "as"
        || after.starts_with('=') && !after.starts_with("==");
    let instead = RESERVED.iter().find(|(known, _)| *known == word);
    match instead.filter(|_| !is_name) {
        Some((_, instead)) => Said::new(
            format!("`{word}` is not used here"),
            "reserved word",
            *instead,
        ),
        None => Said::new(message, "reserved word", "choose another name"),
    }
}

/// Operators of other languages, and what to write instead.
const SYMBOLS: &[(&str, &str)] = &[
    ("===", "write `==`, which compares type and value"),
    ("!==", "write `!=`, which compares type and value"),
    ("++", "write `n += 1`"),
    ("--", "write `n -= 1`"),
    (
        "?",
        "a choice is `if … { a } else { b }`, which has a value: `let x = if … { a } else { b };`",
    ),
    ("#", "a comment begins with `//`; a map is written `#{…}`"),
    ("#!", "a comment begins with `//`"),
    (":=", "write `let x = …`"),
    (
        "->",
        "a function does not say what it returns: `fn f(x) { … }`",
    ),
    ("<-", "write `x = …`"),
    ("::<", "functions take no types"),
    ("...", "a range is written `0..10` or `0..=10`"),
    ("@", "names are made of letters, digits and `_`"),
    (
        "$",
        "names are made of letters, digits and `_`; `${…}` works in backticks",
    ),
    (
        "~",
        "leave it out; bits are turned with `!` only for booleans",
    ),
    (
        "|>",
        "call functions one in the other, or methods: `x.f().g()`",
    ),
    (
        "<|",
        "call functions one in the other, or methods: `x.f().g()`",
    ),
    ("?.", "write `a?.b` without a space"),
];

/// A symbol that is no operator here.
pub(super) fn symbol(symbol: &str) -> Option<Said> {
    let (_, instead) = SYMBOLS.iter().find(|(known, _)| *known == symbol)?;
    Some(Said::new(
        format!("`{symbol}` is no operator here"),
        "not known",
        *instead,
    ))
}
