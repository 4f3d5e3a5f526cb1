//! Prometheus' text format, read strictly, and the rules that names and help texts follow.

use std::collections::{BTreeMap, BTreeSet};

/// What a scrape brought, by family.
#[derive(Debug, Default)]
pub struct Exposition(pub BTreeMap<String, Family>);

/// A metric with all its series.
#[derive(Debug)]
pub struct Family {
    pub help: String,
    pub kind: String,
    pub samples: Vec<Sample>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// With its suffix, such as `_bucket`.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposition {
    /// Panics with the line where it is not the format: HELP, TYPE and samples of each family once and
    /// together, no series twice, nothing that a reader could take for something else.
    #[track_caller]
    pub fn parse(text: &str) -> Exposition {
        let mut all = Exposition::default();
        let mut open: Option<(String, Family)> = None;
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                all.close(open.take());
                let (name, help) = help.split_once(' ').expect(line);
                let family = Family {
                    help: help.to_owned(),
                    kind: String::new(),
                    samples: Vec::new(),
                };
                open = Some((name.to_owned(), family));
                continue;
            }
            let (name, family) = open.as_mut().expect(line);
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (of, kind) = described.split_once(' ').expect(line);
                assert_eq!(of, name, "TYPE follows HELP");
                assert!(family.kind.is_empty(), "{name} has two types");
                kind.clone_into(&mut family.kind);
            } else {
                let sample = Sample::parse(line);
                assert!(!family.kind.is_empty(), "{line}: before its TYPE");
                assert!(belongs(&sample.name, name, &family.kind), "{line}: {name}");
                family.samples.push(sample);
            }
        }
        all.close(open);
        all
    }

    fn close(&mut self, family: Option<(String, Family)>) {
        if let Some((name, family)) = family {
            family.check(&name);
            assert!(
                self.0.insert(name.clone(), family).is_none(),
                "{name} twice"
            );
        }
    }

    /// The names of a family's labels, without a histogram's own.
    pub fn labels(&self, family: &str) -> BTreeSet<String> {
        let samples = self.0[family].samples.iter();
        let names = samples.flat_map(|sample| sample.labels.keys().cloned());
        names.filter(|name| name != "le").collect()
    }

    /// The names of a sample's labels, by the name that a query has for it.
    pub fn labels_of_sample(&self, name: &str) -> Option<BTreeSet<String>> {
        let all = self.0.values().flat_map(|family| &family.samples);
        let mut of_it = all.filter(|sample| sample.name == name).peekable();
        of_it.peek()?;
        Some(
            of_it
                .flat_map(|sample| sample.labels.keys().cloned())
                .collect(),
        )
    }

    /// The sum of all series of a name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let all = self.0.values().flat_map(|family| &family.samples);
        all.filter(|sample| sample.name == name && sample.has(labels))
            .map(|sample| sample.value)
            .sum()
    }

    /// The series of counters and of histograms, which never go back.
    pub fn rising(&self) -> BTreeMap<String, f64> {
        let rising = self.0.values().filter(|family| family.kind != "gauge");
        let samples = rising.flat_map(|family| &family.samples);
        samples
            .map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value))
            .collect()
    }

    /// What a careful reader would object to, in the words of Prometheus' own rules.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, family) in &self.0 {
            let mut complain = |what: &str| complaints.push(format!("{name}: {what}"));
            if !name.starts_with("deliveryd_") && !name.starts_with("process_") {
                complain("a prefix that is not ours");
            }
            if name.chars().any(|c| c.is_ascii_uppercase()) {
                complain("capital letters");
            }
            let counts = family.kind == "counter";
            if counts != name.ends_with("_total") {
                complain("`_total` is for counters, and counters have it");
            }
            if ["_count", "_sum", "_bucket"]
                .iter()
                .any(|s| name.ends_with(s))
            {
                complain("a suffix that belongs to histograms");
            }
            for unit in [
                "_ms",
                "_milliseconds",
                "_minutes",
                "_kilobytes",
                "_kb",
                "_mb",
            ] {
                if name.contains(unit) {
                    complain("not a base unit");
                }
            }
            if family.help.len() < 10 || !family.help.ends_with('.') {
                complain("no help that helps");
            }
        }
        complaints
    }
}

