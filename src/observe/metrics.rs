//! Every figure of a running gateway on one page for Prometheus.
//!
//! Rooms count for themselves and know nothing of metrics; whoever watches gathers a [`Snapshot`] and [`render`]s it.
//! No label holds anything of a person: peers, trunks and numbers of calls are no labels but trunks, whose names the
//! admin chose.

use std::time::Duration;

use super::exposition::{Kind, Page};
use super::health::{Health, State};
use super::tally::Totals;
use crate::media::driver::Beat;
use crate::sip::SipStats;
use crate::sip::refusals::Cause;
use crate::sip::stats::Ended;
use crate::speech::driver::PoolMetrics;
use crate::store::driver::Condition;

/// A gateway at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Of the program.
    pub version: &'static str,
    /// Seconds since 1970.
    pub started_at_s: i64,
    /// Calls now.
    pub live: usize,
    /// Calls at most.
    pub seats: usize,
    /// Told to stop: no new calls.
    pub draining: bool,
    /// `None`: the signalling does not answer us.
    pub sip: Option<SipStats>,
    /// In the order of the settings.
    pub trunks: Vec<TrunkView>,
    /// `None`: a media thread is gone.
    pub media: Option<Beat>,
    /// The recognisers.
    pub recognition: PoolMetrics,
    /// What becomes of records.
    pub store: Condition,
    /// May others call than the trunks that we register with?
    pub others_call: bool,
    /// The dial plans.
    pub plans: PlansView,
    /// Calls that are over.
    pub totals: Totals,
    /// What the system says of the process.
    pub process: Option<ProcessUse>,
}

/// A carrier or PBX that we place calls through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkView {
    /// As in the settings.
    pub name: String,
    /// `None` where no registration is asked for.
    pub registered: Option<bool>,
    /// In a word, for people: `registered`, `waiting`, `unreachable`.
    pub state: &'static str,
}

/// The dial plans in service, and what became of edits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlansView {
    /// How many.
    pub in_service: usize,
    /// Names of those whose file cannot be used as it is: an earlier version is in force.
    pub broken: Vec<String>,
    /// Names of those of which an earlier version was put back by hand.
    pub put_back: Vec<String>,
    /// Edited files that came into force.
    pub enforced: u64,
    /// Edited files that were broken.
    pub refused: u64,
}

/// What the system says of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// User and system, all threads.
    pub cpu_s: f64,
    /// In memory now.
    pub resident_bytes: u64,
    /// Files and sockets open.
    pub open_files: u64,
    /// Threads.
    pub threads: u64,
}

/// The page.
pub fn render(snapshot: &Snapshot, health: &Health) -> String {
    let mut page = Page::default();
    house(&mut page, snapshot, health);
    if let Some(stats) = &snapshot.sip {
        signalling(&mut page, stats);
    }
    trunks(&mut page, &snapshot.trunks);
    plans(&mut page, &snapshot.plans);
    if let Some(beat) = &snapshot.media {
        media(&mut page, beat);
    }
    calls(&mut page, &snapshot.totals);
    recognition(&mut page, &snapshot.recognition);
    if let Some(process) = &snapshot.process {
        self::process(&mut page, snapshot, process);
    }
    page.finish()
}

fn house(page: &mut Page, snapshot: &Snapshot, health: &Health) {
    let version = [("version", snapshot.version)];
    page.family(Kind::Gauge, "trunkline_build_info", "The version that runs.", [(&version[..], 1.0)]);
    let states = [State::Ok, State::UnderLoad, State::Down];
    let states = states.map(|state| (state.name(), flag(state == health.state)));
    page.by(Kind::Gauge, "trunkline_health", "1 for the state that holds; /healthz says why.", "state", states);
    page.one(Kind::Gauge, "trunkline_calls", "Calls now.", count(snapshot.live));
    page.one(Kind::Gauge, "trunkline_calls_limit", "Calls at most; one more is answered 503.", count(snapshot.seats));
    page.one(Kind::Gauge, "trunkline_draining", "1 once told to stop.", flag(snapshot.draining));
    let Condition { well, unkept, in_memory } = snapshot.store;
    let help = "1 while the database takes calls; else they wait in files, or in memory.";
    page.one(Kind::Gauge, "trunkline_store_well", help, flag(well));
    let help = "1 while neither the database nor the disk takes calls: what waits is lost if the gateway ends.";
    page.one(Kind::Gauge, "trunkline_store_unkept", help, flag(unkept));
    let help = "Calls that are over and neither in the database nor in a file yet.";
    page.one(Kind::Gauge, "trunkline_records_in_memory", help, count(in_memory));
}

