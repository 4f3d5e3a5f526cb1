//! A parsed JSON text: the bytes and their tape, with the questions a view asks.
//!
//! It knows places and texts, not Rhai values.

use std::rc::Rc;

use rhai::INT;

use super::digits::{Digits, Home};
use super::escape::unescape;
use super::name::Name;
use super::not_json::NotJson;
use super::parse;
use super::tape::{Kind, Node};
use super::text::Text;
use crate::delivery::Record;
use crate::script::meter;

/// So many steps along the tape, or along a list of changes, are about one operation.
const STEPS_PER_OPERATION: usize = 32;

/// A JSON text that was parsed once.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    text: Text,
    tape: Vec<Node>,
    pub(super) home: Home,
}

impl Doc {
    /// Parses a text of its own; `digits` keeps the text of its numbers.
    pub(crate) fn of_text(text: String, digits: Option<&Rc<Digits>>) -> Result<Self, NotJson> {
        let (text, mut tape) = (Text::of(text), Vec::new());
        parse::parse(text.reader(), &mut tape)?;
        Ok(Self {
            text,
            tape,
            home: digits.map_or(Home::None, |digits| Home::Texts(Rc::clone(digits))),
        })
    }

    /// Parses a copy of the value of `record` into the memory of the last one.
    pub(crate) fn refill(&mut self, record: &Record) -> Result<(), NotJson> {
        self.tape.clear();
        self.text.refill(record.value().unwrap_or_default())?;
        parse::parse(self.text.reader(), &mut self.tape)?;
        self.home = Home::Message;
        Ok(())
    }

    /// Lets go of the text and keeps the memory.
    pub(crate) fn release(&mut self) {
        self.text.release();
        self.tape.clear();
    }

