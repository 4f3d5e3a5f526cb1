//! The values that compiled code works on: unboxed, as long as nothing needs them as Rhai has them.
//!
//! [`Value::of`] and [`Value::into_dynamic`] go from one to the other and back. What has no form of its
//! own here stays a Rhai value in [`Value::Other`], and is left to the interpreter.

use std::rc::Rc;

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};

use crate::script::json::{self, Doc, JsonArray, JsonObject, Look};

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
    Object(JsonObject),
    Array(JsonArray),
    /// Anything else, and what a closure shares.
    Other(Dynamic),
}

impl Value {
    /// The same value; a shared one stays shared.
    pub(super) fn of(value: Dynamic) -> Self {
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
    pub(super) fn node(doc: &Rc<Doc>, index: u32) -> Self {
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
            Self::Object(object) => Dynamic::from(object),
            Self::Array(array) => Dynamic::from(array),
            Self::Other(value) => value,
        }
    }

    /// The value itself where a closure shares it.
    #[inline]
    pub(super) fn flatten(self) -> Self {
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
    pub(super) fn owned(self) -> Self {
        let own = self.flatten();
        match &own {
            // A copy of a constant is none.
            Self::Other(value) if has_constant(value) => Self::of(value.clone()),
            _ => own,
        }
    }

    /// Whether closures share it.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Other(value) if value.is_shared())
    }

    /// Whether it can't be changed.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Self::Other(value) if value.is_read_only())
    }

    /// Calls `with` with the text, if it is one.
    #[inline]
    pub(super) fn with_text<R>(&self, with: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::Text(text) => Some(with(text)),
            Self::Piece(doc, node) => Some(doc.with_text(doc.node(*node), with)),
            _ => None,
        }
    }
}

/// Whether a value or one in it can't be changed.
fn has_constant(value: &Dynamic) -> bool {
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
