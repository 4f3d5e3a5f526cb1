//! Expressions: Rhai's `eval/expr.rs`.
//!
//! `pure` is for those without effects, with `operators`, `bits` and `text`; `effect` for the others, with
//! `literals`. A statement takes either as a `part`. `quick` is the short way of what gives a number or a
//! flag.

mod bits;
pub(super) mod effect;
mod literals;
pub(super) mod operators;
pub(super) mod part;
pub(super) mod pure;
pub(super) mod quick;
mod text;
