//! What a script holds of a JSON text: views of its objects and arrays, and patches.
//!
//! `value` makes a Rhai value of a node; `field`, `set` and `remove` work on an object. A change is
//! kept beside the text until it is written. An array is never patched: whoever changes one first
//! turns it into a Rhai array whose elements are views (see `methods`).

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rhai::{Array, Dynamic, INT, ImmutableString, Map};
use smallvec::SmallVec;

use super::doc::{Doc, walked};
use super::names::Names;
use super::number;
use super::tape::Kind;
use crate::script::{meter, strings};

/// A JSON object as a script sees it: `type_of` says `map`.
#[derive(Debug, Clone)]
pub(crate) struct JsonObject {
    pub(super) doc: Rc<Doc>,
    pub(super) node: u32,
    /// Members that were set (`Some`) or removed (`None`), in the order of the first change.
    pub(super) patches: Option<Rc<Patches>>,
}

/// Members, elements or changes of them that are looked at for about the price of one operation.
pub(super) const VALUES_PER_OPERATION: usize = 8;

/// What was done to an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Patches {
    /// Members by name with their new values; most handlers set one or two, which need no memory of their
    /// own.
    pub list: SmallVec<[(ImmutableString, Option<Dynamic>); 2]>,
    /// Whether any of them may be of a member of the text.
    pub in_text: bool,
}

/// See [`JsonObject::patches_by_name`].
pub(super) type PatchTable<'a> = HashMap<&'a str, &'a (ImmutableString, Option<Dynamic>)>;

/// A JSON array as a script sees it: `type_of` says `array`.
#[derive(Debug, Clone)]
pub(crate) struct JsonArray {
    pub(super) doc: Rc<Doc>,
    pub(super) node: u32,
}

/// The Rhai value of a node: scalars as they are, objects and arrays as views.
pub(crate) fn value(doc: &Rc<Doc>, index: u32) -> Dynamic {
    let node = doc.node(index);
    match node.kind {
        Kind::Null => Dynamic::UNIT,
        Kind::True => Dynamic::TRUE,
        Kind::False => Dynamic::FALSE,
        Kind::Integer => integer(doc, index, doc.raw(node)),
        Kind::Float => float(doc, index, doc.raw(node)),
        Kind::Plain => Dynamic::from(strings::shared_bytes(doc.inside(node))),
        Kind::Escaped => doc.with_text(node, |text| Dynamic::from(strings::shared(text))),
        Kind::Object => Dynamic::from(JsonObject::new(doc, index)),
        Kind::Array => Dynamic::from(JsonArray::new(doc, index)),
    }
}

/// A whole number that does not fit 64 bits is read as a float, as Rhai's own parser does; so is `-0`.
#[inline]
fn integer(doc: &Doc, index: u32, text: &[u8]) -> Dynamic {
    match number::integer(text) {
        Some(number) => Dynamic::from_int(number),
        None => float(doc, index, text),
    }
}

/// A float that knows where its text is.
#[inline]
fn float(doc: &Doc, index: u32, text: &[u8]) -> Dynamic {
    let mut value = Dynamic::from_float(number::float(text));
    value.set_tag(doc.home.tag(index, text));
    value
}

impl JsonObject {
    pub(crate) fn new(doc: &Rc<Doc>, node: u32) -> Self {
        Self {
            doc: Rc::clone(doc),
            node,
            patches: None,
        }
    }

    /// What was done to the member called `name`, if anything.
    pub(super) fn patch(&self, name: &str) -> Option<&Option<Dynamic>> {
        let patches = &self.patches.as_deref()?.list;
        walked(patches.len());
        patches
            .iter()
            .find(|(patched, _)| patched.as_str() == name)
            .map(|(_, patch)| patch)
    }

