//! What compiled code runs in: its variables, the meter, and the interpreter for all else.

use std::rc::Rc;

use rhai::{Caches, Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Position};

use super::value::Value;
use crate::script::compiled::calls::functions::Functions;
use crate::script::meter;
use crate::script::state::State;

/// Why code did not go on to what follows it.
#[derive(Debug)]
pub(crate) enum Exit {
    /// `break`, with its value in [`Frame::carried`].
    Break,
    Continue,
    /// `return`, with its value in [`Frame::carried`].
    Return,
    /// An error, in Rhai's own words and at its place.
    Error(Box<EvalAltResult>),
    /// Values that only the interpreter knows how to treat. Nothing has happened but counting.
    Unsure,
}

/// What code gives.
pub(crate) type Outcome<T = Value> = Result<T, Exit>;

/// Code of one construct.
pub(crate) type Code = Box<dyn Fn(&mut Frame<'_>) -> Outcome>;

/// One call of a compiled function.
pub(crate) struct Frame<'r> {
    pub engine: &'r Engine,
    pub global: &'r mut GlobalRuntimeState,
    pub caches: &'r mut Caches,
    pub state: &'r Rc<State>,
    pub functions: &'r Rc<Functions>,
    /// The variables in Rhai's order: what its scope would hold.
    pub slots: Vec<Value>,
    pub carried: Value,
}

impl<'r> Frame<'r> {
    /// Without variables.
    #[inline]
    pub(crate) fn new(
        engine: &'r Engine,
        global: &'r mut GlobalRuntimeState,
        caches: &'r mut Caches,
        state: &'r Rc<State>,
        functions: &'r Rc<Functions>,
    ) -> Self {
        Self {
            engine,
            global,
            caches,
            state,
            functions,
            slots: Vec::new(),
            carried: Value::Unit,
        }
    }

    /// A new variable.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: Value) {
        // A place first, into which the value can be written as it is made: to move it there is slow.
        self.slots.push(Value::Unit);
        if let Some(place) = self.slots.last_mut() {
            place.become_value(value);
        }
    }
}

/// Counts one operation at `position`, as the interpreter does at each node.
#[inline]
pub(crate) fn tick(position: Position) -> Outcome<()> {
    match meter::tick() {
        true => Ok(()),
        false => Err(terminated(position)),
    }
}

/// Counts an operation at each of the positions, between which nothing happens. One that would reach a
/// limit is left to the interpreter, which may count elsewhere for the values that it finds.
#[inline]
pub(crate) fn ticks(positions: &[Position]) -> Outcome<()> {
    match meter::ticks(positions.len() as u64) {
        true => Ok(()),
        false => one_by_one(positions),
    }
}

/// The same where nothing can be left to the interpreter: an operation that reaches a limit ends the call.
#[inline]
pub(crate) fn ticks_exactly(positions: &[Position]) -> Outcome<()> {
    match meter::ticks(positions.len() as u64) {
        true => Ok(()),
        false => positions.iter().try_for_each(|position| tick(*position)),
    }
}

#[cold]
#[inline(never)]
fn one_by_one(positions: &[Position]) -> Outcome<()> {
    if !meter::allows(positions.len() as u64) {
        return Err(Exit::Unsure);
    }
    positions.iter().try_for_each(|position| tick(*position))
}

#[cold]
#[inline(never)]
fn terminated(position: Position) -> Exit {
    Exit::Error(EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into())
}
