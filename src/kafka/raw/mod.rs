//! The one place that calls librdkafka's C functions; everything it hands out is safe to use.
//!
//! Everything in this folder, and nothing outside it, is `unsafe`.
//! `Client` owns a handle, `Queue` and `Topic` and `Message` are what a handle gives out. rdkafka's
//! own consumer and producer are not used because they cost an `Arc` and two clock readings a message,
//! hide the result of an asynchronous commit, and poll away messages while they close.
//!
//! The order that keeps this sound: whoever holds a `Client` beside queues, topics or messages of it
//! declares the `Client` last, so that it is dropped last.

mod admin;
mod callbacks;
mod fetching;
mod groups;
mod mock;
mod offsets;
mod produce;
mod queue;
mod remove;
mod sight;
mod texts;
mod transactions;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::config::NativeClientConfig;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaType;
use tokio::sync::Notify;

use super::context::Context;
use super::error::KafkaError;
use super::masked::masked;
use fetching::Credentials;
use sight::Sight;

pub(super) use admin::{NewTopic, TopicFound};
pub(super) use groups::GroupClient;
pub(super) use produce::{Headers, Produce, Topic};
pub(super) use queue::{Event, Message, Queue};
pub(super) use texts::{code_from, describe, properties};
pub use transactions::GroupMetadata;

/// To be called before anything else of this room, once: keeps OpenSSL's tables until the process is gone.
///
/// Else they are freed when `main` returns, and a connection that is made at that moment crashes.
pub fn prepare() {
    const NO_ATEXIT: u64 = 0x0008_0000;
    unsafe extern "C" {
        // Of OpenSSL 1.1.1 and later, which librdkafka is linked with.
        fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
    }
    // SAFETY: without settings it takes a null pointer; it may be called from any thread.
    let done = unsafe { OPENSSL_init_crypto(NO_ATEXIT, ptr::null()) };
    if done != 1 {
        tracing::debug!("OpenSSL is not prepared; it prepares itself when it is used");
    }
}

/// A librdkafka handle and the context that its callbacks write to.
pub(in crate::kafka) struct Client {
    handle: NonNull<sys::rd_kafka_t>,
    context: Arc<Context>,
    sight: Arc<Sight>,
    credentials: Credentials,
}

// SAFETY: librdkafka's handles are thread-safe by its documentation, and the context is `Sync`.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// How a partition came back from a request.
pub(in crate::kafka) struct PartitionResult {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Text of whoever committed; what is not UTF-8 in it is replaced.
    pub metadata: String,
    pub code: Code,
}

impl Client {
    /// Creates a handle whose log lines, errors and rebalances go to `context`.
    pub fn new(
        kind: RDKafkaType,
        config: &rdkafka::ClientConfig,
        context: Arc<Context>,
        delivery_events: bool,
    ) -> Result<Client, KafkaError> {
        let credentials = Credentials::of(config)?;
        let sight = Sight::new(config.get("bootstrap.servers").unwrap_or_default());
        let config: NativeClientConfig = config.create_native_config()?;
        let mut text = [0 as c_char; 512];
        let opaque = Arc::as_ptr(&context).cast_mut().cast::<c_void>();
        // SAFETY: the configuration is valid; the callbacks match their C types; context and sight outlive
        // the handle because `destroy` drops them after the handle is gone. `rd_kafka_new` takes the
        // configuration, also one that it refuses: then it has freed its interceptors, which destroying
        // it would free again. So some kilobytes are leaked for each mistake in a configuration.
        let handle = unsafe {
            let conf = config.ptr();
            sys::rd_kafka_conf_set_opaque(conf, opaque);
            sys::rd_kafka_conf_set_log_cb(conf, Some(callbacks::on_log));
            sys::rd_kafka_conf_set_error_cb(conf, Some(callbacks::on_error));
            // Without TLS in the build there are no certificates to look at.
            sys::rd_kafka_conf_set_ssl_cert_verify_cb(conf, Some(callbacks::on_certificate));
            sys::rd_kafka_conf_set_stats_cb(conf, Some(callbacks::on_statistics));
            sight.watch(conf);
            if kind == RDKafkaType::RD_KAFKA_CONSUMER {
                sys::rd_kafka_conf_set_rebalance_cb(conf, Some(callbacks::on_rebalance));
            }
            if delivery_events {
                sys::rd_kafka_conf_set_events(
                    conf,
                    sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
                );
            }
            std::mem::forget(config);
            NonNull::new(sys::rd_kafka_new(kind, conf, text.as_mut_ptr(), text.len()))
        };
        match handle {
            Some(handle) => {
                sight.open(handle);
                Ok(Client {
                    handle,
                    context,
                    sight,
                    credentials,
                })
            }
            None => {
                let reason = masked(&c_text(text.as_ptr())).into_owned();
                Err(KafkaError::new("_INVALID_ARG", reason))
            }
        }
    }

    fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.handle.as_ptr()
    }

    /// The consumer's queue, into which everything else of this handle is led.
    pub fn consumer_queue(&self, wake: &Arc<Notify>) -> Result<Queue, KafkaError> {
        // SAFETY: the handle is a consumer's; null is handled.
        let queue = unsafe {
            check(self, sys::rd_kafka_poll_set_consumer(self.ptr()))?;
            sys::rd_kafka_queue_get_consumer(self.ptr())
        };
        Queue::new(queue, Some(wake))
    }

    /// The queue of errors and delivery reports.
    pub fn main_queue(&self, wake: Option<&Arc<Notify>>) -> Result<Queue, KafkaError> {
        // SAFETY: the handle is valid; null is handled.
        Queue::new(unsafe { sys::rd_kafka_queue_get_main(self.ptr()) }, wake)
    }

    /// A queue of its own, for answers.
    pub fn new_queue(&self, wake: &Arc<Notify>) -> Result<Queue, KafkaError> {
        // SAFETY: the handle is valid; null is handled.
        Queue::new(unsafe { sys::rd_kafka_queue_new(self.ptr()) }, Some(wake))
    }

    pub fn subscribe(&self, topics: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid; librdkafka copies the list.
        check(self, unsafe {
            sys::rd_kafka_subscribe(self.ptr(), topics.ptr())
        })
    }

    pub fn unsubscribe(&self) -> Result<(), KafkaError> {
        // SAFETY: the handle is valid.
        check(self, unsafe { sys::rd_kafka_unsubscribe(self.ptr()) })
    }

    /// Sends a commit; its answer arrives on `answers`.
    pub fn commit(&self, offsets: &TopicPartitionList, answers: &Queue) -> Result<(), KafkaError> {
        // SAFETY: the pointers are valid; without a callback the answer is an event on the queue.
        check(self, unsafe {
            sys::rd_kafka_commit_queue(
                self.ptr(),
                offsets.ptr(),
                answers.ptr(),
                None,
                ptr::null_mut(),
            )
        })
    }

    /// The member id that the coordinator gave; empty while there is none.
    pub fn member_id(&self) -> String {
        // SAFETY: the text is librdkafka's to free, and is copied before.
        unsafe {
            let id = sys::rd_kafka_memberid(self.ptr());
            if id.is_null() {
                return String::new();
            }
            let copy = c_text(id);
            sys::rd_kafka_mem_free(self.ptr(), id.cast());
            copy
        }
    }

    /// Begins closing; serve `queue` until [`Client::closed`].
    pub fn begin_close(&self, queue: &Queue) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check_error(unsafe { sys::rd_kafka_consumer_close_queue(self.ptr(), queue.ptr()) })
    }

    pub fn closed(&self) -> bool {
        // SAFETY: the handle is valid.
        unsafe { sys::rd_kafka_consumer_closed(self.ptr()) == 1 }
    }

    /// The error that ended this client for good, if one did.
    pub fn fatal_error(&self) -> Option<KafkaError> {
        let mut text = [0 as c_char; 512];
        // SAFETY: the buffer is as long as is said.
        let code = unsafe { sys::rd_kafka_fatal_error(self.ptr(), text.as_mut_ptr(), text.len()) };
        (code != Code::RD_KAFKA_RESP_ERR_NO_ERROR)
            .then(|| KafkaError::of(code, &c_text(text.as_ptr())).fatal())
    }
}

