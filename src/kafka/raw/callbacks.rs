//! What librdkafka calls back with, led to the client's context.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::{c_text, code_from, cooperative, partitions};
use crate::kafka::context::Context;

pub(super) unsafe extern "C" fn on_log(
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

pub(super) unsafe extern "C" fn on_error(
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

pub(super) unsafe extern "C" fn on_rebalance(
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
            give_up(handle, code, list);
        }
    }
}

/// Answers a rebalance for a consumer that is closing, when nobody but the callback is left to do so:
/// nothing new is taken, what is asked back is given.
unsafe fn give_up(
    handle: *mut sys::rd_kafka_t,
    code: Code,
    list: *mut sys::rd_kafka_topic_partition_list_t,
) {
    // SAFETY: the caller's handle and list are valid; the empty list is destroyed after its use, and
    // the error, if there is one, is owned.
    unsafe {
        if !cooperative(handle) {
            sys::rd_kafka_assign(handle, ptr::null());
            return;
        }
        let error = if code == Code::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS {
            sys::rd_kafka_incremental_unassign(handle, list)
        } else {
            let nothing = sys::rd_kafka_topic_partition_list_new(0);
            let error = sys::rd_kafka_incremental_assign(handle, nothing);
            sys::rd_kafka_topic_partition_list_destroy(nothing);
            error
        };
        if !error.is_null() {
            let reason = c_text(sys::rd_kafka_error_string(error));
            tracing::debug!(target: "librdkafka", "answering a rebalance while closing: {reason}");
            sys::rd_kafka_error_destroy(error);
        }
    }
}
