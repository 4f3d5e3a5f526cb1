//! What is asked of a message, wherever it goes: fields and methods that it does not have.
//!
//! `handle(msg)` begins with it; from there it is followed into functions that get it as an argument
//! or as `this`, into closures that capture it, and into variables that are set to it once. A
//! function that asks `type_of` may get other things as well, and is left to the run.

use rhai::{ASTNode, Expr, FnCallExpr, FnPtr, Position, Stmt};

use super::at_word;
use super::tree::{File, Tree, walk};
use crate::diagnostic::Diagnostic;
use crate::script::api::message::FIELDS;
use crate::script::body::Body;
use crate::script::natives::natives;
use crate::script::{Kind, diagnose};

/// A function that has the message, and the names by which it does.
pub(super) struct Holder<'t> {
    pub file: &'t File<'t>,
    pub body: &'t Body,
    pub names: Vec<String>,
}

/// `this` in a function that is called on the message.
const THIS: &str = "this";

/// The functions that are given the message.
pub(super) fn holders<'t>(tree: &'t Tree<'t>, kind: Kind) -> Vec<Holder<'t>> {
    let mut holders: Vec<Holder<'t>> = Vec::new();
    let Some(handler) = tree.files.first().filter(|_| kind == Kind::Consumer) else {
        return holders;
    };
    let mut given: Vec<(&'t File<'t>, &'t Body, String)> = Vec::new();
    for (name, parameters) in [("handle", 1), ("on_failed", 2)] {
        given.extend(function(handler, name, parameters).and_then(|body| {
            let parameter = body.definition.params.first()?;
            Some((handler, body, parameter.to_string()))
        }));
    }
    while let Some((file, body, parameter)) = given.pop() {
        let known = holders.iter().any(|holder| {
            std::ptr::eq(holder.body, body) && holder.names.first() == Some(&parameter)
        });
        if known || parameter != THIS && is_replaced(body, &parameter) {
            continue;
        }
        let mut names = vec![parameter];
        names.extend(aliases(body, &names[0]));
        passed_on(tree, file, body, &names, &mut given);
        holders.push(Holder { file, body, names });
    }
    holders.retain(|holder| !asks_types(holder.body));
    holders
}

pub(super) fn check(tree: &Tree<'_>, holder: &Holder<'_>, mistakes: &mut Vec<Diagnostic>) {
    walk(&holder.body.statements, &mut |path| {
        if let Some((of, member)) = asked(holder, path) {
            mistakes.extend(match member {
                Member::Field(name, position) => field(holder, name, position),
                Member::Method(call, position) => method(tree, holder, of, call, position),
                Member::Index(position) => Some(index(holder, of, position)),
            });
        }
    });
}

/// What is asked of a message at a node.
pub(super) enum Member<'n> {
    Field(&'n str, Position),
    Method(&'n FnCallExpr, Position),
    Index(Position),
}

/// `msg.x`, `msg.x(…)` or `msg[x]`, and the message's name there.
pub(super) fn asked<'n>(
    holder: &Holder<'_>,
    path: &[ASTNode<'n>],
) -> Option<(&'n str, Member<'n>)> {
    let (chain, position, dot) = match path.last()? {
        ASTNode::Expr(Expr::Dot(chain, _, position)) => (chain, *position, true),
        ASTNode::Expr(Expr::Index(chain, _, position)) => (chain, *position, false),
        _ => return None,
    };
    let of = name_of(&chain.lhs).filter(|of| holder.names.iter().any(|name| name == of))?;
    if !dot {
        return Some((of, Member::Index(position)));
    }
    match first_of(&chain.rhs) {
        Expr::Property(property, position) => {
            Some((of, Member::Field(property.2.as_str(), *position)))
        }
        Expr::MethodCall(call, position) => Some((of, Member::Method(call, *position))),
        _ => None,
    }
}

fn name_of(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(variable.1.as_str()),
        Expr::ThisPtr(_) => Some(THIS),
        _ => None,
    }
}

fn field(holder: &Holder<'_>, name: &str, position: Position) -> Option<Diagnostic> {
    if FIELDS.contains(&name) {
        return None;
    }
    let (line, column) = super::line_and_column(position);
    let source = holder.file.source;
    Some(diagnose::no_message_field(source, name, line, column))
}

fn method(
    tree: &Tree<'_>,
    holder: &Holder<'_>,
    of: &str,
    call: &FnCallExpr,
    position: Position,
) -> Option<Diagnostic> {
    let (name, given) = (call.name.as_str(), call.args.len());
    let mut signatures = natives().signatures(name).iter();
    let native = signatures.any(|native| native.arguments() == given + 1 && native.takes_message());
    let own = tree
        .files
        .iter()
        .flat_map(File::functions)
        .any(|own| own.name == name && own.params.len() == given);
    if native || own || matches!(name, "call" | "curry" | "is_shared" | "type_of") {
        return None;
    }
    let source = holder.file.source;
    if FIELDS.contains(&name) {
        return Some(at_word(
            source,
            position,
            name,
            format!("`{name}` of a message is a field, not a method"),
            "called like a method",
            vec![format!("write `{of}.{name}` without brackets")],
        ));
    }
    let function = natives()
        .signatures(name)
        .iter()
        .any(|n| n.arguments() == given);
    let hint = if function {
        format!("it is a function of its own: write `{name}(…)`")
    } else if let Some(near) = diagnose::suggestion(name, FIELDS.iter().copied()) {
        format!("did you mean `{of}.{near}`?")
    } else {
        format!("what is in the message's value is asked of `{of}.json` or `{of}.value`")
    };
    Some(at_word(
        source,
        position,
        name,
        format!("a message has no method `{name}`"),
        "no such method",
        vec![hint],
    ))
}

fn index(holder: &Holder<'_>, of: &str, position: Position) -> Diagnostic {
    at_word(
        holder.file.source,
        position,
        "[",
        "a message can't be indexed".into(),
        "an index",
        vec![
            format!("its parts are fields: `{of}.key`"),
            format!("a field of its JSON value is `{of}.json[\"name\"]`"),
        ],
    )
}

fn function<'t>(file: &'t File<'t>, name: &str, parameters: usize) -> Option<&'t Body> {
    file.bodies.iter().find(|body| {
        let definition = &body.definition;
        definition.name == name
            && definition.params.len() == parameters
            && definition.this_type.is_none()
    })
}

/// Whether another value can stand behind `name` in this function.
fn is_replaced(body: &Body, name: &str) -> bool {
    let mut replaced = false;
    walk(&body.statements, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => replaced |= declared.0.name == name,
        Some(ASTNode::Stmt(Stmt::For(declared, ..))) => {
            let counter = declared.1.as_ref();
            replaced |=
                declared.0.name == name || counter.is_some_and(|counter| counter.name == name);
        }
        Some(ASTNode::Stmt(Stmt::TryCatch(attempt, _))) => {
            replaced |= name_of(&attempt.expr) == Some(name);
        }
        Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
            replaced |= name_of(&assignment.1.lhs) == Some(name);
        }
        _ => {}
    });
    replaced
}

