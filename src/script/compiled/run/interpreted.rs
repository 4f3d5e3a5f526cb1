//! A part of a function that the interpreter runs: the part of the tree itself, in a scope that holds
//! the variables which it mentions.
//!
//! Whatever compiled code has no construct for, or comes upon values it has no rule for, goes this way,
//! and so is what the interpreter makes of it.

use std::cell::RefCell;

use rhai::{ASTNode, Dynamic, EvalAltResult, EvalContext, Expr, Position, Scope, Stmt, StmtBlock};

use super::frame::{Exit, Frame, Outcome, tick};
use super::locals::Locals;
use super::over;
use super::value::{Value, has_constant};
use crate::script::meter;

/// A part for the interpreter.
pub(crate) struct Interpreted {
    part: Expr,
    /// Where it counts before it runs: Rhai's entry for a block leaves out the block's own operation.
    counted: Option<Position>,
    /// The variables that it mentions: slot, and name in the scope.
    mentioned: Vec<(usize, String)>,
    /// Slots from here on are in the scope, mentioned or not, because Rhai counts from its end.
    lowest: usize,
    /// What they are called there.
    names: Box<[String]>,
    /// Whether the scope begins with [`over::given`].
    given: bool,
    /// Kept from call to call; `None` while it runs.
    scope: RefCell<Option<Scope<'static>>>,
}

impl Interpreted {
    /// An expression where these variables are in scope.
    pub(crate) fn expression(part: &Expr, locals: &Locals) -> Self {
        let counted = matches!(part, Expr::Stmt(_)).then(|| part.position());
        Self {
            counted,
            ..Self::new(part.clone(), locals)
        }
    }

    /// A statement that declares no variable, with [`over::given`] in it.
    pub(crate) fn of_given(part: &Stmt, locals: &Locals) -> Self {
        Self {
            given: true,
            ..Self::statement(part, locals)
        }
    }

    /// A statement that declares no variable.
    pub(crate) fn statement(part: &Stmt, locals: &Locals) -> Self {
        let block = StmtBlock::new([part.clone()], part.position(), Position::NONE);
        Self::new(Expr::Stmt(Box::new(block)), locals)
    }

