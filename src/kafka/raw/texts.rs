//! librdkafka's own lists: errors with their names, properties with their defaults.

use std::ffi::c_char;
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;

use super::c_text;

/// librdkafka's name of an error, such as `_TRANSPORT`, and its description.
pub(in crate::kafka) fn describe(code: Code) -> (String, String) {
    // SAFETY: both are static texts; unknown codes have one too.
    unsafe {
        (
            c_text(sys::rd_kafka_err2name(code)),
            c_text(sys::rd_kafka_err2str(code)),
        )
    }
}

/// The code of a number; what librdkafka does not know is `_FAIL`.
pub(in crate::kafka) fn code_from(number: i32) -> Code {
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
pub(in crate::kafka) fn properties() -> Vec<(String, String)> {
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
