//! The two text formats that scrapers ask for.
//!
//! The registry writes OpenMetrics 1.0. Prometheus' older text format 0.0.4 differs in what a
//! counter's family is called and in the marks that OpenMetrics adds.

/// Which text format a scraper is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which every tool reads.
    Prometheus,
}

impl Exposition {
    /// What the request's `Accept` header asks for.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Rewrites OpenMetrics to Prometheus' text format.
pub(super) fn to_prometheus(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len());
    let mut lines = openmetrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        // HELP comes right before TYPE, which tells whether the name gets its `_total`.
        let counter = match line.strip_prefix("# HELP ") {
            Some(_) => lines.peek().and_then(|next| counter_of(next)),
            None => counter_of(line),
        };
        match counter {
            Some(name) => out.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The family's name, if this line says that it is a counter.
fn counter_of(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter's family carries the name of its samples; other families stay as they are.
    #[test]
    fn prometheus_text_names_counters_in_full() {
        let openmetrics = "# HELP a Counts a.\n# TYPE a counter\na_total 1\n\
             # HELP b_seconds Times a.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2.0\n# EOF\n";
        assert_eq!(
            to_prometheus(openmetrics),
            "# HELP a_total Counts a.\n# TYPE a_total counter\na_total 1\n\
             # HELP b_seconds Times a.\n# TYPE b_seconds gauge\nb_seconds 2.0\n"
        );
    }

    /// Who asks for OpenMetrics gets it; everybody else the format that every tool reads.
    #[test]
    fn scrapers_get_what_they_ask_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3";
        assert_eq!(Exposition::accepted(prometheus), Exposition::OpenMetrics);
        assert_eq!(Exposition::accepted("*/*"), Exposition::Prometheus);
        assert_eq!(Exposition::accepted(""), Exposition::Prometheus);
    }
}
