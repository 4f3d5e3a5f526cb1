//! A parsed JSON text: the bytes and their tape, with the questions a view asks.
//!
//! It knows places and texts, not Rhai values.

use std::rc::Rc;

use rhai::INT;

use super::digits::{Digits, Home};
use super::escape::unescape;
use super::not_json::NotJson;
use super::parse;
use super::tape::{ESCAPED, Kind, Node};
use crate::delivery::Record;
use crate::script::meter;

/// So many steps along the tape, or along a list of changes, are about one operation.
const STEPS_PER_OPERATION: usize = 32;

/// Where the text of a document lives.
#[derive(Debug, Default)]
enum Source {
    #[default]
    Empty,
    /// A message's value, not copied.
    Record(Rc<Record>),
    Text(String),
}

/// A JSON text that was parsed once.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    source: Source,
    tape: Vec<Node>,
    pub(super) home: Home,
}

impl Doc {
    /// Parses a text of its own; `digits` keeps the text of its numbers.
    pub(crate) fn of_text(text: String, digits: Option<&Rc<Digits>>) -> Result<Self, NotJson> {
        let mut tape = Vec::new();
        parse::parse(text.as_bytes(), &mut tape)?;
        Ok(Self {
            source: Source::Text(text),
            tape,
            home: digits.map_or(Home::None, |digits| Home::Texts(Rc::clone(digits))),
        })
    }

    /// Parses the value of `record` into the memory of the last one.
    pub(crate) fn refill(&mut self, record: &Rc<Record>) -> Result<(), NotJson> {
        self.release();
        parse::parse(record.value().unwrap_or_default(), &mut self.tape)?;
        self.source = Source::Record(Rc::clone(record));
        self.home = Home::Message;
        Ok(())
    }

    /// Lets go of the record and keeps the memory.
    pub(crate) fn release(&mut self) {
        self.source = Source::Empty;
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

    fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::Empty => &[],
            Source::Record(record) => record.value().unwrap_or_default(),
            Source::Text(text) => text.as_bytes(),
        }
    }

    /// The length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn node(&self, index: u32) -> Node {
        self.tape.get(index as usize).copied().unwrap_or(Node {
            start: 0,
            end: 0,
            next: index.saturating_add(1),
            len: 0,
            kind: Kind::Null,
        })
    }

    /// The bytes from `start` to `end` as they were written.
    pub(crate) fn slice(&self, start: u32, end: u32) -> &[u8] {
        self.bytes()
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The bytes of a node as they were written.
    pub(crate) fn raw(&self, node: Node) -> &[u8] {
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
    pub(crate) fn with_text<R>(&self, node: Node, with: impl FnOnce(&str) -> R) -> R {
        let inside = std::str::from_utf8(self.inside(node)).unwrap_or_default();
        match node.kind {
            Kind::Escaped => with(&unescape(inside)),
            _ => with(inside),
        }
    }

    /// The text from `start` to `end`.
    pub(crate) fn text(&self, start: u32, end: u32) -> &str {
        std::str::from_utf8(self.slice(start, end)).unwrap_or_default()
    }

    /// What stands between the quotes of a string or name.
    pub(crate) fn inside(&self, node: Node) -> &[u8] {
        self.slice(node.start + 1, node.end.saturating_sub(1))
    }

    /// Whether the string or name at `node` is `text`.
    pub(crate) fn is_text(&self, node: Node, text: &str) -> bool {
        is_text(self.bytes(), &node, text)
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
    pub(crate) fn find(&self, object: u32, name: &str) -> Option<u32> {
        let (bytes, tape) = (self.bytes(), self.tape.as_slice());
        let node = tape.get(object as usize)?;
        if node.kind != Kind::Object {
            return None;
        }
        walked(node.len as usize);
        let mut found = None;
        let mut at = object + 1;
        // From name to name, not through `members`: this is what a field of `msg.json` costs.
        for _ in 0..node.len {
            let [key, value] = tape.get(at as usize..)?.first_chunk()?;
            // The length first, which tells most names apart.
            if (key.len as usize == name.len() || key.len == ESCAPED) && is_text(bytes, key, name) {
                found = Some(at + 1);
            }
            // Most values are one node. To branch on that is quicker than to wait for what `next` says.
            at = match value.kind {
                Kind::Object | Kind::Array => key.next,
                _ => at + 2,
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

/// Whether the string or name at `node` of the text `bytes` is `text`.
#[inline(always)]
fn is_text(bytes: &[u8], node: &Node, text: &str) -> bool {
    let start = node.start as usize + 1;
    if node.len == ESCAPED {
        let inside = bytes.get(start..node.end.wrapping_sub(1) as usize);
        return is_escaped_text(inside, text);
    }
    // By bytes, so that UTF-8 is not checked again.
    let inside = bytes.get(start..start + node.len as usize);
    inside.is_some_and(|inside| is_same(inside, text.as_bytes()))
}

/// `==` without a call for texts as short as names are.
#[inline(always)]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() || one.len() > 16 {
        return one == other;
    }
    fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        bytes.first_chunk().zip(bytes.last_chunk())
    }
    match (ends::<8>(one), ends::<8>(other)) {
        (Some(one), Some(other)) => one == other,
        _ => match (ends::<4>(one), ends::<4>(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one.iter().eq(other),
        },
    }
}

#[cold]
fn is_escaped_text(inside: Option<&[u8]>, text: &str) -> bool {
    inside
        .and_then(|inside| std::str::from_utf8(inside).ok())
        .is_some_and(|inside| unescape(inside) == text)
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
