//! A producer's thread with a pretended script and a pretended Kafka.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::time::Instant;

use super::*;
use crate::config::{Limits, Rate};
use crate::script::{Failure, Outcome};

const DEADLINE: Duration = Duration::from_secs(10);

/// Says what each call is to do, by its `n`.
type Script = fn(u64) -> Result<(), &'static str>;

struct Pretended {
    script: Script,
    effects: Effects,
    calls: Sender<u64>,
}

impl Source for Pretended {
    fn generate(&mut self, n: u64) -> Outcome {
        self.effects.clear();
        // A test that has seen enough has gone.
        self.calls.send(n).unwrap_or_default();
        match (self.script)(n) {
            Ok(()) => {
                let mut emit = self.effects.emit(&Arc::from("Delivery"));
                emit.value(n.to_string().as_bytes());
                emit.finish();
                Outcome::Done
            }
            Err(reason) => Outcome::Failed(Box::new(Failure {
                reason: reason.to_owned(),
                diagnostic: None,
            })),
        }
    }
    fn effects(&self) -> &Effects {
        &self.effects
    }
    fn configure(&mut self, _: &Producer, _: u64) {}
}

/// Takes messages into a bounded channel, and refuses those that the test names.
struct Wire {
    out: SyncSender<u64>,
    deliveries: Arc<Deliveries>,
    refuse: Option<u64>,
    flushed: Arc<Mutex<Option<Duration>>>,
}

impl Sink for Wire {
    fn send(&mut self, emit: &Emit<'_>) -> Sent {
        let value = emit.value().expect("each message has a value");
        let n = String::from_utf8_lossy(value).parse().expect("a number");
        if self.refuse == Some(n) {
            return Sent::Refused("too large".to_owned());
        }
        match self.out.try_send(n) {
            Ok(()) => {
                self.deliveries.acknowledged();
                Sent::Queued
            }
            Err(TrySendError::Full(_)) => Sent::Full,
            Err(TrySendError::Disconnected(_)) => Sent::Refused("the test has ended".to_owned()),
        }
    }
    fn wait_for_room(&mut self, most: Duration) -> bool {
        // The channel can't be waited for; the loop asks again.
        std::thread::park_timeout(most.min(Duration::from_millis(1)));
        false
    }
    fn flush(&mut self, most: Duration) -> Result<(), String> {
        *self.flushed.lock().expect("nobody panicked") = Some(most);
        Ok(())
    }
}

struct Bench {
    task: ProducerTask,
    messages: Receiver<u64>,
    calls: Receiver<u64>,
    ended: Receiver<State>,
    flushed: Arc<Mutex<Option<Duration>>>,
}

fn config(rate: Rate, count: Option<u64>) -> Producer {
    Producer {
        topic: "Delivery".to_owned(),
        handler: PathBuf::from("/random.rhai"),
        rate,
        count,
        seed: None,
        compile: true,
        params: BTreeMap::new(),
        limits: Limits::default(),
    }
}

struct Start {
    config: Producer,
    script: Script,
    room: usize,
    refuse: Option<u64>,
    progress: Progress,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            config: config(Rate::Unlimited, None),
            script: |_| Ok(()),
            room: 1000,
            refuse: None,
            progress: Progress::default(),
        }
    }
}

impl Start {
    fn go(self) -> Bench {
        let (out, messages) = mpsc::sync_channel(self.room);
        let (tell_call, calls) = mpsc::channel();
        let (tell_end, ended) = mpsc::channel();
        let name: Arc<str> = Arc::from("random");
        let deliveries = Arc::new(Deliveries::new(name.clone()));
        let flushed = Arc::default();
        let sink = Wire {
            out,
            deliveries: deliveries.clone(),
            refuse: self.refuse,
            flushed: Arc::clone(&flushed),
        };
        let setup = task::Setup {
            name,
            config: self.config,
            sink: Box::new(sink),
            deliveries,
            progress: self.progress,
            paused: false,
            hooks: Hooks {
                on_end: Box::new(move |state| tell_end.send(state.clone()).unwrap_or_default()),
                ..Hooks::default()
            },
        };
        let script = self.script;
        let make = move || Pretended {
            script,
            effects: Effects::default(),
            calls: tell_call,
        };
        Bench {
            task: ProducerTask::start_with(setup, make).expect("a thread"),
            messages,
            calls,
            ended,
            flushed,
        }
    }
}

impl Bench {
    fn next(&self) -> u64 {
        self.messages
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.task.status()))
    }

    fn take(&self, messages: usize) -> Vec<u64> {
        (0..messages).map(|_| self.next()).collect()
    }

    /// Waits until the status is as wanted; says at the deadline what it was instead.
    fn reaches(&self, wanted: impl Fn(&ProducerStatus) -> bool) -> ProducerStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            let status = self.task.status();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < end, "{status:?}");
            std::thread::yield_now();
        }
    }
}

/// At full speed every message goes once, in order, until the count is reached.
#[test]
fn count_ends_it() {
    let bench = Start {
        config: config(Rate::Unlimited, Some(500)),
        ..Start::default()
    }
    .go();
    assert_eq!(bench.take(500), (0..500).collect::<Vec<_>>());
    let status = bench.reaches(|status| status.state == State::Finished);
    assert_eq!((status.produced, status.failed), (500, 0));
    assert!(bench.messages.try_recv().is_err());
}

