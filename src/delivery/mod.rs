//! What a message is on its way: the record, what its handler wants done, how it ended, and how far
//! a commit may go.

mod beyond;

mod effects;
mod receipt;
mod record;
mod tracker;
mod under_way;

pub use beyond::{holder, with_holder};
pub use effects::{Effects, Emit, EmitBuilder};
pub use receipt::{Receipt, STAMP_HEADER, Stamp};
pub use record::Record;
pub use tracker::Tracker;
pub use under_way::{Delivery, LaneId, Verdict};
