//! The parts that `split` makes of a string of a JSON text, as long as nobody needs them as a Rhai array.

use std::rc::Rc;

use rhai::{Array, Dynamic};

use crate::script::api::bounded;
use crate::script::json::Doc;
use crate::script::strings;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    doc: Rc<Doc>,
    node: u32,
    /// The letter between them.
    by: u8,
}

impl Parts {
    /// `None` where it takes the function itself: the string has escapes, `by` is more than a letter, or
    /// there are more parts than an array may hold.
    pub(crate) fn of(doc: &Rc<Doc>, node: u32, by: &str, most: usize) -> Option<Self> {
        let [by] = *by.as_bytes() else {
            return None;
        };
        if !doc.is_plain_text_at(node) {
            return None;
        }
        let text = doc.inside(doc.node(node));
        let parts = memchr::memchr_iter(by, text).count() + 1;
        if parts > most {
            return None;
        }
        bounded::charge_split(text.len(), parts);
        Some(Self {
            doc: Rc::clone(doc),
            node,
            by,
        })
    }

    pub(crate) fn doc(&self) -> &Rc<Doc> {
        &self.doc
    }

    /// Where in the text the first begins.
    pub(crate) fn begin(&self) -> u32 {
        self.doc.node(self.node).start + 1
    }

    /// The end of the one that begins at `start`, and where the next begins, if there is one. The last
    /// ends before the string's own quote.
    #[inline]
    pub(crate) fn end(&self, start: u32) -> (u32, Option<u32>) {
        let last = self.doc.node(self.node).end.saturating_sub(1);
        match memchr::memchr(self.by, self.doc.slice(start, last)) {
            Some(len) => (start + len as u32, Some(start + len as u32 + 1)),
            None => (last, None),
        }
    }

    /// As Rhai has them.
    pub(super) fn array(&self) -> Array {
        let text = self.doc.inside(self.doc.node(self.node));
        let parts = text.split(|byte| *byte == self.by);
        parts
            .map(|part| Dynamic::from(strings::shared_bytes(part)))
            .collect()
    }
}
