//! What people of other languages write, and how it is written here.

use rhai::ParseErrorType;

use super::compile::{Said, plain};
use super::reserved::{reserved, symbol};
use super::rest;
use super::spot::Spot;

/// What a missing token means where the words around it are another language's.
pub(super) fn foreign(spot: &Spot<'_>, token: &str, what: &str) -> Option<Said> {
    let found = spot.found().unwrap_or_default();
    by_word(spot, token, what)
        .or_else(|| before_it(spot, token, found).map(|said| spot.at_previous(said)))
        .or_else(|| by_symbol(spot, token, what, found))
}

/// Where the word that Rhai stopped at says it.
fn by_word(spot: &Spot<'_>, token: &str, what: &str) -> Option<Said> {
    let said = match (token, spot.word.as_str()) {
        (_, "and") => operator("and", "&&"),
        (_, "or") => operator("or", "||"),
        (";", "if") if spot.before.0 == spot.line => Said::new(
            "an `if` begins with its condition",
            "not expected here",
            "a choice is written `let x = if … { a } else { b };`",
        ),
        (";", "from") if spot.line_text.trim_start().starts_with("import") => Said::new(
            "an import names its file first",
            "not known",
            "write: import \"lib/money\" as money; and call `money::total(…)`",
        ),
        ("{", "then") => Said::new(
            "an `if` has no `then` here",
            "not known",
            "write `if … { … }`",
        ),
        (",", "of") if what.contains("iteration") => Said::new(
            "a loop over a list is written with `in`",
            "`in` expected",
            "write `for item in list { … }`, without brackets",
        ),
        ("in", _) => Said::new(
            "a loop needs `in` between its variable and the list",
            "`in` expected",
            "write `for item in list { … }`",
        ),
        _ => return None,
    };
    Some(said)
}

/// Where the word before says it; that is marked.
fn before_it(spot: &Spot<'_>, token: &str, found: &str) -> Option<Said> {
    let (previous, word) = (spot.previous.as_str(), spot.word.as_str());
    let (message, hint) = match (token, previous) {
        (";", "function" | "func" | "def" | "fun" | "sub" | "proc") => (
            format!("a function does not begin with `{previous}` here"),
            format!("write `fn {word}(…) {{ … }}`"),
        ),
        (";", "class" | "struct" | "interface" | "enum" | "trait" | "impl" | "type") => (
            format!("there is no `{previous}` here"),
            "a handler has functions at its top level, and maps for data: `#{id: 1}`".to_owned(),
        ),
        (";", "elseif" | "elif" | "elsif") => (
            format!("`{previous}` is two words here"),
            "write `else if … { … }`".to_owned(),
        ),
        (";", "mut") => (
            "a variable needs no `mut`".to_owned(),
            format!("write `let {word} = …`: every `let` can be changed"),
        ),
        (";", "from" | "require" | "include") => (
            format!("there is no `{previous}` here"),
            "a module is imported with: import \"lib/money\" as money;".to_owned(),
        ),
        (";", "raise") => (
            "there is no `raise` here".to_owned(),
            "write `throw \"…\";`, or `reject(\"…\")` for a dead letter".to_owned(),
        ),
        (",", "lambda") => (
            "a closure is written with its parameters between bars".to_owned(),
            format!("write `|{word}| …`"),
        ),
        (",", "f" | "r" | "b") if found.starts_with('"') => (
            "a text with values in it is written in backticks".to_owned(),
            "write `key ${msg.key}` between two backticks, without the letter before".to_owned(),
        ),
        (_, "not") => (
            "`not` is written `!` here".to_owned(),
            format!(
                "write `!{}`, with brackets around a comparison: `!(a == b)`",
                spot.rest()
                    .split([' ', '{', ')'])
                    .next()
                    .unwrap_or_default()
            ),
        ),
        _ => return None,
    };
    Some(Said::new(message, "not known", hint))
}

fn by_symbol(spot: &Spot<'_>, token: &str, what: &str, found: &str) -> Option<Said> {
    let colon = found.starts_with(':');
    match token {
        ";" if colon && spot.line_text.contains('{') => {
            let head: Vec<char> = spot.line_text.chars().take(spot.column).collect();
            let brace = head.iter().rposition(|letter| *letter == '{');
            let said = Said::new(
                "a map is written with `#` before its brace",
                "a block in braces has no fields",
                "write `#{id: 1, city: \"Lyon\"}`",
            );
            Some(match brace {
                Some(at) => said.at(spot.line, at + 1, 1),
                None => said,
            })
        }
        ";" if colon => Some(Said::new(
            "a variable has no type here",
            "`=` or `;` expected",
            format!("write `let {} = …`", spot.previous),
        )),
        "{" if colon => Some(Said::new(
            "a block is written in braces",
            "`{` expected here",
            "write `if … { … }`; indentation alone means nothing",
        )),
        "," if found.starts_with("=>") => {
            let closure = Said::new(
                "a closure is written with its parameters between bars",
                "not `=>`",
                match spot.previous.as_str() {
                    "" => "write `|item| item.id`".to_owned(),
                    name => format!("write `|{name}| …`"),
                },
            );
            let (line, column, _) = spot.before;
            let arrow = "=>".len();
            Some(match line == spot.line {
                true => closure.at(line, column, (spot.column + arrow).saturating_sub(column)),
                false => closure,
            })
        }
        "," if colon && what.contains("parameters") => Some(Said::new(
            "a parameter has no type here",
            "`,` or `)` expected",
            format!("write only its name: `{}`", spot.previous),
        )),
        "}" if spot.rest().starts_with("...") => Some(spread()),
        ")" if spot.line_text.contains("catch (") && what.contains("catch") => Some(Said::new(
            "a `catch` has only a variable, without a type",
            "`)` expected",
            "write `catch (error) { … }`",
        )),
        ":" if found.starts_with('=') => Some(Said::new(
            "a map's fields are written with `:`",
            "`:` expected",
            format!("write `#{{{}: …}}`", spot.previous),
        )),
        _ => None,
    }
}

