//! What was compiled and what was not, for `deliveryd check --explain`.

use rhai::{Expr, Position, Stmt};

/// A place of a function that is left to the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub position: Position,
    /// The construct, such as `a call of print`.
    pub what: String,
}

/// The places of one function.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub left: Vec<Left>,
}

impl Report {
    /// An expression is left to the interpreter.
    pub(super) fn interpreted(&mut self, expression: &Expr) {
        self.left.push(Left {
            position: expression.start_position(),
            what: expression_shown(expression),
        });
    }

    /// A statement is.
    pub(super) fn statement(&mut self, statement: &Stmt) {
        self.left.push(Left {
            position: statement.position(),
            what: statement_shown(statement),
        });
    }
}

fn expression_shown(expression: &Expr) -> String {
    match expression {
        Expr::FnCall(call, _) if call.op_token.is_some() => {
            format!("the operator `{}` with what is in it", call.name)
        }
        Expr::FnCall(call, _) => format!("the call of `{}`", call.name),
        Expr::Dot(..) | Expr::Index(..) => "a chain of fields, indexes and methods".into(),
        Expr::Variable(variable, ..) => format!("the variable `{}`", variable.1),
        Expr::Array(..) => "an array".into(),
        Expr::Map(..) => "a map".into(),
        Expr::InterpolatedString(..) => "a text with values in it".into(),
        Expr::ThisPtr(_) => "`this`".into(),
        Expr::Stmt(_) => "a block as a value".into(),
        Expr::And(..) | Expr::Or(..) => "a condition with one of these in it".into(),
        Expr::Coalesce(..) => "`??` with one of these in it".into(),
        _ => "a constant of a kind of its own".into(),
    }
}

fn statement_shown(statement: &Stmt) -> String {
    match statement {
        Stmt::For(..) => "a `for` with a variable that a closure takes along",
        Stmt::Assignment(_) => "an assignment",
        Stmt::Share(_) => "a closure that takes variables along",
        Stmt::FnCall(call, _) => return format!("the call of `{}`", call.name),
        _ => "a statement",
    }
    .into()
}
