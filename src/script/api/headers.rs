//! `msg.headers`: names that may repeat.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, INT, ImmutableString, Map};

use super::message::bytes;
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
        let mut names: Vec<ImmutableString> = Vec::new();
        self.each(|name, _| {
            if !names.iter().any(|known| known == name) {
                names.push(strings::shared(name));
            }
        });
        names
    }

    fn to_map(&self) -> Map {
        let mut map = Map::new();
        self.each(|name, value| {
            map.insert(name.into(), bytes(value));
        });
        map
    }
}

pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Headers>("headers")
        .register_indexer_get(|headers: &mut Headers, name: ImmutableString| headers.last(&name))
        .register_fn("get", |headers: &mut Headers, name: ImmutableString| {
            headers.last(&name)
        })
        .register_fn("all", |headers: &mut Headers, name: ImmutableString| {
            headers.all(&name)
        })
        .register_fn(
            "contains",
            |headers: &mut Headers, name: ImmutableString| headers.names().contains(&name),
        )
        .register_fn("keys", |headers: &mut Headers| -> Array {
            headers.names().into_iter().map(Dynamic::from).collect()
        })
        .register_fn("len", |headers: &mut Headers| {
            let mut len: INT = 0;
            headers.each(|_, _| len += 1);
            len
        })
        .register_fn("to_map", |headers: &mut Headers| headers.to_map());
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |headers: &mut Headers| {
            Dynamic::from_map(headers.to_map()).to_string()
        });
    }
}
