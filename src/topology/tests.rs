//! Applying a plan to what really runs, on the embedded broker, with a fault in every kind of step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::plan::{Plan, Step, plan};
use super::{News, Running};
use crate::config::{Group, Invocation, PropertyValue};
use crate::member::Scope;
use crate::observe::{Board, LogGuard, Metrics};
use crate::preflight::{self, Checked};

/// Where a plan is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Which of its steps.
    pub at: usize,
    /// After the step was taken, not instead of it.
    pub afterwards: bool,
}

const HANDLER: &str = "fn handle(msg) {}";
const GENERATOR: &str = "fn generate(n) { `${n}` }";

/// What runs before every change: something of each kind that can be changed or taken away.
const BEFORE: &str = r#"
[kafka]
brokers = "embedded"
[topics.Delivery]
partitions = 2
[producers.steady]
topic = "Delivery"
handler = "generate.rhai"
rate = 50.0
[groups.first]
topics = ["Delivery"]
handler = "handle.rhai"
members = 2
on_failure.then = "skip"
drain_timeout = "2s"
"#;

/// A deliveryd without a process of its own.
struct Site {
    dir: TempDir,
    running: Running,
    /// Heard by nobody, but it must be there.
    _news: UnboundedReceiver<News>,
}

/// Everything that a reload can change, as it is.
#[derive(Debug, PartialEq)]
struct Facts {
    generation: u64,
    groups: BTreeMap<String, GroupFacts>,
    producers: BTreeMap<String, (String, String)>,
    properties: BTreeMap<String, PropertyValue>,
    level: String,
}

