//! What the functions that a script calls work on: the message of this call, its effects, how it
//! was stopped.
//!
//! One per engine, on one thread. The functions hold it; `runtime` fills it before a call and empties
//! it afterwards, so that nothing of a message outlives its call.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use super::json::{self, Digits, Doc, JsonObject, NotJson};
use super::{Caller, memory, meter};
use crate::config::{Limits, Stage};
use crate::delivery::{Effects, Record};

/// How a call was ended by the script or for it, other than by an error that Rhai reports itself.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub kind: StopKind,
    /// The file, as Rhai knows it; `None` for the handler's own.
    pub source: Option<String>,
    pub position: Position,
}

#[derive(Debug, Clone)]
pub(crate) enum StopKind {
    Rejected(String),
    Retry(String),
    NotJson(NotJson),
}

/// See the module.
pub(crate) struct State {
    pub caller: Caller,
    pub limits: Limits,
    /// In a rehearsal, under which names the script is to see the topics that it reads.
    pub stage: OnceCell<Arc<Stage>>,
    /// For a generator, the topic it writes to.
    pub topic: Option<Arc<str>>,
    pub record: RefCell<Option<Rc<Record>>>,
    pub attempt: Cell<u32>,
    /// Boxed, because handler and state exchange it at every call.
    pub effects: RefCell<Box<Effects>>,
    pub stop: RefCell<Option<Box<Stop>>>,
    pub random: RefCell<Xoshiro256PlusPlus>,
    /// Bytes that this call has given to others, who free them: log lines, names of topics and metrics.
    pub given_away: Cell<isize>,
    /// The text of the numbers that this call has read from JSON.
    pub digits: Rc<Digits>,
    names: RefCell<Vec<Arc<str>>>,
    doc: RefCell<Rc<Doc>>,
    nothing: Rc<Doc>,
    /// The view of the message's whole value: one shared Rhai value, used again for every message.
    root: RefCell<Root>,
}

struct Root {
    state: Rooted,
    object: Dynamic,
    value: Dynamic,
}

/// How far the value of a message has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rooted {
    Unparsed,
    /// The text is an object, which nobody has asked for as a Rhai value.
    Untouched,
    /// `value` is `object`, the view of the whole text.
    Viewed,
    /// `value` is another.
    Other,
}

