//! `switch`.
//!
//! Of the values of its cases Rhai's tree keeps but the hashes. Which of them a value selects is asked of
//! the interpreter, by a `switch` with the same hashes whose cases tell their numbers, and the answer is
//! kept for the next time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use rhai::{BinaryExpr, Expr, INT, Position, RangeCase, Stmt, StmtBlock, SwitchCasesCollection};

use super::Compiler;
use crate::script::compiled::expressions::part::Part;
use crate::script::compiled::run::frame::{Code, Frame, Outcome};
use crate::script::compiled::run::over::{self, Place};
use crate::script::compiled::run::value::Value;
use crate::script::meter;

/// What stands for the value that is asked about.
const ASKED: &str = "0";

/// See the module.
struct Switch {
    value: Part,
    selection: Option<Selection>,
    cases: Vec<Case>,
    ranges: Vec<RangeCase>,
    default: Option<usize>,
}

/// What follows a value or range.
struct Case {
    condition: Condition,
    then: Part,
}

enum Condition {
    Fixed(bool),
    Asked(Part, Position),
}

pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    (value, collection): &(Expr, SwitchCasesCollection),
    at: Position,
) -> Code {
    let value = compiler.part(value, vec![at]);
    let cases = collection.expressions.iter();
    let switch = Switch {
        value,
        cases: cases.map(|case| Case::new(compiler, case)).collect(),
        selection: Selection::new(collection, at),
        ranges: collection.ranges.to_vec(),
        default: collection.def_case,
    };
    Box::new(move |frame| switch.run(frame))
}

impl Case {
    fn new(compiler: &mut Compiler<'_>, case: &BinaryExpr) -> Self {
        Self {
            condition: match &case.lhs {
                Expr::BoolConstant(holds, _) => Condition::Fixed(*holds),
                asked => Condition::Asked(compiler.part(asked, Vec::new()), asked.position()),
            },
            then: compiler.part(&case.rhs, Vec::new()),
        }
    }

    fn holds(&self, frame: &mut Frame<'_>) -> Outcome<bool> {
        match &self.condition {
            Condition::Fixed(holds) => Ok(*holds),
            Condition::Asked(part, at) => part.flag(*at, frame),
        }
    }
}

impl Switch {
    fn run(&self, frame: &mut Frame<'_>) -> Outcome {
        let value = self.value.value(frame)?.flatten().plain();
        let selected = match &self.selection {
            Some(selection) => selection.of(&value, frame),
            None => &[],
        };
        for index in selected {
            if let Some(case) = self.holding(*index, frame)? {
                return case.then.value(frame);
            }
        }
        for range in self.ranges.iter().filter(|range| contains(range, &value)) {
            if let Some(case) = self.holding(range.index(), frame)? {
                return case.then.value(frame);
            }
        }
        match self.default.and_then(|index| self.cases.get(index)) {
            Some(case) => case.then.value(frame),
            None => Ok(Value::Unit),
        }
    }

    /// The case, if its condition holds.
    fn holding(&self, index: usize, frame: &mut Frame<'_>) -> Outcome<Option<&Case>> {
        let Some(case) = self.cases.get(index) else {
            return Ok(None);
        };
        Ok(case.holds(frame)?.then_some(case))
    }
}

fn contains(range: &RangeCase, value: &Value) -> bool {
    match value {
        Value::Int(number) => range.contains_int(*number),
        Value::Float(number, _) => range.contains_float(*number),
        Value::Other(value) => range.contains(value),
        _ => false,
    }
}

/// Which cases a value selects.
struct Selection {
    /// The `switch` that tells the number of the cases.
    asked: Expr,
    /// By that number.
    cases: Vec<Vec<usize>>,
    known: RefCell<Memory>,
}

/// A number of [`Selection::cases`], if the value selects any.
type Selected = Option<usize>;

impl Selection {
    /// `None` where there is no case but ranges and the default one.
    fn new(collection: &SwitchCasesCollection, at: Position) -> Option<Self> {
        if collection.cases.is_empty() {
            return None;
        }
        let mut telling = collection.clone();
        telling.ranges.clear();
        telling.def_case = None;
        telling.expressions.clear();
        let mut cases = Vec::new();
        for list in telling.cases.values_mut() {
            let number = cases.len();
            cases.push(std::mem::take(&mut list.blocks).to_vec());
            list.blocks.push(number);
            telling.expressions.push(BinaryExpr {
                lhs: Expr::BoolConstant(true, at),
                rhs: Expr::IntegerConstant(number as INT, at),
            });
        }
        let switch = Stmt::Switch(Box::new((over::variable(ASKED, at), telling)), at);
        let block = StmtBlock::new([switch], at, Position::NONE);
        Some(Self {
            asked: Expr::Stmt(Box::new(block)),
            cases,
            known: RefCell::default(),
        })
    }

    /// The cases that a value selects.
    fn of(&self, value: &Value, frame: &mut Frame<'_>) -> &[usize] {
        let known = self.known.borrow().get(value);
        let selected = known.unwrap_or_else(|| {
            let selected = self.ask(value, frame);
            self.known.borrow_mut().keep(value, selected);
            selected
        });
        let cases = selected.and_then(|number| self.cases.get(number));
        cases.map(Vec::as_slice).unwrap_or_default()
    }

    /// The interpreter's answer, which is no part of what the script does and not measured as such.
    #[cold]
    fn ask(&self, value: &Value, frame: &mut Frame<'_>) -> Selected {
        let mut value = value.clone().into_dynamic();
        let number = meter::apart(|| {
            meter::begin(u64::MAX, usize::MAX, Duration::MAX);
            let place = Place {
                name: ASKED,
                value: &mut value,
            };
            let number = over::run(frame, None, &self.asked, 0, Some(place));
            meter::end();
            number
        });
        usize::try_from(number.ok()?.as_int().ok()?).ok()
    }
}

/// The answers for some values. It forgets them all before they become too many.
#[derive(Default)]
struct Memory {
    simple: HashMap<Simple, Selected>,
    texts: HashMap<Box<str>, Selected>,
}

/// A value without a text.
#[derive(PartialEq, Eq, Hash)]
enum Simple {
    Unit,
    Bool(bool),
    Int(INT),
    /// The bits of a float.
    Float(u64),
}

/// So many values of either kind.
const MOST: usize = 64;
/// No longer texts.
const LONGEST: usize = 64;

impl Memory {
    /// What is known of a value, if anything is.
    fn get(&self, value: &Value) -> Option<Selected> {
        match simple(value) {
            Some(simple) => self.simple.get(&simple).copied(),
            None => value.with_text(|text| self.texts.get(text).copied())?,
        }
    }

    fn keep(&mut self, value: &Value, selected: Selected) {
        if let Some(simple) = simple(value) {
            if self.simple.len() >= MOST {
                self.simple.clear();
            }
            self.simple.insert(simple, selected);
            return;
        }
        value.with_text(|text| {
            if text.len() > LONGEST {
                return;
            }
            if self.texts.len() >= MOST {
                self.texts.clear();
            }
            self.texts.insert(text.into(), selected);
        });
    }
}

fn simple(value: &Value) -> Option<Simple> {
    Some(match value {
        Value::Unit => Simple::Unit,
        Value::Bool(flag) => Simple::Bool(*flag),
        Value::Int(number) => Simple::Int(*number),
        Value::Float(number, _) => Simple::Float(number.to_bits()),
        _ => return None,
    })
}
