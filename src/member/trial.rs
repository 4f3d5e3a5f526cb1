//! A handler's engine as a member builds it, and a trial of it before any member does.

use std::sync::Arc;

use crate::config::Group;
use crate::diagnostic::Diagnostic;
use crate::script::{Caller, Handler, Program, Settings};

/// What the engine of one member is built with.
pub(super) fn settings(group_id: &Arc<str>, member: &Arc<str>, group: &Group) -> Settings {
    Settings {
        caller: Caller {
            group: group_id.clone(),
            member: member.clone(),
        },
        limits: group.limits,
        params: group.params.clone(),
        timeout: group.handler_timeout,
        seed: None,
    }
}

/// Builds a handler with a group's constants and limits, and throws it away.
///
/// # Errors
/// What goes wrong at the script's top level, such as a constant made of a parameter that is missing.
pub fn try_handler(
    program: &Arc<Program>,
    group_id: &str,
    group: &Group,
) -> Result<(), Vec<Diagnostic>> {
    let name: Arc<str> = group_id.into();
    Handler::new(program, settings(&name, &name, group)).map(drop)
}
