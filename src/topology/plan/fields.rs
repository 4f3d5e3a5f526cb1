//! What differs between two of a kind, field by field, in words.
//!
//! Every structure is taken apart by name: a setting that is added to the configuration does not
//! compile here until it is decided whether it changes in place.

use std::collections::BTreeMap;

use crate::config::{
    Daemon, Group, Guarantee, Kafka, Limits, Log, OnFailure, Params, Producer, Properties,
    PropertyValue,
};

use super::show;
use crate::kafka::transaction_timeout;

/// One setting's change, ready to be read: `rate 5/s → unlimited`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting within its table, such as `limits.operations`.
    pub setting: String,
    /// Before and after; `None` where they are secret.
    pub values: Option<(String, String)>,
    /// What a reader would otherwise misunderstand.
    pub note: Option<&'static str>,
}

impl Change {
    pub(super) fn back(self) -> Self {
        Self {
            values: self.values.map(|(was, now)| (now, was)),
            ..self
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct GroupChanges {
    pub in_place: Vec<Change>,
    /// These need new clients.
    pub replacing: Vec<Change>,
}

pub(super) type ProducerChanges = GroupChanges;

/// Collects the settings that differ.
#[derive(Default)]
struct Differences(Vec<Change>);

impl Differences {
    fn look<T: PartialEq>(&mut self, setting: &str, was: T, now: T, show: impl Fn(&T) -> String) {
        if was != now {
            self.0.push(Change {
                setting: setting.to_owned(),
                values: Some((show(&was), show(&now))),
                note: None,
            });
        }
    }

    fn note(&mut self, setting: &str, note: &'static str) {
        if let Some(change) = self.0.last_mut()
            && change.setting == setting
        {
            change.note = Some(note);
        }
    }

    fn entries<T: PartialEq>(
        &mut self,
        table: &str,
        was: &BTreeMap<String, T>,
        now: &BTreeMap<String, T>,
        show: impl Fn(&T) -> Option<String>,
    ) {
        let mut names: Vec<&String> = was.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let (was, now) = (was.get(name), now.get(name));
            if was == now {
                continue;
            }
            let text = |value: Option<&T>| match value {
                Some(value) => show(value),
                None => Some("(not set)".to_owned()),
            };
            self.0.push(Change {
                setting: format!("{table}{}", show::key(name)),
                values: text(was).zip(text(now)),
                note: None,
            });
        }
    }

    fn properties(&mut self, table: &str, was: &Properties, now: &Properties) {
        self.entries(table, was, now, |value| match value {
            PropertyValue::Plain(value) => Some(show::text(value)),
            PropertyValue::Secret(_) => None,
        });
    }

    fn params(&mut self, was: &Params, now: &Params) {
        self.entries("params.", was, now, |value| Some(show::json(value)));
    }

    fn limits(&mut self, was: &Limits, now: &Limits) {
        let Limits {
            operations,
            call_depth,
            expression_depth,
            string,
            array,
            map,
            memory,
        } = *was;
        self.look("limits.operations", operations, now.operations, show::plain);
        self.look("limits.call_depth", call_depth, now.call_depth, show::plain);
        self.look(
            "limits.expression_depth",
            expression_depth,
            now.expression_depth,
            show::plain,
        );
        self.look(
            "limits.string",
            string as u64,
            now.string as u64,
            show::size,
        );
        self.look("limits.array", array, now.array, show::plain);
        self.look("limits.map", map, now.map, show::plain);
        self.look(
            "limits.memory",
            memory as u64,
            now.memory as u64,
            show::size,
        );
    }

    fn on_failure(&mut self, was: &OnFailure, now: &OnFailure) {
        let OnFailure {
            retries,
            backoff,
            max_backoff,
            then,
            topic,
            max_share,
        } = was;
        self.look("on_failure.retries", *retries, now.retries, show::plain);
        self.look("on_failure.backoff", *backoff, now.backoff, show::duration);
        self.look(
            "on_failure.max_backoff",
            *max_backoff,
            now.max_backoff,
            show::duration,
        );
        self.look("on_failure.then", *then, now.then, show::then);
        let topic_text = |topic: &&Option<String>| match topic {
            Some(topic) => show::text(topic),
            None => "TOPIC.dead".to_owned(),
        };
        self.look("on_failure.topic", topic, &now.topic, topic_text);
        self.look(
            "on_failure.max_share",
            *max_share,
            now.max_share,
            show::plain,
        );
    }
}

pub(super) fn group(was: &Group, now: &Group) -> GroupChanges {
    let Group {
        topics,
        members: _, // has steps of its own
        handler,
        start,
        on_out_of_range,
        rate,
        ordering,
        in_flight,
        guarantee,
        commit_interval,
        transaction_interval,
        handler_timeout,
        drain_timeout,
        protocol,
        static_membership,
        buffer,
        properties,
        params,
        test_before_swap,
        compile,
        limits,
        on_failure,
        // The configuration of a rehearsal is never reloaded.
        stage: _,
    } = was;
    let mut replacing = Differences::default();
    replacing.look("topics", topics, &now.topics, |t| show::list(t));
    replacing.look("guarantee", *guarantee, now.guarantee, show::guarantee);
    replacing.look("protocol", *protocol, now.protocol, show::protocol);
    replacing.look(
        "static_membership",
        *static_membership,
        now.static_membership,
        show::plain,
    );
    replacing.look("buffer", *buffer, now.buffer, show::size);
    replacing.properties("properties.", properties, &now.properties);

    let mut in_place = Differences::default();
    in_place.look("handler", handler, &now.handler, |p| show::path(p));
    in_place.look("start", *start, now.start, show::start);
    in_place.note("start", "where the group has no offset yet");
    in_place.look(
        "on_out_of_range",
        *on_out_of_range,
        now.on_out_of_range,
        show::out_of_range,
    );
    in_place.look("rate", *rate, now.rate, show::rate);
    in_place.look("ordering", *ordering, now.ordering, show::ordering);
    in_place.look("in_flight", *in_flight, now.in_flight, show::plain);
    for (setting, was, now) in [
        ("commit_interval", commit_interval, now.commit_interval),
        ("drain_timeout", drain_timeout, now.drain_timeout),
    ] {
        in_place.look(setting, *was, now, show::duration);
    }
    // A client tells the brokers once how long its transactions may take.
    let told = now.guarantee == Guarantee::ExactlyOnce
        && transaction_timeout(was) != transaction_timeout(now);
    let times = if told { &mut replacing } else { &mut in_place };
    for (setting, was, now) in [
        (
            "transaction_interval",
            transaction_interval,
            now.transaction_interval,
        ),
        ("handler_timeout", handler_timeout, now.handler_timeout),
    ] {
        times.look(setting, *was, now, show::duration);
    }
    in_place.params(params, &now.params);
    in_place.look(
        "test_before_swap",
        *test_before_swap,
        now.test_before_swap,
        show::plain,
    );
    in_place.look("compile", *compile, now.compile, show::plain);
    in_place.limits(limits, &now.limits);
    in_place.on_failure(on_failure, &now.on_failure);
    GroupChanges {
        in_place: in_place.0,
        replacing: replacing.0,
    }
}

pub(super) fn producer(was: &Producer, now: &Producer) -> ProducerChanges {
    let Producer {
        topic,
        handler,
        rate,
        count,
        seed,
        compile,
        params,
        limits,
    } = was;
    let count_text = |count: &Option<u64>| match count {
        Some(count) => count.to_string(),
        None => "endless".to_owned(),
    };
    let seed_text = |seed: &Option<u64>| match seed {
        Some(seed) => seed.to_string(),
        None => "random".to_owned(),
    };
    let mut replacing = Differences::default();
    replacing.look("topic", topic, &now.topic, |t| show::text(t));
    replacing.look("seed", *seed, now.seed, seed_text);
    let mut in_place = Differences::default();
    in_place.look("handler", handler, &now.handler, |p| show::path(p));
    in_place.look("rate", *rate, now.rate, show::rate);
    in_place.look("count", *count, now.count, count_text);
    in_place.look("compile", *compile, now.compile, show::plain);
    in_place.params(params, &now.params);
    in_place.limits(limits, &now.limits);
    ProducerChanges {
        in_place: in_place.0,
        replacing: replacing.0,
    }
}

pub(super) fn kafka(was: &Kafka, now: &Kafka) -> Vec<Change> {
    let Kafka {
        brokers,
        properties,
    } = was;
    let mut changes = Differences::default();
    changes.look("brokers", brokers, &now.brokers, |b| show::brokers(b));
    changes.properties("properties.", properties, &now.properties);
    changes.0
}

pub(super) fn log(was: &Log, now: &Log) -> Vec<Change> {
    let Log {
        level,
        file,
        rotate,
        keep,
    } = was;
    let mut changes = Differences::default();
    changes.look("level", level, &now.level, |l| show::text(l));
    changes.look("file", file, &now.file, |file| {
        file.as_ref()
            .map_or("none".to_owned(), |file| show::path(file))
    });
    changes.look("rotate", *rotate, now.rotate, show::rotate);
    changes.look("keep", *keep, now.keep, show::plain);
    changes.0
}

/// The settings of the process that change in place; the others are refused.
pub(super) fn daemon(was: &Daemon, now: &Daemon) -> Vec<Change> {
    let Daemon {
        instance: _,
        http: _,
        hosts,
        watch,
        control: _,
        shutdown_timeout,
    } = was;
    let mut changes = Differences::default();
    changes.look("hosts", hosts, &now.hosts, |hosts| show::list(hosts));
    changes.look("watch", *watch, now.watch, show::watch);
    changes.look(
        "shutdown_timeout",
        *shutdown_timeout,
        now.shutdown_timeout,
        show::duration,
    );
    changes.0
}
