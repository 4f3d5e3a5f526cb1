//! Functions of a script as Rust closures, indistinguishable from what the interpreter makes of them.
//!
//! [`compile`] walks the tree that the interpreter would walk, once, and makes of each construct the
//! closure that does the same. Three rules keep them the same:
//!
//! - An operation is counted where the interpreter counts one, so a limit is reached at the same place.
//! - A rule is for values of known types. With any other, or where an error would be told, an expression
//!   that has had no effect yet is done again by the interpreter (`expressions/part`, [`Exit::Unsure`]); one
//!   that may have had some goes on in the interpreter, over the values that are there (`run/over`).
//! - What has no construct here is the interpreter's, in a scope that holds the variables it mentions
//!   (`run/interpreted`).
//!
//! The table of constructs, to be read beside Rhai's sources; each construct has a file or a function, and
//! each folder begins with its part of the table:
//!
//! - `statements` (`eval/stmt.rs`);
//! - `expressions` (`eval/expr.rs`);
//! - `chains` (`eval/chaining.rs`, `eval/indexing.rs`);
//! - `calls` (`func/call.rs`, `func/script.rs`).
//!
//! `run` is what they work with, and `report` tells what is left to the interpreter. Values of 16 bytes
//! ([`Scalar`](run::scalar::Scalar)) go in registers, while a [`Value`] goes through memory, where reading
//! what was just written is slow: hence the short way of what gives a number or a flag
//! (`expressions/quick`).

mod calls;
mod chains;
mod expressions;
mod report;
mod run;
mod statements;

use rhai::{ASTNode, Dynamic, EvalAltResult, Expr, ImmutableString, Position, Stmt};

use super::json::JsonObject;
use crate::config::Limits;
use calls::functions::Function;
pub(crate) use calls::functions::Functions;
use expressions::pure::Known;
use report::Report;
use run::frame::Exit;
pub(crate) use run::frame::Frame;
use run::locals::Locals;
pub(crate) use run::value::Value;
use statements::{Block, Compiler};

pub(crate) use report::Left;

/// A compiled function.
pub(crate) struct Compiled {
    body: Block,
    /// Kept for the memory.
    slots: Vec<Value>,
    /// The message, if the function has but that.
    message: Option<Value>,
    /// What in it is left to the interpreter.
    pub left: Vec<Left>,
}

/// Why a function is not compiled.
#[derive(Debug, Clone)]
pub(crate) struct Uncompiled {
    pub position: Position,
    pub what: String,
}

/// A function to compile.
pub(crate) struct Source<'a> {
    pub parameters: &'a [ImmutableString],
    /// Which of them is the message.
    pub message: Option<usize>,
    /// The message itself, the same for every call, where there is one.
    pub kept: Option<&'a Dynamic>,
    pub statements: &'a [Stmt],
    /// All the functions of the program.
    pub functions: &'a Functions,
    /// Which of its files this one is of.
    pub file: usize,
    /// The constants of the configuration.
    pub params: Option<JsonObject>,
}

/// Compiles a function, or says why that can't be done; and those that it calls.
pub(crate) fn compile(source: &Source<'_>, limits: &Limits) -> Result<Compiled, Uncompiled> {
    let locals = Locals::of(source.parameters, source.message, source.statements);
    let alone = locals.len() == 1 && locals.iter().all(|local| local.message);
    let kept = source.kept.filter(|_| alone);
    let (body, left) = block(source.statements, locals, source.file, source, limits)?;
    while let Some(function) = source.functions.next() {
        compile_called(&function, source, limits);
    }
    Ok(Compiled {
        body,
        slots: Vec::new(),
        message: kept.cloned().map(Value::Other),
        left,
    })
}

/// A function that is called by a compiled one, in whichever file.
fn compile_called(function: &Function, source: &Source<'_>, limits: &Limits) {
    let definition = &function.definition;
    let statements = source.functions.statements(function.file, definition);
    let body = statements.and_then(|statements| {
        let locals = Locals::of(&definition.params, None, &statements);
        block(&statements, locals, function.file, source, limits).ok()
    });
    function.done(body.map(|(body, _)| body));
}

fn block(
    statements: &[Stmt],
    locals: Locals,
    file: usize,
    source: &Source<'_>,
    limits: &Limits,
) -> Result<(Block, Vec<Left>), Uncompiled> {
    unsuited(statements)?;
    let mut compiler = Compiler {
        locals,
        known: Known {
            longest: limits.string,
            most: limits.array,
            functions: source.functions,
            file,
            params: source.params.as_ref(),
        },
        report: Report::default(),
    };
    let body = compiler.block(statements).map_err(|refused| Uncompiled {
        position: refused.position,
        what: refused.what.to_owned(),
    })?;
    Ok((body, compiler.report.left))
}

/// Functions that see how a variable is kept.
const LOOKING: &[&str] = &["is_def_var", "is_shared"];

/// What looks at the variables by their names, or adds to them behind the compiler's back.
fn unsuited(statements: &[Stmt]) -> Result<(), Uncompiled> {
    let mut found = None;
    run::locals::walk(statements, &mut |path| {
        let what = match path.last() {
            Some(
                ASTNode::Stmt(Stmt::FnCall(call, at))
                | ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at)),
            ) if call.capture_parent_scope || LOOKING.contains(&call.name.as_str()) => Some((
                *at,
                format!(
                    "a call of `{}`, which looks at variables, not values",
                    call.name
                ),
            )),
            Some(ASTNode::Stmt(Stmt::Import(_, at) | Stmt::Export(_, at))) => {
                Some((*at, "`import` or `export` in a function".to_owned()))
            }
            Some(ASTNode::Expr(Expr::Custom(_, at))) => Some((*at, "a custom syntax".to_owned())),
            _ => None,
        };
        if found.is_none() {
            found = what.map(|(position, what)| Uncompiled { position, what });
        }
    });
    found.map_or(Ok(()), Err)
}

impl Compiled {
    /// Whether a call does nothing.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether it is called without arguments, because it keeps the message.
    #[inline]
    pub(crate) fn keeps_the_message(&self) -> bool {
        self.message.is_some()
    }

    /// Runs it with these values of its parameters, or with those that it keeps; of its value is made what
    /// `take` does.
    #[inline]
    pub(crate) fn run<const N: usize, R>(
        &mut self,
        mut frame: Frame<'_>,
        arguments: [Dynamic; N],
        take: fn(Value) -> R,
    ) -> Result<R, Box<EvalAltResult>> {
        let mut slots = std::mem::take(&mut self.slots);
        if slots.is_empty()
            && let Some(message) = &self.message
        {
            slots.push(message.clone());
        }
        slots.extend(arguments.into_iter().map(Value::of));
        frame.slots = slots;
        let result = match self.body.run(&mut frame) {
            Ok(value) => Ok(take(value)),
            Err(Exit::Return) => Ok(take(std::mem::take(&mut frame.carried))),
            Err(Exit::Error(error)) => match *error {
                // `exit` ends the whole call, however deep in it.
                EvalAltResult::Exit(value, _) => Ok(take(Value::of(value))),
                error => Err(error.into()),
            },
            // Rhai's parser lets neither stand outside a loop, and each `Unsure` has its way out.
            Err(Exit::Break | Exit::Continue | Exit::Unsure) => Ok(take(Value::Unit)),
        };
        // Nothing of a message outlives its call. Where a call panics, its slots are gone.
        frame.slots.truncate(usize::from(self.message.is_some()));
        self.slots = frame.slots;
        result
    }
}
