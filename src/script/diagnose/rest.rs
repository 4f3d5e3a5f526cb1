//! What to do about the parser's rarer errors, which need no look at the words around.

use rhai::{LexError, ParseErrorType};

/// For what nothing better is known.
const LOOK: &str =
    "look at what stands before it: a bracket, a comma or an operator may be missing";

/// A hint for what the parser refuses.
pub(super) fn hint(error: &ParseErrorType) -> &'static str {
    match error {
        ParseErrorType::UnexpectedEOF => {
            "the file ends too early; is a bracket or a quote not closed?"
        }
        ParseErrorType::BadInput(input) => lexical(input),
        ParseErrorType::UnknownOperator(_) => {
            "the operators are + - * / % ** == != < <= > >= && || ! & | ^ << >> ?? .. ..= and in"
        }
        ParseErrorType::MismatchedType(wanted, _) if wanted.contains("iterable") => {
            "numbers are gone through as a range: `for i in 0..5 { … }`"
        }
        ParseErrorType::MismatchedType(..) => {
            "a condition is true or false: compare, as in `if x == 1 { … }`"
        }
        ParseErrorType::FnMissingName => {
            "a function's name has letters, digits and `_`, and is no word of the language: `fn name(a) { … }`"
        }
        ParseErrorType::FnMissingParams(_) => {
            "parameters stand in brackets, also where there are none: `fn name() { … }`"
        }
        ParseErrorType::FnDuplicatedParam(..) | ParseErrorType::DuplicatedVariable(_) => {
            "give each a name of its own"
        }
        ParseErrorType::WrongSwitchDefaultCase => "`_ => …` stands last, once, and without `if`",
        ParseErrorType::WrongSwitchIntegerCase => "write single numbers before ranges",
        ParseErrorType::WrongSwitchCaseCondition => {
            "a case with several values has no `if`; write the cases one by one"
        }
        ParseErrorType::PropertyExpected => {
            "a field's name follows the dot; any other name is written `map[\"name\"]`, an element `list[0]` or `list?[0]`"
        }
        ParseErrorType::VariableExpected => {
            "a variable's name has letters, digits and `_`, and is no word of the language"
        }
        ParseErrorType::ExprExpected(_) => "a value, a variable or a call is missing here",
        ParseErrorType::MalformedIndexExpr(_) => {
            "arrays, strings and blobs are indexed by numbers, maps by strings"
        }
        ParseErrorType::WrongExport => {
            "`export` stands at the top level of a file, before a constant: `export const X = 1;`"
        }
        ParseErrorType::LiteralTooLarge(..) => {
            "the limits are limits.string, limits.array and limits.map"
        }
        _ => LOOK,
    }
}

fn lexical(error: &LexError) -> &'static str {
    match error {
        LexError::StringTooLong(_) => "the limit is limits.string",
        LexError::MalformedNumber(_) => {
            "numbers are written 1_000, 0xff, 0b11, 1.5 or 1.5e-3; 64 bits hold up to 9223372036854775807"
        }
        LexError::MalformedIdentifier(_) => {
            "a name has letters, digits and `_`, and a letter among them"
        }
        _ => LOOK,
    }
}
