//! The statements of a script's functions, to run them without a call and to look into them.
//!
//! Rhai 1.27 shows functions' bodies only by walking the whole tree, one function after the other.
//! [`bodies`] cuts that walk into functions by the length of their printed forms, and proves by
//! comparing those that nothing is missing or too much.

use std::fmt::Write;

use rhai::{AST, ASTNode, ScriptFuncDef, Shared, Stmt, StmtBlock};

/// A function or closure of a script.
pub(crate) struct Body {
    pub definition: Shared<ScriptFuncDef>,
    /// Without those of the closures in it, which are functions of their own.
    pub statements: Vec<Stmt>,
}

/// The body of `function`, or `None` where the tree does not show it beyond doubt.
pub(crate) fn statements(ast: &AST, function: &ScriptFuncDef) -> Option<Vec<Stmt>> {
    let same = |other: &ScriptFuncDef| {
        other.name == function.name
            && other.params == function.params
            && other.this_type == function.this_type
    };
    let mut bodies = bodies(ast)?.into_iter();
    bodies
        .find(|body| same(&body.definition))
        .map(|body| body.statements)
}

/// Every function and closure, or `None` where the tree does not show them beyond doubt.
pub(crate) fn bodies(ast: &AST) -> Option<Vec<Body>> {
    let mut walked = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            walked.push((*statement).clone());
        }
        true
    });
    let mut walked = walked.into_iter().skip(ast.statements().len());
    let mut bodies = Vec::new();
    for (.., definition) in ast.shared_lib().iter_script_fn_info() {
        let span = (
            definition.body.start_position(),
            definition.body.end_position(),
        );
        let printed = format!("{:?}", definition.body);
        let empty = format!("Statements({:?})", StmtBlock::new([], span.0, span.1));
        let mut wanted = printed.len().checked_sub(empty.len())?;
        let mut statements = Vec::new();
        while wanted > 0 {
            let statement = walked.next()?;
            let separator = if statements.is_empty() { 0 } else { ", ".len() };
            wanted = wanted.checked_sub(printed_len(&statement) + separator)?;
            statements.push(statement);
        }
        let block = StmtBlock::new(statements, span.0, span.1);
        if format!("Statements({block:?})") != printed {
            return None;
        }
        bodies.push(Body {
            definition: Shared::clone(definition),
            statements: block.into_iter().collect(),
        });
    }
    walked.next().is_none().then_some(bodies)
}

fn printed_len(statement: &Stmt) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match write!(counter, "{statement:?}") {
        Ok(()) => counter.0,
        // A counter takes everything; this fits no function and so shows none.
        Err(_) => usize::MAX / 2,
    }
}
