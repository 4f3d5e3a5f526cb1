//! Chains with methods, and with arguments that are no literals: `s.trim()`, `d.items.filter(f)`,
//! `table[key].name`.
//!
//! What is common goes straight: a method of a variable, of a value, or of a field of JSON; fields and
//! indexes of maps, arrays and JSON. Everything else is the interpreter's, over the same arguments.

use rhai::{ASTFlags, Dynamic, Expr, FnPtr, Position};

use super::fields::{Between, Field};
use super::links::{self, First, Links, Root, Tree, Values};
use super::message;
use super::read::{self, Step, What};
use crate::script::api::message::Message;
use crate::script::compiled::calls::native::{self, Arguments, Native};
use crate::script::compiled::expressions::pure::property;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick};
use crate::script::compiled::run::value::Value;
use crate::script::compiled::statements::Compiler;
use crate::script::json::JsonObject;
use crate::script::meter;

/// `None` for a chain that is not in the subset.
pub(crate) fn compile(compiler: &mut Compiler<'_>, chain: &Expr) -> Option<Code> {
    let way = Way::of(chain, compiler.known.longest)?;
    let links = Links::new(compiler, chain, vec![chain.position()])?;
    if matches!(way, Way::Interpreted) && !links.has_effects() {
        return None;
    }
    let tree = Tree::chain(chain, &links);
    Some(Box::new(move |frame| {
        let (mut values, mut first) = links.values(frame)?;
        let counted = meter::operations();
        let straight = way.straight(&links.root, &mut first, &mut values, frame);
        if let Some(outcome) = straight {
            return outcome;
        }
        meter::recount(counted);
        match &links.root {
            Root::Slot(slot) | Root::Message(slot) => by_tree(frame, &tree, *slot, values),
            Root::Value(_) => {
                let first = First::Value(first.unwrap_or_default());
                let result = tree.run(frame, values, first);
                result.map(Value::of).map_err(Exit::Error)
            }
        }
    }))
}

/// Has the interpreter do it on a variable.
pub(crate) fn by_tree(frame: &mut Frame<'_>, tree: &Tree, slot: usize, values: Values) -> Outcome {
    let mut place = take(frame, slot);
    let result = tree.run(frame, values, First::Place(&mut place));
    put(frame, slot, place);
    result.map(Value::of).map_err(Exit::Error)
}

fn take(frame: &mut Frame<'_>, slot: usize) -> Dynamic {
    let place = frame.slots.get_mut(slot).map(std::mem::take);
    place.unwrap_or_default().into_dynamic()
}

fn put(frame: &mut Frame<'_>, slot: usize, value: Dynamic) {
    if let Some(place) = frame.slots.get_mut(slot) {
        *place = Value::of(value);
    }
}

/// The straight way of a chain.
enum Way {
    /// A method of a field, or right of the first value where there are no fields; then methods of what
    /// that gives.
    Method {
        fields: Vec<Field>,
        method: Box<Method>,
        then: Vec<Method>,
    },
    Read {
        steps: Vec<Step>,
        longest: usize,
    },
    Interpreted,
}

/// A method in a chain.
struct Method {
    /// `?.` before it.
    optional: bool,
    native: Native,
    arguments: usize,
}

impl Way {
    /// `None` for a chain with a method that is part of the syntax: the interpreter moves what others are
    /// given copies of.
    fn of(chain: &Expr, longest: usize) -> Option<Self> {
        let mut fields = Vec::new();
        let mut steps = Vec::new();
        let mut methods = Vec::new();
        let mut named = true;
        let mut parent = chain;
        let mut first = true;
        loop {
            let (Expr::Dot(pair, flags, _) | Expr::Index(pair, flags, _)) = parent else {
                return Some(Self::Interpreted);
            };
            let optional = flags.intersects(ASTFlags::NEGATED);
            let (here, next) = links::link(pair, *flags);
            let indexed = matches!(parent, Expr::Index(..));
            let step = |what, at| Step {
                optional,
                indexed,
                what,
                at,
            };
            match here {
                _ if !methods.is_empty() && !matches!(here, Expr::MethodCall(..)) => {
                    return Some(Self::Interpreted);
                }
                _ if indexed => {
                    let what = match here {
                        // Behind the first value a literal is no argument.
                        Expr::IntegerConstant(index, _) if first && next.is_none() => {
                            What::Index(*index)
                        }
                        Expr::StringConstant(name, _) if first && next.is_none() => {
                            What::Name(name.clone())
                        }
                        _ => What::Argument,
                    };
                    named = false;
                    steps.push(step(what, parent.position()));
                }
                Expr::Property(..) => {
                    let Some((name, at)) = property(here) else {
                        return Some(Self::Interpreted);
                    };
                    steps.push(step(What::Name(name.clone()), at));
                    fields.push(Field { name, at });
                }
                Expr::MethodCall(call, _) if native::SYNTAX.contains(&call.name.as_str()) => {
                    return None;
                }
                Expr::MethodCall(call, at) if named => methods.push(Method {
                    optional,
                    native: Native::method(call, *at, parent.position()),
                    arguments: call.args.len(),
                }),
                _ => return Some(Self::Interpreted),
            }
            first = false;
            if let Some(next) = next {
                parent = next;
                continue;
            }
            if methods.is_empty() {
                return Some(Self::Read { steps, longest });
            }
            return Some(Self::Method {
                fields,
                method: Box::new(methods.remove(0)),
                then: methods,
            });
        }
    }
}

