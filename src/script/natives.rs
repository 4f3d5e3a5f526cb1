//! What a script can call besides its own functions: Rhai's packages, the JSON views, the API.
//!
//! Asked of an engine that is furnished like a member's, so that nothing is listed twice and nothing
//! can be forgotten. [`natives`] makes the list once; [`Natives::signatures`] answers.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::OnceLock;

use rhai::{Array, Blob, Dynamic, FLOAT, FnPtr, FuncInfo, INT, ImmutableString, Map};

use super::api::catalog::{Form, FormKind, catalog};
use super::api::headers::Headers;
use super::api::message::Message;
use super::api::url::Url;
use super::json::{JsonArray, JsonObject};
use super::state::State;
use super::{Caller, engine};
use crate::config::Limits;

/// One way to call a native function: the types it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    types: Vec<TypeId>,
}

impl Signature {
    /// How many arguments it takes; of a method, with the value that it is called on.
    pub(crate) fn arguments(&self) -> usize {
        self.types.len()
    }

    /// Whether it can be called on a message.
    pub(crate) fn takes_message(&self) -> bool {
        self.types
            .first()
            .is_some_and(|first| [TypeId::of::<Message>(), TypeId::of::<Dynamic>()].contains(first))
    }

    /// `name(string, int)`, or `string.name(int)`; `None` where a script can not have a value of such
    /// a type.
    fn show(&self, name: &str, style: Style) -> Option<String> {
        let types: Option<Vec<&str>> = self.types.iter().map(|of| type_name(*of)).collect();
        let types = types?;
        match (style, types.split_first()) {
            (Style::Method, Some((first, rest))) => {
                let first = if *first == "any" { "value" } else { first };
                Some(format!("{first}.{name}({})", rest.join(", ")))
            }
            _ => Some(format!("{name}({})", types.join(", "))),
        }
    }
}

/// How a call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `f(x)`.
    Function,
    /// `x.f()`.
    Method,
}

/// Every native function by its name.
#[derive(Debug)]
pub(crate) struct Natives(BTreeMap<String, Vec<Signature>>);

impl Natives {
    pub(crate) fn signatures(&self, name: &str) -> &[Signature] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has(&self, name: &str, arguments: usize) -> bool {
        let mut signatures = self.signatures(name).iter();
        signatures.any(|signature| signature.arguments() == arguments)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How `name` is called: as the guide writes it, else the types that it takes.
    pub(crate) fn usage(&self, name: &str, style: Style) -> Option<String> {
        if let Some((_, usage)) = USAGE.iter().find(|(known, _)| *known == name) {
            return Some((*usage).to_owned());
        }
        if let Some(usage) = self.described(name, style) {
            return Some(usage);
        }
        let signatures = self.signatures(name).iter();
        let mut shown: Vec<String> = signatures
            .filter_map(|signature| signature.show(name, style))
            .collect();
        shown.sort_unstable();
        shown.dedup();
        const MOST: usize = 6;
        if shown.len() > MOST {
            shown.truncate(MOST);
            shown.push("…".into());
        }
        (!shown.is_empty()).then(|| shown.join(", "))
    }

    /// The forms of a function as the API describes it, with the names of the parameters; `None` where
    /// Rhai has others of the name.
    fn described(&self, name: &str, style: Style) -> Option<String> {
        let entry = catalog().iter().find(|entry| entry.name == name)?;
        let forms = entry.forms.iter();
        let forms: Vec<&Form> = forms.filter(|f| f.kind == FormKind::Function).collect();
        let mut signatures = self.signatures(name).iter();
        let all = signatures.all(|signature| {
            let counts = forms.iter().map(|form| form.parameters().count());
            counts
                .into_iter()
                .any(|count| count == signature.arguments())
        });
        let show = |form: &&Form| {
            let mut parameters: Vec<&str> = form.parameters().collect();
            let object = form.object().filter(|_| style == Style::Method);
            let before = object.map_or(String::new(), |object| {
                parameters.remove(0);
                format!("{object}.")
            });
            format!("{before}{name}({})", parameters.join(", "))
        };
        let shown: Vec<String> = forms.iter().map(show).collect();
        (all && !shown.is_empty()).then(|| shown.join(", "))
    }
}

/// The forms of functions whose types say nothing: they take whatever a script has.
const USAGE: &[(&str, &str)] = &[
    (
        "emit",
        "emit(topic, value), emit(topic, key, value), emit(#{topic: …, value: …})",
    ),
    ("reject", "reject(reason)"),
    ("retry", "retry(reason)"),
    ("count", "count(name), count(name, n)"),
    ("observe", "observe(name, number)"),
    ("debug", "debug(value)"),
    ("info", "info(value)"),
    ("warn", "warn(value)"),
    ("error", "error(value)"),
    ("print", "print(value)"),
];

/// The list, made at the first call.
pub(crate) fn natives() -> &'static Natives {
    static NATIVES: OnceLock<Natives> = OnceLock::new();
    NATIVES.get_or_init(list)
}

