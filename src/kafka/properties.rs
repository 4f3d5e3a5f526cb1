//! Judges the librdkafka properties that users give, without a broker.
//!
//! [`check_property`] looks at one: not ours, known, of a good value. [`check_client`] looks at all of
//! a group's together, which librdkafka does only when it makes a client (0.6 ms).

use std::sync::{Arc, LazyLock};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError as LibraryError;
use rdkafka::types::{RDKafkaConfRes, RDKafkaType};
use tokio::sync::Notify;

use super::context::Context;
use super::error::KafkaError;
use super::raw::{self, Client};
use super::{Cluster, ConsumerSettings, settings};
use crate::config::{Group, Guarantee, PropertyValue};

/// Whose properties are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyScope {
    /// `[kafka.properties]`: of every client.
    Cluster,
    /// `properties` of a group: of its consumers and their producers.
    Group,
}

/// What is wrong with a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyMistake {
    /// One sentence without a full stop; never holds a secret.
    pub message: String,
    /// The name that was probably meant, or the setting to use instead.
    pub suggestion: Option<String>,
    /// Whether the name is what is wrong, not the value.
    pub in_name: bool,
}

/// The properties that deliveryd sets itself, with the reason and the way instead. Aliases are listed
/// beside their names.
pub(super) const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "set `kafka.brokers`"),
    ("metadata.broker.list", "set `kafka.brokers`"),
    (
        "test.mock.num.brokers",
        "set `kafka.brokers = \"embedded\"`",
    ),
    (
        "client.id",
        "it is made of `daemon.instance`, group and member",
    ),
    ("group.id", "the group's table name is its id"),
    ("group.instance.id", "set the group's `static_membership`"),
    ("group.protocol", "set the group's `protocol`"),
    (
        "partition.assignment.strategy",
        "set the group's `protocol`; classic is cooperative-sticky",
    ),
    (
        "enable.auto.commit",
        "only finished messages are committed; set the group's `commit_interval`",
    ),
    (
        "auto.commit.enable",
        "only finished messages are committed; set the group's `commit_interval`",
    ),
    (
        "auto.commit.interval.ms",
        "set the group's `commit_interval`",
    ),
    (
        "enable.auto.offset.store",
        "only finished messages are committed",
    ),
    ("offset.store.method", "offsets are kept by the broker"),
    ("offset.store.path", "offsets are kept by the broker"),
    (
        "offset.store.sync.interval.ms",
        "offsets are kept by the broker",
    ),
    (
        "auto.offset.reset",
        "set the group's `start` and `on_out_of_range`",
    ),
    (
        "enable.partition.eof",
        "deliveryd reads the end of a partition from its fetches",
    ),
    ("queued.max.messages.kbytes", "set the group's `buffer`"),
    ("queue.buffering.max.kbytes", "set the group's `buffer`"),
    (
        "enable.idempotence",
        "it is always on, so that order is kept and nothing is written twice",
    ),
    (
        "acks",
        "it is always `all`, so that nothing acknowledged is lost",
    ),
    (
        "request.required.acks",
        "it is always `all`, so that nothing acknowledged is lost",
    ),
    (
        "message.timeout.ms",
        "messages never time out, so that none is missing between its neighbours",
    ),
    (
        "delivery.timeout.ms",
        "messages never time out, so that none is missing between its neighbours",
    ),
    (
        "partitioner",
        "it is always `murmur2_random`, so that keys go where Java's client puts them",
    ),
    (
        "transactional.id",
        "set the group's `guarantee = \"exactly_once\"`",
    ),
    (
        "allow.auto.create.topics",
        "topics are created from `[topics]`",
    ),
    ("log_level", "set `log.level`"),
    ("log.queue", "set `log.level`"),
    (
        "delivery.report.only.error",
        "every acknowledgement is needed",
    ),
    ("dr_cb", "it is no text"),
    ("dr_msg_cb", "it is no text"),
    ("background_event_cb", "it is no text"),
    ("rebalance_cb", "it is no text"),
    ("offset_commit_cb", "it is no text"),
    ("consume_cb", "it is no text"),
    ("error_cb", "it is no text"),
    ("throttle_cb", "it is no text"),
    ("stats_cb", "it is no text"),
    ("log_cb", "it is no text"),
    ("socket_cb", "it is no text"),
    ("connect_cb", "it is no text"),
    ("closesocket_cb", "it is no text"),
    ("open_cb", "it is no text"),
    ("resolve_cb", "it is no text"),
    ("oauthbearer_token_refresh_cb", "it is no text"),
    ("ssl.certificate.verify_cb", "it is no text"),
    ("ssl_engine_callback_data", "it is no text"),
    ("opaque", "it is no text"),
    (
        "default_topic_conf",
        "give the topic's properties by their own names",
    ),
];

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    raw::properties()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
});

