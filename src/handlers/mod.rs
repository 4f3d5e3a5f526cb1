//! placeholder
use crate::script::Program;
use std::sync::Arc;
#[derive(Debug)]
pub struct HandlerSlot {}
impl HandlerSlot {
    pub fn current(&self) -> Arc<Program> {
        todo!()
    }
    pub fn generation(&self) -> u64 {
        todo!()
    }
}
