//! Where a chain leads: along its links through a JSON text and what a script has put into it.

use std::rc::Rc;

use rhai::{Dynamic, Position};

use super::chain::{Link, What};
use super::method::{Called, Method};
use crate::script::api::message::Message;
use crate::script::compiled::expressions::operators::Comparison;
use crate::script::compiled::expressions::pure::Rest;
use crate::script::compiled::expressions::quick;
use crate::script::compiled::run::frame::{Exit, Frame, Outcome, ticks};
use crate::script::compiled::run::parts::Parts;
use crate::script::compiled::run::scalar::Scalar;
use crate::script::compiled::run::value::Value;
use crate::script::json::{Doc, JsonObject, Look, Looked, Name, look_untagged};
use crate::script::meter;

/// What a chain starts from.
pub(super) enum Start {
    /// A variable; and what the chain is where that is the message.
    Slot(usize, Option<Box<Rest>>),
    Params(JsonObject),
    /// `msg.json`, which stands there.
    Json(Position),
}

/// A compiled chain.
pub(crate) struct Reach {
    start: Start,
    links: Vec<Link>,
    /// The name, where it is one field of a variable.
    field: Option<(usize, Name<'static>)>,
    longest: usize,
    /// How many operations follow the chain's lead, where neither a value nor a method decides on that.
    pub cost: Option<usize>,
    /// The same for a chain of fields that ends in `split`, together with what is written back.
    split_cost: Option<usize>,
}

impl Reach {
    pub(super) fn new(start: Start, links: Vec<Link>, longest: usize) -> Self {
        let known = |link: &Link| !link.optional && !matches!(link.what, What::Method(_));
        let counted = match start {
            Start::Json(_) => &*links,
            _ => links.get(1..).unwrap_or_default(),
        };
        let cost = counted.iter().map(|link| link.counted.len()).sum();
        let split_cost = match links.split_last() {
            Some((last, fields)) if matches!(last.what, What::Method(Method::Split(..))) => {
                let plain = |link: &Link| known(link) && link.is_field();
                let before = usize::from(matches!(start, Start::Json(_)));
                let written = fields.len() + before;
                (!last.optional && fields.iter().all(plain)).then_some(cost + written)
            }
            _ => None,
        };
        let field = match (&start, &*links) {
            (Start::Slot(slot, _), [link]) => match &link.what {
                What::Name(name) if known(link) => Some((*slot, Name::owned(name))),
                _ => None,
            },
            _ => None,
        };
        Self {
            cost: links.iter().all(known).then_some(cost),
            field,
            split_cost,
            start,
            links,
            longest,
        }
    }

    #[inline]
    pub(crate) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        let (links, longest) = (&self.links, self.longest);
        match &self.start {
            Start::Slot(slot, of_message) => match (frame.slots.get(*slot), of_message) {
                (Some(Value::Other(other)), Some(chain)) if other.is::<Message>() => {
                    chain.value(frame)
                }
                (value, _) => match value.and_then(At::of) {
                    Some(start) => follow(start, &[], links, longest),
                    None => Err(Exit::Unsure),
                },
            },
            Start::Params(params) => follow(At::Object(params), &[], links, longest),
            Start::Json(at) => super::message::with_json(*at, frame, |json| {
                follow(At::Object(json), &[*at], links, longest)
            }),
        }
    }

    /// Where it ends if it is one field of an object that nothing has changed: the shortest way.
    #[inline(always)]
    fn in_text<'f>(&self, frame: &'f Frame<'_>) -> Option<At<'f>> {
        let (slot, name) = self.field.as_ref()?;
        let Some(Value::Object(object)) = frame.slots.get(*slot) else {
            return None;
        };
        match object.in_text(name)? {
            (_, None) => Some(At::Nothing),
            (doc, Some(node)) => (doc.width(node) <= self.longest).then_some(At::Node(doc, node)),
        }
    }