impl Family {
    #[track_caller]
    fn check(&self, name: &str) {
        let known = ["counter", "gauge", "histogram"];
        assert!(known.contains(&self.kind.as_str()), "{name}: {}", self.kind);
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            let series = format!("{}{:?}", sample.name, sample.labels);
            assert!(seen.insert(series), "{name}: twice: {sample:?}");
            if self.kind != "gauge" {
                assert!(sample.value >= 0.0, "{name}: {sample:?}");
            }
        }
        if self.kind == "histogram" {
            self.check_buckets(name);
        }
    }

    /// Buckets rise to the count, which each label set has beside its sum.
    #[track_caller]
    fn check_buckets(&self, name: &str) {
        let mut last: Option<(BTreeMap<String, String>, f64, f64)> = None;
        let bucket = format!("{name}_bucket");
        for sample in self.samples.iter().filter(|sample| sample.name == bucket) {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            let bound: f64 = bound.replace("+Inf", "inf").parse().expect(&bound);
            if let Some((of, below, count)) = &last
                && *of == labels
            {
                assert!(
                    bound > *below && sample.value >= *count,
                    "{name}: {sample:?}"
                );
            }
            if bound.is_infinite() {
                let same = |suffix: &str| {
                    let name = format!("{name}{suffix}");
                    let mut all = self.samples.iter();
                    let found = all.find(|each| each.name == name && each.labels == labels);
                    found.map(|each| each.value)
                };
                assert_eq!(same("_count"), Some(sample.value), "{name}: {labels:?}");
                assert!(same("_sum").is_some(), "{name}: {labels:?}");
            }
            last = Some((labels, bound, sample.value));
        }
        let ends = last.is_none_or(|(_, bound, _)| bound.is_infinite());
        assert!(ends, "{name}: the last bucket has a bound");
    }
}

fn belongs(sample: &str, family: &str, kind: &str) -> bool {
    match sample.strip_prefix(family) {
        Some(suffix) if kind == "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count"),
        Some(suffix) => suffix.is_empty(),
        None => false,
    }
}

impl Sample {
    /// Whether it has all of these.
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(&str, &str)| {
            self.labels.get(*name).map(String::as_str) == Some(*value)
        };
        labels.iter().all(has)
    }

    #[track_caller]
    fn parse(line: &str) -> Sample {
        let end = line.find(['{', ' ']).expect(line);
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name, true), "{line}: not a name");
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, value) = rest.split_once("=\"").expect(line);
                assert!(is_name(label, false), "{line}: not a label");
                let (value, after) = unquoted(value).expect(line);
                assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
                rest = after.strip_prefix(',').unwrap_or(after);
                assert!(after.starts_with([',', '}']), "{line}");
            }
            rest = &rest[1..];
        }
        let value = rest.strip_prefix(' ').expect(line);
        Sample {
            name: name.to_owned(),
            labels,
            // Without a timestamp, which Prometheus sets itself.
            value: value.parse().expect(line),
        }
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    name.starts_with(begins) && name.chars().all(goes_on)
}

/// A value up to its closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('"' | '\\') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

/// The reader itself notices what it is there to notice.
#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total Counts a thing.\n# TYPE a_total counter\na_total{x=\"1\\\"2\"} 1\n";
    let read = Exposition::parse(good);
    assert_eq!(read.sum("a_total", &[("x", "1\"2")]), 1.0);
    assert_eq!(read.complaints(), ["a_total: a prefix that is not ours"]);
    for bad in [
        good.replace("counter", "number"),
        good.replace("{x", "{x-y"),
        good.replace(" 1\n", " one\n"),
        good.replace(" 1\n", " -1\n"),
        good.replace("\na_total{", "\nb_total{"),
        good.replace("# TYPE a_total counter\n", ""),
        format!("{good}{good}"),
        format!("{good}a_total{{x=\"1\\\"2\"}} 2\n"),
        format!("{good}\n"),
        good.trim_end().to_owned(),
    ] {
        let read = std::panic::catch_unwind(|| Exposition::parse(&bad));
        assert!(read.is_err(), "{bad}");
    }
}
