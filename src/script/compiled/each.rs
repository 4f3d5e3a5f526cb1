//! `for`: over arrays of a JSON text, Rhai's arrays, ranges of whole numbers and the characters of a text.
//! Anything else the interpreter goes through, once what it is has been evaluated.

use std::ops::{Range, RangeInclusive};

use rhai::{
    Array, Dynamic, Expr, FlowControl, INT, Ident, ImmutableString, Position, Stmt, StmtBlock,
    Token,
};

use super::effect::by_function;
use super::frame::{Code, Exit, Frame, Outcome, tick, ticks_exactly};
use super::interpreted::{Interpreted, mentions};
use super::locals::walk;
use super::native::Native;
use super::over;
use super::part::Part;
use super::statements::{Block, Compiler, Refused};
use super::value::Value;

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
    /// `from..to` and `from..=to`.
    Range {
        from: Part,
        to: Part,
        inclusive: bool,
        /// For what are no whole numbers.
        made: Native,
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
        let mut steps = match over.begin(frame)? {
            Begun::Steps(steps) => steps,
            // The `for` and the value were counted.
            Begun::Other(value) => return rest.run_given(value, 2, frame),
        };
        let result = body.run(&mut steps, frame);
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
        return Over::Range {
            from: compiler.argument(from, vec![at, *here]),
            to: compiler.argument(to, Vec::new()),
            inclusive: matches!(token, Token::InclusiveRange),
            made: Native::new(call, *here),
        };
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
                    Some(Value::Other(array)) if *lent && array.is_array() => {
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
            Self::Range {
                from,
                to,
                inclusive,
                made,
            } => {
                let from = from.value(frame)?.flatten();
                let to = to.value(frame)?.flatten();
                Ok(match (from, to) {
                    (Value::Int(from), Value::Int(to)) if *inclusive => {
                        Begun::Steps(Steps::Inclusive(from..=to))
                    }
                    (Value::Int(from), Value::Int(to)) => Begun::Steps(Steps::Ints(from, to)),
                    (from, to) => Begun::of(by_function(made, frame, [from, to])?),
                })
            }
        }
    }
}

impl Begun {
    fn of(value: Value) -> Self {
        Self::Steps(match value {
            Value::Array(array) => Steps::Json(array.into_iter()),
            Value::Text(text) => Steps::Characters(text, 0),
            Value::Piece(..) => return Self::of(Value::of(value.into_dynamic())),
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
    /// Puts a lent array back in its place.
    fn give_back(self, frame: &mut Frame<'_>) {
        if let Self::Lent { slot, array, .. } = self
            && let Some(place) = frame.slots.get_mut(slot)
        {
            *place = Value::Other(array);
        }
    }
}

impl Iterator for Steps {
    type Item = Value;

    #[inline]
    fn next(&mut self) -> Option<Value> {
        match self {
            Self::Json(elements) => elements.next_with(Value::node),
            Self::Lent { array, read, .. } => {
                let array = array.read_lock::<Array>()?;
                let value = array.get(*read)?.clone();
                *read += 1;
                Some(Value::of(value.flatten()))
            }
            Self::Array(array) => array.next().map(|value| Value::of(value.flatten())),
            Self::Ints(from, to) => {
                let next = (*from < *to).then_some(Value::Int(*from))?;
                *from += 1;
                Some(next)
            }
            Self::Inclusive(range) => range.next().map(Value::Int),
            Self::Characters(text, read) => {
                let character = text.get(*read..)?.chars().next()?;
                *read += character.len_utf8();
                Some(Value::Other(character.into()))
            }
        }
    }
}

impl Loop {
    fn run(&self, steps: &mut Steps, frame: &mut Frame<'_>) -> Outcome {
        let variables = frame.slots.len();
        if let Some(empty) = self.empty {
            for _ in steps {
                tick(empty)?;
            }
            return Ok(Value::Unit);
        }
        if self.counter {
            frame.slots.push(Value::Int(0));
        }
        frame.slots.push(Value::Unit);
        for (count, value) in steps.enumerate() {
            if self.counter {
                put(frame, variables, Value::Int(count as INT));
            }
            put(frame, variables + usize::from(self.counter), value);
            match self.body.run(frame) {
                Ok(_) | Err(Exit::Continue) => {}
                Err(Exit::Break) => return Ok(std::mem::take(&mut frame.carried)),
                Err(other) => return Err(other),
            }
        }
        Ok(Value::Unit)
    }
}

#[inline]
fn put(frame: &mut Frame<'_>, slot: usize, value: Value) {
    if let Some(place) = frame.slots.get_mut(slot) {
        *place = value;
    }
}
