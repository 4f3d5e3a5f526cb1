//! What a script can call, one file a subject. Each registers its functions on an engine.

pub(crate) mod bounded;
pub(crate) mod emit;
pub(crate) mod flow;
pub(crate) mod headers;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod nested;
pub(crate) mod random;
pub(crate) mod sorting;
pub(crate) mod values;

use std::rc::Rc;

use rhai::{Engine, EvalAltResult};

use super::state::State;

/// What a function of the API returns.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers everything that both handlers and generators can call.
pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    bounded::register(engine, &state.limits);
    nested::register(engine, &state.limits);
    sorting::register(engine);
    values::register(engine, state);
    random::register(engine, state);
    message::register(engine);
    headers::register(engine);
    emit::register(engine, state);
    flow::register(engine, state);
    log::register(engine, state);
    metrics::register(engine, state);
}
