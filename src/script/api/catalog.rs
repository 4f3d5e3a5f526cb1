//! What a script can call, told once: a function is registered and described in the same statement.
//!
//! [`Api::describe`] begins a function, [`Described::form`] registers one of its forms. A member's
//! engine only registers; [`catalog`] registers on an engine of its own and keeps what was said,
//! for the README's tables, `deliveryd handlers` and the check of a script's calls.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::OnceLock;

use rhai::{Engine, RhaiNativeFunc, Variant};

use crate::config::Limits;
use crate::script::state::State;
use crate::script::{Caller, engine, json};

/// What a function is about: the headings of the documentation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Message,
    Headers,
    Constants,
    Effects,
    Ending,
    Logging,
    Json,
    Time,
    Identifiers,
    Random,
    Regex,
    Encoding,
    Hashing,
    Urls,
}

/// One function, field or constant as a script's author sees it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// As it is called: `emit`; a field and a constant have their own name.
    pub name: &'static str,
    pub section: Section,
    /// What it does, in plain sentences.
    pub text: &'static str,
    /// Statements that run in `handle(msg)`. Where a line ends in `// → VALUE`, that is what it gives.
    pub example: &'static str,
    pub forms: Vec<Form>,
}

/// One way to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub kind: FormKind,
    /// `rand(from: int, to: int) -> int`. A method's object is its first parameter; the types are
    /// `any array blob bool float int map string`, and those of the API itself.
    pub signature: &'static str,
}

/// How a form is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormKind {
    Function,
    /// `object.name`; the signature is `name(object: TYPE) -> TYPE`.
    Field,
    /// `object["name"]`; the signature is `[](object: TYPE, name: string) -> TYPE`.
    Index,
    /// A name that stands for a value; the signature is `name: TYPE`.
    Constant,
}

impl Form {
    /// Its parameters as `name: TYPE`, a method's object first.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> + use<> {
        let inside = self.signature.split_once('(').map_or("", |(_, rest)| rest);
        let inside = inside.rsplit_once(')').map_or("", |(inside, _)| inside);
        inside
            .split(',')
            .map(str::trim)
            .filter(|parameter| !parameter.is_empty())
    }

    /// The type of what it gives; `()` where it gives nothing.
    pub(crate) fn result(&self) -> &'static str {
        let arrow = self.signature.split_once(" -> ");
        match (self.kind, self.signature.split_once(": ")) {
            (FormKind::Constant, Some((_, constant))) => constant,
            _ => arrow.map_or("()", |(_, result)| result),
        }
    }
}

/// An engine that is being given its functions, and what is said of them where someone listens.
pub(crate) struct Api<'e> {
    pub engine: &'e mut Engine,
    entries: Option<&'e mut Vec<Entry>>,
}

impl<'e> Api<'e> {
    /// Registers on `engine`; what is said of the functions is dropped.
    pub(crate) fn new(engine: &'e mut Engine) -> Self {
        Self {
            engine,
            entries: None,
        }
    }

    /// Begins a function, field or constant; [`Entry`] says what the texts are.
    pub(crate) fn describe(
        &mut self,
        section: Section,
        name: &'static str,
        text: &'static str,
        example: &'static str,
    ) -> Described<'_, 'e> {
        if let Some(entries) = &mut self.entries {
            entries.push(Entry {
                name,
                section,
                text,
                example,
                forms: Vec::new(),
            });
        }
        Described { api: self, name }
    }
}

/// A function whose forms are being registered.
#[must_use = "a function without a form can't be called"]
pub(crate) struct Described<'a, 'e> {
    api: &'a mut Api<'e>,
    name: &'static str,
}

impl Described<'_, '_> {
    fn say(&mut self, kind: FormKind, signature: &'static str) {
        if let Some(entry) = self.api.entries.as_mut().and_then(|all| all.last_mut()) {
            entry.forms.push(Form { kind, signature });
        }
    }

