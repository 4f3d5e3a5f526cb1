//! What a script can call, told once: a function is registered and described in the same statement.
//!
//! [`Api::describe`] begins a function, [`Described::form`] registers one of its forms. A member's
//! engine only registers; [`catalog`] registers on an engine of its own and keeps what was said,
//! for the README's tables and `deliveryd handlers`.

use std::rc::Rc;
use std::sync::OnceLock;

use rhai::{Engine, FuncRegistration, RhaiNativeFunc, Variant};

use crate::config::Limits;
use crate::script::Caller;
use crate::script::state::State;

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
    /// From here on Rhai's own.
    Values,
    Numbers,
    Text,
    Arrays,
    Maps,
    Blobs,
    Ranges,
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
    /// A namespace of values; the signature is `name::NAME: TYPE`.
    Module,
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

    /// The object of a field or method, by which it is written: `array` of
    /// `sample(array: array)`, `msg` of `topic(msg: message)`. A first parameter that is called as its
    /// type is called is one.
    pub(crate) fn object(&self) -> Option<&'static str> {
        let (name, kind) = self.parameters().next()?.split_once(": ")?;
        let method = name == kind || self.kind != FormKind::Function;
        method.then_some(name)
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
        FuncRegistration::new_getter(self.name).register_into_engine(self.api.engine, function);
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
        FuncRegistration::new_index_getter().register_into_engine(self.api.engine, function);
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
/// registration. Rhai's own functions are not among them.
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

/// A state that belongs to no member.
fn nobody() -> Rc<State> {
    let caller = Caller {
        group: "".into(),
        member: "".into(),
    };
    State::new(caller, Limits::default(), None, Some(0))
}
