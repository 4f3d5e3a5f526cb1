//! The meter of one call: operations, time and memory, looked at between two operations.
//!
//! [`begin`] before a call, [`tick`] at every operation, [`charge`] in natives whose work grows with
//! their input, [`end`] after it. A short call never asks the clock: the first look is at
//! [`FIRST_LOOK`] operations. Rhai's own count is not used, because a closure that a native calls
//! (`array.map(|x| …)`) counts on a copy that is thrown away.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::memory;

/// The clock is first asked at this many operations, some tens of microseconds into a call.
const FIRST_LOOK: u64 = 256;
/// And then each time so many have passed.
const LOOK_EVERY: u64 = 64;

/// What a call has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Operations,
    Time,
    Memory,
}

#[derive(Clone)]
struct Meter {
    operations: Cell<u64>,
    /// The next operation at which anything but memory is looked at.
    look_at: Cell<u64>,
    operation_limit: Cell<u64>,
    deadline: Cell<Option<Instant>>,
    timeout: Cell<Duration>,
    memory_limit: Cell<isize>,
    exceeded: Cell<Option<Exceeded>>,
    /// The call is over in all but name: every further operation ends at once.
    stopped: Cell<bool>,
}

thread_local! {
    // One per thread, not one per engine: a call runs on one thread, and one within another `apart`.
    static METER: Meter = const {
        Meter {
            operations: Cell::new(0),
            look_at: Cell::new(u64::MAX),
            operation_limit: Cell::new(u64::MAX),
            deadline: Cell::new(None),
            timeout: Cell::new(Duration::MAX),
            memory_limit: Cell::new(isize::MAX),
            exceeded: Cell::new(None),
            stopped: Cell::new(false),
        }
    };
}

/// Starts measuring one call.
#[inline]
pub(crate) fn begin(operations: u64, memory: usize, timeout: Duration) {
    METER.with(|meter| {
        meter.operations.set(0);
        meter.operation_limit.set(operations);
        meter.look_at.set(FIRST_LOOK.min(operations));
        meter.deadline.set(None);
        meter.timeout.set(timeout);
        let memory = isize::try_from(memory).unwrap_or(isize::MAX);
        meter
            .memory_limit
            .set(memory::held().saturating_add(memory));
        meter.exceeded.set(None);
        meter.stopped.set(false);
    });
}

/// Stops measuring, and says whether a limit was reached.
#[inline]
pub(crate) fn end() -> Option<Exceeded> {
    METER.with(|meter| {
        meter.look_at.set(u64::MAX);
        meter.operation_limit.set(u64::MAX);
        meter.memory_limit.set(isize::MAX);
        meter.stopped.set(false);
        meter.exceeded.take()
    })
}

/// Counts one operation; `false` when the call must end.
#[inline]
pub(crate) fn tick() -> bool {
    METER.with(|meter| {
        let operations = meter.operations.get() + 1;
        meter.operations.set(operations);
        if operations < meter.look_at.get() && memory::held() <= meter.memory_limit.get() {
            return true;
        }
        look(meter)
    })
}

/// Counts `operations` more for a native whose work grows with its input.
pub(crate) fn charge(operations: usize) {
    METER.with(|meter| {
        let sum = meter.operations.get().saturating_add(operations as u64);
        meter.operations.set(sum);
    });
}

/// Runs what is measured by itself, such as a handler's call in the middle of a test's: the outer
/// call's operations stand still meanwhile, and memory that stays behind is not on its account.
pub(crate) fn apart<R>(run: impl FnOnce() -> R) -> R {
    let (outer, held) = METER.with(|meter| (meter.clone(), memory::held()));
    let result = run();
    METER.with(|meter| {
        let left = memory::held().saturating_sub(held);
        let limit = outer.memory_limit.get().saturating_add(left);
        meter.operations.set(outer.operations.get());
        meter.look_at.set(outer.look_at.get());
        meter.operation_limit.set(outer.operation_limit.get());
        meter.deadline.set(outer.deadline.get());
        meter.timeout.set(outer.timeout.get());
        meter.memory_limit.set(limit);
        meter.exceeded.set(outer.exceeded.get());
        meter.stopped.set(outer.stopped.get());
    });
    result
}

/// Makes every further operation of this call end at once.
pub(crate) fn stop() {
    METER.with(|meter| {
        meter.stopped.set(true);
        meter.look_at.set(0);
    });
}

/// As if the memory limit had been reached.
pub(crate) fn out_of_memory() {
    METER.with(|meter| meter.exceeded.set(Some(Exceeded::Memory)));
    stop();
}

#[cold]
#[inline(never)]
fn look(meter: &Meter) -> bool {
    if meter.stopped.get() {
        return false;
    }
    let operations = meter.operations.get();
    let exceeded = if memory::held() > meter.memory_limit.get() {
        Some(Exceeded::Memory)
    } else if operations > meter.operation_limit.get() {
        Some(Exceeded::Operations)
    } else if late(meter) {
        Some(Exceeded::Time)
    } else {
        None
    };
    if exceeded.is_some() {
        meter.exceeded.set(exceeded);
        meter.stopped.set(true);
        meter.look_at.set(0);
        return false;
    }
    let next = operations + LOOK_EVERY;
    // One past the limit, so that exactly the limit's number of operations is allowed.
    meter
        .look_at
        .set(next.min(meter.operation_limit.get().saturating_add(1)));
    true
}

fn late(meter: &Meter) -> bool {
    let now = Instant::now();
    match meter.deadline.get() {
        Some(deadline) => now >= deadline,
        None => {
            // The time counts from the first look: what came before is too short to matter.
            meter.deadline.set(now.checked_add(meter.timeout.get()));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call may make exactly as many operations as its limit says.
    #[test]
    fn operations_end_after_the_limit() {
        begin(1000, usize::MAX, Duration::from_secs(3600));
        assert!((0..1000).all(|_| tick()));
        assert!(!tick());
        assert!(!tick(), "a stopped call stays stopped");
        assert_eq!(end(), Some(Exceeded::Operations));
    }

    /// Memory is looked at between any two operations.
    #[test]
    fn memory_ends_the_call_at_the_next_operation() {
        begin(u64::MAX, 1 << 20, Duration::from_secs(3600));
        assert!(tick());
        let hoard = std::hint::black_box(vec![0_u8; 2 << 20]);
        assert!(!tick());
        drop(hoard);
        assert_eq!(end(), Some(Exceeded::Memory));
    }

    /// A call in the middle of another has limits of its own and leaves those of the outer alone.
    #[test]
    fn a_call_apart_is_not_on_the_outer_account() {
        begin(1000, 1 << 20, Duration::from_secs(3600));
        assert!((0..600).all(|_| tick()));
        let kept = apart(|| {
            begin(5000, 8 << 20, Duration::from_secs(3600));
            assert!((0..5000).all(|_| tick()));
            assert!(!tick());
            assert_eq!(end(), Some(Exceeded::Operations));
            std::hint::black_box(vec![0_u8; 2 << 20])
        });
        assert!((0..400).all(|_| tick()), "the outer call has its rest left");
        assert!(!tick());
        assert_eq!(end(), Some(Exceeded::Operations));
        drop(kept);
    }

    /// Time ends a call that goes on, whatever its operations do.
    #[test]
    fn time_ends_the_call() {
        begin(u64::MAX, usize::MAX, Duration::from_millis(5));
        let begun = Instant::now();
        while tick() {
            assert!(begun.elapsed() < Duration::from_secs(10), "still running");
        }
        assert_eq!(end(), Some(Exceeded::Time));
    }
}
