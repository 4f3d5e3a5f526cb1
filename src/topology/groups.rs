//! Groups that run, as a plan's steps change them, and their places on the board.

use std::sync::Arc;

use crate::config::Group;
use crate::handlers::{HandlerSlot, Watched};
use crate::member::try_handler;
use crate::observe::GroupInfo;
use crate::preflight::Programs;
use crate::script::Kind;

use super::Running;
use super::group::RunningGroup;
use super::running::{comes_along, handler_status};

impl Running {
    /// Starts a group. One that runs already, since its removal failed before it began, gets back the
    /// members that it lacks.
    pub(super) fn add_group(
        &mut self,
        name: &str,
        config: &Arc<Group>,
        programs: &Programs,
    ) -> Result<(), String> {
        if !self.groups.contains_key(name) {
            let program = programs
                .consumer(&config.handler)
                .ok_or_else(|| format!("the handler of {name} was not compiled"))?;
            let slot = Arc::new(HandlerSlot::new(Kind::Consumer, name, program));
            let mut group = RunningGroup::new(name, config.clone(), slot.clone(), &self.ground);
            if let Some(shared) = self.gone.groups.get(name) {
                group.shared = shared.clone();
            }
            self.groups.insert(name.to_owned(), group);
            self.shown.slots().insert(name.to_owned(), slot);
        }
        let group = &self.groups[name];
        self.show_group(name, group);
        // Before its members: the file may have changed since it was compiled.
        self.watch_group(group.slot.clone(), config);
        let ground = self.ground.clone();
        self.running_group(name)?.start(1..=config.members, &ground)
    }

    fn watch_group(&self, slot: Arc<HandlerSlot>, config: &Arc<Group>) {
        let (name, group) = (slot.name().clone(), config.clone());
        self.handlers.add(Watched {
            slot,
            file: config.handler.clone(),
            limits: config.limits,
            check: Some(Arc::new(move |program| try_handler(program, &name, &group))),
        });
    }

    pub(super) fn change_group(
        &mut self,
        name: &str,
        config: &Arc<Group>,
        programs: &Programs,
    ) -> Result<(), String> {
        let Some(group) = self.groups.get_mut(name) else {
            return Err(format!("group {name} does not run"));
        };
        let program = programs.consumer(&config.handler);
        let program = comes_along(&self.config, &group.slot, program)
            .map_err(|()| format!("the handler of {name} was not compiled"))?;
        if program.is_some() {
            // Else a change of the old file could come in between.
            self.handlers.remove(Kind::Consumer, name);
        }
        group.change(config.clone(), program);
        let group = &self.groups[name];
        self.watch_group(group.slot.clone(), config);
        self.show_group(name, group);
        Ok(())
    }

    pub(super) fn start_members(
        &mut self,
        name: &str,
        numbers: &[u32],
        config: &Arc<Group>,
    ) -> Result<(), String> {
        let ground = self.ground.clone();
        let group = self.running_group(name)?;
        group.config = config.clone();
        group.start(numbers.iter().copied(), &ground)
    }

    pub(super) async fn stop_members(
        &mut self,
        name: &str,
        numbers: &[u32],
        config: &Arc<Group>,
    ) -> Result<(), String> {
        let group = self.running_group(name)?;
        group.config = config.clone();
        let within = group.stop_time();
        group.stop(numbers.iter().copied(), true, within).await
    }

    pub(super) async fn replace_members(
        &mut self,
        name: &str,
        numbers: &[u32],
        config: &Arc<Group>,
        programs: &Programs,
    ) -> Result<(), String> {
        let ground = self.ground.clone();
        let program = programs.consumer(&config.handler);
        let slot = self.running_group(name)?.slot.clone();
        let program = comes_along(&self.config, &slot, program)
            .map_err(|()| format!("the handler of {name} was not compiled"))?;
        if program.is_some() {
            self.handlers.remove(Kind::Consumer, name);
        }
        let group = self.running_group(name)?;
        let replaced = group
            .replace(numbers, config.clone(), program, &ground)
            .await;
        // Whatever came of it: somebody runs it.
        self.watch_group(slot, config);
        replaced
    }

    pub(super) async fn remove_group(&mut self, name: &str) -> Result<(), String> {
        self.handlers.remove(Kind::Consumer, name);
        let Some(group) = self.groups.get_mut(name) else {
            return Ok(());
        };
        let numbers: Vec<u32> = group.members.keys().rev().copied().collect();
        let within = group.stop_time();
        let result = group.stop(numbers, true, within).await;
        if let Some(group) = self.groups.remove(name) {
            self.gone.groups.insert(name.to_owned(), group.shared);
        }
        self.shown.slots().remove(name);
        self.ground.board.remove_group(name);
        result
    }

    fn running_group(&mut self, name: &str) -> Result<&mut RunningGroup, String> {
        self.groups
            .get_mut(name)
            .ok_or_else(|| format!("group {name} does not run"))
    }

    /// Shows on the board what a group is.
    pub(super) fn show_group(&self, name: &str, group: &RunningGroup) {
        let info = GroupInfo {
            topics: group.config.topics.clone(),
            members_wanted: group.config.members,
            handler: handler_status(&group.slot),
            paused: group.shared.pauses().holds_group(),
        };
        self.ground.board.set_group(name, info);
    }
}
