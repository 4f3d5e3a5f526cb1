//! The result of a method that changes its value in place, used as if it were the changed value.
//!
//! It is `()`. That is hardly ever meant, but a script may live with it: a warning. So is the last
//! expression of a helper function, where some call of the helper uses what it gives back.

use rhai::{ASTNode, Expr, FnCallExpr, FnPtr, Position, Stmt};

use super::tree::{File, Tree, is_closure};
use super::{at_word, line_and_column};
use crate::diagnostic::Diagnostic;
use crate::script::diagnose::chain_before;

/// Methods that return `()` on whatever they can be called on, with their number of arguments, and
/// what gives a changed copy instead.
pub(super) const METHODS: &[(&str, &[usize], Option<&str>)] = &[
    ("trim", &[0], None),
    ("replace", &[2], None),
    ("make_upper", &[0], Some("to_upper()")),
    ("make_lower", &[0], Some("to_lower()")),
    ("crop", &[1, 2], Some("sub_string(start, len)")),
    ("truncate", &[1], None),
    ("pad", &[2], None),
    ("clear", &[0], None),
    ("set", &[2], None),
    ("push", &[1], None),
    ("append", &[1], Some("a + b")),
    ("insert", &[2], None),
    ("chop", &[1], None),
    ("reverse", &[0], None),
    ("splice", &[2, 3], None),
    ("dedup", &[0, 1], None),
    ("sort", &[0, 1], Some("order()")),
    ("sort_by", &[1], Some("order_by(…)")),
    ("sort_desc", &[0], Some("order_desc()")),
    ("shuffle", &[0], None),
    ("for_each", &[1], Some("map(|x| …)")),
    ("mixin", &[1], Some("a + b")),
    ("fill_with", &[1], None),
];

pub(super) fn check(tree: &Tree<'_>, file: &File<'_>, warnings: &mut Vec<Diagnostic>) {
    file.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::MethodCall(call, position))) = path.last()
            && let Some(instead) = in_place(tree, call)
            && let Some(used) = used(path)
        {
            warnings.push(warning(file, call, *position, used, instead));
        }
    });
    for body in &file.bodies {
        let function = &body.definition;
        if let Some((call, position)) = body.statements.last().and_then(last_call)
            && let Some(instead) = in_place(tree, call)
            && is_wanted(tree, &function.name, function.params.len())
        {
            let used = match is_closure(&function.name) {
                true => "what the closure gives back".to_owned(),
                false => format!("what `{}` gives back", function.name),
            };
            warnings.push(warning(file, call, position, &used, instead));
        }
    }
}

/// Whether the call changes its value and gives nothing back; then, what gives a new value instead.
fn in_place(tree: &Tree<'_>, call: &FnCallExpr) -> Option<Option<&'static str>> {
    let (name, _, instead) = METHODS
        .iter()
        .find(|(name, arguments, _)| *name == call.name && arguments.contains(&call.args.len()))?;
    // A function or a map's field of this name is something else.
    let own = |file: &File<'_>| file.functions().any(|own| own.name == call.name);
    (!tree.files.iter().any(own) && !is_field(tree, name)).then_some(*instead)
}

/// The method call that a function ends in, if it is one on something of its own: `this` is the
/// caller's, and changing it may be all that is meant.
fn last_call(last: &Stmt) -> Option<(&FnCallExpr, Position)> {
    let Stmt::Expr(expression) = last else {
        return None;
    };
    let Expr::Dot(chain, ..) = &**expression else {
        return None;
    };
    let mut rest = match &chain.lhs {
        Expr::Variable(..) => &chain.rhs,
        _ => return None,
    };
    while let Expr::Dot(inner, ..) | Expr::Index(inner, ..) = rest {
        rest = &inner.rhs;
    }
    match rest {
        Expr::MethodCall(call, position) => Some((call, *position)),
        _ => None,
    }
}

/// Methods that use what the closure gives back that they are called with.
const ASKING: &[&str] = &[
    "map",
    "filter",
    "find_map",
    "reduce",
    "reduce_rev",
    "some",
    "all",
    "order_by",
    "sort_by",
];

/// Whether some call of a function uses what it gives back.
fn is_wanted(tree: &Tree<'_>, name: &str, parameters: usize) -> bool {
    let mut wanted = false;
    for file in &tree.files {
        file.walk(&mut |path| {
            wanted |= match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, _))) => {
                    call.name == name && call.args.len() == parameters && used(path).is_some()
                }
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                    let closure = value.read_lock::<FnPtr>();
                    closure.is_some_and(|closure| closure.fn_name() == name) && is_asked(path)
                }
                _ => false,
            };
        });
    }
    wanted
}

/// Whether the closure at the end of `path` is an argument of a method that uses its result.
fn is_asked(path: &[ASTNode]) -> bool {
    path.iter().rev().nth(1).is_some_and(|parent| {
        matches!(parent, ASTNode::Expr(Expr::MethodCall(call, _)) if ASKING.contains(&call.name.as_str()))
    })
}

