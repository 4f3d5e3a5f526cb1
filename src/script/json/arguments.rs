//! Views as arguments of the methods of Rhai's own maps and arrays: `map.mixin(msg.json)`.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, Map, NativeCallContext};

use super::methods::rhai_value;
use super::view::{JsonArray, JsonObject};

/// Registers them. `array += view` is not among them: Rhai does that itself, and adds one element.
pub(super) fn register(engine: &mut Engine) {
    let (map, object) = (TypeId::of::<Map>(), TypeId::of::<JsonObject>());
    for name in ["mixin", "fill_with", "+", "+="] {
        takes(engine, name, 1, vec![map, object]);
    }
    let (array, view) = (TypeId::of::<Array>(), TypeId::of::<JsonArray>());
    for name in ["append", "+"] {
        takes(engine, name, 1, vec![array, view]);
    }
    takes(engine, "zip", 1, vec![array, view, TypeId::of::<FnPtr>()]);
    let int = TypeId::of::<INT>();
    takes(engine, "splice", 3, vec![array, int, int, view]);
    for range in [
        TypeId::of::<Range<INT>>(),
        TypeId::of::<RangeInclusive<INT>>(),
    ] {
        takes(engine, "splice", 2, vec![array, range, view]);
    }
}

/// Registers `name` for these types, of which the one at `at` is a view.
fn takes(engine: &mut Engine, name: &'static str, at: usize, types: Vec<TypeId>) {
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext,
              args: &mut [&mut Dynamic]|
              -> Result<Dynamic, Box<EvalAltResult>> {
            *args[at] = rhai_value(args[at])?;
            context.call_native_fn_raw(name, true, args)
        },
    );
}
