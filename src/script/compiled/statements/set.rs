//! Assignments to what a chain leads to: `d.address.city = x`, `counts[name] += 1`.
//!
//! Straight go fields of JSON, however deep, and one field or index of a map, an array or an object of
//! JSON. Everything else is the interpreter's, over the same values.

use rhai::{Array, Dynamic, Expr, ImmutableString, Map, OpAssignment, Position, Stmt};

use super::{Compiler, Sides};
use crate::script::compiled::chains::fields::{self, Between, Field};
use crate::script::compiled::chains::links::{self, Links, Root, Tree, Values};
use crate::script::compiled::chains::message;
use crate::script::compiled::chains::path;
use crate::script::compiled::expressions::operators::{self, Change};
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick, ticks};
use crate::script::compiled::run::value::Value;
use crate::script::json::{self, JsonObject};
use crate::script::meter;

/// What is done to the old value.
struct Operation {
    /// `None` for `=`.
    change: Option<Change>,
    at: Position,
    longest: usize,
}

/// `None` for an assignment that is not in the subset.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    operator: &OpAssignment,
    sides: &Sides,
) -> Option<Code> {
    let (change, known) = match operator.get_op_assignment_info() {
        None => (None, true),
        Some((.., token, _, _, _)) => {
            let rule = operators::assignment(token).map(|(rule, _)| rule);
            (rule, rule.is_some())
        }
    };
    let right = compiler.part(&sides.rhs, vec![statement.position()]);
    let links = Links::new(compiler, &sides.lhs, Vec::new())?;
    let slot = match &links.root {
        Root::Slot(slot) | Root::Message(slot) => *slot,
        // A constant: the interpreter's to refuse.
        Root::Value(_) => return None,
    };
    let way = Some(Way::of(&sides.lhs)).filter(|_| known);
    if way.is_none() && !links.has_effects() && !right.is_effect() {
        return None;
    }
    let operation = Operation {
        change,
        at: operator.position(),
        longest: compiler.known.longest,
    };
    let tree = Tree::assignment(statement, &links);
    Some(Box::new(move |frame| {
        let mut right = right.value(frame)?.flatten().interned();
        let (mut values, _) = links.values(frame)?;
        let counted = meter::operations();
        if let Some(way) = &way
            && let Some(done) = way.straight(&links.root, &values, &operation, &mut right, frame)
        {
            return done.map(|()| Value::Unit);
        }
        meter::recount(counted);
        values.push(right.into_dynamic());
        path::by_tree(frame, &tree, slot, values)
    }))
}

/// The straight way of an assignment.
enum Way {
    Fields(Vec<Field>),
    /// One index; its bracket.
    Index(Position),
    /// One index that is a literal.
    Literal(Dynamic, Position),
    No,
}

impl Way {
    fn of(chain: &Expr) -> Self {
        if let Expr::Index(pair, flags, _) = chain
            && links::link(pair, *flags).1.is_none()
        {
            return match pair.rhs.get_literal_value(None) {
                Some(literal) => Self::Literal(literal, chain.position()),
                None => Self::Index(chain.position()),
            };
        }
        fields::of(chain).map_or(Self::No, Self::Fields)
    }

    /// `None` where it is of no use, with nothing done but counting.
    fn straight(
        &self,
        root: &Root,
        values: &Values,
        operation: &Operation,
        right: &mut Value,
        frame: &mut Frame<'_>,
    ) -> Option<Outcome<()>> {
        let slot = match root {
            Root::Slot(slot) => *slot,
            Root::Message(_) => {
                return match self {
                    Self::Fields(fields) => of_message(fields, operation, right, frame),
                    _ => None,
                };
            }
            Root::Value(_) => return None,
        };
        match self {
            Self::Fields(fields) => match frame.slots.get_mut(slot)? {
                Value::Object(object) => of_object(object, fields, operation, right),
                Value::Other(_) => match fields.as_slice() {
                    [field] => {
                        let name = &field.name;
                        of_map(frame, slot, name, operation, right, Checked::Whole)
                    }
                    _ => None,
                },
                _ => None,
            },
            Self::Index(at) => of_index(frame, slot, values.first()?, *at, operation, right),
            Self::Literal(index, at) => of_index(frame, slot, index, *at, operation, right),
            Self::No => None,
        }
    }
}

impl Operation {
    /// The new value for an old one; `None` where there is no rule. The right side may be taken for it.
    fn of(&self, old: impl FnOnce() -> Dynamic, right: &mut Value) -> Option<Value> {
        let Some(change) = self.change else {
            return Some(std::mem::take(right).owned());
        };
        let mut value = Value::of(old());
        let short = |value: &Value| value.with_text(|text| text.len() <= self.longest);
        let known = !matches!(value, Value::Other(_)) && short(&value).unwrap_or(true);
        (known && change(&mut value, right, self.longest)).then_some(value)
    }
}

