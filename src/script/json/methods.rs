//! What a script can call on a JSON object or array: everything it can call on a Rhai map or array.
//!
//! Reading is done on the view. What a view has no cheap way for is done on a Rhai map or array made
//! for the call; where the method changes it, an object takes over what differs, and the array takes
//! the view's place.

use std::any::TypeId;
use std::borrow::Cow;
use std::rc::Rc;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, INT, ImmutableString, Map,
    NativeCallContext, Position,
};

use super::digits::Digits;
use super::doc::Doc;
use super::view::{JsonArray, JsonObject, VALUES_PER_OPERATION, position, value};
use super::write::{not_writable, write};
use crate::script::meter;
use crate::script::told::mistake;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers the two types and all their methods.
///
/// A text that a script makes of a value is at most `longest` bytes long; `digits` has the numbers' own.
pub(crate) fn register(engine: &mut Engine, longest: usize, digits: &Rc<Digits>) {
    engine.register_type_with_name::<JsonObject>("map");
    engine.register_type_with_name::<JsonArray>("array");
    engine.register_iterator::<JsonArray>();
    objects(engine);
    arrays(engine);
    texts(engine, longest, digits);
    comparisons(engine);
    super::arguments::register(engine);
    for (name, arguments, changes) in OBJECT_METHODS {
        delegate::<JsonObject>(engine, name, *arguments, *changes);
    }
    for (name, arguments, changes) in ARRAY_METHODS {
        delegate::<JsonArray>(engine, name, *arguments, *changes);
    }
}

/// Registers `object.name` and `object.name = value` for a name that a script uses: without this,
/// Rhai first builds the text of an error and then falls back to the indexer.
pub(crate) fn register_field(engine: &mut Engine, name: &str) {
    let getter: ImmutableString = name.into();
    let setter = getter.clone();
    engine.register_get(name, move |object: &mut JsonObject| object.field(&getter));
    engine.register_set(name, move |object: &mut JsonObject, new: Dynamic| {
        object.set(&setter, new);
    });
}

fn objects(engine: &mut Engine) {
    engine
        .register_indexer_get(|object: &mut JsonObject, name: ImmutableString| object.field(&name))
        .register_indexer_set(
            |object: &mut JsonObject, name: ImmutableString, new: Dynamic| {
                object.set(&name, new);
            },
        )
        .register_fn("get", |object: &mut JsonObject, name: ImmutableString| {
            object.field(&name)
        })
        .register_fn(
            "contains",
            |object: &mut JsonObject, name: ImmutableString| object.contains(&name),
        )
        .register_fn("len", |object: &mut JsonObject| object.len() as INT)
        .register_fn("is_empty", |object: &mut JsonObject| object.len() == 0)
        .register_fn("keys", |object: &mut JsonObject| -> Fallible<Array> {
            afford_members(object)?;
            Ok(object.names().into_iter().map(Dynamic::from).collect())
        })
        .register_fn("values", |object: &mut JsonObject| -> Fallible<Array> {
            afford_members(object)?;
            Ok(object.entries().map(|(_, value)| value).collect())
        });
    // Not on a constant.
    FuncRegistration::new("set")
        .with_purity(false)
        .register_into_engine(
            engine,
            |object: &mut JsonObject, name: ImmutableString, new: Dynamic| {
                object.set(&name, new);
            },
        );
    FuncRegistration::new("remove")
        .with_purity(false)
        .register_into_engine(engine, |object: &mut JsonObject, name: ImmutableString| {
            object.remove(&name)
        });
}

fn arrays(engine: &mut Engine) {
    engine
        .register_indexer_get(|array: &mut JsonArray, index: INT| -> Fallible<Dynamic> {
            array
                .get(index)
                .ok_or_else(|| out_of_bounds(array.len(), index))
        })
        .register_fn("get", |array: &mut JsonArray, index: INT| {
            array.get(index).unwrap_or(Dynamic::UNIT)
        })
        .register_fn("len", |array: &mut JsonArray| array.len() as INT)
        .register_fn("is_empty", |array: &mut JsonArray| array.len() == 0)
        .register_get("len", |array: &mut JsonArray| array.len() as INT)
        .register_get("is_empty", |array: &mut JsonArray| array.len() == 0);
    let types = [
        TypeId::of::<JsonArray>(),
        TypeId::of::<INT>(),
        TypeId::of::<Dynamic>(),
    ];
    engine.register_raw_fn("index$set$", types, |_, args| -> Fallible<()> {
        let index = args[1].as_int().unwrap_or_default();
        let new = args[2].take().flatten();
        let Some(array) = args[0].read_lock::<JsonArray>().map(|array| array.clone()) else {
            return Ok(());
        };
        let at = position(array.len(), index).ok_or_else(|| out_of_bounds(array.len(), index))?;
        if let Some(node) = array.doc.element(array.node, at as u32)
            && super::view::is_same(&array.doc, node, &new)
        {
            return Ok(());
        }
        afford(args[0])?;
        let mut elements = array.to_array();
        elements[at] = new;
        replace(args[0], Dynamic::from_array(elements));
        Ok(())
    });
}

