//! What compiled code asks of a text and its views: the same as a script sees, but no Rhai values.

use std::rc::Rc;

use rhai::{Dynamic, FLOAT, INT};

use super::doc::Doc;
use super::name::Name;
use super::number;
use super::tape::Kind;
use super::view::{JsonArray, JsonObject};

/// What stands at a node, without a Rhai value of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Look {
    Null,
    Bool(bool),
    Int(INT),
    /// With the tag that leads to its text.
    Float(FLOAT, i32),
    Text,
    Object,
    Array,
}

/// Looks at a node; a number is read.
#[inline]
pub(crate) fn look(doc: &Doc, index: u32) -> Look {
    look_with(doc, index, |text| doc.home.tag(index, text))
}

/// The same for who has no use for a number's text.
#[inline]
pub(crate) fn look_untagged(doc: &Doc, index: u32) -> Look {
    look_with(doc, index, |_| 0)
}

#[inline(always)]
fn look_with(doc: &Doc, index: u32, tag: impl FnOnce(&[u8]) -> i32) -> Look {
    let node = doc.node(index);
    let float = |text| Look::Float(number::float(text), tag(text));
    match node.kind {
        Kind::Null => Look::Null,
        Kind::True => Look::Bool(true),
        Kind::False => Look::Bool(false),
        Kind::Integer => {
            let text = doc.raw(node);
            number::integer(text).map_or_else(|| float(text), Look::Int)
        }
        Kind::Float => float(doc.raw(node)),
        Kind::Plain | Kind::Escaped => Look::Text,
        Kind::Object => Look::Object,
        Kind::Array => Look::Array,
    }
}

/// Where a member's value is.
pub(crate) enum Looked<'a> {
    Missing,
    /// In the text.
    Node(u32),
    /// A script has set it.
    Given(&'a Dynamic),
}

impl JsonObject {
    /// The text that it shows.
    #[inline]
    pub(crate) fn doc(&self) -> &Rc<Doc> {
        &self.doc
    }

    /// Makes it the view of another object of the same text; not where anything was changed in it.
    #[inline]
    pub(crate) fn turn_to(&mut self, doc: &Rc<Doc>, node: u32) -> bool {
        let same = self.patches.is_none() && Rc::ptr_eq(&self.doc, doc);
        if same {
            self.node = node;
        }
        same
    }

    /// The same as [`Self::lookup`] where no script has changed anything in the object: in which text and
    /// where, if there is such a member.
    #[inline(always)]
    pub(crate) fn in_text(&self, name: &Name<'_>) -> Option<(&Rc<Doc>, Option<u32>)> {
        (self.patches.is_none()).then(|| (&self.doc, self.doc.find_name(self.node, name)))
    }

    /// Where the value of the member called `name` is.
    #[inline]
    pub(crate) fn lookup(&self, name: &str) -> Looked<'_> {
        match self.patch(name) {
            Some(Some(value)) => Looked::Given(value),
            Some(None) => Looked::Missing,
            None => match self.doc.find(self.node, name) {
                Some(node) => Looked::Node(node),
                None => Looked::Missing,
            },
        }
    }
}

impl JsonArray {
    /// The text that it shows.
    #[inline]
    pub(crate) fn doc(&self) -> &Rc<Doc> {
        &self.doc
    }

    /// Its place in the text.
    #[inline]
    pub(crate) fn node(&self) -> u32 {
        self.node
    }
}
