//! How much heap this thread holds, counted where it is allocated.
//!
//! `Counting` is the process's allocator: the system's, with a count per thread beside it. The
//! meter reads [`held`] between two operations of a script. Nothing here knows scripts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    // `const` and without a destructor, so that reading it is one load and never allocates.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Bytes allocated less bytes freed by this thread since it began.
///
/// What one thread allocates and another frees counts for both, so only differences over a stretch
/// of one thread's own work mean anything; the value can be negative.
#[inline]
pub fn held() -> isize {
    HELD.with(Cell::get)
}

/// How many times this thread has asked for memory.
#[inline]
pub fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// The system's allocator with a count per thread.
struct Counting;

#[inline]
fn add(bytes: isize) {
    HELD.with(|held| held.set(held.get().wrapping_add(bytes)));
}

#[inline]
fn count() {
    ALLOCATIONS.with(|count| count.set(count.get().wrapping_add(1)));
}

// SAFETY: every call is handed to the system's allocator unchanged; the counters are thread-local
// cells that neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        count();
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        count();
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        count();
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
}