fn out_of_bounds(len: usize, index: INT) -> Box<EvalAltResult> {
    EvalAltResult::ErrorArrayBounds(len, index, Position::NONE).into()
}

/// Puts `new` where a view was, also where a closure shares the variable.
fn replace(place: &mut Dynamic, new: Dynamic) {
    if place.is_shared() {
        if let Some(mut shared) = place.write_lock::<Dynamic>() {
            *shared = new;
        }
    } else {
        *place = new;
    }
}

/// Bytes that are written at about the price of one operation.
const BYTES_PER_OPERATION: usize = 64;

fn json_text(value: &Dynamic, longest: usize, digits: &Digits) -> Fallible<ImmutableString> {
    let mut text = Vec::new();
    write(value, &mut text, longest, Some(digits)).map_err(|error| not_writable(&error))?;
    meter::charge(text.len() / BYTES_PER_OPERATION);
    Ok(String::from_utf8(text)
        .map_err(|error| error.to_string())?
        .into())
}

/// A view prints as its JSON; `to_json` and `parse_json` work on anything.
fn texts(engine: &mut Engine, longest: usize, digits: &Rc<Digits>) {
    for name in ["to_string", "to_debug", "print", "debug", "to_json"] {
        let known = Rc::clone(digits);
        engine.register_fn(name, move |object: &mut JsonObject| {
            json_text(&Dynamic::from(object.clone()), longest, &known)
        });
        let known = Rc::clone(digits);
        engine.register_fn(name, move |array: &mut JsonArray| {
            json_text(&Dynamic::from(array.clone()), longest, &known)
        });
    }
    let known = Rc::clone(digits);
    engine.register_fn("to_json", move |map: &mut Map| {
        json_text(&Dynamic::from_map(map.clone()), longest, &known)
    });
    let known = Rc::clone(digits);
    engine.register_fn("to_json", move |array: &mut Array| {
        json_text(&Dynamic::from_array(array.clone()), longest, &known)
    });
    let known = Rc::clone(digits);
    engine.register_fn("parse_json", move |text: &str| -> Fallible<Dynamic> {
        match Doc::of_text(text.to_owned(), Some(&known)) {
            Ok(doc) => Ok(value(&Rc::new(doc), 0)),
            Err(error) => Err(mistake(
                format!("the text is not JSON: {error}"),
                "parsed here",
                error.excerpt(text.as_bytes()),
            )),
        }
    });
}

/// `==` and `!=` between views and with Rhai's own maps and arrays.
fn comparisons(engine: &mut Engine) {
    let kinds = [TypeId::of::<JsonObject>(), TypeId::of::<Map>()];
    register_comparisons(engine, kinds, kinds[1]);
    let kinds = [TypeId::of::<JsonArray>(), TypeId::of::<Array>()];
    register_comparisons(engine, kinds, kinds[1]);
}

fn register_comparisons(engine: &mut Engine, kinds: [TypeId; 2], own: TypeId) {
    for left in kinds {
        for right in kinds {
            if left == own && right == own {
                continue;
            }
            for name in ["==", "!="] {
                engine.register_raw_fn(name, [left, right], move |context, args| {
                    let (mut left, mut right) = (rhai_value(args[0])?, rhai_value(args[1])?);
                    context.call_native_fn_raw(name, true, &mut [&mut left, &mut right])
                });
            }
        }
    }
}

/// A Rhai map or array of a view; members and elements that are objects or arrays stay views.
pub(super) fn rhai_value(value: &Dynamic) -> Fallible<Dynamic> {
    afford(value)?;
    if let Some(object) = value.read_lock::<JsonObject>() {
        return Ok(Dynamic::from_map(object.to_map()));
    }
    if let Some(array) = value.read_lock::<JsonArray>() {
        return Ok(Dynamic::from_array(array.to_array()));
    }
    Ok(value.flatten_clone())
}

/// A Rhai map or array where a view is given; anything else as it is.
pub(crate) fn own(value: &Dynamic) -> Fallible<Cow<'_, Dynamic>> {
    let object = value.read_lock::<JsonObject>().is_some();
    match object || value.read_lock::<JsonArray>().is_some() {
        true => rhai_value(value).map(Cow::Owned),
        false => Ok(Cow::Borrowed(value)),
    }
}

/// Pays for the Rhai map or array that is to be made of a view, and ends the call where it would go
/// beyond the memory: a text of ten million elements is within no other limit.
fn afford(value: &Dynamic) -> Fallible<()> {
    if let Some(object) = value.read_lock::<JsonObject>() {
        return afford_members(&object);
    }
    match value.read_lock::<JsonArray>() {
        Some(array) => {
            meter::charge(array.len() / VALUES_PER_OPERATION);
            affords(array.array_bytes())
        }
        None => Ok(()),
    }
}

