//! The short way of expressions whose operations are known beforehand: counted at once, and worked out
//! in registers.
//!
//! It has no effects and tells no errors. Where it gives [`Scalar::Unsure`], nothing was counted, and the
//! same is done the longer way, which counts one by one.

use rhai::{Expr, ImmutableString, Position};

use super::operators::{Comparison, Rule};
use super::pure::{Place, Pure, Rest, compile_all};
use crate::script::compiled::run::frame::{Exit, Frame, Outcome, tick, ticks};
use crate::script::compiled::run::scalar::{Quick, Scalar};
use crate::script::compiled::run::value::Value;
use crate::script::meter;

/// An operator with two operands.
pub(crate) struct Binary {
    left: Rest,
    /// What is counted between the operands.
    between: Vec<Position>,
    right: Rest,
    /// And after both.
    after: Option<Position>,
    rule: Rule,
    how: How,
    longest: usize,
    /// How many operations it is, if that is known.
    pub cost: Option<usize>,
}

/// The short way of it.
enum How {
    Scalars(Quick),
    /// A comparison with a text.
    Text(Comparison, ImmutableString),
    /// `+`, of numbers or of texts.
    Sum(Quick),
}

/// What an operator does.
pub(super) struct Rules {
    pub any: Rule,
    pub quick: Quick,
    pub comparison: Option<Comparison>,
    /// Whether it can put texts together.
    pub joins: bool,
}

impl Binary {
    /// The operands from left to right, then the rule; `call` is where a function's call counts.
    pub(super) fn new(
        rules: Rules,
        longest: usize,
        left: Rest,
        right: Pure,
        call: Option<Position>,
    ) -> Self {
        let (mut between, mut after) = (right.lead, call);
        if matches!(right.rest, Rest::Constant(_)) {
            // Nothing happens between the operations of a constant and of the call.
            between.extend(after.take());
        }
        let own = between.len() + usize::from(after.is_some());
        let cost = left.cost().zip(right.rest.cost());
        let how = match (&right.rest, rules.comparison) {
            (Rest::Constant(Value::Text(text)), Some(comparison)) => {
                How::Text(comparison, text.clone())
            }
            _ if rules.joins => How::Sum(rules.quick),
            _ => How::Scalars(rules.quick),
        };
        Self {
            left,
            between,
            right: right.rest,
            after,
            rule: rules.any,
            how,
            longest,
            cost: cost.map(|(left, right)| left + own + right),
        }
    }

    /// What it is, without counting.
    fn scalar(&self, frame: &Frame<'_>) -> Scalar {
        match &self.how {
            How::Scalars(quick) | How::Sum(quick) => match self.left.scalar(frame) {
                Scalar::Unsure => Scalar::Unsure,
                left => quick(left, self.right.scalar(frame)),
            },
            How::Text(comparison, text) => self.left.against(*comparison, text, frame),
        }
    }

    pub(super) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        if self.cost.is_some() {
            let quick = known(self.cost, 0, || self.scalar(frame));
            if let Some(value) = quick.value() {
                return Ok(value);
            }
        }
        let left = self.left.value(frame)?;
        ticks(&self.between)?;
        if let Rest::Constant(right) = &self.right {
            return (self.rule)(&left, right, self.longest).ok_or(Exit::Unsure);
        }
        let right = self.right.value(frame)?;
        if let Some(after) = self.after {
            tick(after)?;
        }
        (self.rule)(&left, &right, self.longest).ok_or(Exit::Unsure)
    }
}

/// `&&` and `||` of parts that have a short way.
pub(crate) struct Logic {
    parts: Vec<Pure>,
    /// The flag that ends it.
    ends: bool,
}

impl Logic {
    /// `None` where a part has no short way.
    pub(super) fn of(parts: &[Expr], ends: bool, place: &Place<'_>) -> Option<Self> {
        let parts = compile_all(parts, place)?;
        let quick = |part: &Pure| part.rest.cost().is_some() || matches!(part.rest, Rest::Logic(_));
        parts.iter().all(quick).then_some(Self { parts, ends })
    }

    fn flag(&self, frame: &Frame<'_>) -> Scalar {
        for part in &self.parts {
            match part.rest.quick(part.lead.len(), frame) {
                Scalar::Bool(flag) if (flag != 0) == self.ends => return Scalar::bool(self.ends),
                Scalar::Bool(_) => {}
                _ => return Scalar::Unsure,
            }
        }
        Scalar::bool(!self.ends)
    }

    pub(super) fn value(&self, frame: &mut Frame<'_>) -> Outcome {
        for part in &self.parts {
            ticks(&part.lead)?;
            match part.rest.value(frame)? {
                Value::Bool(flag) if flag == self.ends => return Ok(Value::Bool(flag)),
                Value::Bool(_) => {}
                _ => return Err(Exit::Unsure),
            }
        }
        Ok(Value::Bool(!self.ends))
    }
}

