//! Which functions of a program are compiled, and what is left to the interpreter: for
//! `deliveryd check --explain`.

use std::rc::Rc;

use rhai::{AST, ScriptFuncDef};

use super::check::{entries, line_and_column};
use super::compiled::{self, Compiled, Functions, Uncompiled};
use super::json::JsonObject;
use super::{Program, engine};
use crate::config::Limits;

/// What becomes of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The file, as diagnostics show it.
    pub file: String,
    /// `handle(msg)`.
    pub function: String,
    /// Whether it is compiled, and if not, why not.
    pub compiled: Result<(), String>,
    /// Places that are left to the interpreter: line, column, construct.
    pub left: Vec<(usize, usize, String)>,
}

/// Every function of every file, the handler's own first.
pub fn explain(program: &Program, limits: &Limits) -> Vec<Explained> {
    let engine = engine::bare(limits);
    let sources = program.sources().iter();
    let files: Vec<(String, AST)> = sources
        .filter_map(|source| Some((source.import.clone(), engine.compile(&source.text).ok()?)))
        .collect();
    let functions = Functions::new(&files);
    let called = entries::of(program.kind());
    let explained = functions
        .all()
        .into_iter()
        .filter_map(|(file, definition)| {
            if definition.name.starts_with("anon$") {
                return None;
            }
            let entry = called.iter().find(|entry| {
                file == 0
                    && entry.name == definition.name
                    && entry.parameters.len() == definition.params.len()
            });
            let message =
                entry.and_then(|entry| entry.parameters.iter().position(|name| *name == "msg"));
            let statements = functions.statements(file, &definition)?;
            let source = compiled::Source {
                parameters: &definition.params,
                message,
                kept: None,
                // Which there are makes no difference.
                params: Some(JsonObject::new(&Rc::default(), 0)),
                statements: &statements,
                functions: &functions,
                file,
            };
            let compiled = compiled::compile(&source, limits);
            let shown = program.sources().get(file)?.shown.as_str();
            Some(explained(shown, &definition, compiled))
        });
    explained.collect()
}

fn explained(
    file: &str,
    function: &ScriptFuncDef,
    compiled: Result<Compiled, Uncompiled>,
) -> Explained {
    let parameters: Vec<&str> = function.params.iter().map(|name| name.as_str()).collect();
    let mut left = Vec::new();
    let compiled = compiled.map(|compiled| {
        left.extend(compiled.left.into_iter().map(|left| {
            let (line, column) = line_and_column(left.position);
            (line, column, left.what)
        }));
    });
    let compiled = compiled.map_err(|why| {
        let (line, column) = line_and_column(why.position);
        format!("{line}:{column} has {}", why.what)
    });
    Explained {
        file: file.to_owned(),
        function: format!("{}({})", function.name, parameters.join(", ")),
        compiled,
        left,
    }
}
