//! A program's files as the checks look at them: functions with their bodies, imports, constants.

use rhai::{AST, ASTFlags, ASTNode, Expr, ScriptFuncDef, Stmt};

use super::imports::{Import, imports};
use crate::script::body::{Body, bodies};
use crate::script::program::Source;

/// All files of a program, the handler's own first.
pub(super) struct Tree<'a> {
    pub files: Vec<File<'a>>,
}

/// One file.
pub(super) struct File<'a> {
    pub source: &'a Source,
    /// Whether it is the handler's own, and not a module.
    pub is_handler: bool,
    /// Functions and closures.
    pub bodies: Vec<Body>,
    /// What runs when the file is loaded.
    pub top: Vec<Stmt>,
    /// Wherever they stand in it.
    pub imports: Vec<Import>,
}

/// A constant or variable of a file's top level.
pub(super) struct Global<'a> {
    pub name: &'a str,
    pub constant: bool,
    pub exported: bool,
    pub value: &'a Expr,
}

impl<'a> Tree<'a> {
    /// `None` where Rhai does not show a function's body beyond doubt; nothing is checked then.
    pub(super) fn new(sources: &'a [Source], asts: Vec<AST>) -> Option<Self> {
        let files = sources.iter().zip(asts).map(|(source, ast)| {
            Some(File {
                source,
                is_handler: source.import.is_empty(),
                bodies: bodies(&ast)?,
                top: ast.statements().to_vec(),
                imports: imports(&ast, source, &mut Vec::new()),
            })
        });
        Some(Self {
            files: files.collect::<Option<_>>()?,
        })
    }

    /// The file that `alias` means in `file`.
    pub(super) fn module(&self, file: &File<'_>, alias: &str) -> Option<&File<'a>> {
        let import = file.imports.iter().find(|import| import.alias == alias)?;
        let mut files = self.files.iter();
        files.find(|module| module.source.import == import.path)
    }

    /// The functions that a plain call in `file` can mean: its own, and in a module also those of the
    /// files that called it, which Rhai leaves in reach.
    pub(super) fn reach<'b>(
        &'b self,
        file: &'b File<'a>,
    ) -> impl Iterator<Item = &'b ScriptFuncDef> {
        let others = self
            .files
            .iter()
            .filter(move |other| !file.is_handler || std::ptr::eq(*other, file));
        others.flat_map(File::functions)
    }

    /// Whether some text of the program has `word` elsewhere than before a bracket: a map's field of
    /// this name may hold a closure then, and that be what is called.
    pub(super) fn may_be_a_field(&self, word: &str) -> bool {
        self.files.iter().any(|file| {
            let text = &file.source.text;
            words_at(text, word).any(|at| !text[at + word.len()..].trim_start().starts_with('('))
        })
    }

    /// How often `name` stands in the program's texts where it can mean a variable: not behind a dot.
    pub(super) fn variable_mentions(&self, name: &str) -> usize {
        let files = self.files.iter();
        let mentions = files.map(|file| {
            let text = &file.source.text;
            let is_field = |at: &usize| text[..*at].ends_with('.') && !text[..*at].ends_with("..");
            words_at(text, name).filter(|at| !is_field(at)).count()
        });
        mentions.sum()
    }

    /// How often `word` stands in the program's texts.
    pub(super) fn mentions(&self, word: &str) -> usize {
        let files = self.files.iter();
        files
            .map(|file| words_at(&file.source.text, word).count())
            .sum()
    }
}

impl File<'_> {
    /// The functions that have a name.
    pub(super) fn functions(&self) -> impl Iterator<Item = &ScriptFuncDef> {
        let all = self.bodies.iter().map(|body| &*body.definition);
        all.filter(|function| !is_closure(&function.name))
    }

    /// Calls `see` with the path to every node of the file.
    pub(super) fn walk(&self, see: &mut dyn FnMut(&[ASTNode])) {
        walk(&self.top, see);
        for body in &self.bodies {
            walk(&body.statements, see);
        }
    }

    /// What stands at the top level.
    pub(super) fn globals(&self) -> impl Iterator<Item = Global<'_>> {
        self.top.iter().filter_map(|statement| match statement {
            Stmt::Var(declared, flags, _) => Some(Global {
                name: declared.0.as_str(),
                constant: flags.contains(ASTFlags::CONSTANT),
                exported: flags.contains(ASTFlags::EXPORTED) || self.exports(declared.0.as_str()),
                value: &declared.1,
            }),
            _ => None,
        })
    }

    /// Whether `export name` or `export name as other` stands at the top level.
    fn exports(&self, name: &str) -> bool {
        self.top.iter().any(
            |statement| matches!(statement, Stmt::Export(export, _) if export.0.as_str() == name),
        )
    }
}

/// Calls `see` with the path to every node of these statements.
pub(super) fn walk(statements: &[Stmt], see: &mut dyn FnMut(&[ASTNode])) {
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            see(path);
            true
        });
    }
}

/// Rhai names closures itself.
pub(super) fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

/// Where `word` stands in `text` as a whole word, in bytes.
pub(super) fn words_at<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            !text[..*at].ends_with(part_of_word)
                && !text[at + word.len()..].starts_with(part_of_word)
        })
}
