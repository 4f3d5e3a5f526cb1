//! URLs, under the names of rhai-url: read, not written. And percent-encoding.

use std::rc::Rc;

use fluent_uri::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rhai::{Array, Dynamic, INT};

use super::Fallible;
use super::catalog::{Api, Section};
use super::size::{Sizes, pay};
use crate::config::Limits;
use crate::script::told::mistake;

/// A URL whose parts are looked up in its text.
#[derive(Clone)]
pub(crate) struct Url(Rc<Uri<String>>);

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn register(api: &mut Api<'_>, limits: &Limits) {
    let sizes = Sizes::of(limits);
    api.engine.register_type_with_name::<Url>("url");
    for name in ["to_string", "to_debug", "print", "debug"] {
        api.engine
            .register_fn(name, |url: &mut Url| url.0.as_str().to_owned());
    }
    api.describe(
        Section::Urls,
        "Url",
        "Reads a URL. An error where it is none; its parts are `()` where it has none such.",
        "let url = Url(\"https://example.org:8080/a/b?q=1#top\");\n\
         url.path    // → \"/a/b\"",
    )
    .form("Url(text: string) -> url", |text: &str| {
        pay(text.len());
        match Uri::parse(text.to_owned()) {
            Ok(url) => Ok(Url(Rc::new(url))),
            Err((why, _)) => Err(mistake(
                format!("this is no URL: {why}"),
                "read here",
                ["it begins with its scheme, `https://…`; `percent_encode(text)` makes a part of it safe".into()],
            )),
        }
    })
    .done();
    parts(api);
    query(api, sizes);
    percent(api, sizes);
}

/// A field of a URL: its name, what it is, an example, and how to get it.
type Part = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    fn(&Url) -> Dynamic,
);

fn parts(api: &mut Api<'_>) {
    let parts: [Part; 8] = [
        (
            "href",
            "href(url: url) -> string",
            "The whole URL.",
            "Url(\"https://example.org/a\").href    // → \"https://example.org/a\"",
            |url| url.0.as_str().into(),
        ),
        (
            "scheme",
            "scheme(url: url) -> string",
            "`https`, `mailto`, …",
            "Url(\"https://example.org/a\").scheme    // → \"https\"",
            |url| url.0.scheme().as_str().into(),
        ),
        (
            "domain",
            "domain(url: url) -> string",
            "The host's name or address.",
            "Url(\"https://example.org:8080/a\").domain    // → \"example.org\"",
            |url| url.0.authority().map(|part| part.host()).into_dynamic(),
        ),
        (
            "port",
            "port(url: url) -> int",
            "The port, where the URL names one.",
            "Url(\"https://example.org:8080/a\").port    // → 8080",
            |url| {
                let port = url.0.authority().and_then(|part| part.port_to_u16().ok()?);
                port.map_or(Dynamic::UNIT, |port| Dynamic::from_int(INT::from(port)))
            },
        ),
        (
            "path",
            "path(url: url) -> string",
            "The path, as it is written.",
            "Url(\"https://example.org/a%20b\").path    // → \"/a%20b\"",
            |url| url.0.path().as_str().into(),
        ),
        (
            "query",
            "query(url: url) -> string",
            "What follows the `?`, as it is written.",
            "Url(\"https://example.org/a?x=1&y=2\").query    // → \"x=1&y=2\"",
            |url| url.0.query().map(|part| part.as_str()).into_dynamic(),
        ),
        (
            "fragment",
            "fragment(url: url) -> string",
            "What follows the `#`.",
            "Url(\"https://example.org/a#top\").fragment    // → \"top\"",
            |url| url.0.fragment().map(|part| part.as_str()).into_dynamic(),
        ),
        (
            "hash",
            "hash(url: url) -> string",
            "The same as `fragment`.",
            "Url(\"https://example.org/a#top\").hash    // → \"top\"",
            |url| url.0.fragment().map(|part| part.as_str()).into_dynamic(),
        ),
    ];
    for (name, signature, text, example, part) in parts {
        api.describe(Section::Urls, name, text, example)
            .field(signature, move |url: &mut Url| part(url))
            .done();
    }
}

/// Text, or `()` where there is none.
trait IntoDynamic {
    fn into_dynamic(self) -> Dynamic;
}

impl IntoDynamic for Option<&str> {
    fn into_dynamic(self) -> Dynamic {
        self.map_or(Dynamic::UNIT, Into::into)
    }
}

/// The values of a query's name, decoded.
fn values<'u>(url: &'u Url, name: &'u str) -> impl Iterator<Item = String> + 'u {
    let query = url.0.query().map_or("", |query| query.as_str());
    pay(query.len());
    form_urlencoded::parse(query.as_bytes())
        .filter(move |(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

fn query(api: &mut Api<'_>, sizes: Sizes) {
    api.describe(
        Section::Urls,
        "query_get",
        "The first value of a name in the query, decoded; `()` where it is not there.",
        "Url(\"https://example.org/?name=Zo%C3%AB+K\").query_get(\"name\")    // → \"Zoë K\"",
    )
    .form(
        "query_get(url: url, name: string) -> string",
        |url: &mut Url, name: &str| {
            let first = values(url, name).next();
            first.map_or(Dynamic::UNIT, Dynamic::from)
        },
    )
    .done();
    api.describe(
        Section::Urls,
        "query_gets",
        "All values of a name in the query, decoded.",
        "Url(\"https://example.org/?t=a&t=b\").query_gets(\"t\")    // → [\"a\", \"b\"]",
    )
    .form(
        "query_gets(url: url, name: string) -> array",
        move |url: &mut Url, name: &str| -> Fallible<Array> {
            let mut all = Array::new();
            for value in values(url, name) {
                sizes.array(all.len() + 1)?;
                all.push(value.into());
            }
            Ok(all)
        },
    )
    .done();
}

fn percent(api: &mut Api<'_>, sizes: Sizes) {
    api.describe(
        Section::Urls,
        "percent_encode",
        "A text for a part of a URL: everything but letters, digits and `-._~` becomes `%XX`.",
        "percent_encode(\"a b/ë\")    // → \"a%20b%2F%C3%AB\"",
    )
    .form(
        "percent_encode(text: string) -> string",
        move |text: &str| -> Fallible<String> {
            let encoded = utf8_percent_encode(text, RESERVED);
            sizes.string(encoded.clone().map(str::len).sum())?;
            Ok(encoded.collect())
        },
    )
    .done();
    api.describe(
        Section::Urls,
        "percent_decode",
        "The text that a part of a URL stands for; an error where it is not UTF-8.",
        "percent_decode(\"a%20b%2F%C3%AB\")    // → \"a b/ë\"",
    )
    .form(
        "percent_decode(text: string) -> string",
        |text: &str| -> Fallible<String> {
            pay(text.len());
            let decoded = percent_decode_str(text).decode_utf8();
            let decoded = decoded.map_err(|_| {
                mistake(
                    "the text stands for bytes that are not UTF-8",
                    "not text",
                    ["perhaps it was encoded as Latin-1; such bytes can not be read here".into()],
                )
            })?;
            Ok(decoded.into_owned())
        },
    )
    .done();
}
