//! Histograms that are filled in batches.
//!
//! [`Timings`] belongs to one loop and costs it a comparison or two per value; `flush` adds what it
//! gathered to the shared [`Histogram`], which the scraper reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A histogram with fixed upper bounds, shared between loops. Clones are the same histogram.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Rising; what lies above the last one is in a bucket of its own.
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    /// The bits of an f64.
    sum: AtomicU64,
}

impl Histogram {
    /// An empty histogram with these upper bounds, which rise.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self(Arc::new(Shared {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0f64.to_bits()),
        }))
    }

    /// A loop's own collector for this histogram.
    pub fn timings(&self) -> Timings {
        Timings {
            counts: vec![0; self.0.counts.len()].into(),
            sum: 0.0,
            pending: false,
            into: self.clone(),
        }
    }

    /// Adds one value, for what is rare.
    pub fn observe(&self, value: f64) {
        self.0.counts[self.bucket(value)].fetch_add(1, Ordering::Relaxed);
        self.add_to_sum(value);
    }

    fn bucket(&self, value: f64) -> usize {
        // Linear: most values fall into the first few buckets, and there are about a dozen.
        let bounds = self.0.bounds;
        bounds
            .iter()
            .position(|bound| value <= *bound)
            .unwrap_or(bounds.len())
    }

    fn add_to_sum(&self, value: f64) {
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure never declines, so this can not fail.
        self.0
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .unwrap_or_default();
    }
}

/// What one loop has measured since it last flushed. Dropped, it flushes.
pub struct Timings {
    counts: Box<[u64]>,
    sum: f64,
    pending: bool,
    into: Histogram,
}

impl Timings {
    /// Gathers one value. Not a number is no value.
    pub fn observe(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.counts[self.into.bucket(value)] += 1;
        self.sum += value;
        self.pending = true;
    }

    /// Adds what was gathered to the shared histogram.
    pub fn flush(&mut self) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        for (own, shared) in self.counts.iter_mut().zip(&self.into.0.counts) {
            let count = std::mem::take(own);
            if count > 0 {
                shared.fetch_add(count, Ordering::Relaxed);
            }
        }
        self.into.add_to_sum(std::mem::take(&mut self.sum));
    }
}

impl Drop for Timings {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timings").finish_non_exhaustive()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.0.counts.iter();
        let counts: Vec<u64> = counts.map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = f64::from_bits(self.0.sum.load(Ordering::Relaxed));
        // The count is the sum of the buckets that were read, so that the two always agree.
        let count = counts.iter().sum();
        encoder.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}
