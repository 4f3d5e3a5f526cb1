//! Rhai values as JSON text.
//!
//! What comes from a message and was not changed is copied as it was written, so a number keeps its
//! digits and a string its escapes; patches are put in between. A number that was moved elsewhere has
//! its text from `digits`.

use std::io;

use rhai::{Array, Blob, Dynamic, EvalAltResult, Map};

use super::digits::Digits;
use super::names::Names;
use super::parse::MAX_DEPTH;
use super::tape::Node;
use super::view::{JsonArray, JsonObject};
use crate::script::told::{article, mistake, type_shown};

/// Why a value has no JSON form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoJson {
    #[error("JSON has no number for `{0}`")]
    NotFinite(String),
    #[error("a blob can't be part of JSON")]
    Blob,
    #[error("JSON has no form for {0}")]
    Type(String),
    #[error("the value is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("the JSON is longer than {0} bytes")]
    TooLong(usize),
    #[error("the value could not be written: {0}")]
    Write(String),
}

/// The error that a script gets where a value has no JSON form.
pub(crate) fn not_writable(why: &NoJson) -> Box<EvalAltResult> {
    let (label, hint) = match why {
        NoJson::Type(of) if of == "a message" => (
            "the whole message is in it",
            "take what it holds: `msg.json`, or `msg.value` as it came",
        ),
        NoJson::NotFinite(_) => (
            "this number is in it",
            "a division by 0.0 gives such a number; check the divisor, or give () instead",
        ),
        NoJson::Blob => (
            "a blob is in it",
            "make it text first: `blob.as_string()` or `base64_encode(blob)`",
        ),
        NoJson::Type(_) => (
            "such a value is in it",
            "JSON has strings, numbers, true and false, (), arrays and maps; `to_string()` makes text of anything",
        ),
        NoJson::Depth => (
            "nested too deeply",
            "no reader of JSON takes more; flatten it",
        ),
        NoJson::TooLong(_) | NoJson::Write(_) => (
            "written here",
            "write less: only the fields that are needed",
        ),
    };
    mistake(why.to_string(), label, [hint.into()])
}

impl From<serde_json::Error> for NoJson {
    fn from(error: serde_json::Error) -> Self {
        Self::Write(io::Error::from(error).to_string())
    }
}

/// Appends `value` to `out`, which may not grow by more than `limit` bytes: a small value can be a
/// long text, because views share what they show. On an error, what was written so far stays: the
/// caller drops it. `digits` knows the numbers' own texts, if they are known.
pub(crate) fn write(
    value: &Dynamic,
    out: &mut Vec<u8>,
    limit: usize,
    digits: Option<&Digits>,
) -> Result<(), NoJson> {
    // First, because it is what most handlers emit.
    if let Some(object) = value.read_lock::<JsonObject>() {
        return write_view(&object, out, limit, digits);
    }
    let terms = Terms::new(out, limit, digits);
    write_at(value, out, 0, terms)?;
    terms.check(out)
}

/// The same for a view that is no Rhai value.
pub(crate) fn write_view(
    object: &JsonObject,
    out: &mut Vec<u8>,
    limit: usize,
    digits: Option<&Digits>,
) -> Result<(), NoJson> {
    let terms = Terms::new(out, limit, digits);
    write_object(object, out, 0, terms)?;
    terms.check(out)
}

/// What one writing is held to.
#[derive(Clone, Copy)]
struct Terms<'d> {
    bytes: usize,
    end: usize,
    digits: Option<&'d Digits>,
}

impl<'d> Terms<'d> {
    fn new(out: &[u8], limit: usize, digits: Option<&'d Digits>) -> Self {
        Self {
            bytes: limit,
            end: out.len().saturating_add(limit),
            digits,
        }
    }

    fn check(self, out: &[u8]) -> Result<(), NoJson> {
        if out.len() > self.end {
            return Err(NoJson::TooLong(self.bytes));
        }
        Ok(())
    }
}

