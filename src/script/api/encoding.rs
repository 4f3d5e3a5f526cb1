//! Bytes as text: base64 and hexadecimal; and hashes of bytes.

use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{
    STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD, URL_SAFE_PAD_INDIFFERENT,
};
use base64::{DecodeError, Engine as _};
use rhai::{Blob, Dynamic, EvalAltResult, INT};
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_64;

use super::Fallible;
use super::catalog::{Api, Section};
use super::size::{Sizes, pay, with_bytes};
use crate::config::Limits;
use crate::script::told::mistake;

pub(crate) fn register(api: &mut Api<'_>, limits: &Limits) {
    let sizes = Sizes::of(limits);
    base64(api, sizes);
    hexadecimal(api, sizes);
    hashes(api);
}

fn base64(api: &mut Api<'_>, sizes: Sizes) {
    api.describe(
        Section::Encoding,
        "base64_encode",
        "A string's or blob's bytes as base64, with padding.",
        "base64_encode(\"Zoë?\")    // → \"Wm/Dqz8=\"",
    )
    .form(
        "base64_encode(bytes: string|blob) -> string",
        move |bytes: Dynamic| encode("base64_encode", &bytes, &STANDARD, sizes),
    )
    .done();
    api.describe(
        Section::Encoding,
        "base64url_encode",
        "A string's or blob's bytes as URL-safe base64, without padding.",
        "base64url_encode(\"Zoë?\")    // → \"Wm_Dqz8\"",
    )
    .form(
        "base64url_encode(bytes: string|blob) -> string",
        move |bytes: Dynamic| encode("base64url_encode", &bytes, &URL_SAFE_NO_PAD, sizes),
    )
    .done();
    api.describe(
        Section::Encoding,
        "base64_decode",
        "The bytes that a base64 text stands for, as a blob. It may be URL-safe, and the padding may \
         be missing.",
        "base64_decode(\"Wm_Dqz8\").len()    // → 5",
    )
    .form("base64_decode(text: string) -> blob", move |text: &str| -> Fallible<Blob> {
        let len = text.len() / 4 * 3;
        sizes.array(len)?;
        let bytes = decode(text)?;
        sizes.array(bytes.len())?;
        Ok(bytes)
    })
    .done();
    api.describe(
        Section::Encoding,
        "base64_decode_text",
        "The same as a string; an error where the bytes are not UTF-8.",
        "base64_decode_text(\"Wm/Dqz8=\")    // → \"Zoë?\"",
    )
    .form(
        "base64_decode_text(text: string) -> string",
        |text: &str| -> Fallible<String> {
            String::from_utf8(decode(text)?).map_err(|_| {
                mistake(
                    "the base64 text stands for bytes that are not UTF-8",
                    "not text",
                    ["`base64_decode(text)` gives them as a blob".into()],
                )
            })
        },
    )
    .done();
}

fn encode(
    function: &str,
    bytes: &Dynamic,
    engine: &GeneralPurpose,
    sizes: Sizes,
) -> Fallible<String> {
    with_bytes(function, bytes, |bytes| {
        sizes.string(bytes.len().div_ceil(3).saturating_mul(4))?;
        Ok(engine.encode(bytes))
    })
}

/// What it gives is shorter than the text, which is within the limits.
fn decode(text: &str) -> Fallible<Vec<u8>> {
    pay(text.len());
    let url_safe = text.contains(['-', '_']);
    let engine = if url_safe {
        URL_SAFE_PAD_INDIFFERENT
    } else {
        STANDARD_PAD_INDIFFERENT
    };
    let decoded = engine.decode(text);
    decoded.map_err(|error| not_base64(text, &error))
}

fn not_base64(text: &str, error: &DecodeError) -> Box<EvalAltResult> {
    let (why, hint) = match error {
        DecodeError::InvalidByte(at, byte) => {
            // An offset in bytes may be in the middle of a letter.
            let letter = text.get(*at..).and_then(|rest| rest.chars().next());
            let letter = letter.unwrap_or(char::from(*byte));
            let hint = match letter.is_whitespace() {
                true => {
                    "take white space out first: `text.replace(\" \", \"\");` changes it in place"
                }
                false => {
                    "it is written in letters, digits, `+` and `/` (URL-safe: `-` and `_`), with `=` at the end"
                }
            };
            (
                format!("{letter:?} at byte {at} is none of its letters"),
                hint,
            )
        }
        DecodeError::InvalidPadding => (
            "the `=` at its end are wrong".to_owned(),
            "leave them all out, or fill up to a multiple of four letters",
        ),
        _ => (
            "its end is missing or damaged".to_owned(),
            "four letters stand for three bytes; was the text cut off?",
        ),
    };
    mistake(
        format!("the text is not base64: {why}"),
        "decoded here",
        [hint.into()],
    )
}

fn hexadecimal(api: &mut Api<'_>, sizes: Sizes) {
    api.describe(
        Section::Encoding,
        "hex_encode",
        "A string's or blob's bytes as hexadecimal digits.",
        "hex_encode(\"Zoë\")    // → \"5a6fc3ab\"",
    )
    .form(
        "hex_encode(bytes: string|blob) -> string",
        move |bytes: Dynamic| {
            with_bytes("hex_encode", &bytes, |bytes| {
                sizes.string(bytes.len().saturating_mul(2))?;
                Ok(hex(bytes))
            })
        },
    )
    .done();
    api.describe(
        Section::Encoding,
        "hex_decode",
        "The bytes that hexadecimal digits stand for, as a blob; `as_string()` makes it text.",
        "hex_decode(\"5A6F\").as_string()    // → \"Zo\"",
    )
    .form(
        "hex_decode(text: string) -> blob",
        move |text: &str| -> Fallible<Blob> {
            sizes.array(text.len() / 2)?;
            pay(text.len());
            unhex(text).ok_or_else(|| {
                mistake(
                    "the text is not hexadecimal",
                    "decoded here",
                    [
                        "each byte is two digits of 0-9 and a-f, with nothing between: \"0fa9\""
                            .into(),
                    ],
                )
            })
        },
    )
    .done();
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    let pairs = bytes.iter();
    pairs
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Blob> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn hashes(api: &mut Api<'_>) {
    api.describe(
        Section::Hashing,
        "sha256",
        "The SHA-256 of a string or blob, as 64 hexadecimal digits.",
        "sha256(\"abc\").sub_string(0, 16)    // → \"ba7816bf8f01cfea\"",
    )
    .form("sha256(bytes: string|blob) -> string", |bytes: Dynamic| {
        with_bytes("sha256", &bytes, |bytes| Ok(hex(&Sha256::digest(bytes))))
    })
    .done();
    api.describe(
        Section::Hashing,
        "xxh3",
        "A fast hash (XXH3, 64 bits) of a string or blob as a whole number, for sampling and \
         sharding. Not for secrets.",
        "if abs(xxh3(msg.key) % 100) < 5 { emit(\"Sample\", msg.json); }    // the same 5 % of the keys",
    )
    .form("xxh3(bytes: string|blob) -> int", |bytes: Dynamic| {
        with_bytes("xxh3", &bytes, |bytes| {
            Ok(XxHash3_64::oneshot(bytes).cast_signed() as INT)
        })
    })
    .done();
}
