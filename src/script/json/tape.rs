//! The flat tape of nodes that a text is parsed into.

/// What stands at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// No fraction, no exponent; may exceed 64 bits.
    Integer,
    Float,
    /// Without escapes: the bytes between the quotes are the text.
    Plain,
    /// With escapes.
    Escaped,
    /// Children alternate between names and values.
    Object,
    Array,
}

/// One value (or an object's name) and its place in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    /// First byte, the quote of a string included.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The tape's index after this node and all in it; for an object's name, after its value.
    pub next: u32,
    /// Members of an object, elements of an array, bytes of a string or name; [`ESCAPED`] where that has
    /// escapes, and 0 of anything else.
    pub len: u32,
    pub kind: Kind,
}

/// More than any length.
pub(crate) const ESCAPED: u32 = u32::MAX;