/// `let m = msg;` for an `m` that is declared only there and never set.
fn aliases(body: &Body, of: &str) -> Vec<String> {
    let mut declared: Vec<(String, bool)> = Vec::new();
    let mut assigned: Vec<String> = Vec::new();
    walk(&body.statements, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
            let alias = name_of(&variable.1) == Some(of);
            declared.push((variable.0.as_str().to_owned(), alias));
        }
        Some(ASTNode::Stmt(Stmt::For(variable, ..))) => {
            declared.push((variable.0.as_str().to_owned(), false));
        }
        Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
            assigned.extend(name_of(&assignment.1.lhs).map(str::to_owned));
        }
        _ => {}
    });
    let once = |name: &str| declared.iter().filter(|(other, _)| other == name).count() == 1;
    let is_parameter = |name: &str| body.definition.params.iter().any(|other| other == name);
    declared
        .iter()
        .filter(|(name, alias)| {
            *alias && once(name) && !assigned.contains(name) && !is_parameter(name)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// The functions that this one gives the message to.
fn passed_on<'t>(
    tree: &'t Tree<'t>,
    file: &'t File<'t>,
    body: &Body,
    names: &[String],
    given: &mut Vec<(&'t File<'t>, &'t Body, String)>,
) {
    let holds = |expression: &Expr| {
        name_of(expression).is_some_and(|name| names.iter().any(|own| own == name))
    };
    let parameter = |target: &'t Body, at: usize| {
        let parameter = target.definition.params.get(at);
        parameter.map(|name| name.to_string())
    };
    walk(&body.statements, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _)))
            if !call.is_operator_call() =>
        {
            for at in (0..call.args.len()).filter(|at| holds(&call.args[*at])) {
                let target = match &*call.namespace.path {
                    [] if call.name == "curry" && at > 0 => {
                        closure(file, &call.args[0]).map(|body| (file, body, at - 1))
                    }
                    [] => function(file, &call.name, call.args.len()).map(|body| (file, body, at)),
                    [alias] => tree.module(file, alias.as_str()).and_then(|module| {
                        let body = function(module, &call.name, call.args.len())?;
                        Some((module, body, at))
                    }),
                    _ => None,
                };
                given.extend(target.and_then(|(file, body, at)| {
                    parameter(body, at).map(|parameter| (file, body, parameter))
                }));
            }
        }
        Some(ASTNode::Expr(Expr::Dot(chain, ..))) if holds(&chain.lhs) => {
            if let Expr::MethodCall(call, _) = first_of(&chain.rhs)
                && let Some(target) = function(file, &call.name, call.args.len())
            {
                given.push((file, target, THIS.to_owned()));
            }
        }
        _ => {}
    });
}

/// What a chain asks first: `a` of `.a`, `.a.b` and `.a[0]`.
fn first_of(rest: &Expr) -> &Expr {
    match rest {
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => &chain.lhs,
        whole => whole,
    }
}

/// The function of a closure that captures something.
fn closure<'t>(file: &'t File<'t>, expression: &Expr) -> Option<&'t Body> {
    let Expr::DynamicConstant(value, _) = expression else {
        return None;
    };
    let pointer = value.read_lock::<FnPtr>()?;
    let mut bodies = file.bodies.iter();
    bodies.find(|body| body.definition.name == pointer.fn_name())
}

fn asks_types(body: &Body) -> bool {
    let mut asks = false;
    walk(&body.statements, &mut |path| {
        if let Some(
            ASTNode::Stmt(Stmt::FnCall(call, _))
            | ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)),
        ) = path.last()
        {
            asks |= call.name == "type_of";
        }
    });
    asks
}
