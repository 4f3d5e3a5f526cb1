//! Whether a cluster can give transactions: said at the start, in words that say what to change.

use std::collections::BTreeMap;

use super::admin::{Admin, REQUEST, Shared, blocking};
use super::error::KafkaError;

/// Where the brokers keep what they know of transactions.
const LOG: &str = "__transaction_state";
const COPIES: &str = "transaction.state.log.replication.factor";
const MIN_ISR: &str = "transaction.state.log.min.isr";
const PROTOCOL: &str = "inter.broker.protocol.version";

/// Offsets in a transaction name the group's generation since this version (KIP-447).
const FIRST: (u32, u32) = (2, 5);

impl Admin {
    /// What stands against transactions without making them impossible, a sentence each.
    ///
    /// # Errors
    /// Transactions can not work on this cluster, or it does not answer.
    pub async fn check_transactions(&self) -> Result<Vec<String>, KafkaError> {
        let shared = self.shared.clone();
        blocking(move || look(&shared)).await
    }
}

fn look(shared: &Shared) -> Result<Vec<String>, KafkaError> {
    let brokers = shared.ask(|client| client.brokers(REQUEST))?;
    let Some(first) = brokers.first() else {
        return Ok(Vec::new());
    };
    let asked = shared.ask(|client| client.broker_config(*first, REQUEST));
    let settings = match asked {
        Ok(settings) => settings,
        Err(error) if error.is_denied() && !error.is_outage() => {
            return Ok(vec![format!(
                "the brokers' settings for transactions could not be looked at: {error}"
            )]);
        }
        Err(error) => return Err(error),
    };
    let log = match shared.describe(&[LOG.to_owned()])?.remove(LOG) {
        None => None,
        Some(topic) => {
            match shared.ask(|client| client.topic_config(LOG, REQUEST)) {
                Ok(config) => Some(Log {
                    copies: topic.replication,
                    in_sync: number(&config, "min.insync.replicas").unwrap_or(1),
                }),
                // It is there, so it could be made.
                Err(error) if error.is_denied() && !error.is_outage() => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
    };
    judge(brokers.len() as i32, log, &settings)
        .map_err(|message| KafkaError::new("_UNSUPPORTED_FEATURE", message))
}

/// The transaction log as it is, or will be made.
#[derive(Debug, Clone, Copy)]
struct Log {
    copies: i32,
    in_sync: i32,
}

fn judge(
    brokers: i32,
    log: Option<Log>,
    settings: &BTreeMap<String, String>,
) -> Result<Vec<String>, String> {
    if let Some(version) = settings.get(PROTOCOL)
        && older(version)
    {
        return Err(format!(
            "`guarantee = \"exactly_once\"` needs Kafka 2.5 or later, and the brokers speak {version} ({PROTOCOL})"
        ));
    }
    let exists = log.is_some();
    let log = log.unwrap_or(Log {
        copies: number(settings, COPIES).unwrap_or(3),
        in_sync: number(settings, MIN_ISR).unwrap_or(2),
    });
    let have = match brokers {
        1 => "the cluster has 1 broker".to_owned(),
        n => format!("the cluster has {n} brokers"),
    };
    if !exists && log.copies > brokers {
        return Err(format!(
            "`guarantee = \"exactly_once\"` needs the brokers' transaction log, which can't be made: {COPIES} is {}, and {have}; set it in the brokers' configuration, or start the missing brokers",
            log.copies
        ));
    }
    let mut warnings = Vec::new();
    if log.in_sync > brokers.min(log.copies) {
        warnings.push(format!(
            "exactly_once stands still: the transaction log needs {} copies in sync ({MIN_ISR}), it has {}, and {have}",
            log.in_sync, log.copies
        ));
    } else if log.copies < brokers.min(3) {
        warnings.push(format!(
            "the transaction log has {} of the {} copies that it could have ({COPIES}): exactly_once stands still while their broker is away",
            log.copies,
            brokers.min(3)
        ));
    } else if log.copies >= 2 && log.in_sync < 2 {
        warnings.push(format!(
            "{MIN_ISR} is {}: a broker that fails can take committed transactions with it; set it to 2",
            log.in_sync
        ));
    } else if log.copies >= 2 && log.in_sync == log.copies {
        warnings.push(format!(
            "{MIN_ISR} is as large as the number of copies, {}: exactly_once stands still while any broker of them is away",
            log.copies
        ));
    }
    Ok(warnings)
}

fn number(settings: &BTreeMap<String, String>, name: &str) -> Option<i32> {
    settings.get(name)?.parse().ok()
}

/// Whether a version such as `2.4-IV1` is too old. What is no version is not.
fn older(version: &str) -> bool {
    let digits = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_digit());
        part[..end.unwrap_or(part.len())].parse::<u32>().ok()
    };
    let mut parts = version.split('.').map(digits);
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < FIRST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    /// A cluster as it should be is good, and so is one broker that is alone.
    #[test]
    fn good_clusters_pass_without_a_word() {
        let three = settings(&[(COPIES, "3"), (MIN_ISR, "2"), (PROTOCOL, "3.3-IV3")]);
        assert_eq!(judge(3, None, &three), Ok(Vec::new()));
        let one = settings(&[(COPIES, "1"), (MIN_ISR, "1")]);
        assert_eq!(judge(1, None, &one), Ok(Vec::new()));
        let log = Log {
            copies: 3,
            in_sync: 2,
        };
        // One of three is away.
        assert_eq!(judge(2, Some(log), &three), Ok(Vec::new()));
    }

    /// Too few brokers for a log that does not exist yet: an error with the setting's name.
    #[test]
    fn a_log_that_can_not_be_made_is_an_error() {
        let error = judge(1, None, &settings(&[(COPIES, "3")])).unwrap_err();
        assert!(
            error.contains(COPIES) && error.contains("1 broker"),
            "{error}"
        );
        // The brokers' own default is three.
        assert!(judge(1, None, &settings(&[])).is_err());
    }

    #[test]
    fn old_brokers_are_an_error() {
        let error = judge(1, None, &settings(&[(PROTOCOL, "2.4-IV1")])).unwrap_err();
        assert!(error.contains("2.5 or later"), "{error}");
        assert!(older("0.11.0") && older("1.1-IV0") && !older("2.5-IV0") && !older("4.1"));
    }

    /// What works until a broker fails is a warning that names the setting.
    #[test]
    fn a_log_that_fails_with_one_broker_is_a_warning() {
        let warned = |brokers, copies, in_sync, word: &str| {
            let log = Some(Log { copies, in_sync });
            let warnings = judge(brokers, log, &settings(&[])).expect("a warning only");
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains(word), "{warnings:?}");
        };
        warned(3, 1, 1, COPIES);
        warned(3, 3, 1, MIN_ISR);
        warned(3, 3, 3, MIN_ISR);
        warned(1, 3, 2, "stands still");
    }
}
