//! Prometheus' text format, version 0.0.4: families of samples, and histograms to fill them from.

use std::fmt::Write as _;

/// What a scraper must be told the page is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of family follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and starts again at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A page under construction.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// A family of one sample without labels.
    pub fn one(&mut self, kind: Kind, name: &str, help: &str, value: impl Into<f64>) {
        self.family(kind, name, help, [(&[][..], value.into())]);
    }

    /// A family whose samples differ in one label. An empty one is not written: a label that never had a value would
    /// have to be invented.
    pub fn by<L: AsRef<str>>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) {
        let samples: Vec<(L, f64)> = samples.into_iter().collect();
        if samples.is_empty() {
            return;
        }
        self.head(name, help, if kind == Kind::Counter { "counter" } else { "gauge" });
        for (value, count) in &samples {
            self.sample(name, &[(label, value.as_ref())], *count);
        }
    }

    /// A family whose samples differ in several labels.
    pub fn family<'a>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'a [(&'a str, &'a str)], f64)>,
    ) {
        self.head(name, help, if kind == Kind::Counter { "counter" } else { "gauge" });
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    /// A sum and a count, where no buckets were kept.
    pub fn summary(&mut self, name: &str, help: &str, sum: f64, count: u64) {
        self.head(name, help, "summary");
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], count as f64);
    }

    /// A histogram, its buckets cumulative as the format wants them.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            below += count;
            self.sample(&bucket, &[("le", &bound.to_string())], below as f64);
        }
        self.sample(&bucket, &[("le", "+Inf")], histogram.count() as f64);
        self.sample(&format!("{name}_sum"), &[], histogram.sum);
        self.sample(&format!("{name}_count"), &[], histogram.count() as f64);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}\n")),
            false => self.line(format_args!("{name}{{{}}} {value}\n", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.text.write_fmt(line).expect("writing to a string");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// How often values fell below each of some bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above them all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Empty; `bounds` rise.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Counts one value. What is no number is not counted.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.counts[place] += 1;
        self.sum += value;
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_the_format_wants_it() {
        let mut page = Page::default();
        page.one(Kind::Gauge, "trunkline_calls", "Calls now.", 3);
        page.by(
            Kind::Counter,
            "trunkline_ends_total",
            "How\ncalls ended.",
            "end",
            [("completed", 2.0), ("a\"b\\c\nd", 1.0)],
        );
        page.by::<&str>(Kind::Counter, "trunkline_nothing_total", "Nothing yet.", "what", []);
        page.summary("trunkline_waits_seconds", "Waits.", 1.25, 4);
        let expect = "\
# HELP trunkline_calls Calls now.
# TYPE trunkline_calls gauge
trunkline_calls 3
# HELP trunkline_ends_total How\\ncalls ended.
# TYPE trunkline_ends_total counter
trunkline_ends_total{end=\"completed\"} 2
trunkline_ends_total{end=\"a\\\"b\\\\c\\nd\"} 1
# HELP trunkline_waits_seconds Waits.
# TYPE trunkline_waits_seconds summary
trunkline_waits_seconds_sum 1.25
trunkline_waits_seconds_count 4
";
        assert_eq!(page.finish(), expect);
    }

    #[test]
    fn buckets_are_cumulative_and_hold_their_own_bound() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for value in [0.1, 0.5, 0.9, 7.0, f64::NAN, f64::INFINITY] {
            histogram.observe(value);
        }
        let mut page = Page::default();
        page.histogram("wait", "Waits.", &histogram);
        let expect = "\
# HELP wait Waits.
# TYPE wait histogram
wait_bucket{le=\"0.5\"} 2
wait_bucket{le=\"1\"} 3
wait_bucket{le=\"+Inf\"} 4
wait_sum 8.5
wait_count 4
";
        assert_eq!(page.finish(), expect);
    }
}
