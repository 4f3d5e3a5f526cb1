//! What a handler's calls leave behind for ever.
//!
//! A closure shares the variables that it uses; kept in one of them it holds itself, and nothing frees
//! it after the call. No one call need be large for that. So [`Left::end`] compares what is held after a
//! call with what was held before it, and once the sum is more than anything that is kept on purpose,
//! [`Left::is_too_much`] ends every call at once. Only scripts that have such closures are watched.

use super::state::State;
use super::{Outcome, memory};
use crate::config::Limits;

/// What is kept on purpose besides buffers, which a call's memory bounds: compiled patterns and their
/// automata, time zones.
const KEPT: usize = 64 << 20;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    watched: bool,
    before: isize,
    sum: isize,
    most: isize,
}

impl Left {
    /// For a script in which closures share variables, or do not.
    pub(crate) fn new(shares: bool, limits: &Limits) -> Self {
        let most = limits.memory.saturating_mul(4).saturating_add(KEPT);
        Self {
            watched: shares,
            before: 0,
            sum: 0,
            most: isize::try_from(most).unwrap_or(isize::MAX),
        }
    }

    /// Before anything of a call is made, and after the last one's effects were dropped: the topics and
    /// metrics in them are also their readers', who drop them when they like.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.watched {
            self.before = memory::held();
        }
    }

    /// After a call, of which nothing is left that its caller still needs but `outcome`.
    #[inline]
    pub(crate) fn end(&mut self, state: &State, outcome: Outcome) -> Outcome {
        match self.watched {
            true => self.counted(state, outcome),
            false => outcome,
        }
    }

    fn counted(&mut self, state: &State, outcome: Outcome) -> Outcome {
        let held = memory::held();
        // A copy, because the size of that can be told.
        let copy = outcome.clone();
        let own = memory::held() - held;
        drop(outcome);
        let left = memory::held() - self.before - own - state.given_away.take();
        // What was made before the first call, such as a cache, may be freed in one; that is no credit.
        self.sum = self.sum.saturating_add(left).max(0);
        copy
    }

    /// How many bytes the calls have left so far.
    #[cfg(test)]
    pub(crate) fn sum(&self) -> isize {
        self.sum
    }

    /// How many bytes were left, where that is more than a daemon can go on with.
    #[inline]
    pub(crate) fn is_too_much(&self) -> Option<usize> {
        (self.sum > self.most).then_some(self.sum.unsigned_abs())
    }
}
