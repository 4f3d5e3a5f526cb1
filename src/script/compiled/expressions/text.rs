//! Texts with values in them: `` `${msg.key}: ${d.total}` ``.

use rhai::{Expr, Position};

use super::pure::{Place, Pure, Rest, compile_all};
use crate::script::compiled::run::frame::{Exit, ticks};
use crate::script::compiled::run::value::Value;

pub(super) fn interpolated(parts: &[Expr], at: Position, place: &Place<'_>) -> Option<Pure> {
    let parts = compile_all(parts, place)?;
    let longest = place.known.longest;
    Some(Pure {
        lead: vec![at],
        rest: Rest::Code(Box::new(move |frame| {
            let mut text = String::new();
            for part in &parts {
                ticks(&part.lead)?;
                let value = part.rest.value(frame)?;
                if value.with_text(|part| text.push_str(part)).is_none() {
                    let shown = match value {
                        Value::Int(number) => number.to_string(),
                        Value::Bool(flag) => flag.to_string(),
                        _ => return Err(Exit::Unsure),
                    };
                    // Rhai calls `to_string`.
                    ticks(&[Position::NONE])?;
                    text.push_str(&shown);
                }
                if text.len() > longest {
                    return Err(Exit::Unsure);
                }
            }
            Ok(Value::Text(text.into()))
        })),
    })
}
