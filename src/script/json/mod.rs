//! JSON as a script sees it: parsed once, read where it is touched, patched where it is written.
//!
//! `parse` makes the tape, `doc` answers questions about it, `number` reads numbers, `view` gives Rhai
//! values, `methods` registers what a script can call on them, `write` turns values back into text,
//! `over` keeps the text of what a changed array still holds.

mod doc;
mod escape;
mod methods;
mod names;
mod number;
mod over;
mod parse;
#[cfg(test)]
mod tests;
mod view;
mod write;

pub(crate) use doc::Doc;
pub(crate) use methods::{register, register_field};
pub(crate) use parse::NotJson;
pub(crate) use view::{JsonArray, JsonObject, value};
pub(crate) use write::{NoJson, write};
