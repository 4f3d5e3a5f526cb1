//! `"key: ${msg.key}"`: only a text in backticks fills in what stands in `${…}`. A warning.

use rhai::{ASTNode, Expr};

use super::line_and_column;
use super::tree::File;
use crate::diagnostic::Diagnostic;
use crate::script::diagnose::place_of_word;

pub(super) fn check(file: &File<'_>, warnings: &mut Vec<Diagnostic>) {
    file.walk(&mut |path| {
        let Some(ASTNode::Expr(Expr::StringConstant(text, position))) = path.last() else {
            return;
        };
        let (line, column) = line_and_column(*position);
        let written = file.source.text.lines().nth(line.saturating_sub(1));
        let quote = written.and_then(|line| line.chars().nth(column.saturating_sub(1)));
        let opened = text.find("${");
        if quote != Some('"') || !opened.is_some_and(|at| text[at..].contains('}')) {
            return;
        }
        warnings.push(Diagnostic {
            message: "`${…}` is filled in only in backticks".into(),
            place: place_of_word(file.source, line, column),
            label: "this text stays as it is".into(),
            hints: vec!["write the text between ` and ` instead of quotes".into()],
        });
    });
}
