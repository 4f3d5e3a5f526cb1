//! Calls of functions that are not there, or that take another number of arguments.

use rhai::{ASTNode, Expr, FnCallExpr, FnPtr, Ident, Position, ScriptFuncDef, Stmt};

use super::entries::find_function;
use super::tree::{File, Tree};
use super::{at_word, counted};
use crate::diagnostic::Diagnostic;
use crate::script::api::emit::FIELDS;
use crate::script::diagnose::{function_hints, suggestion};
use crate::script::natives::{Style, natives};

/// What Rhai calls by itself, without a function of that name: how few and how many arguments.
const BUILT_IN: &[(&str, usize, usize)] = &[
    ("Fn", 1, 1),
    ("call", 1, usize::MAX),
    ("curry", 2, usize::MAX),
    ("type_of", 1, 1),
    ("is_shared", 1, 1),
    ("is_def_var", 1, 1),
    ("is_def_fn", 2, 3),
    // Refused when they are compiled or run, with reasons of their own.
    ("eval", 0, usize::MAX),
];

/// A name in `Fn("…")` that nothing has is a warning: only its call would fail.
pub(super) fn check(
    tree: &Tree<'_>,
    file: &File<'_>,
    mistakes: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) {
    file.walk(&mut |path| match path.last() {
        Some(
            ASTNode::Stmt(Stmt::FnCall(call, position))
            | ASTNode::Expr(Expr::FnCall(call, position)),
        ) if !call.is_operator_call() && !call.is_qualified() => {
            mistakes.extend(plain(tree, file, call, *position));
        }
        Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
            mistakes.extend(method(tree, file, call, *position, module_before(path)));
        }
        Some(ASTNode::Expr(Expr::DynamicConstant(value, position))) => {
            if let Some(pointer) = value.read_lock::<FnPtr>() {
                warnings.extend(pointed(tree, file, &pointer, *position));
            }
        }
        _ => {}
    });
}

/// `f(a, b)`.
fn plain(
    tree: &Tree<'_>,
    file: &File<'_>,
    call: &FnCallExpr,
    position: Position,
) -> Option<Diagnostic> {
    let (name, given) = (call.name.as_str(), call.args.len());
    let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !is_name {
        return None;
    }
    if let Some((_, least, most)) = BUILT_IN.iter().find(|(known, ..)| *known == name) {
        return (given < *least || given > *most).then(|| {
            let wanted = match (*least, *most) {
                (least, usize::MAX) => format!("at least {}", counted(least, "argument")),
                (least, most) if least == most => counted(least, "argument"),
                (least, most) => format!("{least} or {most} arguments"),
            };
            at_word(
                file.source,
                position,
                name,
                format!("`{name}` takes {wanted}, not {given}"),
                &format!("{given} given"),
                Vec::new(),
            )
        });
    }
    let own: Vec<&ScriptFuncDef> = tree
        .reach(file)
        .filter(|own| own.name == name && own.this_type.is_none())
        .collect();
    if own.iter().any(|own| own.params.len() == given) {
        return None;
    }
    if let ("emit", [Expr::StringConstant(..)]) = (name, &*call.args) {
        return Some(topic_alone(file, position));
    }
    if let ("emit", [Expr::Map(fields, _)]) = (name, &*call.args) {
        return emitted_map(file, position, &fields.0);
    }
    if natives().has(name, given) {
        return None;
    }
    // `if is_def_fn("f", 1) { f(x) }`
    if tree.mentions("is_def_fn") > 0 {
        return None;
    }
    if own.is_empty() && natives().signatures(name).is_empty() {
        return Some(at_word(
            file.source,
            position,
            name,
            format!("there is no function `{name}`"),
            "no such function",
            unknown_hints(tree, file, name, given),
        ));
    }
    Some(wrong_number(file, position, name, given, &own, 0))
}

