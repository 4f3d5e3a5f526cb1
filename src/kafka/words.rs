//! The sentences of errors: what failed, the likely cause, and the way out.

use super::docker;
use super::error::KafkaError;

/// The sentence of an error. `name` and `description` are librdkafka's, and `detail` is its reason or the
/// thing that the error befell; it may be empty.
pub(super) fn words(name: &str, description: &str, detail: &str) -> String {
    let about = |rest: &str| {
        if detail.is_empty() {
            rest.to_owned()
        } else {
            format!("{rest} ({detail})")
        }
    };
    match name {
        "_TRANSPORT" | "_RESOLVE" | "_ALL_BROKERS_DOWN" | "_SSL" => {
            connection(name, description, detail)
        }
        "_DESTROY_BROKER" => "the broker that was asked is gone from the cluster".to_owned(),
        name if is_login(name) => login(description, detail),
        "TOPIC_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny access to the topic")
        }
        // librdkafka's reason says the same again, and not which group.
        "GROUP_AUTHORIZATION_FAILED" => {
            "not authorised: the broker's ACLs deny READ on the consumer group".to_owned()
        }
        "CLUSTER_AUTHORIZATION_FAILED" if detail.contains("idempotence PID") => {
            "not authorised: the broker's ACLs give this client no topic to write to: WRITE on the topic \
             is missing (before Kafka 2.8, IDEMPOTENT_WRITE on the cluster)"
                .to_owned()
        }
        "CLUSTER_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny this on the cluster")
        }
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" => {
            about("not authorised: the broker's ACLs deny WRITE on the transactional id")
        }
        "UNKNOWN_TOPIC_OR_PART" | "_UNKNOWN_TOPIC" => about("the topic does not exist"),
        "_UNKNOWN_PARTITION" => about("the partition does not exist"),
        "MSG_SIZE_TOO_LARGE" => about("the message is larger than the broker or the client allows"),
        "_FENCED" | "PRODUCER_FENCED" | "INVALID_PRODUCER_EPOCH" => about(
            "another producer has taken over this transactional id: this member was away for longer than its session, or a second daemon runs with the same `daemon.instance`",
        ),
        "FENCED_INSTANCE_ID" => about(
            "another member took over this static member id; is a second daemon running with the same `daemon.instance`?",
        ),
        "_MAX_POLL_EXCEEDED" => {
            about("the member was not polled for max.poll.interval.ms and has lost its partitions")
        }
        _ if detail.is_empty() => description.to_owned(),
        _ if detail.contains(description) => detail.to_owned(),
        _ => format!("{description} ({detail})"),
    }
}

const PROTOCOL: &str = "check security.protocol in [kafka.properties]";

/// What a broker means that hangs up at the first words, by librdkafka's log line about it.
pub(super) fn hung_up(line: &str) -> Option<String> {
    let (address, cause) = split_reason(line);
    let address = address.filter(|_| cause.starts_with("disconnected"))?;
    let (_, state) = line.rsplit_once(" in state ")?;
    if state.starts_with("APIVERSION_QUERY") && !line.contains("ssl://") {
        Some(format!(
            "the broker at {address} hangs up: does its port speak TLS? {PROTOCOL}"
        ))
    } else if state.starts_with("UP") && !line.contains("sasl_") {
        Some(format!(
            "the broker at {address} hangs up: does its port ask for a login? {PROTOCOL}"
        ))
    } else {
        None
    }
}

/// No connection to a broker, or it is lost.
fn connection(name: &str, description: &str, detail: &str) -> String {
    let (address, cause) = split_reason(detail);
    let Some(address) = address else {
        let cause = match (name, cause.is_empty()) {
            ("_RESOLVE", _) => "the name can't be resolved".to_owned(),
            (_, true) => description.to_lowercase(),
            (_, false) => cause,
        };
        return format!("no broker can be reached: {cause}");
    };
    let tls = cause.contains("SSL");
    if name == "_RESOLVE" {
        format!("no broker at {address}: the name can't be resolved")
    } else if tls
        && ["connection closed by peer", "wrong version"]
            .iter()
            .any(|said| cause.contains(said))
    {
        format!("the broker at {address} speaks no TLS at this port; {PROTOCOL}")
    } else if tls && cause.contains("certificate required") {
        format!(
            "the broker at {address} asks for a certificate of this client; set ssl.certificate.location \
             and ssl.key.location in [kafka.properties]"
        )
    } else if tls && cause.contains("alert") {
        format!(
            "the broker at {address} refuses the TLS connection: {cause}; check ssl.certificate.location \
             and ssl.key.location in [kafka.properties]"
        )
    } else if name == "_SSL" {
        format!(
            "no TLS connection to the broker at {address}: {cause}; check security.protocol and ssl.* \
             in [kafka.properties]"
        )
    } else {
        let cause = match cause.is_empty() {
            true => description.to_lowercase(),
            false => cause,
        };
        format!("no broker at {address}: {cause}")
    }
}