    fn new(part: Expr, locals: &Locals) -> Self {
        let mut names: Vec<String> = Vec::new();
        part.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            mentions(path, &mut |name| {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            });
            true
        });
        let all = locals.iter().enumerate();
        let mentioned: Vec<(usize, String)> = all
            .filter(|(_, local)| names.iter().any(|name| *name == *local.name))
            .map(|(slot, _)| (slot, locals.name_in_scope(slot)))
            .collect();
        let lowest = mentioned.first().map_or(locals.len(), |(slot, _)| *slot);
        Self {
            part,
            counted: None,
            names: (lowest..locals.len())
                .map(|slot| locals.name_in_scope(slot))
                .collect(),
            lowest,
            mentioned,
            given: false,
            scope: RefCell::default(),
        }
    }

    /// Runs it; the variables are in the scope meanwhile and then back in their slots.
    #[cold]
    #[inline(never)]
    pub(crate) fn run(&self, frame: &mut Frame<'_>) -> Outcome {
        self.counted.map_or(Ok(()), tick)?;
        let mut scope = self.scope(frame);
        let result = self.run_in(&self.part, &mut scope, frame);
        self.keep(scope, frame);
        result
    }

    /// Runs what was made [`Interpreted::of_given`] with that value. Its operations and those of so many
    /// others before it were counted.
    #[cold]
    #[inline(never)]
    pub(crate) fn run_given(&self, given: Value, counted: u64, frame: &mut Frame<'_>) -> Outcome {
        let given = given.into_dynamic();
        if has_constant(&given) {
            return self.run_of_constants(given, counted, frame);
        }
        let before = meter::replay(counted);
        let mut scope = self.scope(frame);
        over::give(&mut scope, given);
        let result = self.run_in(&self.part, &mut scope, frame);
        meter::replayed(before);
        over::give(&mut scope, Dynamic::UNIT);
        self.keep(scope, frame);
        result
    }

    /// The same where something in the given value can't be changed, which a variable would forget.
    fn run_of_constants(&self, given: Dynamic, counted: u64, frame: &mut Frame<'_>) -> Outcome {
        let mut part = self.part.clone();
        let mut values = over::Values::default();
        if let Some(place) = over::place_of_given(&mut part) {
            *place = values.expression(given, place.position(), frame);
        }
        let before = meter::replay(counted + values.more as u64);
        let mut scope = self.scope(frame);
        let result = self.run_in(&part, &mut scope, frame);
        meter::replayed(before);
        values.forget(frame);
        self.keep(scope, frame);
        result
    }

    fn run_in(&self, part: &Expr, scope: &mut Scope<'static>, frame: &mut Frame<'_>) -> Outcome {
        let len = scope.len();
        for (slot, name) in &self.mentioned {
            // A constant's place can't be had, and needs nothing: it is in the new scope.
            if let (Some(value), Some(place)) = (frame.slots.get_mut(*slot), scope.get_mut(name)) {
                *place = std::mem::take(value).into_dynamic();
            }
        }
        let (engine, global, caches) = (frame.engine, &mut *frame.global, &mut *frame.caches);
        let result = EvalContext::new(engine, global, caches, scope, None)
            .eval_expression_tree(&part.into());
        for (slot, name) in &self.mentioned {
            if let (Some(value), Some(place)) = (frame.slots.get_mut(*slot), scope.get_mut(name)) {
                *value = Value::of(place.take());
            }
        }
        scope.rewind(len);
        match result {
            Ok(value) => Ok(Value::of(value)),
            Err(error) => Err(exit(*error, frame)),
        }
    }

    fn scope(&self, frame: &Frame<'_>) -> Scope<'static> {
        match self.scope.take() {
            Some(scope) if !self.has_constant(frame) => scope,
            _ => self.new_scope(frame),
        }
    }

    fn keep(&self, scope: Scope<'static>, frame: &Frame<'_>) {
        if !self.has_constant(frame) {
            self.scope.replace(Some(scope));
        }
    }

    fn has_constant(&self, frame: &Frame<'_>) -> bool {
        let mut mentioned = self.mentioned.iter();
        mentioned.any(|(slot, _)| frame.slots.get(*slot).is_some_and(Value::is_constant))
    }

    fn new_scope(&self, frame: &Frame<'_>) -> Scope<'static> {
        let mut scope = Scope::new();
        if self.given {
            over::give(&mut scope, Dynamic::UNIT);
        }
        for (slot, name) in (self.lowest..).zip(&self.names) {
            match frame.slots.get(slot) {
                Some(Value::Other(value)) if value.is_read_only() => {
                    scope.push_constant_dynamic(name.as_str(), value.clone());
                }
                _ => {
                    scope.push_dynamic(name.as_str(), Dynamic::UNIT);
                }
            }
        }
        scope
    }
}

/// Rhai tells what leaves a loop or a function as errors.
fn exit(error: EvalAltResult, frame: &mut Frame<'_>) -> Exit {
    match error {
        EvalAltResult::LoopBreak(true, value, _) => {
            frame.carried = Value::of(value);
            Exit::Break
        }
        EvalAltResult::LoopBreak(false, ..) => Exit::Continue,
        EvalAltResult::Return(value, _) => {
            frame.carried = Value::of(value);
            Exit::Return
        }
        error => Exit::Error(error.into()),
    }
}

/// Calls `see` with each name of a variable at the end of `path`.
pub(crate) fn mentions(path: &[ASTNode], see: &mut dyn FnMut(&str)) {
    match path.last() {
        Some(ASTNode::Expr(Expr::Variable(variable, ..))) => see(variable.1.as_str()),
        Some(ASTNode::Stmt(Stmt::Share(shared))) => {
            shared
                .iter()
                .for_each(|(variable, _)| see(variable.name.as_str()));
        }
        _ => {}
    }
}
