//! `for`: over arrays of a JSON text, Rhai's arrays and ranges of whole numbers.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use rhai::{Array, Dynamic, Expr, FlowControl, INT, Ident, Position, Stmt, StmtBlock, Token};

use super::frame::{Code, Exit, Frame, Outcome, tick, ticks};
use super::interpreted::mentions;
use super::locals::walk;
use super::part::Part;
use super::parts::Parts;
use super::statements::{Block, Compiler, Refused};
use super::value::Value;
use crate::script::json::Doc;
use crate::script::meter;

/// What is gone through.
enum Over {
    /// A value without effects, which the interpreter can ask for again.
    Value(Part),
    /// A variable that may be a Rhai array.
    Slot {
        slot: usize,
        counted: [Position; 2],
        /// Whether the body does not know it: then it is lent instead of copied.
        lent: bool,
    },
    /// `from..to` and `from..=to`.
    Range {
        from: Part,
        to: Part,
        inclusive: bool,
    },
}

/// The loop without what it goes through.
struct Loop {
    counter: bool,
    body: Block,
    /// Where an empty body counts.
    empty: Option<Position>,
}

pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    statement: &Stmt,
    each: &(Ident, Option<Ident>, FlowControl),
    at: Position,
) -> Result<Code, Refused> {
    let (variable, counter, control) = each;
    let Some(over) = over(compiler, control, at) else {
        return Ok(compiler.left(statement));
    };
    let outside = compiler.locals.len();
    if let Some(counter) = counter {
        compiler.locals.push(&counter.name);
    }
    compiler.locals.push(&variable.name);
    let own = compiler.locals[outside..].iter().all(|local| local.own);
    if !own {
        compiler.locals.rewind(outside);
        return Ok(compiler.left(statement));
    }
    let body = compiler.block(control.body.statements());
    compiler.locals.rewind(outside);
    let whole = compiler.whole(statement);
    let body = Loop {
        counter: counter.is_some(),
        body: body?,
        empty: control.body.is_empty().then(|| control.body.position()),
    };
    Ok(Box::new(move |frame| {
        if let Over::Value(part) = &over
            && let Some((doc, array)) = part.array(frame)
        {
            let result = body.run_json(&doc, array, frame);
            frame.slots.truncate(outside);
            return result;
        }
        if let Over::Slot { slot, counted, .. } = &over
            && let Some(Value::Parts(parts)) = frame.slots.get(*slot)
            && meter::ticks(counted.len() as u64)
        {
            let parts = parts.clone();
            let result = body.run_parts(&parts, frame);
            frame.slots.truncate(outside);
            return result;
        }
        let counted = meter::operations();
        let result = match over.begin(frame) {
            Ok(mut steps) => {
                let result = body.run_with(frame, |place| steps.next(place));
                steps.give_back(frame);
                result
            }
            Err(Exit::Unsure) => {
                meter::recount(counted);
                return whole.run(frame);
            }
            Err(other) => Err(other),
        };
        frame.slots.truncate(outside);
        result
    }))
}

fn over(compiler: &mut Compiler<'_>, control: &FlowControl, at: Position) -> Option<Over> {
    let expression = &control.expr;
    if let Expr::FnCall(call, here) = expression
        && let [from, to] = &*call.args
        && let Some(token @ (Token::ExclusiveRange | Token::InclusiveRange)) = &call.op_token
    {
        compiler.pure(from)?;
        compiler.pure(to)?;
        return Some(Over::Range {
            from: compiler.part(from, vec![at, *here]),
            to: compiler.part(to, Vec::new()),
            inclusive: matches!(token, Token::InclusiveRange),
        });
    }
    if let Some(slot) = compiler.locals.slot(expression) {
        return Some(Over::Slot {
            slot,
            counted: [at, expression.position()],
            lent: !is_mentioned(expression, &control.body),
        });
    }
    compiler.pure(expression)?;
    Some(Over::Value(compiler.part(expression, vec![at])))
}

/// Whether statements mention the variable.
fn is_mentioned(variable: &Expr, body: &StmtBlock) -> bool {
    let Expr::Variable(variable, ..) = variable else {
        return true;
    };
    let mut mentioned = false;
    walk(body.statements(), &mut |path| {
        mentions(path, &mut |name| mentioned |= name == variable.1.as_str());
    });
    mentioned
}

/// The values to go through.
enum Steps {
    /// A variable's array, and how far it has been read.
    Lent {
        slot: usize,
        array: Dynamic,
        read: usize,
    },
    Json(crate::script::json::Elements),
    /// And where the next begins.
    Parts(Parts, Option<u32>),
    Array(std::vec::IntoIter<Dynamic>),
    Ints(INT, INT),
    Inclusive(RangeInclusive<INT>),
}

