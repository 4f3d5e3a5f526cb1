//! Chains that only read: `msg.key`, `msg.json.address?.city`, `d.items[0]["sku"]`, `d.note.split(" ")`.
//!
//! Rhai first evaluates the arguments of the whole chain, then reads from left to right
//! (`eval/chaining.rs`); after a method that could have changed its value it writes back, from right to
//! left, what then changes nothing here. The positions of all that are put together when the chain is
//! compiled. A chain that meets a value other than the JSON's is the interpreter's.

use rhai::{ASTFlags, BinaryExpr, Expr, INT, ImmutableString, Position};

use super::message::Field;
use super::method::Method;
use super::reach::{Reach, Start};
use crate::script::compiled::expressions::pure::{Place, Pure, Rest, property};

/// One link of a chain.
#[derive(Clone)]
pub(super) struct Link {
    /// `?.` or `?[`: ends the chain where there is nothing to go on with.
    pub optional: bool,
    pub what: What,
    /// What it counts when it is read.
    pub counted: Vec<Position>,
}

#[derive(Clone)]
pub(super) enum What {
    Name(ImmutableString),
    Index(INT),
    Method(Method),
}

impl Link {
    /// `.name`
    pub(super) fn is_field(&self) -> bool {
        matches!(self.what, What::Name(_)) && self.counted.len() == 1
    }
}

/// A chain, taken apart.
struct Chain {
    links: Vec<Link>,
    /// What is counted while arguments are evaluated.
    arguments: Vec<Position>,
}

pub(crate) fn compile(expression: &Expr, place: &Place<'_>) -> Option<Pure> {
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
    let start = if place.locals.is_message(&first.lhs) {
        let rest = of_message(links, longest)?;
        return Some(Pure { lead, rest });
    } else if let Some(params) = place.params(&first.lhs) {
        // No method writes back to them.
        let mut methods = links
            .iter()
            .map(|link| matches!(link.what, What::Method(_)));
        if methods.any(|method| method) {
            return None;
        }
        Start::Params(params.clone())
    } else {
        let slot = place.locals.slot(&first.lhs)?;
        // A function may be given the message in any variable.
        let of_message = of_message(links.clone(), longest);
        Start::Slot(slot, of_message.map(Box::new))
    };
    let rest = Rest::Reach(Box::new(Reach::new(start, links, longest)));
    Some(Pure { lead, rest })
}

/// A chain on the message.
fn of_message(mut links: Vec<Link>, longest: usize) -> Option<Rest> {
    let first = links.remove(0);
    let What::Name(name) = &first.what else {
        return None;
    };
    // There is no `msg["key"]`.
    if !first.is_field() {
        return None;
    }
    // `msg?.key`: the message is always there.
    let at = *first.counted.first()?;
    Some(match Field::of(name)? {
        Field::Json if links.is_empty() => Rest::Json(at),
        Field::Json => Rest::Reach(Box::new(Reach::new(Start::Json(at), links, longest))),
        field if links.is_empty() => Rest::Field(field),
        _ => return None,
    })
}

impl Chain {
    /// Takes the links from `parent`, whose parts are `pair`, on to the end.
    fn take_apart(&mut self, parent: &Expr, pair: &BinaryExpr, place: &Place<'_>) -> Option<()> {
        let mut first = true;
        let (mut parent, mut pair) = (parent, pair);
        loop {
            let flags = parent.options();
            let indexing = matches!(parent, Expr::Index(..));
            let (here, next) = match &pair.rhs {
                // Behind the end stands an index that is a chain itself.
                Expr::Dot(next, ..) | Expr::Index(next, ..)
                    if !flags.intersects(ASTFlags::BREAK) =>
                {
                    (&next.lhs, Some(&**next))
                }
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
