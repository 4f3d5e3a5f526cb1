//! Which files a file imports, and files that import each other in a circle.

use rhai::{AST, ASTNode, Expr, Stmt};

use super::line_and_column;
use super::tree::Tree;
use crate::diagnostic::Diagnostic;
use crate::script::diagnose;
use crate::script::program::Source;

/// An `import "path" as alias` and where its path stands.
pub(crate) struct Import {
    pub path: String,
    /// Empty where it has none.
    pub alias: String,
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
                    alias: import.1.as_str().to_owned(),
                    line,
                    column,
                }),
                _ => mistakes.push(Diagnostic {
                    message: "an import must name its file in plain quotes".into(),
                    place: diagnose::place_of_word(source, line, column),
                    label: "this is only known when it runs".into(),
                    hints: vec!["write import \"lib/money\" as money".into()],
                }),
            }
        }
        true
    });
    imports
}

/// Files that import each other in a circle would load for ever.
pub(super) fn circles(tree: &Tree<'_>, mistakes: &mut Vec<Diagnostic>) {
    let edges: Vec<Vec<(usize, &Import)>> = tree
        .files
        .iter()
        .map(|file| {
            let targets = file.imports.iter().filter_map(|import| {
                let mut files = tree.files.iter();
                let target = files.position(|target| target.source.import == import.path);
                target.map(|target| (target, import))
            });
            targets.collect()
        })
        .collect();
    let mut finished = vec![false; tree.files.len()];
    let mut path = Vec::new();
    for start in 0..tree.files.len() {
        visit(start, &edges, &mut finished, &mut path, tree, mistakes);
    }
}

fn visit(
    at: usize,
    edges: &[Vec<(usize, &Import)>],
    finished: &mut [bool],
    path: &mut Vec<usize>,
    tree: &Tree<'_>,
    mistakes: &mut Vec<Diagnostic>,
) {
    if finished[at] {
        return;
    }
    path.push(at);
    for (target, import) in &edges[at] {
        if let Some(begin) = path.iter().position(|visited| visited == target) {
            let shown = |at: &usize| tree.files[*at].source.shown.as_str();
            let mut circle: Vec<&str> = path[begin..].iter().map(shown).collect();
            circle.push(shown(target));
            mistakes.push(Diagnostic {
                message: "these files import each other in a circle".into(),
                place: diagnose::place(
                    tree.files[at].source,
                    import.line,
                    import.column,
                    import.path.chars().count() + 2,
                ),
                label: format!("leads back to {}", shown(target)),
                hints: vec![
                    circle.join(" → "),
                    "move what both need into a file of its own".into(),
                ],
            });
        } else {
            visit(*target, edges, finished, path, tree, mistakes);
        }
    }
    path.pop();
    finished[at] = true;
}
