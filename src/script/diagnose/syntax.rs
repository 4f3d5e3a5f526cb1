//! What people of other languages write, and how it is written here.

use rhai::{ParseErrorType, Position};

use super::compile::{Said, disabled_eval, plain, width_at};
use super::{chain_before, is_word};

/// Where the compiler stopped, and what stands around.
pub(super) struct Spot<'t> {
    pub text: &'t str,
    pub line: usize,
    pub column: usize,
    /// The word that begins there; empty for a symbol.
    pub word: String,
    /// The word before it in the same line; empty where something else is.
    pub previous: String,
    /// Whether a dot stands right before it.
    pub after_dot: bool,
    /// Line, column and width of the last word or symbol before it, in whatever line.
    pub before: (usize, usize, usize),
    line_text: &'t str,
    ended: bool,
}

impl<'t> Spot<'t> {
    pub(super) fn new(text: &'t str, position: Position) -> Self {
        // Without a position the text ended where more was expected.
        let lines = text.lines().count().max(1);
        let (line, column) = match (position.line(), position.position()) {
            (Some(line), column) => (line, column.unwrap_or(1)),
            (None, _) => {
                let last = text.lines().last().unwrap_or_default();
                (lines, last.chars().count() + 1)
            }
        };
        let line_text = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let letters: Vec<char> = line_text.chars().collect();
        let at = (column.saturating_sub(1)).min(letters.len());
        let word = letters[at..].iter().take_while(|l| is_word(**l)).collect();
        let head: String = letters[..at].iter().collect();
        let previous = head.trim_end();
        let begin = previous
            .rfind(|letter: char| !is_word(letter))
            .map_or(0, |at| {
                at + previous[at..].chars().next().map_or(1, char::len_utf8)
            });
        Self {
            text,
            line,
            column,
            word,
            previous: previous[begin..].to_owned(),
            after_dot: head.ends_with('.'),
            before: before(text, line, column),
            line_text,
            ended: at >= letters.len() && line >= lines,
        }
    }

    pub(super) fn has_word(&self) -> bool {
        !self.word.is_empty()
    }

    /// The rest of the line from the place on.
    fn rest(&self) -> &'t str {
        let begin = self
            .line_text
            .char_indices()
            .nth(self.column.saturating_sub(1));
        begin.map_or("", |(at, _)| &self.line_text[at..])
    }

    pub(super) fn rest_of_line(&self) -> usize {
        self.rest().trim_end().chars().count().max(1)
    }

    /// The word or symbol at the place; `None` at the end of the file.
    pub(super) fn found(&self) -> Option<&'t str> {
        let rest = self.rest();
        if rest.is_empty() || self.ended {
            return None;
        }
        let width = width_at(self.text, self.line, self.column);
        let end = rest
            .char_indices()
            .nth(width)
            .map_or(rest.len(), |(at, _)| at);
        Some(&rest[..end])
    }

    /// A finding at the word before.
    fn at_previous(&self, said: Said) -> Said {
        let (line, column, width) = self.before;
        said.at(line, column, width)
    }
}

