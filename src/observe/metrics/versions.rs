//! Calls of handlers by version: what tells a new version from the one before it.
//!
//! Versions come without end, so each group keeps the counters of its newest ones only, and the
//! series of an older one goes when it is displaced. No member runs it any more by then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// How many versions of a group's handler have counters.
pub const VERSIONS_PER_GROUP: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Called {
    group: Arc<str>,
    version: Arc<str>,
    result: &'static str,
}

/// The counters of one version's calls, each attempt counted.
#[derive(Debug, Clone)]
pub struct CallCounters {
    /// They returned.
    pub done: Counter,
    pub failed: Counter,
    pub rejected: Counter,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Versions {
    calls: Family<Called, Counter>,
    /// By group, the version that was asked for last at the end.
    newest: Mutex<BTreeMap<Arc<str>, VecDeque<Arc<str>>>>,
}

impl Versions {
    pub(super) fn calls(&self) -> Family<Called, Counter> {
        self.calls.clone()
    }

    /// The counters of a version, which is the group's newest from now on.
    pub(super) fn of(&self, group: &Arc<str>, version: &str) -> CallCounters {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(Arc::clone(group)).or_default();
        let at = newest.iter().position(|known| **known == *version);
        let known = at.and_then(|at| newest.remove(at));
        let version = known.unwrap_or_else(|| version.into());
        newest.push_back(Arc::clone(&version));
        let labels = |version: &Arc<str>, result| Called {
            group: Arc::clone(group),
            version: Arc::clone(version),
            result,
        };
        if newest.len() > VERSIONS_PER_GROUP
            && let Some(oldest) = newest.pop_front()
        {
            for result in ["done", "failed", "rejected"] {
                self.calls.remove(&labels(&oldest, result));
            }
        }
        let counter = |result| self.calls.get_or_create_owned(&labels(&version, result));
        CallCounters {
            done: counter("done"),
            failed: counter("failed"),
            rejected: counter("rejected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(versions: &Versions) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("calls", "Calls", versions.calls());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("it is text");
        text
    }

    /// Each version has its own counts, shared by all members of the group.
    #[test]
    fn versions_are_told_apart() {
        let (versions, group) = (Versions::default(), Arc::from("group-1"));
        versions.of(&group, "a").done.inc_by(5);
        versions.of(&group, "b").failed.inc();
        versions.of(&group, "a").done.inc();
        let text = series(&versions);
        let done = r#"calls_total{group="group-1",version="a",result="done"} 6"#;
        let failed = r#"calls_total{group="group-1",version="b",result="failed"} 1"#;
        assert!(text.contains(done) && text.contains(failed), "{text}");
    }

    /// However many versions come, a group has no more series than those of the newest.
    #[test]
    fn only_the_newest_versions_are_kept() {
        let (versions, group) = (Versions::default(), Arc::from("group-1"));
        for n in 0..1000 {
            versions.of(&group, &format!("v{n}")).done.inc();
            // One that comes back again and again is new each time.
            versions.of(&group, "often").done.inc();
        }
        let text = series(&versions);
        let kept = text.lines().filter(|line| line.contains("done")).count();
        assert_eq!(kept, VERSIONS_PER_GROUP);
        assert!(text.contains(r#"version="v999""#), "{text}");
        assert!(text.contains(r#"version="often",result="done"} 1000"#));
        assert!(!text.contains(r#"version="v900""#));
    }
}
