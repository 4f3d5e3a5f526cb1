//! What `emit` is given, as the bytes that are sent: key, value and headers.

use std::collections::BTreeSet;

use rhai::{Blob, Dynamic, Map};

use super::Fallible;
use super::headers::Headers;
use crate::delivery::EmitBuilder;
use crate::script::json::{Digits, JsonObject, not_writable, own, write, write_view};
use crate::script::told::type_name;
use crate::script::told::{article, mistake};

/// A key or a value as a script gives it.
pub(crate) enum Given {
    /// A view that is no Rhai value.
    Object(JsonObject),
    Value(Dynamic),
}

impl Default for Given {
    fn default() -> Self {
        Self::Value(Dynamic::UNIT)
    }
}

/// The most bytes of JSON, and what knows the numbers' own texts.
pub(crate) type Limit<'d> = (usize, &'d Digits);

/// Appends an object as JSON.
///
/// # Errors
/// It can't be written.
pub(crate) fn append_view(view: &JsonObject, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    write_view(view, out, limit.0, Some(limit.1)).map_err(|error| not_writable(&error))
}

fn json(value: &Dynamic, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    write(value, out, limit.0, Some(limit.1)).map_err(|error| not_writable(&error))
}

impl Given {
    fn is_unit(&self) -> bool {
        matches!(self, Self::Value(value) if value.is_unit())
    }

    /// Strings and blobs as they are, anything else as JSON.
    fn append(&self, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
        match self {
            Self::Object(view) => append_view(view, out, limit),
            Self::Value(value) => append(value, out, limit),
        }
    }
}

fn append(value: &Dynamic, out: &mut Vec<u8>, limit: Limit<'_>) -> Fallible<()> {
    if let Ok(text) = value.as_immutable_string_ref() {
        out.extend_from_slice(text.as_bytes());
    } else if let Some(blob) = value.read_lock::<Blob>() {
        out.extend_from_slice(&blob);
    } else {
        json(value, out, limit)?;
    }
    Ok(())
}

pub(super) fn write_key(emit: &mut EmitBuilder<'_>, key: &Given, limit: Limit<'_>) -> Fallible<()> {
    let mut written = Ok(());
    if !key.is_unit() {
        emit.key_with(|out| written = key.append(out, limit));
    }
    written
}

pub(super) fn write_value(
    emit: &mut EmitBuilder<'_>,
    value: &Given,
    limit: Limit<'_>,
) -> Fallible<()> {
    let mut written = Ok(());
    if !value.is_unit() {
        emit.value_with(|out| written = value.append(out, limit));
    }
    written
}

/// `headers` is a map, in which an array stands for a name that repeats, or `msg.headers`.
pub(super) fn write_headers(
    emit: &mut EmitBuilder<'_>,
    headers: &Dynamic,
    named: &mut BTreeSet<String>,
    limit: Limit<'_>,
) -> Fallible<()> {
    if headers.is_unit() {
        return Ok(());
    }
    if let Some(headers) = headers.read_lock::<Headers>() {
        headers.each(|name, value| {
            named.insert(name.to_owned());
            emit.header(name, value);
        });
        return Ok(());
    }
    let headers = own(headers)?;
    let Some(map) = headers.read_lock::<Map>() else {
        let found = article(type_name(&headers));
        return Err(mistake(
            format!("`headers` of a message to emit must be a map, not {found}"),
            format!("`headers` is {found}"),
            ["write `headers: #{ \"name\": \"value\" }`, or `headers: msg.headers`".into()],
        ));
    };
    for (name, value) in map.iter() {
        named.insert(name.to_string());
        let value = own(value)?;
        match value.read_lock::<rhai::Array>() {
            Some(values) => {
                for value in values.iter() {
                    write_header(emit, name, value, limit)?;
                }
            }
            None => write_header(emit, name, &value, limit)?,
        }
    }
    Ok(())
}

fn write_header(
    emit: &mut EmitBuilder<'_>,
    name: &str,
    value: &Dynamic,
    limit: Limit<'_>,
) -> Fallible<()> {
    if value.is_unit() {
        emit.header(name, None);
    } else if let Ok(text) = value.as_immutable_string_ref() {
        emit.header(name, Some(text.as_bytes()));
    } else if let Some(blob) = value.read_lock::<Blob>() {
        emit.header(name, Some(&blob));
    } else {
        let mut text = Vec::new();
        json(value, &mut text, limit)?;
        emit.header(name, Some(&text));
    }
    Ok(())
}
