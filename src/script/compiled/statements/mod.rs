//! Statements: one function each, in the order of Rhai's `eval/stmt.rs`.
//!
//! Each counts an operation at its place and then does what the interpreter does. One that is not in
//! the subset is left to the interpreter as a whole. Those that take more than a function have a file:
//! `assign`, `assigned` and `set` (`=` and its like), `each` (`for`), `until` (`do`), `switch` and `catch`
//! (`try`).

mod assign;
mod assigned;
mod catch;
mod each;
mod set;
mod switch;
mod until;

use rhai::{ASTFlags, BinaryExpr, EvalAltResult, Expr, FlowControl, Position, Stmt, StmtBlock};

use crate::script::compiled::calls;
use crate::script::compiled::expressions::effect;
use crate::script::compiled::expressions::part::{Compiled, Part};
use crate::script::compiled::expressions::pure::{self, Known, Place, Pure, Rest};
use crate::script::compiled::report::Report;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick};
use crate::script::compiled::run::interpreted::Interpreted;
use crate::script::compiled::run::locals::Locals;
use crate::script::compiled::run::value::Value;

/// The compiler at a place of a function.
pub(super) struct Compiler<'a> {
    pub locals: Locals,
    pub known: Known<'a>,
    pub report: Report,
}

/// A construct that no part of a function may have which is compiled.
pub(super) struct Refused {
    pub position: Position,
    pub what: &'static str,
}

type Done<T = Code> = Result<T, Refused>;

/// Statements in a row.
pub(crate) struct Block {
    statements: Vec<Code>,
    /// So many variables were there before it.
    outside: usize,
    /// Whether any come in it.
    declares: bool,
}

impl Block {
    /// The value of the last statement; the variables go away however it ends.
    #[inline]
    pub(super) fn run(&self, frame: &mut Frame<'_>) -> Outcome {
        // Each of the two writes its result where it is wanted: to move it from elsewhere is slow.
        match self.declares {
            true => self.run_closed(frame),
            false => self.run_open(frame),
        }
    }