impl Over {
    fn begin(&self, frame: &mut Frame<'_>) -> Outcome<Steps> {
        match self {
            Self::Value(part) => match part.sure(frame)? {
                Value::Array(array) => Ok(Steps::Json(array.into_iter())),
                Value::Parts(parts) => Ok(Steps::parts(parts)),
                Value::Other(array) => steps(array),
                _ => Err(Exit::Unsure),
            },
            Self::Slot {
                slot,
                counted,
                lent,
            } => {
                ticks(counted)?;
                match frame.slots.get_mut(*slot) {
                    Some(Value::Array(array)) => Ok(Steps::Json(array.clone().into_iter())),
                    Some(Value::Parts(parts)) => Ok(Steps::parts(parts.clone())),
                    Some(Value::Other(array)) if *lent && array.is_array() => Ok(Steps::Lent {
                        slot: *slot,
                        array: array.take(),
                        read: 0,
                    }),
                    Some(Value::Other(over)) => steps(over.clone()),
                    _ => Err(Exit::Unsure),
                }
            }
            Self::Range {
                from,
                to,
                inclusive,
            } => match (from.sure(frame)?, to.sure(frame)?) {
                (Value::Int(from), Value::Int(to)) if *inclusive => Ok(Steps::Inclusive(from..=to)),
                (Value::Int(from), Value::Int(to)) => Ok(Steps::Ints(from, to)),
                _ => Err(Exit::Unsure),
            },
        }
    }
}

fn steps(over: Dynamic) -> Outcome<Steps> {
    if let Some(range) = over.read_lock::<Range<INT>>() {
        return Ok(Steps::Ints(range.start, range.end));
    }
    if let Some(range) = over.read_lock::<RangeInclusive<INT>>() {
        return Ok(Steps::Inclusive(range.clone()));
    }
    match over.try_cast::<Array>() {
        Some(array) => Ok(Steps::Array(array.into_iter())),
        None => Err(Exit::Unsure),
    }
}

impl Steps {
    fn parts(parts: Parts) -> Self {
        let begin = parts.begin();
        Self::Parts(parts, Some(begin))
    }

    /// Puts a lent array back in its place.
    fn give_back(self, frame: &mut Frame<'_>) {
        if let Self::Lent { slot, array, .. } = self
            && let Some(place) = frame.slots.get_mut(slot)
        {
            *place = Value::Other(array);
        }
    }
}

impl Steps {
    /// Puts the next value in its place; `false` after the last.
    #[inline]
    fn next(&mut self, place: &mut Value) -> bool {
        match self {
            Self::Json(elements) => {
                let put = |doc: &Rc<Doc>, node| place.become_node(doc, node);
                elements.next_with(put).is_some()
            }
            Self::Parts(parts, next) => next_part(parts, next, place),
            Self::Lent { array, read, .. } => {
                let array = array.read_lock::<Array>();
                let Some(value) = array.as_ref().and_then(|array| array.get(*read)) else {
                    return false;
                };
                *read += 1;
                place.become_copy(value);
                true
            }
            Self::Array(array) => match array.next() {
                Some(value) => {
                    *place = Value::of(value.flatten());
                    true
                }
                None => false,
            },
            Self::Ints(from, to) => {
                let more = *from < *to;
                if more {
                    *place = Value::Int(*from);
                    *from += 1;
                }
                more
            }
            Self::Inclusive(range) => match range.next() {
                Some(number) => {
                    *place = Value::Int(number);
                    true
                }
                None => false,
            },
        }
    }
}

#[inline]
fn next_part(parts: &Parts, next: &mut Option<u32>, place: &mut Value) -> bool {
    let Some(start) = *next else {
        return false;
    };
    let (end, following) = parts.end(start);
    *next = following;
    place.become_part(parts.doc(), start, end);
    true
}

impl Loop {
    /// Over the parts of a string.
    fn run_parts(&self, parts: &Parts, frame: &mut Frame<'_>) -> Outcome {
        let mut next = Some(parts.begin());
        self.run_with(frame, |place| next_part(parts, &mut next, place))
    }

    /// Over an array of a JSON text.
    fn run_json(&self, doc: &Rc<Doc>, array: u32, frame: &mut Frame<'_>) -> Outcome {
        let (mut left, mut node) = (doc.node(array).len, array + 1);
        self.run_with(frame, |place| {
            let more = left > 0;
            if more {
                left -= 1;
                place.become_node(doc, node);
                node = doc.node(node).next;
            }
            more
        })
    }

    /// `next` puts the next value in its place; `false` after the last.
    #[inline(always)]
    fn run_with(&self, frame: &mut Frame<'_>, mut next: impl FnMut(&mut Value) -> bool) -> Outcome {
        let variables = frame.slots.len();
        if let Some(empty) = self.empty {
            let mut unread = Value::Unit;
            while next(&mut unread) {
                tick(empty)?;
            }
            return Ok(Value::Unit);
        }
        if self.counter {
            frame.push(Value::Int(0));
        }
        frame.push(Value::Unit);
        let own = variables + usize::from(self.counter);
        let mut count = 0;
        while frame.slots.get_mut(own).is_some_and(&mut next) {
            if self.counter
                && let Some(counter) = frame.slots.get_mut(variables)
            {
                *counter = Value::Int(count);
                count += 1;
            }
            match self.body.run_for_effect(frame) {
                Ok(()) | Err(Exit::Continue) => {}
                Err(Exit::Break) => return Ok(std::mem::take(&mut frame.carried)),
                Err(other) => return Err(other),
            }
        }
        Ok(Value::Unit)
    }
}
