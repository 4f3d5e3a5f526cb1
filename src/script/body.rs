//! The statements of a script's function, to run them without a call.
//!
//! Rhai 1.27 shows a function's body only by walking the whole tree, so `statements` picks out what
//! stands between the body's braces and belongs to no closure in it, and proves by comparing the
//! printed forms that nothing is missing or too much.

use rhai::{AST, ASTNode, Position, ScriptFuncDef, Stmt, StmtBlock};

/// The body of `function`, or `None` where the tree does not show it beyond doubt.
pub(crate) fn statements(ast: &AST, function: &ScriptFuncDef) -> Option<Vec<Stmt>> {
    let (begin, end) = (function.body.start_position(), function.body.end_position());
    let inner: Vec<(Position, Position)> = ast
        .shared_lib()
        .iter_script_fn_info()
        .map(|(.., other)| (other.body.start_position(), other.body.end_position()))
        .filter(|(from, _)| *from != begin && within(*from, begin, end))
        .collect();
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            let at = statement.position();
            let in_closure = inner
                .iter()
                .any(|(from, to)| at == *from || within(at, *from, *to));
            if within(at, begin, end) && !in_closure {
                found.push((*statement).clone());
            }
        }
        true
    });
    let block = StmtBlock::new(found.iter().cloned(), begin, end);
    let same = format!("{:?}", function.body) == format!("Statements({block:?})");
    same.then_some(found)
}

fn within(at: Position, begin: Position, end: Position) -> bool {
    !at.is_none() && begin <= at && at <= end
}
