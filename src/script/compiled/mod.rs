//! Functions of a script as Rust closures, indistinguishable from what the interpreter makes of them.
//!
//! [`compile`] walks the tree that the interpreter would walk, once, and makes of each construct the
//! closure that does the same: `statements` (and `assign`, `each`, `calls`), `pure` (and `operators`,
//! `chain`, `method`, `message`, `text`) are the table of constructs, one function each, to be read
//! beside Rhai's `eval/stmt.rs`, `eval/expr.rs` and `eval/chaining.rs`. Three rules keep them the same:
//!
//! - An operation is counted where the interpreter counts one, so a limit is reached at the same place.
//! - A rule is for values of known types. With any other, or where an error would be told, an expression
//!   that has had no effect yet is done again by the interpreter ([`part`], [`Exit::Unsure`]).
//! - What has no construct here is the interpreter's, in a scope that holds the variables it mentions
//!   (`interpreted`).
//!
//! `quick` is the short way of what gives a number or a flag (`scalar`): values of 16 bytes go in
//! registers, while a [`Value`] goes through memory, where reading what was just written is slow.
//!
//! `frame` is one call, `value` what it works on, `locals` the variables at a place.

mod assign;
mod calls;
mod chain;
mod each;
mod frame;
mod interpreted;
mod locals;
mod message;
mod method;
mod operators;
mod part;
mod parts;
mod pure;
mod quick;
mod reach;
mod report;
mod scalar;
mod statements;
mod text;
mod value;

use rhai::{
    ASTNode, Caches, Dynamic, Engine, EvalAltResult, Expr, GlobalRuntimeState, ImmutableString,
    Position, Stmt,
};

use super::json::JsonObject;
use super::state::State;
use crate::config::Limits;
use frame::{Exit, Frame};
use locals::Locals;
use pure::Known;
use report::Report;
use statements::{Block, Compiler};
pub(crate) use value::Value;

pub(crate) use report::Left;

/// A compiled function.
pub(crate) struct Compiled {
    body: Block,
    /// Kept for the memory, and for the message, if the function has but that.
    slots: Vec<Value>,
    kept: usize,
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
    /// The names of all the script's functions.
    pub own: &'a [String],
    /// The constants of the configuration.
    pub params: Option<JsonObject>,
}

/// Compiles a function, or says why that can't be done.
pub(crate) fn compile(source: &Source<'_>, limits: &Limits) -> Result<Compiled, Uncompiled> {
    unsuited(source)?;
    let mut compiler = Compiler {
        locals: Locals::of(source.parameters, source.message, source.statements),
        known: Known {
            longest: limits.string,
            most: limits.array,
            own: source.own,
            params: source.params.as_ref(),
        },
        report: Report::default(),
    };
    let alone = compiler.locals.len() == 1 && compiler.locals.iter().all(|local| local.message);
    let kept = source.kept.filter(|_| alone);
    let slots: Vec<Value> = kept.cloned().map(Value::Other).into_iter().collect();
    let body = compiler.block(source.statements);
    let body = body.map_err(|refused| Uncompiled {
        position: refused.position,
        what: refused.what.to_owned(),
    })?;
    Ok(Compiled {
        body,
        kept: slots.len(),
        slots,
        left: compiler.report.left,
    })
}

/// Functions that see how a variable is kept.
const LOOKING: &[&str] = &["is_def_var", "is_shared"];

/// What looks at the variables by their names, or adds to them behind the compiler's back.
fn unsuited(source: &Source<'_>) -> Result<(), Uncompiled> {
    let mut found = None;
    locals::walk(source.statements, &mut |path| {
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
        self.kept > 0
    }

    /// Runs it with these values of its parameters, or with those that it keeps; of its value is made what
    /// `take` does.
    #[inline]
    pub(crate) fn run<const N: usize, R>(
        &mut self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        caches: &mut Caches,
        state: &State,
        arguments: [Dynamic; N],
        take: fn(Value) -> R,
    ) -> Result<R, Box<EvalAltResult>> {
        let mut slots = std::mem::take(&mut self.slots);
        slots.extend(arguments.into_iter().map(Value::of));
        let mut frame = Frame {
            engine,
            global,
            caches,
            state,
            slots,
            carried: Value::Unit,
        };
        let result = match self.body.run(&mut frame) {
            Ok(value) => Ok(take(value)),
            Err(Exit::Return) => Ok(take(std::mem::take(&mut frame.carried))),
            Err(Exit::Error(error)) => Err(error),
            // Rhai's parser lets neither stand outside a loop, and each `Unsure` has its way out.
            Err(Exit::Break | Exit::Continue | Exit::Unsure) => Ok(take(Value::Unit)),
        };
        // Nothing of a message outlives its call.
        frame.slots.truncate(self.kept);
        self.slots = frame.slots;
        result
    }
}
