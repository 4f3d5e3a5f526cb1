//! Fields and indexes of a chain that only reads: of maps, arrays and JSON.

use std::slice::Iter;

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
    fn argument<'v>(&self, values: &mut Iter<'v, Dynamic>) -> Option<&'v Dynamic> {
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

/// A chain on its way.
struct Reading<'v> {
    longest: usize,
    /// The chain's arguments that are still to come.
    values: Iter<'v, Dynamic>,
    /// Where its operations are counted.
    counted: SmallVec<[Position; 6]>,
}

pub(super) fn read(
    steps: &[Step],
    longest: usize,
    root: &Root,
    first: &Option<Dynamic>,
    values: &Values,
    frame: &mut Frame<'_>,
) -> Option<Outcome> {
    let mut reading = Reading {
        longest,
        values: values.iter(),
        counted: SmallVec::new(),
    };
    let value = match root {
        Root::Slot(slot) => match frame.slots.get(*slot)? {
            Value::Other(value) => reading.of_rhai(value, steps),
            view => reading.of_view(view.clone(), steps),
        },
        Root::Message(_) => {
            let (json, steps) = steps.split_first()?;
            match &json.what {
                What::Name(name) if name == "json" && !json.indexed => {}
                _ => return None,
            }
            match message::property(json.at, frame) {
                Ok(object) => reading.of_view(Value::Object(object?), steps),
                Err(exit) => return Some(Err(exit)),
            }
        }
        Root::Value(_) => reading.of_rhai(first.as_ref()?, steps),
    }?;
    let counted = reading.counted;
    if !meter::allows(counted.len() as u64) {
        return None;
    }
    let ticked = counted.iter().try_for_each(|position| tick(*position));
    Some(ticked.map(|()| value))
}

impl Reading<'_> {
    /// The rest of a chain on a map or array of Rhai's.
    fn of_rhai(&mut self, value: &Dynamic, steps: &[Step]) -> Option<Value> {
        let Some((step, rest)) = steps.split_first() else {
            return Some(Value::of(value.clone()));
        };
        if value.is_unit() && step.optional {
            return Some(Value::Unit);
        }
        if value.is::<JsonObject>() || value.is::<JsonArray>() {
            let view = Value::of(value.flatten_clone());
            return self.of_view(view, steps);
        }
        let argument = step.argument(&mut self.values)?;
        self.counted.push(Position::NONE);
        if let Some(map) = value.read_lock::<Map>() {
            let found = match &step.what {
                What::Name(name) => map.get(name.as_str()),
                What::Argument => map.get(argument.as_immutable_string_ref().ok()?.as_str()),
                What::Index(_) => return None,
            };
            return self.of_rhai(found.unwrap_or(&Dynamic::UNIT), rest);
        }
        let array = value.read_lock::<Array>()?;
        let index = json::position(array.len(), step.index(argument)?)?;
        self.of_rhai(array.get(index)?, rest)
    }

    /// The rest of a chain on a view.
    fn of_view(&mut self, view: Value, steps: &[Step]) -> Option<Value> {
        let Some((step, rest)) = steps.split_first() else {
            let fits = view
                .with_text(|text| text.len() <= self.longest)
                .unwrap_or(true);
            return fits.then_some(view);
        };
        let argument = step.argument(&mut self.values)?;
        match &view {
            Value::Unit if step.optional => return Some(Value::Unit),
            Value::Object(_) | Value::Array(_) => {}
            _ => return None,
        }
        if step.indexed {
            self.counted.push(Position::NONE);
        }
        self.counted.push(step.at);
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
        self.of_view(inner, rest)
    }
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
