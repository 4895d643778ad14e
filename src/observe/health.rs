//! Is the gateway well? `ok`, `under load` (it works, and somebody should look), or `down` (send calls elsewhere).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::metrics::Snapshot;

/// What happened longer ago does not count any more.
const WINDOW: Duration = Duration::from_secs(10);
/// Looks closer together than this are not all kept: whoever asks often must not fill the memory.
const APART: Duration = Duration::from_millis(500);
/// Fewer beats than this say nothing about how well the beat is kept: two seconds.
const ENOUGH_TICKS: u64 = 100;
/// A trunk may be away so long, as when it restarts, before anybody is told.
const TRUNK_PATIENCE: Duration = Duration::from_secs(120);

/// In a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing to report.
    #[default]
    Ok,
    /// Calls are served, less well than they should be or with little room left.
    UnderLoad,
    /// New calls are not served.
    Down,
}

impl State {
    /// `ok`, `under_load`, `down`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::UnderLoad => "under_load",
            Self::Down => "down",
        }
    }
}

/// How it is, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst that holds.
    pub state: State,
    /// A sentence for each thing that is not well, the worst first.
    pub reasons: Vec<String>,
}

/// Looks at snapshots and remembers what the last seconds were like.
#[derive(Debug, Default)]
pub struct Watch {
    looks: VecDeque<Look>,
    /// When each trunk that registers was last known to be registered, or first looked at.
    registered_at: BTreeMap<String, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    ticks: u64,
    late: u64,
    busy: u64,
}

impl Watch {
    /// How the gateway is, seen at `now`. Look at it about once a second.
    pub fn judge(&mut self, snapshot: &Snapshot, now: Instant) -> Health {
        let mut found = Vec::new();
        self.house(snapshot, &mut found);
        self.last_seconds(snapshot, now, &mut found);
        self.trunks(snapshot, now, &mut found);
        // A stable sort: the worst first, else in the order found.
        found.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        let state = found.first().map_or(State::Ok, |(state, _)| *state);
        Health { state, reasons: found.into_iter().map(|(_, reason)| reason).collect() }
    }

    #[expect(clippy::unused_self, reason = "one of three that judge alike")]
    fn house(&self, snapshot: &Snapshot, found: &mut Vec<(State, String)>) {
        let Snapshot { live, seats, .. } = *snapshot;
        if snapshot.draining {
            found.push((State::Down, format!("told to stop: no new calls, {live} may finish")));
        }
        if snapshot.sip.is_none() {
            found.push((State::Down, "the signalling does not answer; the log says why".to_owned()));
        }
        if snapshot.media.is_none() {
            found.push((State::Down, "a media thread is gone; the log says why".to_owned()));
        }
        if live * 10 > seats * 9 {
            found.push((State::UnderLoad, format!("{live} of {seats} calls: nearly full")));
        }
        if snapshot.store.unkept {
            let sentence = format!(
                "neither the database nor the disk takes calls: {} wait in memory, to be lost if the gateway ends; make \
                 room in the data folder",
                snapshot.store.in_memory
            );
            found.push((State::UnderLoad, sentence));
        } else if !snapshot.store.well {
            let sentence = "the database takes no calls, they wait in files; the log says why";
            found.push((State::UnderLoad, sentence.to_owned()));
        }
    }

    fn last_seconds(&mut self, snapshot: &Snapshot, now: Instant, found: &mut Vec<(State, String)>) {
        let (ticks, late) = snapshot.media.as_ref().map_or((0, 0), |beat| (beat.ticks, beat.late));
        let look = Look { at: now, ticks, late, busy: snapshot.recognition.busy };
        while self.looks.front().is_some_and(|old| now.saturating_duration_since(old.at) > WINDOW) {
            self.looks.pop_front();
        }
        if let Some(first) = self.looks.front() {
            let seconds = now.saturating_duration_since(first.at).as_secs().max(1);
            let (ticks, late) = (ticks.saturating_sub(first.ticks), late.saturating_sub(first.late));
            if ticks >= ENOUGH_TICKS && late * 100 > ticks {
                let sentence = format!("{late} of the last {ticks} beats of the media threads came late");
                found.push((State::UnderLoad, sentence));
            }
            let busy = look.busy.saturating_sub(first.busy);
            if busy > 0 {
                let sentence = format!("recognition had no room for {busy} utterances in the last {seconds} s");
                found.push((State::UnderLoad, sentence));
            }
        }
        if self.looks.back().is_none_or(|last| now.saturating_duration_since(last.at) >= APART) {
            self.looks.push_back(look);
        }
    }

