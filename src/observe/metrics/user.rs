//! The users' own metrics: `count(name[, n])` and `observe(name, x)` of their handlers.
//!
//! A name becomes `deliveryd_user_NAME`, with every character that Prometheus does not allow
//! replaced by `_`. A group has at most [`NAMES_PER_GROUP`]; further ones are dropped and told once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::timings::{Histogram, Timings};

/// How many names one group's handlers may use: a name made from message contents would otherwise
/// grow without end, here and in Prometheus.
pub const NAMES_PER_GROUP: usize = 100;
/// Longer names are cut.
const NAME_LENGTH: usize = 100;

/// Nobody knows the users' units: a bucket per power of ten.
const BOUNDS: &[f64] = &[
    0.000_1,
    0.001,
    0.01,
    0.1,
    1.0,
    10.0,
    100.0,
    1_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
];

/// All users' metrics, by name and then by group. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct UserRegistry(Arc<Mutex<Registered>>);

#[derive(Debug, Default)]
struct Registered {
    families: BTreeMap<String, Family>,
    names: HashMap<Arc<str>, usize>,
    told: Vec<(Arc<str>, &'static str)>,
}

#[derive(Debug)]
enum Family {
    Counters(BTreeMap<Arc<str>, Arc<AtomicU64>>),
    Histograms(BTreeMap<Arc<str>, Histogram>),
}

/// One member's access to its group's metrics, with everything it uses fetched once.
#[derive(Debug)]
pub struct UserMetrics {
    group: Arc<str>,
    registry: UserRegistry,
    counters: HashMap<Arc<str>, Arc<AtomicU64>>,
    histograms: HashMap<Arc<str>, Timings>,
}

impl UserMetrics {
    pub(super) fn new(group: &Arc<str>, registry: &UserRegistry) -> Self {
        Self {
            group: Arc::clone(group),
            registry: registry.clone(),
            counters: HashMap::new(),
            histograms: HashMap::new(),
        }
    }

    /// `count(name, n)`.
    pub fn count(&mut self, name: &Arc<str>, n: u64) {
        if let Some(counter) = self.counters.get(name) {
            counter.fetch_add(n, Ordering::Relaxed);
            return;
        }
        if let Some(counter) = self.registry.counter(&self.group, name) {
            counter.fetch_add(n, Ordering::Relaxed);
            // Many spellings may lead to one name; they need not all be remembered.
            if self.counters.len() < NAMES_PER_GROUP {
                self.counters.insert(Arc::clone(name), counter);
            }
        }
    }

    /// `observe(name, x)`; not a number is no value. Seen by the scraper after [`Self::flush`].
    pub fn observe(&mut self, name: &Arc<str>, x: f64) {
        if let Some(timings) = self.histograms.get_mut(name) {
            timings.observe(x);
            return;
        }
        if let Some(histogram) = self.registry.histogram(&self.group, name) {
            let mut timings = histogram.timings();
            timings.observe(x);
            if self.histograms.len() < NAMES_PER_GROUP {
                self.histograms.insert(Arc::clone(name), timings);
            }
        }
    }

    /// Makes what was observed visible.
    pub fn flush(&mut self) {
        for timings in self.histograms.values_mut() {
            timings.flush();
        }
    }
}

impl UserRegistry {
    fn counter(&self, group: &Arc<str>, name: &str) -> Option<Arc<AtomicU64>> {
        self.with(group, name, |registered, name| {
            match registered.families.get_mut(&name) {
                Some(Family::Histograms(_)) => {
                    Err("it is observed elsewhere, and can not be counted too")
                }
                Some(Family::Counters(groups)) => {
                    if let Some(counter) = groups.get(group) {
                        return Ok(Arc::clone(counter));
                    }
                    admit(&mut registered.names, group)?;
                    Ok(Arc::clone(groups.entry(Arc::clone(group)).or_default()))
                }
                None => {
                    admit(&mut registered.names, group)?;
                    let counter = Arc::default();
                    let groups = [(Arc::clone(group), Arc::clone(&counter))].into();
                    registered.families.insert(name, Family::Counters(groups));
                    Ok(counter)
                }
            }
        })
    }

