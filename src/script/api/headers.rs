//! `msg.headers`: names that may repeat.

use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{Array, Dynamic, INT, ImmutableString, Map};

use super::catalog::{Api, Section};
use super::message::bytes;
use crate::delivery::Record;
use crate::script::state::State;
use crate::script::strings;

/// The headers of the call's message.
#[derive(Clone)]
pub(crate) struct Headers(pub Rc<State>);

impl Headers {
    /// Every header in the order of the message.
    pub(crate) fn each(&self, mut with: impl FnMut(&str, Option<&[u8]>)) {
        if let Some(record) = self.0.record.borrow().as_deref() {
            for (name, value) in record.headers() {
                with(name, value);
            }
        }
    }

    fn last(&self, wanted: &str) -> Dynamic {
        let record = self.0.record.borrow();
        let last = record.as_deref().and_then(|record| {
            let mut headers = record.headers().rev();
            headers
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| bytes(value))
        });
        last.unwrap_or(Dynamic::UNIT)
    }

    fn all(&self, wanted: &str) -> Array {
        let mut all = Array::new();
        self.each(|name, value| {
            if name == wanted {
                all.push(bytes(value));
            }
        });
        all
    }

    fn names(&self) -> Vec<ImmutableString> {
        // A set beside the list: a message of a megabyte has room for 100,000 headers.
        let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
        self.each(|name, _| {
            let name = strings::shared(name);
            if seen.insert(name.clone()) {
                names.push(name);
            }
        });
        names
    }

    fn contains(&self, wanted: &str) -> bool {
        let record = self.0.record.borrow();
        let mut headers = record.as_deref().into_iter().flat_map(Record::headers);
        headers.any(|(name, _)| name == wanted)
    }

    fn to_map(&self) -> Map {
        let mut map = Map::new();
        self.each(|name, value| {
            map.insert(name.into(), bytes(value));
        });
        map
    }
}

pub(crate) fn register(api: &mut Api<'_>) {
    api.engine.register_type_with_name::<Headers>("headers");
    for name in ["to_string", "to_debug", "print", "debug"] {
        api.engine.register_fn(name, |headers: &mut Headers| {
            Dynamic::from_map(headers.to_map()).to_string()
        });
    }
    api.describe(
        Section::Headers,
        "get",
        "The last value of a header, as text where it is UTF-8, else a blob; `()` where there is no \
         such header, or it is null. `msg.headers[\"name\"]` is the same.",
        "msg.headers[\"content-type\"]    // → \"application/json\"",
    )
    .form(
        "get(headers: headers, name: string) -> any",
        |headers: &mut Headers, name: ImmutableString| headers.last(&name),
    )
    .index(
        "[](headers: headers, name: string) -> any",
        |headers: &mut Headers, name: ImmutableString| headers.last(&name),
    )
    .done();
    api.describe(
        Section::Headers,
        "all",
        "Every value of a header that is repeated, in the message's order.",
        "msg.headers.all(\"via\")    // → [\"a\", \"b\"]",
    )
    .form(
        "all(headers: headers, name: string) -> array",
        |headers: &mut Headers, name: ImmutableString| headers.all(&name),
    )
    .done();
    api.describe(
        Section::Headers,
        "contains",
        "Whether the message has a header of this name.",
        "msg.headers.contains(\"via\")    // → true",
    )
    .form(
        "contains(headers: headers, name: string) -> bool",
        |headers: &mut Headers, name: ImmutableString| headers.contains(&name),
    )
    .done();
    api.describe(
        Section::Headers,
        "keys",
        "The names of the headers, each once.",
        "msg.headers.keys()    // → [\"content-type\", \"via\"]",
    )
    .form(
        "keys(headers: headers) -> array",
        |headers: &mut Headers| -> Array {
            headers.names().into_iter().map(Dynamic::from).collect()
        },
    )
    .done();
    api.describe(
        Section::Headers,
        "len",
        "How many headers there are, repeated ones counted.",
        "msg.headers.len()    // → 3",
    )
    .form("len(headers: headers) -> int", |headers: &mut Headers| {
        let mut len: INT = 0;
        headers.each(|_, _| len += 1);
        len
    })
    .done();
    api.describe(
        Section::Headers,
        "to_map",
        "The headers as a map, of a repeated one the last value.",
        "msg.headers.to_map().via    // → \"b\"",
    )
    .form(
        "to_map(headers: headers) -> map",
        |headers: &mut Headers| headers.to_map(),
    )
    .done();
}
