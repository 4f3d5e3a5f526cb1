//! What librdkafka calls back with, led to the client's context.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::{bytes, c_text, check_error, code_from, cooperative, partitions};
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

/// 0: the text stays librdkafka's to free.
pub(super) unsafe extern "C" fn on_statistics(
    _: *mut sys::rd_kafka_t,
    json: *mut c_char,
    length: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: as above; the text is so long and lives for the call.
    unsafe {
        if let (Some(context), Some(json)) = (
            opaque.cast::<Context>().as_ref(),
            bytes(json.cast(), length),
        ) {
            context.note_statistics(json);
        }
    }
    0
}

unsafe fn fatal(handle: *mut sys::rd_kafka_t) -> Option<(Code, String)> {
    let mut text = [0 as c_char; 512];
    // SAFETY: the caller's handle is valid; the buffer is as long as is said.
    let code = unsafe { sys::rd_kafka_fatal_error(handle, text.as_mut_ptr(), text.len()) };
    (code != Code::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| (code, c_text(text.as_ptr())))
}

/// Notes why OpenSSL refuses a broker's certificate, which its error does not tell; accepts just what
/// OpenSSL accepts.
pub(super) unsafe extern "C" fn on_certificate(
    _handle: *mut sys::rd_kafka_t,
    broker: *const c_char,
    _id: i32,
    x509_error: *mut c_int,
    _depth: c_int,
    _certificate: *const c_char,
    _size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: as above; the number is valid for the call, and null is refused.
    unsafe {
        let Some(&x509_error) = x509_error.as_ref() else {
            return 0;
        };
        if x509_error == 0 {
            return 1;
        }
        if let Some(context) = opaque.cast::<Context>().as_ref() {
            context.refuses_certificate(&c_text(broker), x509_error);
        }
        0
    }
}

/// Does what the group asks. A cooperative one takes only increments for an answer, and without one
/// librdkafka would neither join nor leave; what was not taken could not be given up later.
unsafe fn answer_as_asked(
    handle: *mut sys::rd_kafka_t,
    code: Code,
    list: *const sys::rd_kafka_topic_partition_list_t,
) {
    // SAFETY: the caller's handle and list are valid.
    unsafe {
        let assign = code == Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let result = match (cooperative(handle), assign) {
            (true, true) => check_error(sys::rd_kafka_incremental_assign(handle, list)),
            (true, false) => check_error(sys::rd_kafka_incremental_unassign(handle, list)),
            (false, _) => {
                sys::rd_kafka_assign(handle, ptr::null());
                return;
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "the last answer to the group was refused");
        }
    }
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
            // While closing nobody answers but this callback.
            answer_as_asked(handle, code, list);
        }
    }
}
