//! The variables at a place of a function, as Rhai's scope would hold them there.

use std::num::NonZeroUsize;
use std::ops::Deref;

use rhai::{ASTNode, Expr, ImmutableString, Stmt};

use super::interpreted::mentions;

/// A variable.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub name: ImmutableString,
    /// Whether compiled code may touch it: no closure shares it. The interpreter always may.
    pub own: bool,
    /// Whether it is the message, and stays so.
    pub message: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locals {
    all: Vec<Local>,
    /// Names that a closure of the function takes along.
    shared: Vec<String>,
}

impl Deref for Locals {
    type Target = [Local];

    fn deref(&self) -> &[Local] {
        &self.all
    }
}

impl Locals {
    /// The parameters of a function with these statements; `message` is the one that is the message.
    pub(crate) fn of(
        parameters: &[ImmutableString],
        message: Option<usize>,
        statements: &[Stmt],
    ) -> Self {
        let mut locals = Self {
            all: Vec::new(),
            shared: shared(statements),
        };
        for (at, name) in parameters.iter().enumerate() {
            locals.push(name);
            if let Some(local) = locals.all.last_mut() {
                local.message = message == Some(at) && local.own && stays(name, statements);
            }
        }
        locals
    }

    /// A new variable, the last of them.
    pub(crate) fn push(&mut self, name: &ImmutableString) {
        self.all.push(Local {
            name: name.clone(),
            own: !self.shared.iter().any(|shared| *shared == **name),
            message: false,
        });
    }

    /// The variables of a block that has ended are gone.
    pub(crate) fn rewind(&mut self, len: usize) {
        self.all.truncate(len);
    }

    /// The slot of a variable that compiled code may touch.
    pub(crate) fn slot(&self, variable: &Expr) -> Option<usize> {
        let slot = self.place(variable)?;
        let local = self.all.get(slot)?;
        (local.own && !local.message).then_some(slot)
    }

    /// Whether an expression is the message.
    pub(crate) fn is_message(&self, variable: &Expr) -> bool {
        let place = self.place(variable).and_then(|slot| self.all.get(slot));
        place.is_some_and(|local| local.message)
    }

    /// Where a variable is, whoever may touch it.
    pub(crate) fn place(&self, variable: &Expr) -> Option<usize> {
        let Expr::Variable(long, short, _) = variable else {
            return None;
        };
        let index = match short {
            Some(short) => Some(usize::from(short.get())),
            None => long.0.map(NonZeroUsize::get),
        };
        let Some(index) = index else {
            // What a closure takes along has no place, only a name.
            let named = || self.all.iter().rposition(|local| *local.name == *long.1);
            return long.2.is_empty().then(named)?;
        };
        let slot = self.all.len().checked_sub(index)?;
        (*self.all.get(slot)?.name == *long.1).then_some(slot)
    }

    /// What the variable at `slot` is called where the interpreter has it: by its name if that leads there,
    /// because Rhai finds most variables by their place, but some only by their name.
    pub(super) fn name_in_scope(&self, slot: usize) -> String {
        let named = |local: &Local| self.all.iter().rposition(|other| other.name == local.name);
        match self.all.get(slot) {
            Some(local) if named(local) == Some(slot) => local.name.to_string(),
            _ => slot.to_string(),
        }
    }
}

/// The names that closures share, wherever they are declared.
fn shared(statements: &[Stmt]) -> Vec<String> {
    let mut names = Vec::new();
    walk(statements, &mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Share(_))) = path.last() {
            mentions(path, &mut |name| names.push(name.to_owned()));
        }
    });
    names
}

/// Whether nothing can put another value in a parameter's place: it is only read, by its fields or as
/// an argument. A method of the script's own could assign to `this`.
fn stays(name: &str, statements: &[Stmt]) -> bool {
    let mut stays = true;
    walk(statements, &mut |path| {
        let variable = |expression: &Expr| matches!(expression, Expr::Variable(variable, ..) if *variable.1 == *name);
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                stays &= !variable(&assignment.1.lhs);
            }
            Some(ASTNode::Expr(Expr::Dot(chain, ..))) if variable(&chain.lhs) => {
                let first = match &chain.rhs {
                    Expr::Dot(rest, ..) | Expr::Index(rest, ..) => &rest.lhs,
                    last => last,
                };
                stays &= matches!(first, Expr::Property(..));
            }
            // The place of the parameter may be used again for another variable of its name.
            Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => stays &= declared.0.as_str() != name,
            Some(ASTNode::Expr(Expr::Index(chain, ..))) => stays &= !variable(&chain.lhs),
            _ => {}
        }
    });
    stays
}

/// Calls `see` with the path to every node.
pub(crate) fn walk(statements: &[Stmt], see: &mut dyn FnMut(&[ASTNode])) {
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            see(path);
            true
        });
    }
}
