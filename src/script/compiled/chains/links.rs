//! Chains of fields, indexes and methods whose arguments are values that are there: what Rhai does of
//! such a chain before it looks at the first value, and the rest of it by the interpreter.
//!
//! Rhai evaluates all arguments of a chain first, then its first value, and goes from left to right
//! (`eval/chaining.rs`).

use std::cell::RefCell;

use rhai::{ASTFlags, BinaryExpr, Dynamic, EvalAltResult, Expr, Position, Stmt, StmtBlock};
use smallvec::SmallVec;

use crate::script::compiled::expressions::part::Part;
use crate::script::compiled::run::frame::{Frame, Outcome, ticks_exactly};
use crate::script::compiled::run::over::{self, Place};
use crate::script::compiled::statements::Compiler;

/// The values of a chain's arguments.
pub(crate) type Values = SmallVec<[Dynamic; 3]>;

/// The arguments of a chain, in the order in which Rhai evaluates them, and what a chain begins with.
pub(crate) struct Links {
    arguments: Vec<Part>,
    /// What is counted after them, with the variable that the chain begins with.
    after: Box<[Position]>,
    pub root: Root,
    /// How often the same chain counts before its first link, if its arguments are constants.
    counted: usize,
    /// Whether it is but one index that is a literal, which is no argument.
    literal: bool,
    /// Of the variable that it begins with.
    name: String,
}

/// What a chain begins with.
pub(crate) enum Root {
    Slot(usize),
    /// The message, in this slot.
    Message(usize),
    Value(Part),
}

impl Links {
    /// Those of `chain` after the operations at `before`; `None` for a chain that is not in the subset.
    pub(crate) fn new(
        compiler: &mut Compiler<'_>,
        chain: &Expr,
        mut before: Vec<Position>,
    ) -> Option<Self> {
        let (Expr::Dot(first, ..) | Expr::Index(first, ..)) = chain else {
            return None;
        };
        let variable = match &first.lhs {
            variable if compiler.locals.is_message(variable) => {
                Some(Root::Message(compiler.locals.place(variable)?))
            }
            constant if compiler.is_constant(constant) => None,
            variable @ Expr::Variable(..) => Some(Root::Slot(compiler.locals.slot(variable)?)),
            Expr::ThisPtr(_) => return None,
            _ => None,
        };
        // The outside and the first value.
        let mut counted = 2;
        let mut arguments = Vec::new();
        let mut parent = chain;
        let (mut alone, mut only_literal) = (true, false);
        while let Expr::Dot(pair, flags, _) | Expr::Index(pair, flags, _) = parent {
            let (here, next) = link(pair, *flags);
            let indexing = matches!(parent, Expr::Index(..));
            // A property, a literal index or a method without arguments right behind the first value.
            let only = alone && next.is_none();
            let literal = indexing && here.get_literal_value(None).is_some();
            let bare = match here {
                Expr::MethodCall(call, _) => call.args.is_empty(),
                Expr::Property(..) => true,
                _ => false,
            };
            if !(only && (literal || bare)) {
                before.push(pair.rhs.position());
                // With a constant for an index there is nothing to evaluate.
                counted += usize::from(!(only && indexing));
            }
            match here {
                _ if only && literal => only_literal = true,
                _ if indexing => {
                    arguments.push(compiler.part(here, std::mem::take(&mut before)));
                    counted += usize::from(!only);
                }
                Expr::MethodCall(call, _) => {
                    if compiler.known.functions.has(&call.name) || call.is_qualified() {
                        return None;
                    }
                    for argument in &call.args {
                        arguments.push(compiler.argument(argument, std::mem::take(&mut before)));
                        counted += 1;
                    }
                }
                Expr::Property(..) => {}
                _ => return None,
            }
            alone = false;
            match next {
                Some(next) => parent = next,
                None => break,
            }
        }
        let root = match variable {
            Some(variable) => {
                before.push(first.lhs.position());
                variable
            }
            None => Root::Value(compiler.part(&first.lhs, std::mem::take(&mut before))),
        };
        Some(Self {
            arguments,
            after: before.into(),
            root,
            counted,
            literal: only_literal,
            name: match &first.lhs {
                Expr::Variable(variable, ..) => variable.1.to_string(),
                _ => String::new(),
            },
        })
    }

    /// Whether something in it is compiled that the interpreter would do in another way.
    pub(crate) fn has_effects(&self) -> bool {
        let root = match &self.root {
            Root::Slot(_) | Root::Message(_) => None,
            Root::Value(part) => Some(part),
        };
        let mut parts = self.arguments.iter().chain(root);
        parts.any(Part::is_effect)
    }

    /// The arguments' values; then a first value that is no variable.
    pub(crate) fn values(&self, frame: &mut Frame<'_>) -> Outcome<(Values, Option<Dynamic>)> {
        let mut values = Values::new();
        for argument in &self.arguments {
            values.push(argument.value(frame)?.flatten().into_dynamic());
        }
        let first = match &self.root {
            Root::Slot(_) | Root::Message(_) => None,
            Root::Value(part) => Some(part.value(frame)?.flatten().into_dynamic()),
        };
        ticks_exactly(&self.after)?;
        Ok((values, first))
    }
}

