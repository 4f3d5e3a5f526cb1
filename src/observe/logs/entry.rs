//! One event as all outputs need it: level, message, whose it is, and the remaining fields.
//!
//! [`Context::of_span`] keeps what a span says about group, member and message; [`Entry::new`]
//! gathers an event together with the spans around it. What the event says itself wins.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;

/// Whose event it is: fields of the event, or of the spans `member` and `message` around it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Context {
    pub group: Option<String>,
    pub member: Option<String>,
    pub producer: Option<String>,
    pub topic: Option<String>,
    pub partition: Option<i64>,
    pub offset: Option<i64>,
}

impl Context {
    /// What a new span says.
    pub fn of_span(attributes: &span::Attributes<'_>) -> Self {
        let mut visitor = Visitor::default();
        attributes.record(&mut visitor);
        visitor.context
    }

    /// What a span is told later, such as a field that was `Empty` at first.
    pub fn record(&mut self, values: &span::Record<'_>) {
        let mut visitor = Visitor::default();
        values.record(&mut visitor);
        let before = std::mem::replace(self, visitor.context);
        self.fill(&before);
    }

    fn fill(&mut self, outer: &Self) {
        fn fill<T: Clone>(slot: &mut Option<T>, outer: &Option<T>) {
            if slot.is_none() {
                slot.clone_from(outer);
            }
        }
        fill(&mut self.group, &outer.group);
        fill(&mut self.member, &outer.member);
        fill(&mut self.producer, &outer.producer);
        fill(&mut self.topic, &outer.topic);
        fill(&mut self.partition, &outer.partition);
        fill(&mut self.offset, &outer.offset);
    }
}

/// An event, gathered.
#[derive(Debug)]
pub(super) struct Entry {
    pub level: Level,
    pub target: String,
    pub message: String,
    pub context: Context,
    /// A diagnostic of several lines, made by our own code.
    pub frame: Option<String>,
    /// A way out, of one or more lines.
    pub hint: Option<String>,
    /// The remaining fields in the order in which they were written.
    pub fields: Vec<(&'static str, Value)>,
}

impl Entry {
    /// Gathers `event` and the spans around it.
    pub fn new<S>(event: &Event<'_>, layers: &LayerContext<'_, S>) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        for span in layers.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Context>() {
                visitor.context.fill(outer);
            }
        }
        Self {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            message: visitor.message,
            context: visitor.context,
            frame: visitor.frame,
            hint: visitor.hint,
            fields: visitor.fields,
        }
    }

    /// The member, else the producer, else the group.
    pub fn who(&self) -> Option<&str> {
        let context = &self.context;
        let who = context.member.as_ref().or(context.producer.as_ref());
        who.or(context.group.as_ref()).map(String::as_str)
    }
}

#[derive(Default)]
struct Visitor {
    message: String,
    context: Context,
    frame: Option<String>,
    hint: Option<String>,
    fields: Vec<(&'static str, Value)>,
}

impl Visitor {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            "frame" => self.frame = Some(text),
            "hint" => self.hint = Some(text),
            "group" => self.context.group = Some(text),
            "member" => self.context.member = Some(text),
            "producer" => self.context.producer = Some(text),
            "topic" => self.context.topic = Some(text),
            name => self.other(name, Value::String(text)),
        }
    }

    fn number(&mut self, field: &Field, number: i64) {
        match field.name() {
            "partition" => self.context.partition = Some(number),
            "offset" => self.context.offset = Some(number),
            name => self.other(name, number.into()),
        }
    }

    fn other(&mut self, name: &'static str, value: Value) {
        self.fields.push((name, value));
    }
}

impl Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(number) => self.number(field, number),
            Err(_) => self.other(field.name(), value.into()),
        }
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity: those become text.
        let number = serde_json::Number::from_f64(value);
        let value = number.map_or_else(|| Value::String(value.to_string()), Value::Number);
        self.other(field.name(), value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.other(field.name(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}