    /// Whether the whole text is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.tape
            .first()
            .is_some_and(|node| node.kind == Kind::Object)
    }

    #[inline(always)]
    fn kind(&self, index: u32) -> Kind {
        let node = self.tape.get(index as usize);
        node.map_or(Kind::Null, |node| node.kind)
    }

    /// How many bytes a node takes.
    #[inline(always)]
    pub(crate) fn width(&self, index: u32) -> usize {
        let node = self.tape.get(index as usize);
        node.map_or(0, |node| node.end.saturating_sub(node.start) as usize)
    }

    pub(crate) fn is_null_at(&self, index: u32) -> bool {
        self.kind(index) == Kind::Null
    }

    pub(crate) fn is_object_at(&self, index: u32) -> bool {
        self.kind(index) == Kind::Object
    }

    pub(crate) fn is_array_at(&self, index: u32) -> bool {
        self.kind(index) == Kind::Array
    }

    pub(crate) fn is_container_at(&self, index: u32) -> bool {
        matches!(self.kind(index), Kind::Object | Kind::Array)
    }

    pub(crate) fn is_text_at(&self, index: u32) -> bool {
        matches!(self.kind(index), Kind::Plain | Kind::Escaped)
    }

    /// Whether it is a string without escapes.
    pub(crate) fn is_plain_text_at(&self, index: u32) -> bool {
        self.kind(index) == Kind::Plain
    }

    /// With zeros behind it.
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.text.as_str().as_bytes()
    }

    #[inline(always)]
    pub(crate) fn node(&self, index: u32) -> &Node {
        const NOTHING: &Node = &Node {
            start: 0,
            end: 0,
            next: 0,
            len: 0,
            kind: Kind::Null,
        };
        self.tape.get(index as usize).unwrap_or(NOTHING)
    }

    /// The bytes from `start` to `end` as they were written.
    #[inline(always)]
    pub(crate) fn slice(&self, start: u32, end: u32) -> &[u8] {
        self.bytes()
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The bytes of a node as they were written.
    #[inline(always)]
    pub(crate) fn raw(&self, node: &Node) -> &[u8] {
        self.slice(node.start, node.end)
    }

    /// The text of the number at `index`; empty where none is.
    pub(super) fn number(&self, index: u32) -> &[u8] {
        let node = self.node(index);
        match node.kind {
            Kind::Integer | Kind::Float => self.raw(node),
            _ => &[],
        }
    }

    /// Calls `with` with the text of a string or name.
    #[inline]
    pub(crate) fn with_text<R>(&self, node: &Node, with: impl FnOnce(&str) -> R) -> R {
        let inside = self.text(node.start + 1, node.end.saturating_sub(1));
        match node.kind {
            Kind::Escaped => with(&unescape(inside)),
            _ => with(inside),
        }
    }

    /// The text from `start` to `end`.
    #[inline(always)]
    pub(crate) fn text(&self, start: u32, end: u32) -> &str {
        let text = self.text.as_str();
        text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What stands between the quotes of a string or name.
    #[inline]
    pub(crate) fn inside(&self, node: &Node) -> &[u8] {
        self.slice(node.start + 1, node.end.saturating_sub(1))
    }

    /// Whether the string or name at `node` is `text`.
    #[inline]
    pub(crate) fn is_text(&self, node: &Node, text: &str) -> bool {
        Name::of(text).is_at(node, self.bytes())
    }

    /// The members of an object as tape indexes of name and value; empty for anything else.
    pub(crate) fn members(&self, object: u32) -> Members<'_> {
        let node = self.node(object);
        let left = if node.kind == Kind::Object {
            node.len
        } else {
            0
        };
        Members {
            doc: self,
            at: object + 1,
            left,
        }
    }

    /// The value of the member called `name`; of several, the last, as everywhere in JSON's practice.
    #[inline]
    pub(crate) fn find(&self, object: u32, name: &str) -> Option<u32> {
        self.find_name(object, &Name::of(name))
    }

    /// The same for a name that is known beforehand.
    #[inline(never)]
    pub(crate) fn find_name(&self, object: u32, name: &Name<'_>) -> Option<u32> {
        let node = self.tape.get(object as usize)?;
        if node.kind != Kind::Object {
            return None;
        }
        walked(node.len as usize);
        let bytes = self.bytes();
        // What is in the object; it becomes shorter from name to name.
        let mut rest = self.tape.get(object as usize + 1..node.next as usize)?;
        let mut found = None;
        while let [key, value, others @ ..] = rest {
            let at = node.next - rest.len() as u32;
            if name.is_at(key, bytes) {
                found = Some(at + 1);
            }
            // Most values are one node. To branch on that is quicker than to wait for what `next` says.
            rest = match value.kind {
                Kind::Object | Kind::Array => rest.get((key.next - at) as usize..)?,
                _ => others,
            };
        }
        found
    }

    /// Whether another member after `key` has the same name.
    pub(crate) fn repeats_later(&self, object: u32, key: u32) -> bool {
        self.with_text(self.node(key), |name| {
            self.members(object)
                .any(|(other, _)| other > key && self.is_text(self.node(other), name))
        })
    }

    /// The tape index of an array's element, counted from the end where `index` is negative.
    pub(crate) fn element_from_either_end(&self, array: u32, index: INT) -> Option<u32> {
        let node = self.node(array);
        if node.kind != Kind::Array {
            return None;
        }
        self.element(
            array,
            super::view::position(node.len as usize, index)? as u32,
        )
    }

    /// The tape index of an array's element.
    pub(crate) fn element(&self, array: u32, index: u32) -> Option<u32> {
        let node = self.node(array);
        if node.kind != Kind::Array || index >= node.len {
            return None;
        }
        walked(index as usize);
        let mut at = array + 1;
        for _ in 0..index {
            at = self.node(at).next;
        }
        Some(at)
    }
}

/// Pays for so many steps; a few are part of the operation that asks.
#[inline]
pub(super) fn walked(steps: usize) {
    let operations = steps / STEPS_PER_OPERATION;
    if operations > 0 {
        meter::charge(operations);
    }
}

/// The members of an object.
pub(crate) struct Members<'a> {
    doc: &'a Doc,
    at: u32,
    left: u32,
}

impl Iterator for Members<'_> {
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        self.left = self.left.checked_sub(1)?;
        let key = self.at;
        self.at = self.doc.node(key).next;
        Some((key, key + 1))
    }
}
