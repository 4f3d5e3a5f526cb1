//! Foreign clients that hear nothing any more.
//!
//! A cluster that comes up again may answer for a moment that it has no brokers, and librdkafka may then
//! forget for good where they were (its issue 5301). The tests' own clients are told again.

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_brokers_add;
use rdkafka::client::{Client, ClientContext};

/// No test has a cluster away for as long as several of these.
const LONG: Duration = Duration::from_secs(10);

/// How long a client has heard nothing.
#[derive(Debug)]
pub struct Silence(Mutex<Instant>);

impl Default for Silence {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Silence {
    /// Something was heard.
    pub fn ends(&self) {
        *self.since() = Instant::now();
    }

    fn since(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the client where the brokers are, if it has been silent for long; then not again for as long.
    pub fn look<C: ClientContext>(&self, client: &Client<C>, servers: &str) {
        let mut since = self.since();
        if since.elapsed() < LONG {
            return;
        }
        *since = Instant::now();
        let servers = CString::new(servers).unwrap_or_else(|error| panic!("{servers}: {error}"));
        // SAFETY: the client lives, and the text is copied.
        unsafe { rd_kafka_brokers_add(client.native_ptr(), servers.as_ptr()) };
    }
}
