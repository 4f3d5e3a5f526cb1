//! Fields and indexes of a chain that only reads: of maps, arrays and JSON.

use rhai::{Array, Dynamic, INT, ImmutableString, Map, Position};
use smallvec::SmallVec;

use super::links::{Root, Values};
use super::message;
use crate::script::compiled::run::frame::{Frame, Outcome, tick};
use crate::script::compiled::run::value::Value;
use crate::script::json::{self, JsonArray, JsonObject, Looked};
use crate::script::meter;

/// One link of a chain that reads.
pub(super) struct Step {
    pub optional: bool,
    /// In brackets.
    pub indexed: bool,
    pub what: What,
    /// Where a view's property or indexer counts.
    pub at: Position,
}

pub(super) enum What {
    Name(ImmutableString),
    Index(INT),
    /// The next of the chain's arguments.
    Argument,
}

impl Step {
    /// The chain's argument that it takes; `()` for one that takes none.
    fn argument<'v>(&self, values: &mut impl Iterator<Item = &'v Dynamic>) -> Option<&'v Dynamic> {
        match self.what {
            What::Argument => values.next(),
            What::Name(_) | What::Index(_) => Some(&Dynamic::UNIT),
        }
    }

    /// The number that it is in an array.
    fn index(&self, argument: &Dynamic) -> Option<INT> {
        match self.what {
            What::Index(index) => Some(index),
            What::Argument => argument.as_int().ok(),
            What::Name(_) => None,
        }
    }
}

/// Where the operations of a chain that reads are counted.
type Counted = SmallVec<[Position; 6]>;

pub(super) fn read(
    steps: &[Step],
    longest: usize,
    root: &Root,
    first: &Option<Dynamic>,
    values: &Values,
    frame: &mut Frame<'_>,
) -> Option<Outcome> {
    let mut counted = Counted::new();
    let mut values = values.iter();
    let value = match root {
        Root::Slot(slot) => match frame.slots.get(*slot)? {
            Value::Other(value) => of_rhai(value, steps, longest, &mut values, &mut counted),
            view => of_view(view.clone(), steps, longest, &mut values, &mut counted),
        },
        Root::Message(_) => {
            let (json, steps) = steps.split_first()?;
            match &json.what {
                What::Name(name) if name == "json" && !json.indexed => {}
                _ => return None,
            }
            match message::property(json.at, frame) {
                Ok(object) => {
                    let object = Value::Object(object?);
                    of_view(object, steps, longest, &mut values, &mut counted)
                }
                Err(exit) => return Some(Err(exit)),
            }
        }
        Root::Value(_) => of_rhai(first.as_ref()?, steps, longest, &mut values, &mut counted),
    }?;
    if !meter::allows(counted.len() as u64) {
        return None;
    }
    let ticked = counted.iter().try_for_each(|position| tick(*position));
    Some(ticked.map(|()| value))
}

/// The rest of a chain on a map or array of Rhai's.
fn of_rhai<'v>(
    value: &Dynamic,
    steps: &[Step],
    longest: usize,
    values: &mut impl Iterator<Item = &'v Dynamic>,
    counted: &mut Counted,
) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(Value::of(value.clone()));
    };
    if value.is_unit() && step.optional {
        return Some(Value::Unit);
    }
    if value.is::<JsonObject>() || value.is::<JsonArray>() {
        let view = Value::of(value.flatten_clone());
        return of_view(view, steps, longest, values, counted);
    }
    let argument = step.argument(values)?;
    counted.push(Position::NONE);
    if let Some(map) = value.read_lock::<Map>() {
        let found = match &step.what {
            What::Name(name) => map.get(name.as_str()),
            What::Argument => map.get(argument.as_immutable_string_ref().ok()?.as_str()),
            What::Index(_) => return None,
        };
        return of_rhai(
            found.unwrap_or(&Dynamic::UNIT),
            rest,
            longest,
            values,
            counted,
        );
    }
    let array = value.read_lock::<Array>()?;
    let index = json::position(array.len(), step.index(argument)?)?;
    of_rhai(array.get(index)?, rest, longest, values, counted)
}

/// The rest of a chain on a view.
fn of_view<'v>(
    view: Value,
    steps: &[Step],
    longest: usize,
    values: &mut impl Iterator<Item = &'v Dynamic>,
    counted: &mut Counted,
) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else {
        let fits = view.with_text(|text| text.len() <= longest).unwrap_or(true);
        return fits.then_some(view);
    };
    let argument = step.argument(values)?;
    match &view {
        Value::Unit if step.optional => return Some(Value::Unit),
        Value::Object(_) | Value::Array(_) => {}
        _ => return None,
    }
    if step.indexed {
        counted.push(Position::NONE);
    }
    counted.push(step.at);
    let inner = match (&view, &step.what) {
        (Value::Object(object), What::Name(name)) => member(object, name),
        (Value::Object(object), What::Argument) => {
            member(object, argument.as_immutable_string_ref().ok()?.as_str())
        }
        (Value::Array(array), _) => {
            let doc = array.doc();
            let index = step.index(argument)?;
            let element = doc.element_from_either_end(array.node(), index)?;
            Some(Value::node(doc, element))
        }
        _ => None,
    }?;
    of_view(inner, rest, longest, values, counted)
}

/// `None` for what a script has put there, unless it is simple.
fn member(object: &JsonObject, name: &str) -> Option<Value> {
    match object.lookup(name) {
        Looked::Missing => Some(Value::Unit),
        Looked::Node(node) => Some(Value::node(object.doc(), node)),
        Looked::Given(value) => match Value::of(value.clone()) {
            Value::Other(_) => None,
            simple => Some(simple),
        },
    }
}
