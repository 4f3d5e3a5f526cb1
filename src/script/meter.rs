//! The meter of one call: operations, time, memory and stack, looked at between two operations.
//!
//! [`begin`] before a call, [`tick`] at every operation, [`charge`] in natives whose work grows with
//! their input, [`end`] after it. A short call never asks the clock: the first look is at
//! [`FIRST_LOOK`] operations, or after a large allocation. Rhai's own count is not used, because a
//! closure that a native calls (`array.map(|x| …)`) counts on a copy that is thrown away.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::{MAX_PIECES, SCRIPT_STACK, memory};

/// The clock is first asked at this many operations, some tens of microseconds into a call.
const FIRST_LOOK: u64 = 256;
/// And then each time so many have passed.
const LOOK_EVERY: u64 = 64;
/// Operations that take this long between two looks are looked at one by one.
const SLOW: Duration = Duration::from_millis(1);

/// What a call has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Operations,
    Time,
    Memory,
    /// Too many values held at once: as one chain they would overflow the stack when dropped.
    Pieces,
    Stack,
    /// So many bytes, by all calls before this one.
    Left(usize),
}

#[derive(Clone)]
struct Meter {
    operations: Cell<u64>,
    operation_limit: Cell<u64>,
    deadline: Cell<Option<Instant>>,
    looked: Cell<Option<Instant>>,
    timeout: Cell<Duration>,
    memory_limit: Cell<isize>,
    pieces_limit: Cell<isize>,
    /// The lowest address that the script's calls may reach.
    stack_floor: Cell<usize>,
    exceeded: Cell<Option<Exceeded>>,
    /// Up to here operations are counted but not looked at: they were before.
    quiet: Cell<u64>,
    /// The call is over in all but name: every further operation ends at once.
    stopped: Cell<bool>,
}

thread_local! {
    // One per thread, not one per engine: a call runs on one thread, and one within another `apart`.
    static METER: Meter = const {
        Meter {
            operations: Cell::new(0),
            operation_limit: Cell::new(u64::MAX),
            deadline: Cell::new(None),
            looked: Cell::new(None),
            timeout: Cell::new(Duration::MAX),
            memory_limit: Cell::new(isize::MAX),
            pieces_limit: Cell::new(isize::MAX),
            stack_floor: Cell::new(0),
            exceeded: Cell::new(None),
            quiet: Cell::new(0),
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
        memory::set_alarm(FIRST_LOOK.min(operations));
        meter.deadline.set(None);
        meter.looked.set(None);
        meter.timeout.set(timeout);
        let memory = isize::try_from(memory).unwrap_or(isize::MAX);
        meter
            .memory_limit
            .set(memory::held().saturating_add(memory));
        meter.pieces_limit.set(memory::blocks() + MAX_PIECES);
        meter
            .stack_floor
            .set(stack_pointer().saturating_sub(SCRIPT_STACK));
        meter.exceeded.set(None);
        meter.quiet.set(0);
        meter.stopped.set(false);
    });
}

/// Stops measuring, and says whether a limit was reached.
#[inline]
pub(crate) fn end() -> Option<Exceeded> {
    METER.with(|meter| {
        memory::set_alarm(u64::MAX);
        meter.operation_limit.set(u64::MAX);
        meter.memory_limit.set(isize::MAX);
        meter.pieces_limit.set(isize::MAX);
        meter.stack_floor.set(0);
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
        if operations < memory::alarm() && memory::held() <= meter.memory_limit.get() {
            return true;
        }
        look(meter)
    })
}

/// Counts `more` operations if none of them would have to look up; else none.
#[inline]
pub(crate) fn ticks(more: u64) -> bool {
    METER.with(|meter| {
        let operations = meter.operations.get() + more;
        let quiet = operations < memory::alarm() && memory::held() <= meter.memory_limit.get();
        if quiet {
            meter.operations.set(operations);
        }
        quiet
    })
}

/// Whether no limit on operations or memory is in the way of `more` operations.
pub(crate) fn allows(more: u64) -> bool {
    METER.with(|meter| {
        let operations = meter.operations.get().saturating_add(more);
        operations <= meter.operation_limit.get()
            && memory::held() <= meter.memory_limit.get()
            && !meter.stopped.get()
    })
}

