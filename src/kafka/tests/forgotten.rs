//! A cluster that answers for a moment that it has no brokers, as one does that comes up again.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::types::RDKafkaType;

use crate::kafka::context::Context;
use crate::kafka::raw::Client;
use crate::kafka::testing::wait_for;

const ID: i32 = 1;
/// So many that librdkafka still reads them when the broker that it forgets is gone: only then is its own
/// way back called off.
const TOPICS: i32 = 20_000;

/// Requests by their numbers in Kafka's protocol.
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

/// A broker that knows the oldest versions of two requests.
struct Cluster {
    port: u16,
    empty: AtomicBool,
}

impl Cluster {
    fn start() -> Arc<Cluster> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let empty = AtomicBool::new(false);
        let cluster = Arc::new(Cluster { port, empty });
        let serving = cluster.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let serving = serving.clone();
                // It ends with the connection.
                std::thread::spawn(move || serving.serve(connection));
            }
        });
        cluster
    }

    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        loop {
            let mut size = [0; 4];
            connection.read_exact(&mut size)?;
            let mut request = vec![0; u32::from_be_bytes(size) as usize];
            connection.read_exact(&mut request)?;
            let (key, version) = (number(&request[0..2]), number(&request[2..4]));
            let mut answer = request[4..8].to_vec();
            match (key, version) {
                (API_VERSIONS, 0) => self.versions(0, &mut answer),
                (API_VERSIONS, _) => self.versions(UNSUPPORTED_VERSION, &mut answer),
                (METADATA, _) => self.metadata(&mut answer),
                _ => return Ok(()),
            }
            connection.write_all(&(answer.len() as u32).to_be_bytes())?;
            connection.write_all(&answer)?;
        }
    }

    fn versions(&self, error: i16, answer: &mut Vec<u8>) {
        answer.extend(error.to_be_bytes());
        answer.extend(2_i32.to_be_bytes());
        for key in [METADATA, API_VERSIONS] {
            answer.extend([key, 0, 0].into_iter().flat_map(i16::to_be_bytes));
        }
    }

    fn metadata(&self, answer: &mut Vec<u8>) {
        let empty = self.empty.load(Ordering::Relaxed);
        answer.extend(i32::from(!empty).to_be_bytes());
        if !empty {
            answer.extend(ID.to_be_bytes());
            text("127.0.0.1", answer);
            answer.extend(i32::from(self.port).to_be_bytes());
        }
        let topics = if empty { TOPICS } else { 0 };
        answer.extend(topics.to_be_bytes());
        for topic in 0..topics {
            answer.extend(0_i16.to_be_bytes());
            // librdkafka sets memory aside by the length of the answer: short names would not fit in.
            text(&format!("{topic:0>100}"), answer);
            answer.extend(0_i32.to_be_bytes());
        }
    }
}

fn number(bytes: &[u8]) -> i16 {
    i16::from_be_bytes([bytes[0], bytes[1]])
}

fn text(text: &str, answer: &mut Vec<u8>) {
    answer.extend((text.len() as i16).to_be_bytes());
    answer.extend(text.as_bytes());
}

/// A client that was told that there are no brokers asks those again that it was configured with.
#[test]
fn a_client_that_was_told_of_no_brokers_finds_back() {
    let cluster = Cluster::start();
    let servers = format!("127.0.0.1:{}", cluster.port);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers);
    let context = Context::new("forgotten", &servers);
    let kind = RDKafkaType::RD_KAFKA_PRODUCER;
    let client = Client::new(kind, &config, context, true).expect("a client");
    let brokers = |timeout| client.brokers(timeout).map_err(|error| error.message);
    let long = Duration::from_secs(10);
    assert_eq!(brokers(long), Ok(vec![ID]));
    cluster.empty.store(true, Ordering::Relaxed);
    assert_eq!(brokers(long), Ok(vec![]));
    cluster.empty.store(false, Ordering::Relaxed);
    wait_for("the broker to be found again", || {
        (brokers(Duration::from_millis(500)) == Ok(vec![ID])).then_some(())
    });
}