    /// Registers a function or a method.
    pub(crate) fn form<A: 'static, const N: usize, const X: bool, R, const F: bool>(
        mut self,
        signature: &'static str,
        function: impl RhaiNativeFunc<A, N, X, R, F> + 'static,
    ) -> Self
    where
        R: Variant + Clone,
    {
        self.say(FormKind::Function, signature);
        self.api.engine.register_fn(self.name, function);
        self
    }

    /// Registers a field that can be read.
    pub(crate) fn field<A: 'static, const N: usize, const X: bool, R, const F: bool>(
        mut self,
        signature: &'static str,
        function: impl RhaiNativeFunc<A, N, X, R, F> + 'static,
    ) -> Self
    where
        R: Variant + Clone,
    {
        self.say(FormKind::Field, signature);
        let getter = format!("get${}", self.name);
        self.api.engine.register_fn(getter, function);
        self
    }

    /// Registers `object[index]` for reading.
    pub(crate) fn index<A: 'static, const N: usize, const X: bool, R, const F: bool>(
        mut self,
        signature: &'static str,
        function: impl RhaiNativeFunc<A, N, X, R, F> + 'static,
    ) -> Self
    where
        R: Variant + Clone,
    {
        self.say(FormKind::Index, signature);
        self.api.engine.register_fn("index$get$", function);
        self
    }

    /// Something that Rhai itself or another room gives, in this form.
    pub(crate) fn given(mut self, kind: FormKind, signature: &'static str) -> Self {
        self.say(kind, signature);
        self
    }

    /// That was the last form.
    pub(crate) fn done(self) {}
}

/// Every function, field and constant of deliveryd's own, by section and in the order of their
/// registration. Rhai's own functions are not among them; see [`callable`].
pub(crate) fn catalog() -> &'static [Entry] {
    static CATALOG: OnceLock<Vec<Entry>> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let mut entries = Vec::new();
        let mut engine = Engine::new_raw();
        super::register_all(
            &mut Api {
                engine: &mut engine,
                entries: Some(&mut entries),
            },
            &nobody(),
        );
        entries.sort_by_key(|entry| entry.section);
        entries
    })
}

/// Every function that a script can call, Rhai's own among them, with the numbers of arguments that
/// it takes; a method's object counts as its first. Operators and fields are not among them.
///
/// `sleep` is among them: it is there to be refused with a reason when it is called.
pub(crate) fn callable() -> &'static BTreeMap<String, BTreeSet<usize>> {
    static CALLABLE: OnceLock<BTreeMap<String, BTreeSet<usize>>> = OnceLock::new();
    CALLABLE.get_or_init(|| {
        let mut engine = engine::bare(&Limits::default());
        json::register(&mut engine);
        super::register(&mut engine, &nobody());
        let mut callable: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (name, arguments) in registered(&engine) {
            if rhai::is_valid_function_name(&name) {
                callable.entry(name).or_default().insert(arguments);
            }
        }
        for (name, arguments) in KEYWORDS {
            let arguments = arguments.clone();
            callable
                .entry((*name).to_owned())
                .or_default()
                .extend(arguments);
        }
        callable
    })
}

/// Most arguments that a call of a function pointer is followed to.
const MOST: usize = 20;

/// Functions that are part of the language: the parser knows them, and no module has them.
const KEYWORDS: &[(&str, std::ops::RangeInclusive<usize>)] = &[
    ("print", 1..=1),
    ("debug", 1..=1),
    ("type_of", 1..=1),
    ("Fn", 1..=1),
    ("call", 1..=MOST),
    ("curry", 1..=MOST),
    ("is_shared", 1..=1),
    ("is_def_var", 1..=1),
    ("is_def_fn", 2..=3),
    ("contains", 2..=2),
];

/// Name and number of arguments of everything that an engine's modules hold.
pub(crate) fn registered(engine: &Engine) -> BTreeSet<(String, usize)> {
    let functions = engine.collect_fn_metadata(
        None,
        |function| {
            let metadata = function.metadata;
            Some((metadata.name.to_string(), metadata.num_params))
        },
        true,
    );
    functions.into_iter().collect()
}

/// A state that belongs to no member.
fn nobody() -> Rc<State> {
    let caller = Caller {
        group: "".into(),
        member: "".into(),
    };
    State::new(caller, Limits::default(), None, Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rhai's own functions, ours and those of the JSON views can be looked up.
    #[test]
    fn everything_that_can_be_called_is_known() {
        let takes = |name: &str| -> Vec<usize> {
            let arguments = callable().get(name);
            arguments.into_iter().flatten().copied().collect()
        };
        assert_eq!(takes("emit"), [1, 2, 3]);
        assert_eq!(takes("reject"), [1]);
        assert_eq!(takes("split"), [1, 2, 3]);
        assert_eq!(takes("sub_string"), [2, 3]);
        assert_eq!(takes("parse_json"), [1]);
        assert_eq!(takes("type_of"), [1]);
        assert_eq!(takes("all"), [2]);
        for refused in ["eval", "get$topic", "+"] {
            assert_eq!(takes(refused), [0; 0], "{refused}");
        }
    }
}
