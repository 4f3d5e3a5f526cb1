//! Functions and variables that nothing mentions: warnings.
//!
//! Texts are looked at and not trees, so that a name in a comment, a string or dead code counts as
//! used: what is reported here is certain.

use rhai::{ASTFlags, ASTNode, Stmt};

use super::entries::{self, find_function};
use super::tree::Tree;
use super::{at_word, counted};
use crate::diagnostic::Diagnostic;
use crate::script::natives::natives;
use crate::script::{Kind, diagnose};

pub(super) fn check(tree: &Tree<'_>, kind: Kind, warnings: &mut Vec<Diagnostic>) {
    functions(tree, kind, warnings);
    for file in &tree.files {
        file.walk(&mut |path| {
            // Constants are put in place of their names before anything is checked.
            let Some(ASTNode::Stmt(Stmt::Var(declared, flags, _))) = path.last() else {
                return;
            };
            let name = declared.0.as_str();
            if flags.intersects(ASTFlags::CONSTANT | ASTFlags::EXPORTED)
                || name.starts_with('_')
                || tree.variable_mentions(name) > 1
            {
                return;
            }
            warnings.push(at_word(
                file.source,
                declared.0.pos,
                name,
                format!("the variable `{name}` is never used"),
                "set, and nothing reads it",
                vec![format!("take it away, or name it `_{name}` to keep it")],
            ));
        });
    }
}

/// A module's functions may wait for another handler; those of the handler's own file can't.
fn functions(tree: &Tree<'_>, kind: Kind, warnings: &mut Vec<Diagnostic>) {
    let Some(handler) = tree.files.first() else {
        return;
    };
    let entries = entries::of(kind);
    for function in handler.functions() {
        let name = function.name.as_str();
        if entries.iter().any(|entry| entry.name == name)
            || name.starts_with('_')
            || tree.mentions(name) > 1
            // Rhai may call one of its own names by itself, such as `to_string` when it prints.
            || !natives().signatures(name).is_empty()
        {
            continue;
        }
        let Some((line, column)) = find_function(&handler.source.text, name) else {
            continue;
        };
        let defined = |entry: &&entries::Entry| {
            !handler
                .functions()
                .any(|function| function.name == entry.name)
        };
        let open = entries.iter().filter(defined);
        let near = diagnose::suggestion(name, open.clone().map(|entry| entry.name));
        let hint = match open.clone().find(|entry| Some(entry.name) == near) {
            Some(entry) => format!(
                "did you mean `{}`, which is called with {}?",
                entry.name,
                counted(entry.parameters.len(), "argument")
            ),
            None => "take it away, or call it".into(),
        };
        warnings.push(Diagnostic {
            message: format!("the function `{name}` is never called"),
            place: diagnose::place(handler.source, line, column, name.chars().count()),
            label: "nothing in the handler mentions it".into(),
            hints: vec![hint],
        });
    }
}
