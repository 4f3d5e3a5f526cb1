//! Clients that have lost sight of all brokers are led back to where they began.
//!
//! A cluster that comes up again may answer for a moment that it has no brokers. librdkafka then forgets
//! all that it knew, and the end of the same answer can call off its way back to `bootstrap.servers`
//! (`rd_kafka_rebootstrap`, `rd_kafka_rebootstrap_tmr_stop`; librdkafka's issue 5301): such a client
//! would be silent for good, and say nothing about it. So one thread looks after all clients.

use std::collections::HashSet;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::c_text;
use crate::kafka::context::lock;

/// Between two looks at all clients.
const LOOK: Duration = Duration::from_secs(1);

/// librdkafka's own ways back take less, where they are not called off.
const PATIENCE: Duration = Duration::from_secs(5);

/// librdkafka keeps a copy of the addresses each time, so it is told ever less often.
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// The connections that one client has to brokers.
#[derive(Debug)]
pub(in crate::kafka) struct Sight {
    /// Where it begins.
    servers: CString,
    seen: Mutex<Seen>,
    /// `None` before there is a handle, and from its destruction on.
    handle: Mutex<Option<Handle>>,
}

#[derive(Debug)]
struct Seen {
    up: HashSet<Broker>,
    /// Since when there has been none.
    since: Instant,
    patience: Duration,
}

/// A broker by its number, which is below 0 before it is known, its host and its port.
type Broker = (i32, String, i32);

#[derive(Debug)]
struct Handle(NonNull<sys::rd_kafka_t>);

// SAFETY: librdkafka's handles may be used from any thread by its documentation.
unsafe impl Send for Handle {}

impl Sight {
    /// Of a client that begins at these addresses.
    pub fn new(servers: &str) -> Arc<Sight> {
        Arc::new(Sight {
            // What has a zero in it is refused as a property.
            servers: CString::new(servers).unwrap_or_default(),
            seen: Mutex::new(Seen::new(Instant::now())),
            handle: Mutex::new(None),
        })
    }

    /// Has the client that is created with this configuration tell of its brokers.
    ///
    /// # Safety
    /// `conf` is valid, and the sight lives until the handle that is made with it is destroyed.
    pub unsafe fn watch(self: &Arc<Sight>, conf: *mut sys::rd_kafka_conf_t) {
        let opaque = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        // SAFETY: as the caller promises; the name is copied.
        let code = unsafe {
            sys::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), opaque)
        };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            tracing::debug!("a client's brokers are not looked after");
        }
    }

    /// From now on it is looked after.
    pub fn open(self: &Arc<Sight>, handle: NonNull<sys::rd_kafka_t>) {
        if self.servers.is_empty() {
            return;
        }
        *lock(&self.handle) = Some(Handle(handle));
        all().push(Arc::downgrade(self));
    }

    /// Before its handle is destroyed.
    pub fn close(&self) {
        *lock(&self.handle) = None;
    }

    fn look(&self, now: Instant) {
        if !lock(&self.seen).is_lost(now) {
            return;
        }
        let handle = lock(&self.handle);
        if let Some(Handle(handle)) = &*handle {
            tracing::debug!(
                "a client sees no broker; it begins again at {:?}",
                self.servers
            );
            // SAFETY: the handle is destroyed only after `close`, which waits for this lock; the text
            // is copied.
            unsafe { sys::rd_kafka_brokers_add(handle.as_ptr(), self.servers.as_ptr()) };
        }
    }
}

impl Seen {
    fn new(now: Instant) -> Self {
        Self {
            up: HashSet::new(),
            since: now,
            patience: PATIENCE,
        }
    }

    fn changed(&mut self, broker: Broker, up: bool, now: Instant) {
        if up {
            self.up.insert(broker);
            self.patience = PATIENCE;
        } else if self.up.remove(&broker) && self.up.is_empty() {
            self.since = now;
        }
    }

    /// Whether it is time to do something; then not again for a while.
    fn is_lost(&mut self, now: Instant) -> bool {
        let lost = self.up.is_empty() && now.duration_since(self.since) >= self.patience;
        if lost {
            self.since = now;
            self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        }
        lost
    }
}

/// All clients, and the thread that looks after them.
fn all() -> MutexGuard<'static, Vec<Weak<Sight>>> {
    static ALL: OnceLock<Mutex<Vec<Weak<Sight>>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let spawned = std::thread::Builder::new()
            .name("kafka-sight".into())
            .spawn(|| {
                loop {
                    std::thread::sleep(LOOK);
                    look_after_all();
                }
            });
        if let Err(error) = spawned {
            tracing::warn!(%error, "can't start a thread to look after Kafka clients");
        }
        Mutex::default()
    });
    lock(all)
}

fn look_after_all() {
    let mut clients = Vec::new();
    all().retain(|client| {
        let client = client.upgrade();
        let lives = client.is_some();
        clients.extend(client);
        lives
    });
    let now = Instant::now();
    clients.iter().for_each(|client| client.look(now));
}

const NAME: &std::ffi::CStr = c"sight";

unsafe extern "C" fn on_new(
    handle: *mut sys::rd_kafka_t,
    _conf: *const sys::rd_kafka_conf_t,
    sight: *mut c_void,
    _text: *mut c_char,
    _text_size: usize,
) -> Code {
    // SAFETY: this is the place to add it; the name is copied.
    unsafe {
        sys::rd_kafka_interceptor_add_on_broker_state_change(
            handle,
            NAME.as_ptr(),
            Some(on_broker),
            sight,
        )
    }
}

/// On the broker's own thread, which holds a lock of librdkafka's: only noted.
unsafe extern "C" fn on_broker(
    _handle: *mut sys::rd_kafka_t,
    id: i32,
    _protocol: *const c_char,
    name: *const c_char,
    port: c_int,
    state: *const c_char,
    sight: *mut c_void,
) -> Code {
    // The ways to coordinators have no port: they lead to brokers that have one.
    if port != 0 {
        // SAFETY: the opaque is the sight, which outlives the handle; the texts live for the call.
        unsafe {
            if let Some(sight) = sight.cast::<Sight>().as_ref() {
                let up = c_text(state) == "UP";
                lock(&sight.seen).changed((id, c_text(name), port), up, Instant::now());
            }
        }
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(id: i32) -> Broker {
        (id, "host".to_owned(), 9092)
    }

    /// A client that sees no broker for some seconds is lost, again at growing distances, and no more
    /// when it sees one.
    #[test]
    fn a_client_without_brokers_is_lost_at_growing_distances() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::new(start);
        let lost: Vec<u64> = (0..200)
            .filter(|second| seen.is_lost(at(*second)))
            .collect();
        assert_eq!(lost, [5, 15, 35, 75, 135, 195]);
        seen.changed(broker(1), true, at(200));
        assert!(!seen.is_lost(at(1000)));
        seen.changed(broker(1), false, at(1000));
        assert!(!seen.is_lost(at(1004)) && seen.is_lost(at(1005)));
    }

    /// As long as one is left it is not, and one that was never up changes nothing.
    #[test]
    fn a_client_with_a_broker_left_is_not_lost() {
        let start = Instant::now();
        let mut seen = Seen::new(start);
        seen.changed(broker(1), true, start);
        seen.changed(broker(2), true, start);
        seen.changed(broker(1), false, start);
        seen.changed(broker(3), false, start);
        assert!(!seen.is_lost(start + Duration::from_secs(100)));
    }
}
