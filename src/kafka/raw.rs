//! The one place that calls librdkafka's C functions; everything it hands out is safe to use.
//!
//! `Client` owns a handle, `Queue` and `Topic` and `Message` are what a handle gives out. rdkafka's
//! own consumer and producer are not used because they cost an `Arc` and two clock readings a message,
//! hide the result of an asynchronous commit, and poll away messages while they close.
//!
//! The order that keeps this sound: whoever holds a `Client` beside queues, topics or messages of it
//! declares the `Client` last, so that it is dropped last.

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

/// A librdkafka handle and the context that its callbacks write to.
pub(super) struct Client {
    handle: NonNull<sys::rd_kafka_t>,
    context: Arc<Context>,
}

// SAFETY: librdkafka's handles are thread-safe by its documentation, and the context is `Sync`.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// A queue of a handle, with the `Notify` that its event callback tells.
pub(super) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Read by the callback through a raw pointer, so it lives as long as the queue.
    wake: Option<Arc<Notify>>,
}

// SAFETY: queues are thread-safe by librdkafka's documentation.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

/// A topic of a producer's handle.
pub(super) struct Topic(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: topic handles are reference counted and locked inside librdkafka.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

/// A message, or an error in a message's place, that the consumer's queue gave.
pub(super) struct Message(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message is owned by whoever holds it; librdkafka does not bind it to a thread.
unsafe impl Send for Message {}

/// Something that a queue gave beside messages.
pub(super) struct Event(NonNull<sys::rd_kafka_event_t>);

/// How a partition came back from a request.
pub(super) struct PartitionResult {
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
        let config: NativeClientConfig = config.create_native_config()?;
        let mut text = [0 as c_char; 512];
        let opaque = Arc::as_ptr(&context).cast_mut().cast::<c_void>();
        // SAFETY: the configuration is valid; the callbacks match their C types; the context outlives
        // the handle because `destroy` drops it after the handle is gone. `rd_kafka_new` takes the
        // configuration only when it succeeds, which is when it is forgotten here.
        let handle = unsafe {
            let conf = config.ptr();
            sys::rd_kafka_conf_set_opaque(conf, opaque);
            sys::rd_kafka_conf_set_log_cb(conf, Some(on_log));
            sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            if kind == RDKafkaType::RD_KAFKA_CONSUMER {
                sys::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
            }
            if delivery_events {
                sys::rd_kafka_conf_set_events(
                    conf,
                    sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
                );
            }
            let handle = NonNull::new(sys::rd_kafka_new(
                kind,
                conf,
                text.as_mut_ptr(),
                text.len(),
            ));
            if handle.is_some() {
                std::mem::forget(config);
            }
            handle
        };
        match handle {
            Some(handle) => Ok(Client { handle, context }),
            None => Err(KafkaError::new("_INVALID_ARG", c_text(text.as_ptr()))),
        }
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
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

    /// Adds to the assignment, or replaces it under an eager protocol.
    pub fn assign(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid; librdkafka copies the list.
        unsafe {
            if cooperative(self.ptr()) {
                check_error(sys::rd_kafka_incremental_assign(
                    self.ptr(),
                    partitions.ptr(),
                ))
            } else {
                check(self, sys::rd_kafka_assign(self.ptr(), partitions.ptr()))
            }
        }
    }

    /// Takes from the assignment, or empties it under an eager protocol.
    pub fn unassign(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid; librdkafka copies the list; a null list empties the assignment.
        unsafe {
            if cooperative(self.ptr()) {
                check_error(sys::rd_kafka_incremental_unassign(
                    self.ptr(),
                    partitions.ptr(),
                ))
            } else {
                check(self, sys::rd_kafka_assign(self.ptr(), ptr::null()))
            }
        }
    }

    /// Empties the assignment, whatever the protocol.
    pub fn unassign_all(&self) -> Result<(), KafkaError> {
        // SAFETY: the handle is valid; a null list is allowed.
        check(self, unsafe {
            sys::rd_kafka_assign(self.ptr(), ptr::null())
        })
    }

    pub fn pause(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_pause_partitions(self.ptr(), partitions.ptr())
        })?;
        first_error(partitions)
    }

    pub fn resume(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_resume_partitions(self.ptr(), partitions.ptr())
        })?;
        first_error(partitions)
    }

    pub fn seek(&self, to: &TopicPartitionList, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check_error(unsafe {
            sys::rd_kafka_seek_partitions(self.ptr(), to.ptr(), millis(timeout))
        })?;
        first_error(to)
    }

    /// Fills in the group's committed offsets and their metadata.
    pub fn committed(
        &self,
        partitions: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_committed(self.ptr(), partitions.ptr(), millis(timeout))
        })?;
        first_error(partitions)
    }

    /// Replaces the times, given as offsets, by the offsets of the first message not before them.
    pub fn offsets_for_times(
        &self,
        times: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both pointers are valid.
        check(self, unsafe {
            sys::rd_kafka_offsets_for_times(self.ptr(), times.ptr(), millis(timeout))
        })?;
        first_error(times)
    }

    /// Sends a commit; its answer arrives on `answers`.
    pub fn commit(&self, offsets: &TopicPartitionList, answers: &Queue) -> Result<(), KafkaError> {
        // SAFETY: the pointers are valid; without a callback the answer is an event on the queue.
        check(self, unsafe {
            sys::rd_kafka_commit_queue(
                self.ptr(),
                offsets.ptr(),
                answers.queue.as_ptr(),
                None,
                ptr::null_mut(),
            )
        })
    }

    /// Asks the broker for a partition's first offset and the one after its last.
    pub fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let topic = c_string(topic)?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the pointers are valid for the call.
        check(self, unsafe {
            sys::rd_kafka_query_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
                millis(timeout),
            )
        })?;
        Ok((low, high))
    }

    /// The high watermark that the last fetch answer told.
    pub fn known_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = c_string(topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the pointers are valid for the call.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &mut low,
                &mut high,
            )
        };
        (code == Code::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }

    /// Asks for the metadata of all topics, or only of those known here, and forgets the answer:
    /// librdkafka has then seen what is new.
    pub fn refresh_metadata(&self, all: bool, timeout: Duration) -> Result<(), KafkaError> {
        let mut answer: *const sys::rd_kafka_metadata = ptr::null();
        // SAFETY: the pointers are valid; the answer is destroyed once and only if there is one.
        unsafe {
            let code = sys::rd_kafka_metadata(
                self.ptr(),
                c_int::from(all),
                ptr::null_mut(),
                &mut answer,
                millis(timeout),
            );
            if !answer.is_null() {
                sys::rd_kafka_metadata_destroy(answer);
            }
            check(self, code)
        }
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
        check_error(unsafe {
            sys::rd_kafka_consumer_close_queue(self.ptr(), queue.queue.as_ptr())
        })
    }

    pub fn closed(&self) -> bool {
        // SAFETY: the handle is valid.
        unsafe { sys::rd_kafka_consumer_closed(self.ptr()) == 1 }
    }

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
            item(Type::RD_KAFKA_VTYPE_RKT, Value { rkt: topic.0.as_ptr() }),
            item(
                Type::RD_KAFKA_VTYPE_PARTITION,
                Value { i32_: message.partition },
            ),
            item(
                Type::RD_KAFKA_VTYPE_MSGFLAGS,
                Value { i: sys::RD_KAFKA_MSG_F_COPY },
            ),
            item(Type::RD_KAFKA_VTYPE_VALUE, mem(value, value_len)),
            item(Type::RD_KAFKA_VTYPE_KEY, mem(key, key_len)),
            item(
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                Value { i64_: message.timestamp.unwrap_or(0) },
            ),
            item(
                Type::RD_KAFKA_VTYPE_OPAQUE,
                Value { ptr: message.ticket as *mut c_void },
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

    /// The error that ended this client for good, if one did.
    pub fn fatal_error(&self) -> Option<KafkaError> {
        let mut text = [0 as c_char; 512];
        // SAFETY: the buffer is as long as is said.
        let code =
            unsafe { sys::rd_kafka_fatal_error(self.ptr(), text.as_mut_ptr(), text.len()) };
        (code != Code::RD_KAFKA_RESP_ERR_NO_ERROR)
            .then(|| KafkaError::of(code, &c_text(text.as_ptr())).fatal())
    }

    /// Where the brokers listen that `test.mock.num.brokers` started in this client.
    pub fn mock_servers(&self) -> Option<String> {
        // SAFETY: a client without mock brokers gives null.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            (!cluster.is_null()).then(|| c_text(sys::rd_kafka_mock_cluster_bootstraps(cluster)))
        }
    }

    pub fn mock_rebalance_delay(&self, delay: Duration) {
        // SAFETY: null is checked; the function takes the cluster's lock.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if !cluster.is_null() {
                sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, millis(delay));
            }
        }
    }

    pub fn mock_create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let name_c = c_string(name)?;
        // SAFETY: null is checked; the function hands the work to the cluster's own thread.
        let code = unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if cluster.is_null() {
                return Err(KafkaError::new(
                    "_STATE",
                    "this client has no embedded broker".into(),
                ));
            }
            sys::rd_kafka_mock_topic_create(cluster, name_c.as_ptr(), partitions, 1)
        };
        check(self, code)
    }

    /// Takes the embedded broker down or up again.
    #[cfg(test)]
    pub fn mock_broker_up(&self, up: bool) -> Result<(), KafkaError> {
        // SAFETY: only clients with mock brokers are given in the tests; broker ids begin at 1.
        check(self, unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            if up {
                sys::rd_kafka_mock_broker_set_up(cluster, 1)
            } else {
                sys::rd_kafka_mock_broker_set_down(cluster, 1)
            }
        })
    }

    /// Lets the broker answer the next requests of a kind with an error.
    #[cfg(test)]
    pub fn mock_errors(&self, api: i16, errors: &[Code]) {
        // SAFETY: as above; the array is as long as is said.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(self.ptr());
            sys::rd_kafka_mock_push_request_errors_array(
                cluster,
                api,
                errors.len(),
                errors.as_ptr(),
            );
        }
    }
}