/// `emit("Delivery.out")`.
fn topic_alone(file: &File<'_>, position: Position) -> Diagnostic {
    let usage = natives().usage("emit", Style::Function);
    at_word(
        file.source,
        position,
        "emit",
        "`emit` of one argument takes a map, not a topic alone".into(),
        "the value is missing",
        usage
            .map(|usage| format!("it is called as {usage}"))
            .into_iter()
            .collect(),
    )
}

/// `emit(#{topic: t, vaule: v})`: what is called so can't be meant.
fn emitted_map(
    file: &File<'_>,
    position: Position,
    fields: &[(Ident, Expr)],
) -> Option<Diagnostic> {
    let unknown = fields
        .iter()
        .find(|(name, _)| !FIELDS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        let hint = match suggestion(name.as_str(), FIELDS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a message to emit has: {}", FIELDS.join(", ")),
        };
        return Some(at_word(
            file.source,
            name.pos,
            name.as_str(),
            format!("a message to emit has no field `{}`", name.as_str()),
            "no such field",
            vec![hint],
        ));
    }
    let missing = ["topic", "value"]
        .into_iter()
        .find(|needed| fields.iter().all(|(name, _)| name.as_str() != *needed))?;
    let hint = match missing {
        "topic" => "write `emit(#{topic: \"…\", value: …})`",
        _ => "write `value: …`; `value: ()` is a tombstone",
    };
    Some(at_word(
        file.source,
        position,
        "emit",
        format!("a message to emit needs `{missing}`"),
        "it is not in the map",
        vec![hint.into()],
    ))
}

/// `x.f(a)`.
fn method(
    tree: &Tree<'_>,
    file: &File<'_>,
    call: &FnCallExpr,
    position: Position,
    module: Option<&str>,
) -> Option<Diagnostic> {
    let (name, given) = (call.name.as_str(), call.args.len());
    if matches!(name, "call" | "curry" | "is_shared" | "type_of") || natives().has(name, given + 1)
    {
        return None;
    }
    let all = || tree.files.iter().flat_map(File::functions);
    let typed = |own: &&ScriptFuncDef| own.this_type.is_some() && own.name == name;
    let own: Vec<&ScriptFuncDef> = tree
        .reach(file)
        .filter(|own| own.name == name && own.this_type.is_none())
        .chain(all().filter(typed))
        .collect();
    if own.iter().any(|own| own.params.len() == given) {
        return None;
    }
    if let Some(module) = module.filter(|alias| tree.module(file, alias).is_some()) {
        return Some(at_word(
            file.source,
            position,
            name,
            format!("`{module}` is a module, and a module's functions are called with `::`"),
            "not a method",
            vec![format!("write `{module}::{name}(…)`")],
        ));
    }
    if tree.may_be_a_field(name) {
        return None;
    }
    let as_function = |own: &&&ScriptFuncDef| own.params.len() == given + 1;
    if let Some(function) = own.iter().find(as_function)
        && function.this_type.is_none()
    {
        return Some(not_a_method(file, function, name, position));
    }
    if own.is_empty() && natives().signatures(name).is_empty() {
        return Some(at_word(
            file.source,
            position,
            name,
            format!("there is no method `{name}`"),
            "no such method",
            unknown_hints(tree, file, name, given),
        ));
    }
    if own.is_empty()
        && natives()
            .signatures(name)
            .iter()
            .all(|native| native.arguments() == 0)
    {
        return Some(at_word(
            file.source,
            position,
            name,
            format!("`{name}` is not a method"),
            "a function that takes nothing",
            vec![format!("write `{name}()`")],
        ));
    }
    Some(wrong_number(file, position, name, given, &own, 1))
}

/// `x.f(2)` for `fn f(x, digits)`.
fn not_a_method(
    file: &File<'_>,
    function: &ScriptFuncDef,
    name: &str,
    position: Position,
) -> Diagnostic {
    let parameters: Vec<&str> = function.params.iter().map(|name| name.as_str()).collect();
    at_word(
        file.source,
        position,
        name,
        format!("`{name}` is a function, not a method"),
        "called on a value",
        vec![format!("write `{name}({})`", parameters.join(", "))],
    )
}

