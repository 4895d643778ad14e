//! What calls that are over add up to, for metrics: counted once from the record of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::exposition::Histogram;
use crate::call::disposition::Disposition;
use crate::call::record::{CallRecord, Direction};
use crate::id::CallId;
use crate::media::Recording;

/// Seconds a call lasted.
const LASTED_S: &[f64] = &[5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
/// Seconds from the end of the caller's words to our first packet.
const REPLY_S: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0];
/// Seconds of interarrival jitter.
const JITTER_S: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2];
/// Share of the far end's packets that never came.
const LOSS: &[f64] = &[0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

/// Mean opinion scores: 3.1 annoys nearly everybody, 3.6 many, 4.0 some.
const MOS: &[f64] = &[1.5, 2.0, 2.5, 2.8, 3.1, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4];
/// Seconds there and back.
const ROUND_TRIP_S: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// What may become of an attempt of theirs before a word is said. Further words of [`ENDS`] are possible and rare.
const SETUPS_IN: [&str; 4] = ["answered", "cancelled", "failed", "rejected"];
/// And of one of ours.
const SETUPS_OUT: [&str; 6] = ["answered", "failed", "interrupted", "no_answer", "refused", "unreachable"];
/// How calls end, in the words of the record.
const ENDS: [&str; 14] = [
    "completed",
    "caller_hung_up",
    "cancelled",
    "rejected",
    "refused",
    "no_answer",
    "unreachable",
    "transferred",
    "expired",
    "interrupted",
    "no_ack",
    "no_media",
    "drained",
    "failed",
];
/// What comes of an asking.
const TURNS: [&str; 6] = ["speech", "keys", "no_match", "no_input", "error", "hung_up"];
/// What becomes of a recording.
const RECORDINGS: [&str; 2] = ["saved", "failed"];

/// Counts calls as they are answered and as they end. A lock for each, never on the way of a frame.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    totals: Totals,
    /// Live calls that have been counted as set up: their records must not do so again.
    answered: BTreeSet<CallId>,
}

/// What calls that are over add up to since the start. Keys are the words the record itself uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Attempts by direction and what became of them: `answered`, or how they ended unanswered.
    pub setups: BTreeMap<(&'static str, String), u64>,
    /// Calls by how they ended.
    pub ends: BTreeMap<String, u64>,
    /// Calls by what came of them, in the words of campaigns; inbound calls have no such word unless it is told.
    pub dispositions: BTreeMap<String, u64>,
    /// Askings by what came of them.
    pub turns: BTreeMap<String, u64>,
    /// Recordings asked for, by what became of them.
    pub recordings: BTreeMap<&'static str, u64>,
    /// How long answered calls lasted.
    pub lasted: Histogram,
    /// How long callers waited for a reply.
    pub reply: Histogram,
    /// Jitter of each call that brought packets.
    pub jitter: Histogram,
    /// Loss of each call that brought packets.
    pub loss: Histogram,
    /// What we heard of each call was worth so much, by the E-model.
    pub mos: Histogram,
    /// Round trip of each call that measured one.
    pub round_trip: Histogram,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            // What is counted from nothing can be compared with nothing: rates and alarms want a 0 to start at.
            setups: (SETUPS_IN.map(|result| (INBOUND, result)).into_iter())
                .chain(SETUPS_OUT.map(|result| (OUTBOUND, result)))
                .map(|(direction, result)| ((direction, result.to_owned()), 0))
                .collect(),
            ends: zeros(ENDS),
            dispositions: zeros(Disposition::ALL.map(Disposition::as_str)),
            turns: zeros(TURNS),
            recordings: RECORDINGS.map(|state| (state, 0)).into(),
            lasted: Histogram::new(LASTED_S),
            reply: Histogram::new(REPLY_S),
            jitter: Histogram::new(JITTER_S),
            loss: Histogram::new(LOSS),
            mos: Histogram::new(MOS),
            round_trip: Histogram::new(ROUND_TRIP_S),
        }
    }
}

impl Tally {
    /// A call stands: its set-up is counted now and not when it ends. Its record must follow.
    pub fn answered(&self, call: CallId, direction: Direction) {
        let mut counts = self.locked();
        if counts.answered.insert(call) {
            counts.totals.set_up(direction, "answered".to_owned());
        }
    }

    /// Counts a call that is over, and its set-up too, where that came to nothing.
    pub fn count(&self, record: &CallRecord) {
        let mut counts = self.locked();
        if !counts.answered.remove(&record.id) {
            let result = record.answered_at.map_or_else(|| word(&record.end), |_| "answered".to_owned());
            counts.totals.set_up(record.direction, result);
        }
        counts.totals.count(record);
    }

    /// A copy of the sums so far.
    pub fn totals(&self) -> Totals {
        self.locked().totals.clone()
    }