    /// The same where nobody wants the value.
    #[inline]
    pub(super) fn run_for_effect(&self, frame: &mut Frame<'_>) -> Outcome<()> {
        let mut result = Ok(());
        for statement in &self.statements {
            if let Err(exit) = done(statement(frame)) {
                result = Err(exit);
                break;
            }
        }
        if self.declares {
            frame.slots.truncate(self.outside);
        }
        result
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    #[inline(never)]
    fn run_closed(&self, frame: &mut Frame<'_>) -> Outcome {
        let result = self.run_open(frame);
        frame.slots.truncate(self.outside);
        result
    }

    #[inline(never)]
    fn run_open(&self, frame: &mut Frame<'_>) -> Outcome {
        let Some((last, others)) = self.statements.split_last() else {
            return Ok(Value::Unit);
        };
        for statement in others {
            done(statement(frame))?;
        }
        last(frame)
    }
}

/// Drops the value of a statement, which mostly is none.
#[inline(always)]
fn done(result: Outcome) -> Outcome<()> {
    match result {
        Ok(Value::Unit) => {
            std::mem::forget(result);
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(exit) => Err(exit),
    }
}

impl Compiler<'_> {
    pub(super) fn block(&mut self, statements: &[Stmt]) -> Done<Block> {
        let outside = self.locals.len();
        let compiled: Done<Vec<Code>> = statements.iter().map(|one| self.statement(one)).collect();
        let declares = self.locals.len() > outside;
        self.locals.rewind(outside);
        Ok(Block {
            statements: compiled?,
            outside,
            declares,
        })
    }

    pub(super) fn part(&mut self, expression: &Expr, before: Vec<Position>) -> Part {
        self.part_by(pure::compile, expression, before)
    }

    /// A part whose value goes on as it is: the interpreter gives `msg.json` shared, and says so where that is
    /// no value that somebody can use.
    pub(super) fn part_as_it_is(&mut self, expression: &Expr) -> Part {
        match self.pure(expression) {
            Some(Pure {
                rest: Rest::Json(_),
                ..
            }) => Part::Interpreted {
                before: Box::default(),
                part: Interpreted::expression(expression, &self.locals),
            },
            _ => self.part(expression, Vec::new()),
        }
    }

    /// An argument of a function.
    pub(super) fn argument(&mut self, expression: &Expr, before: Vec<Position>) -> Part {
        self.part_by(pure::argument, expression, before)
    }

    fn part_by(
        &mut self,
        compile: fn(&Expr, &Place<'_>) -> Option<Pure>,
        expression: &Expr,
        before: Vec<Position>,
    ) -> Part {
        let known = self.report.left.len();
        let compiled = match compile(expression, &self.place()) {
            Some(pure) => Compiled::Pure(pure),
            None => effect::compile(self, expression).map_or(Compiled::No, Compiled::Effect),
        };
        if matches!(compiled, Compiled::No) {
            // What was found in it is part of what is left.
            self.report.left.truncate(known);
        }
        Part::new(expression, before, compiled, &self.locals, &mut self.report)
    }

    pub(super) fn pure(&self, expression: &Expr) -> Option<Pure> {
        pure::compile(expression, &self.place())
    }

    /// Whether it is a constant at the top of the file.
    pub(super) fn is_constant(&self, variable: &Expr) -> bool {
        let known = &self.known;
        known.functions.is_constant(known.file, variable)
    }

    fn place(&self) -> Place<'_> {
        Place {
            locals: &self.locals,
            known: &self.known,
        }
    }

    /// The statement as the interpreter runs it.
    pub(super) fn whole(&self, statement: &Stmt) -> Interpreted {
        Interpreted::statement(statement, &self.locals)
    }

    fn statement(&mut self, statement: &Stmt) -> Done {
        match statement {
            Stmt::Noop(at) => Ok(nothing(*at)),
            Stmt::Expr(expression) => Ok(self.expression(expression, statement.position())),
            Stmt::FnCall(call, at) => {
                let code = match call.op_token {
                    Some(_) => effect::operator(self, call, *at),
                    None => calls::compile(self, call, *at, vec![*at]),
                };
                Ok(code.unwrap_or_else(|| self.left(statement)))
            }
            Stmt::Block(block) => self.nested(block),
            Stmt::If(control, at) => self.if_else(control, *at),
            Stmt::Switch(switch, at) => Ok(switch::compile(self, switch, *at)),
            Stmt::While(control, at) => self.repeat(control, *at),
            Stmt::Do(control, flags, at) => until::compile(self, control, *flags, *at),
            Stmt::For(each, at) => each::compile(self, statement, each, *at),
            Stmt::Var(declared, flags, at) => Ok(self.declare(declared, *flags, *at)),
            Stmt::Assignment(assignment) => {
                Ok(match assign::compile(self, statement, assignment) {
                    Some(code) => code,
                    None => self.left(statement),
                })
            }
            Stmt::TryCatch(control, at) => catch::compile(self, control, *at),
            Stmt::BreakLoop(value, flags, at) => Ok(self.leave_loop(value, *flags, *at)),
            Stmt::Return(value, flags, at) => Ok(self.leave(value, *flags, *at)),
            Stmt::Import(_, position) | Stmt::Export(_, position) => Err(Refused {
                position: *position,
                what: "`import` or `export` in a function",
            }),
            _ => Ok(self.left(statement)),
        }
    }

    /// Left to the interpreter.
    pub(super) fn left(&mut self, statement: &Stmt) -> Code {
        self.report.statement(statement);
        let whole = self.whole(statement);
        Box::new(move |frame| whole.run(frame))
    }

    fn expression(&mut self, expression: &Expr, at: Position) -> Code {
        if let Expr::FnCall(call, here) = expression
            && call.op_token.is_none()
            && let Some(call) = calls::compile(self, call, *here, vec![at, *here])
        {
            return call;
        }
        let part = self.part(expression, vec![at]);
        Box::new(move |frame| Ok(part.value(frame)?.flatten()))
    }

    pub(super) fn nested(&mut self, block: &StmtBlock) -> Done {
        let at = block.position();
        let block = self.block(block.statements())?;
        Ok(Box::new(move |frame| {
            tick(at)?;
            block.run(frame)
        }))
    }

    fn if_else(&mut self, control: &FlowControl, at: Position) -> Done {
        let condition = self.part(&control.expr, vec![at]);
        let asked = control.expr.position();
        let then = self.block(control.body.statements())?;
        let otherwise = self.block(control.branch.statements())?;
        Ok(Box::new(move |frame| {
            match condition.flag(asked, frame)? {
                true => then.run(frame),
                false => otherwise.run(frame),
            }
        }))
    }

    /// `while` and `loop`.
    fn repeat(&mut self, control: &FlowControl, at: Position) -> Done {
        let endless = matches!(control.expr, Expr::Unit(..) | Expr::BoolConstant(true, ..));
        let condition = (!endless).then(|| self.part(&control.expr, Vec::new()));
        let asked = control.expr.position();
        let empty = control.body.is_empty().then(|| control.body.position());
        let body = self.block(control.body.statements())?;
        Ok(Box::new(move |frame| {
            tick(at)?;
            loop {
                match &condition {
                    Some(condition) if !condition.flag(asked, frame)? => return Ok(Value::Unit),
                    Some(_) => {}
                    None => empty.map_or(Ok(()), tick)?,
                }
                match body.run_for_effect(frame) {
                    Ok(()) | Err(Exit::Continue) => {}
                    Err(Exit::Break) => return Ok(std::mem::take(&mut frame.carried)),
                    Err(other) => return Err(other),
                }
            }
        }))
    }

    /// `let` and `const`.
    fn declare(
        &mut self,
        declared: &(rhai::Ident, Expr, Option<std::num::NonZeroUsize>),
        flags: ASTFlags,
        at: Position,
    ) -> Code {
        let (name, value, again) = declared;
        let part = self.part(value, vec![at]);
        let constant = flags.intersects(ASTFlags::CONSTANT);
        // Rhai uses the place of an earlier variable of this name again.
        let slot = again.and_then(|index| self.locals.len().checked_sub(index.get()));
        if slot.is_none() {
            self.locals.push(&name.name);
        }
        if !constant {
            return Box::new(move |frame| part.store(slot, frame).map(|()| Value::Unit));
        }
        Box::new(move |frame| {
            let value = part.value(frame)?.owned().interned();
            let value = Value::Other(value.into_dynamic().into_read_only());
            match slot {
                None => frame.slots.push(value),
                Some(slot) => {
                    if let Some(place) = frame.slots.get_mut(slot) {
                        *place = value;
                    }
                }
            }
            Ok(Value::Unit)
        })
    }

    /// `break` and `continue`.
    fn leave_loop(&mut self, value: &Option<Box<Expr>>, flags: ASTFlags, at: Position) -> Code {
        let breaks = flags.intersects(ASTFlags::BREAK);
        let part = value.as_ref().map(|value| self.part(value, vec![at]));
        Box::new(move |frame| {
            let value = carried(&part, at, frame)?;
            if !breaks {
                return Err(Exit::Continue);
            }
            frame.carried = value;
            Err(Exit::Break)
        })
    }

    /// `return` and `throw`.
    fn leave(&mut self, value: &Option<Box<Expr>>, flags: ASTFlags, at: Position) -> Code {
        let throws = flags.intersects(ASTFlags::BREAK);
        let part = value.as_ref().map(|value| self.part(value, vec![at]));
        Box::new(move |frame| {
            let value = carried(&part, at, frame)?.flatten();
            if throws {
                let error = EvalAltResult::ErrorRuntime(value.into_dynamic(), at);
                return Err(Exit::Error(error.into()));
            }
            frame.carried = value;
            Err(Exit::Return)
        })
    }
}

/// The value that `break`, `return` or `throw` carries, `()` for none.
fn carried(part: &Option<Part>, at: Position, frame: &mut Frame<'_>) -> Outcome {
    match part {
        Some(part) => part.value(frame),
        None => tick(at).map(|()| Value::Unit),
    }
}

fn nothing(at: Position) -> Code {
    Box::new(move |_| tick(at).map(|()| Value::Unit))
}

/// The two sides of an assignment.
pub(super) type Sides = BinaryExpr;