/// The last word or symbol before a place, over line ends and comments.
fn before(text: &str, line: usize, column: usize) -> (usize, usize, usize) {
    let lines: Vec<&str> = text.lines().take(line).collect();
    for (index, whole) in lines.iter().enumerate().rev() {
        let code: String = if index + 1 == line {
            whole.chars().take(column.saturating_sub(1)).collect()
        } else {
            // A `//` in a text is rare, and only moves the mark.
            whole.split("//").next().unwrap_or_default().to_owned()
        };
        let letters: Vec<char> = code.trim_end().chars().collect();
        let Some(last) = letters.last() else { continue };
        let end = letters.len();
        let begin = if is_word(*last) {
            letters.iter().rposition(|letter| !is_word(*letter))
        } else {
            end.checked_sub(2)
        };
        let begin = begin.map_or(0, |at| at + 1);
        return (index + 1, begin + 1, end - begin);
    }
    (line, column, 1)
}

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
    if spot.after_dot && word.starts_with(|first: char| first.is_ascii_digit()) {
        return Said::new("a number has only one dot", "not expected here", "");
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

/// What a missing token means where the words around it are another language's.
pub(super) fn foreign(spot: &Spot<'_>, token: &str, what: &str) -> Option<Said> {
    let (word, previous) = (spot.word.as_str(), spot.previous.as_str());
    let found = spot.found().unwrap_or_default();
    match (token, previous, word) {
        (";" | "{" | ",", _, "and") | (_, _, "and") => Some(operator("and", "&&")),
        (_, _, "or") => Some(operator("or", "||")),
        (";", "function" | "func" | "def" | "fun" | "sub" | "proc", _) => {
            Some(spot.at_previous(Said::new(
                format!("a function does not begin with `{previous}` here"),
                "not known",
                format!("write `fn {word}(…) {{ … }}`"),
            )))
        }
        (";", "class" | "struct" | "interface" | "enum" | "trait" | "impl" | "type", _) => {
            Some(spot.at_previous(Said::new(
                format!("there is no `{previous}` here"),
                "not known",
                "a handler has functions at its top level, and maps for data: `#{id: 1}`",
            )))
        }
        (";", "elseif" | "elif" | "elsif", _) => Some(spot.at_previous(Said::new(
            format!("`{previous}` is two words here"),
            "not known",
            "write `else if … { … }`",
        ))),
        (";", "mut", _) => Some(spot.at_previous(Said::new(
            "a variable needs no `mut`",
            "every `let` can be changed",
            format!("write `let {word} = …`"),
        ))),
        (";", _, "if") if spot.before.0 == spot.line => Some(Said::new(
            "an `if` begins with its condition",
            "not expected here",
            "a choice is written `let x = if … { a } else { b };`",
        )),
        (";", _, "from") if spot.line_text.trim_start().starts_with("import") => Some(Said::new(
            "an import names its file first",
            "not known",
            "write: import \"lib/money\" as money; and call `money::total(…)`",
        )),
        (",", "lambda", _) => Some(spot.at_previous(Said::new(
            "a closure is written with its parameters between bars",
            "not known",
            format!("write `|{word}| …`"),
        ))),
        (",", "f" | "r" | "b", _) if found.starts_with('"') => Some(spot.at_previous(Said::new(
            "a text with values in it is written in backticks",
            "not known",
            "write `key ${msg.key}` between two backticks, without the letter before",
        ))),
        (";", "from" | "require" | "include", _) => Some(spot.at_previous(Said::new(
            format!("there is no `{previous}` here"),
            "not known",
            "a module is imported with: import \"lib/money\" as money;",
        ))),
        (";", "raise", _) => Some(spot.at_previous(Said::new(
            "there is no `raise` here",
            "not known",
            "write `throw \"…\";`, or `reject(\"…\")` for a dead letter",
        ))),
        (_, "not", _) => Some(spot.at_previous(Said::new(
            "`not` is written `!` here",
            "not known",
            format!(
                "write `!{}`, with brackets around a comparison: `!(a == b)`",
                spot.rest().split([' ', '{', ')']).next().unwrap_or_default()
            ),
        ))),
        ("{", _, "then") => Some(Said::new(
            "an `if` has no `then` here",
            "not known",
            "write `if … { … }`",
        )),
        (",", _, "of") if what.contains("iteration") => Some(Said::new(
            "a loop over a list is written with `in`",
            "`in` expected",
            "write `for item in list { … }`, without brackets",
        )),
        ("in", ..) => Some(Said::new(
            "a loop needs `in` between its variable and the list",
            "`in` expected",
            "write `for item in list { … }`",
        )),
        _ => by_symbol(spot, token, what, found),
    }
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

/// The other things that Rhai complains about.
pub(super) fn other(spot: &Spot<'_>, error: &ParseErrorType) -> Said {
    match error {
        ParseErrorType::UnknownOperator(text) => symbol(text)
            .unwrap_or_else(|| Said::new(format!("`{text}` is no operator here"), "not known", "")),
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
        ParseErrorType::BadInput(_) | ParseErrorType::UnexpectedEOF if spot.word.is_empty() => {
            Said::new(plain(&error.to_string()), "here", "")
        }
        other => Said::new(plain(&other.to_string()), "here", ""),
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
