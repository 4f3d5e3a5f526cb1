//! Variables that are not there, and `params`, which stays as it is.

use rhai::{ASTNode, Expr, Position, ScriptFuncDef, Stmt};

use super::at_word;
use super::tree::{File, Tree, is_closure, walk};
use crate::diagnostic::Diagnostic;
use crate::script::diagnose::{suggestion, value_hint};
use crate::script::natives::natives;

pub(super) fn check(tree: &Tree<'_>, file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    // `if is_def_var("x") { x }`
    if tree.mentions("is_def_var") > 0 {
        return;
    }
    unknown_in(tree, file, None, &file.top, mistakes);
    for body in &file.bodies {
        let function = &*body.definition;
        if !called_in_scope(tree, &function.name) {
            unknown_in(tree, file, Some(function), &body.statements, mistakes);
        }
    }
}

/// Whether someone calls `name!(…)`, which lends the function the caller's variables.
fn called_in_scope(tree: &Tree<'_>, name: &str) -> bool {
    let mut found = false;
    for file in &tree.files {
        file.walk(&mut |path| {
            if let Some(
                ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _)),
            ) = path.last()
            {
                found |= call.capture_parent_scope && call.name == name;
            }
        });
    }
    found
}

fn unknown_in(
    tree: &Tree<'_>,
    file: &File<'_>,
    function: Option<&ScriptFuncDef>,
    statements: &[Stmt],
    mistakes: &mut Vec<Diagnostic>,
) {
    walk(statements, &mut |path| {
        // Rhai resolves what it finds when it parses, and gives it an index.
        let Some(ASTNode::Expr(Expr::Variable(variable, None, position))) = path.last() else {
            return;
        };
        let name = variable.1.as_str();
        if variable.0.is_some() || !variable.2.is_empty() || name == "params" {
            return;
        }
        let is_module = file.imports.iter().any(|import| import.alias == name);
        let is_function = tree.files.iter().any(|file| {
            let mut functions = file.functions();
            functions.any(|function| function.name == name)
        });
        // `money.total(x)`: what is asked of the module says it.
        let before_dot = matches!(
            path,
            [.., ASTNode::Expr(Expr::Dot(chain, ..)), _] if matches!(chain.rhs, Expr::MethodCall(..))
        );
        // What a closure captures is among its parameters, but not resolved when it is parsed.
        let captured = function.is_some_and(|f| f.params.iter().any(|known| known == name));
        if is_function || captured || is_module && before_dot {
            return;
        }
        mistakes.push(unknown(file, function, statements, name, *position));
    });
}

fn unknown(
    file: &File<'_>,
    function: Option<&ScriptFuncDef>,
    statements: &[Stmt],
    name: &str,
    position: Position,
) -> Diagnostic {
    let global = file.globals().find(|global| global.name == name);
    let (label, hint) = if file.imports.iter().any(|import| import.alias == name) {
        ("a module", format!("what is in it is named `{name}::NAME`"))
    } else if let (Some(global), Some(_)) = (&global, function) {
        if global.constant {
            (
                "a function does not see the file's constants by this name",
                format!("write `global::{name}`"),
            )
        } else {
            (
                "a function does not see the file's variables",
                format!("make it a constant, `const {name} = …`, and write `global::{name}`"),
            )
        }
    } else if let Some(hint) = value_hint(name) {
        ("not found", hint)
    } else {
        let mut seen: Vec<&str> = function
            .into_iter()
            .flat_map(|function| function.params.iter().map(|name| name.as_str()))
            .collect();
        let declared = declared(statements);
        seen.extend(declared.iter().map(String::as_str));
        ("not found", near_or_rule(file, function, name, &seen))
    };
    at_word(
        file.source,
        position,
        name,
        format!("there is no variable `{name}`"),
        label,
        vec![hint],
    )
}

fn near_or_rule(
    file: &File<'_>,
    function: Option<&ScriptFuncDef>,
    name: &str,
    seen: &[&str],
) -> String {
    if seen.contains(&name) {
        return format!(
            "`{name}` is declared in another block, or further down: declare it before, outside of the braces"
        );
    }
    let candidates = seen.iter().copied().chain(["params"]);
    if let Some(near) = suggestion(name, candidates) {
        return format!("did you mean `{near}`?");
    }
    let elsewhere = file.bodies.iter().any(|body| {
        let mut names = body.definition.params.iter().map(|name| name.as_str());
        names.any(|known| known == name) || declared(&body.statements).iter().any(|d| d == name)
    });
    let closure = function.is_some_and(|function| is_closure(&function.name));
    if elsewhere && !closure {
        return format!(
            "another function has a `{name}`; a function sees only its own variables: pass it as a parameter"
        );
    }
    if !natives().signatures(name).is_empty() {
        return format!("a function as a value is written `Fn(\"{name}\")`, or `|x| x.{name}()`");
    }
    let message = crate::script::api::message::FIELDS.contains(&name);
    if message && let Some(msg) = seen.first().filter(|_| file.is_handler) {
        return format!("a field of the message is written `{msg}.{name}`");
    }
    format!("declare it with `let {name} = …`; a text is written in quotes: \"{name}\"")
}

/// The names that these statements declare, in whatever block.
fn declared(statements: &[Stmt]) -> Vec<String> {
    let mut names = Vec::new();
    walk(statements, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => {
            names.push(declared.0.as_str().to_owned());
        }
        Some(ASTNode::Stmt(Stmt::For(declared, ..))) => {
            names.push(declared.0.as_str().to_owned());
        }
        _ => {}
    });
    names
}

/// `params.x = 1`: Rhai would change a copy and say nothing.
pub(super) fn params_are_kept(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    let mut own = file
        .bodies
        .iter()
        .any(|body| body.definition.params.iter().any(|name| name == "params"));
    let mut found = Vec::new();
    file.walk(&mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => own |= declared.0.name == "params",
        Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
            if let Some((name, position)) = root_variable(&assignment.1.lhs)
                && name == "params"
            {
                found.push(position);
            }
        }
        _ => {}
    });
    for position in found.into_iter().filter(|_| !own) {
        mistakes.push(at_word(
            file.source,
            position,
            "params",
            "`params` can't be changed".into(),
            "a constant from the config",
            vec!["copy it first: `let p = params`".into()],
        ));
    }
}

/// The variable that a chain of fields and indexes begins with.
fn root_variable(expression: &Expr) -> Option<(&str, Position)> {
    match expression {
        Expr::Variable(variable, _, position) => Some((variable.1.as_str(), *position)),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => root_variable(&chain.lhs),
        _ => None,
    }
}
