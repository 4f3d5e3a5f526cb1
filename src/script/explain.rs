//! Which functions of a program are compiled, and what is left to the interpreter: for
//! `deliveryd check --explain`.

use std::rc::Rc;

use rhai::ScriptFuncDef;

use super::check::{entries, line_and_column};
use super::compiled::{self, Compiled, Uncompiled};
use super::json::JsonObject;
use super::{Program, body, engine};
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
    let called = entries::of(program.kind());
    let mut all = Vec::new();
    for source in program.sources() {
        let Ok(ast) = engine.compile(&source.text) else {
            continue;
        };
        let own: Vec<String> = ast.iter_functions().map(|f| f.name.to_owned()).collect();
        for body in body::bodies(&ast).unwrap_or_default() {
            let function = &*body.definition;
            if function.name.starts_with("anon$") {
                continue;
            }
            let called = called.iter().find(|entry| {
                entry.name == function.name && entry.parameters.len() == function.params.len()
            });
            let compiled = called.filter(|_| source.import.is_empty()).map(|entry| {
                let source = compiled::Source {
                    parameters: &function.params,
                    message: entry.parameters.iter().position(|name| *name == "msg"),
                    kept: None,
                    // Which there are makes no difference.
                    params: Some(JsonObject::new(&Rc::default(), 0)),
                    statements: &body.statements,
                    own: &own,
                };
                compiled::compile(&source, limits)
            });
            all.push(explained(&source.shown, function, compiled));
        }
    }
    all
}

fn explained(
    file: &str,
    function: &ScriptFuncDef,
    compiled: Option<Result<Compiled, Uncompiled>>,
) -> Explained {
    let parameters: Vec<&str> = function.params.iter().map(|name| name.as_str()).collect();
    let mut left = Vec::new();
    let compiled = match compiled {
        Some(Ok(compiled)) => {
            left.extend(compiled.left.into_iter().map(|left| {
                let (line, column) = line_and_column(left.position);
                (line, column, left.what)
            }));
            Ok(())
        }
        Some(Err(why)) => {
            let (line, column) = line_and_column(why.position);
            Err(format!("{line}:{column} has {}", why.what))
        }
        None => Err("only functions that deliveryd calls itself are compiled".into()),
    };
    Explained {
        file: file.to_owned(),
        function: format!("{}({})", function.name, parameters.join(", ")),
        compiled,
        left,
    }
}
