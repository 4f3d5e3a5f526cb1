//! Producing: topics' handles, headers, and the call that queues a message.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::{Client, c_string};
use crate::kafka::error::KafkaError;

/// A topic of a producer's handle.
pub(in crate::kafka) struct Topic(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: topic handles are reference counted and locked inside librdkafka.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// What [`Client::produce`] queues.
pub(in crate::kafka) struct Produce<'a> {
    /// −1: the partitioner decides.
    pub partition: i32,
    /// Milliseconds; `None`: now.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Option<Headers>,
    /// Comes back in the delivery report.
    pub ticket: usize,
}

/// Headers for one message.
pub(in crate::kafka) struct Headers(*mut sys::rd_kafka_headers_t);

impl Headers {
    pub fn new() -> Headers {
        // SAFETY: allocates; librdkafka aborts when it can't.
        Headers(unsafe { sys::rd_kafka_headers_new(8) })
    }
    pub fn add(&mut self, name: &str, value: Option<&[u8]>) {
        let (value, size) = parts(value);
        // SAFETY: name and value are copied; lengths are given, so no NUL is needed. It fails only
        // for headers that are read-only, which these are not.
        unsafe {
            sys::rd_kafka_header_add(
                self.0,
                name.as_ptr().cast(),
                name.len() as isize,
                value,
                size as isize,
            );
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: owned, and not given away (then this is forgotten).
        unsafe { sys::rd_kafka_headers_destroy(self.0) }
    }
}

impl Client {
    pub fn topic(&self, name: &str) -> Result<Topic, KafkaError> {
        let name_c = c_string(name)?;
        // SAFETY: the pointers are valid; a null configuration means the default one.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.ptr(), name_c.as_ptr(), ptr::null_mut()) };
        NonNull::new(topic).map(Topic).ok_or_else(|| {
            // SAFETY: reads a thread-local.
            let code = unsafe { sys::rd_kafka_last_error() };
            KafkaError::of(code, &format!("`{name}` is no name for a topic"))
        })
    }

    /// Queues one message; librdkafka copies what it is given.
    pub fn produce(&self, topic: &Topic, message: Produce<'_>) -> Result<(), Code> {
        let (value, value_len) = parts(message.value);
        let (key, key_len) = parts(message.key);
        if message.timestamp.is_none() && message.headers.is_none() {
            // SAFETY: the pointers are valid for the call, and the payload is copied (F_COPY).
            unsafe {
                let failed = sys::rd_kafka_produce(
                    topic.0.as_ptr(),
                    message.partition,
                    sys::RD_KAFKA_MSG_F_COPY,
                    value,
                    value_len,
                    key,
                    key_len,
                    message.ticket as *mut c_void,
                );
                return if failed == 0 {
                    Ok(())
                } else {
                    Err(sys::rd_kafka_last_error())
                };
            }
        }
        use sys::rd_kafka_vtype_t as Type;
        let item = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        type Value = sys::rd_kafka_vu_s__bindgen_ty_1;
        let mem = |ptr: *mut c_void, size| Value {
            mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size },
        };
        let headers = message.headers.as_ref().map_or(ptr::null_mut(), |h| h.0);
        let mut items = [
            item(
                Type::RD_KAFKA_VTYPE_RKT,
                Value {
                    rkt: topic.0.as_ptr(),
                },
            ),
            item(
                Type::RD_KAFKA_VTYPE_PARTITION,
                Value {
                    i32_: message.partition,
                },
            ),
            item(
                Type::RD_KAFKA_VTYPE_MSGFLAGS,
                Value {
                    i: sys::RD_KAFKA_MSG_F_COPY,
                },
            ),
            item(Type::RD_KAFKA_VTYPE_VALUE, mem(value, value_len)),
            item(Type::RD_KAFKA_VTYPE_KEY, mem(key, key_len)),
            item(
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                Value {
                    i64_: message.timestamp.unwrap_or(0),
                },
            ),
            item(
                Type::RD_KAFKA_VTYPE_OPAQUE,
                Value {
                    ptr: message.ticket as *mut c_void,
                },
            ),
            item(Type::RD_KAFKA_VTYPE_END, Value { i: 0 }),
        ];
        let mut count = items.len() - 1;
        if !headers.is_null() {
            items[count] = item(Type::RD_KAFKA_VTYPE_HEADERS, Value { headers });
            count += 1;
        }
        // SAFETY: every union field is the one that its type asks for; the headers become
        // librdkafka's only when it succeeds, and are then no longer dropped here.
        unsafe {
            let error = sys::rd_kafka_produceva(self.ptr(), items.as_ptr(), count);
            if error.is_null() {
                std::mem::forget(message.headers);
                return Ok(());
            }
            let code = sys::rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            Err(code)
        }
    }

    /// Messages and reports that are not yet out of this producer.
    pub fn unfinished(&self) -> usize {
        // SAFETY: the handle is valid.
        unsafe { sys::rd_kafka_outq_len(self.ptr()) }.max(0) as usize
    }

    /// Ends the linger of what is queued; does not wait.
    pub fn hurry(&self) {
        // SAFETY: the handle is valid. With a timeout of zero the answer only says whether it was all.
        unsafe { sys::rd_kafka_flush(self.ptr(), 0) };
    }

    /// Gives up everything that is queued or on its way.
    pub fn purge(&self) {
        let all = sys::RD_KAFKA_PURGE_F_QUEUE
            | sys::RD_KAFKA_PURGE_F_INFLIGHT
            | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the handle is valid. The flags are; else it would refuse, and purge nothing.
        unsafe { sys::rd_kafka_purge(self.ptr(), all) };
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the topic is valid and this reference is given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    match bytes {
        Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
        None => (ptr::null_mut(), 0),
    }
}