/// Looks at one property: whether users may set it, whether librdkafka knows it, whether the value is
/// one that it takes.
pub fn check_property(
    _scope: PropertyScope,
    name: &str,
    value: &PropertyValue,
) -> Result<(), PropertyMistake> {
    if let Some((_, instead)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err(PropertyMistake {
            message: format!("`{name}` belongs to deliveryd"),
            suggestion: Some((*instead).to_owned()),
            in_name: true,
        });
    }
    let mut config = ClientConfig::new();
    config.set(name, value.expose());
    let Err(error) = config.create_native_config() else {
        return Ok(());
    };
    let (kind, description) = match error {
        LibraryError::ClientConfig(kind, description, _, _) => (kind, description),
        // Only for a NUL character in name or value.
        _ => (
            RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "it has a NUL character in it".to_owned(),
        ),
    };
    if kind == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN {
        return Err(PropertyMistake {
            message: format!("librdkafka has no property `{name}`"),
            suggestion: nearest(name).map(|name| format!("did you mean `{name}`?")),
            in_name: true,
        });
    }
    let message = match value {
        PropertyValue::Plain(value) => {
            format!("`{name}` can't be {value:?}: {}", in_words(&description))
        }
        // librdkafka's text may repeat the value.
        PropertyValue::Secret(_) => format!("`{name}` can't have this value"),
    };
    Err(PropertyMistake {
        message,
        suggestion: None,
        in_name: false,
    })
}

/// Looks at all settings of a group's clients together, by making them, without any broker.
pub fn check_client(
    cluster: &Cluster,
    group_id: &str,
    group: &Group,
) -> Result<(), PropertyMistake> {
    let cluster = Cluster {
        servers: String::new(),
        ..cluster.clone()
    };
    let consumer = ConsumerSettings {
        cluster: &cluster,
        group_id,
        group,
        member: 1,
        wake: Arc::new(Notify::new()),
    };
    let name = settings::client_id(&cluster.instance, group_id, 1);
    let made = settings::consumer(&consumer).and_then(|config| {
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        Client::new(kind, &config, Context::new(&name, ""), false)?;
        let config = match group.guarantee {
            Guarantee::ExactlyOnce => settings::transactional(&cluster, group, &name),
            _ => {
                let (properties, buffer) = (&group.properties, group.buffer);
                settings::producer(
                    &cluster,
                    properties,
                    &name,
                    buffer,
                    settings::EMITTER_LINGER,
                )
            }
        };
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        Client::new(kind, &config, Context::new(&name, ""), true)
    });
    match made {
        Ok(_) => Ok(()),
        Err(error) => Err(of_client(error)),
    }
}

/// Looks at `[kafka.properties]` together, where there is no group to look at.
pub fn check_cluster(cluster: &Cluster) -> Result<(), PropertyMistake> {
    let cluster = Cluster {
        servers: String::new(),
        ..cluster.clone()
    };
    let config = settings::admin(&cluster, &cluster.instance, None);
    let kind = RDKafkaType::RD_KAFKA_CONSUMER;
    match Client::new(kind, &config, Context::new(&cluster.instance, ""), false) {
        Ok(_) => Ok(()),
        Err(error) => Err(of_client(error)),
    }
}

