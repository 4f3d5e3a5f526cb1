//! JSON as a script sees it: parsed once, read where it is touched, patched where it is written.
//!
//! `parse` makes the `tape` of a `text` with what `specials` finds, `doc` answers questions about it, `name`
//! finds members, `number` reads numbers, `view` gives Rhai values and `look` the same for compiled code,
//! `elements` goes through arrays, `methods` registers what a script can call on them and `arguments` what
//! takes them, `write` turns values back into text, `digits` gives back a number's own text where it comes
//! to be written.

mod arguments;
mod digits;
mod doc;
mod elements;
mod escape;
mod look;
mod methods;
mod name;
mod names;
mod not_json;
mod number;
mod parse;
mod specials;
mod tape;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod write;

pub(crate) use digits::Digits;
pub(crate) use doc::Doc;
pub(crate) use elements::Elements;
pub(crate) use look::{Look, Looked, look, look_untagged};
pub(crate) use methods::{own, register, register_field};
pub(crate) use name::Name;
pub(crate) use not_json::NotJson;
pub(crate) use view::{JsonArray, JsonObject, position, value};
pub(crate) use write::{NoJson, not_writable, write, write_view};