    /// Where the chain ends, without counting.
    #[inline(always)]
    fn end<R>(&self, frame: &Frame<'_>, with: impl FnOnce(At<'_>) -> R) -> Option<R> {
        self.end_of(&self.links, frame, with)
    }

    /// Where so many of its links lead.
    #[inline(always)]
    fn end_of<R>(
        &self,
        links: &[Link],
        frame: &Frame<'_>,
        with: impl FnOnce(At<'_>) -> R,
    ) -> Option<R> {
        let from = |start: At<'_>| {
            let mut at = start;
            for link in links {
                at = at.link(&link.what)?;
            }
            at.fits(self.longest).then(|| with(at))
        };
        match &self.start {
            Start::Slot(slot, _) => from(At::of(frame.slots.get(*slot)?)?),
            Start::Params(params) => from(At::Object(params)),
            // Not before it is parsed, which can fail.
            Start::Json(_) => frame.state.with_view(|json| from(At::Object(json?))),
        }
    }

    /// The number or flag at its end, without counting.
    #[inline]
    pub(crate) fn scalar(&self, frame: &Frame<'_>) -> Scalar {
        if let Some(at) = self.in_text(frame) {
            return at.scalar();
        }
        self.end(frame, |at| at.scalar()).unwrap_or(Scalar::Unsure)
    }

    /// What is at its end compared with a text, without counting.
    #[inline]
    pub(crate) fn against(&self, comparison: Comparison, text: &str, frame: &Frame<'_>) -> Scalar {
        if let Some(at) = self.in_text(frame) {
            return at.against(comparison, text);
        }
        let end = self.end(frame, |at| at.against(comparison, text));
        end.unwrap_or(Scalar::Unsure)
    }

    /// Appends the text at its end, without counting; `false` where none is.
    pub(crate) fn append(&self, out: &mut Vec<u8>, frame: &Frame<'_>) -> bool {
        let end = self.end(frame, |at| match at {
            At::Node(doc, node) if doc.is_text_at(node) => {
                doc.with_text(doc.node(node), |text| {
                    out.extend_from_slice(text.as_bytes())
                });
                true
            }
            _ => false,
        });
        end.unwrap_or(false)
    }

    /// The parts of the string that `split` at its end is called on, after `before` operations.
    #[inline]
    pub(crate) fn split(&self, before: usize, frame: &Frame<'_>) -> Option<Parts> {
        let (last, fields) = self.links.split_last()?;
        let What::Method(Method::Split(by, most)) = &last.what else {
            return None;
        };
        quick::found(self.split_cost, before, || {
            self.end_of(fields, frame, |at| match at {
                At::Node(doc, node) => Parts::of(doc, node, by, *most),
                _ => None,
            })?
        })
    }

    /// The array of the JSON text at its end, after `before` operations.
    #[inline]
    pub(crate) fn array(&self, before: usize, frame: &Frame<'_>) -> Option<(Rc<Doc>, u32)> {
        let array = |at: At<'_>| match at {
            At::Node(doc, node) if doc.is_array_at(node) => Some((Rc::clone(doc), node)),
            _ => None,
        };
        quick::found(self.cost, before, || match self.in_text(frame) {
            Some(at) => array(at),
            None => self.end(frame, array)?,
        })
    }
}

