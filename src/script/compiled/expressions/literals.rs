//! Arrays and maps that are written in the script, with values that are not all constants.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, Expr, ImmutableString, Map, Position};

use super::part::Part;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick};
use crate::script::compiled::run::value::Value;
use crate::script::compiled::statements::Compiler;

/// `[a, f(x)]`
pub(super) fn array(compiler: &mut Compiler<'_>, elements: &[Expr], at: Position) -> Code {
    let parts: Vec<Element> = elements
        .iter()
        .map(|element| Element::new(compiler, element))
        .collect();
    Box::new(move |frame| {
        tick(at)?;
        let mut array = Array::with_capacity(parts.len());
        let mut sizes = Sizes::default();
        for part in &parts {
            sizes.elements += 1;
            array.push(part.value(&mut sizes, frame)?);
        }
        Ok(Value::Other(Dynamic::from_array(array)))
    })
}

/// `#{a: 1, b: d.x}`
pub(super) fn map<'a>(
    compiler: &mut Compiler<'_>,
    members: impl Iterator<Item = (&'a str, &'a Expr)>,
    at: Position,
) -> Code {
    let parts: Vec<(String, Element)> = members
        .map(|(name, value)| (name.to_owned(), Element::new(compiler, value)))
        .collect();
    Box::new(move |frame| {
        tick(at)?;
        let mut map = Map::new();
        let mut sizes = Sizes::default();
        for (name, part) in &parts {
            sizes.members += 1;
            let value = part.value(&mut sizes, frame)?;
            map.insert(name.as_str().into(), value);
        }
        Ok(Value::Other(Dynamic::from_map(map)))
    })
}

/// One of the values in a literal.
struct Element {
    part: Part,
    at: Position,
}

impl Element {
    fn new(compiler: &mut Compiler<'_>, expression: &Expr) -> Self {
        Self {
            part: compiler.part(expression, Vec::new()),
            at: expression.position(),
        }
    }

    /// The value, if the literal is not too large with it.
    fn value(&self, sizes: &mut Sizes, frame: &mut Frame<'_>) -> Outcome<Dynamic> {
        let value = self.part.value(frame)?.flatten().into_dynamic();
        sizes.add(&value);
        match sizes.too_large(frame.engine) {
            None => Ok(value),
            Some(what) => {
                let error = EvalAltResult::ErrorDataTooLarge(what.into(), self.at);
                Err(Exit::Error(error.into()))
            }
        }
    }
}

/// How much is in a value, as Rhai's `calc_data_sizes` has it.
#[derive(Default)]
struct Sizes {
    elements: usize,
    members: usize,
    text: usize,
}

impl Sizes {
    fn add(&mut self, value: &Dynamic) {
        if let Some(array) = value.read_lock::<Array>() {
            self.elements += array.len();
            array.iter().for_each(|value| self.add_within(value));
        } else if let Some(map) = value.read_lock::<Map>() {
            self.members += map.len();
            map.values().for_each(|value| self.add_within(value));
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.elements += blob.len();
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.text += text.len();
        }
    }

    /// A value in another: a blob counts for one more there.
    fn add_within(&mut self, value: &Dynamic) {
        self.elements += usize::from(value.is_blob());
        self.add(value);
    }

    /// What of it there is more of than may be.
    fn too_large(&self, engine: &Engine) -> Option<&'static str> {
        // No limit is 0.
        let exceeds = |size: usize, limit: usize| limit > 0 && size > limit;
        if exceeds(self.text, engine.max_string_size()) {
            return Some("Length of string");
        }
        if exceeds(self.elements, engine.max_array_size()) {
            return Some("Size of array/BLOB");
        }
        exceeds(self.members, engine.max_map_size()).then_some("Size of object map")
    }
}