impl Drop for Client {
    /// Destroys the handle on a thread of its own: librdkafka joins its threads while destroying, and
    /// one that is connecting may take its time.
    fn drop(&mut self) {
        struct Remains(NonNull<sys::rd_kafka_t>, #[allow(dead_code)] Arc<Context>);
        // SAFETY: the handle may be destroyed from any thread.
        unsafe impl Send for Remains {}
        impl Remains {
            fn destroy(self) {
                // SAFETY: the handle is valid and used nowhere else any more; the context is dropped
                // after it. Closing was done before, or is given up: never again from in here.
                unsafe {
                    sys::rd_kafka_destroy_flags(
                        self.0.as_ptr(),
                        sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                    );
                }
            }
        }
        let remains = Remains(self.handle, self.context.clone());
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

impl Queue {
    fn new(
        queue: *mut sys::rd_kafka_queue_t,
        wake: Option<&Arc<Notify>>,
    ) -> Result<Queue, KafkaError> {
        let queue = NonNull::new(queue).ok_or_else(|| {
            KafkaError::new("_STATE", "the Kafka client has no such queue".into())
        })?;
        if let Some(wake) = wake {
            // SAFETY: `Queue` keeps the `Notify` alive, and disables the callback before it goes.
            unsafe {
                sys::rd_kafka_queue_cb_event_enable(
                    queue.as_ptr(),
                    Some(on_not_empty),
                    Arc::as_ptr(wake).cast_mut().cast(),
                );
            }
        }
        Ok(Queue {
            queue,
            wake: wake.cloned(),
        })
    }

    /// Serves callbacks and appends up to `MAX` messages; waits at most `wait` for the first.
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

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the topic is valid and this reference is given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
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
    /// The messages that a delivery report tells of: ticket and error.
    pub fn deliveries(&self, mut take: impl FnMut(u64, Code)) {
        // SAFETY: other kinds of events have no messages; the messages belong to the event.
        unsafe {
            loop {
                let message = sys::rd_kafka_event_message_next(self.0.as_ptr());
                let Some(message) = message.as_ref() else {
                    return;
                };
                take(message._private as u64, message.err);
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

/// What [`Client::produce`] queues.
pub(super) struct Produce<'a> {
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
pub(super) struct Headers(*mut sys::rd_kafka_headers_t);

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

/// librdkafka's name of an error, such as `_TRANSPORT`, and its description.
pub(super) fn describe(code: Code) -> (String, String) {
    // SAFETY: both are static texts; unknown codes have one too.
    unsafe {
        (
            c_text(sys::rd_kafka_err2name(code)),
            c_text(sys::rd_kafka_err2str(code)),
        )
    }
}

/// The code of a number; what librdkafka does not know is `_FAIL`.
pub(super) fn code_from(number: i32) -> Code {
    let (mut table, mut count) = (ptr::null(), 0);
    // SAFETY: the table is static, with so many entries, and has an entry's code only where it has a text.
    let table = unsafe {
        sys::rd_kafka_get_err_descs(&mut table, &mut count);
        std::slice::from_raw_parts(table, count)
    };
    table
        .iter()
        .find(|entry| !entry.desc.is_null() && entry.code as i32 == number)
        .map_or(Code::RD_KAFKA_RESP_ERR__FAIL, |entry| entry.code)
}

/// Every property that librdkafka knows, aliases aside, with its default.
pub(super) fn properties() -> Vec<(String, String)> {
    // SAFETY: both configurations are created and destroyed here; a dump is an array of texts, names
    // and values in turn, freed by its own function.
    unsafe {
        let mut all = Vec::new();
        let mut read = |array: *mut *const c_char, count: usize| {
            for pair in std::slice::from_raw_parts(array, count).chunks_exact(2) {
                let value = if pair[1].is_null() {
                    String::new()
                } else {
                    c_text(pair[1])
                };
                all.push((c_text(pair[0]), value));
            }
            sys::rd_kafka_conf_dump_free(array, count);
        };
        let mut count = 0;
        let conf = sys::rd_kafka_conf_new();
        read(sys::rd_kafka_conf_dump(conf, &mut count), count);
        sys::rd_kafka_conf_destroy(conf);
        let conf = sys::rd_kafka_topic_conf_new();
        read(sys::rd_kafka_topic_conf_dump(conf, &mut count), count);
        sys::rd_kafka_topic_conf_destroy(conf);
        all
    }
}

unsafe extern "C" fn on_log(
    handle: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: the opaque is the context (set before the handle exists), and outlives the handle.
    unsafe {
        let context = sys::rd_kafka_opaque(handle).cast::<Context>();
        if let Some(context) = context.as_ref() {
            context.log(level, &c_text(facility), &c_text(line));
        }
    }
}

unsafe extern "C" fn on_error(
    handle: *mut sys::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: as above.
    unsafe {
        if let Some(context) = opaque.cast::<Context>().as_ref() {
            context.error(code_from(code), &c_text(reason), fatal(handle));
        }
    }
}

unsafe fn fatal(handle: *mut sys::rd_kafka_t) -> Option<(Code, String)> {
    let mut text = [0 as c_char; 512];
    // SAFETY: the caller's handle is valid; the buffer is as long as is said.
    let code = unsafe { sys::rd_kafka_fatal_error(handle, text.as_mut_ptr(), text.len()) };
    (code != Code::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| (code, c_text(text.as_ptr())))
}

unsafe extern "C" fn on_rebalance(
    handle: *mut sys::rd_kafka_t,
    code: Code,
    list: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: as above; the list is valid for the call.
    unsafe {
        let Some(context) = opaque.cast::<Context>().as_ref() else {
            return;
        };
        let lost = sys::rd_kafka_assignment_lost(handle) == 1;
        let asked = context.rebalance(code, partitions(list), lost);
        if !asked {
            // While closing nobody answers but this callback. An empty assignment is an answer to
            // both questions, whatever the protocol.
            sys::rd_kafka_assign(handle, ptr::null());
        }
    }
}

unsafe extern "C" fn on_not_empty(_: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `Queue` keeps the `Notify` alive while this may be called.
    if let Some(wake) = unsafe { opaque.cast::<Notify>().as_ref() } {
        wake.notify_one();
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
        sys::rd_kafka_error_destroy(error);
        Err(result)
    }
}

fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    match bytes {
        Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
        None => (ptr::null_mut(), 0),
    }
}

fn c_string(text: &str) -> Result<CString, KafkaError> {
    CString::new(text).map_err(|_| {
        KafkaError::new("_INVALID_ARG", format!("{text:?} has a NUL character in it"))
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
