//! What a program's syntax trees say before anything runs.
//!
//! [`program`] looks at all files of a handler at once and returns its mistakes, which refuse it,
//! and its warnings, which do not. One file a subject: `entries` (`handle` and the like), `calls`,
//! `modules`, `variables`, `message` (`msg` wherever it goes), `in_place`, `compare`, `texts`,
//! `unused`, `topics`. A script that would run is never refused: where the tree leaves a doubt, nothing is
//! said here, and the call says it when it runs.

mod calls;
mod compare;
pub(super) mod entries;
mod imports;
mod in_place;
mod message;
mod modules;
mod texts;
mod topics;
mod tree;
mod unused;
mod variables;

use rhai::{AST, Position};

pub(crate) use imports::{Import, imports};
pub(crate) use topics::TopicUse;

use super::Kind;
use super::program::Source;
use crate::diagnostic::{Diagnostic, Place};
use tree::Tree;

/// What was found in a program.
#[derive(Default)]
pub(crate) struct Found {
    pub mistakes: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    /// The topics that it names in plain quotes.
    pub topics: Vec<TopicUse>,
}

/// Checks a program of these files, the handler's own first.
pub(crate) fn program(sources: &[Source], asts: Vec<AST>, kind: Kind) -> Found {
    let mut found = Found::default();
    let Some(tree) = Tree::new(sources, asts) else {
        return found;
    };
    let Some(handler) = tree.files.first() else {
        return found;
    };
    let mistakes = &mut found.mistakes;
    if kind == Kind::Test {
        // It calls what a member's engine does not have; its functions are for `testing` to look at.
        imports::circles(&tree, mistakes);
        return found;
    }
    entries::check(handler, kind, mistakes);
    imports::circles(&tree, mistakes);
    // Before the calls: of a message more is known than of other values.
    let holders = message::holders(&tree, kind);
    for holder in &holders {
        message::check(&tree, holder, mistakes);
        compare::message_fields(holder, &mut found.warnings);
    }
    for file in &tree.files {
        variables::params_are_kept(file, mistakes);
        variables::check(&tree, file, mistakes);
        calls::check(&tree, file, mistakes, &mut found.warnings);
        modules::check(&tree, file, mistakes);
        in_place::check(&tree, file, &mut found.warnings);
        compare::type_names(file, &mut found.warnings);
        texts::check(file, &mut found.warnings);
    }
    unused::check(&tree, kind, &mut found.warnings);
    found.topics = topics::named(&tree);
    in_order(sources, &mut found.mistakes);
    in_order(sources, &mut found.warnings);
    found
}

/// File by file from top to bottom, each once.
fn in_order(sources: &[Source], list: &mut Vec<Diagnostic>) {
    let rank = |diagnostic: &Diagnostic| match &diagnostic.place {
        Place::File {
            path, line, column, ..
        } => {
            let file = sources.iter().position(|source| source.shown == *path);
            (file.unwrap_or(sources.len()), *line, *column)
        }
        _ => (sources.len(), 0, 0),
    };
    list.sort_by_key(rank);
    // Two checks may stumble over the same word; the first says it.
    list.dedup_by(|later, earlier| later.place == earlier.place && later.place != Place::Nowhere);
}

pub(crate) fn line_and_column(position: Position) -> (usize, usize) {
    (
        position.line().unwrap_or(0),
        position.position().unwrap_or(1),
    )
}

/// A finding at a word of a file.
fn at_word(
    source: &Source,
    position: Position,
    word: &str,
    message: String,
    label: &str,
    hints: Vec<String>,
) -> Diagnostic {
    let (line, column) = line_and_column(position);
    Diagnostic {
        message,
        place: super::diagnose::place(source, line, column, word.chars().count()),
        label: label.to_owned(),
        hints,
    }
}

/// `1 argument`, `2 arguments`.
fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