#[derive(Debug, PartialEq)]
struct GroupFacts {
    config: Group,
    members: Vec<u32>,
    version: String,
    /// As the status page shows it.
    wanted: u32,
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("handle.rhai"), HANDLER).unwrap();
        std::fs::write(dir.path().join("other.rhai"), "fn handle(msg) { 1 }").unwrap();
        std::fs::write(dir.path().join("generate.rhai"), GENERATOR).unwrap();
        let checked = checked(&dir, BEFORE);
        let board = Board::new("test");
        let metrics = Metrics::new(&board);
        let (sender, news) = unbounded_channel();
        let log = LogGuard::unattached();
        let mut running = Running::new(&checked.config, board, metrics, log, sender).unwrap();
        let first = plan(running.config(), &checked.config);
        running.apply(first, checked, 1).await.unwrap();
        let mut site = Self {
            dir,
            running,
            _news: news,
        };
        site.wait_until_joined().await;
        site
    }

    fn checked(&self, toml: &str) -> Checked {
        checked(&self.dir, toml)
    }

    fn plan(&self, wanted: &Checked) -> Plan {
        plan(self.running.config(), &wanted.config)
    }

    async fn wait_until_joined(&mut self) {
        for group in self.running.groups.values_mut() {
            for number in group.members.keys().copied().collect::<Vec<_>>() {
                group.wait_until_joined(number).await.unwrap();
            }
        }
    }

    fn facts(&self) -> Facts {
        let status = self.running.ground().board.snapshot();
        let groups = self.running.groups.iter();
        let producers = self.running.shown.producers();
        // Who is gone is no longer shown.
        let shown = (status.groups.keys(), status.producers.keys());
        assert!(shown.0.eq(self.running.groups.keys()), "{status:?}");
        assert!(shown.1.eq(producers.keys()), "{status:?}");
        Facts {
            generation: self.running.generation(),
            groups: groups
                .map(|(name, group)| {
                    let facts = GroupFacts {
                        config: (*group.config).clone(),
                        members: group.members.keys().copied().collect(),
                        version: group.slot.current().version().to_owned(),
                        wanted: status.groups[name].members_wanted,
                    };
                    (name.clone(), facts)
                })
                .collect(),
            producers: producers
                .iter()
                .map(|(name, producer)| {
                    let shown = &status.producers[name];
                    let rate = format!("{:?} to {}", shown.rate, shown.topic);
                    let version = producer.slot.current().version().to_owned();
                    (name.clone(), (rate, version))
                })
                .collect(),
            properties: self.running.ground().cluster.properties.clone(),
            level: self.running.log.level(),
        }
    }

    /// Waits until every group that is there has handled more than it has now.
    async fn wait_for_work(&self) {
        let handled = || {
            let status = self.running.ground().board.snapshot();
            let groups = status.groups.into_iter();
            let counted = groups.map(|(name, group)| (name, group.totals.handled));
            counted.collect::<BTreeMap<_, _>>()
        };
        let before = handled();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !handled().iter().all(|(name, now)| *now > before[name]) {
            let seen = || self.running.ground().board.snapshot().groups;
            assert!(Instant::now() < deadline, "{before:?}, then {:#?}", seen());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(mut self) {
        self.running.stop(Duration::from_secs(20)).await.unwrap();
    }
}

fn checked(dir: &TempDir, toml: &str) -> Checked {
    let file = dir.path().join("deliveryd.toml");
    std::fs::write(&file, toml).unwrap();
    let invocation = Invocation {
        file,
        sets: Vec::new(),
        env: BTreeMap::new(),
    };
    preflight::check(&invocation).unwrap_or_else(|failed| panic!("{:?}", failed.mistakes))
}

/// The kind of a step, for saying which were tried.
fn kind(step: &Step) -> String {
    let shown = format!("{step:?}");
    shown
        .split([' ', '{'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Changes what runs to `after`, with a fault in each of its steps in turn, instead of it and after
/// it: each time, what ran before runs again, all of it. Then once without a fault.
async fn goes_back_from(after: &str, kinds: &[&str]) {
    let mut site = Site::start().await;
    let before = site.facts();
    let wanted = site.checked(after);
    let steps = site.plan(&wanted).steps;
    let planned: Vec<String> = steps.iter().map(kind).collect();
    assert_eq!(planned, kinds, "{}", site.plan(&wanted));
    for (at, step) in planned.iter().enumerate() {
        for afterwards in [false, true] {
            site.running.fault = Some(Fault { at, afterwards });
            let plan = site.plan(&wanted);
            let error = site.running.apply(plan, wanted.clone(), 2).await;
            let error = error.expect_err("the fault was passed over");
            let case = format!("{step} afterwards: {afterwards}");
            assert!(error.reason.ends_with(": injected"), "{case}: {error:?}");
            // Topics are never undone.
            let tried = &planned[..=at];
            let undone = tried.iter().filter(|step| *step != "EnsureTopic");
            assert_eq!(error.undone.len(), undone.count(), "{case}");
            let stays = planned[..at].iter().filter(|step| *step == "EnsureTopic");
            assert_eq!(error.stays.len(), stays.count(), "{case}");
            assert_eq!(error.left, Vec::<String>::new(), "{case}");
            site.wait_until_joined().await;
            assert_eq!(site.facts(), before, "{case}");
        }
    }
    site.wait_for_work().await;
    site.running.fault = None;
    let plan = site.plan(&wanted);
    let taken = site.running.apply(plan, wanted, 2).await.unwrap();
    assert_eq!(taken.len(), kinds.len());
    assert_ne!(site.facts(), before);
    site.stop().await;
}

fn with(changes: &[(&str, &str)], more: &str) -> String {
    let mut toml = BEFORE.to_owned();
    for (from, to) in changes {
        assert!(toml.contains(from), "{from}");
        toml = toml.replace(from, to);
    }
    toml + more
}

/// Topics stay as they have become; all else of the process goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_topic_log_or_daemon_step_goes_back() {
    let after = with(
        &[],
        "[topics.More]\n[log]\nlevel = \"debug\"\n[daemon]\nwatch = \"poll\"\n",
    );
    goes_back_from(&after, &["EnsureTopic", "ChangeLog", "ChangeDaemon"]).await;
}

/// A group's settings in place, its handler among them.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_change_of_a_group_goes_back() {
    let after = with(
        &[
            ("handle.rhai", "other.rhai"),
            ("members = 2", "members = 2\nrate = 9.0"),
        ],
        "",
    );
    goes_back_from(&after, &["ChangeGroup"]).await;
}

/// More members.
#[tokio::test(flavor = "multi_thread")]
async fn failed_new_members_go_again() {
    goes_back_from(
        &with(&[("members = 2", "members = 4")], ""),
        &["StartMembers"],
    )
    .await;
}

/// Fewer members: those that left come back.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_left_come_back() {
    goes_back_from(
        &with(&[("members = 2", "members = 1")], ""),
        &["StopMembers"],
    )
    .await;
}

/// Members with new clients get the old ones again.
#[tokio::test(flavor = "multi_thread")]
async fn failed_replaced_members_are_replaced_again() {
    let after = with(&[("members = 2", "members = 2\nbuffer = \"8MiB\"")], "");
    goes_back_from(&after, &["ReplaceMembers"]).await;
}

/// New clients for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_change_of_the_cluster_goes_back() {
    let properties = "brokers = \"embedded\"\nproperties = { \"client.rack\" = \"b\" }";
    let after = with(&[("brokers = \"embedded\"", properties)], "");
    goes_back_from(
        &after,
        &["ChangeKafka", "ReplaceMembers", "ReplaceProducer"],
    )
    .await;
}

