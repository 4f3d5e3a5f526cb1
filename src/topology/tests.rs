//! Applying a plan to what really runs, on the embedded broker, with a fault in every kind of step.

/// Where a plan is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Which of its steps.
    pub at: usize,
    /// After the step was taken, not instead of it.
    pub afterwards: bool,
}