/// How many operations the call has made.
#[inline]
pub(crate) fn operations() -> u64 {
    METER.with(|meter| meter.operations.get())
}

/// Takes back the last `counted` operations, which come again and find no limit in their way then: what
/// natives charge, and a call that is over, are looked at with the operation after them. To be ended with
/// [`replayed`].
pub(crate) fn replay(counted: u64) -> u64 {
    METER.with(|meter| {
        let operations = meter.operations.get();
        meter.operations.set(operations.saturating_sub(counted));
        meter.quiet.replace(operations)
    })
}

/// Ends [`replay`], which gave `before`.
pub(crate) fn replayed(before: u64) {
    METER.with(|meter| meter.quiet.set(before));
}

/// Takes back what was counted since there were so many: it will be done again, and counted then.
#[inline]
pub(crate) fn recount(operations: u64) {
    METER.with(|meter| meter.operations.set(operations));
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
    let outer = METER.with(Meter::clone);
    let (alarm, held, blocks) = (memory::alarm(), memory::held(), memory::blocks());
    let result = run();
    let held = memory::held().saturating_sub(held);
    let blocks = memory::blocks().saturating_sub(blocks);
    METER.with(|meter| {
        let memory = outer.memory_limit.get().saturating_add(held);
        let pieces = outer.pieces_limit.get().saturating_add(blocks);
        meter.operations.set(outer.operations.get());
        meter.operation_limit.set(outer.operation_limit.get());
        meter.deadline.set(outer.deadline.get());
        // Else the time of what was apart would look like slow operations of the outer call.
        meter.looked.set(None);
        meter.timeout.set(outer.timeout.get());
        meter.memory_limit.set(memory);
        meter.pieces_limit.set(pieces);
        meter.stack_floor.set(outer.stack_floor.get());
        meter.exceeded.set(outer.exceeded.get());
        meter.quiet.set(outer.quiet.get());
        meter.stopped.set(outer.stopped.get());
    });
    memory::set_alarm(alarm);
    result
}

/// Makes every further operation of this call end at once.
pub(crate) fn stop() {
    METER.with(|meter| {
        meter.stopped.set(true);
        memory::set_alarm(0);
    });
}

/// Whether the call may take so many bytes more; if not, it ends as where memory runs out.
pub(crate) fn affords(bytes: usize) -> bool {
    let more = isize::try_from(bytes).unwrap_or(isize::MAX);
    let limit = METER.with(|meter| meter.memory_limit.get());
    let fits = memory::held().saturating_add(more) <= limit;
    if !fits {
        out_of_memory();
    }
    fits
}

/// As if the memory limit had been reached.
pub(crate) fn out_of_memory() {
    METER.with(|meter| meter.exceeded.set(Some(Exceeded::Memory)));
    stop();
}

#[cold]
#[inline(never)]
fn look(meter: &Meter) -> bool {
    let operations = meter.operations.get();
    if operations <= meter.quiet.get() {
        return true;
    }
    if meter.stopped.get() {
        return false;
    }
    let now = Instant::now();
    let exceeded = if memory::held() > meter.memory_limit.get() {
        Some(Exceeded::Memory)
    } else if operations > meter.operation_limit.get() {
        Some(Exceeded::Operations)
    } else if memory::blocks() > meter.pieces_limit.get() {
        Some(Exceeded::Pieces)
    } else if stack_pointer() < meter.stack_floor.get() {
        Some(Exceeded::Stack)
    } else if late(meter, now) {
        Some(Exceeded::Time)
    } else {
        None
    };
    if exceeded.is_some() {
        meter.exceeded.set(exceeded);
        stop();
        return false;
    }
    let slow = meter
        .looked
        .replace(Some(now))
        .is_some_and(|looked| now.duration_since(looked) > SLOW);
    let next = operations + if slow { 1 } else { LOOK_EVERY };
    // One past the limit, so that exactly the limit's number of operations is allowed.
    memory::set_alarm(next.min(meter.operation_limit.get().saturating_add(1)));
    true
}

fn late(meter: &Meter, now: Instant) -> bool {
    match meter.deadline.get() {
        Some(deadline) => now >= deadline,
        None => {
            // The time counts from the first look: what came before is too short to matter.
            meter.deadline.set(now.checked_add(meter.timeout.get()));
            false
        }
    }
}

/// Where the stack is now, near enough: the address of something on it.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
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