/// Where a chain has come to.
#[derive(Clone, Copy)]
enum At<'a> {
    Nothing,
    Object(&'a JsonObject),
    Node(&'a Rc<Doc>, u32),
    /// What a script has put into an object.
    Given(&'a Dynamic),
    Text(&'a str),
}

/// Follows the links; what the first of all counts is counted. `before` are the positions of properties
/// that came earlier.
#[inline]
fn follow(start: At<'_>, before: &[Position], links: &[Link], longest: usize) -> Outcome {
    let mut at = start;
    let mut done = 0;
    let mut given = false;
    let charged = meter::operations();
    for link in links {
        if matches!(at, At::Nothing) {
            // Of the first link something is counted already.
            if !link.optional || done + before.len() == 0 {
                return Err(Exit::Unsure);
            }
            break;
        }
        if let What::Method(method) = &link.what {
            // What costs something to read costs it again where it is written back.
            given |= meter::operations() != charged;
            count(before, &links[..=done])?;
            return call(at, method, before, &links[..done], given, longest);
        }
        at = at.link(&link.what).ok_or(Exit::Unsure)?;
        given |= matches!(at, At::Given(_));
        done += 1;
    }
    let value = at.value(longest)?;
    count(before, &links[..done])?;
    Ok(value)
}

/// Counts what the links count, but for the chain's very first.
#[inline]
fn count(before: &[Position], links: &[Link]) -> Outcome<()> {
    let rest = match before.is_empty() {
        true => links.get(1..).unwrap_or_default(),
        false => links,
    };
    rest.iter().try_for_each(|link| ticks(&link.counted))
}

impl<'a> At<'a> {
    /// A variable's value.
    #[inline(always)]
    fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Object(object) => At::Object(object),
            Value::Array(array) => At::Node(array.doc(), array.node()),
            Value::Text(text) => At::Text(text),
            Value::Piece(doc, node) => At::Node(doc, *node),
            Value::Part(doc, start, end) => At::Text(doc.text(*start, *end)),
            _ => return None,
        })
    }

    /// Whether Rhai would find it no larger than values may be.
    #[inline(always)]
    fn fits(self, longest: usize) -> bool {
        match self {
            At::Node(doc, node) => doc.width(node) <= longest || doc.is_container_at(node),
            _ => true,
        }
    }

    #[inline(always)]
    fn scalar(self) -> Scalar {
        match self {
            At::Nothing => Scalar::Unit,
            At::Node(doc, node) => match look_untagged(doc, node) {
                Look::Null => Scalar::Unit,
                Look::Bool(flag) => Scalar::bool(flag),
                Look::Int(number) => Scalar::Int(number),
                Look::Float(number, _) => Scalar::float(number),
                Look::Text | Look::Object | Look::Array => Scalar::Unsure,
            },
            At::Object(_) | At::Given(_) | At::Text(_) => Scalar::Unsure,
        }
    }

    #[inline(always)]
    fn against(self, comparison: Comparison, text: &str) -> Scalar {
        match self {
            At::Node(doc, node) if doc.is_text_at(node) => {
                let node = doc.node(node);
                let equality = comparison.of_equality(|| doc.is_text(node, text));
                let order = || doc.with_text(node, |own| comparison.of_texts(own, text));
                Scalar::bool(equality.unwrap_or_else(order))
            }
            other => comparison.of_text_and(other.scalar()),
        }
    }

    #[inline(always)]
    fn link(self, what: &What) -> Option<At<'a>> {
        match (self, what) {
            (At::Object(object), What::Name(name)) => Some(match object.lookup(name) {
                Looked::Missing => At::Nothing,
                Looked::Node(node) => At::node(object.doc(), node),
                Looked::Given(value) if value.is_unit() => At::Nothing,
                Looked::Given(value) => At::Given(value),
            }),
            (At::Node(doc, node), What::Name(name)) if doc.is_object_at(node) => {
                Some(match doc.find(node, name) {
                    Some(member) => At::node(doc, member),
                    None => At::Nothing,
                })
            }
            (At::Node(doc, node), What::Index(index)) => {
                let element = doc.element_from_either_end(node, *index)?;
                Some(At::node(doc, element))
            }
            _ => None,
        }
    }

    fn node(doc: &'a Rc<Doc>, node: u32) -> Self {
        match doc.is_null_at(node) {
            true => At::Nothing,
            false => At::Node(doc, node),
        }
    }

    /// The value at the chain's end, if Rhai would find it no larger than values may be.
    #[inline]
    fn value(self, longest: usize) -> Outcome {
        match self {
            At::Nothing => Ok(Value::Unit),
            At::Node(doc, node) if doc.width(node) <= longest => Ok(Value::node(doc, node)),
            // An object or array of any length is one view.
            At::Node(doc, node) if doc.is_container_at(node) => Ok(Value::node(doc, node)),
            At::Given(value) if is_simple_value(value, longest) => Ok(Value::of(value.clone())),
            _ => Err(Exit::Unsure),
        }
    }
}

fn is_simple_value(value: &Dynamic, longest: usize) -> bool {
    value.is_bool()
        || value.is_int()
        || value.is_float()
        || value.is::<JsonObject>()
        || value
            .as_immutable_string_ref()
            .is_ok_and(|text| text.len() <= longest)
}

/// A method at the end of a chain.
fn call(
    at: At<'_>,
    method: &Method,
    before: &[Position],
    links: &[Link],
    given: bool,
    longest: usize,
) -> Outcome {
    let Called { value, writes_back } = match at {
        At::Text(text) => method.on_text(text),
        At::Node(doc, node) if doc.width(node) <= longest => method.on_node(doc, node),
        _ => None,
    }
    .ok_or(Exit::Unsure)?;
    if writes_back {
        if given || !links.iter().all(Link::is_field) {
            return Err(Exit::Unsure);
        }
        let written = links.iter().rev();
        for link in written {
            ticks(&link.counted)?;
        }
        ticks(before)?;
    }
    Ok(value)
}
