//! How much heap this thread holds, counted where it is allocated.
//!
//! `Counting` is the process's allocator: the system's, with counts per thread beside it. The meter
//! reads `alarm` between two operations of a script: at which of them it wants to look at more. A large
//! allocation sets the alarm off, and so does one beyond a limit. Nothing here knows scripts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An allocation of so many bytes sets the alarm off: filling it takes longer than a look at the clock.
const LARGE: usize = 64 << 10;

thread_local! {
    // `const` and without a destructor, so that reading it is one load and never allocates.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static BLOCKS: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static ALARM: Cell<u64> = const { Cell::new(u64::MAX) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
}

/// Bytes allocated less bytes freed by this thread since it began.
///
/// What one thread allocates and another frees counts for both, so only differences over a stretch
/// of one thread's own work mean anything; the value can be negative.
#[inline]
pub fn held() -> isize {
    HELD.with(Cell::get)
}

/// Pieces of memory allocated less pieces freed by this thread; as with [`held`], only differences
/// mean anything.
#[inline]
pub(crate) fn blocks() -> isize {
    BLOCKS.with(Cell::get)
}

/// At which operation of its call this thread wants to look up; 0 after an allocation that was large or
/// went beyond the limit.
#[inline]
pub(crate) fn alarm() -> u64 {
    ALARM.with(Cell::get)
}

/// Sets the alarm.
#[inline]
pub(crate) fn set_alarm(operation: u64) {
    ALARM.with(|alarm| alarm.set(operation));
}

/// Has every allocation that leaves this thread with more bytes than these set the alarm off.
#[inline]
pub(crate) fn set_limit(held: isize) {
    LIMIT.with(|limit| limit.set(held));
}

/// How many times this thread has asked for memory.
#[inline]
pub fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// The system's allocator with a count per thread.
struct Counting;

#[inline]
fn add(bytes: isize, blocks: isize) {
    HELD.with(|held| held.set(held.get().wrapping_add(bytes)));
    BLOCKS.with(|held| held.set(held.get().wrapping_add(blocks)));
}

#[inline]
fn count(size: usize) {
    ALLOCATIONS.with(|count| count.set(count.get().wrapping_add(1)));
    if size >= LARGE || held() > LIMIT.with(Cell::get) {
        set_alarm(0);
    }
}

// SAFETY: every call is handed to the system's allocator unchanged; the counters are thread-local
// cells that neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize, 1);
        count(layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize), -1);
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize, 1);
        count(layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize, 0);
        count(size);
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is allocated is counted until it is freed, by size and by number.
    #[test]
    fn counts_what_this_thread_allocates() {
        let (before, calls) = (held(), allocations());
        let block = std::hint::black_box(vec![0_u8; 100_000]);
        assert!(held() - before >= 100_000);
        assert!(allocations() > calls);
        drop(block);
        assert!(held() - before < 100_000);
    }

    /// Pieces are counted by number, whatever their size.
    #[test]
    fn counts_pieces() {
        let before = blocks();
        let pieces: Vec<Box<i32>> = (0..1000)
            .map(|n| std::hint::black_box(Box::new(n)))
            .collect();
        assert!(blocks() - before >= 1000);
        drop(pieces);
        assert!(blocks() - before < 1000);
    }

    /// So is it by any allocation beyond the limit.
    #[test]
    fn an_allocation_beyond_the_limit_sets_the_alarm_off() {
        set_alarm(7);
        set_limit(held() + 1000);
        let within = std::hint::black_box(vec![0_u8; 900]);
        assert_eq!(alarm(), 7);
        let beyond = std::hint::black_box(vec![0_u8; 900]);
        assert_eq!(alarm(), 0);
        drop((within, beyond));
        set_limit(isize::MAX);
        set_alarm(u64::MAX);
    }

    /// Whoever watches is woken by a large allocation and by no small one.
    #[test]
    fn a_large_allocation_sets_the_alarm_off() {
        set_alarm(7);
        let small = std::hint::black_box(vec![0_u8; 1000]);
        assert_eq!(alarm(), 7);
        let large = std::hint::black_box(vec![0_u8; 100_000]);
        assert_eq!(alarm(), 0);
        drop((small, large));
        set_alarm(u64::MAX);
    }
}
