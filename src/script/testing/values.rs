//! Values on their way between a test, a message and a diff.

use std::collections::BTreeMap;

use rhai::{Array, Blob, Dynamic, Map};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::emitted::Emitted;
use super::run::Run;
use crate::script::api::Fallible;
use crate::script::json::{JsonArray, JsonObject, write};

/// Deeper values are not shown or compared; no message has them.
const DEEPEST: usize = 128;
/// Nor longer JSON, in bytes: views share what they show, so a small value can be a long text.
const LONGEST: usize = 16 << 20;

/// A key, a value or a header as the bytes of a message: text and blobs as they are, `()` as null,
/// all else as JSON. As `emit` writes them.
pub(super) fn bytes(value: &Dynamic) -> Fallible<Option<Vec<u8>>> {
    if value.is_unit() {
        return Ok(None);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        return Ok(Some(blob.to_vec()));
    }
    let mut json = Vec::new();
    write(value, &mut json, LONGEST, None).map_err(|error| error.to_string())?;
    Ok(Some(json))
}

/// Bytes as a script has them: text where they are UTF-8, else a blob, `()` where null.
pub(super) fn text_or_blob(bytes: Option<&[u8]>) -> Dynamic {
    match bytes {
        None => Dynamic::UNIT,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => Dynamic::from_blob(bytes.to_vec()),
        },
    }
}

/// JSON as Rhai values that can be compared with a script's own.
pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(dynamic).collect()),
        Value::Object(members) => {
            let members = members.iter();
            let map: Map = members
                .map(|(name, value)| (name.as_str().into(), dynamic(value)))
                .collect();
            Dynamic::from_map(map)
        }
    }
}

/// Any Rhai value in a form that can be compared and shown: JSON where it has such a form, else text.
pub(super) fn plain(value: &Dynamic) -> Value {
    plain_at(value, 0)
}

fn plain_at(value: &Dynamic, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::String("…".to_owned());
    }
    if value.is_unit() {
        Value::Null
    } else if let Ok(flag) = value.as_bool() {
        Value::Bool(flag)
    } else if let Ok(whole) = value.as_int() {
        whole.into()
    } else if let Ok(number) = value.as_float() {
        Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
    } else if let Ok(text) = value.as_immutable_string_ref() {
        text.as_str().into()
    } else if let Ok(letter) = value.as_char() {
        letter.to_string().into()
    } else if let Some(items) = value.read_lock::<Array>() {
        items.iter().map(|item| plain_at(item, depth + 1)).collect()
    } else if let Some(members) = value.read_lock::<Map>() {
        let members = members.iter();
        members
            .map(|(name, value)| (name.to_string(), plain_at(value, depth + 1)))
            .collect()
    } else if value.is::<JsonObject>() || value.is::<JsonArray>() {
        let mut json = Vec::new();
        match write(value, &mut json, LONGEST, None) {
            Ok(()) => serde_json::from_slice(&json).unwrap_or(Value::Null),
            Err(error) => error.to_string().into(),
        }
    } else if let Some(blob) = value.read_lock::<Blob>() {
        blob_text(&blob).into()
    } else if let Some(emitted) = value.read_lock::<Emitted>() {
        emitted.plain()
    } else if let Some(run) = value.read_lock::<Run>() {
        run.plain()
    } else {
        format!("{value:?}").into()
    }
}

/// JSON as a value in which a number that a float can not hold stays text: else two long numbers
/// that differ would be the same.
pub(super) fn exact(json: &[u8]) -> Option<Value> {
    exact_of(serde_json::from_slice(json).ok()?)
}

fn exact_of(raw: &RawValue) -> Option<Value> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let members = members.into_iter();
            let members = members.map(|(name, value)| Some((name, exact_of(value)?)));
            members.collect::<Option<_>>().map(Value::Object)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items = items.into_iter().map(exact_of);
            items.collect::<Option<_>>().map(Value::Array)
        }
        b'-' | b'0'..=b'9' => {
            let number: Number = serde_json::from_str(text).ok()?;
            // A float holds 15 digits for sure.
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            match number.is_f64() && digits > 15 && number.to_string() != text {
                true => Some(text.into()),
                false => Some(number.into()),
            }
        }
        _ => serde_json::from_str(text).ok(),
    }
}

/// How bytes that are no text are shown.
pub(super) fn blob_text(blob: &[u8]) -> String {
    const SHOWN: usize = 32;
    let hex: Vec<String> = blob
        .iter()
        .take(SHOWN)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let more = if blob.len() > SHOWN { "…" } else { "" };
    format!("blob of {} bytes: {}{more}", blob.len(), hex.concat())
}
