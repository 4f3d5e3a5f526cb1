//! The load: a producer of the test's own that writes at a steady rate and counts by partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::support::writer::Record;
use crate::support::{Settings, Writer};

/// A broker that is good for the long form's rate.
pub fn broker() -> Settings {
    let jvm = &["-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:-UsePerfData"];
    // On a busy machine its own controller would shut it out; other tests are about that.
    Settings::kraft(1)
        .jvm(jvm)
        .with("broker.session.timeout.ms", "60000")
}

/// A topic that is written to.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub topic: &'static str,
    pub partitions: i32,
    /// It gets one of so many messages.
    pub one_of: u32,
}

/// What was written to one topic: messages by partition.
#[derive(Debug, Clone)]
pub struct Written(pub Vec<u64>);

impl Written {
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Writes until it is told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Written>>,
}

impl Load {
    /// `rate` is for the first topic; the others get their share beside it.
    pub fn start(servers: &str, inputs: Vec<Input>, rate: u32) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, servers) = (stop.clone(), servers.to_owned());
        let thread = std::thread::spawn(move || write(&servers, &inputs, rate, &told));
        Load { stop, thread }
    }

    /// Ends it and says what was written and acknowledged.
    pub fn stop(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(written) => written,
            Err(_) => panic!("the load ended by a panic"),
        }
    }
}

fn write(servers: &str, inputs: &[Input], rate: u32, stop: &AtomicBool) -> Vec<Written> {
    let writer = Writer::new(servers, "load", 5);
    let mut written: Vec<Written> = inputs
        .iter()
        .map(|input| Written(vec![0; input.partitions as usize]))
        .collect();
    writer.write_at(rate, stop, |writer, count| {
        for (input, written) in inputs.iter().zip(&mut written) {
            if count.is_multiple_of(u64::from(input.one_of)) {
                send(writer, input, written, count / u64::from(input.one_of));
            }
        }
    });
    writer.finish();
    written
}

fn send(writer: &Writer, input: &Input, written: &mut Written, n: u64) {
    let partition = n % input.partitions as u64;
    let (key, value) = (format!("k{}", n % 97), format!("message {n}"));
    writer.send(
        Record::to(input.topic)
            .partition(partition as i32)
            .key(&key)
            .payload(&value),
    );
    written.0[partition as usize] += 1;
}