/// `Fn("f")`.
fn pointed(
    tree: &Tree<'_>,
    file: &File<'_>,
    pointer: &FnPtr,
    position: Position,
) -> Option<Diagnostic> {
    let name = pointer.fn_name();
    let known = pointer.is_anonymous()
        || !name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        || BUILT_IN.iter().any(|(built_in, ..)| *built_in == name)
        || !natives().signatures(name).is_empty()
        || tree
            .files
            .iter()
            .flat_map(File::functions)
            .any(|own| own.name == name);
    (!known).then(|| {
        at_word(
            file.source,
            position,
            "Fn",
            format!("there is no function `{name}`"),
            "no such function",
            unknown_hints(tree, file, name, 0),
        )
    })
}

/// What was meant by a name that nothing has.
fn unknown_hints(tree: &Tree<'_>, file: &File<'_>, name: &str, given: usize) -> Vec<String> {
    for import in &file.imports {
        let module = tree.module(file, &import.alias);
        let mut functions = module.into_iter().flat_map(File::functions);
        if functions.any(|function| function.name == name && function.params.len() == given) {
            let alias = &import.alias;
            return vec![format!(
                "it is a function of the module `{alias}`: write `{alias}::{name}(…)`"
            )];
        }
    }
    let hints = function_hints(name, tree.reach(file).map(|own| own.name.as_str()));
    if hints.is_empty() {
        return vec![
            "a handler calls its own functions, those of its imports as `module::name(…)`, and those of the README's table"
                .into(),
        ];
    }
    hints
}

/// `receivers` is 1 for a method, whose value is no argument.
pub(super) fn wrong_number(
    file: &File<'_>,
    position: Position,
    name: &str,
    given: usize,
    own: &[&ScriptFuncDef],
    receivers: usize,
) -> Diagnostic {
    let mut wanted: Vec<usize> = own.iter().map(|own| own.params.len()).collect();
    let native = natives().signatures(name).iter();
    wanted.extend(native.filter_map(|native| native.arguments().checked_sub(receivers)));
    wanted.sort_unstable();
    wanted.dedup();
    let mut hints = Vec::new();
    for function in own {
        let parameters: Vec<&str> = function.params.iter().map(|name| name.as_str()).collect();
        let line = find_function(&file.source.text, name).map_or(String::new(), |(line, _)| {
            format!(", defined in line {line}")
        });
        hints.push(format!(
            "it is `fn {name}({})`{line}",
            parameters.join(", ")
        ));
    }
    let style = match receivers {
        0 => Style::Function,
        _ => Style::Method,
    };
    if own.is_empty()
        && let Some(usage) = natives().usage(name, style)
    {
        hints.push(format!("it is called as {usage}"));
    }
    at_word(
        file.source,
        position,
        name,
        format!("`{name}` takes {}, not {given}", numbers(&wanted)),
        &format!("{given} given"),
        hints,
    )
}

/// `1 argument`, `1 or 2 arguments`, `1, 2 or 3 arguments`.
fn numbers(wanted: &[usize]) -> String {
    let Some((last, before)) = wanted.split_last() else {
        return "other arguments".into();
    };
    if before.is_empty() {
        return counted(*last, "argument");
    }
    let before: Vec<String> = before.iter().map(usize::to_string).collect();
    format!("{} or {last} arguments", before.join(", "))
}

/// `money` of `money.total(…)`, where it is no variable.
fn module_before<'n>(path: &'n [ASTNode<'n>]) -> Option<&'n str> {
    let [.., ASTNode::Expr(Expr::Dot(chain, ..)), _] = path else {
        return None;
    };
    match &chain.lhs {
        Expr::Variable(variable, None, _) if variable.0.is_none() => Some(variable.1.as_str()),
        _ => None,
    }
}
