//! What a script can call, one file a subject. Each registers its functions on an engine.

pub(crate) mod bounded;
#[allow(dead_code, reason = "the check of calls and the documentation read it")]
pub(crate) mod catalog;
pub(crate) mod emit;
pub(crate) mod flow;
pub(crate) mod headers;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod random;
pub(crate) mod values;

use std::rc::Rc;

use rhai::{Engine, EvalAltResult};

use super::state::State;
use catalog::Api;

/// What a function of the API returns.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers everything that both handlers and generators can call.
pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    bounded::register(engine, &state.limits);
    register_all(&mut Api::new(engine), state);
}

/// What [`catalog::catalog`] tells of.
fn register_all(api: &mut Api<'_>, state: &Rc<State>) {
    values::register(api.engine, state);
    random::register(api.engine, state);
    message::register(api.engine);
    headers::register(api.engine);
    emit::register(api.engine, state);
    flow::register(api, state);
    log::register(api.engine, state);
    metrics::register(api, state);
}
