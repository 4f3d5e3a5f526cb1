//! The load: keyed messages at a steady rate from a producer that knows nothing of deliveryd.
//!
//! Each says its key, its number within the key, when it was sent, and whether it is poison.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::support::Writer;
use crate::support::writer::Record;

/// So many keys, a hundred for each partition.
pub const KEYS: usize = 600;

/// While poison is asked for, one message of so many is.
const POISON: u64 = 100;

/// Writes until it is told to stop.
pub struct Load {
    told: Arc<Told>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Told {
    stop: AtomicBool,
    poison: AtomicBool,
    /// How many messages each key has.
    written: Vec<AtomicU64>,
}

impl Load {
    /// `epoch` is when the clock of `sent` begins.
    pub fn start(servers: &str, topic: &str, rate: u32, epoch: Instant) -> Load {
        let told = Arc::new(Told {
            stop: AtomicBool::new(false),
            poison: AtomicBool::new(false),
            written: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
        });
        let (servers, topic, heard) = (servers.to_owned(), topic.to_owned(), told.clone());
        let thread = std::thread::spawn(move || {
            let writer = Writer::new(&servers, "load", 10);
            writer.write_at(rate, &heard.stop, |writer, n| {
                send(writer, &topic, n, epoch, &heard);
            });
            writer.finish();
        });
        Load { told, thread }
    }

    /// Whether some of the messages from now on are poison.
    pub fn poison(&self, some: bool) {
        self.told.poison.store(some, Ordering::Relaxed);
    }

    /// How many messages each key has by now.
    pub fn written(&self) -> Vec<u64> {
        let counts = self.told.written.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Ends it, when all is acknowledged.
    pub fn stop(self) -> Vec<u64> {
        self.told.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            panic!("the load ended by a panic");
        }
        self.told
            .written
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    }
}

fn send(writer: &Writer, topic: &str, n: u64, epoch: Instant, told: &Told) {
    let key = (n % KEYS as u64) as usize;
    let seq = told.written[key].fetch_add(1, Ordering::Relaxed);
    let poison = n.is_multiple_of(POISON + 1) && told.poison.load(Ordering::Relaxed);
    let sent = epoch.elapsed().as_micros();
    let value = format!(
        "{{\"key\":{key},\"seq\":{seq},\"sent\":{sent},\"poison\":{poison},\"city\":\"Tromsø\",\
         \"items\":[{{\"sku\":\"A-{key}\",\"count\":3,\"price\":1250}},\
         {{\"sku\":\"B-{seq}\",\"count\":1,\"price\":{n}}}],\"note\":\"leave it with the neighbours\"}}"
    );
    let name = format!("k{key}");
    writer.send(Record::to(topic).key(&name).payload(&value));
}
