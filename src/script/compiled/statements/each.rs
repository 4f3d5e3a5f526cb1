//! `for`: over arrays of a JSON text, Rhai's arrays, ranges of whole numbers and the characters of a text.
//! Anything else the interpreter goes through, once what it is has been evaluated.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use rhai::{
    Array, Dynamic, Expr, FlowControl, INT, Ident, ImmutableString, Position, Stmt, StmtBlock,
    Token,
};

use super::{Block, Compiler, Refused};
use crate::script::compiled::calls::native::Native;
use crate::script::compiled::expressions::effect::by_function;
use crate::script::compiled::expressions::part::Part;
use crate::script::compiled::run::frame::{Code, Exit, Frame, Outcome, tick, ticks_exactly};
use crate::script::compiled::run::interpreted::{Interpreted, mentions};
use crate::script::compiled::run::locals::walk;
use crate::script::compiled::run::over;
use crate::script::compiled::run::parts::Parts;
use crate::script::compiled::run::value::Value;
use crate::script::json::Doc;
use crate::script::meter;

/// What is gone through.
enum Over {
    Value(Part),
    /// A variable.
    Slot {
        slot: usize,
        counted: [Position; 2],
        /// Whether the body does not know it: then it is lent instead of copied.
        lent: bool,
    },
    Bounds(Box<Bounds>),
}

/// `from..to` and `from..=to`.
struct Bounds {
    from: Part,
    to: Part,
    inclusive: bool,
    /// For what are no whole numbers.
    made: Native,
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
    let (_, counter, control) = each;
    let outside = compiler.locals.len();
    declare(compiler, each);
    let own = compiler.locals[outside..].iter().all(|local| local.own);
    compiler.locals.rewind(outside);
    if !own {
        return Ok(compiler.left(statement));
    }
    let over = over(compiler, control, at);
    declare(compiler, each);
    let body = compiler.block(control.body.statements());
    compiler.locals.rewind(outside);
    let body = Loop {
        counter: counter.is_some(),
        body: body?,
        empty: control.body.is_empty().then(|| control.body.position()),
    };
    let rest = rest(compiler, each, at);
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
        let mut steps = match over.begin(frame)? {
            Begun::Steps(steps) => steps,
            // The `for` and the value were counted.
            Begun::Other(value) => return rest.run_given(value, 2, frame),
        };
        let result = body.run_with(frame, |place| steps.next(place));
        steps.give_back(frame);
        frame.slots.truncate(outside);
        result
    }))
}

/// The loop's variables.
fn declare(
    compiler: &mut Compiler<'_>,
    (variable, counter, _): &(Ident, Option<Ident>, FlowControl),
) {
    if let Some(counter) = counter {
        compiler.locals.push(&counter.name);
    }
    compiler.locals.push(&variable.name);
}

/// The loop for the interpreter, through a value that is there.
fn rest(
    compiler: &Compiler<'_>,
    each: &(Ident, Option<Ident>, FlowControl),
    at: Position,
) -> Interpreted {
    let mut each = each.clone();
    each.2.expr = over::given(each.2.expr.start_position());
    Interpreted::of_given(&Stmt::For(Box::new(each), at), &compiler.locals)
}

fn over(compiler: &mut Compiler<'_>, control: &FlowControl, at: Position) -> Over {
    let expression = &control.expr;
    if let Expr::FnCall(call, here) = expression
        && let [from, to] = &*call.args
        && let Some(token @ (Token::ExclusiveRange | Token::InclusiveRange)) = &call.op_token
    {
        return Over::Bounds(Box::new(Bounds {
            from: compiler.argument(from, vec![at, *here]),
            to: compiler.argument(to, Vec::new()),
            inclusive: matches!(token, Token::InclusiveRange),
            made: Native::new(call, *here),
        }));
    }
    if let Some(slot) = compiler.locals.slot(expression) {
        return Over::Slot {
            slot,
            counted: [at, expression.position()],
            lent: !is_mentioned(expression, &control.body),
        };
    }
    Over::Value(compiler.part(expression, vec![at]))
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
    /// A text, and how far it has been read.
    Characters(ImmutableString, usize),
}

/// What a loop begins with.
enum Begun {
    Steps(Steps),
    /// A value that only the interpreter can go through, if anything can.
    Other(Value),
}

impl Over {
    fn begin(&self, frame: &mut Frame<'_>) -> Outcome<Begun> {
        match self {
            Self::Value(part) => Ok(Begun::of(part.value(frame)?.flatten())),
            Self::Slot {
                slot,
                counted,
                lent,
            } => {
                ticks_exactly(counted)?;
                Ok(match frame.slots.get_mut(*slot) {
                    Some(Value::Other(array))
                        if *lent && array.is_array() && !array.is_shared() =>
                    {
                        Begun::Steps(Steps::Lent {
                            slot: *slot,
                            array: array.take(),
                            read: 0,
                        })
                    }
                    Some(value) => Begun::of(value.clone()),
                    None => Begun::Other(Value::Unit),
                })
            }
            Self::Bounds(bounds) => bounds.begin(frame),
        }
    }
}

impl Bounds {
    fn begin(&self, frame: &mut Frame<'_>) -> Outcome<Begun> {
        let from = self.from.value(frame)?.flatten();
        let to = self.to.value(frame)?.flatten();
        Ok(match (from, to) {
            (Value::Int(from), Value::Int(to)) if self.inclusive => {
                Begun::Steps(Steps::Inclusive(from..=to))
            }
            (Value::Int(from), Value::Int(to)) => Begun::Steps(Steps::Ints(from, to)),
            (from, to) => Begun::of(by_function(&self.made, frame, [from, to])?),
        })
    }
}

impl Begun {
    fn of(value: Value) -> Self {
        Self::Steps(match value {
            Value::Array(array) => Steps::Json(array.into_iter()),
            Value::Text(text) => Steps::Characters(text, 0),
            Value::Parts(parts) => Steps::parts(parts),
            Value::Piece(..) | Value::Part(..) => return Self::of(Value::of(value.into_dynamic())),
            Value::Other(other) => return Self::of_other(other),
            value => return Self::Other(value),
        })
    }

    fn of_other(value: Dynamic) -> Self {
        if let Some(range) = value.read_lock::<Range<INT>>() {
            return Self::Steps(Steps::Ints(range.start, range.end));
        }
        if let Some(range) = value.read_lock::<RangeInclusive<INT>>() {
            return Self::Steps(Steps::Inclusive(range.clone()));
        }
        match value.try_cast_result::<Array>() {
            Ok(array) => Self::Steps(Steps::Array(array.into_iter())),
            Err(value) => Self::Other(Value::of(value)),
        }
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
            Self::Characters(text, read) => {
                let rest = text.get(*read..).unwrap_or_default();
                let Some(character) = rest.chars().next() else {
                    return false;
                };
                *read += character.len_utf8();
                *place = Value::Other(character.into());
                true
            }
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