    /// Sums stay sums, whatever panicked beside them.
    fn locked(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    fn set_up(&mut self, direction: Direction, result: String) {
        let direction = match direction {
            Direction::Inbound => INBOUND,
            Direction::Outbound => OUTBOUND,
        };
        *self.setups.entry((direction, result)).or_default() += 1;
    }

    fn count(&mut self, record: &CallRecord) {
        let CallRecord { answered_at, ended_at, end, disposition, turns, media, .. } = record;
        *self.ends.entry(word(end)).or_default() += 1;
        if let Some(disposition) = disposition {
            *self.dispositions.entry(word(disposition)).or_default() += 1;
        }
        if let Some(answered) = answered_at {
            self.lasted.observe(ended_at.duration_since(*answered).as_secs_f64().max(0.0));
        }
        // Of a question that was not asked nothing came.
        for turn in turns.iter().filter(|turn| turn.attempt > 0) {
            *self.turns.entry(word(&turn.outcome)).or_default() += 1;
            // A key is answered at the next tick: only words make a caller wait.
            let spoken = turn.confidence.is_some() || turn.heard.is_some();
            if let Some(latency) = turn.latency.as_ref().filter(|_| spoken) {
                self.reply.observe(latency.total_ms / 1_000.0);
            }
        }
        match media.recording {
            Recording::Off => {}
            Recording::Saved { .. } => *self.recordings.entry("saved").or_default() += 1,
            Recording::Failed { .. } => *self.recordings.entry("failed").or_default() += 1,
        }
        if media.packets_in > 0 {
            self.jitter.observe(media.jitter_ms / 1_000.0);
            self.loss.observe(media.lost as f64 / (media.packets_in + media.lost) as f64);
        }
        if let Some(mos) = media.quality.mos {
            self.mos.observe(mos);
        }
        if let Some(round_trip_ms) = media.quality.round_trip_ms {
            self.round_trip.observe(round_trip_ms / 1_000.0);
        }
    }
}

const INBOUND: &str = "inbound";
const OUTBOUND: &str = "outbound";

fn zeros<const N: usize>(words: [&str; N]) -> BTreeMap<String, u64> {
    words.map(|word| (word.to_owned(), 0)).into()
}

/// The word by which the record calls a variant, without what it carries: labels must stay few.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Object(fields)) => {
            fields.get("why").and_then(|why| why.as_str()).unwrap_or("other").to_owned()
        }
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::{CallEnd, TurnOutcome};
    use crate::store::conformance::{bare_record, every_end, full_record};

    #[test]
    fn calls_add_up() {
        let tally = Tally::default();
        let refused = CallRecord { end: CallEnd::Rejected(503), ..bare_record(2) };
        let unheard = CallRecord { end: CallEnd::Failed("of +12025550123".to_owned()), ..bare_record(3) };
        let busy = CallRecord { disposition: Some(Disposition::Busy), ..full_record(4) };
        for record in [full_record(1), busy, refused, unheard] {
            tally.count(&record);
        }
        let totals = tally.totals();
        let setups = totals.setups.iter().filter(|(_, count)| **count > 0);
        let setups: Vec<_> = setups.map(|((direction, result), count)| (*direction, result.as_str(), *count)).collect();
        assert_eq!(setups, [("inbound", "answered", 2), ("inbound", "failed", 1), ("inbound", "rejected", 1)]);
        assert_eq!(totals.ends.get("completed"), Some(&2));
        assert_eq!(totals.dispositions.get("busy"), Some(&1));
        assert_eq!(totals.recordings.get("saved"), Some(&2));
        assert_eq!((totals.lasted.count(), totals.jitter.count()), (2, 2));
        assert_eq!((totals.mos.count(), totals.round_trip.count()), (2, 2));
    }

    #[test]
    fn a_set_up_counts_when_the_call_stands_and_once() {
        let tally = Tally::default();
        let answered = |tally: &Tally| tally.totals().setups[&(INBOUND, "answered".to_owned())];
        assert_eq!(answered(&tally), 0, "there from the start");
        let record = full_record(1);
        tally.answered(record.id.clone(), Direction::Inbound);
        tally.answered(record.id.clone(), Direction::Inbound);
        assert_eq!(answered(&tally), 1, "while it is live");
        tally.count(&record);
        assert_eq!(answered(&tally), 1, "and not again");
        assert!(tally.locked().answered.is_empty(), "nothing is kept of calls that are over");
        tally.count(&full_record(2));
        assert_eq!(answered(&tally), 2, "never acknowledged, and yet answered");
    }

    #[test]
    fn every_word_a_record_uses_is_there_from_the_start() {
        let totals = Totals::default();
        let ends: BTreeMap<String, u64> = every_end().iter().map(|end| (word(end), 0)).collect();
        assert_eq!(totals.ends, ends);
        use TurnOutcome::{Error, HungUp, Keys, NoInput, NoMatch, Speech};
        let turns = [Speech, Keys, NoMatch, NoInput, Error, HungUp];
        assert!(turns.iter().all(|turn| totals.turns.get(&word(turn)) == Some(&0)), "{:?}", totals.turns);
        assert!(Disposition::ALL.iter().all(|one| totals.dispositions.get(&word(one)) == Some(&0)));
        assert!(totals.setups.keys().all(|(_, result)| result == "answered" || ENDS.contains(&result.as_str())));
    }

    #[test]
    fn only_replies_to_words_count_as_waiting() {
        let tally = Tally::default();
        tally.count(&full_record(1));
        // It holds a silence, a sentence and keys, the last two with a latency.
        assert_eq!(tally.totals().reply.count(), 1);
        assert_eq!(tally.totals().turns.get("no_input"), Some(&1));
    }
}
