//! What compiled code runs with.
//!
//! `frame` is one call, `value` what it works on, with `parts`, and `scalar` what of it fits registers;
//! `locals` are the variables at a place. `interpreted` is a part of the tree that the interpreter runs,
//! `over` one that it runs over values which are there.

pub(super) mod frame;
pub(super) mod interpreted;
pub(super) mod locals;
pub(super) mod over;
pub(super) mod parts;
pub(super) mod scalar;
pub(super) mod value;
