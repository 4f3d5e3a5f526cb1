//! What is asked of a module: `money::total(x)`, `money::RATE`, and `global::NAME`.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, FnAccess, FnCallExpr, Position, ScriptFuncDef, Stmt};

use super::tree::{File, Tree};
use super::{at_word, calls};
use crate::diagnostic::Diagnostic;
use crate::script::diagnose::suggestion;

pub(super) fn check(tree: &Tree<'_>, file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    file.walk(&mut |path| match path.last() {
        Some(
            ASTNode::Stmt(Stmt::FnCall(call, position))
            | ASTNode::Expr(Expr::FnCall(call, position)),
        ) if call.is_qualified() => {
            mistakes.extend(function(tree, file, call, *position));
        }
        Some(ASTNode::Expr(Expr::Variable(variable, _, position))) => {
            // A longer path leads through the imports of a module: left to the run.
            let ([root], name) = (&*variable.2.path, variable.1.as_str()) else {
                return;
            };
            mistakes.extend(match root.as_str() {
                "global" => constant(tree, file, name, *position),
                alias => variable_of(tree, file, alias, root.pos, name, *position),
            });
        }
        _ => {}
    });
}

/// `money::total(x)`.
fn function(
    tree: &Tree<'_>,
    file: &File<'_>,
    call: &FnCallExpr,
    position: Position,
) -> Option<Diagnostic> {
    let [root] = &*call.namespace.path else {
        return None;
    };
    let (alias, name, given) = (root.as_str(), call.name.as_str(), call.args.len());
    if alias == "global" {
        return None;
    }
    let Some(module) = tree.module(file, alias) else {
        return unknown_module(file, alias, root.pos);
    };
    // Rhai gives the place of a call in a module as that of its first name.
    let position = after(position, root.pos, alias);
    let found: Vec<&ScriptFuncDef> = module.functions().filter(|f| f.name == name).collect();
    let open: Vec<&ScriptFuncDef> = found
        .iter()
        .copied()
        .filter(|function| function.access == FnAccess::Public)
        .collect();
    if open.iter().any(|function| function.params.len() == given) {
        return None;
    }
    let shown = &module.source.shown;
    if !open.is_empty() {
        let mut mistake = calls::wrong_number(module, position, name, given, &open, 0);
        mistake.place = at_word(file.source, position, name, String::new(), "", Vec::new()).place;
        mistake
            .hints
            .iter_mut()
            .for_each(|hint| *hint = format!("{hint} of {shown}"));
        return Some(mistake);
    }
    let (message, label, hints) = if found.is_empty() {
        let names: BTreeSet<&str> = module.functions().map(|own| own.name.as_str()).collect();
        let hint = match suggestion(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{alias}::{near}`?"),
            None if names.is_empty() => format!("{shown} has no functions"),
            None => format!("{shown} has: {}", Vec::from_iter(names).join(", ")),
        };
        (
            format!("the module `{alias}` has no function `{name}`"),
            "no such function",
            hint,
        )
    } else {
        (
            format!("`{name}` of the module `{alias}` is private"),
            "only its own file can call it",
            format!("take `private` away before `fn {name}` in {shown}"),
        )
    };
    Some(at_word(
        file.source,
        position,
        name,
        message,
        label,
        vec![hints],
    ))
}

/// Where the name behind `alias::` stands.
fn after(position: Position, root: Position, alias: &str) -> Position {
    match (position == root, root.line(), root.position()) {
        (true, Some(line), Some(column)) => Position::new(
            u16::try_from(line).unwrap_or(u16::MAX),
            u16::try_from(column + alias.chars().count() + 2).unwrap_or(u16::MAX),
        ),
        _ => position,
    }
}

fn unknown_module(file: &File<'_>, alias: &str, position: Position) -> Option<Diagnostic> {
    let known = || file.imports.iter().map(|import| import.alias.as_str());
    let mut hints: Vec<String> = suggestion(alias, known())
        .map(|near| format!("did you mean `{near}`?"))
        .into_iter()
        .collect();
    if hints.is_empty() {
        hints.push(format!(
            "a module is imported at the top of the file: import \"lib/{alias}\" as {alias};"
        ));
    }
    Some(at_word(
        file.source,
        position,
        alias,
        format!("there is no module `{alias}`"),
        "not imported",
        hints,
    ))
}

/// `money::RATE`.
fn variable_of(
    tree: &Tree<'_>,
    file: &File<'_>,
    alias: &str,
    alias_position: Position,
    name: &str,
    position: Position,
) -> Option<Diagnostic> {
    let Some(module) = tree.module(file, alias) else {
        return unknown_module(file, alias, alias_position);
    };
    let text = &module.source.text;
    // `export x as NAME` and what blocks declare: the module's own run decides.
    if module
        .globals()
        .any(|global| global.name == name && global.exported)
        || text.contains(" as ") && tree.mentions("export") > 0 && text.contains(name)
    {
        return None;
    }
    let shown = &module.source.shown;
    let own = module.globals().find(|global| global.name == name);
    let (message, label, hint) = match own {
        Some(own) => (
            format!("`{name}` of the module `{alias}` is not exported"),
            "only its own file sees it",
            format!(
                "write `export {} {name} = …` in {shown}",
                if own.constant { "const" } else { "let" }
            ),
        ),
        None => {
            let exported = module
                .globals()
                .filter(|global| global.exported)
                .map(|global| global.name);
            let exported: Vec<&str> = exported.collect();
            let hint = match suggestion(name, exported.iter().copied()) {
                Some(near) => format!("did you mean `{alias}::{near}`?"),
                None if exported.is_empty() => format!("{shown} exports nothing"),
                None => format!("{shown} exports: {}", exported.join(", ")),
            };
            (
                format!("the module `{alias}` has no `{name}`"),
                "no such constant",
                hint,
            )
        }
    };
    Some(at_word(
        file.source,
        position,
        name,
        message,
        label,
        vec![hint],
    ))
}

/// `global::NAME`.
fn constant(
    tree: &Tree<'_>,
    file: &File<'_>,
    name: &str,
    position: Position,
) -> Option<Diagnostic> {
    let mut declared = false;
    let files = tree.files.iter();
    // A module's function may see its caller's constants: those of any file pass.
    for other in files.filter(|other| !file.is_handler || std::ptr::eq(*other, file)) {
        other.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Var(found, flags, _))) = path.last() {
                declared |= found.0.as_str() == name && flags.contains(rhai::ASTFlags::CONSTANT);
            }
        });
    }
    if declared {
        return None;
    }
    let hint = if file.globals().any(|global| global.name == name) {
        format!(
            "only constants are global, and they stay as they are: `const {name} = …`; \
             a handler keeps nothing else from one message to the next"
        )
    } else {
        let constants = file.globals().filter(|global| global.constant);
        let constants: Vec<&str> = constants.map(|global| global.name).collect();
        match suggestion(name, constants.iter().copied()) {
            Some(near) => format!("did you mean `global::{near}`?"),
            None if name == "params" => "`params` is seen everywhere by its plain name".into(),
            None => format!("declare it at the top of the file: const {name} = …;"),
        }
    };
    Some(at_word(
        file.source,
        position,
        name,
        format!("the file has no constant `{name}`"),
        "not found",
        vec![hint],
    ))
}
