//! The values that compiled code works on: unboxed, as long as nothing needs them as Rhai has them.
//!
//! [`Value::of`] and [`Value::into_dynamic`] go from one to the other and back. What has no form of its
//! own here stays a Rhai value in [`Value::Other`], and is left to the interpreter.

use std::rc::Rc;

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};

use super::parts::Parts;
use super::scalar::Scalar;
use crate::script::compiled::expressions::operators::Comparison;
use crate::script::json::{self, Doc, JsonArray, JsonObject, Look};
use crate::script::strings;

/// A value of compiled code.
#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    #[default]
    Unit,
    Bool(bool),
    Int(INT),
    /// With its tag: where its text stands, if it came from JSON.
    Float(FLOAT, i32),
    Text(ImmutableString),
    /// A string of a JSON text that nothing has asked for as a Rhai string yet.
    Piece(Rc<Doc>, u32),
    /// From one byte of a JSON text to another, where no escapes are.
    Part(Rc<Doc>, u32, u32),
    Object(JsonObject),
    Array(JsonArray),
    /// A string split into an array.
    Parts(Parts),
    /// Anything else, and what a closure shares.
    Other(Dynamic),
}

impl Value {
    /// The same value; a shared one stays shared.
    pub(crate) fn of(value: Dynamic) -> Self {
        // A tag is the script's or a number's; only a float keeps it outside a Rhai value.
        if value.is_shared() || value.is_read_only() || (value.tag() != 0 && !value.is_float()) {
            return Self::Other(value);
        }
        if value.is_string() {
            return match value.into_immutable_string() {
                Ok(text) => Self::Text(text),
                Err(_) => Self::Unit,
            };
        }
        if value.is_unit() {
            return Self::Unit;
        }
        if let Ok(flag) = value.as_bool() {
            return Self::Bool(flag);
        }
        if let Ok(number) = value.as_int() {
            return Self::Int(number);
        }
        if let Ok(number) = value.as_float() {
            return Self::Float(number, value.tag());
        }
        if value.is::<JsonObject>() {
            return Self::Object(value.cast());
        }
        if value.is::<JsonArray>() {
            return Self::Array(value.cast());
        }
        Self::Other(value)
    }

    /// What stands at a node of a JSON text.
    #[inline]
    pub(crate) fn node(doc: &Rc<Doc>, index: u32) -> Self {
        match json::look(doc, index) {
            Look::Null => Self::Unit,
            Look::Bool(flag) => Self::Bool(flag),
            Look::Int(number) => Self::Int(number),
            Look::Float(number, tag) => Self::Float(number, tag),
            Look::Text => Self::Piece(Rc::clone(doc), index),
            Look::Object => Self::Object(JsonObject::new(doc, index)),
            Look::Array => Self::Array(JsonArray::new(doc, index)),
        }
    }

    /// Puts `value` in its place.
    #[inline(always)]
    pub(crate) fn become_value(&mut self, value: Self) {
        match self {
            // Nothing to drop, which is worth to know.
            Self::Unit | Self::Bool(_) | Self::Int(_) | Self::Float(..) => {
                std::mem::forget(std::mem::replace(self, value));
            }
            _ => *self = value,
        }
    }

    /// Puts in its place what stands at a node of a JSON text.
    #[inline]
    pub(crate) fn become_node(&mut self, doc: &Rc<Doc>, index: u32) {
        // One by one, because a value that was just put together is slow to move.
        match json::look(doc, index) {
            Look::Null => self.become_value(Self::Unit),
            Look::Bool(flag) => self.become_value(Self::Bool(flag)),
            Look::Int(number) => self.become_value(Self::Int(number)),
            Look::Float(number, tag) => self.become_value(Self::Float(number, tag)),
            Look::Text => *self = Self::Piece(Rc::clone(doc), index),
            Look::Object => {
                if let Self::Object(object) = self
                    && object.turn_to(doc, index)
                {
                    return;
                }
                self.become_value(Self::Object(JsonObject::new(doc, index)));
            }
            Look::Array => *self = Self::Array(JsonArray::new(doc, index)),
        }
    }

    /// Puts this part of a JSON text in its place.
    #[inline]
    pub(crate) fn become_part(&mut self, doc: &Rc<Doc>, start: u32, end: u32) {
        match self {
            Self::Part(own, own_start, own_end) if Rc::ptr_eq(own, doc) => {
                (*own_start, *own_end) = (start, end);
            }
            _ => self.become_value(Self::Part(Rc::clone(doc), start, end)),
        }
    }

    /// Puts a copy in its place; what a closure shares is taken out of it.
    #[inline]
    pub(crate) fn become_copy(&mut self, value: &Dynamic) {
        let plain = value.tag() == 0 && !value.is_shared() && !value.is_read_only();
        match value.as_immutable_string_ref() {
            Ok(text) if plain => *self = Self::Text(text.clone()),
            _ => *self = Self::of(value.flatten_clone()),
        }
    }

