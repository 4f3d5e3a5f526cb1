//! A handler's engine as a member builds it, and a trial of it before any member does.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Group;
use crate::diagnostic::Diagnostic;
use crate::script::{Handler, Program, Settings, testing};

use super::{Setup, rehearsal};

/// What the engine of one member is built with.
pub(super) fn settings(group_id: &Arc<str>, member: &Arc<str>, group: &Group) -> Settings {
    Settings {
        caller: rehearsal::caller(group_id, member, group),
        limits: group.limits,
        params: group.params.clone(),
        timeout: group.handler_timeout,
        seed: None,
        compile: group.compile,
    }
}

/// The handler of one member.
///
/// # Errors
/// What its compiler or its top level says.
pub(super) fn build_handler(
    setup: &Setup,
    program: &Arc<Program>,
    name: &Arc<str>,
    group: &Group,
) -> Result<Handler, String> {
    let settings = settings(&setup.group_id, name, group);
    let mut handler = Handler::new(program, settings).map_err(|mistakes| {
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        format!("the handler does not compile: {}", texts.join("; "))
    })?;
    if let Some(stage) = &group.stage {
        handler.rehearse(stage);
    }
    Ok(handler)
}

/// All tests of a version that is to be taken. The files are not watched meanwhile.
const TESTS: Duration = Duration::from_secs(10);

/// Builds a handler with a group's constants and limits, and throws it away; with
/// `test_before_swap`, runs its own tests too.
///
/// # Errors
/// What goes wrong at the script's top level, such as a constant made of a parameter that is missing;
/// the tests that fail.
pub fn try_handler(
    program: &Arc<Program>,
    group_id: &str,
    group: &Group,
) -> Result<(), Vec<Diagnostic>> {
    let name: Arc<str> = group_id.into();
    Handler::new(program, settings(&name, &name, group)).map(drop)?;
    match group.test_before_swap {
        true => testing::check(program, &group.limits, group.handler_timeout, TESTS),
        false => Ok(()),
    }
}
