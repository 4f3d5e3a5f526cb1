//! What a message is on its way: the record, what its handler wants done, how it ended.

mod effects;
mod record;

pub use effects::{Effects, Emit, EmitBuilder};
pub use record::Record;