/// Whether some text has `name: |…|` or `name = |…|`, a closure in a map.
fn is_field(tree: &Tree<'_>, name: &str) -> bool {
    tree.files.iter().any(|file| {
        let text = &file.source.text;
        super::tree::words_at(text, name).any(|at| {
            let after = text[at + name.len()..].trim_start();
            after.starts_with(':') && !after.starts_with("::") || after.starts_with('=')
        })
    })
}

/// How the result of the call at the end of `path` is used; `None` where it is thrown away.
fn used(path: &[ASTNode]) -> Option<&'static str> {
    let mut child = path.last()?;
    for parent in path.iter().rev().skip(1) {
        match parent {
            // The call is the chain's last part: what becomes of the chain counts.
            ASTNode::Expr(Expr::Dot(chain, ..) | Expr::Index(chain, ..)) => {
                if is(&chain.lhs, child) && !is(&chain.rhs, child) {
                    return Some("asked for more");
                }
                child = parent;
            }
            ASTNode::Stmt(Stmt::Expr(_)) => return None,
            ASTNode::Stmt(Stmt::Var(..) | Stmt::Assignment(_)) => return Some("kept"),
            ASTNode::Stmt(Stmt::Return(..)) => return Some("returned"),
            ASTNode::Stmt(Stmt::FnCall(..)) => return Some("passed on"),
            ASTNode::Stmt(Stmt::For(..)) => return Some("gone through"),
            ASTNode::Stmt(Stmt::If(..) | Stmt::While(..) | Stmt::Do(..) | Stmt::Switch(..)) => {
                return Some("asked");
            }
            ASTNode::Expr(Expr::FnCall(call, _)) if call.is_operator_call() => {
                return Some("computed with");
            }
            ASTNode::Expr(
                Expr::FnCall(..)
                | Expr::MethodCall(..)
                | Expr::Array(..)
                | Expr::Map(..)
                | Expr::InterpolatedString(..),
            ) => return Some("passed on"),
            _ => return None,
        }
    }
    None
}

fn is(expression: &Expr, node: &ASTNode) -> bool {
    matches!(node, ASTNode::Expr(other) if std::ptr::eq(*other, expression))
}

fn warning(
    file: &File<'_>,
    call: &FnCallExpr,
    position: Position,
    used: &str,
    instead: Option<&str>,
) -> Diagnostic {
    let name = call.name.as_str();
    let what = if name == "for_each" {
        "`for_each` only calls its function, and returns ()".to_owned()
    } else {
        format!("`{name}` changes its value in place, and returns ()")
    };
    let mut hints = Vec::new();
    if name != "for_each" {
        let arguments = if call.args.is_empty() { "" } else { "…" };
        let (line, column) = line_and_column(position);
        let text = file.source.text.lines().nth(line.saturating_sub(1));
        let on = chain_before(text.unwrap_or_default(), column.saturating_sub(2));
        let is_name = on.starts_with(|first: char| first.is_alphabetic() || first == '_');
        hints.push(if is_name {
            format!("write `{on}.{name}({arguments});` as a statement of its own, then use `{on}`")
        } else {
            format!("keep the value first: `let x = …; x.{name}({arguments});`, then use `x`")
        });
    }
    hints.extend(instead.map(|instead| format!("a new value is given by `{instead}`")));
    let label = format!("this () is {used}");
    at_word(file.source, position, name, what, &label, hints)
}

#[cfg(test)]
mod tests {
    use rhai::Dynamic;

    use super::*;
    use crate::config::Limits;
    use crate::script::state::State;
    use crate::script::{Caller, engine};

    /// Every method that the warning speaks of gives () on whatever it can be called on.
    #[test]
    fn methods_in_place_give_nothing_back() {
        let nobody = Caller {
            group: "".into(),
            member: "".into(),
        };
        let limits = Limits::default();
        let mut engine = engine::bare(&limits);
        engine::furnish(&mut engine, &State::new(nobody, limits, None, Some(0)));
        let receivers = [
            "\"text\"",
            "'x'",
            "[3, 1, 2]",
            "#{a: 1}",
            "blob(3, 1)",
            "parse_json(\"[3, 1, 2]\")",
            "parse_json(`{\"a\": 1}`)",
        ];
        let arguments = [
            "",
            "1",
            "1, 1",
            "\"e\", \"b\"",
            "0, 'x'",
            "9, 'x'",
            "\"a\", 1",
            "0, 1, [1]",
            "0, 1, blob(1, 1)",
            "0..1, [1]",
            "[1]",
            "#{b: 2}",
            "blob(1, 1)",
            "|x| x",
            "|x, y| x - y",
        ];
        for (name, counts, _) in METHODS {
            for count in *counts {
                let mut worked = 0;
                for receiver in receivers {
                    for given in arguments {
                        let given_count = match given {
                            "" => 0,
                            "|x, y| x - y" => 1,
                            given => given.replace("blob(1, 1)", "blob").split(", ").count(),
                        };
                        if given_count != *count {
                            continue;
                        }
                        let call = format!("let x = {receiver}; x.{name}({given})");
                        if let Ok(result) = engine.eval::<Dynamic>(&call) {
                            assert!(result.is_unit(), "{call} gives {result}");
                            worked += 1;
                        }
                    }
                }
                assert!(worked > 0, "nothing takes {name} with {count}");
            }
        }
    }
}
