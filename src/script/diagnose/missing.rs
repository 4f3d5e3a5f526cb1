//! Something that is not there: a function, a field, a value to reckon with.
//!
//! Rhai's texts name types and operators; the line of the source names what the user wrote.

use rhai::Position;

use super::run::at;
use super::{chain_before, no_message_field};
use crate::diagnostic::Diagnostic;
use crate::script::program::Program;

/// `name (type, type)`, as Rhai writes what it looked for.
pub(super) fn no_function(
    program: &Program,
    source: Option<&str>,
    position: Position,
    signature: &str,
    line: &str,
    column: usize,
) -> Diagnostic {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types = types.strip_suffix(')').unwrap_or(types);
    let types = types.replace("&str | ImmutableString | String", "string");
    let types: Vec<&str> = types.split(", ").collect();
    let is_operator = !name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    if is_operator && types.len() == 2 && types.contains(&"()") {
        return missing_operand(program, source, position, name, &types, line, column);
    }
    if is_operator {
        return at(
            program,
            source,
            position,
            format!("`{name}` does not work on {}", types.join(" and ")),
            "here".into(),
            Vec::new(),
        );
    }
    let known = program
        .sources()
        .iter()
        .flat_map(|source| functions_of(&source.text));
    let near = super::suggestion(name, known.chain(KNOWN.iter().copied()));
    let mut hints: Vec<String> = near
        .iter()
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    if types.first() == Some(&"()") {
        hints.push("the value it is called on is (), so perhaps a field is missing".into());
    }
    let taken = types.join(", ");
    at(
        program,
        source,
        position,
        format!("there is no function `{name}` for ({taken})"),
        "not found".into(),
        hints,
    )
}

/// Functions of the API, for suggestions.
const KNOWN: &[&str] = &[
    "emit",
    "reject",
    "retry",
    "count",
    "observe",
    "debug",
    "info",
    "warn",
    "error",
    "print",
    "now",
    "uuid",
    "rand",
    "rand_float",
    "rand_bool",
    "rand_alpha_numeric",
    "sample",
    "shuffle",
    "len",
    "keys",
    "values",
    "contains",
    "push",
    "pop",
    "remove",
    "insert",
    "map",
    "filter",
    "reduce",
    "split",
    "replace",
    "trim",
    "to_upper",
    "to_lower",
    "to_string",
    "to_int",
    "to_float",
    "parse_int",
    "parse_float",
    "parse_json",
    "to_json",
    "sub_string",
    "index_of",
    "starts_with",
    "ends_with",
    "type_of",
    "is_empty",
    "sort",
    "reverse",
    "round",
    "floor",
    "ceiling",
    "abs",
];

fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .map(str::trim)
}

/// Arithmetic on `()`: almost always a field that the message does not have.
fn missing_operand(
    program: &Program,
    source: Option<&str>,
    position: Position,
    name: &str,
    types: &[&str],
    line: &str,
    column: usize,
) -> Diagnostic {
    let letters: Vec<char> = line.chars().collect();
    let (begin, chain) = if types[0] == "()" {
        let before: String = letters.iter().take(column - 1).collect();
        let before = before.trim_end();
        let chain = chain_before(before, before.chars().count());
        (before.chars().count() - chain.chars().count(), chain)
    } else {
        let rest: String = letters
            .iter()
            .skip(column - 1 + name.chars().count())
            .collect();
        let blank = rest
            .chars()
            .take_while(|letter| letter.is_whitespace())
            .count();
        let chain: String = rest
            .trim_start()
            .chars()
            .take_while(|letter| {
                super::is_word(*letter) || matches!(letter, '.' | '[' | ']' | '?' | '"')
            })
            .collect();
        (column - 1 + name.chars().count() + blank, chain)
    };
    let other = if types[0] == "()" { types[1] } else { types[0] };
    let expected = match other {
        "i64" | "f64" => "number",
        "()" => "value",
        other => other,
    };
    let field = last_name(&chain);
    if field.is_empty() {
        return at(
            program,
            source,
            position,
            format!("`{name}` does not work on {}", types.join(" and ")),
            format!("{expected} expected, found ()"),
            Vec::new(),
        );
    }
    let field_column = begin + chain.chars().count() - field.chars().count() + 1;
    let position = Position::new(
        position
            .line()
            .and_then(|line| u16::try_from(line).ok())
            .unwrap_or(1),
        u16::try_from(field_column).unwrap_or(1),
    );
    at(
        program,
        source,
        position,
        format!("`{field}` is missing"),
        format!("{expected} expected, found ()"),
        vec![format!(
            "where it may be missing, write `({chain} ?? 0)` or whatever it should be then"
        )],
    )
}

/// `c` of `a.b.c`, and of `a.b["c"]`.
pub(super) fn last_name(chain: &str) -> String {
    let end = chain.trim_end_matches(['"', ']', '[', '?', '.']);
    end.rsplit(['.', '[', '"', '?'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// `Unknown property 'x' - a getter is not registered for type 't'`, as Rhai writes it.
pub(super) fn no_property(
    program: &Program,
    source: Option<&str>,
    position: Position,
    text: &str,
    line: &str,
    column: usize,
) -> Diagnostic {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (property, kind) = (
        quoted.next().unwrap_or_default(),
        quoted.next().unwrap_or_default(),
    );
    let writing = text.starts_with("No writable");
    if kind == "message" && writing {
        return at(
            program,
            source,
            position,
            format!("`{property}` of a message can't be changed"),
            "read only".into(),
            vec!["copy it first: `let d = msg.json` may be changed".into()],
        );
    }
    if kind == "message"
        && let (Some(file), Some(line)) = (program.source(source), position.line())
    {
        return no_message_field(file, property, line, position.position().unwrap_or(1));
    }
    if kind == "()" {
        let dot = line.chars().take(column - 1).collect::<String>();
        let dot = dot.trim_end().trim_end_matches(['.', '?']);
        let chain = chain_before(dot, dot.chars().count());
        let missing = last_name(&chain);
        let message = if missing.is_empty() {
            format!("`{property}` was asked of a missing value")
        } else {
            format!("`{missing}` is missing")
        };
        return at(
            program,
            source,
            position,
            message,
            format!("map expected before `.{property}`, found ()"),
            vec![format!(
                "where it may be missing, write `{chain}?.{property}`"
            )],
        );
    }
    at(
        program,
        source,
        position,
        format!("a value of type {kind} has no field `{property}`"),
        "no such field".into(),
        Vec::new(),
    )
}
