//! Formats of what belongs to Kafka: names, brokers, rates, where to start.

use figment::value::Value;
use jiff::Timestamp;
use serde_json::json;

use super::scalar::{Refusal, Scalar, number, text};
use super::table::{List, list};
use crate::config::names::{client_mistake, suggest, topic_mistake};
use crate::config::settings::Wants;
use crate::config::types::{Brokers, Rate, Start};

/// A legal topic name.
pub fn topic_name() -> Scalar<String> {
    let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,249}$" });
    text(
        "a topic's name",
        schema,
        String::new(),
        |text| match topic_mistake(text) {
            Some(mistake) => Err(Refusal::because(mistake)),
            None => Ok(text.to_owned()),
        },
    )
}

/// At least one topic.
pub fn topic_names() -> List {
    list(topic_name(), 1)
}

/// A name that becomes a part of client ids.
pub fn client_name() -> Scalar<String> {
    let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$" });
    text(
        "a name",
        schema,
        String::new(),
        |text| match client_mistake(text) {
            Some(mistake) => Err(Refusal::because(mistake)),
            None => Ok(text.to_owned()),
        },
    )
}

/// `embedded`, or a list of `host:port`.
pub fn brokers() -> Scalar<Brokers> {
    let expected = "\"embedded\", or \"host:port\" with commas between several";
    let schema = json!({ "type": "string", "minLength": 1 });
    let mut scalar = text(expected, schema, Brokers::Embedded, brokers_of);
    let parse = scalar.parse;
    scalar.parse = Box::new(move |value, base| match value.as_array() {
        Some(items) => {
            let servers: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Err(Refusal::unexpected().hint(format!("as one text: {:?}", servers.join(","))))
        }
        None => parse(value, base),
    });
    scalar
}

fn brokers_of(text: &str) -> Result<Brokers, Refusal> {
    if text == "embedded" {
        return Ok(Brokers::Embedded);
    }
    let servers: Vec<&str> = text.split(',').map(str::trim).collect();
    servers
        .iter()
        .try_for_each(|server| server_mistake(server))?;
    Ok(Brokers::Servers(servers.join(",")))
}

fn server_mistake(server: &str) -> Result<(), Refusal> {
    if server.contains("://") {
        return Err(
            Refusal::because(format!("only host and port in {server:?}"))
                .hint("the protocol is the property \"security.protocol\""),
        );
    }
    let Some((host, port)) = server.rsplit_once(':') else {
        let refusal = Refusal::unexpected();
        return Err(match suggest(server, ["embedded"]) {
            Some(name) => refusal.hint(format!("did you mean {name:?}?")),
            None if server.is_empty() => refusal,
            None => refusal.hint(format!("the port is missing: \"{server}:9092\"")),
        });
    };
    match port.parse::<u16>() {
        Err(_) | Ok(0) => Err(Refusal::because(format!(
            "{port:?} is not a port from 1 to 65535"
        ))),
        Ok(_) if host.is_empty() => Err(Refusal::because("the host is missing before the port")),
        Ok(_) if host.contains(char::is_whitespace) => {
            Err(Refusal::because(format!("{host:?} is not a host")))
        }
        Ok(_) => Ok(()),
    }
}

/// Messages per second, or `"unlimited"`.
pub fn rate() -> Scalar<Rate> {
    Scalar {
        expected: "a number of messages per second, or \"unlimited\"".into(),
        schema: json!({ "anyOf": [
            { "type": "number", "exclusiveMinimum": 0 },
            { "const": "unlimited" },
        ] }),
        wants: Wants::Toml,
        stand_in: Rate::Unlimited,
        parse: Box::new(|value, _| rate_of(value)),
    }
}

fn rate_of(value: &Value) -> Result<Rate, Refusal> {
    if let Some(text) = value.as_str() {
        return match text {
            "unlimited" => Ok(Rate::Unlimited),
            _ if text.trim().parse::<f64>().is_ok() => {
                Err(Refusal::unexpected().hint("without quotes"))
            }
            _ => Err(Refusal::unexpected().suggest(text, ["unlimited"])),
        };
    }
    match number(value) {
        Some(0.0) => Err(Refusal::because("a rate is more than 0")
            .hint("to stop it for a while: `deliveryd pause NAME`; for no limit: \"unlimited\"")),
        Some(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate::PerSecond(rate)),
        Some(_) => {
            Err(Refusal::because("a rate is more than 0").hint("for no limit: \"unlimited\""))
        }
        None => Err(Refusal::unexpected()),
    }
}

/// `earliest`, `latest` or a time.
pub fn start() -> Scalar<Start> {
    let expected = "\"earliest\", \"latest\" or a time such as \"2026-01-31T08:00:00Z\"";
    text(
        expected,
        json!({ "type": "string" }),
        Start::Earliest,
        |text| match text {
            "earliest" => Ok(Start::Earliest),
            "latest" => Ok(Start::Latest),
            _ => match text.parse::<Timestamp>() {
                Ok(time) => Ok(Start::Time(time.as_millisecond())),
                Err(_) if text.parse::<jiff::civil::DateTime>().is_ok() => {
                    Err(Refusal::unexpected()
                        .hint("a time has an offset from UTC, such as `Z` or `+02:00`"))
                }
                Err(_) => Err(Refusal::unexpected().suggest(text, ["earliest", "latest"])),
            },
        },
    )
}