fn afford_members(object: &JsonObject) -> Fallible<()> {
    object.pay();
    affords(object.map_bytes())
}

fn affords(bytes: usize) -> Fallible<()> {
    if meter::affords(bytes) {
        return Ok(());
    }
    Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into())
}

/// Name, number of arguments after the object, whether the object changes.
type Method = (&'static str, usize, bool);

const OBJECT_METHODS: &[Method] = &[
    ("clear", 0, true),
    ("mixin", 1, true),
    ("+=", 1, true),
    ("+", 1, false),
    ("fill_with", 1, true),
    ("map", 1, false),
    ("filter", 1, false),
    ("drain", 1, true),
    ("retain", 1, true),
];

const ARRAY_METHODS: &[Method] = &[
    ("set", 2, true),
    ("push", 1, true),
    ("append", 1, true),
    ("+=", 1, true),
    ("+", 1, false),
    ("insert", 2, true),
    ("pad", 2, true),
    ("pop", 0, true),
    ("shift", 0, true),
    ("remove", 1, true),
    ("clear", 0, true),
    ("truncate", 1, true),
    ("chop", 1, true),
    ("reverse", 0, true),
    ("splice", 2, true),
    ("splice", 3, true),
    ("extract", 1, false),
    ("extract", 2, false),
    ("split", 1, true),
    ("for_each", 1, true),
    ("map", 1, false),
    ("filter", 1, false),
    ("contains", 1, false),
    ("index_of", 1, false),
    ("index_of", 2, false),
    ("find", 1, false),
    ("find", 2, false),
    ("find_map", 1, false),
    ("find_map", 2, false),
    ("some", 1, false),
    ("all", 1, false),
    ("dedup", 0, true),
    ("dedup", 1, true),
    ("reduce", 1, false),
    ("reduce", 2, false),
    ("reduce_rev", 1, false),
    ("reduce_rev", 2, false),
    ("zip", 2, false),
    ("sort", 0, true),
    ("sort", 1, true),
    ("sort_by", 1, true),
    ("sort_desc", 0, true),
    ("order", 0, false),
    ("order", 1, false),
    ("order_by", 1, false),
    ("order_desc", 0, false),
    ("drain", 1, true),
    ("drain", 2, true),
    ("retain", 1, true),
    ("retain", 2, true),
    ("sample", 0, false),
    ("sample", 1, false),
    ("shuffle", 0, true),
];

/// Does `name` on a Rhai map or array made for the call.
fn delegate<T: 'static>(engine: &mut Engine, name: &'static str, arguments: usize, changes: bool) {
    let mut types = vec![TypeId::of::<T>()];
    types.resize(arguments + 1, TypeId::of::<Dynamic>());
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext, args: &mut [&mut Dynamic]| -> Fallible<Dynamic> {
            if changes && args[0].is_read_only() {
                let constant = EvalAltResult::ErrorNonPureMethodCallOnConstant;
                return Err(constant(name.into(), Position::NONE).into());
            }
            let mut this = rhai_value(args[0])?;
            let rest = args[1..].iter_mut();
            let rest = rest.map(|argument| own_argument(name, argument));
            let mut rest = rest.collect::<Fallible<Vec<Dynamic>>>()?;
            let mut all: Vec<&mut Dynamic> = Vec::with_capacity(args.len());
            all.push(&mut this);
            all.extend(rest.iter_mut());
            let result = context.call_native_fn_raw(name, true, &mut all)?;
            if changes {
                write_back(args[0], this);
            }
            Ok(result)
        },
    );
}

/// After a method that may have changed `now`, a copy of what stands at `place`: an object takes over
/// only what differs, so that all else keeps its text and its order; an array that differs is replaced.
fn write_back(place: &mut Dynamic, now: Dynamic) {
    if let Some(map) = now.read_lock::<Map>()
        && let Some(mut object) = place.write_lock::<JsonObject>()
    {
        return object.take_over(&map);
    }
    let same = match (place.read_lock::<JsonArray>(), now.read_lock::<Array>()) {
        (Some(array), Some(now)) => array.is_same(&now),
        _ => false,
    };
    if !same {
        replace(place, now);
    }
}

/// An argument as Rhai's own method wants it: where it takes a whole map or array, not a view.
fn own_argument(name: &str, argument: &mut Dynamic) -> Fallible<Dynamic> {
    let argument = argument.take();
    let whole = matches!(
        name,
        "mixin" | "+=" | "+" | "fill_with" | "append" | "splice" | "zip"
    );
    if whole && !argument.is::<FnPtr>() {
        return rhai_value(&argument);
    }
    Ok(argument)
}
