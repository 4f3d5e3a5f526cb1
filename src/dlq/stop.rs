//! Being told to stop, from outside of what is to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Told once, heard by every clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// Completes when it is asked.
    pub async fn asked(&self) {
        let told = self.0.notify.notified();
        // Registered before the look, so that nothing falls between the two.
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.is_asked() {
            told.await;
        }
    }

    /// Waits so long, or until it is asked: whether it is.
    pub async fn wait(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.asked()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks before anybody waits is heard all the same.
    #[tokio::test]
    async fn a_stop_is_never_missed() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)).await);
        let other = stop.clone();
        let waiting = tokio::spawn(async move { other.wait(Duration::from_secs(60)).await });
        stop.ask();
        assert!(waiting.await.expect("no panic"));
        assert!(stop.wait(Duration::from_secs(60)).await);
    }
}
