//! A parsed JSON text: the bytes and their tape, with the questions a view asks.
//!
//! It knows places and texts, not Rhai values.

use std::rc::Rc;

use super::parse::{self, Kind, Node, NotJson};
use crate::delivery::Record;

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
}

impl Doc {
    /// Parses a text of its own.
    pub(crate) fn of_text(text: String) -> Result<Self, NotJson> {
        let mut tape = Vec::new();
        parse::parse(text.as_bytes(), &mut tape)?;
        Ok(Self {
            source: Source::Text(text),
            tape,
        })
    }

    /// Parses the value of `record` into the memory of the last one.
    pub(crate) fn refill(&mut self, record: &Rc<Record>) -> Result<(), NotJson> {
        self.source = Source::Empty;
        parse::parse(record.value().unwrap_or_default(), &mut self.tape)?;
        self.source = Source::Record(Rc::clone(record));
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

    fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::Empty => &[],
            Source::Record(record) => record.value().unwrap_or_default(),
            Source::Text(text) => text.as_bytes(),
        }
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

    /// The same as text; parsing has checked that it is UTF-8.
    pub(crate) fn raw_text(&self, node: Node) -> &str {
        std::str::from_utf8(self.raw(node)).unwrap_or_default()
    }

    /// Calls `with` with the text of a string or name.
    pub(crate) fn with_text<R>(&self, node: Node, with: impl FnOnce(&str) -> R) -> R {
        let raw = self.raw_text(node);
        match node.kind {
            Kind::Escaped => with(&parse::unescape(raw)),
            _ => with(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()),
        }
    }

    /// Whether the name at `node` is `name`.
    #[inline]
    fn is_named(&self, node: Node, name: &str) -> bool {
        match node.kind {
            Kind::Escaped => parse::unescape(self.raw_text(node)) == name,
            _ => {
                (node.end - node.start) as usize == name.len() + 2
                    && self.slice(node.start + 1, node.end - 1) == name.as_bytes()
            }
        }
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
        let mut found = None;
        for (key, value) in self.members(object) {
            if self.is_named(self.node(key), name) {
                found = Some(value);
            }
        }
        found
    }

    /// Whether another member after `key` has the same name.
    pub(crate) fn repeats_later(&self, object: u32, key: u32) -> bool {
        self.with_text(self.node(key), |name| {
            self.members(object)
                .any(|(other, _)| other > key && self.is_named(self.node(other), name))
        })
    }

    /// The tape index of an array's element.
    pub(crate) fn element(&self, array: u32, index: u32) -> Option<u32> {
        let node = self.node(array);
        if node.kind != Kind::Array || index >= node.len {
            return None;
        }
        let mut at = array + 1;
        for _ in 0..index {
            at = self.node(at).next;
        }
        Some(at)
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
        let (key, value) = (self.at, self.at + 1);
        self.at = self.doc.node(value).next;
        Some((key, value))
    }
}
