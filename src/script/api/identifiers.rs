//! UUIDs: random ones, which `seed` makes repeatable, and ones that begin with the time.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;
use uuid::Builder;

use super::catalog::{Api, Section};
use crate::script::state::State;

pub(crate) fn register(api: &mut Api<'_>, state: &Rc<State>) {
    let owned = Rc::clone(state);
    api.describe(
        Section::Identifiers,
        "uuid",
        "A random UUID (version 4).",
        "uuid()    // like \"8f14e45f-ceea-467f-a0e6-2b1c3d4e5f60\"",
    )
    .form("uuid() -> string", move || {
        let random: [u8; 16] = owned.random.borrow_mut().random();
        Builder::from_random_bytes(random).into_uuid().to_string()
    })
    .done();
    let owned = Rc::clone(state);
    api.describe(
        Section::Identifiers,
        "uuid_v7",
        "A UUID that begins with the time (version 7), so that later ones sort after earlier ones.",
        "uuid_v7()    // like \"019ab0e5-9d3c-7c12-8a51-6f0c2b7d9e41\"",
    )
    .form("uuid_v7() -> string", move || {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let random: [u8; 10] = owned.random.borrow_mut().random();
        let uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        uuid.to_string()
    })
    .done();
}
