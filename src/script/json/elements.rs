//! The elements of an array, read as they are asked for.

use std::rc::Rc;

use rhai::Dynamic;

use super::doc::Doc;
use super::view::{JsonArray, value};

/// See the module.
pub(crate) struct Elements {
    doc: Rc<Doc>,
    at: u32,
    left: u32,
}

impl Iterator for Elements {
    type Item = Dynamic;

    fn next(&mut self) -> Option<Dynamic> {
        self.next_with(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl IntoIterator for JsonArray {
    type Item = Dynamic;
    type IntoIter = Elements;

    fn into_iter(self) -> Elements {
        Elements {
            at: self.node + 1,
            left: self.doc.node(self.node).len,
            doc: self.doc,
        }
    }
}

impl Elements {
    /// The next element, in the form that `read` gives it.
    #[inline]
    pub(crate) fn next_with<T>(&mut self, read: impl FnOnce(&Rc<Doc>, u32) -> T) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let element = read(&self.doc, self.at);
        self.at = self.doc.node(self.at).next;
        Some(element)
    }
}