    fn histogram(&self, group: &Arc<str>, name: &str) -> Option<Histogram> {
        self.with(group, name, |registered, name| {
            match registered.families.get_mut(&name) {
                Some(Family::Counters(_)) => {
                    Err("it is counted elsewhere, and can not be observed too")
                }
                Some(Family::Histograms(groups)) => {
                    if let Some(histogram) = groups.get(group) {
                        return Ok(histogram.clone());
                    }
                    admit(&mut registered.names, group)?;
                    let histogram = Histogram::new(BOUNDS);
                    groups.insert(Arc::clone(group), histogram.clone());
                    Ok(histogram)
                }
                None => {
                    admit(&mut registered.names, group)?;
                    let histogram = Histogram::new(BOUNDS);
                    let groups = [(Arc::clone(group), histogram.clone())].into();
                    registered.families.insert(name, Family::Histograms(groups));
                    Ok(histogram)
                }
            }
        })
    }

    /// Finds or makes a metric; a refusal is told once per group and reason.
    fn with<T>(
        &self,
        group: &Arc<str>,
        name: &str,
        find: impl FnOnce(&mut Registered, String) -> Result<T, &'static str>,
    ) -> Option<T> {
        let mut registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = match find(&mut registered, sanitised(name)) {
            Ok(metric) => return Some(metric),
            Err(reason) => reason,
        };
        let refusal = (Arc::clone(group), reason);
        if !registered.told.contains(&refusal) {
            registered.told.push(refusal);
            // Logging may wait for a slow terminal: not under the lock.
            drop(registered);
            tracing::warn!(
                group = %group,
                "the handler's metric {name:?} is dropped, and others for the same reason: {reason}"
            );
        }
        None
    }
}

fn admit(names: &mut HashMap<Arc<str>, usize>, group: &Arc<str>) -> Result<(), &'static str> {
    let used = names.entry(Arc::clone(group)).or_default();
    if *used >= NAMES_PER_GROUP {
        return Err("the group uses 100 names already; take fewer, not made from message contents");
    }
    *used += 1;
    Ok(())
}

/// As Prometheus allows it (data model, "Metric names"), without the `_total` that a counter gets.
fn sanitised(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = name
        .chars()
        .take(NAME_LENGTH)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    match name.strip_suffix("_total") {
        Some(stem) if !stem.is_empty() => stem.to_owned(),
        _ if name.is_empty() => "_".to_owned(),
        _ => name,
    }
}

impl Collector for UserRegistry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let registered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, family) in &registered.families {
            let name = format!("deliveryd_user_{name}");
            match family {
                Family::Counters(groups) => {
                    let help = "Counted by handlers with count().";
                    let mut metric =
                        encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
                    for (group, counter) in groups {
                        let value = ConstCounter::new(counter.load(Ordering::Relaxed));
                        value.encode(metric.encode_family(&[("group", &**group)])?)?;
                    }
                }
                Family::Histograms(groups) => {
                    let help = "Observed by handlers with observe().";
                    let mut metric =
                        encoder.encode_descriptor(&name, help, None, MetricType::Histogram)?;
                    for (group, histogram) in groups {
                        histogram.encode(metric.encode_family(&[("group", &**group)])?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any name that a script invents becomes one that Prometheus takes.
    #[test]
    fn names_are_made_fit() {
        assert_eq!(sanitised("orders"), "orders");
        assert_eq!(sanitised("orders_total"), "orders");
        assert_eq!(sanitised("Gewicht in kg/ü"), "Gewicht_in_kg__");
        assert_eq!(sanitised(""), "_");
        assert_eq!(sanitised("_total"), "_total");
        assert_eq!(sanitised(&"x".repeat(1000)).len(), NAME_LENGTH);
    }

    /// A name made from message contents stops growing at the limit; known names go on.
    #[test]
    fn names_are_bounded_per_group() {
        let registry = UserRegistry::default();
        let group: Arc<str> = Arc::from("group-1");
        let mut metrics = UserMetrics::new(&group, &registry);
        for number in 0..1000 {
            metrics.count(&Arc::from(format!("name{number}")), 1);
        }
        metrics.count(&Arc::from("name0"), 1);
        let registered = registry.0.lock().unwrap();
        assert_eq!(registered.families.len(), NAMES_PER_GROUP);
        assert_eq!(registered.told.len(), 1);
        assert!(metrics.counters.len() <= NAMES_PER_GROUP);
        let first = &registered.families["name0"];
        assert!(
            matches!(first, Family::Counters(groups) if groups[&group].load(Ordering::Relaxed) == 2)
        );
    }
}