/// A larger count lets a finished producer go on where it ended.
#[test]
fn a_larger_count_goes_on() {
    let bench = Start {
        config: config(Rate::Unlimited, Some(2)),
        ..Start::default()
    }
    .go();
    bench.reaches(|status| status.state == State::Finished);
    bench.task.change(config(Rate::Unlimited, Some(4)), 0);
    assert_eq!(bench.take(4), [0, 1, 2, 3]);
    bench.reaches(|status| status.progress.queued == 4 && status.state == State::Finished);
}

/// A successor goes on with the number and the count of the one it replaces.
#[test]
fn a_successor_goes_on() {
    let bench = Start {
        config: config(Rate::Unlimited, Some(12)),
        progress: Progress {
            next: 11,
            queued: 10,
        },
        ..Start::default()
    }
    .go();
    assert_eq!(bench.take(2), [11, 12]);
    bench.reaches(|status| status.state == State::Finished);
}

/// Messages keep their even distance in time.
#[test]
fn the_pace_is_kept() {
    let begin = Instant::now();
    let bench = Start {
        config: config(Rate::PerSecond(100.0), None),
        ..Start::default()
    }
    .go();
    // The first is due at once, the 31st three tenths of a second later.
    bench.take(31);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
}

/// A stop acts at once, however long the next message is off; what is queued is sent first.
#[test]
fn a_stop_does_not_wait_for_the_pace() {
    let bench = Start {
        config: config(Rate::PerSecond(0.001), None),
        ..Start::default()
    }
    .go();
    assert_eq!(bench.next(), 0);
    let flush = Duration::from_secs(7);
    bench.task.stop(flush);
    assert_eq!(bench.task.wait(DEADLINE), Some(State::Stopped));
    assert_eq!(bench.ended.recv_timeout(DEADLINE), Ok(State::Stopped));
    assert_eq!(*bench.flushed.lock().expect("nobody panicked"), Some(flush));
}

/// A new rate acts at once, however long the next message was off under the old one.
#[test]
fn a_new_rate_acts_at_once() {
    let bench = Start {
        config: config(Rate::PerSecond(0.001), None),
        ..Start::default()
    }
    .go();
    assert_eq!(bench.next(), 0);
    bench.task.set_rate(Rate::PerSecond(1000.0));
    assert_eq!(bench.take(3), [1, 2, 3]);
}

/// When Kafka takes nothing, nothing is made ahead; when it does again, nothing is missing.
#[test]
fn backpressure_holds_the_generator() {
    let bench = Start {
        room: 3,
        ..Start::default()
    }
    .go();
    bench.reaches(|status| status.state == State::Waiting);
    assert_eq!(bench.calls.try_iter().count(), 4);
    assert_eq!(bench.take(50), (0..50).collect::<Vec<_>>());
}

/// A stop acts while Kafka takes nothing.
#[test]
fn a_stop_does_not_wait_for_room() {
    let bench = Start {
        room: 1,
        ..Start::default()
    }
    .go();
    bench.reaches(|status| status.state == State::Waiting);
    bench.task.stop(Duration::ZERO);
    assert_eq!(bench.task.wait(DEADLINE), Some(State::Stopped));
}

/// A failing generator is counted and shown, and the producer goes on with the next message.
#[test]
fn a_failure_goes_on_with_the_next() {
    let bench = Start {
        script: |n| if n < 2 { Err("no luck") } else { Ok(()) },
        ..Start::default()
    }
    .go();
    let failing = bench.reaches(|status| status.state == State::Failing);
    assert_eq!(failing.last_error.map(|e| e.reason), Some("no luck".into()));
    assert_eq!(bench.take(2), [2, 3]);
    let status = bench.reaches(|status| status.last_error.is_none());
    assert_eq!(status.script_errors, 2);
    bench.reaches(|status| status.state != State::Failing);
}

/// A message that can't be sent is counted with its reason; the others go.
#[test]
fn a_refused_message_is_counted() {
    let bench = Start {
        refuse: Some(1),
        ..Start::default()
    }
    .go();
    assert_eq!(bench.take(2), [0, 2]);
    let status = bench.reaches(|status| status.failed == 1);
    assert_eq!(status.last_delivery_error.as_deref(), Some("too large"));
}

/// A pause holds the producer until it is resumed, and is not made good.
#[test]
fn pause_and_resume() {
    let bench = Start {
        config: config(Rate::PerSecond(1000.0), None),
        ..Start::default()
    }
    .go();
    bench.next();
    bench.task.pause();
    let paused = bench
        .reaches(|status| status.state == State::Paused)
        .progress;
    while bench.messages.try_recv().is_ok() {}
    bench.task.resume();
    assert_eq!(bench.next(), paused.next);
}

/// A fault of our own ends the producer visibly, with its reason.
#[test]
fn a_panic_is_told() {
    let bench = Start {
        script: |n| {
            assert_ne!(n, 3, "unlucky");
            Ok(())
        },
        ..Start::default()
    }
    .go();
    assert_eq!(bench.take(3), [0, 1, 2]);
    let state = bench.ended.recv_timeout(DEADLINE).expect("the end is told");
    assert!(matches!(&state, State::Died(reason) if reason.contains("unlucky")));
    assert_eq!(bench.task.status().state, state);
}
