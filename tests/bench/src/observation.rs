//! What it costs that somebody looks: deliveryd reads the same topic with everything read from it that can
//! be, and with nothing, turn and turn about.
//!
//! Looked at: Prometheus scrapes every second (it usually does every fifteen), the status page is open in a
//! browser, `/api/status` and both health checks are asked every second, and librdkafka tells its statistics
//! as often as it does by default. Not looked at: `http = "off"` and no statistics.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::contender::{FILTER, Ground, NOTHING};
use crate::measure::{Run, cpu_time, median, peak_memory};
use crate::options::Options;
use crate::support::{Daemon, http, unique};

/// What observation may cost, of the CPU time without it.
const AT_MOST: f64 = 1.03;
const HANDLERS: [(&str, &str); 2] = [
    ("empty handler", NOTHING),
    ("filter on two JSON fields", FILTER),
];
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at what the group has committed, which the daemon does not notice.
const LOOK: Duration = Duration::from_millis(250);
/// Between two scrapes.
const SCRAPE: Duration = Duration::from_secs(1);

/// The table of medians.
pub fn compare(ground: &Ground<'_>, options: &Options) -> String {
    let mut text = format!(
        "\n{} messages, 2 partitions, 1 member; medians of {} interleaved rounds\n\n\
         {:<32} {:>14} {:>14} {:>7} {:>9}\n",
        options.messages,
        options.rounds,
        "µs CPU/msg",
        "not looked at",
        "looked at",
        "ratio",
        "at most"
    );
    for (name, source) in HANDLERS
        .iter()
        .filter(|(name, _)| name.contains(&options.only))
    {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for round in 1..=options.rounds {
            // Whoever comes second finds a warmer broker: each does so in turn.
            for looked_at in if round % 2 == 0 {
                [true, false]
            } else {
                [false, true]
            } {
                let run = run(ground, source, looked_at);
                let how = if looked_at {
                    "looked at"
                } else {
                    "not looked at"
                };
                eprintln!("round {round} of {}: {name}, {how}: {run}", options.rounds);
                if looked_at { &mut with } else { &mut without }.push(run);
            }
        }
        let cost = |runs: &[Run]| median(runs.iter().map(Run::cost));
        let ratio = cost(&with) / cost(&without);
        let mark = if ratio > AT_MOST { '✗' } else { '✓' };
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "{name:<32} {:>14.3} {:>14.3} {ratio:>7.3} {:>9}",
            cost(&without),
            cost(&with),
            format!("{AT_MOST:.2} {mark}")
        );
    }
    text
}

/// Reads the whole topic once.
fn run(ground: &Ground<'_>, source: &str, looked_at: bool) -> Run {
    let group = unique("observed");
    let output = unique("nothing");
    ground.probe.create_topic(&output, 2);
    let settings = "start = \"earliest\"\ncommit_interval = \"200ms\"\n";
    let setup = ground.setup_deliveryd(&group, &ground.input, &output, source, settings);
    let daemon = match looked_at {
        true => setup.start(),
        false => setup
            .set("kafka.properties.\"statistics.interval.ms\"", "\"0\"")
            .start_without_page(),
    };
    let started = cpu_time(daemon.id());
    let begin = Instant::now();
    let watchers = looked_at.then(|| Watchers::of(daemon.address()));
    wait_for_commits(ground, &group, &daemon);
    let (cpu, wall) = (
        cpu_time(daemon.id()).saturating_sub(started),
        begin.elapsed(),
    );
    if let Some(watchers) = watchers {
        watchers.end();
    }
    let peak = peak_memory(daemon.id());
    let exit = daemon.stop();
    assert!(exit.status.success(), "{}", exit.output);
    // The closing table; a run that failed its messages would look cheap.
    let messages = ground.messages;
    assert!(
        exit.output.contains(&format!("{messages}")),
        "{}",
        exit.output
    );
    Run {
        messages,
        cpu,
        wall,
        peak,
    }
}

fn wait_for_commits(ground: &Ground<'_>, group: &str, daemon: &Daemon) {
    let begin = Instant::now();
    loop {
        let committed: i64 = ground.probe.committed(group, &ground.input).values().sum();
        if committed as u64 >= ground.messages {
            return;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "{committed} of {} are committed\n{}",
            ground.messages,
            daemon.output.tail()
        );
        thread::sleep(LOOK);
    }
}

/// Who looks.
struct Watchers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watchers {
    fn of(address: SocketAddr) -> Watchers {
        let stop = Arc::new(AtomicBool::new(false));
        let (scraping, watching) = (stop.clone(), stop.clone());
        let scrape = thread::spawn(move || {
            while !scraping.load(Ordering::Relaxed) {
                for path in ["/metrics", "/api/status", "/healthz", "/readyz"] {
                    if let Err(error) = http::get(address, path) {
                        panic!("{error}");
                    }
                }
                thread::sleep(SCRAPE);
            }
        });
        let watch = thread::spawn(move || {
            if let Err(error) = follow(address, &watching) {
                panic!("/api/events: {error}");
            }
        });
        Watchers {
            stop,
            threads: vec![scrape, watch],
        }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert!(thread.join().is_ok(), "a watcher panicked");
        }
    }
}

/// Reads the status page's events as a browser does.
fn follow(address: SocketAddr, stop: &AtomicBool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    write!(
        stream,
        "GET /api/events HTTP/1.1\r\nHost: {address}\r\n\r\n"
    )?;
    let mut bytes = vec![0; 64 << 10];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
