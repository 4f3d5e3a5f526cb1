//! librdkafka's settings for each kind of client: our defaults, the user's properties over them, and on
//! top what deliveryd owns.
//!
//! The properties that users may give are judged in `properties`.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::error::KafkaError;
use super::properties::OWNED;
use super::{Cluster, ConsumerSettings, masked};
use crate::config::{Group, Guarantee, Properties, PropertyValue, Protocol};

/// `INSTANCE-GROUP-N`: a member's client id, and its static member id.
pub fn client_id(instance: &str, group_id: &str, member: u32) -> String {
    format!("{instance}-{group_id}-{member}")
}

/// For every client.
const COMMON: &[(&str, &str)] = &[
    ("allow.auto.create.topics", "false"),
    ("socket.keepalive.enable", "true"),
    ("socket.nagle.disable", "true"),
    // A broker that is back is found within half a second instead of ten. Half of the first is also how
    // long a new client waits between its first connections, several times until its first message.
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "500"),
    // Also how late new partitions are seen by themselves.
    ("topic.metadata.refresh.interval.ms", "30000"),
];

const CONSUMER: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Starting offsets are committed before; a position out of range is the user's decision.
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "false"),
];

/// How often librdkafka tells the metrics what only it knows: seldom, since it writes all that it knows.
const STATISTICS: (&str, &str) = ("statistics.interval.ms", "10000");

/// A client that keeps statistics needs 150 kB for them, so of a large group only the first members do.
const MEMBERS_WITH_STATISTICS: u32 = 8;

const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    // How long fetching rests when the prefetch is full: the default of a second starves a fast handler.
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    STATISTICS,
];

const CLASSIC_DEFAULTS: &[(&str, &str)] = &[
    // A rebalance is noticed at the next heartbeat. librdkafka looks every half second whether one is due,
    // and more often only while it has something to do.
    ("heartbeat.interval.ms", "200"),
    (SESSION_TIMEOUT, "45000"),
];

const SESSION_TIMEOUT: &str = "session.timeout.ms";

/// In milliseconds, what passes from the end of a member's session until the others work on its partitions:
/// half a second until they hear of it, and the rebalance.
const TAKING_OVER: u64 = 1000;
/// With transactions, what it left open is ended before.
const TAKING_OVER_TRANSACTIONS: u64 = 1500;

/// In milliseconds, the shortest session that brokers take if nothing else is set
/// (`group.min.session.timeout.ms`).
const SHORTEST_SESSION: u64 = 6000;

/// On the embedded broker, whose rebalances wait for session timeouts.
const EMBEDDED_CLASSIC_DEFAULTS: &[(&str, &str)] =
    &[("heartbeat.interval.ms", "200"), (SESSION_TIMEOUT, "2000")];

const PRODUCER: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // Never: a message that timed out would be missing between its neighbours.
    ("message.timeout.ms", "0"),
    // Where Java's client puts the same key.
    ("partitioner", "murmur2_random"),
];

/// How long an emit waits for company, in milliseconds: as short as librdkafka goes without a request
/// for each.
pub(super) const EMITTER_LINGER: &str = "1";

const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    // What a message may measure is the topic's affair (max.message.bytes): librdkafka's default of
    // 1,000,000 is below the brokers' own, so that some of what can be read could not be copied or buried.
    ("message.max.bytes", "10000000"),
    // How long a topic that the broker does not know may take to become known.
    ("topic.metadata.propagation.max.ms", "10000"),
    STATISTICS,
];

