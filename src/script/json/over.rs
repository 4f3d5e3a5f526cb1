//! A changed array, written over the text of the array that it was.
//!
//! Rhai's types can not hold every number of JSON, and an array that is changed is Rhai's own. So an
//! element that still is what stood in the text is written as it stood there, wherever it is now.

use std::collections::HashMap;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::doc::Doc;
use super::parse::Kind;
use super::view::is_same;
use super::write::{Limit, NoJson, deeper, write_at};

/// How far from its place an element is looked for; beyond that only numbers are.
const NEAR: usize = 32;

/// Appends `new`, which takes the place of the node `old`.
pub(super) fn write(
    new: &Dynamic,
    doc: &Rc<Doc>,
    old: u32,
    out: &mut Vec<u8>,
    depth: usize,
    limit: Limit,
) -> Result<(), NoJson> {
    match new.read_lock::<Array>() {
        Some(array) if doc.node(old).kind == Kind::Array => {
            let depth = deeper(depth)?;
            let mut elements = Elements::of(doc, old);
            out.push(b'[');
            for (index, element) in array.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match elements.find(element) {
                    Found::Same(node) => out.extend_from_slice(doc.raw(doc.node(node))),
                    Found::Changed(node) => write(element, doc, node, out, depth, limit)?,
                    Found::New => write_at(element, out, depth, limit)?,
                }
            }
            out.push(b']');
            Ok(())
        }
        _ => write_at(new, out, depth, limit),
    }
}

/// What an element of the new array was in the old one.
enum Found {
    Same(u32),
    /// An array that was changed itself.
    Changed(u32),
    New,
}

/// The old array's elements, gone through in step with the new one's.
struct Elements<'d> {
    doc: &'d Rc<Doc>,
    nodes: Vec<u32>,
    next: usize,
    /// Floats by their bits; made when the first one is not near its place.
    floats: Option<HashMap<u64, u32>>,
}

impl<'d> Elements<'d> {
    fn of(doc: &'d Rc<Doc>, array: u32) -> Self {
        let mut nodes = Vec::with_capacity(doc.node(array).len as usize);
        let mut node = array + 1;
        for _ in 0..doc.node(array).len {
            nodes.push(node);
            node = doc.node(node).next;
        }
        Self {
            doc,
            nodes,
            next: 0,
            floats: None,
        }
    }

    fn find(&mut self, element: &Dynamic) -> Found {
        let after = self.next..(self.next + NEAR).min(self.nodes.len());
        let before = (self.next.saturating_sub(NEAR)..self.next).rev();
        let mut near = after.chain(before);
        if let Some(at) = near.find(|at| is_same(self.doc, self.nodes[*at], element)) {
            self.next = at + 1;
            return Found::Same(self.nodes[at]);
        }
        if let Ok(float) = element.as_float() {
            let found = self.floats().get(&float.to_bits()).copied();
            return found.map_or(Found::New, Found::Same);
        }
        match self.nodes.get(self.next) {
            Some(node) if element.is_array() && self.doc.node(*node).kind == Kind::Array => {
                self.next += 1;
                Found::Changed(*node)
            }
            _ => Found::New,
        }
    }

    fn floats(&mut self) -> &HashMap<u64, u32> {
        let (doc, nodes) = (self.doc, &self.nodes);
        self.floats.get_or_insert_with(|| {
            let floats = nodes.iter().filter_map(|node| {
                let float = super::view::value(doc, *node).as_float().ok()?;
                Some((float.to_bits(), *node))
            });
            floats.collect()
        })
    }
}