/// The next link of a chain, and what comes behind it.
pub(crate) fn link(pair: &BinaryExpr, flags: ASTFlags) -> (&Expr, Option<&Expr>) {
    match &pair.rhs {
        // Behind a chain's end stands an index that is a chain itself.
        next @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..))
            if !flags.intersects(ASTFlags::BREAK) =>
        {
            (&inner.lhs, Some(next))
        }
        last => (last, None),
    }
}

/// A chain or an assignment to one, in which values stand in the places of its arguments.
pub(crate) struct Tree {
    /// The chain, or a block that is the assignment, whose right side is the last of the values.
    template: Expr,
    counted: usize,
    literal: bool,
    /// Of the variable that it begins with, for errors.
    name: String,
    /// Kept from call to call; `None` while it runs.
    kept: RefCell<Option<Expr>>,
}

/// What a tree's first value is.
pub(super) enum First<'a> {
    /// A variable's, which may change.
    Place(&'a mut Dynamic),
    Value(Dynamic),
}

impl Tree {
    pub(super) fn chain(chain: &Expr, links: &Links) -> Self {
        Self::new(chain.clone(), links, 0)
    }

    /// The whole statement; it counts for itself and its right side instead of for the chain.
    pub(crate) fn assignment(statement: &Stmt, links: &Links) -> Self {
        let at = statement.position();
        let block = StmtBlock::new([statement.clone()], at, Position::NONE);
        Self::new(Expr::Stmt(Box::new(block)), links, 1)
    }

    fn new(template: Expr, links: &Links, more: usize) -> Self {
        Self {
            template,
            counted: links.counted + more,
            literal: links.literal,
            name: links.name.clone(),
            kept: RefCell::default(),
        }
    }

    /// Runs it; the operations of the chain up to its first value were counted before.
    pub(super) fn run(
        &self,
        frame: &mut Frame<'_>,
        values: Values,
        first: First<'_>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut part = self.kept.take().unwrap_or_else(|| self.template.clone());
        let at = first_position(&part);
        let mut given = over::Values::default();
        let (root, place) = match first {
            First::Place(value) => {
                let name = &self.name;
                (over::variable(name, at), Some(Place { name, value }))
            }
            First::Value(value) => (given.expression(value, at, frame), None),
        };
        let mut values = values.into_iter();
        match &mut part {
            Expr::Stmt(block) => {
                if let Some(Stmt::Assignment(assignment)) = block.statements_mut().first_mut() {
                    let right = values.next_back().unwrap_or_default();
                    let BinaryExpr { lhs, rhs } = &mut assignment.1;
                    *rhs = given.expression(right, rhs.position(), frame);
                    self.put(lhs, values, root, &mut given, frame);
                }
            }
            chain => self.put(chain, values, root, &mut given, frame),
        }
        let result = over::run(frame, None, &part, self.counted + given.more, place);
        given.forget(frame);
        self.kept.replace(Some(part));
        result
    }

    /// Puts values in the places of a chain's arguments, and `root` in that of its first value.
    fn put(
        &self,
        chain: &mut Expr,
        mut values: impl Iterator<Item = Dynamic>,
        root: Expr,
        given: &mut over::Values,
        frame: &mut Frame<'_>,
    ) {
        let mut next = |link: &mut Expr, indexing| {
            put_in_link(link, indexing, &mut values, |value, at| {
                given.expression(value, at, frame)
            });
        };
        let mut indexing = matches!(chain, Expr::Index(..));
        let mut ends = chain.options().intersects(ASTFlags::BREAK);
        let (Expr::Dot(pair, ..) | Expr::Index(pair, ..)) = chain else {
            return;
        };
        pair.lhs = root;
        if self.literal {
            return;
        }
        let mut rest = &mut pair.rhs;
        loop {
            let deeper = matches!(rest, Expr::Index(..));
            let deeper_ends = rest.options().intersects(ASTFlags::BREAK);
            if ends || !matches!(rest, Expr::Dot(..) | Expr::Index(..)) {
                return next(rest, indexing);
            }
            let (Expr::Dot(pair, ..) | Expr::Index(pair, ..)) = rest else {
                return;
            };
            next(&mut pair.lhs, indexing);
            rest = &mut pair.rhs;
            (indexing, ends) = (deeper, deeper_ends);
        }
    }
}

/// Where a tree's first value stands.
fn first_position(part: &Expr) -> Position {
    let chain = match part {
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Assignment(assignment)] => &assignment.1.lhs,
            _ => return Position::NONE,
        },
        chain => chain,
    };
    match chain {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => pair.lhs.position(),
        _ => Position::NONE,
    }
}

fn put_in_link(
    link: &mut Expr,
    indexing: bool,
    values: &mut impl Iterator<Item = Dynamic>,
    mut expression: impl FnMut(Dynamic, Position) -> Expr,
) {
    let mut next = || values.next().unwrap_or_default();
    match link {
        // It is only looked at.
        index if indexing => *index = over::constant(next(), index.start_position()),
        Expr::MethodCall(call, _) => {
            for argument in &mut call.args {
                *argument = expression(next(), argument.start_position());
            }
        }
        _ => {}
    }
}