    /// A trunk away is somebody's to look at. Only where nobody else may call, and all of them are away, does no new
    /// call come: whoever sends calls elsewhere because of a word of ours must not take those of other peers along.
    fn trunks(&mut self, snapshot: &Snapshot, now: Instant, found: &mut Vec<(State, String)>) {
        let mut away = Vec::new();
        let mut asked = 0;
        for trunk in &snapshot.trunks {
            let Some(registered) = trunk.registered else { continue };
            asked += 1;
            let seen = self.registered_at.entry(trunk.name.clone()).or_insert(now);
            if registered {
                *seen = now;
            }
            let gone_for = now.saturating_duration_since(*seen);
            if gone_for > TRUNK_PATIENCE {
                away.push(format!(
                    "trunk {} has not been registered for {} min ({})",
                    trunk.name,
                    gone_for.as_secs() / 60,
                    trunk.state
                ));
            }
        }
        let nobody_calls = away.len() == asked && !snapshot.others_call;
        let state = if nobody_calls { State::Down } else { State::UnderLoad };
        found.extend(away.into_iter().map(|sentence| (state, sentence)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::driver::Beat;
    use crate::observe::metrics::{TrunkView, fresh};
    use crate::speech::driver::PoolMetrics;
    use crate::store::driver::Condition;
    use crate::time::{Clock as _, SystemClock};

    fn beats(ticks: u64, late: u64) -> Snapshot {
        Snapshot { media: Some(Beat { ticks, late, ..Beat::default() }), ..fresh() }
    }

    fn trunk(name: &str, registered: bool) -> TrunkView {
        TrunkView { name: name.to_owned(), registered: Some(registered), state: "waiting" }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_trouble_has_its_state_and_its_sentence() {
        let away = Condition { well: false, ..fresh().store };
        let full = Condition { unkept: true, in_memory: 7, ..away };
        let rows = [
            (fresh(), State::Ok, ""),
            (Snapshot { live: 90, ..fresh() }, State::Ok, ""),
            (Snapshot { live: 91, ..fresh() }, State::UnderLoad, "91 of 100 calls"),
            (Snapshot { store: away, ..fresh() }, State::UnderLoad, "wait in files"),
            (Snapshot { store: full, ..fresh() }, State::UnderLoad, "7 wait in memory, to be lost if the gateway ends"),
            (Snapshot { draining: true, live: 3, ..fresh() }, State::Down, "3 may finish"),
            (Snapshot { sip: None, ..fresh() }, State::Down, "signalling"),
            (Snapshot { media: None, ..fresh() }, State::Down, "media thread"),
        ];
        for (snapshot, state, sentence) in rows {
            let health = Watch::default().judge(&snapshot, SystemClock.now().mono);
            assert_eq!(health.state, state, "{health:?}");
            assert!(health.reasons.concat().contains(sentence), "{health:?}");
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let snapshot = Snapshot { live: 100, draining: true, ..fresh() };
        let health = Watch::default().judge(&snapshot, SystemClock.now().mono);
        assert_eq!((health.state, health.reasons.len()), (State::Down, 2));
        assert!(health.reasons[0].starts_with("told to stop"), "{health:?}");
    }

    #[test]
    fn late_beats_count_only_while_they_are_news() {
        let mut watch = Watch::default();
        let start = SystemClock.now().mono;
        let mut state_at = |second, ticks, late| watch.judge(&beats(ticks, late), start + seconds(second)).state;
        assert_eq!(state_at(0, 1_000, 900), State::Ok, "what happened before we looked is not news");
        assert_eq!(state_at(5, 1_250, 902), State::Ok, "less than one in a hundred");
        assert_eq!(state_at(6, 1_300, 920), State::UnderLoad);
        assert_eq!(state_at(20, 2_000, 920), State::Ok, "over and forgotten");
    }

    #[test]
    fn a_queue_that_was_full_is_told_of() {
        let mut watch = Watch::default();
        let start = SystemClock.now().mono;
        let full = |busy| Snapshot { recognition: PoolMetrics { busy, ..PoolMetrics::default() }, ..fresh() };
        assert_eq!(watch.judge(&full(4), start).state, State::Ok);
        let health = watch.judge(&full(6), start + seconds(3));
        assert_eq!(health.reasons, ["recognition had no room for 2 utterances in the last 3 s"]);
        assert_eq!(watch.judge(&full(6), start + seconds(60)).state, State::Ok);
    }

    #[test]
    fn asking_often_keeps_no_more_than_asking_seldom() {
        let mut watch = Watch::default();
        let start = SystemClock.now().mono;
        for look in 0..10_000 {
            watch.judge(&fresh(), start + Duration::from_millis(look));
        }
        assert!(watch.looks.len() <= 21, "{}", watch.looks.len());
    }

    #[test]
    fn a_trunk_may_be_away_for_a_moment_and_one_of_two_is_not_the_end() {
        let mut watch = Watch::default();
        let start = SystemClock.now().mono;
        let mut at = |second, trunks: &[TrunkView]| {
            let alone = Snapshot { others_call: false, ..fresh() };
            watch.judge(&Snapshot { trunks: trunks.to_vec(), ..alone }, start + seconds(second)).state
        };
        let both_away = [trunk("a", false), trunk("b", false)];
        assert_eq!(at(0, &both_away), State::Ok, "it has only just started");
        assert_eq!(at(121, &[trunk("a", false), trunk("b", true)]), State::UnderLoad);
        assert_eq!(at(200, &both_away), State::UnderLoad, "b was there a moment ago");
        assert_eq!(at(300, &both_away), State::Down);
        assert_eq!(at(301, &[trunk("a", true), trunk("b", false)]), State::UnderLoad);
        let no_registration = [TrunkView { registered: None, ..trunk("c", false) }];
        assert_eq!(at(999, &no_registration), State::Ok);
    }

    #[test]
    fn a_trunk_that_is_away_does_not_turn_calls_of_other_peers_elsewhere() {
        let mut watch = Watch::default();
        let start = SystemClock.now().mono;
        let away = Snapshot { trunks: vec![trunk("carrier", false)], others_call: true, ..fresh() };
        assert_eq!(watch.judge(&away, start).state, State::Ok);
        let health = watch.judge(&away, start + seconds(300));
        assert_eq!(health.state, State::UnderLoad, "peers are served");
        assert!(health.reasons[0].starts_with("trunk carrier has not been registered for 5 min"), "{health:?}");
    }
}