/// Fields of the object that `msg.json` is.
fn of_message(
    fields: &[Field],
    operation: &Operation,
    right: &mut Value,
    frame: &mut Frame<'_>,
) -> Option<Outcome<()>> {
    let (json, fields) = fields
        .split_first()
        .filter(|(json, _)| json.name == "json")?;
    if fields.is_empty() {
        return None;
    }
    let mut object = match message::property(json.at, frame) {
        Ok(object) => object?,
        Err(exit) => return Some(Err(exit)),
    };
    let done = of_object(&mut object, fields, operation, right)?;
    Some(done.and_then(|()| message::give_back(object, json.at, frame)))
}

/// Fields of an object of JSON.
fn of_object(
    object: &mut JsonObject,
    fields: &[Field],
    operation: &Operation,
    right: &mut Value,
) -> Option<Outcome<()>> {
    let (last, outer) = fields.split_last()?;
    let between = match Between::new(object, outer)? {
        Ok(between) => between,
        Err(exit) => return Some(Err(exit)),
    };
    if operation.change.is_some()
        && let Err(exit) = tick(last.at)
    {
        return Some(Err(exit));
    }
    let value = operation.of(|| between.inmost(object).field(&last.name), right)?;
    Some(between.write_back(object, fields, value.into_dynamic()))
}

/// What Rhai holds to the limits of size after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    Whole,
    Item,
}

/// One index of a map, an array or an object of JSON.
fn of_index(
    frame: &mut Frame<'_>,
    slot: usize,
    index: &Dynamic,
    at: Position,
    operation: &Operation,
    right: &mut Value,
) -> Option<Outcome<()>> {
    if let Some(Value::Object(object)) = frame.slots.get_mut(slot) {
        let name = index.as_immutable_string_ref().ok()?;
        // Looked at in vain, then asked for where there is an operation.
        let counted: &[Position] = match operation.change {
            Some(_) => &[Position::NONE, at],
            None => &[Position::NONE],
        };
        return match ticks(counted) {
            Err(Exit::Unsure) => None,
            Err(exit) => Some(Err(exit)),
            Ok(()) => {
                let value = operation.of(|| object.field(&name), right)?;
                Some(tick(at).map(|()| object.set(&name, value.into_dynamic())))
            }
        };
    }
    if let Ok(name) = index.as_immutable_string_ref() {
        return of_map(frame, slot, &name, operation, right, Checked::Item);
    }
    let index = index.as_int().ok()?;
    let Some(Value::Other(place)) = frame.slots.get_mut(slot) else {
        return None;
    };
    if place.is_shared() || place.is_read_only() {
        return None;
    }
    let mut array = place.write_lock::<Array>()?;
    let index = json::position(array.len(), index)?;
    let item = array.get_mut(index)?;
    let done = of_item(item, operation, right)?;
    Some(done.and_then(|()| check(frame.engine, item, operation)))
}

fn of_map(
    frame: &mut Frame<'_>,
    slot: usize,
    name: &ImmutableString,
    operation: &Operation,
    right: &mut Value,
    checked: Checked,
) -> Option<Outcome<()>> {
    let Some(Value::Other(place)) = frame.slots.get_mut(slot) else {
        return None;
    };
    if place.is_shared() || place.is_read_only() {
        return None;
    }
    let mut map = place.write_lock::<Map>()?;
    if !map.contains_key(name.as_str()) {
        if operation.change.is_some() {
            return None;
        }
        if let Err(exit) = tick(Position::NONE) {
            return Some(Err(exit));
        }
        let value = std::mem::take(right).owned();
        map.insert(name.as_str().into(), value.into_dynamic());
    } else {
        let item = map.get_mut(name.as_str())?;
        if let Err(exit) = of_item(item, operation, right)? {
            return Some(Err(exit));
        }
    }
    let item = match checked {
        Checked::Item => map
            .get(name.as_str())
            .map(|item| check(frame.engine, item, operation)),
        Checked::Whole => None,
    };
    drop(map);
    Some(item.unwrap_or_else(|| check(frame.engine, place, operation)))
}

/// A value in a map or an array.
fn of_item(item: &mut Dynamic, operation: &Operation, right: &mut Value) -> Option<Outcome<()>> {
    if item.is_shared() || item.is_read_only() {
        return None;
    }
    let value = operation.of(|| item.clone(), right)?;
    Some(tick(Position::NONE).map(|()| *item = value.into_dynamic()))
}

fn check(engine: &rhai::Engine, value: &Dynamic, operation: &Operation) -> Outcome<()> {
    engine
        .ensure_data_size_within_limits(value)
        .map_err(|mut error| {
            if error.position().is_none() {
                error.set_position(operation.at);
            }
            Exit::Error(error)
        })
}
