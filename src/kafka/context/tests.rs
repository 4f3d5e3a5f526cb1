use super::*;

/// A flood of one kind of line is cut to a few a minute, and the gap is told.
#[test]
fn repeated_lines_are_bounded_and_counted() {
    let start = Instant::now();
    let mut repetition = Repetition::default();
    let passed = (0..100)
        .filter(|_| repetition.admit("SESSTMOUT", 4, start) != Admit::Drop)
        .count();
    assert_eq!(passed, 5);
    assert_eq!(repetition.admit("OTHER", 4, start), Admit::Pass(0));
    assert_eq!(
        repetition.admit("SESSTMOUT", 4, start + WINDOW),
        Admit::Pass(95)
    );
}

/// "All brokers are down" is told with the reason of the last connection.
#[test]
fn all_brokers_down_carries_the_cause() {
    let context = Context::new("c", "localhost:9092");
    let reason = "localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)";
    context.error(Code::RD_KAFKA_RESP_ERR__TRANSPORT, reason, None);
    assert!(context.next_error().is_none());
    context.error(
        Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
        "1/1 brokers are down",
        None,
    );
    let error = context.next_error().expect("an error");
    assert_eq!(
        error.message,
        "no broker at localhost:9092: connection refused"
    );
    assert_eq!(error.code, "_ALL_BROKERS_DOWN");
}

/// A certificate that is refused is told as that, also where librdkafka speaks of a lost connection.
#[test]
fn refused_certificates_are_told_whatever_the_code() {
    for code in [
        Code::RD_KAFKA_RESP_ERR__SSL,
        Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    ] {
        let context = Context::new("c", "b:9093");
        context.refuses_certificate("ssl://b:9093/bootstrap", 64);
        let reason = "ssl://b:9093/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 5ms in state SSL_HANDSHAKE)";
        context.error(code, reason, None);
        let told = context.explain(KafkaError::new("_TIMED_OUT", String::new()));
        let start = "no TLS connection to the broker at b:9093: its certificate is not for `b`";
        assert!(told.message.starts_with(start), "{told:?}");
    }
}
