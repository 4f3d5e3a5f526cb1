//! Queues and what comes out of them: messages and events.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use tokio::sync::Notify;

use super::{PartitionResult, bytes, c_text, millis, partitions};
use crate::kafka::error::KafkaError;

/// A queue of a handle, with the `Notify` that its event callback tells.
pub(in crate::kafka) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Read by the callback through a raw pointer, so it lives as long as the queue.
    wake: Option<Arc<Wake>>,
}

/// Told when the queue goes from empty to not empty, and only then: whoever is told must empty it.
pub(super) struct Wake {
    notify: Arc<Notify>,
    told: AtomicBool,
}

// SAFETY: queues are thread-safe by librdkafka's documentation.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

/// A message, or an error in a message's place, that the consumer's queue gave.
pub(in crate::kafka) struct Message(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message is owned by whoever holds it; librdkafka does not bind it to a thread.
unsafe impl Send for Message {}

/// Something that a queue gave beside messages.
pub(in crate::kafka) struct Event(NonNull<sys::rd_kafka_event_t>);

impl Queue {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.queue.as_ptr()
    }

    pub(super) fn new(
        queue: *mut sys::rd_kafka_queue_t,
        wake: Option<&Arc<Notify>>,
    ) -> Result<Queue, KafkaError> {
        let queue = NonNull::new(queue).ok_or_else(|| {
            KafkaError::new("_STATE", "the Kafka client has no such queue".into())
        })?;
        let wake = wake.map(|notify| {
            Arc::new(Wake {
                notify: notify.clone(),
                // Something may be in it from before it tells.
                told: AtomicBool::new(true),
            })
        });
        if let Some(wake) = &wake {
            // SAFETY: `Queue` keeps the `Wake` alive, and disables the callback before it goes.
            unsafe {
                sys::rd_kafka_queue_cb_event_enable(
                    queue.as_ptr(),
                    Some(on_not_empty),
                    Arc::as_ptr(wake).cast_mut().cast(),
                );
            }
        }
        Ok(Queue { queue, wake })
    }

    /// Whether something may have come since the last call; if so, take events until there is none.
    pub fn told(&self) -> bool {
        self.wake
            .as_ref()
            .is_none_or(|wake| wake.told.swap(false, Ordering::AcqRel))
    }

    /// Serves callbacks and appends up to `MAX` messages; waits at most `wait` for the first.
    ///
    /// Not for a client with `enable.partition.eof`, whose ends count as messages here: where fetching
    /// begins anew, as when a partition's leader or the topic changes, it would go on one message too far
    /// (`rd_kafka_q_serve_rkmessages`). That one is for [`Queue::take_singly`].
    pub fn take<const MAX: usize>(
        &self,
        most: usize,
        wait: Duration,
        into: &mut impl Extend<Message>,
    ) -> usize {
        let mut slots: [*mut sys::rd_kafka_message_t; MAX] = [ptr::null_mut(); MAX];
        // SAFETY: the array has room for `MAX`, and what is returned is how many were written.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                millis(wait),
                slots.as_mut_ptr(),
                most.min(MAX),
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(MAX);
        into.extend(
            slots[..count]
                .iter()
                .filter_map(|slot| NonNull::new(*slot))
                .map(Message),
        );
        count
    }

    /// Does as [`Queue::take`] for any client, at a somewhat higher price a message.
    pub fn take_singly(&self, most: usize, wait: Duration, into: &mut impl Extend<Message>) {
        let mut wait = millis(wait);
        for _ in 0..most {
            // SAFETY: the queue is valid; the message is owned by whoever gets it.
            let message = unsafe { sys::rd_kafka_consume_queue(self.queue.as_ptr(), wait) };
            let Some(message) = NonNull::new(message) else {
                return;
            };
            into.extend([Message(message)]);
            wait = 0;
        }
    }

    /// The next event; waits at most `wait`.
    pub fn event(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is valid; the event is owned by whoever gets it.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), millis(wait)) })
            .map(Event)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue is valid; after the first call the callback is no longer called (it is
        // called under the queue's lock, which that call takes).
        unsafe {
            if self.wake.is_some() {
                sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

impl Message {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: valid until dropped, and nobody writes to it.
        unsafe { self.0.as_ref() }
    }
    pub fn code(&self) -> Code {
        self.raw().err
    }
    pub fn is_error(&self) -> bool {
        self.code() != Code::RD_KAFKA_RESP_ERR_NO_ERROR
    }
    pub fn topic(&self) -> &str {
        // SAFETY: the name lives as long as the topic, which the message holds; null is handled.
        unsafe {
            let topic = self.raw().rkt;
            if topic.is_null() {
                return "";
            }
            CStr::from_ptr(sys::rd_kafka_topic_name(topic))
                .to_str()
                .unwrap_or_default()
        }
    }
    pub fn partition(&self) -> i32 {
        self.raw().partition
    }
    pub fn offset(&self) -> i64 {
        self.raw().offset
    }
    /// The value; of an error, its text.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: librdkafka says where the bytes are, and they live as long as the message.
        unsafe { bytes(self.raw().payload, self.raw().len) }
    }
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.raw().key, self.raw().key_len) }
    }
    pub fn timestamp(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        (time >= 0).then_some(time)
    }
    /// Calls `take` with each header.
    pub fn headers(&self, mut take: impl FnMut(&str, Option<&[u8]>)) {
        let mut headers = ptr::null_mut();
        // SAFETY: the headers belong to the message; every pointer is read before the next call, and
        // the bytes live as long as the message.
        unsafe {
            let found = sys::rd_kafka_message_headers(self.0.as_ptr(), &mut headers);
            if found != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let found =
                    sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if found != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                let name = CStr::from_ptr(name).to_string_lossy();
                take(&name, bytes(value, size));
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the message is valid and owned.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// The messages that a delivery report tells of: ticket and error.
    pub fn deliveries(&self, mut take: impl FnMut(u64, Code, &dyn Fn() -> String)) {
        // SAFETY: other kinds of events have no messages; the messages belong to the event.
        unsafe {
            loop {
                let message = sys::rd_kafka_event_message_next(self.0.as_ptr());
                let Some(message) = message.as_ref() else {
                    return;
                };
                let topic = || c_text(sys::rd_kafka_topic_name(message.rkt));
                take(message._private as u64, message.err, &topic);
            }
        }
    }

    /// The error of an error event.
    pub fn error(&self) -> Option<(Code, String)> {
        // SAFETY: the event is valid; its text lives as long.
        unsafe {
            (sys::rd_kafka_event_type(self.0.as_ptr()) == sys::RD_KAFKA_EVENT_ERROR).then(|| {
                (
                    sys::rd_kafka_event_error(self.0.as_ptr()),
                    c_text(sys::rd_kafka_event_error_string(self.0.as_ptr())),
                )
            })
        }
    }

    /// librdkafka's statistics, of an event that tells them: a queue whose events are taken gives them so,
    /// and one whose messages are taken calls back with them.
    pub fn statistics(&self) -> Option<&[u8]> {
        // SAFETY: the event is of the kind asked for; its text ends with NUL and lives as long.
        unsafe {
            if sys::rd_kafka_event_type(self.0.as_ptr()) != sys::RD_KAFKA_EVENT_STATS {
                return None;
            }
            let text = sys::rd_kafka_event_stats(self.0.as_ptr());
            (!text.is_null()).then(|| CStr::from_ptr(text).to_bytes())
        }
    }

    /// The answer to a commit: the error of the whole, and each partition's.
    pub fn commit(&self) -> Option<(Code, Vec<PartitionResult>)> {
        // SAFETY: the event is of the kind asked for; its list lives as long.
        unsafe {
            let event = self.0.as_ptr();
            if sys::rd_kafka_event_type(event) != sys::RD_KAFKA_EVENT_OFFSET_COMMIT {
                return None;
            }
            let list = sys::rd_kafka_event_topic_partition_list(event);
            Some((sys::rd_kafka_event_error(event), partitions(list)))
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is valid and owned.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

unsafe extern "C" fn on_not_empty(_: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `Queue` keeps the `Wake` alive while this may be called.
    if let Some(wake) = unsafe { opaque.cast::<Wake>().as_ref() } {
        wake.told.store(true, Ordering::Release);
        wake.notify.notify_one();
    }
}
