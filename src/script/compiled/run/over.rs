//! Constructs that the interpreter runs over values which are already there: a part of the tree with the
//! values in their places, as constants, or as a variable where one may change.

use rhai::{
    Caches, Dynamic, EvalAltResult, EvalContext, Expr, Ident, ImmutableString, Namespace, Position,
    Scope, locked_write,
};

use super::frame::Frame;
use crate::script::meter;

/// What stands for a value that is given to a part which has variables of its own.
const GIVEN: &str = "=";

/// A variable of a part, and its value, which may change.
pub(crate) struct Place<'a> {
    pub name: &'a str,
    pub value: &'a mut Dynamic,
}

/// Runs `part`, in which one [`variable`] may be `of` this value.
///
/// So many operations are `counted` by the tree before it does anything, for its outside and for the
/// values; those of the values themselves were counted when they were made.
#[cold]
#[inline(never)]
pub(crate) fn run(
    frame: &mut Frame<'_>,
    caches: Option<&mut Caches>,
    part: &Expr,
    counted: usize,
    mut of: Option<Place<'_>>,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    if let Some(place) = &mut of {
        match place.value.is_read_only() {
            // A constant can't be had back, and does not change.
            true => {
                scope.push_dynamic(place.name, place.value.clone().into_read_only());
            }
            false => push(&mut scope, place.name, std::mem::take(place.value)),
        }
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
pub(crate) fn given(at: Position) -> Expr {
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
        None => push(scope, GIVEN, value),
    }
}

/// A new variable. What is pushed itself would lose which of the values in it are constants.
fn push(scope: &mut Scope<'static>, name: &str, value: Dynamic) {
    scope.push_dynamic(name, Dynamic::UNIT);
    if let Some(place) = scope.get_mut(name) {
        *place = value;
    }
}

/// A variable, by its name.
pub(crate) fn variable(name: &str, at: Position) -> Expr {
    Expr::Variable(Box::new((None, name.into(), Namespace::NONE, 0)), None, at)
}

/// A value that is there.
pub(crate) fn constant(value: Dynamic, at: Position) -> Expr {
    Expr::DynamicConstant(Box::new(value), at)
}

/// The same; one that can't be changed stays so, as a constant of the file's until [`forget`].
pub(crate) fn value(value: Dynamic, number: usize, at: Position, frame: &mut Frame<'_>) -> Expr {
    if !value.is_read_only() {
        return constant(value, at);
    }
    let name = ImmutableString::from(number.to_string());
    let constants = frame.global.constants.get_or_insert_default();
    if let Some(mut constants) = locked_write(constants) {
        constants.insert(name.clone(), value);
    }
    let mut file = Namespace::NONE;
    file.path.push(Ident {
        name: "global".into(),
        pos: at,
    });
    Expr::Variable(Box::new((None, name, file, 0)), None, at)
}

/// Takes the constants away that are [`value`]s up to this number.
pub(crate) fn forget(last: usize, frame: &Frame<'_>) {
    let constants = frame.global.constants.as_ref();
    if let Some(mut constants) = constants.and_then(|constants| locked_write(constants)) {
        for number in 0..=last {
            constants.remove(number.to_string().as_str());
        }
    }
}