fn plans(page: &mut Page, plans: &PlansView) {
    let PlansView { in_service, broken, put_back, enforced, refused } = plans;
    page.one(Kind::Gauge, "trunkline_plans", "Dial plans in service.", count(*in_service));
    let help = "Dial plans whose file is broken: an earlier version is in force.";
    page.one(Kind::Gauge, "trunkline_plans_broken", help, count(broken.len()));
    let help = "Dial plans of which an earlier version was put back by hand.";
    page.one(Kind::Gauge, "trunkline_plans_put_back", help, count(put_back.len()));
    let edits = [("in_force", *enforced), ("broken", *refused)].map(|(result, count)| (result, count as f64));
    let help = "Edits of dial plans seen while running, by what came of them.";
    page.by(Kind::Counter, "trunkline_plan_edits_total", help, "result", edits);
}

fn signalling(page: &mut Page, stats: &SipStats) {
    let SipStats { accepted, answered, dropped, ended, live_legs, .. } = stats;
    let total = |value: u64| value as f64;
    page.one(Kind::Counter, "trunkline_invites_total", "INVITEs that became legs.", total(*accepted));
    page.one(Kind::Counter, "trunkline_answers_total", "2xx sent to INVITEs, re-INVITEs included.", total(*answered));
    refusals(page, stats);
    let by_reason = dropped.iter().map(|(reason, count)| (snake(&format!("{reason:?}")), total(*count)));
    page.by(Kind::Counter, "trunkline_datagrams_dropped_total", "SIP met with silence.", "reason", by_reason);
    let ends = ends(ended).map(|(end, count)| (end, total(count)));
    page.by(Kind::Counter, "trunkline_legs_ended_total", "How SIP legs ended.", "end", ends);
    page.one(Kind::Gauge, "trunkline_legs", "SIP legs now.", total(*live_legs));
}

/// Calls that were turned away at the door are told apart; whatever else was refused is `other`.
fn refusals(page: &mut Page, stats: &SipStats) {
    let total = |value: u64| value as f64;
    let turned_away = Cause::ALL.map(|cause| (cause.name(), stats.turned_away.get(&cause).copied().unwrap_or(0)));
    let at_the_door: u64 = turned_away.iter().map(|(_, count)| count).sum();
    let others = stats.refused.iter().map(|(status, count)| match status {
        503 => (503, count.saturating_sub(at_the_door)),
        status => (*status, *count),
    });
    let mut samples: Vec<(String, &str, u64)> =
        turned_away.into_iter().map(|(reason, count)| ("503".to_owned(), reason, count)).collect();
    samples.extend(others.map(|(status, count)| (status.to_string(), "other", count)));
    let labels: Vec<[(&str, &str); 2]> =
        samples.iter().map(|(status, reason, _)| [("status", status.as_str()), ("reason", *reason)]).collect();
    let help = "Final refusals sent, by SIP status; a reason other than `other`: a new call that left no record.";
    let samples = labels.iter().zip(&samples).map(|(labels, (.., count))| (&labels[..], total(*count)));
    page.family(Kind::Counter, "trunkline_refusals_total", help, samples);
}