/// Counts `cost` operations after `before` others, and asks for the scalar.
#[inline(always)]
pub(super) fn known(cost: Option<usize>, before: usize, scalar: impl FnOnce() -> Scalar) -> Scalar {
    let Some(cost) = cost else {
        return Scalar::Unsure;
    };
    let Some(counted) = Counted::at_once(before + cost) else {
        return Scalar::Unsure;
    };
    match scalar() {
        Scalar::Unsure => counted.take_back(),
        // A look at many members is charged, and may have to end the call in the middle.
        _ if counted.is_off() => counted.take_back(),
        scalar => return scalar,
    }
    Scalar::Unsure
}

/// The same for what is no scalar.
#[inline(always)]
pub(crate) fn found<T>(
    cost: Option<usize>,
    before: usize,
    find: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let counted = Counted::at_once(before + cost?)?;
    let found = find().filter(|_| !counted.is_off());
    if found.is_none() {
        counted.take_back();
    }
    found
}

/// Operations that were counted at once.
pub(crate) struct Counted {
    before: u64,
    after: u64,
}

impl Counted {
    /// `None`, with nothing counted, where one of them would have to look up.
    #[inline(always)]
    pub(crate) fn at_once(operations: usize) -> Option<Self> {
        let before = meter::operations();
        meter::ticks(operations as u64).then_some(Self {
            before,
            after: before + operations as u64,
        })
    }

    /// Whether others were counted since.
    #[inline(always)]
    pub(crate) fn is_off(&self) -> bool {
        meter::operations() != self.after
    }

    #[inline(always)]
    pub(crate) fn take_back(&self) {
        meter::recount(self.before);
    }
}

impl Rest {
    /// How many operations the short way takes, if there is one.
    pub(crate) fn cost(&self) -> Option<usize> {
        match self {
            Self::Constant(_) | Self::Slot(_) | Self::Field(_) => Some(0),
            Self::Reach(reach) => reach.cost,
            Self::Binary(binary) => binary.cost,
            Self::Unary(_, operand) => operand.cost(),
            Self::Json(_) | Self::Logic(_) | Self::Code(_) => None,
        }
    }

    /// The scalar, after `before` operations and its own.
    #[inline]
    pub(crate) fn quick(&self, before: usize, frame: &Frame<'_>) -> Scalar {
        match self {
            Self::Logic(logic) => {
                let Some(counted) = Counted::at_once(before) else {
                    return Scalar::Unsure;
                };
                let flag = logic.flag(frame);
                if matches!(flag, Scalar::Unsure) {
                    counted.take_back();
                }
                flag
            }
            Self::Binary(binary) => known(binary.cost, before, || binary.scalar(frame)),
            other => known(other.cost(), before, || other.scalar(frame)),
        }
    }

    /// The same for what has been calculated: anything else may be more than its scalar.
    #[inline]
    pub(super) fn calculated(&self, before: usize, frame: &Frame<'_>) -> Scalar {
        match self {
            Self::Binary(_) | Self::Unary(..) | Self::Logic(_) => self.quick(before, frame),
            _ => Scalar::Unsure,
        }
    }

    /// What it is, without counting.
    fn scalar(&self, frame: &Frame<'_>) -> Scalar {
        match self {
            Self::Constant(value) => Scalar::of(value),
            Self::Slot(slot) => frame.slots.get(*slot).map_or(Scalar::Unsure, Scalar::of),
            Self::Field(field) => field.scalar(frame),
            Self::Reach(reach) => reach.scalar(frame),
            Self::Binary(binary) => binary.scalar(frame),
            Self::Unary(rule, operand) => rule(operand.scalar(frame)),
            Self::Json(_) | Self::Logic(_) | Self::Code(_) => Scalar::Unsure,
        }
    }

    /// It compared with a text, without counting.
    fn against(&self, comparison: Comparison, text: &str, frame: &Frame<'_>) -> Scalar {
        match self {
            Self::Slot(slot) => match frame.slots.get(*slot) {
                Some(value) => value.against(comparison, text),
                None => Scalar::Unsure,
            },
            Self::Field(field) => field.against(comparison, text, frame),
            Self::Reach(reach) => reach.against(comparison, text, frame),
            other => comparison.of_text_and(other.scalar(frame)),
        }
    }

    /// Appends the text that it is, without counting; `false` where it is none or a longer way is needed.
    pub(crate) fn append(&self, out: &mut Vec<u8>, frame: &Frame<'_>) -> bool {
        let put = |text: &str| out.extend_from_slice(text.as_bytes());
        match self {
            Self::Constant(value) => value.with_text(put).is_some(),
            Self::Slot(slot) => {
                let value = frame.slots.get(*slot);
                value.and_then(|value| value.with_text(put)).is_some()
            }
            Self::Field(field) => field.with_text(frame, put).is_some(),
            Self::Reach(reach) => reach.append(out, frame),
            Self::Binary(binary) if matches!(binary.how, How::Sum(_)) => {
                let start = out.len();
                binary.left.append(out, frame)
                    && binary.right.append(out, frame)
                    && out.len() - start <= binary.longest
            }
            _ => false,
        }
    }
}