/// A certificate that OpenSSL does not accept, by its number for the reason (openssl-verification-options(1)).
pub(super) fn certificate(reason: &str, x509_error: i32) -> String {
    let (address, _) = split_reason(reason);
    let address = address.unwrap_or_else(|| "an unknown place".to_owned());
    let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
    let cause = match x509_error {
        2 | 18..=21 => {
            "no authority that is known here has signed its certificate; set ssl.ca.location in \
             [kafka.properties] to its authority's certificate"
                .to_owned()
        }
        9 => "its certificate is not valid yet; is this machine's clock right?".to_owned(),
        10 => "its certificate has expired; the broker needs a new one".to_owned(),
        62 | 64 => format!(
            "its certificate is not for `{host}`; use a name that is in the certificate, in \
             `kafka.brokers` and in the brokers' advertised.listeners"
        ),
        number => format!(
            "its certificate is not accepted (X.509 error {number}); check ssl.* in [kafka.properties]"
        ),
    };
    format!("no TLS connection to the broker at {address}: {cause}")
}

fn login(description: &str, detail: &str) -> String {
    let cause = match split_reason(detail) {
        (Some(address), cause) => {
            let cause = cause
                .strip_prefix("SASL authentication error: ")
                .unwrap_or(&cause);
            format!("the broker at {address} refused the login: {cause}")
        }
        (None, cause) if !cause.is_empty() => cause,
        _ => description.to_lowercase(),
    };
    format!(
        "authentication failed: {cause}; check security.protocol and sasl.* in [kafka.properties]"
    )
}

pub(super) fn is_login(code: &str) -> bool {
    matches!(
        code,
        "_AUTHENTICATION"
            | "SASL_AUTHENTICATION_FAILED"
            | "UNSUPPORTED_SASL_MECHANISM"
            | "ILLEGAL_SASL_STATE"
    )
}

/// What to do about brokers that can't be worked with; a line under the sentence.
pub(super) fn way_out(error: &KafkaError) -> &'static str {
    let says = |text: &str| error.message.contains(text);
    if is_login(&error.code) {
        "is it another password by now? `deliveryd reload` reads secrets again; what is mended on the broker is noticed by itself"
    } else if error.is_denied() {
        "deliveryd goes on by itself when the right is given; README.md, \"Rights\", lists what it needs"
    } else if error.code == "_SSL" || says("security.protocol") || says(" ssl.") {
        "`deliveryd reload` takes up a changed configuration at once"
    } else if says("can't be resolved") {
        "is the name in `kafka.brokers` right, and known on this machine?"
    } else if says("no broker at ") && !HERE.iter().any(|here| says(here)) {
        "is it running, and can this machine reach it?"
    } else {
        docker::way_out()
    }
}

/// How a broker on this machine is named.
const HERE: &[&str] = &[
    "no broker at localhost:",
    "no broker at 127.",
    "no broker at [::1]:",
];

