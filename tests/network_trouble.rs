//! The network between daemon and broker is cut, silent or slow: work waits where it must, says why, and
//! goes on by itself. With `exactly_once` nothing is repeated, whatever was under way.

mod support;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use support::case::{COPY, Case, assert_each_once_in_order, times};
use support::{Daemon, Kafka, Line, Settings};

/// For work to go on after any of this.
const SOON: Duration = Duration::from_secs(60);

/// The group notices a member that is silent long before the daemon calls the broker silent.
const QUICK: &str = "rate = 300.0\nin_flight = 100\n\
    properties = { \"session.timeout.ms\" = \"6000\", \"heartbeat.interval.ms\" = \"500\" }\n";

/// A broker behind a proxy, for one test after another.
fn broker() -> (MutexGuard<'static, ()>, &'static Kafka) {
    static TURN: Mutex<()> = Mutex::new(());
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let kafka = BROKER.get_or_init(|| Kafka::start(Settings::kraft(1).proxied()));
    kafka.proxies().set(Line::Open);
    (turn, kafka)
}

/// A group that copies 2 x 3000 messages through the proxy; the probe goes past it.
struct Work {
    case: Case,
    daemon: Daemon,
}

impl Work {
    fn start(kafka: &Kafka, name: &str, guarantee: &str) -> Work {
        let case = Case::on(kafka, &format!("{name}-{guarantee}"), 2);
        case.fill(0..2, 3000);
        let daemon = case
            .setup(&format!("guarantee = {guarantee:?}\n{QUICK}"), COPY)
            .set("kafka.brokers", &format!("{:?}", kafka.proxies().servers()))
            .start();
        let work = Work { case, daemon };
        work.goes_on(200);
        work
    }

    #[track_caller]
    fn goes_on(&self, more: u64) {
        let group = &self.case.group;
        let before = self.daemon.status().handled(group);
        self.daemon.wait_until("work to go on", SOON, |status| {
            status.at("/brokers/state") == "up" && status.handled(group) >= before + more
        });
    }

    /// The state says that the broker is away, and why.
    #[track_caller]
    fn sees_the_outage(&self, why: &str) {
        self.daemon
            .wait_until("the outage to be seen", SOON, |status| {
                let members = status.members(&self.case.group);
                status.at("/brokers/state") == "down"
                    && status.at("/brokers/reason").to_string().contains(why)
                    && members
                        .iter()
                        .all(|member| member.state == "waiting_for_broker")
            });
        assert_eq!(self.daemon.get("/healthz").code, 200);
        assert_eq!(self.daemon.get("/readyz").code, 503);
    }

    /// Does the rest as fast as it can; gives how many copies are more than one of a message.
    #[track_caller]
    fn finish(self) -> usize {
        let Work { case, daemon } = self;
        daemon.edit_config("rate = 300.0", "rate = \"unlimited\"");
        daemon.reload();
        case.wait_until_done(SOON);
        let exit = daemon.stop();
        assert!(exit.status.success(), "{}", exit.output);
        let copies = case.committed_copies();
        assert_eq!(times(&copies).len(), 6000, "nothing is lost");
        if copies.len() == 6000 {
            assert_each_once_in_order(&copies, 2, 3000);
        }
        copies.len() - 6000
    }
}

fn both(kafka: &Kafka, name: &str) -> [Work; 2] {
    ["at_least_once", "exactly_once"].map(|guarantee| Work::start(kafka, name, guarantee))
}

/// Nothing is lost, and only what no commit covered in each of so many troubles is repeated; with
/// `exactly_once` nothing.
#[track_caller]
fn finish([least, once]: [Work; 2], troubles: usize) {
    let repeated = least.finish();
    // In flight, and handled since the last commit.
    assert!(repeated <= troubles * 200, "{repeated} came again");
    assert_eq!(once.finish(), 0, "nothing is repeated");
}

/// Connections are cut, and none can be made for a while.
#[test]
fn a_cut_network_is_an_outage_that_loses_nothing() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let works = both(kafka, "cut");
    for _ in 0..2 {
        kafka.proxies().set(Line::Cut);
        works
            .iter()
            .for_each(|work| work.sees_the_outage("no broker"));
        kafka.proxies().set(Line::Open);
        works.iter().for_each(|work| work.goes_on(100));
    }
    finish(works, 2);
}

/// Connections stand, and nothing passes: to the broker, from it, or both ways. The silence outlasts the
/// members' sessions.
#[test]
fn a_silent_network_is_an_outage_that_loses_nothing() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let works = both(kafka, "silent");
    for line in [Line::HeldOut, Line::HeldBack, Line::Held] {
        kafka.proxies().set(line);
        works
            .iter()
            .for_each(|work| work.sees_the_outage("answers"));
        kafka.proxies().set(Line::Open);
        works.iter().for_each(|work| work.goes_on(100));
    }
    finish(works, 3);
}

/// A broker that answers late is no outage: the work is slower and goes on, in order and without repeats.
#[test]
fn a_slow_broker_is_no_outage() {
    needs_kafka!();
    let (_turn, kafka) = broker();
    let works = both(kafka, "slow");
    kafka.proxies().set(Line::Slow);
    works.iter().for_each(|work| work.goes_on(300));
    kafka.proxies().set(Line::Open);
    for work in works {
        assert_eq!(
            work.daemon.output.count("no broker"),
            0,
            "{}",
            work.daemon.output.tail()
        );
        assert_eq!(work.finish(), 0, "nothing is repeated");
    }
}
