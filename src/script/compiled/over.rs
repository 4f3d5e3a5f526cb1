//! Constructs that the interpreter runs over values which are already there: a part of the tree with the
//! values in their places, as constants, or as a variable where one may change.

use rhai::{Caches, Dynamic, EvalAltResult, EvalContext, Expr, Namespace, Position, Scope};

use super::frame::Frame;
use crate::script::meter;

/// What stands for a value that is given to a part which has variables of its own.
const GIVEN: &str = "=";

/// A variable of a part, and its value, which may change.
pub(super) struct Place<'a> {
    pub name: &'a str,
    pub value: &'a mut Dynamic,
}

/// Runs `part`, in which one [`variable`] may be `of` this value.
///
/// So many operations are `counted` by the tree before it does anything, for its outside and for the
/// values; those of the values themselves were counted when they were made.
#[cold]
#[inline(never)]
pub(super) fn run(
    frame: &mut Frame<'_>,
    caches: Option<&mut Caches>,
    part: &Expr,
    counted: usize,
    mut of: Option<Place<'_>>,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    if let Some(place) = &mut of {
        // A constant can't be had back, and does not change.
        let value = match place.value.is_read_only() {
            true => place.value.clone().into_read_only(),
            false => std::mem::take(place.value),
        };
        scope.push_dynamic(place.name, value);
    }
    let before = meter::replay(counted as u64);
    let caches = match caches {
        Some(own) => own,
        None => &mut *frame.caches,
    };
    let result = EvalContext::new(frame.engine, frame.global, caches, &mut scope, None)
        .eval_expression_tree(&part.into());
    meter::replayed(before);
    if let Some(place) = of
        && let Some(changed) = scope.get_mut(place.name)
    {
        *place.value = changed.take();
    }
    result
}

/// The variable that stands for the value that is given with [`give`].
pub(super) fn given(at: Position) -> Expr {
    variable(GIVEN, at)
}

/// Gives [`given`] its value.
pub(super) fn give(scope: &mut Scope<'static>, value: Dynamic) {
    let value = match value.is_read_only() {
        // A constant would stay in its place. A copy is none, and the tree gets copies anyway.
        true => value.clone(),
        false => value,
    };
    match scope.get_mut(GIVEN) {
        Some(place) => *place = value,
        None => {
            scope.push_dynamic(GIVEN, value);
        }
    }
}

/// A variable, by its name.
pub(super) fn variable(name: &str, at: Position) -> Expr {
    Expr::Variable(Box::new((None, name.into(), Namespace::NONE, 0)), None, at)
}

/// A value that is there.
pub(super) fn constant(value: Dynamic, at: Position) -> Expr {
    Expr::DynamicConstant(Box::new(value), at)
}
