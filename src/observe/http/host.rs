//! Which names the page answers to.
//!
//! A web site that its owner points at 127.0.0.1 (DNS rebinding) could otherwise read the status
//! through the browser of somebody who visits it. Such a request carries the site's own name.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The names that the config adds; a reload changes them.
pub type FurtherHosts = Arc<ArcSwap<Vec<String>>>;

/// The names that requests may be addressed to.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    names: [String; 2],
    further: FurtherHosts,
    bound: IpAddr,
}

impl Hosts {
    /// `localhost`, the instance's name and the config's `hosts`, besides addresses.
    pub fn new(bound: IpAddr, instance: &str, further: FurtherHosts) -> Self {
        Self {
            names: ["localhost", instance].map(|name| normal(name).to_owned()),
            further,
            bound,
        }
    }

    /// Whether a `Host` header's value (`name`, `name:port`, `[v6]:port`) is one of ours. The port is
    /// not looked at: forwarding changes it, and it tells nothing about who asks.
    pub fn admit(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        if let Ok(address) = name.parse::<IpAddr>() {
            let address = address.to_canonical();
            // An address was not looked up, so nobody can have pointed it here. Listening on all
            // addresses, any of them may be meant.
            return address.is_loopback()
                || address == self.bound.to_canonical()
                || self.bound.is_unspecified();
        }
        let name = normal(name);
        let further = self.further.load();
        let mut names = self.names.iter().chain(further.iter());
        names.any(|own| normal(own).eq_ignore_ascii_case(name))
    }
}

/// `name.` is the same name, fully qualified.
fn normal(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn without_port(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return whole.then_some(address);
    }
    match host.split_once(':') {
        None => Some(host),
        Some((name, port)) => is_port(port).then_some(name),
    }
    .filter(|name| !name.is_empty())
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reload may add names while the page is served.
    #[test]
    fn further_names_change_while_it_runs() {
        let further = FurtherHosts::default();
        let hosts = Hosts::new(IpAddr::from([127, 0, 0, 1]), "host-a", further.clone());
        assert!(!hosts.admit("status.example.org"));
        further.store(Arc::new(vec!["status.example.org".to_owned()]));
        assert!(hosts.admit("status.example.org:8660"));
        further.store(Arc::default());
        assert!(!hosts.admit("status.example.org"));
    }

    fn hosts(bound: &str) -> Hosts {
        let further = vec!["status.example.org".to_owned()];
        let further = Arc::new(ArcSwap::from_pointee(further));
        Hosts::new(bound.parse().unwrap(), "host-a", further)
    }

    /// Loopback, the instance, the bound address and configured names are ours, with any port.
    #[test]
    fn own_names_are_admitted() {
        let hosts = hosts("10.0.0.7");
        for host in [
            "localhost",
            "LocalHost:8660",
            "localhost.",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8660",
            "[::ffff:127.0.0.1]",
            "10.0.0.7:80",
            "host-a:8660",
            "status.example.org",
        ] {
            assert!(hosts.admit(host), "{host}");
        }
    }

    /// A foreign name that was pointed here is refused, and so is what is no host at all.
    #[test]
    fn foreign_names_are_refused() {
        let hosts = hosts("10.0.0.7");
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.example:8660",
            "10.0.0.8",
            "",
            ":8660",
            "localhost:8660:1",
            "localhost:evil",
            "[::1",
            "[::1]x",
            "xlocalhost",
            "local host",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
    }

    /// Listening everywhere, any address may be meant, but no foreign name.
    #[test]
    fn listening_everywhere_admits_addresses_not_names() {
        let hosts = hosts("0.0.0.0");
        assert!(hosts.admit("192.168.1.5:8660"));
        assert!(!hosts.admit("evil.example"));
    }
}
