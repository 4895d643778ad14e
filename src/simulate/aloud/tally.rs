//! What came of all conversations that were played, as a table.

use std::fmt;
use std::time::Duration;

use super::hearing::Heard;
use super::mishearing::Words;
use super::person::Report;

/// One conversation, played.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// As its caller tells it.
    pub report: Report,
    /// From the end of each spoken line to the first packet of the reply, in milliseconds.
    pub replies_ms: Vec<f64>,
    /// What reached the caller's ear.
    pub heard: Heard,
    /// How long it took.
    pub lasted: Duration,
}

impl Played {
    /// Did the call go where the conversation says, and was it heard?
    pub fn passed(&self) -> bool {
        self.report.faults.is_empty()
    }
}

/// Sums of many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Conversations that went as written.
    pub passed: usize,
    /// That did not.
    pub failed: usize,
    /// That cannot be played here.
    pub left_out: usize,
    spoken: usize,
    again: usize,
    doubted: usize,
    words: Words,
    replies_ms: Vec<f64>,
    played_ms: u64,
    loud_ms: u64,
}

impl Tally {
    /// So many cannot be played.
    pub fn leaving_out(left_out: usize) -> Self {
        Self { left_out, ..Self::default() }
    }

    /// One more.
    pub fn add(&mut self, played: &Played) {
        if played.passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        let report = &played.report;
        self.spoken += report.spoken;
        self.doubted += report.again.iter().filter(|again| again.doubted).count();
        self.again += report.again.iter().filter(|again| !again.doubted).count();
        self.words = self.words.and(report.words);
        self.replies_ms.extend(&played.replies_ms);
        self.played_ms += played.heard.played_ms;
        self.loud_ms += played.heard.loud_ms;
    }

    /// The reply latency that `share` (0..1) of the replies stay below, in milliseconds.
    fn percentile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.replies_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let place = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(place).copied()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24}{value}");
        let left_out = if self.left_out > 0 { format!(", {} left out", self.left_out) } else { String::new() };
        row("conversations", format!("{} passed, {} failed{left_out}", self.passed, self.failed))?;
        row("spoken lines", format!("{}, said again {}, asked back {}", self.spoken, self.again, self.doubted))?;
        let wrong = self.words.percent().map_or("-".to_owned(), |percent| format!("{percent:.1} %"));
        row("word error rate", format!("{wrong} of {} words", self.words.said))?;
        let ms = |share| self.percentile(share).map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
        row("reply latency", format!("p50 {}, p95 {}", ms(0.5), ms(0.95)))?;
        let seconds = |ms: u64| ms as f64 / 1000.0;
        row("heard", format!("{:.1} s of sound in {:.1} s of prompts", seconds(self.loud_ms), seconds(self.played_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_what_there_is_to_know() {
        let mut tally = Tally::leaving_out(1);
        assert!(tally.to_string().contains("p50 -, p95 -"), "{tally}");
        let words = Words { said: 8, wrong: 1 };
        let report = Report { spoken: 3, words, ..Report::default() };
        let replies_ms = (1..=20).map(f64::from).collect();
        let heard = Heard { played_ms: 2_000, loud_ms: 1_500, missing: Vec::new() };
        tally.add(&Played { report: report.clone(), replies_ms, heard, lasted: Duration::ZERO });
        let faults = vec![(3, "it went wrong".to_owned())];
        tally.add(&Played { report: Report { faults, ..report }, ..Played::default() });
        let expected = "conversations           1 passed, 1 failed, 1 left out\n\
                        spoken lines            6, said again 0, asked back 0\n\
                        word error rate         12.5 % of 16 words\n\
                        reply latency           p50 10 ms, p95 19 ms\n\
                        heard                   1.5 s of sound in 2.0 s of prompts\n";
        assert_eq!(tally.to_string(), expected);
    }
}
