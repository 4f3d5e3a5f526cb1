//! What a script can call, one file a subject. Each registers its functions on an engine.

pub(crate) mod bounded;
pub(crate) mod catalog;
pub(crate) mod emit;
mod encoding;
pub(crate) mod flow;
mod given;
pub(crate) mod headers;
mod identifiers;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod nested;
pub(crate) mod order;
pub(crate) mod random;
mod regex;
mod size;
pub(crate) mod sorting;
mod time;
pub(crate) mod url;
pub(crate) mod written;

use std::rc::Rc;

use rhai::{Engine, EvalAltResult};

use super::state::State;
use catalog::Api;

/// What a function of the API returns.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers everything that both handlers and generators can call.
pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    bounded::register(engine, &state.limits);
    nested::register(engine, &state.limits);
    order::register(engine);
    sorting::register(engine);
    register_all(&mut Api::new(engine), state);
}

/// What [`catalog::catalog`] tells of.
fn register_all(api: &mut Api<'_>, state: &Rc<State>) {
    message::register(api);
    headers::register(api);
    given::register(api);
    emit::register(api, state);
    flow::register(api, state);
    log::register(api, state);
    metrics::register(api, state);
    time::register(api);
    identifiers::register(api, state);
    random::register(api, state);
    regex::register(api, &state.limits);
    encoding::register(api, &state.limits);
    url::register(api, &state.limits);
}
