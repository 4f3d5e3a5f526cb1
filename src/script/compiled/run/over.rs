//! Constructs that the interpreter runs over values which are already there: a part of the tree with the
//! values in their places, as constants, or as a variable where one may change.

use rhai::{
    Array, Caches, Dynamic, EvalAltResult, EvalContext, Expr, Ident, ImmutableString, Map,
    Namespace, Position, Scope, Stmt, locked_write,
};

use super::frame::Frame;
use super::value::has_constant;
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

/// Where [`given`] stands: the right side of an assignment, or what a loop goes through.
pub(super) fn place_of_given(part: &mut Expr) -> Option<&mut Expr> {
    let Expr::Stmt(block) = part else {
        return None;
    };
    match block.statements_mut().first_mut()? {
        Stmt::Assignment(assignment) => Some(&mut assignment.1.rhs),
        Stmt::For(each, _) => Some(&mut each.2.expr),
        _ => None,
    }
}

/// Gives [`given`] its value.
pub(super) fn give(scope: &mut Scope<'static>, value: Dynamic) {
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

/// Values that are there, for one run of a part, as they are: what of them can't be changed stays so. A
/// [`constant`] is copied, and no copy of a value is one that can't be changed.
#[derive(Default)]
pub(crate) struct Values {
    /// So many constants of the file's stand for what can't be changed.
    fixed: usize,
    /// So many operations they count beyond one for each value.
    pub more: usize,
}

impl Values {
    /// The expression for a value.
    pub(crate) fn expression(
        &mut self,
        value: Dynamic,
        at: Position,
        frame: &mut Frame<'_>,
    ) -> Expr {
        if value.is_read_only() {
            return self.fixed(value, at, frame);
        }
        if !has_constant(&value) {
            return constant(value, at);
        }
        // Made anew of what is in it, as the script's own literals are.
        match value.try_cast_result::<Array>() {
            Ok(array) => {
                let elements = array.into_iter();
                Expr::Array(
                    elements
                        .map(|value| self.within(value, at, frame))
                        .collect(),
                    at,
                )
            }
            Err(value) => {
                let map = value.try_cast::<Map>().unwrap_or_default();
                let names = map
                    .keys()
                    .map(|name| (name.clone(), Dynamic::UNIT))
                    .collect();
                let member = |(name, value)| {
                    let value = self.within(value, at, frame);
                    let name = ImmutableString::from(name);
                    (Ident { name, pos: at }, value)
                };
                let members = map.into_iter().map(member).collect();
                Expr::Map(Box::new((members, names)), at)
            }
        }
    }

    /// Puts values in the places of arguments.
    pub(crate) fn put<'p>(
        &mut self,
        arguments: impl Iterator<Item = &'p mut Expr>,
        values: &mut [Dynamic],
        frame: &mut Frame<'_>,
    ) {
        for (argument, value) in arguments.zip(values) {
            let value = std::mem::take(value);
            *argument = self.expression(value, argument.start_position(), frame);
        }
    }

    fn within(&mut self, value: Dynamic, at: Position, frame: &mut Frame<'_>) -> Expr {
        self.more += 1;
        self.expression(value, at, frame)
    }

    /// One that can't be changed, as a constant of the file's until [`Values::forget`].
    fn fixed(&mut self, value: Dynamic, at: Position, frame: &mut Frame<'_>) -> Expr {
        let name = ImmutableString::from(self.fixed.to_string());
        self.fixed += 1;
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

    /// The part has run: takes the constants away.
    pub(crate) fn forget(self, frame: &Frame<'_>) {
        let constants = frame.global.constants.as_ref();
        if let Some(mut constants) = constants.and_then(|constants| locked_write(constants)) {
            for number in 0..self.fixed {
                constants.remove(number.to_string().as_str());
            }
        }
    }
}
