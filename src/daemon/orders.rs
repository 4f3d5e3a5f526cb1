//! What the daemon is asked, by signals and over the control socket: one thing at a time, in the order
//! of asking.

use std::collections::VecDeque;

use tokio::sync::mpsc::Receiver;

use crate::control::protocol::{
    HandlerSources, Level, Planned, Reloaded, Resume, Seek, SeekPlan, SeekTo, SetLevel, Sought,
    Steered, TapWanted, Tapped, Target,
};
use crate::control::{Order, Refusal, Reply};
use crate::topology::{Running, Shown};

use super::{steer, tap};

/// What waits for its turn.
pub(super) enum Task {
    Plan(Reply<Planned>),
    Reload(Asker),
    Steer(Steering),
}

/// What members and producers are told.
pub(super) enum Steering {
    Pause(Target, Reply<Steered>),
    Resume(Resume, Reply<Steered>),
    PlanSeek(SeekTo, Reply<SeekPlan>),
    Seek(Seek, Reply<Sought>),
    Tap(TapWanted, Reply<Receiver<Tapped>>),
}

impl Steering {
    /// Does it, and answers.
    pub async fn run(self, running: &mut Running) {
        match self {
            Self::Pause(target, reply) => reply.send(steer::pause(running, &target).await),
            Self::Resume(wanted, reply) => reply.send(steer::resume(running, &wanted).await),
            Self::PlanSeek(wanted, reply) => reply.send(steer::plan_seek(running, &wanted).await),
            Self::Seek(wanted, reply) => reply.send(steer::seek(running, &wanted).await),
            Self::Tap(wanted, reply) => reply.send(tap::tap(running, &wanted).await),
        }
    }
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
        Order::Level(wanted, reply) => reply.send(level(shown, &wanted)),
        Order::Pause(target, reply) => wait(waiting, Steering::Pause(target, reply)),
        Order::Resume(wanted, reply) => wait(waiting, Steering::Resume(wanted, reply)),
        Order::PlanSeek(wanted, reply) => wait(waiting, Steering::PlanSeek(wanted, reply)),
        Order::Seek(wanted, reply) => wait(waiting, Steering::Seek(wanted, reply)),
        Order::Tap(wanted, reply) => wait(waiting, Steering::Tap(wanted, reply)),
    }
}

fn wait(waiting: &mut VecDeque<Task>, steering: Steering) {
    waiting.push_back(Task::Steer(steering));
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
        Order::Plan(reply) => reply.send(Err(why())),
        Order::Pause(_, reply) => reply.send(Err(why())),
        Order::Resume(_, reply) => reply.send(Err(why())),
        Order::PlanSeek(_, reply) => reply.send(Err(why())),
        Order::Seek(_, reply) => reply.send(Err(why())),
        Order::Tap(_, reply) => reply.send(Err(why())),
        order => take(order, shown, waiting),
    }
}

fn why() -> Refusal {
    let text = "deliveryd is still starting, perhaps waiting for its broker; ask again when it runs. \
                `deliveryd reload` begins the start anew with the configuration that is on disk";
    Refusal::Unavailable(text.to_owned())
}

fn level(shown: &Shown, wanted: &SetLevel) -> Result<Level, Refusal> {
    let before = shown.log().level();
    if let Some(level) = &wanted.level {
        let set = shown.log().set_level(level);
        set.map_err(|error| Refusal::Wrong(error.to_string()))?;
    }
    Ok(Level {
        before,
        now: shown.log().level(),
    })
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