    /// The member called `name`, `()` where there is none.
    #[inline]
    pub(crate) fn field(&self, name: &str) -> Dynamic {
        if let Some(patch) = self.patch(name) {
            return patch.clone().unwrap_or(Dynamic::UNIT);
        }
        match self.doc.find(self.node, name) {
            Some(node) => value(&self.doc, node),
            None => Dynamic::UNIT,
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        match self.patch(name) {
            Some(patch) => patch.is_some(),
            None => self.doc.find(self.node, name).is_some(),
        }
    }

    /// Sets a member. Writing back what stands there, as Rhai does after each method call on a
    /// member, changes nothing; nor does writing `()` where there is no such member.
    pub(crate) fn set(&mut self, name: &ImmutableString, new: Dynamic) {
        let new = new.flatten();
        let mut in_text = false;
        let unchanged = match self.patch(name) {
            Some(patch) => patch.is_none() && new.is_unit(),
            None => match self.doc.find(self.node, name) {
                Some(node) => {
                    in_text = true;
                    is_same(&self.doc, node, &new)
                }
                None => new.is_unit(),
            },
        };
        if !unchanged {
            self.put(name, Some(new), in_text);
        }
    }

    /// Removes a member and returns it, `()` where there is none.
    pub(crate) fn remove(&mut self, name: &ImmutableString) -> Dynamic {
        let old = self.field(name);
        if self.contains(name) {
            self.put(name, None, true);
        }
        old
    }

    fn put(&mut self, name: &ImmutableString, patch: Option<Dynamic>, in_text: bool) {
        let patches = Rc::make_mut(self.patches.get_or_insert_default());
        patches.in_text |= in_text;
        let list = &mut patches.list;
        match list.iter_mut().find(|(patched, _)| patched == name) {
            Some((_, slot)) => *slot = patch,
            None => list.push((name.clone(), patch)),
        }
    }

    /// The patches by name, where they are so many that searching them for each member would be slow.
    pub(super) fn patches_by_name(&self) -> Option<PatchTable<'_>> {
        let patches = &self.patches.as_deref()?.list;
        let table = || patches.iter().map(|patch| (patch.0.as_str(), patch));
        (patches.len() > 16).then(|| table().collect())
    }

    /// Pays for a look at every member and every change.
    pub(super) fn pay(&self) {
        let patches = self.patches.as_deref();
        let patches = patches.map_or(0, |patches| patches.list.len());
        let members = self.doc.node(self.node).len as usize;
        meter::charge((members + patches) / VALUES_PER_OPERATION);
    }

    /// Each member once, with the tape index of its value where that is not patched: in the order of
    /// the text, added ones last.
    fn members(&self) -> Vec<(ImmutableString, Option<u32>)> {
        self.pay();
        let (doc, node) = (&self.doc, self.node);
        let len = doc.node(node).len as usize;
        let names = Names::of(doc, node, len);
        let by_name = self.patches_by_name();
        let patch = |name: &str| match &by_name {
            Some(table) => table.get(name).map(|(_, patch)| patch),
            None => self.patch(name),
        };
        let mut members = Vec::with_capacity(len);
        for (key, value) in doc.members(node) {
            if !names.is_last(doc, node, key) {
                continue;
            }
            let name = doc.with_text(doc.node(key), strings::shared);
            match patch(&name) {
                None => members.push((name, Some(value))),
                Some(Some(_)) => members.push((name, None)),
                Some(None) => {}
            }
        }
        for (name, patch) in self.patches.iter().flat_map(|patches| &patches.list) {
            if patch.is_some() && !names.contains(doc, node, name) {
                members.push((name.clone(), None));
            }
        }
        members
    }

    /// The members' names in the order of the text, added ones last.
    pub(crate) fn names(&self) -> Vec<ImmutableString> {
        let members = self.members().into_iter();
        members.map(|(name, _)| name).collect()
    }

