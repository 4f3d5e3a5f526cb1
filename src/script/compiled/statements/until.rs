//! `do { … } while` and `do { … } until`.

use rhai::{ASTFlags, FlowControl, Position};

use super::{Compiler, Refused};
use crate::script::compiled::run::frame::{Code, Exit, tick};
use crate::script::compiled::run::value::Value;

pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    control: &FlowControl,
    flags: ASTFlags,
    at: Position,
) -> Result<Code, Refused> {
    let goes_on = !flags.intersects(ASTFlags::NEGATED);
    let body = compiler.block(control.body.statements())?;
    let condition = compiler.part(&control.expr, Vec::new());
    let asked = control.expr.position();
    Ok(Box::new(move |frame| {
        tick(at)?;
        loop {
            match body.run(frame) {
                Ok(_) => {}
                // Rhai does not ask for the condition then.
                Err(Exit::Continue) => continue,
                Err(Exit::Break) => return Ok(std::mem::take(&mut frame.carried)),
                Err(other) => return Err(other),
            }
            if condition.flag(asked, frame)? != goes_on {
                return Ok(Value::Unit);
            }
        }
    }))
}
