//! `docker-compose.yml`, proved without Docker.
//!
//! Its structure is checked against what users are told. Then Kafka 3.3.1 with ZooKeeper and current
//! Kafka are started from their jars with exactly the settings that the services' environment spells,
//! translated as the images translate it; only hosts, ports and directories that can't exist here are
//! replaced. The health checks run as they stand in the file.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::ports::Port;
use support::run_dir::{RunDir, repository};
use support::server::{self, Properties, SMALL_JVM, Server};
use support::{Probe, Release, wait_for};

const START: Duration = Duration::from_secs(90);

fn compose() -> Value {
    let file = repository().join("docker-compose.yml");
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn service(name: &str) -> Value {
    let service = compose()["services"][name].clone();
    assert!(service.is_object(), "no service {name}");
    service
}

fn strings(list: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(text).collect()
}

fn services() -> Vec<(String, Value)> {
    let services = compose()["services"].as_object().cloned();
    services.into_iter().flatten().collect()
}

/// `docker compose up` starts ZooKeeper and the broker of the lesson, under the same hosts and ports.
#[test]
fn up_starts_zookeeper_and_broker() {
    let default = services()
        .into_iter()
        .filter(|(_, service)| service["profiles"].is_null());
    let names: BTreeSet<String> = default.map(|(name, _)| name).collect();
    assert_eq!(
        names,
        BTreeSet::from(["broker".to_owned(), "zookeeper".to_owned()])
    );

    let (zookeeper, broker) = (service("zookeeper"), service("broker"));
    assert_eq!(zookeeper["image"], "confluentinc/cp-zookeeper:7.3.0");
    assert_eq!(zookeeper["hostname"], "zookeeper");
    assert_eq!(strings(&zookeeper["ports"]), ["2181:2181"]);
    assert_eq!(broker["image"], "confluentinc/cp-server:7.3.0");
    assert_eq!(broker["hostname"], "broker");
    assert_eq!(strings(&broker["ports"]), ["9092:9092", "9101:9101"]);
    let advertised = broker["environment"]["KAFKA_ADVERTISED_LISTENERS"].as_str();
    let advertised = advertised.unwrap_or_default();
    assert!(advertised.contains("://broker:29092") && advertised.contains("://localhost:9092"));
}

/// `docker compose up kraft` starts current Kafka, the version that the tests use, at the same port.
#[test]
fn up_kraft_starts_current_kafka_instead() {
    let kraft = service("kraft");
    let tag = format!("apache/kafka:{}", Release::Current.version());
    assert_eq!(kraft["image"].as_str(), Some(tag.as_str()));
    assert_eq!(strings(&kraft["ports"]), ["9092:9092"]);
    assert!(kraft["depends_on"].is_null(), "it needs no other service");
}

/// deliveryd starts only when asked for, and when its broker can answer; it ends orderly.
#[test]
fn deliveryd_waits_for_its_broker_and_is_not_in_the_default() {
    for (name, profile, broker) in [
        ("deliveryd", "app", "broker"),
        ("deliveryd-kraft", "app-kraft", "kraft"),
    ] {
        let service = service(name);
        assert_eq!(strings(&service["profiles"]), [profile]);
        assert_eq!(
            service["depends_on"][broker]["condition"],
            "service_healthy"
        );
        let brokers = format!("{broker}:29092");
        let environment = &service["environment"];
        assert_eq!(
            environment["DELIVERYD_KAFKA__BROKERS"].as_str(),
            Some(brokers.as_str())
        );
        assert_eq!(
            strings(&service["command"])[1],
            "/etc/deliveryd/config/kafka.toml"
        );
    }
    let kraft = strings(&service("kraft")["profiles"]);
    assert!(
        kraft.contains(&"app-kraft".to_owned()),
        "deliveryd-kraft brings it along"
    );
}

/// No name that could be taken already, a health check, time to stop, and data that outlives the container.
#[test]
fn every_service_can_be_started_again() {
    let volumes = compose()["volumes"].clone();
    for (name, service) in services() {
        assert!(service["container_name"].is_null(), "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        assert!(service["stop_grace_period"].is_string(), "{name}");
    }
    // Where the images keep their data: what is not on a volume there is gone with the container.
    for (name, directories) in [
        (
            "zookeeper",
            &["/var/lib/zookeeper/data", "/var/lib/zookeeper/log"][..],
        ),
        ("broker", &["/var/lib/kafka/data"]),
        ("kraft", &["/var/lib/kafka/data"]),
    ] {
        let mounts = strings(&service(name)["volumes"]);
        for directory in directories {
            let mount = mounts
                .iter()
                .find_map(|m| m.strip_suffix(&format!(":{directory}")));
            let volume = mount.unwrap_or_else(|| panic!("{name}: nothing at {directory}"));
            assert!(volumes.get(volume).is_some(), "{volume} is not declared");
        }
    }
}

/// The settings of `zookeeper` and `broker` start, answer their health checks and carry a message.
#[test]
fn zookeeper_and_broker_run_with_their_settings() {
    needs_kafka!();
    let dir = RunDir::create();
    let places = Places::new(&dir, &["2181", "29092", "9092", "9101"]);

    let mut settings = zookeeper_properties(&service("zookeeper"));
    places.replace_in(&mut settings);
    let file = server::write_properties(dir.path(), "zookeeper", &settings);
    let mut zookeeper = server::zookeeper(Release::Zookeeper, "zookeeper", &file);
    places.wait_until_healthy("zookeeper", &mut zookeeper);

    let mut settings = kafka_properties(&service("broker"));
    // What the image adds where the environment has nothing.
    let data = "/var/lib/kafka/data".to_owned();
    settings.entry("log.dirs".to_owned()).or_insert(data);
    places.replace_in(&mut settings);
    let file = server::write_properties(dir.path(), "broker", &settings);
    assert!(
        !places.is_healthy("broker"),
        "healthy before it was started"
    );
    let mut broker = server::kafka(Release::Zookeeper, SMALL_JVM, "broker", &file);
    places.wait_until_healthy("broker", &mut broker);
    places.carry_a_message();
}

/// The settings of `kraft` start, answer the health check and carry a message.
#[test]
fn kraft_runs_with_its_settings() {
    needs_kafka!();
    let dir = RunDir::create();
    let places = Places::new(&dir, &["29092", "9092", "29093"]);
    let service = service("kraft");
    let mut settings = kafka_properties(&service);
    places.replace_in(&mut settings);
    let file = server::write_properties(dir.path(), "kraft", &settings);
    let cluster_id = service["environment"]["CLUSTER_ID"].as_str();
    server::format(Release::Current, cluster_id.unwrap_or_default(), &file, &[]);
    assert!(!places.is_healthy("kraft"), "healthy before it was started");
    let mut kraft = server::kafka(Release::Current, SMALL_JVM, "kraft", &file);
    places.wait_until_healthy("kraft", &mut kraft);
    places.carry_a_message();
}

/// What stands for the containers' hosts, ports and directories here.
struct Places<'a> {
    dir: &'a Path,
    /// Port in the file, port here.
    ports: Vec<(&'static str, Port)>,
}

impl<'a> Places<'a> {
    fn new(dir: &'a RunDir, ports: &[&'static str]) -> Places<'a> {
        let claimed = ports.iter().map(|port| (*port, Port::claim()));
        Places {
            dir: dir.path(),
            ports: claimed.collect(),
        }
    }

    fn replace_in(&self, properties: &mut Properties) {
        for value in properties.values_mut() {
            *value = self.replaced(value);
        }
    }

    fn replaced(&self, text: &str) -> String {
        let items: Vec<String> = text
            .split(',')
            .map(|item| self.replaced_item(item))
            .collect();
        items.join(",")
    }

    /// `LISTENER://HOST:PORT`, `ID@HOST:PORT`, `HOST:PORT`, a port or a directory; else unchanged.
    fn replaced_item(&self, item: &str) -> String {
        if let Some(rest) = item.strip_prefix("/var/lib") {
            return format!("{}{rest}", self.dir.display());
        }
        let (prefix, address) = item.split_at(item.rfind(['/', '@']).map_or(0, |at| at + 1));
        let here = |wanted: &str| self.ports.iter().find(|(port, _)| *port == wanted);
        match address.rsplit_once(':').and_then(|(_, port)| here(port)) {
            Some((_, own)) => format!("{prefix}{}", own.address()),
            None => here(item).map_or(item.to_owned(), |(_, own)| own.number.to_string()),
        }
    }

    /// Runs the service's health check as Docker would.
    fn is_healthy(&self, name: &str) -> bool {
        let test = strings(&service(name)["healthcheck"]["test"]);
        let [kind, program, arguments @ ..] = &test[..] else {
            panic!("{name}: no health check in {test:?}");
        };
        assert_eq!(kind, "CMD", "{name}");
        let arguments = arguments
            .iter()
            .map(|argument| self.in_health_check(argument));
        let status = Command::new("timeout")
            .args(["5", program])
            .args(arguments)
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn in_health_check(&self, argument: &str) -> String {
        let mut argument = argument.to_owned();
        for (port, here) in &self.ports {
            let place = format!("/dev/tcp/127.0.0.1/{port} ");
            let own = format!("/dev/tcp/127.0.0.1/{} ", here.number);
            if argument.contains(&place) {
                argument = argument.replace(&place, &own);
                break;
            }
        }
        argument
    }

    fn wait_until_healthy(&self, name: &str, server: &mut Server) {
        wait_for(&format!("{name} to be healthy"), START, || {
            if let Some(status) = server.process.ended() {
                panic!("{name} ended ({status}):\n{}", server.log_tail());
            }
            self.is_healthy(name)
                .then_some(())
                .ok_or_else(|| server.log_tail())
        });
    }

    /// Through the listener that the host's clients use.
    fn carry_a_message(&self) {
        let clients = self.ports.iter().find(|(port, _)| *port == "9092");
        let address = clients.map(|(_, here)| here.address()).unwrap_or_default();
        let probe = Probe::new(&address);
        probe.create_topic("Delivery", 2);
        probe.produce("Delivery", [("key", "it arrives")]);
        let values: Vec<_> = probe
            .read_all("Delivery")
            .into_iter()
            .map(|m| m.value)
            .collect();
        assert_eq!(values, [Some("it arrives".to_owned())]);
    }
}

/// `KAFKA_A_B__C___D` is `a.b_c-d`, in Confluent's images and in Apache's.
fn kafka_properties(service: &Value) -> Properties {
    let environment = service["environment"].as_object();
    let property = |(name, value): (&String, &Value)| {
        let name = name.strip_prefix("KAFKA_")?.to_lowercase();
        let name = name
            .replace("___", "-")
            .replace("__", "\0")
            .replace('_', ".");
        Some((name.replace('\0', "_"), text(value)))
    };
    environment
        .into_iter()
        .flatten()
        .filter_map(property)
        .collect()
}

/// Confluent's ZooKeeper image knows its variables by name and brings the directories.
fn zookeeper_properties(service: &Value) -> Properties {
    let mut properties = Properties::from([
        ("dataDir".to_owned(), "/var/lib/zookeeper/data".to_owned()),
        ("dataLogDir".to_owned(), "/var/lib/zookeeper/log".to_owned()),
        // Not in the image's file; the port of its web page may be taken here.
        ("admin.enableServer".to_owned(), "false".to_owned()),
    ]);
    for (variable, value) in service["environment"].as_object().into_iter().flatten() {
        let name = match variable.as_str() {
            "ZOOKEEPER_CLIENT_PORT" => "clientPort",
            "ZOOKEEPER_TICK_TIME" => "tickTime",
            other => panic!("{other}: how the image translates it is not written here"),
        };
        properties.insert(name.to_owned(), text(value));
    }
    properties
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