    /// Compared with a text.
    #[inline]
    pub(crate) fn against(&self, comparison: Comparison, text: &str) -> Scalar {
        let holds = match self {
            Self::Text(own) => comparison.of_texts(own, text),
            Self::Piece(doc, node) => {
                let node = doc.node(*node);
                match comparison.of_equality(|| doc.is_text(node, text)) {
                    Some(holds) => holds,
                    None => doc.with_text(node, |own| comparison.of_texts(own, text)),
                }
            }
            Self::Part(doc, start, end) => comparison.of_texts(doc.text(*start, *end), text),
            other => return comparison.of_text_and(Scalar::of(other)),
        };
        Scalar::bool(holds)
    }

    /// A copy as Rhai has it.
    pub(crate) fn dynamic(&self) -> Dynamic {
        match self {
            Self::Unit => Dynamic::UNIT,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number, tag) => {
                let mut value = Dynamic::from_float(*number);
                value.set_tag(*tag);
                value
            }
            Self::Text(text) => text.clone().into(),
            other => other.clone().into_dynamic(),
        }
    }

    /// As Rhai has it.
    pub(crate) fn into_dynamic(self) -> Dynamic {
        match self {
            Self::Unit => Dynamic::UNIT,
            Self::Bool(flag) => flag.into(),
            Self::Int(number) => number.into(),
            Self::Float(number, tag) => {
                let mut value = Dynamic::from_float(number);
                value.set_tag(tag);
                value
            }
            Self::Text(text) => text.into(),
            Self::Piece(doc, node) => json::value(&doc, node),
            Self::Part(doc, start, end) => strings::shared(doc.text(start, end)).into(),
            Self::Parts(parts) => Dynamic::from_array(parts.array()),
            Self::Object(object) => Dynamic::from(object),
            Self::Array(array) => Dynamic::from(array),
            Self::Other(value) => value,
        }
    }

    /// The value itself where a closure shares it.
    #[inline]
    pub(crate) fn flatten(self) -> Self {
        if matches!(&self, Self::Other(value) if value.is_shared()) {
            return self.flatten_shared();
        }
        self
    }

    #[cold]
    fn flatten_shared(self) -> Self {
        Self::of(self.into_dynamic().flatten())
    }

    /// What a variable gets: its own value, which can be changed whatever it is a copy of.
    #[inline]
    pub(crate) fn owned(self) -> Self {
        let own = self.flatten();
        match &own {
            // A copy of a constant is none.
            Self::Other(value) if has_constant(value) => Self::of(value.clone()),
            _ => own,
        }
    }

    /// What Rhai interns where it puts it: a string goes without the tag that a script has given it.
    #[inline]
    pub(crate) fn interned(self) -> Self {
        match self {
            Self::Other(value) if value.is_string() && !value.is_shared() => {
                value.into_immutable_string().map_or(Self::Unit, Self::Text)
            }
            _ => self,
        }
    }

    /// Its value where it can't be changed, for whoever only looks at it.
    #[inline]
    pub(crate) fn plain(self) -> Self {
        match &self {
            Self::Other(constant) if constant.is_read_only() => Self::of(constant.flatten_clone()),
            _ => self,
        }
    }

    /// Whether it is `()`.
    pub(crate) fn is_unit(&self) -> bool {
        match self {
            Self::Unit => true,
            Self::Other(value) => value.is_unit(),
            _ => false,
        }
    }

    /// The name that Rust has for its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Unit => Dynamic::UNIT.type_name(),
            Self::Bool(_) => Dynamic::TRUE.type_name(),
            Self::Int(_) => Dynamic::ZERO.type_name(),
            Self::Float(..) => Dynamic::from_float(0.0).type_name(),
            Self::Text(_) | Self::Piece(..) | Self::Part(..) => "string",
            Self::Object(_) => std::any::type_name::<JsonObject>(),
            Self::Array(_) => std::any::type_name::<JsonArray>(),
            Self::Parts(_) => "array",
            Self::Other(value) if value.is_shared() => value.flatten_clone().type_name(),
            Self::Other(value) => value.type_name(),
        }
    }

    /// Whether closures share it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Other(value) if value.is_shared())
    }

    /// Whether it can't be changed.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Other(value) if value.is_read_only())
    }

    /// Calls `with` with the text, if it is one.
    #[inline]
    pub(crate) fn with_text<R>(&self, with: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::Text(text) => Some(with(text)),
            Self::Piece(doc, node) => Some(doc.with_text(doc.node(*node), with)),
            Self::Part(doc, start, end) => Some(with(doc.text(*start, *end))),
            _ => None,
        }
    }
}

/// Whether a value or one in it can't be changed.
pub(super) fn has_constant(value: &Dynamic) -> bool {
    if value.is_read_only() {
        return true;
    }
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().any(has_constant);
    }
    value
        .read_lock::<Map>()
        .is_some_and(|map| map.values().any(has_constant))
}