fn ends(ended: &Ended) -> [(&'static str, u64); 10] {
    let Ended { remote_hangup, local_hangup, cancelled, rejected, no_ack, failed, .. } = *ended;
    let Ended { refused, no_answer, expired, moved, .. } = *ended;
    [
        ("remote_hangup", remote_hangup),
        ("local_hangup", local_hangup),
        ("cancelled", cancelled),
        ("rejected", rejected),
        ("no_ack", no_ack),
        ("failed", failed),
        ("refused", refused),
        ("no_answer", no_answer),
        ("expired", expired),
        ("moved", moved),
    ]
}

fn trunks(page: &mut Page, trunks: &[TrunkView]) {
    let registered = trunks.iter().filter_map(|trunk| Some((&trunk.name, flag(trunk.registered?))));
    page.by(Kind::Gauge, "trunkline_registered", "1 while we are registered with the trunk.", "trunk", registered);
    let states: Vec<[(&str, &str); 2]> =
        trunks.iter().map(|trunk| [("trunk", trunk.name.as_str()), ("state", trunk.state)]).collect();
    if !states.is_empty() {
        let samples = states.iter().map(|labels| (&labels[..], 1.0));
        page.family(Kind::Gauge, "trunkline_trunk_state", "1 for the state each trunk is in.", samples);
    }
}

fn media(page: &mut Page, beat: &Beat) {
    let Beat { ticks, late, worst, busy, legs, received, lost, concealed, refused } = *beat;
    let total = |value: u64| value as f64;
    page.one(Kind::Counter, "trunkline_ticks_total", "Beats of the media threads.", total(ticks));
    let help = "Beats that came more than half a frame late.";
    page.one(Kind::Counter, "trunkline_ticks_late_total", help, total(late));
    let help = "How late the latest beat since the start was.";
    page.one(Kind::Gauge, "trunkline_tick_worst_seconds", help, worst.as_secs_f64());
    let help = "Time the media threads spent working; its rate is the cores they fill.";
    page.one(Kind::Counter, "trunkline_media_busy_seconds_total", help, busy.as_secs_f64());
    page.one(Kind::Gauge, "trunkline_media_legs", "Legs with media open.", total(legs));
    page.one(Kind::Counter, "trunkline_rtp_received_total", "RTP packets taken.", total(received));
    page.one(Kind::Counter, "trunkline_rtp_lost_total", "RTP packets that never came.", total(lost));
    let help = "Frames of 20 ms made up, at least in part, because their packets were missing.";
    page.one(Kind::Counter, "trunkline_rtp_concealed_total", help, total(concealed));
    let help = "Datagrams refused: wrong source, wrong SSRC, not authentic, malformed.";
    page.one(Kind::Counter, "trunkline_rtp_refused_total", help, total(refused));
}

fn calls(page: &mut Page, totals: &Totals) {
    let total = |value: &u64| *value as f64;
    let labels: Vec<([(&str, &str); 2], f64)> = totals
        .setups
        .iter()
        .map(|((direction, result), count)| ([("direction", *direction), ("result", result.as_str())], total(count)))
        .collect();
    if !labels.is_empty() {
        let samples = labels.iter().map(|(labels, count)| (&labels[..], *count));
        let help = "Calls that are over, by what their set-up came to.";
        page.family(Kind::Counter, "trunkline_setups_total", help, samples);
    }
    let ends = totals.ends.iter().map(|(end, count)| (end, total(count)));
    page.by(Kind::Counter, "trunkline_calls_ended_total", "Calls that are over, by how they ended.", "end", ends);
    let dispositions = totals.dispositions.iter().map(|(word, count)| (word, total(count)));
    let help = "Calls that are over, by what came of them, where that is told.";
    page.by(Kind::Counter, "trunkline_dispositions_total", help, "disposition", dispositions);
    let turns = totals.turns.iter().map(|(outcome, count)| (outcome, total(count)));
    page.by(Kind::Counter, "trunkline_turns_total", "Questions asked, by what came of them.", "outcome", turns);
    let recordings = totals.recordings.iter().map(|(state, count)| (state, total(count)));
    page.by(Kind::Counter, "trunkline_recordings_total", "Recordings, by what became of them.", "state", recordings);
    page.histogram("trunkline_call_seconds", "How long answered calls lasted.", &totals.lasted);
    let help = "From the end of the caller's words to the first packet of our reply.";
    page.histogram("trunkline_reply_seconds", help, &totals.reply);
    page.histogram("trunkline_jitter_seconds", "Interarrival jitter of each call (RFC 3550).", &totals.jitter);
    page.histogram("trunkline_loss_ratio", "Share of each call's packets that never came.", &totals.loss);
    page.histogram("trunkline_mos", "How each call sounded to us, by the E-model (ITU-T G.107).", &totals.mos);
    let help = "Round trip of each call, by RTCP.";
    page.histogram("trunkline_round_trip_seconds", help, &totals.round_trip);
}

fn recognition(page: &mut Page, pool: &PoolMetrics) {
    let PoolMetrics { accepted: _, busy, recognized, cancelled, failed, queued_for, ran_for, .. } = *pool;
    let total = |value: u64| value as f64;
    let jobs = [("recognized", recognized), ("cancelled", cancelled), ("failed", failed), ("busy", busy)];
    let help = "Recognitions, by result; `busy` were turned away because the queue was full.";
    page.by(
        Kind::Counter,
        "trunkline_recognitions_total",
        help,
        "result",
        jobs.map(|(job, count)| (job, total(count))),
    );
    page.one(Kind::Gauge, "trunkline_recognition_queue", "Utterances waiting.", count(pool.queued_now));
    page.one(Kind::Gauge, "trunkline_recognition_running", "Utterances being recognised.", count(pool.running_now));
    let ran = recognized + cancelled + failed;
    let seconds = |time: Duration| time.as_secs_f64();
    page.summary("trunkline_recognition_seconds", "Time recognising took.", seconds(ran_for), ran);
    page.summary("trunkline_recognition_wait_seconds", "Time utterances waited.", seconds(queued_for), ran);
}

/// Under the names Prometheus' own libraries use.
fn process(page: &mut Page, snapshot: &Snapshot, process: &ProcessUse) {
    let ProcessUse { cpu_s, resident_bytes, open_files, threads } = *process;
    let total = |value: u64| value as f64;
    page.one(Kind::Counter, "process_cpu_seconds_total", "User and system time.", cpu_s);
    page.one(Kind::Gauge, "process_resident_memory_bytes", "Memory in use.", total(resident_bytes));
    page.one(Kind::Gauge, "process_open_fds", "Files and sockets open.", total(open_files));
    page.one(Kind::Gauge, "process_threads", "Threads.", total(threads));
    let started = snapshot.started_at_s as f64;
    page.one(Kind::Gauge, "process_start_time_seconds", "When it started, in seconds since 1970.", started);
}

fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

fn count(how_many: usize) -> f64 {
    how_many as f64
}

/// `NoReturnPath` → `no_return_path`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A gateway that has just started, with nothing wrong.
#[cfg(test)]
pub(crate) fn fresh() -> Snapshot {
    Snapshot {
        version: "1.2.3",
        started_at_s: 1_700_000_000,
        live: 0,
        seats: 100,
        draining: false,
        sip: Some(SipStats::default()),
        trunks: Vec::new(),
        media: Some(Beat::default()),
        recognition: PoolMetrics::default(),
        store: Condition { well: true, unkept: false, in_memory: 0 },
        others_call: true,
        plans: PlansView::default(),
        totals: Totals::default(),
        process: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::observe::tally::Tally;
    use crate::sip::guard::DropReason;
    use crate::store::conformance::full_record;

    #[test]
    fn every_figure_is_explained_to_those_who_watch() {
        let explained = include_str!("../../docs/operations.md");
        let page = page(&busy());
        let names = page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
        let unknown: Vec<&str> = names.filter(|name| !explained.contains(&format!("`{name}`"))).collect();
        assert!(unknown.is_empty(), "docs/operations.md says nothing of {unknown:?}");
    }

    fn page(snapshot: &Snapshot) -> String {
        render(snapshot, &Health::default())
    }

    /// A gateway in which everything has happened.
    fn busy() -> Snapshot {
        let tally = Tally::default();
        tally.count(&full_record(1));
        let mut sip = SipStats { accepted: 7, live_legs: 2, ..SipStats::default() };
        sip.count_refused(503);
        sip.count_refused(503);
        sip.count_refused(404);
        sip.turned_away.insert(Cause::PeerCps, 1);
        sip.count_dropped(DropReason::NoReturnPath);
        let trunk = |name: &str, registered| TrunkView { name: name.to_owned(), registered, state: "registered" };
        let recognition = PoolMetrics {
            recognized: 3,
            failed: 1,
            busy: 2,
            ran_for: Duration::from_millis(250),
            queued_now: 5,
            ..PoolMetrics::default()
        };
        Snapshot {
            sip: Some(sip),
            media: Some(Beat { lost: 4, ..Beat::default() }),
            trunks: vec![trunk("carrier", Some(true)), trunk("pbx", None)],
            recognition,
            totals: tally.totals(),
            store: Condition { in_memory: 3, ..fresh().store },
            process: Some(ProcessUse { cpu_s: 1.5, resident_bytes: 4_096, open_files: 9, threads: 4 }),
            ..fresh()
        }
    }

    #[test]
    fn what_an_admin_watches_is_on_the_page() {
        let page = page(&busy());
        let lines = [
            "trunkline_build_info{version=\"1.2.3\"} 1",
            "trunkline_health{state=\"ok\"} 1",
            "trunkline_health{state=\"down\"} 0",
            "trunkline_calls_limit 100",
            "trunkline_store_unkept 0",
            "trunkline_records_in_memory 3",
            "trunkline_invites_total 7",
            "trunkline_refusals_total{status=\"503\",reason=\"peer_calls\"} 0",
            "trunkline_refusals_total{status=\"503\",reason=\"peer_cps\"} 1",
            "trunkline_refusals_total{status=\"503\",reason=\"other\"} 1",
            "trunkline_refusals_total{status=\"404\",reason=\"other\"} 1",
            "trunkline_datagrams_dropped_total{reason=\"no_return_path\"} 1",
            "trunkline_registered{trunk=\"carrier\"} 1",
            "trunkline_trunk_state{trunk=\"pbx\",state=\"registered\"} 1",
            "trunkline_setups_total{direction=\"inbound\",result=\"answered\"} 1",
            "trunkline_calls_ended_total{end=\"completed\"} 1",
            "trunkline_jitter_seconds_bucket{le=\"0.002\"} 1",
            "trunkline_rtp_lost_total 4",
            "trunkline_mos_count 1",
            "trunkline_reply_seconds_count 1",
            "trunkline_recognitions_total{result=\"busy\"} 2",
            "trunkline_recognition_queue 5",
            "trunkline_recognition_seconds_sum 0.25",
            "trunkline_recognition_seconds_count 4",
            "process_open_fds 9",
        ];
        for line in lines {
            assert!(page.lines().any(|written| written == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("trunkline_registered{trunk=\"pbx\"}"), "it asks for no registration");
    }

    #[test]
    fn every_family_is_named_once_and_every_sample_belongs_to_one() {
        let page = page(&busy());
        let mut families = BTreeSet::new();
        let mut family = "";
        for line in page.lines() {
            if let Some(head) = line.strip_prefix("# HELP ") {
                family = head.split(' ').next().unwrap_or_default();
                assert!(families.insert(family), "{family} twice");
            } else if !line.starts_with('#') {
                assert!(line.starts_with(family), "{line} stands under {family}");
                let value = line.rsplit(' ').next().unwrap_or_default();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(families.len() > 30, "{families:?}");
    }

    #[test]
    fn nothing_of_a_person_is_on_the_page() {
        let page = page(&busy());
        for secret in ["2025550123", "1000\"", "1234#", "how much", "192.0.2.7"] {
            assert!(!page.contains(secret), "{secret} in\n{page}");
        }
    }

    #[test]
    fn what_is_gone_is_left_out_rather_than_shown_as_zero() {
        let page = page(&Snapshot { sip: None, media: None, ..busy() });
        assert!(!page.contains("trunkline_invites_total") && !page.contains("trunkline_ticks_total"), "{page}");
    }
}
