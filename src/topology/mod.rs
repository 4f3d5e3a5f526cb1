//! What is to run, and how to get there from what runs.
//!
//! [`plan`] is arithmetic: two configurations in, the difference as steps out. Nothing here knows
//! handlers' contents, clients or threads; whoever applies a plan does.

pub mod plan;