/// The settings of a member's consumer.
pub(super) fn consumer(settings: &ConsumerSettings<'_>) -> Result<ClientConfig, KafkaError> {
    let ConsumerSettings {
        cluster,
        group_id,
        group,
        member,
        ..
    } = settings;
    let name = client_id(&cluster.instance, group_id, *member);
    let mut config = client(cluster, &name);
    set_all(&mut config, CONSUMER_DEFAULTS);
    if *member > MEMBERS_WITH_STATISTICS {
        config.set(STATISTICS.0, "0");
    }
    prefetch(&mut config, group.buffer);
    match (group.protocol, cluster.embedded) {
        (Protocol::Classic, false) => set_all(&mut config, CLASSIC_DEFAULTS),
        (Protocol::Classic, true) => set_all(&mut config, EMBEDDED_CLASSIC_DEFAULTS),
        // There the broker decides all of these, and librdkafka refuses them.
        (Protocol::Consumer, _) => {}
    }
    if cluster.embedded {
        // It answers a fetch that finds nothing only when this is over, whatever comes meanwhile.
        config.set("fetch.wait.max.ms", "50");
    }
    override_with(&mut config, &cluster.properties);
    override_with(&mut config, &group.properties);
    end_sessions_in_time(&mut config, group.guarantee);
    set_all(&mut config, CONSUMER);
    if group.guarantee == Guarantee::ExactlyOnce {
        // Also makes it wait for offsets that are part of a transaction still open.
        config.set("isolation.level", "read_committed");
    }
    config.set("group.id", *group_id);
    match group.protocol {
        Protocol::Classic => {
            config.set("group.protocol", "classic");
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        Protocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    if group.static_membership {
        config.set("group.instance.id", name);
    }
    Ok(config)
}

/// Who sets a session timeout means how long partitions may be without a member that works. The broker
/// counts until it gives a member up, so it is told less.
fn end_sessions_in_time(config: &mut ClientConfig, guarantee: Guarantee) {
    let taking_over = match guarantee {
        Guarantee::ExactlyOnce => TAKING_OVER_TRANSACTIONS,
        Guarantee::AtLeastOnce | Guarantee::AtMostOnce => TAKING_OVER,
    };
    let set = config.get(SESSION_TIMEOUT).map(str::parse::<u64>);
    if let Some(Ok(millis)) = set
        && let Some(told) = millis.checked_sub(taking_over)
        && told >= SHORTEST_SESSION
    {
        config.set(SESSION_TIMEOUT, told.to_string());
    }
}

/// The prefetch's share of a member's `buffer`: a quarter in bytes of messages, and so few messages
/// that librdkafka's own half kilobyte for each stays within another quarter.
fn prefetch(config: &mut ClientConfig, buffer: u64) {
    let quarter = buffer / 4;
    let kilobytes = (quarter / 1024).clamp(1, 2_097_151);
    config.set("queued.max.messages.kbytes", kilobytes.to_string());
    let messages = (quarter / 512).clamp(100, 100_000);
    config.set("queued.min.messages", messages.to_string());
    // One answer of one broker. librdkafka wants room for its largest message (message.max.bytes) in it.
    let answer = quarter.clamp(1 << 20, 50 << 20);
    config.set("fetch.max.bytes", answer.to_string());
    let partition = (quarter / 4).clamp(64 << 10, 1 << 20);
    config.set("fetch.message.max.bytes", partition.to_string());
}

/// The settings of a producer. `buffer` bounds what is unacknowledged, in bytes; of small messages so many
/// that librdkafka's own quarter kilobyte for each stays within as much again.
pub(super) fn producer(
    cluster: &Cluster,
    properties: &Properties,
    client_id: &str,
    buffer: u64,
    linger: &str,
) -> ClientConfig {
    let mut config = client(cluster, client_id);
    set_all(&mut config, PRODUCER_DEFAULTS);
    config.set("linger.ms", linger);
    let kilobytes = (buffer / 1024).clamp(1, 2_147_483_647);
    config.set("queue.buffering.max.kbytes", kilobytes.to_string());
    let messages = (buffer / 256).clamp(1000, 100_000);
    config.set("queue.buffering.max.messages", messages.to_string());
    override_with(&mut config, &cluster.properties);
    override_with(&mut config, properties);
    set_all(&mut config, PRODUCER);
    config
}

/// The settings of a member's producer with transactions.
pub(super) fn transactional(cluster: &Cluster, group: &Group, id: &str) -> ClientConfig {
    let buffer = group.buffer / 4;
    let mut config = producer(cluster, &group.properties, id, buffer, EMITTER_LINGER);
    config.set("transactional.id", id);
    if cluster.embedded {
        // No member has transactions there; a replay of dead letters has no other way to make a topic.
        config.set("allow.auto.create.topics", "true");
    }
    let given = |name: &str| {
        let own = group.properties.get(name);
        let value = own.or_else(|| cluster.properties.get(name))?;
        value.expose().parse::<u64>().ok()
    };
    let most = given(TRANSACTION_TIMEOUT).unwrap_or_else(|| transaction_timeout(group));
    config.set(TRANSACTION_TIMEOUT, most.to_string());
    // librdkafka refuses a longer one.
    if given("socket.timeout.ms").is_some_and(|socket| socket > most) {
        config.set("socket.timeout.ms", most.to_string());
    }
    config
}

const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";

/// After how many milliseconds the broker ends a transaction by itself: long enough for a call of the
/// handler and slow acknowledgements, and short, because one that nobody ends holds up its readers.
pub fn transaction_timeout(group: &Group) -> u64 {
    let work = group.transaction_interval + group.handler_timeout;
    let most = Duration::from_secs(10).max(work * 2 + Duration::from_secs(5));
    // The broker's own limit, transaction.max.timeout.ms, is 15 minutes.
    most.min(Duration::from_secs(900)).as_millis() as u64
}

/// The settings of a client that only asks and administers; with a `group_id`, a consumer's that never joins.
pub(super) fn admin(cluster: &Cluster, client_id: &str, group_id: Option<&str>) -> ClientConfig {
    let mut config = client(cluster, client_id);
    override_with(&mut config, &cluster.properties);
    set_all(&mut config, CONSUMER);
    // Nobody takes them from its queue, where they would heap up.
    config.set(STATISTICS.0, "0");
    if let Some(group_id) = group_id {
        config.set("group.id", group_id);
    }
    config
}

fn client(cluster: &Cluster, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    set_all(&mut config, COMMON);
    // Empty where only the settings are checked.
    if !cluster.servers.is_empty() {
        config.set("bootstrap.servers", &cluster.servers);
    }
    config.set("client.id", client_id);
    config
}

fn set_all(config: &mut ClientConfig, pairs: &[(&str, &str)]) {
    for (name, value) in pairs {
        config.set(*name, *value);
    }
}

fn override_with(config: &mut ClientConfig, properties: &Properties) {
    for (name, value) in properties {
        // Refused by the check already; here so that nothing can slip past it.
        if !OWNED.iter().any(|(owned, _)| owned == name) {
            if let PropertyValue::Secret(secret) = value {
                masked::hide(secret);
            }
            config.set(name, value.expose());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::config::PropertyValue;

    /// The partitions of a member that hangs are in other hands when the session timeout is over; what is
    /// as short as brokers take it is left so.
    #[test]
    fn sessions_end_before_their_timeout() {
        let cluster = Cluster {
            embedded: false,
            ..testing::cluster("localhost:9092")
        };
        let told = |millis: Option<&str>, guarantee| {
            let mut group = testing::group();
            group.guarantee = guarantee;
            if let Some(millis) = millis {
                let value = PropertyValue::Plain(millis.to_owned());
                group.properties.insert(SESSION_TIMEOUT.to_owned(), value);
            }
            let settings = ConsumerSettings {
                cluster: &cluster,
                group_id: "g",
                group: &group,
                member: 1,
                wake: std::sync::Arc::default(),
            };
            let config = consumer(&settings).unwrap();
            config.get(SESSION_TIMEOUT).map(str::to_owned)
        };
        use Guarantee::{AtLeastOnce, ExactlyOnce};
        assert_eq!(told(None, AtLeastOnce).as_deref(), Some("44000"));
        assert_eq!(told(Some("10000"), AtLeastOnce).as_deref(), Some("9000"));
        assert_eq!(told(Some("10000"), ExactlyOnce).as_deref(), Some("8500"));
        assert_eq!(told(Some("6500"), AtLeastOnce).as_deref(), Some("6500"));
        let nonsense = told(Some("nonsense"), AtLeastOnce);
        assert_eq!(nonsense.as_deref(), Some("nonsense"));
    }

    /// Statistics come to clients whose queues are emptied, of a group's first members and as often as the
    /// config says; others would keep them for ever.
    #[test]
    fn statistics_go_where_they_are_taken() {
        let mut cluster = testing::cluster("localhost:9092");
        let often = |config: &ClientConfig| config.get(STATISTICS.0).map(str::to_owned);
        let emitter = |cluster: &Cluster| producer(cluster, &Properties::new(), "c", 1024, "1");
        assert_eq!(often(&emitter(&cluster)).as_deref(), Some(STATISTICS.1));
        let group = testing::group();
        let of_member = |member| {
            let settings = ConsumerSettings {
                cluster: &cluster,
                group_id: "g",
                group: &group,
                member,
                wake: std::sync::Arc::default(),
            };
            often(&consumer(&settings).expect("the settings are good"))
        };
        assert_eq!(of_member(8).as_deref(), Some(STATISTICS.1));
        assert_eq!(of_member(9).as_deref(), Some("0"));
        let five = PropertyValue::Plain("5000".to_owned());
        cluster.properties.insert(STATISTICS.0.to_owned(), five);
        assert_eq!(often(&emitter(&cluster)).as_deref(), Some("5000"));
        assert_eq!(often(&admin(&cluster, "c", None)).as_deref(), Some("0"));
    }
}
