//! Waiting for a condition: the only place in the tests where time passes by itself.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` has an answer.
///
/// `look` says with `Err` what it saw instead; at the deadline the last such word is in the panic.
#[track_caller]
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let begin = Instant::now();
    loop {
        let seen = match look() {
            Ok(answer) => return answer,
            Err(seen) => seen,
        };
        assert!(
            begin.elapsed() < deadline,
            "waited {deadline:?} for: {what}\nlast seen: {seen}"
        );
        std::thread::park_timeout(PAUSE);
    }
}