fn list() -> Natives {
    let nobody = Caller {
        group: "".into(),
        member: "".into(),
    };
    let limits = Limits::default();
    let state = State::new(nobody, limits, None, Some(0));
    let mut engine = engine::bare(&limits);
    engine::furnish(&mut engine, &Rc::clone(&state));
    let found = engine.collect_fn_metadata(
        None,
        |function: FuncInfo| {
            let signature = Signature {
                types: function.metadata.param_types.to_vec(),
            };
            Some((function.metadata.name.to_string(), signature))
        },
        true,
    );
    let mut natives: BTreeMap<String, Vec<Signature>> = BTreeMap::new();
    for (name, signature) in found {
        // Getters, setters and indexers have a `$` in their name, operators no letters.
        let callable = name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let known = natives.entry(name).or_default();
        if callable && !known.contains(&signature) {
            known.push(signature);
        }
    }
    natives.retain(|_, signatures| !signatures.is_empty());
    Natives(natives)
}

/// A type as people call it.
fn type_name(of: TypeId) -> Option<&'static str> {
    let names = [
        (TypeId::of::<INT>(), "int"),
        (TypeId::of::<FLOAT>(), "float"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<char>(), "char"),
        (TypeId::of::<ImmutableString>(), "string"),
        (TypeId::of::<Array>(), "array"),
        (TypeId::of::<JsonArray>(), "array"),
        (TypeId::of::<Map>(), "map"),
        (TypeId::of::<JsonObject>(), "map"),
        (TypeId::of::<Blob>(), "blob"),
        (TypeId::of::<FnPtr>(), "function"),
        (TypeId::of::<Message>(), "message"),
        (TypeId::of::<Headers>(), "headers"),
        (TypeId::of::<Url>(), "url"),
        (TypeId::of::<std::ops::Range<INT>>(), "range"),
        (TypeId::of::<std::ops::RangeInclusive<INT>>(), "range"),
        (TypeId::of::<rhai::Instant>(), "timestamp"),
        (TypeId::of::<Dynamic>(), "any"),
        (TypeId::of::<()>(), "()"),
    ];
    names
        .iter()
        .find(|(known, _)| *known == of)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rhai's packages, the JSON views and the API are all in the list, with their forms.
    #[test]
    fn everything_that_can_be_called_is_listed() {
        let natives = natives();
        for (name, arguments) in [
            ("emit", 1),
            ("emit", 3),
            ("to_upper", 1),
            ("push", 2),
            ("mixin", 2),
            ("now", 0),
            ("print", 1),
        ] {
            assert!(natives.has(name, arguments), "{name}/{arguments}");
        }
        assert!(!natives.has("emit", 4));
        assert_eq!(
            natives.usage("to_upper", Style::Function).as_deref(),
            Some("to_upper(char), to_upper(string)")
        );
        assert_eq!(
            natives.usage("starts_with", Style::Method).as_deref(),
            Some("string.starts_with(char), string.starts_with(string)")
        );
    }
}