/// A group that comes, and one that goes.
#[tokio::test(flavor = "multi_thread")]
async fn failed_groups_go_and_come_again() {
    let after = with(&[("groups.first", "groups.second")], "");
    goes_back_from(&after, &["AddGroup", "RemoveGroup"]).await;
}

/// Producers that come, change, and go.
#[tokio::test(flavor = "multi_thread")]
async fn failed_producers_go_back() {
    let after = with(&[("producers.steady", "producers.other")], "");
    goes_back_from(&after, &["AddProducer", "RemoveProducer"]).await;
    let after = with(&[("rate = 50.0", "rate = 60.0")], "");
    goes_back_from(&after, &["ChangeProducer"]).await;
    let after = with(&[("rate = 50.0", "rate = 50.0\nseed = 7")], "");
    goes_back_from(&after, &["ReplaceProducer"]).await;
}

/// A producer and a paused group that were taken away and come back go on where they were: its number
/// counts on, and the pause holds.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_goes_on_as_it_was() {
    let mut site = Site::start().await;
    let produced = |site: &Site| {
        let board = &site.running.ground().board;
        drop(site.running.shown.look_at_producers());
        board.snapshot().producers["steady"].produced
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while produced(&site) < 150 {
        assert!(Instant::now() < deadline, "{} produced", produced(&site));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let shared = site.running.groups["first"].shared.clone();
    shared.set_paused(&Scope::Group, true);
    let changes = [
        ("groups.first", "groups.second"),
        ("producers.steady", "producers.other"),
    ];
    let wanted = site.checked(&with(&changes, ""));
    let plan = site.plan(&wanted);
    site.running.fault = Some(Fault {
        at: plan.steps.len() - 1,
        afterwards: true,
    });
    let error = site.running.apply(plan, wanted, 2).await;
    assert_eq!(error.map_err(|error| error.left), Err(Vec::new()));
    let now = produced(&site);
    assert!(now >= 150, "{now} produced");
    let summary = site.running.ground().board.summary();
    assert_eq!(summary.producers["steady"].0, now, "nothing counts twice");
    assert!(site.running.groups["first"].shared.pauses().holds_group());
    site.stop().await;
}

/// Going back brings back what ran, not what was read from disk at the last reload.
#[tokio::test(flavor = "multi_thread")]
async fn going_back_keeps_a_handler_that_was_taken_up_meanwhile() {
    let mut site = Site::start().await;
    let first = site.facts().groups["first"].version.clone();
    let file: PathBuf = site.dir.path().join("handle.rhai");
    std::fs::write(&file, "fn handle(msg) { 2 }").unwrap();
    site.running.check_handlers_now();
    let edited = site.facts().groups["first"].version.clone();
    assert_ne!(edited, first);
    // The file is broken now, so it can't be what brings the version back.
    let wanted = site.checked(&with(&[("handle.rhai", "other.rhai")], ""));
    std::fs::write(&file, "fn handle(").unwrap();
    site.running.fault = Some(Fault {
        at: 0,
        afterwards: true,
    });
    let plan = site.plan(&wanted);
    assert!(site.running.apply(plan, wanted, 2).await.is_err());
    assert_eq!(site.facts().groups["first"].version, edited);
    site.stop().await;
}

/// Every kind of step is failed by one of these tests; a new one has to be added to them.
#[test]
fn every_kind_of_step_is_tried() {
    let source = include_str!("tests.rs");
    let steps = include_str!("plan/step.rs");
    let kinds = steps.split("pub enum Step {").nth(1).unwrap_or_default();
    let kinds = kinds.split("\n}\n").next().unwrap_or_default();
    let kinds: BTreeSet<&str> = kinds
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"))
        .collect();
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    for kind in kinds {
        assert!(source.contains(&format!("\"{kind}\"")), "{kind}");
    }
}