/// librdkafka's reason, such as `ssl://host:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed:
/// Connection refused (after 0ms in state CONNECT)`, as address and cause.
fn split_reason(reason: &str) -> (Option<String>, String) {
    // Some reasons begin with the client's name in brackets: `[thrd:host:9092/1]: host:9092/1: …`.
    let reason = match reason.strip_prefix("[thrd:") {
        Some(rest) => rest.split_once("]: ").map_or(rest, |(_, rest)| rest),
        None => reason,
    };
    // The coordinator's connection has a name of its own.
    let reason = reason
        .strip_prefix("GroupCoordinator: ")
        .or_else(|| reason.strip_prefix("TxnCoordinator: "))
        .unwrap_or(reason);
    let (address, cause) = match reason.split_once(": ") {
        Some((broker, cause)) if !broker.contains(' ') && broker.contains(':') => {
            let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest);
            let address = broker
                .split_once('/')
                .map_or(broker, |(address, _)| address);
            (Some(address.to_owned()), cause)
        }
        _ => (None, reason),
    };
    let cause = cause.split(" (after ").next().unwrap_or(cause);
    let cause = match cause.split_once(" failed: ") {
        Some((start, rest)) if start.starts_with("Connect to ") => rest,
        _ => cause,
    };
    let mut letters = cause.chars();
    let cause = match (letters.next(), cause.chars().nth(1)) {
        // Not of an abbreviation: "SASL …" stays.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => cause.to_owned(),
    };
    (address, cause)
}

#[cfg(test)]
mod tests {
    use rdkafka::bindings::rd_kafka_resp_err_t as Code;

    use super::*;

    /// The coordinator's connection is named by its address too.
    #[test]
    fn unreachable_coordinator_is_named_by_its_address() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            "GroupCoordinator: 127.0.0.1:9092: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        );
        let expected = "no broker at 127.0.0.1:9092: connection refused";
        assert_eq!(error.message, expected);
    }

    /// A name that can't be resolved is told apart from a broker that is down.
    #[test]
    fn unknown_host_is_named_as_such() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__RESOLVE,
            "nosuch:9092/bootstrap: Failed to resolve 'nosuch:9092': Name or service not known (after 3ms in state CONNECT)",
        );
        assert_eq!(
            error.message,
            "no broker at nosuch:9092: the name can't be resolved"
        );
    }

    /// A refused login says so, and where to look.
    #[test]
    fn refused_login_is_named_as_authentication() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__AUTHENTICATION,
            "sasl_plaintext://b:9092/bootstrap: SASL authentication error: Authentication failed (after 5ms in state AUTH_REQ)",
        );
        assert!(error.is_denied());
        assert_eq!(
            error.message,
            "authentication failed: the broker at b:9092 refused the login: Authentication failed; check security.protocol and sasl.* in [kafka.properties]"
        );
    }

    /// A missing right names the thing that is denied.
    #[test]
    fn missing_right_is_named_as_authorisation() {
        let error = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            "Delivery",
        );
        assert!(error.is_denied() && !error.retriable);
        assert_eq!(
            error.message,
            "not authorised: the broker's ACLs deny access to the topic (Delivery)"
        );
    }

    /// A connection that fails for want of the right security.protocol says so, and which way.
    #[test]
    fn the_wrong_protocol_is_named() {
        let hangs = |protocol: &str, state: &str| {
            let broker = format!("{protocol}b:9092/bootstrap");
            hung_up(&format!(
                "[thrd:{broker}]: {broker}: Disconnected: connection closed by peer: receive 0 after POLLIN (after 3ms in state {state}, 1 identical error(s) suppressed)"
            ))
        };
        let plain = hangs("", "APIVERSION_QUERY").unwrap_or_default();
        assert!(
            plain.starts_with("the broker at b:9092 hangs up: does its port speak TLS?"),
            "{plain}"
        );
        let login = hangs("ssl://", "UP").unwrap_or_default();
        assert!(login.contains("does its port ask for a login?"), "{login}");
        assert_eq!(hangs("ssl://", "APIVERSION_QUERY"), None);
        assert_eq!(hangs("sasl_ssl://", "UP"), None);
        let tls = KafkaError::of(
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            "ssl://b:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
        );
        assert!(
            tls.message
                .starts_with("the broker at b:9092 speaks no TLS at this port"),
            "{tls}"
        );
    }

    /// Of a certificate it is told what is wrong with it.
    #[test]
    fn a_certificate_is_told_with_its_fault() {
        let reason = "ssl://b:9092/bootstrap: SSL handshake failed: whatever (after 3ms in state SSL_HANDSHAKE)";
        let authority = certificate(reason, 20);
        assert!(
            authority.contains("broker at b:9092: no authority"),
            "{authority}"
        );
        let name = certificate(reason, 62);
        assert!(name.contains("its certificate is not for `b`"), "{name}");
        assert!(certificate(reason, 10).contains("expired"));
        assert!(certificate(reason, 26).contains("X.509 error 26"));
    }
}