impl State {
    pub(crate) fn new(
        caller: Caller,
        limits: Limits,
        topic: Option<Arc<str>>,
        seed: Option<u64>,
    ) -> Rc<Self> {
        let random = match seed {
            Some(seed) => Xoshiro256PlusPlus::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let nothing = Rc::new(Doc::default());
        let object = Dynamic::from(JsonObject::new(&nothing, 0)).into_shared();
        Rc::new(Self {
            caller,
            limits,
            stage: OnceCell::new(),
            topic,
            record: RefCell::default(),
            attempt: Cell::new(0),
            effects: RefCell::default(),
            stop: RefCell::default(),
            random: RefCell::new(random),
            given_away: Cell::new(0),
            digits: Rc::default(),
            names: RefCell::default(),
            doc: RefCell::default(),
            root: RefCell::new(Root {
                state: Rooted::Unparsed,
                object,
                value: Dynamic::UNIT,
            }),
            nothing,
        })
    }

    /// Makes the random values from here on those of `seed`.
    pub(crate) fn reseed(&self, seed: u64) {
        *self.random.borrow_mut() = Xoshiro256PlusPlus::seed_from_u64(seed);
    }

    /// Makes `record` the message of the call that begins.
    pub(crate) fn enter(&self, record: Option<&Rc<Record>>, attempt: u32) {
        *self.record.borrow_mut() = record.cloned();
        self.attempt.set(attempt);
        if self.stop.borrow().is_some() {
            self.stop.replace(None);
        }
    }

    /// The topic of a message as the script is to see it.
    pub(crate) fn shown_topic<'a>(&'a self, record: &'a Record) -> &'a str {
        match self.stage.get() {
            Some(stage) => stage.real(&record.topic),
            None => &record.topic,
        }
    }

    /// Takes over an empty buffer for a call's effects, or gives the filled one back.
    #[inline]
    pub(crate) fn exchange_effects(&self, effects: &mut Box<Effects>) {
        std::mem::swap(&mut *self.effects.borrow_mut(), effects);
    }

    /// Lets go of the message.
    pub(crate) fn leave(&self) {
        *self.record.borrow_mut() = None;
        self.digits.leave();
        let mut root = self.root.borrow_mut();
        match root.state {
            Rooted::Unparsed => return,
            Rooted::Untouched => {}
            Rooted::Viewed | Rooted::Other => {
                root.value = Dynamic::UNIT;
                if let Some(mut object) = root.object.write_lock::<JsonObject>() {
                    *object = JsonObject::new(&self.nothing, 0);
                }
            }
        }
        root.state = Rooted::Unparsed;
        let mut doc = self.doc.borrow_mut();
        match Rc::get_mut(&mut doc) {
            Some(doc) => doc.release(),
            // Some value of the call is still held; it keeps its text, and the next message gets a new one.
            None => *doc = Rc::default(),
        }
    }

    /// `msg.json`: the value parsed, once.
    pub(crate) fn json(&self, context: &NativeCallContext) -> Result<Dynamic, Box<EvalAltResult>> {
        self.parse(context)?;
        Ok(self.parsed())
    }

    /// What `msg.json` is, once [`State::parse`] has been asked for it.
    pub(crate) fn parsed(&self) -> Dynamic {
        let mut root = self.root.borrow_mut();
        if root.state == Rooted::Untouched {
            root.state = Rooted::Viewed;
            if let Some(mut object) = root.object.write_lock::<JsonObject>() {
                *object = JsonObject::new(&self.doc.borrow(), 0);
            }
            root.value = root.object.clone();
        }
        root.value.clone()
    }

    /// Calls `with` with the object that `msg.json` is, if it is one and the script has put nothing else
    /// in its place.
    #[inline]
    pub(crate) fn with_view<R>(&self, with: impl FnOnce(Option<&JsonObject>) -> R) -> R {
        let root = self.root.borrow();
        match root.state {
            Rooted::Untouched => with(Some(&JsonObject::new(&self.doc.borrow(), 0))),
            Rooted::Viewed => with(root.object.read_lock::<JsonObject>().as_deref()),
            Rooted::Unparsed | Rooted::Other => with(None),
        }
    }

    /// Puts a changed view in the place of the object that `msg.json` is.
    pub(crate) fn change_view(&self, changed: JsonObject) {
        let mut root = self.root.borrow_mut();
        root.state = Rooted::Viewed;
        if let Some(mut object) = root.object.write_lock::<JsonObject>() {
            *object = changed;
        }
        root.value = root.object.clone();
    }

    /// Parses the value, once.
    #[inline]
    pub(crate) fn parse(&self, context: &NativeCallContext) -> Result<(), Box<EvalAltResult>> {
        let mut root = self.root.borrow_mut();
        if root.state != Rooted::Unparsed {
            return Ok(());
        }
        let record = self.record.borrow();
        let Some(record) = record.as_ref().filter(|record| record.value().is_some()) else {
            return Ok(());
        };
        let mut doc = self.doc.borrow_mut();
        if Rc::get_mut(&mut doc).is_none() {
            *doc = Rc::default();
        }
        if let Some(doc) = Rc::get_mut(&mut doc)
            && let Err(error) = doc.refill(record)
        {
            return Err(self.stop(StopKind::NotJson(error), context));
        }
        self.digits.enter(&doc);
        root.state = Rooted::Untouched;
        if !doc.is_object() {
            root.state = Rooted::Other;
            root.value = json::value(&doc, 0);
        }
        Ok(())
    }

    /// `msg.json = …`, which Rhai also does by itself after every change below it.
    pub(crate) fn set_json(&self, new: &mut Dynamic) {
        let mut root = self.root.borrow_mut();
        // Locked: Rhai is writing back the very view that it has just changed in place.
        if root.object.is_locked() {
            return;
        }
        let new = new.take().flatten();
        root.state = Rooted::Other;
        root.value = new;
    }

    /// The error that ends the call; no `try` catches it.
    pub(crate) fn stop(&self, kind: StopKind, context: &NativeCallContext) -> Box<EvalAltResult> {
        let position = context.call_position();
        let source = context.call_source().map(str::to_owned);
        // The first stop counts: what a script does after it has no effect any more.
        self.stop.borrow_mut().get_or_insert_with(|| {
            Box::new(Stop {
                kind,
                source,
                position,
            })
        });
        meter::stop();
        EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into()
    }

    /// Takes so many bytes off the account of this call.
    pub(crate) fn give_away(&self, bytes: isize) {
        self.given_away.set(self.given_away.get() + bytes);
    }

    /// One shared copy of a topic's or a metric's name.
    pub(crate) fn name(&self, name: &str) -> Arc<str> {
        const KEPT: usize = 64;
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let before = memory::held();
        let new: Arc<str> = name.into();
        self.give_away(memory::held() - before);
        if names.len() < KEPT {
            names.push(Arc::clone(&new));
        }
        new
    }
}