impl Way {
    /// `None` where it is of no use, with everything as it was but for the operations counted.
    fn straight(
        &self,
        root: &Root,
        first: &mut Option<Dynamic>,
        values: &mut Values,
        frame: &mut Frame<'_>,
    ) -> Option<Outcome> {
        match self {
            Self::Interpreted => None,
            Self::Method {
                fields,
                method,
                then,
            } if fields.is_empty() => {
                let result = match root {
                    // Rhai looks behind what closures share.
                    Root::Slot(slot) if frame.slots.get(*slot).is_none_or(Value::is_shared) => {
                        return None;
                    }
                    Root::Slot(slot) => {
                        let mut on = take(frame, *slot);
                        let result = method.call(&mut on, native::First::Place, values, frame);
                        put(frame, *slot, on);
                        result
                    }
                    Root::Message(_) => return None,
                    Root::Value(_) => {
                        let mut on = first.take()?;
                        method.call(&mut on, native::First::Value, values, frame)
                    }
                };
                Some(result.and_then(|result| match result {
                    Some(result) => all(result, then, values, frame),
                    None => Ok(Value::Unit),
                }))
            }
            Self::Method {
                fields,
                method,
                then,
            } => of_field(fields, method, then, root, values, frame),
            Self::Read { steps, longest } => {
                read::read(steps, *longest, root, first, values, frame)
            }
        }
    }
}

impl Method {
    /// Calls it with the next of the values; `None` where a `?.` ends the whole chain.
    fn call(
        &self,
        on: &mut Dynamic,
        first: native::First,
        values: &mut Values,
        frame: &mut Frame<'_>,
    ) -> Outcome<Option<Dynamic>> {
        if self.optional && on.is_unit() {
            return Ok(None);
        }
        let mut all = self.given(on, values);
        let result = self.native.call(frame, &mut all, first);
        *on = all.swap_remove(0);
        result.map(Some)
    }

    fn given(&self, on: &mut Dynamic, values: &mut Values) -> Arguments {
        let mut all = Arguments::new();
        all.push(std::mem::take(on));
        all.extend(values.drain(..self.arguments.min(values.len())));
        all
    }
}

/// The methods of what the first has given.
fn all(
    mut result: Dynamic,
    then: &[Method],
    values: &mut Values,
    frame: &mut Frame<'_>,
) -> Outcome {
    for method in then {
        match method.call(&mut result, native::First::Value, values, frame)? {
            Some(next) => result = next,
            None => return Ok(Value::Unit),
        }
    }
    Ok(Value::of(result))
}

/// A method of a field of JSON, which Rhai writes back after a method that may have changed it.
fn of_field(
    fields: &[Field],
    method: &Method,
    then: &[Method],
    root: &Root,
    values: &mut Values,
    frame: &mut Frame<'_>,
) -> Option<Outcome> {
    let (mut object, fields, place) = match root {
        Root::Slot(slot) => match frame.slots.get(*slot) {
            Some(Value::Object(object)) => (object.clone(), fields, Written::Slot(*slot)),
            _ => return None,
        },
        Root::Message(_) => {
            let (json, fields) = fields
                .split_first()
                .filter(|(json, _)| &*json.name == "json")?;
            match message::property(json.at, frame) {
                Ok(object) => (object?, fields, Written::Message(json.at)),
                Err(exit) => return Some(Err(exit)),
            }
        }
        Root::Value(_) => return None,
    };
    let (last, outer) = fields.split_last()?;
    let between = match Between::new(&object, outer)? {
        Ok(between) => between,
        Err(exit) => return Some(Err(exit)),
    };
    if let Err(exit) = tick(last.at) {
        return Some(Err(exit));
    }
    let mut value = between.inmost(&object).field(&last.name);
    if frame.engine.ensure_data_size_within_limits(&value).is_err() {
        return None;
    }
    // A method that changes `msg.json` while it has it is the interpreter's to end.
    if matches!(root, Root::Message(_)) && values.iter().any(brings_message) {
        return None;
    }
    let methods = || std::iter::once(method).chain(then);
    if methods().any(|method| method.native.is_full()) {
        return None;
    }
    let mut on = std::mem::take(&mut value);
    let mut first = native::First::Place;
    let mut changes = false;
    let mut result = Dynamic::UNIT;
    for (number, method) in methods().enumerate() {
        if number > 0 {
            on = std::mem::take(&mut result);
        }
        // Where there is nothing, nothing is written back.
        if method.optional && on.is_unit() {
            return Some(Ok(Value::Unit));
        }
        let mut all = method.given(&mut on, values);
        let (called, may_change) = method.native.call_and_tell(frame, &mut all, first);
        result = match called {
            Ok(result) => result,
            Err(exit) => return Some(Err(exit)),
        };
        if number == 0 {
            value = all.swap_remove(0);
        }
        changes = may_change;
        first = native::First::Value;
    }
    if changes {
        let written = between.write_back(&mut object, fields, value);
        if let Err(exit) = written.and_then(|()| place.give_back(object, frame)) {
            return Some(Err(exit));
        }
    }
    Some(Ok(Value::of(result)))
}

/// Whether it is a function that brings the message along.
fn brings_message(value: &Dynamic) -> bool {
    let function = value.read_lock::<FnPtr>();
    function.is_some_and(|function| function.curry().iter().any(Dynamic::is::<Message>))
}

/// Where an object goes that a method has changed.
enum Written {
    Slot(usize),
    /// It is `msg.json`, which stands here.
    Message(Position),
}

impl Written {
    fn give_back(self, object: JsonObject, frame: &mut Frame<'_>) -> Outcome<()> {
        match self {
            Self::Slot(slot) => {
                if let Some(place) = frame.slots.get_mut(slot) {
                    *place = Value::Object(object);
                }
                Ok(())
            }
            Self::Message(at) => message::give_back(object, at, frame),
        }
    }
}
