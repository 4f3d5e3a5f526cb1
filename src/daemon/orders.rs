//! What the daemon is asked, by signals and over the control socket: one thing at a time, in the order
//! of asking.

use std::collections::VecDeque;

use crate::control::protocol::{HandlerSources, Planned, Reloaded};
use crate::control::{Order, Refusal, Reply};
use crate::topology::Shown;

/// What waits for its turn.
pub(super) enum Task {
    Plan(Reply<Planned>),
    Reload(Asker),
}

/// Who wants a reload.
pub(super) struct Asker {
    /// For the history: `SIGHUP`, or a command's user and process.
    pub by: String,
    /// `None` for a signal: its result is in the log.
    pub reply: Option<Reply<Reloaded>>,
}

impl Asker {
    pub fn signal() -> Self {
        Self {
            by: "SIGHUP".to_owned(),
            reply: None,
        }
    }
}

/// Answers what needs no turn; the rest waits.
pub(super) fn take(order: Order, shown: &Shown, waiting: &mut VecDeque<Task>) {
    match order {
        Order::Plan(reply) => waiting.push_back(Task::Plan(reply)),
        Order::Reload(peer, reply) => waiting.push_back(Task::Reload(Asker {
            by: format!("deliveryd reload ({peer})"),
            reply: Some(reply),
        })),
        Order::Handler(group, reply) => reply.send(handler(shown, group)),
    }
}

/// A reload by signal; several of them before their turn are one, which reads what is there then.
pub(super) fn take_signal(waiting: &mut VecDeque<Task>) {
    let there = |task: &Task| matches!(task, Task::Reload(Asker { reply: None, .. }));
    if !waiting.iter().any(there) {
        waiting.push_back(Task::Reload(Asker::signal()));
    }
}

/// The same while there is no configuration in force to compare with.
pub(super) fn take_while_starting(order: Order, shown: &Shown, waiting: &mut VecDeque<Task>) {
    match order {
        Order::Plan(reply) => {
            let text = "deliveryd is still starting, perhaps waiting for its broker; \
                        ask again when it runs. `deliveryd reload` begins the start anew \
                        with the configuration that is on disk";
            reply.send(Err(Refusal::Unavailable(text.to_owned())));
        }
        order => take(order, shown, waiting),
    }
}

fn handler(shown: &Shown, group: String) -> Result<HandlerSources, Refusal> {
    let Some(slot) = shown.handler(&group) else {
        let groups = shown.groups().join(", ");
        let groups = if groups.is_empty() { "none" } else { &groups };
        return Err(Refusal::NotFound(format!(
            "there is no group `{group}`; the groups here: {groups}"
        )));
    };
    let program = slot.current();
    let name = program.file().file_name().unwrap_or_default();
    Ok(HandlerSources {
        group,
        version: program.version().to_owned(),
        file: name.to_string_lossy().into_owned(),
        path: program.file().display().to_string(),
        files: program.texts(),
    })
}
