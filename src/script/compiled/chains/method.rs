//! Methods that only read, on strings and arrays of a JSON text.

use std::rc::Rc;

use rhai::{Dynamic, Expr, FnCallExpr, INT, ImmutableString};

use crate::script::api::bounded;
use crate::script::compiled::expressions::pure::Place;
use crate::script::compiled::run::parts::Parts;
use crate::script::compiled::run::value::Value;
use crate::script::json::Doc;

/// A method with its literal arguments.
#[derive(Clone)]
pub(super) enum Method {
    /// `split(by)`, into at most so many parts.
    Split(ImmutableString, usize),
    Len,
}

/// What a method gave.
pub(super) struct Called {
    pub value: Value,
    /// Whether Rhai takes it for one that may have changed its value.
    pub writes_back: bool,
}

impl Method {
    /// `None` for a method that is not in the subset.
    pub(super) fn of(call: &FnCallExpr, place: &Place<'_>) -> Option<Self> {
        if place.known.functions.has(&call.name) {
            return None;
        }
        match (call.name.as_str(), &*call.args) {
            ("split", [Expr::StringConstant(by, _)]) => {
                Some(Self::Split(by.clone(), place.known.most))
            }
            ("len", []) => Some(Self::Len),
            _ => None,
        }
    }

    pub(super) fn on_text(&self, text: &str) -> Option<Called> {
        Some(match self {
            Self::Split(by, most) => Called {
                value: Value::Other(Dynamic::from_array(bounded::split(text, by, *most).ok()?)),
                writes_back: true,
            },
            Self::Len => Called {
                value: Value::Int(text.chars().count() as INT),
                writes_back: false,
            },
        })
    }

    pub(super) fn on_node(&self, doc: &Rc<Doc>, node: u32) -> Option<Called> {
        if let Self::Split(by, most) = self
            && let Some(parts) = Parts::of(doc, node, by, *most)
        {
            return Some(Called {
                value: Value::Parts(parts),
                writes_back: true,
            });
        }
        if doc.is_text_at(node) {
            return doc.with_text(doc.node(node), |text| self.on_text(text));
        }
        match self {
            Self::Len if doc.is_array_at(node) => Some(Called {
                value: Value::Int(INT::from(doc.node(node).len)),
                writes_back: true,
            }),
            _ => None,
        }
    }
}
