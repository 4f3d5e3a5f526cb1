//! Chains that only read: `msg.key`, `msg.json.address?.city`, `d.items[0]["sku"]`, `d.note.split(" ")`.
//!
//! Rhai first evaluates the arguments of the whole chain, then reads from left to right
//! (`eval/chaining.rs`); after a method that could have changed its value it writes back, from right to
//! left, what then changes nothing here. The positions of all that are put together when the chain is
//! compiled. A chain that meets a value other than the JSON's is the interpreter's.

use std::rc::Rc;

use rhai::{ASTFlags, BinaryExpr, Dynamic, Expr, INT, ImmutableString, Position};

use super::frame::{Exit, Frame, Outcome, ticks};
use super::message::Field;
use super::method::{Called, Method};
use super::pure::{Place, Pure, Rest, property};
use super::value::Value;
use crate::script::api::message::Message;
use crate::script::json::{Doc, JsonObject, Looked};

/// One link of a chain.
#[derive(Clone)]
struct Link {
    /// `?.` or `?[`: ends the chain where there is nothing to go on with.
    optional: bool,
    what: What,
    /// What it counts when it is read.
    counted: Vec<Position>,
}

#[derive(Clone)]
enum What {
    Name(ImmutableString),
    Index(INT),
    Method(Method),
}

/// A chain, taken apart.
struct Chain {
    links: Vec<Link>,
    /// What is counted while arguments are evaluated.
    arguments: Vec<Position>,
}

pub(super) fn compile(expression: &Expr, place: &Place<'_>) -> Option<Pure> {
    let (Expr::Dot(first, ..) | Expr::Index(first, ..)) = expression else {
        return None;
    };
    let mut chain = Chain {
        links: Vec::new(),
        arguments: Vec::new(),
    };
    chain.take_apart(expression, first, place)?;
    let mut lead = vec![expression.position()];
    lead.append(&mut chain.arguments);
    lead.push(first.lhs.position());
    // What `d?.a` counts depends on what `d` is.
    if chain.links.first()?.optional {
        return None;
    }
    let head = chain.links.first()?.counted.clone();
    lead.extend(head);
    let Chain { links, .. } = chain;
    let longest = place.known.longest;
    let code: super::frame::Code = if place.locals.is_message(&first.lhs) {
        of_message(links, longest)?
    } else if let Some(params) = place.params(&first.lhs) {
        of_params(params.clone(), links, longest)?
    } else {
        let slot = place.locals.slot(&first.lhs)?;
        // A function may be given the message in any variable.
        let of_message = of_message(links.clone(), longest);
        Box::new(move |frame| match (frame.slots.get(slot), &of_message) {
            (Some(Value::Other(other)), Some(code)) if other.is::<Message>() => code(frame),
            _ => of_variable(slot, &links, longest, frame),
        })
    };
    Some(Pure {
        lead,
        rest: Rest::Code(code),
    })
}

impl Chain {
    /// Takes the links from `parent`, whose parts are `pair`, on to the end.
    fn take_apart(&mut self, parent: &Expr, pair: &BinaryExpr, place: &Place<'_>) -> Option<()> {
        let mut first = true;
        let (mut parent, mut pair) = (parent, pair);
        loop {
            let flags = parent.options();
            if flags.intersects(ASTFlags::BREAK) {
                return None;
            }
            let indexing = matches!(parent, Expr::Index(..));
            let (here, next) = match &pair.rhs {
                Expr::Dot(next, ..) | Expr::Index(next, ..) => (&next.lhs, Some(&**next)),
                last => (last, None),
            };
            // A property or a literal index right behind the variable has no arguments to evaluate.
            let simple = first && next.is_none() && is_simple(here);
            if !simple {
                self.arguments.push(pair.rhs.position());
            }
            let (what, counted) = if indexing {
                if !simple {
                    self.arguments.push(here.position());
                }
                (index(here)?, vec![Position::NONE, parent.position()])
            } else {
                match here {
                    Expr::MethodCall(call, at) if next.is_none() => {
                        let method = Method::of(call, place)?;
                        self.arguments
                            .extend(call.args.iter().map(Expr::start_position));
                        (What::Method(method), vec![*at])
                    }
                    _ => {
                        let (name, at) = property(here)?;
                        (What::Name(name), vec![at])
                    }
                }
            };
            self.links.push(Link {
                optional: flags.intersects(ASTFlags::NEGATED),
                what,
                counted,
            });
            let Some(next) = next else {
                return Some(());
            };
            (parent, pair, first) = (&pair.rhs, next, false);
        }
    }
}

fn is_simple(link: &Expr) -> bool {
    match link {
        Expr::Property(..) | Expr::IntegerConstant(..) | Expr::StringConstant(..) => true,
        Expr::MethodCall(call, _) => call.args.is_empty(),
        _ => false,
    }
}

/// An index that is a literal.
fn index(link: &Expr) -> Option<What> {
    Some(match link {
        Expr::IntegerConstant(index, _) => What::Index(*index),
        Expr::StringConstant(name, _) => What::Name(name.clone()),
        _ => return None,
    })
}

/// A chain on a variable.
#[inline]
fn of_variable(slot: usize, links: &[Link], longest: usize, frame: &mut Frame<'_>) -> Outcome {
    let start = match frame.slots.get(slot) {
        Some(Value::Object(object)) => At::Object(object),
        Some(Value::Array(array)) => At::Node(array.doc(), array.node()),
        Some(Value::Text(text)) => At::Text(text),
        Some(Value::Piece(doc, node)) => At::Node(doc, *node),
        _ => return Err(Exit::Unsure),
    };
    follow(start, &[], links, longest)
}

/// A chain on the configuration's constants, to which no method writes back.
fn of_params(params: JsonObject, links: Vec<Link>, longest: usize) -> Option<super::frame::Code> {
    let mut methods = links
        .iter()
        .map(|link| matches!(link.what, What::Method(_)));
    if methods.any(|method| method) {
        return None;
    }
    Some(Box::new(move |_| {
        follow(At::Object(&params), &[], &links, longest)
    }))
}

/// A chain on the message.
fn of_message(mut links: Vec<Link>, longest: usize) -> Option<super::frame::Code> {
    let first = links.remove(0);
    let What::Name(name) = &first.what else {
        return None;
    };
    // `msg?.key`: the message is always there.
    let at = *first.counted.first()?;
    let field = Field::of(name)?;
    if links.is_empty() {
        return Some(Box::new(move |frame| field.value(at, frame)));
    }
    if field != Field::Json {
        return None;
    }
    Some(Box::new(move |frame| {
        super::message::with_json(at, frame, |json| {
            follow(At::Object(json), &[at], &links, longest)
        })
    }))
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
    for link in links {
        if matches!(at, At::Nothing) {
            // Of the first link something is counted already.
            if !link.optional || done + before.len() == 0 {
                return Err(Exit::Unsure);
            }
            break;
        }
        if let What::Method(method) = &link.what {
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
    #[inline]
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
            At::Node(doc, node) if doc.raw(doc.node(node)).len() <= longest => {
                Ok(Value::node(doc, node))
            }
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
        At::Node(doc, node) if doc.raw(doc.node(node)).len() <= longest => {
            method.on_node(doc, node)
        }
        _ => None,
    }
    .ok_or(Exit::Unsure)?;
    if writes_back {
        let only_names = links
            .iter()
            .all(|link| matches!(link.what, What::Name(_)) && link.counted.len() == 1);
        if given || !only_names {
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
