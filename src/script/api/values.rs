//! Small helpers: the time now, and random identifiers.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;
use rhai::{Engine, INT};

use crate::script::state::State;

pub(crate) fn register(engine: &mut Engine, state: &Rc<State>) {
    engine.register_fn("now", now);
    let owned = Rc::clone(state);
    engine.register_fn("uuid", move || uuid(owned.random.borrow_mut().random()));
}

/// Milliseconds since 1970-01-01T00:00:00Z, as Kafka counts.
fn now() -> INT {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    INT::try_from(since.as_millis()).unwrap_or(INT::MAX)
}

/// A version 4 UUID of 128 random bits (RFC 9562, section 5.4).
fn uuid(random: u128) -> String {
    let version = random & !(0xf << 76) | 4 << 76;
    let bits = version & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version and variant stand where the standard puts them.
    #[test]
    fn a_uuid_is_of_version_4() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
