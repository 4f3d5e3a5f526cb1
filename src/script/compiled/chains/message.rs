//! The message's fields, without the Rhai functions that read them.

use rhai::{INT, NativeCallContext, Position};

use crate::script::compiled::expressions::operators::Comparison;
use crate::script::compiled::run::frame::{Exit, Frame, Outcome, tick};
use crate::script::compiled::run::scalar::Scalar;
use crate::script::compiled::run::value::Value;
use crate::script::json::JsonObject;
use crate::script::strings;

/// A field of `msg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Json,
    Attempt,
}

impl Field {
    /// `None` for one that is not in the subset.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "topic" => Self::Topic,
            "partition" => Self::Partition,
            "offset" => Self::Offset,
            "timestamp" => Self::Timestamp,
            "key" => Self::Key,
            "value" => Self::Value,
            "json" => Self::Json,
            "attempt" => Self::Attempt,
            _ => return None,
        })
    }

    /// Its value; `at` is where it stands.
    #[inline]
    pub(crate) fn value(self, at: Position, frame: &mut Frame<'_>) -> Outcome {
        if self == Self::Json {
            return json(at, frame);
        }
        let longest = frame.state.limits.string;
        let record = frame.state.record.borrow();
        let Some(record) = record.as_deref() else {
            return Err(Exit::Unsure);
        };
        let text = |bytes: Option<&[u8]>| match bytes.map(std::str::from_utf8) {
            None => Ok(Value::Unit),
            Some(Ok(text)) if text.len() <= longest => Ok(Value::Text(strings::shared(text))),
            // Too long, or a blob.
            Some(_) => Err(Exit::Unsure),
        };
        match self {
            Self::Topic => Ok(Value::Text(strings::shared(
                frame.state.shown_topic(record),
            ))),
            Self::Partition => Ok(Value::Int(INT::from(record.partition))),
            Self::Offset => Ok(Value::Int(record.offset)),
            Self::Timestamp => Ok(record.timestamp.map_or(Value::Unit, Value::Int)),
            Self::Key => text(record.key()),
            Self::Value => text(record.value()),
            Self::Attempt => Ok(Value::Int(INT::from(frame.state.attempt.get()))),
            Self::Json => Err(Exit::Unsure),
        }
    }
}

impl Field {
    /// Its value without a text of its own, for the short way.
    #[inline]
    pub(crate) fn scalar(self, frame: &Frame<'_>) -> Scalar {
        let record = frame.state.record.borrow();
        let Some(record) = record.as_deref() else {
            return Scalar::Unsure;
        };
        match self {
            Self::Partition => Scalar::Int(INT::from(record.partition)),
            Self::Offset => Scalar::Int(record.offset),
            Self::Timestamp => record.timestamp.map_or(Scalar::Unit, Scalar::Int),
            Self::Attempt => Scalar::Int(INT::from(frame.state.attempt.get())),
            Self::Key if record.key().is_none() => Scalar::Unit,
            Self::Value if record.value().is_none() => Scalar::Unit,
            Self::Topic | Self::Key | Self::Value | Self::Json => Scalar::Unsure,
        }
    }

    /// Compared with a text.
    #[inline]
    pub(crate) fn against(self, comparison: Comparison, text: &str, frame: &Frame<'_>) -> Scalar {
        match self.with_text(frame, |own| comparison.of_texts(own, text)) {
            Some(holds) => Scalar::bool(holds),
            None => comparison.of_text_and(self.scalar(frame)),
        }
    }

    /// Calls `with` with the text, if it is one that is not too long.
    #[inline]
    pub(crate) fn with_text<R>(self, frame: &Frame<'_>, with: impl FnOnce(&str) -> R) -> Option<R> {
        let record = frame.state.record.borrow();
        let record = record.as_deref()?;
        let bytes = match self {
            Self::Topic => return Some(with(frame.state.shown_topic(record))),
            Self::Key => record.key()?,
            Self::Value => record.value()?,
            _ => return None,
        };
        let text = std::str::from_utf8(bytes).ok()?;
        (text.len() <= frame.state.limits.string).then(|| with(text))
    }
}

/// `msg.json` as a value of its own.
fn json(at: Position, frame: &mut Frame<'_>) -> Outcome {
    parse(at, frame)?;
    let copy = view(frame).map(Value::Object);
    match copy {
        Some(object) => Ok(object),
        None => match Value::of(frame.state.parsed()) {
            Value::Other(_) => Err(Exit::Unsure),
            Value::Text(long) if long.len() > frame.state.limits.string => Err(Exit::Unsure),
            value => Ok(value),
        },
    }
}

/// A copy of the object that `msg.json` is.
#[inline]
pub(crate) fn object(at: Position, frame: &mut Frame<'_>) -> Outcome<Option<JsonObject>> {
    parse(at, frame)?;
    Ok(view(frame))
}

/// The same for the property `msg.json` in a chain, which counts an operation.
pub(crate) fn property(at: Position, frame: &mut Frame<'_>) -> Outcome<Option<JsonObject>> {
    tick(at)?;
    object(at, frame)
}

/// Has `msg.json`, at the same place of a chain, be this object again, which has changed.
pub(crate) fn give_back(object: JsonObject, at: Position, frame: &mut Frame<'_>) -> Outcome<()> {
    // The view changes before the message is given it back.
    frame.state.change_view(object);
    tick(at)
}

#[inline]
fn view(frame: &Frame<'_>) -> Option<JsonObject> {
    frame.state.with_view(|view| view.cloned())
}

/// Calls `with` with the object that `msg.json` is.
#[inline]
pub(super) fn with_json(
    at: Position,
    frame: &mut Frame<'_>,
    with: impl FnOnce(&JsonObject) -> Outcome,
) -> Outcome {
    parse(at, frame)?;
    let with = |view: Option<&JsonObject>| view.map_or(Err(Exit::Unsure), with);
    frame.state.with_view(with)
}

/// Parses the message's value, once.
#[inline]
fn parse(at: Position, frame: &mut Frame<'_>) -> Outcome<()> {
    let (engine, global) = (frame.engine, &*frame.global);
    let context = NativeCallContext::new_with_all_fields(engine, "get$json", None, global, at);
    frame.state.parse(&context).map_err(Exit::Error)
}