fn write_at(
    value: &Dynamic,
    out: &mut Vec<u8>,
    depth: usize,
    terms: Terms<'_>,
) -> Result<(), NoJson> {
    terms.check(out)?;
    if value.is_unit() {
        out.extend_from_slice(b"null");
    } else if let Ok(flag) = value.as_bool() {
        out.extend_from_slice(if flag { b"true" } else { b"false" });
    } else if let Ok(number) = value.as_int() {
        serde_json::to_writer(out, &number)?;
    } else if let Ok(number) = value.as_float() {
        // First, because a number too large for a float has a text all the same: `1e400`.
        let own = terms
            .digits
            .is_some_and(|digits| digits.write(value, number, out));
        if !own && !number.is_finite() {
            return Err(NoJson::NotFinite(number.to_string()));
        }
        if !own {
            serde_json::to_writer(out, &number)?;
        }
    } else if let Ok(text) = value.as_immutable_string_ref() {
        serde_json::to_writer(out, text.as_str())?;
    } else if let Ok(letter) = value.as_char() {
        serde_json::to_writer(out, &letter)?;
    } else if let Some(object) = value.read_lock::<JsonObject>() {
        write_object(&object, out, depth, terms)?;
    } else if let Some(array) = value.read_lock::<JsonArray>() {
        out.extend_from_slice(array.doc.raw(array.doc.node(array.node)));
    } else if let Some(map) = value.read_lock::<Map>() {
        write_map(&map, out, deeper(depth)?, terms)?;
    } else if let Some(array) = value.read_lock::<Array>() {
        write_array(&array, out, deeper(depth)?, terms)?;
    } else if value.is::<Blob>() {
        return Err(NoJson::Blob);
    } else {
        return Err(NoJson::Type(article(
            &type_shown(value.type_name()).to_lowercase(),
        )));
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, NoJson> {
    if depth >= MAX_DEPTH {
        return Err(NoJson::Depth);
    }
    Ok(depth + 1)
}

fn write_map(map: &Map, out: &mut Vec<u8>, depth: usize, terms: Terms<'_>) -> Result<(), NoJson> {
    out.push(b'{');
    for (index, (name, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, name.as_str())?;
        out.push(b':');
        write_at(value, out, depth, terms)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_array(
    array: &Array,
    out: &mut Vec<u8>,
    depth: usize,
    terms: Terms<'_>,
) -> Result<(), NoJson> {
    out.push(b'[');
    for (index, value) in array.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_at(value, out, depth, terms)?;
    }
    out.push(b']');
    Ok(())
}

/// The object's own text, with only the patched members rewritten.
fn write_object(
    object: &JsonObject,
    out: &mut Vec<u8>,
    depth: usize,
    terms: Terms<'_>,
) -> Result<(), NoJson> {
    let doc = &object.doc;
    let node = doc.node(object.node);
    let Some(patches) = object.patches.as_deref() else {
        out.extend_from_slice(doc.raw(node));
        return Ok(());
    };
    object.pay();
    let depth = deeper(depth)?;
    let added = &patches.list;
    // Nothing in the text is changed: it is copied in one piece.
    if !patches.in_text && added.iter().all(|(_, patch)| patch.is_some()) {
        out.push(b'{');
        let inside = doc.inside(node).trim_ascii();
        out.extend_from_slice(inside);
        for (index, (name, patch)) in added.iter().enumerate() {
            if let Some(new) = patch {
                if index > 0 || !inside.is_empty() {
                    out.push(b',');
                }
                write_member(name, new, out, depth, terms)?;
            }
        }
        out.push(b'}');
        return Ok(());
    }
    let by_name = object.patches_by_name();
    let patch_of = |key: &Node| match &by_name {
        Some(by_name) => doc.with_text(key, |name| by_name.get(name).copied()),
        None => (patches.list.iter()).find(|(patched, _)| doc.is_text(key, patched)),
    };
    let names = Names::of(doc, object.node, patches.list.len());
    out.push(b'{');
    let mut any = false;
    let mut comma = |out: &mut Vec<u8>| {
        if any {
            out.push(b',');
        }
        any = true;
    };
    let mut pending: Option<(u32, u32)> = None;
    for (key, value) in doc.members(object.node) {
        let (key_node, value_node) = (doc.node(key), doc.node(value));
        match patch_of(key_node) {
            None => {
                let start = pending.map_or(key_node.start, |(start, _)| start);
                pending = Some((start, value_node.end));
            }
            Some((_, patch)) => {
                if let Some((start, end)) = pending.take() {
                    comma(out);
                    out.extend_from_slice(doc.slice(start, end));
                }
                // Of a name that repeats only the last counts, and only it gets the new value.
                if let Some(new) = patch
                    && names.is_last(doc, object.node, key)
                {
                    comma(out);
                    out.extend_from_slice(doc.slice(key_node.start, value_node.start));
                    write_at(new, out, depth, terms)?;
                }
            }
        }
    }
    if let Some((start, end)) = pending {
        comma(out);
        out.extend_from_slice(doc.slice(start, end));
    }
    for (name, patch) in &patches.list {
        if let Some(new) = patch
            && !names.contains(doc, object.node, name)
        {
            comma(out);
            write_member(name, new, out, depth, terms)?;
        }
    }
    out.push(b'}');
    Ok(())
}

/// A member that is not in the text.
fn write_member(
    name: &str,
    value: &Dynamic,
    out: &mut Vec<u8>,
    depth: usize,
    terms: Terms<'_>,
) -> Result<(), NoJson> {
    // As most names are.
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(&mut *out, name)?;
    }
    out.push(b':');
    write_at(value, out, depth, terms)
}
