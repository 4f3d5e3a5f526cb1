//! Comparisons that can only come out one way, where the tree shows it: warnings.
//!
//! Rhai compares values of different types without an error: they are never equal.

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::at_word;
use super::message::{Holder, Member, asked};
use super::tree::{File, walk};
use crate::diagnostic::Diagnostic;
use crate::script::diagnose::suggestion;

/// What `type_of` answers.
const TYPES: &[&str] = &[
    "i64",
    "f64",
    "bool",
    "char",
    "string",
    "array",
    "map",
    "blob",
    "()",
    "Fn",
    "range",
    "range=",
    "timestamp",
    "message",
    "headers",
];

/// Names that people try, and what `type_of` answers instead.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("int", "i64"),
    ("integer", "i64"),
    ("number", "i64\" or \"f64"),
    ("float", "f64"),
    ("double", "f64"),
    ("str", "string"),
    ("String", "string"),
    ("text", "string"),
    ("boolean", "bool"),
    ("object", "map"),
    ("dict", "map"),
    ("list", "array"),
    ("null", "()"),
    ("None", "()"),
    ("undefined", "()"),
    ("unit", "()"),
    ("function", "Fn"),
    ("bytes", "blob"),
];

/// `type_of(x) == "int"`.
pub(super) fn type_names(file: &File<'_>, warnings: &mut Vec<Diagnostic>) {
    file.walk(&mut |path| {
        let Some((left, right, operator)) = comparison(path) else {
            return;
        };
        for (asked, named) in [(left, right), (right, left)] {
            if let (true, Expr::StringConstant(name, position)) = (asks_type(asked), named)
                && !TYPES.contains(&name.as_str())
            {
                let other = OTHER_NAMES
                    .iter()
                    .find(|(other, _)| *other == name.as_str());
                let near = other
                    .map(|(_, meant)| *meant)
                    .or_else(|| suggestion(name, TYPES.iter().copied()));
                let hint = match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("it answers: {}", TYPES[..9].join(", ")),
                };
                warnings.push(at_word(
                    file.source,
                    *position,
                    &format!("\"{name}\""),
                    format!("`type_of` never answers \"{name}\""),
                    always(operator),
                    vec![hint],
                ));
            }
        }
    });
}

/// `msg.partition == "0"`.
pub(super) fn message_fields(holder: &Holder<'_>, warnings: &mut Vec<Diagnostic>) {
    walk(&holder.body.statements, &mut |path| {
        let Some((left, right, operator)) = comparison(path) else {
            return;
        };
        for (field, literal) in [(left, right), (right, left)] {
            let Some((_, Member::Field(name, _))) = asked(holder, &[ASTNode::Expr(field)]) else {
                continue;
            };
            // A longer chain asks for something within the field.
            if !matches!(field, Expr::Dot(chain, ..) if matches!(chain.rhs, Expr::Property(..))) {
                continue;
            }
            let (is, shown, position) = match literal {
                Expr::StringConstant(text, position) => {
                    ("a string", format!("\"{text}\""), *position)
                }
                Expr::IntegerConstant(number, position) => {
                    ("a number", number.to_string(), *position)
                }
                Expr::BoolConstant(value, position) => ("a bool", value.to_string(), *position),
                _ => continue,
            };
            let (has, meant) = match name {
                "partition" | "offset" | "attempt" => {
                    ("a number", "write the number without quotes")
                }
                "topic" | "group" | "member" => ("a string", "write it in quotes"),
                // `()` or a number.
                "timestamp" => ("a number", "milliseconds since 1970, without quotes"),
                // A string, a blob or `()`.
                "key" | "value" if is != "a string" => (
                    "a string",
                    "write it in quotes, or compare what `parse_int` makes of it",
                ),
                _ => continue,
            };
            if has != is {
                warnings.push(at_word(
                    holder.file.source,
                    position,
                    &shown,
                    format!("`{name}` of a message is {has}, and never equal to {is}"),
                    always(operator),
                    vec![meant.to_owned()],
                ));
            }
        }
    });
}

fn always(operator: &str) -> &'static str {
    if operator == "==" {
        "always false"
    } else {
        "always true"
    }
}

/// Both sides of `==` or `!=`.
fn comparison<'n>(path: &[ASTNode<'n>]) -> Option<(&'n Expr, &'n Expr, &'n str)> {
    let call: &FnCallExpr = match path.last()? {
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => call,
        _ => return None,
    };
    match (call.name.as_str(), &*call.args) {
        (operator @ ("==" | "!="), [left, right]) => Some((left, right, operator)),
        _ => None,
    }
}

/// `type_of(x)` or `x.type_of()`.
fn asks_type(expression: &Expr) -> bool {
    match expression {
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => call.name == "type_of",
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => asks_type(&chain.rhs),
        _ => false,
    }
}