fn operator(word: &str, symbol: &str) -> Said {
    Said::new(
        format!("`{word}` is written `{symbol}` here"),
        "not known",
        format!("write `a {symbol} b`"),
    )
}

/// `=` where a value is asked for.
pub(super) fn assignment() -> Said {
    Said::new(
        "`=` sets a variable; `==` compares",
        "`==` meant?",
        "write `if a == b { … }`",
    )
}

fn spread() -> Said {
    Said::new(
        "a map has no `...` here",
        "not known",
        "copy the other and set what differs: `let copy = msg.json; copy.ok = true;`",
    )
}

/// The other things that Rhai complains about.
pub(super) fn other(spot: &Spot<'_>, error: &ParseErrorType) -> Said {
    match error {
        ParseErrorType::PropertyExpected if spot.rest().starts_with("...") => spread(),
        ParseErrorType::UnknownOperator(text) => symbol(text).unwrap_or_else(|| {
            let message = format!("`{text}` is no operator here");
            Said::new(message, "not known", rest::hint(error))
        }),
        ParseErrorType::MissingSymbol(text) | ParseErrorType::AssignmentToInvalidLHS(text)
            if text.contains("==") =>
        {
            assignment()
        }
        ParseErrorType::AssignmentToInvalidLHS(_) => Said::new(
            "this can't be set",
            "no variable, field or element",
            "left of `=` stands what is set: `x`, `x.name` or `x[0]`",
        ),
        ParseErrorType::DuplicatedProperty(name) => Said::new(
            format!("`{name}` stands twice in this map"),
            "the second",
            "keep one of them",
        ),
        ParseErrorType::VariableExpected if matches!(spot.found(), Some("{" | "(" | "[")) => {
            Said::new(
                "one `let` declares one variable",
                "a name expected",
                "write `let id = d.id; let city = d.city;`",
            )
        }
        ParseErrorType::ExprTooDeep => Said::new(
            "the expression is nested too deeply",
            "deeper than limits.expression_depth allows",
            "split it with `let`",
        ),
        ParseErrorType::FnMissingBody(_) => {
            let hint = "write `fn name(parameters) { … }`";
            match spot.found() {
                Some(found) if found.starts_with("->") => Said::new(
                    "a function does not say what it returns here",
                    "`{` expected",
                    hint,
                ),
                Some(found) if found.starts_with(':') => Said::new(
                    "a function's body is written in braces",
                    "`{` expected",
                    hint,
                ),
                _ => Said::new("this function has no body", "`{` expected", hint),
            }
        }
        ParseErrorType::VariableExpected if spot.word == "let" => Said::new(
            "a loop is written with `in`",
            "only a variable's name stands here",
            "write `for i in 0..3 { … }`, or `for item in list { … }`",
        ),
        ParseErrorType::ExprExpected(_) if matches!(&*spot.word, "case" | "default") => {
            reserved(spot, &spot.word)
        }
        ParseErrorType::WrongFnDefinition => Said::new(
            "a function can't stand inside another, or in a block",
            "not here",
            "move it to the top level of the file, or write a closure: `let f = |x| …;`",
        ),
        ParseErrorType::FnDuplicatedDefinition(name, _) => duplicate(spot, name),
        ParseErrorType::LoopBreak => Said::new(
            format!("`{}` works only in a loop", spot.word),
            "no loop around it",
            "`return;` ends a function",
        ),
        ParseErrorType::AssignmentToConstant(name) => Said::new(
            format!("`{name}` is a constant"),
            "it can't be changed",
            format!("declare it with `let {name} = …`, or give the new value another name"),
        ),
        other => Said::new(
            plain(&other.to_string()),
            "not understood",
            rest::hint(other),
        ),
    }
}

/// Two functions of one name and number of parameters.
fn duplicate(spot: &Spot<'_>, name: &str) -> Said {
    let first = spot.text.lines().position(|line| {
        let after = line.split_once("fn ").map(|(_, rest)| rest.trim_start());
        after
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.trim_start().starts_with('('))
    });
    let hint = match first {
        Some(line) => format!("the first is in line {}; keep one of them", line + 1),
        None => "keep one of them".to_owned(),
    };
    let said = Said::new(
        format!("there are two functions `{name}` with as many parameters"),
        "the second",
        hint,
    );
    // Rhai marks the `fn`.
    match spot.line_text.find(name) {
        Some(at) => {
            let column = spot.line_text[..at].chars().count() + 1;
            said.at(spot.line, column, name.chars().count())
        }
        None => said,
    }
}