    /// The members' names and values; values that are objects or arrays stay views.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (ImmutableString, Dynamic)> {
        self.members().into_iter().map(|(name, node)| {
            let value = match node {
                Some(node) => value(&self.doc, node),
                None => self.field(&name),
            };
            (name, value)
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.members().len()
    }

    /// The same members in a Rhai map; members that are objects or arrays stay views.
    pub(crate) fn to_map(&self) -> Map {
        self.entries()
            .map(|(name, value)| (name.as_str().into(), value))
            .collect()
    }

    /// Takes over what differs in `map`, which was made of this object. In one pass, because no
    /// clock is looked at meanwhile.
    pub(super) fn take_over(&mut self, map: &Map) {
        self.pay();
        let (doc, node) = (Rc::clone(&self.doc), self.node);
        let names = Names::of(&doc, node, map.len().max(doc.node(node).len as usize));
        let old = self.patches.as_deref().cloned().unwrap_or_default();
        let mut patches = old.list;
        for (name, patch) in &mut patches {
            *patch = map.get(name.as_str()).cloned();
        }
        let patched: HashSet<ImmutableString> =
            patches.iter().map(|(name, _)| name.clone()).collect();
        for (key, value) in doc.members(node) {
            if !names.is_last(&doc, node, key) {
                continue;
            }
            let name = doc.with_text(doc.node(key), strings::shared);
            let new = map.get(name.as_str());
            let same = new.is_some_and(|new| is_same(&doc, value, new));
            if !same && !patched.contains(&name) {
                patches.push((name, new.cloned()));
            }
        }
        for (name, new) in map {
            // Nothing at a name that is not there is no change.
            if !new.is_unit()
                && !patched.contains(name.as_str())
                && !names.contains(&doc, node, name)
            {
                patches.push((strings::shared(name), Some(new.clone())));
            }
        }
        self.patches = (!patches.is_empty()).then(|| {
            Rc::new(Patches {
                list: patches,
                in_text: true,
            })
        });
    }

    /// About how many bytes [`Self::to_map`] takes.
    pub(super) fn map_bytes(&self) -> usize {
        // A name twice, a node of the map's tree, and the list that the map is made of.
        const MEMBER: usize = 160;
        let members = self.doc.members(self.node);
        members
            .map(|(_, value)| MEMBER + value_bytes(&self.doc, value))
            .sum()
    }

    /// Whether `other` is this view of this text, with nothing changed in it.
    fn is_untouched(&self, doc: &Rc<Doc>, node: u32) -> bool {
        Rc::ptr_eq(&self.doc, doc) && self.node == node && self.patches.is_none()
    }
}

impl JsonArray {
    pub(crate) fn new(doc: &Rc<Doc>, node: u32) -> Self {
        Self {
            doc: Rc::clone(doc),
            node,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.doc.node(self.node).len as usize
    }

    /// The element at `index`, counted from the end where it is negative.
    pub(crate) fn get(&self, index: INT) -> Option<Dynamic> {
        let index = position(self.len(), index)?;
        let node = self.doc.element(self.node, index as u32)?;
        Some(value(&self.doc, node))
    }

    /// The places of the elements.
    fn nodes(&self) -> impl Iterator<Item = u32> {
        let next = |at: &u32| Some(self.doc.node(*at).next);
        std::iter::successors(Some(self.node + 1), next).take(self.len())
    }

    /// Whether `now`, which was made of this array, still has the same elements.
    pub(super) fn is_same(&self, now: &[Dynamic]) -> bool {
        let mut both = self.nodes().zip(now);
        now.len() == self.len() && both.all(|(node, new)| is_same(&self.doc, node, new))
    }

    /// About how many bytes [`Self::to_array`] takes.
    pub(super) fn array_bytes(&self) -> usize {
        let bytes = |node| size_of::<Dynamic>() + value_bytes(&self.doc, node);
        self.nodes().map(bytes).sum()
    }

    /// The same elements in a Rhai array; elements that are objects or arrays stay views.
    pub(crate) fn to_array(&self) -> Array {
        self.clone().into_iter().collect()
    }
}

/// What a node's value takes besides its `Dynamic`: nothing for numbers, a box for views.
fn value_bytes(doc: &Doc, index: u32) -> usize {
    const BOX: usize = 48;
    let node = doc.node(index);
    match node.kind {
        Kind::Null | Kind::True | Kind::False | Kind::Integer | Kind::Float => 0,
        Kind::Object | Kind::Array => BOX,
        Kind::Plain | Kind::Escaped => BOX + doc.inside(node).len(),
    }
}

/// An index as Rhai counts it: from the end where it is negative.
pub(crate) fn position(len: usize, index: INT) -> Option<usize> {
    let position = if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (position < len).then_some(position)
}

/// Whether `new` is what the text says at `node`, so that writing it would change nothing.
pub(super) fn is_same(doc: &Rc<Doc>, index: u32, new: &Dynamic) -> bool {
    let node = doc.node(index);
    match node.kind {
        Kind::Null => new.is_unit(),
        Kind::True => new.as_bool() == Ok(true),
        Kind::False => new.as_bool() == Ok(false),
        Kind::Integer | Kind::Float => match (new.as_int(), new.as_float()) {
            // A float has no such reading: `1` written over `1.0` is a change.
            (Ok(new), _) => {
                node.kind == Kind::Integer && number::integer(doc.raw(node)) == Some(new)
            }
            // Bits, so that a number that is read and written back is the same even if it is NaN.
            (_, Ok(float)) => {
                number::float(doc.raw(node)).to_bits() == float.to_bits()
                    && !is_small_integer(doc, index)
                    // Another number of the JSON: as a float it may be the same, but not its text.
                    && (new.tag() == 0 || new.tag() == doc.home.tag(index, doc.raw(node)))
            }
            _ => false,
        },
        Kind::Plain | Kind::Escaped => new
            .as_immutable_string_ref()
            .is_ok_and(|new| doc.is_text(node, &new)),
        Kind::Object => new
            .read_lock::<JsonObject>()
            .is_some_and(|view| view.is_untouched(doc, index)),
        Kind::Array => new
            .read_lock::<JsonArray>()
            .is_some_and(|view| Rc::ptr_eq(&view.doc, doc) && view.node == index),
    }
}

/// A whole number that reads as an integer: `3.0` written over `3` is a change.
fn is_small_integer(doc: &Doc, index: u32) -> bool {
    let node = doc.node(index);
    node.kind == Kind::Integer && number::integer(doc.raw(node)).is_some()
}
