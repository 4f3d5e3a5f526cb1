//! The names of a large object's members, looked up instead of searched for one by one.

use std::collections::HashMap;

use super::doc::Doc;

/// Up to so many comparisons a search is quicker than a table.
const SEARCHED: usize = 4096;

/// Which member of an object has a name: of several, the last.
pub(super) enum Names {
    /// The object is small: it is asked each time.
    Searched,
    /// By name, the tape index of the name.
    Table(HashMap<String, u32>),
}

impl Names {
    /// For about so many `questions` about the object at `node`.
    pub(super) fn of(doc: &Doc, node: u32, questions: usize) -> Self {
        let members = doc.node(node).len as usize;
        if members.saturating_mul(questions) <= SEARCHED {
            return Self::Searched;
        }
        let names = doc.members(node);
        Self::Table(
            names
                .map(|(key, _)| (doc.with_text(doc.node(key), str::to_owned), key))
                .collect(),
        )
    }

    /// Whether the object has a member of this name.
    pub(super) fn contains(&self, doc: &Doc, node: u32, name: &str) -> bool {
        match self {
            Self::Searched => doc.find(node, name).is_some(),
            Self::Table(table) => table.contains_key(name),
        }
    }

    /// Whether no later member has the name at `key`.
    pub(super) fn is_last(&self, doc: &Doc, node: u32, key: u32) -> bool {
        match self {
            Self::Searched => !doc.repeats_later(node, key),
            Self::Table(table) => {
                doc.with_text(doc.node(key), |name| table.get(name) == Some(&key))
            }
        }
    }
}
