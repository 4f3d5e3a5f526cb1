//! The systemd journal: when it is there, and how a line gets into it.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Subscriber, Value, field::ValueSet};
use tracing_journald::{Layer as Journald, Priority, PriorityMappings};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;

use super::entry::Entry;
use super::text::{self, Look};

/// Whether standard error is the journal's stream: `JOURNAL_STREAM` names its device and inode
/// (systemd.exec(5)). The variable alone proves nothing, because children inherit it.
pub(super) fn is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    let metadata = std::fs::File::from(stderr).metadata();
    metadata.is_ok_and(|metadata| names(&named, metadata.dev(), metadata.ino()))
}

fn names(stream: &str, device: u64, inode: u64) -> bool {
    let Some((named_device, named_inode)) = stream.split_once(':') else {
        return false;
    };
    named_device.parse() == Ok(device) && named_inode.parse() == Ok(inode)
}

/// The connection to journald, with syslog's priorities as journald's users know them.
///
/// # Errors
/// When journald's socket does not answer.
pub(super) fn connect() -> io::Result<Journald> {
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    Ok(Journald::new()?
        .with_field_prefix(Some("DELIVERYD".to_owned()))
        .with_syslog_identifier("deliveryd".to_owned())
        .with_priority_mappings(priorities))
}

/// Sends the event with our own line as its message.
///
/// `journalctl` shows nothing but the message, so member and position have to be in it; the fields
/// go along beside it, as journald's own.
pub(super) fn send<S>(
    journald: &Journald,
    entry: &Entry,
    event: &Event<'_>,
    layers: LayerContext<'_, S>,
) where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut line = String::new();
    text::write(&mut line, entry, Look::default(), None);
    let line = line.trim_end_matches('\n');

    let texts: Vec<Option<String>> = event
        .metadata()
        .fields()
        .iter()
        .map(|field| value(entry, line, field.name()))
        .collect();
    let values: Vec<Option<&dyn Value>> = texts
        .iter()
        .map(|text| text.as_ref().map(|text| text as &dyn Value))
        .collect();
    let values: ValueSet<'_> = event.metadata().fields().value_set_all(&values);
    journald.on_event(&Event::new(event.metadata(), &values), layers);
}

fn value(entry: &Entry, line: &str, name: &str) -> Option<String> {
    let context = &entry.context;
    match name {
        "message" => Some(line.to_owned()),
        "group" => context.group.clone(),
        "member" => context.member.clone(),
        "producer" => context.producer.clone(),
        "topic" => context.topic.clone(),
        "partition" => context.partition.map(|number| number.to_string()),
        "offset" => context.offset.map(|number| number.to_string()),
        // Both are in the message already.
        "frame" | "hint" => None,
        other => {
            let (_, value) = entry.fields.iter().find(|(name, _)| *name == other)?;
            let text = value.as_str().map(str::to_owned);
            Some(text.unwrap_or_else(|| value.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `journalctl` shows says whose line it is, and leaves the level to the priority.
    #[test]
    fn message_has_member_position_and_frame() {
        let entry = Entry {
            level: tracing::Level::WARN,
            target: "deliveryd::member".to_owned(),
            message: "handler failed".to_owned(),
            context: crate::observe::logs::entry::Context {
                member: Some("group-1-2".to_owned()),
                topic: Some("Delivery".to_owned()),
                partition: Some(1),
                offset: Some(4711),
                ..Default::default()
            },
            frame: Some("  --> a.rhai:1:1".to_owned()),
            hint: None,
            fields: vec![("attempt", 2.into())],
        };
        let mut line = String::new();
        text::write(&mut line, &entry, Look::default(), None);
        assert_eq!(
            line,
            "group-1-2 Delivery/1@4711 handler failed attempt=2\n  --> a.rhai:1:1\n"
        );
        let field = |name| value(&entry, &line, name);
        assert_eq!(field("message").as_deref(), Some(line.as_str()));
        assert_eq!(field("offset").as_deref(), Some("4711"));
        assert_eq!(field("attempt").as_deref(), Some("2"));
        assert_eq!(field("frame"), None);
    }

    /// The journal is used only when standard error itself is its stream.
    #[test]
    fn stream_is_device_and_inode() {
        assert!(names("8:4711", 8, 4711));
        assert!(!names("8:4711", 8, 4712));
        assert!(!names("9:4711", 8, 4711));
        assert!(!names("", 8, 4711));
        assert!(!names("8", 8, 4711));
    }
}