impl Drop for Client {
    /// Destroys the handle on a thread of its own: librdkafka joins its threads while destroying, and
    /// one that is connecting may take its time.
    fn drop(&mut self) {
        struct Remains(
            NonNull<sys::rd_kafka_t>,
            #[allow(dead_code)] Arc<Context>,
            #[allow(dead_code)] Arc<Sight>,
        );
        // SAFETY: the handle may be destroyed from any thread.
        unsafe impl Send for Remains {}
        impl Remains {
            fn destroy(self) {
                // SAFETY: the handle is valid and used nowhere else any more; what its callbacks write to
                // is dropped after it. Closing was done before, or is given up: never again from in here.
                unsafe {
                    sys::rd_kafka_destroy_flags(
                        self.0.as_ptr(),
                        sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                    );
                }
            }
        }
        self.sight.close();
        let remains = Remains(self.handle, self.context.clone(), self.sight.clone());
        let done = self.context.destroyed.clone();
        let spawned = std::thread::Builder::new()
            .name("kafka-destroy".into())
            .spawn(move || {
                remains.destroy();
                done.set();
            });
        if let Err(error) = spawned {
            // The handle is leaked rather than destroyed here, where it might block.
            tracing::warn!(%error, "can't start a thread to free a Kafka client");
        }
    }
}

unsafe fn cooperative(handle: *mut sys::rd_kafka_t) -> bool {
    // SAFETY: the caller's handle is valid; the text is static or null.
    unsafe {
        let protocol = sys::rd_kafka_rebalance_protocol(handle);
        !protocol.is_null() && CStr::from_ptr(protocol).to_bytes() == b"COOPERATIVE"
    }
}

unsafe fn partitions(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<PartitionResult> {
    // SAFETY: the caller's list is null or valid, with `cnt` elements.
    unsafe {
        let Some(list) = list.as_ref() else {
            return Vec::new();
        };
        (0..usize::try_from(list.cnt).unwrap_or(0))
            .map(|index| {
                let element = &*list.elems.add(index);
                PartitionResult {
                    topic: c_text(element.topic),
                    partition: element.partition,
                    offset: element.offset,
                    metadata: bytes(element.metadata, element.metadata_size)
                        .map(|text| String::from_utf8_lossy(text).into_owned())
                        .unwrap_or_default(),
                    code: element.err,
                }
            })
            .collect()
    }
}

unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller knows that a start which is not null has so many bytes.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

/// What a request filled into the list that it was given.
pub(super) fn results(list: &TopicPartitionList) -> Vec<PartitionResult> {
    // SAFETY: the list is valid.
    unsafe { partitions(list.ptr()) }
}

fn first_error(list: &TopicPartitionList) -> Result<(), KafkaError> {
    for result in results(list) {
        if result.code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            let place = format!("{}/{}", result.topic, result.partition);
            return Err(KafkaError::of(result.code, &place));
        }
    }
    Ok(())
}

fn check(client: &Client, code: Code) -> Result<(), KafkaError> {
    match code {
        Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        Code::RD_KAFKA_RESP_ERR__FATAL => Err(client
            .fatal_error()
            .unwrap_or_else(|| KafkaError::of(code, ""))),
        code => Err(KafkaError::of(code, "")),
    }
}

fn check_error(error: *mut sys::rd_kafka_error_t) -> Result<(), KafkaError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is owned, read, and destroyed once.
    unsafe {
        let code = sys::rd_kafka_error_code(error);
        let mut result = KafkaError::of(code, &c_text(sys::rd_kafka_error_string(error)));
        result.retriable |= sys::rd_kafka_error_is_retriable(error) == 1;
        result.fatal |= sys::rd_kafka_error_is_fatal(error) == 1;
        result.aborts = sys::rd_kafka_error_txn_requires_abort(error) == 1;
        sys::rd_kafka_error_destroy(error);
        Err(result)
    }
}

fn c_string(text: &str) -> Result<CString, KafkaError> {
    CString::new(text).map_err(|_| {
        KafkaError::new(
            "_INVALID_ARG",
            format!("{text:?} has a NUL character in it"),
        )
    })
}

fn c_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: only texts of librdkafka and buffers that it filled come here; they end with NUL.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Milliseconds for librdkafka, rounded up so that a short wait is not none.
fn millis(duration: Duration) -> c_int {
    duration
        .as_micros()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(c_int::MAX)
}