/// Why no client could be made.
fn of_client(error: KafkaError) -> PropertyMistake {
    // librdkafka's default, which needs Cyrus SASL.
    let kerberos = error.message.contains("SASL mechanism GSSAPI");
    PropertyMistake {
        message: match kerberos {
            true => "the login with GSSAPI (Kerberos) is not built in".to_owned(),
            false => error.message,
        },
        suggestion: kerberos.then(|| {
            "set `\"sasl.mechanism\"` to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; GSSAPI is \
             librdkafka's default"
                .to_owned()
        }),
        in_name: false,
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known.as_str()))
        .min()
        .filter(|(distance, _)| *distance <= 2.max(name.len() / 4))
        .map(|(_, known)| known)
}

/// librdkafka's sentence without the name, which ours begins with.
fn in_words(description: &str) -> &str {
    description
        .strip_prefix("Configuration property ")
        .unwrap_or(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str, value: &str) -> Result<(), PropertyMistake> {
        let value = PropertyValue::Plain(value.into());
        check_property(PropertyScope::Cluster, name, &value)
    }

    /// A property that librdkafka knows passes with a good value.
    #[test]
    fn known_property_with_good_value_passes() {
        assert_eq!(plain("fetch.min.bytes", "100"), Ok(()));
        assert_eq!(plain("security.protocol", "sasl_ssl"), Ok(()));
        assert_eq!(plain("compression.type", "zstd"), Ok(()));
    }

    /// A property that deliveryd owns is refused by name, with the setting to use instead.
    #[test]
    fn owned_property_is_refused_with_the_way_instead() {
        let mistake = plain("enable.auto.commit", "true").unwrap_err();
        assert_eq!(mistake.message, "`enable.auto.commit` belongs to deliveryd");
        let suggestion = mistake.suggestion.unwrap_or_default();
        assert!(suggestion.contains("`commit_interval`"), "{suggestion}");
    }

    /// Every owned name is one that librdkafka knows, so that none is owned in vain.
    #[test]
    fn owned_names_are_real_ones() {
        for (name, _) in OWNED {
            let mut config = ClientConfig::new();
            config.set(*name, "nonsense");
            if let Err(LibraryError::ClientConfig(kind, ..)) = config.create_native_config() {
                assert_ne!(kind, RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, "{name}");
            }
        }
    }

    /// A misspelt name is answered with the name that was meant.
    #[test]
    fn misspelt_property_gets_a_suggestion() {
        let mistake = plain("fetch.min.byte", "1").unwrap_err();
        assert_eq!(
            mistake.message,
            "librdkafka has no property `fetch.min.byte`"
        );
        assert_eq!(
            mistake.suggestion.as_deref(),
            Some("did you mean `fetch.min.bytes`?")
        );
        assert_eq!(plain("qqqqqqqq", "1").unwrap_err().suggestion, None);
    }

    /// A value out of its range or its list is an error of the check, and says what is allowed.
    #[test]
    fn wrong_value_is_refused_with_what_is_allowed() {
        let range = plain("session.timeout.ms", "0").unwrap_err().message;
        assert!(range.contains("3600000"), "{range}");
        let list = plain("security.protocol", "tls").unwrap_err().message;
        assert!(list.contains("security.protocol"), "{list}");
    }

    /// A secret that is refused is not repeated.
    #[test]
    fn refused_secret_is_not_shown() {
        let value = PropertyValue::Secret("hunter2".into());
        let mistake =
            check_property(PropertyScope::Cluster, "security.protocol", &value).unwrap_err();
        assert!(!mistake.message.contains("hunter2"));
    }

    /// What only contradicts another setting is found without a broker.
    #[test]
    fn contradicting_properties_are_found_without_a_broker() {
        let cluster = Cluster {
            embedded: false,
            ..crate::kafka::testing::cluster("")
        };
        let mut group = crate::kafka::testing::group();
        assert_eq!(check_client(&cluster, "g", &group), Ok(()));
        let value = PropertyValue::Plain("10000".into());
        group
            .properties
            .insert("max.poll.interval.ms".into(), value);
        let mistake = check_client(&cluster, "g", &group).unwrap_err();
        assert!(
            mistake.message.contains("max.poll.interval.ms"),
            "{mistake:?}"
        );
    }
}
