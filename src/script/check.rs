//! What a program's syntax trees say before anything runs: imports, functions, fields of `msg`.

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use super::api::message;
use super::program::Source;
use super::{Kind, body, diagnose, engine};
use crate::config::Limits;
use crate::diagnostic::Diagnostic;

/// An `import "path"` and where its path stands.
pub(crate) struct Import {
    pub path: String,
    pub line: usize,
    pub column: usize,
}

/// The literal imports of a file; others are mistakes.
pub(crate) fn imports(ast: &AST, source: &Source, mistakes: &mut Vec<Diagnostic>) -> Vec<Import> {
    let mut imports = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
            let (line, column) = line_and_column(import.0.start_position());
            match &import.0 {
                Expr::StringConstant(path, _) => imports.push(Import {
                    path: path.to_string(),
                    line,
                    column,
                }),
                _ => mistakes.push(Diagnostic {
                    message: "an import must name its file in plain quotes".into(),
                    place: diagnose::place(source, line, column, 1),
                    label: "this is only known when it runs".into(),
                    hints: vec!["write import \"lib/money\" as money".into()],
                }),
            }
        }
        true
    });
    imports
}

pub(crate) fn line_and_column(position: Position) -> (usize, usize) {
    (
        position.line().unwrap_or(0),
        position.position().unwrap_or(1),
    )
}

/// A function that deliveryd calls: name, parameters, whether it must be there.
struct Entry {
    name: &'static str,
    parameters: &'static [&'static str],
    needed: bool,
}

const fn optional(name: &'static str, parameters: &'static [&'static str]) -> Entry {
    Entry {
        name,
        parameters,
        needed: false,
    }
}

const CONSUMER: &[Entry] = &[
    Entry {
        name: "handle",
        parameters: &["msg"],
        needed: true,
    },
    optional("on_start", &[]),
    optional("on_assign", &["partitions"]),
    optional("on_revoke", &["partitions"]),
    optional("on_stop", &[]),
    optional("on_failed", &["msg", "reason"]),
];

const PRODUCER: &[Entry] = &[Entry {
    name: "generate",
    parameters: &["n"],
    needed: true,
}];

/// The functions that deliveryd calls exist and take what they are given.
pub(crate) fn functions(
    source: &Source,
    kind: Kind,
    limits: &Limits,
    mistakes: &mut Vec<Diagnostic>,
) {
    let Ok(ast) = engine::bare(limits).compile(&source.text) else {
        return;
    };
    let entries = match kind {
        Kind::Consumer => CONSUMER,
        Kind::Producer => PRODUCER,
        // What a test file must have is for `testing` to say.
        Kind::Test => return,
    };
    for entry in entries {
        let wanted = entry.parameters.len();
        let found: Vec<usize> = ast
            .iter_functions()
            .filter(|function| function.name == entry.name)
            .map(|function| function.params.len())
            .collect();
        if found.contains(&wanted) || (found.is_empty() && !entry.needed) {
            continue;
        }
        mistakes.push(wrong_entry(
            source,
            kind,
            entry,
            found.first().copied(),
            &ast,
        ));
    }
    message_fields(&ast, source, mistakes);
}

fn wrong_entry(
    source: &Source,
    kind: Kind,
    entry: &Entry,
    found: Option<usize>,
    ast: &AST,
) -> Diagnostic {
    let signature = format!("fn {}({})", entry.name, entry.parameters.join(", "));
    let Some(found) = found else {
        let role = match kind {
            Kind::Consumer => "handler",
            Kind::Producer => "generator",
            Kind::Test => "test",
        };
        let near = diagnose::suggestion(entry.name, ast.iter_functions().map(|near| near.name));
        let mut hints = vec![format!("a {role} is a file with `{signature} {{ … }}`")];
        hints.extend(near.map(|near| format!("is `{near}` meant to be it?")));
        let line = source.text.lines().count().max(1);
        return Diagnostic {
            message: format!("the {role} has no function `{}`", entry.name),
            place: diagnose::place(source, line, 1, 1),
            label: format!("`{signature}` was expected by the end of the file"),
            hints,
        };
    };
    let (line, column) = find_function(&source.text, entry.name);
    let wanted = entry.parameters.len();
    Diagnostic {
        message: format!(
            "`{}` takes {wanted} parameter{}, not {found}",
            entry.name,
            if wanted == 1 { "" } else { "s" }
        ),
        place: diagnose::place(source, line, column, entry.name.len()),
        label: format!("`{signature}` was expected"),
        hints: Vec::new(),
    }
}

/// Where `fn name` stands in a text; the tree does not keep the place of a function's name.
fn find_function(text: &str, name: &str) -> (usize, usize) {
    for (index, line) in text.lines().enumerate() {
        let Some(at) = line.find("fn ") else { continue };
        let rest = line[at + 3..].trim_start();
        if rest
            .strip_prefix(name)
            .is_some_and(|rest| rest.trim_start().starts_with('('))
        {
            let column = line[..line.len() - rest.len()].chars().count() + 1;
            return (index + 1, column);
        }
    }
    (1, 1)
}

/// `msg.ofset`: a field that a message does not have, where the tree shows it.
fn message_fields(ast: &AST, source: &Source, mistakes: &mut Vec<Diagnostic>) {
    for (name, parameters) in [("handle", 1), ("on_failed", 2)] {
        let Some(function) = ast.shared_lib().get_script_fn(name, parameters) else {
            continue;
        };
        let (Some(body), Some(message)) =
            (body::statements(ast, function), function.params.first())
        else {
            continue;
        };
        let mut shadowed = false;
        let mut found = Vec::new();
        for statement in &body {
            statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                match path.last() {
                    Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => {
                        shadowed |= declared.0.name == *message;
                    }
                    Some(ASTNode::Stmt(Stmt::For(declared, ..))) => {
                        shadowed |= declared.0.name == *message;
                    }
                    Some(ASTNode::Expr(Expr::Dot(chain, ..))) => {
                        if let Expr::Variable(variable, ..) = &chain.lhs
                            && variable.1 == *message
                            && let Some((field, position)) = first_property(&chain.rhs)
                            && !message::FIELDS.contains(&field.as_str())
                        {
                            found.push((field, position));
                        }
                    }
                    _ => {}
                }
                true
            });
        }
        if shadowed {
            continue;
        }
        for (field, position) in found {
            let (line, column) = line_and_column(position);
            mistakes.push(diagnose::no_message_field(source, &field, line, column));
        }
    }
}

/// The property that a chain begins with: `a` of `.a`, `.a.b` and `.a[0]`.
fn first_property(expression: &Expr) -> Option<(String, Position)> {
    match expression {
        Expr::Property(property, position) => Some((property.2.to_string(), *position)),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => first_property(&chain.lhs),
        _ => None,
    }
}

/// `params.x = 1`: Rhai would change a copy and say nothing.
pub(crate) fn params_are_kept(ast: &AST, source: &Source, mistakes: &mut Vec<Diagnostic>) {
    let mut own = ast
        .iter_functions()
        .any(|function| function.params.contains(&"params"));
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => own |= declared.0.name == "params",
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                if let Some((name, position)) = root_variable(&assignment.1.lhs)
                    && name == "params"
                {
                    found.push(position);
                }
            }
            _ => {}
        }
        true
    });
    for position in found.into_iter().filter(|_| !own) {
        let (line, column) = line_and_column(position);
        mistakes.push(Diagnostic {
            message: "`params` can't be changed".into(),
            place: diagnose::place(source, line, column, "params".len()),
            label: "a constant from the config".into(),
            hints: vec!["copy it first: `let p = params`".into()],
        });
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

/// Files that import each other in a circle would load for ever.
pub(crate) fn circles(sources: &[Source], limits: &Limits, mistakes: &mut Vec<Diagnostic>) {
    let engine = engine::bare(limits);
    let edges: Vec<Vec<(usize, Import)>> = sources
        .iter()
        .map(|source| {
            let Ok(ast) = engine.compile(&source.text) else {
                return Vec::new();
            };
            imports(&ast, source, &mut Vec::new())
                .into_iter()
                .filter_map(|import| {
                    let target = sources
                        .iter()
                        .position(|source| source.import == import.path);
                    target.map(|target| (target, import))
                })
                .collect()
        })
        .collect();
    let mut finished = vec![false; sources.len()];
    let mut path = Vec::new();
    for start in 0..sources.len() {
        visit(start, &edges, &mut finished, &mut path, sources, mistakes);
    }
}

fn visit(
    at: usize,
    edges: &[Vec<(usize, Import)>],
    finished: &mut [bool],
    path: &mut Vec<usize>,
    sources: &[Source],
    mistakes: &mut Vec<Diagnostic>,
) {
    if finished[at] {
        return;
    }
    path.push(at);
    for (target, import) in &edges[at] {
        if let Some(begin) = path.iter().position(|visited| visited == target) {
            let circle: Vec<&str> = path[begin..]
                .iter()
                .map(|at| sources[*at].shown.as_str())
                .collect();
            mistakes.push(Diagnostic {
                message: "these files import each other in a circle".into(),
                place: diagnose::place(
                    &sources[at],
                    import.line,
                    import.column,
                    import.path.chars().count() + 2,
                ),
                label: format!("leads back to {}", sources[*target].shown),
                hints: vec![circle.join(" → ")],
            });
        } else {
            visit(*target, edges, finished, path, sources, mistakes);
        }
    }
    path.pop();
    finished[at] = true;
}
