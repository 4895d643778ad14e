//! One call as a person reads it: who, what was said and heard when, how long the caller waited, how it ended.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{ending, lasted, number, outcomes};
use crate::call::record::{CallRecord, Direction, Latency, PromptRecord, TurnOutcome, TurnRecord};
use crate::cli::harmless;
use crate::media::{MediaSummary, Recording};

/// Where text of the timeline begins; what belongs to the line above is set in as far.
const INDENT: &str = "              ";

/// The whole call, ending with a line break.
pub(super) fn render(record: &CallRecord, zone: &TimeZone) -> String {
    let mut text = header(record, zone);
    text.push('\n');
    let mut events = record.prompts.iter().map(Event::Prompt).collect::<Vec<_>>();
    events.extend(record.turns.iter().map(Event::Turn));
    // A stable sort: of two at the same moment the prompt comes first. Prompts that never began stand at the end.
    events.sort_by_key(|event| event.at_ms().unwrap_or(u64::MAX));
    for event in events {
        event.render(&mut text);
    }
    if !(record.turns.is_empty() && record.prompts.is_empty()) {
        text.push('\n');
    }
    for outcome in &record.outcomes {
        line(&mut text, &format!("came  {}", outcomes::sentence(outcome)));
    }
    if !record.outcomes.is_empty() {
        text.push('\n');
    }
    text.push_str(&footer(record));
    text
}

enum Event<'a> {
    Prompt(&'a PromptRecord),
    Turn(&'a TurnRecord),
}

impl Event<'_> {
    fn at_ms(&self) -> Option<u64> {
        match self {
            Self::Prompt(prompt) => prompt.at_ms,
            Self::Turn(turn) => Some(turn.at_ms),
        }
    }

    fn render(&self, text: &mut String) {
        let at = self.at_ms().map_or_else(|| "--:--.-".to_owned(), clock);
        let (who, what) = match self {
            Self::Prompt(prompt) => ("bot", said(prompt)),
            Self::Turn(turn) => (speaker(turn), heard(turn)),
        };
        line(text, &format!("{at} {who:<4} {what}"));
        if let Self::Turn(TurnRecord { latency: Some(latency), .. }) = self {
            line(text, &format!("{INDENT}{}", reply(latency)));
        }
    }
}

fn header(record: &CallRecord, zone: &TimeZone) -> String {
    let CallRecord { id, direction, peer, caller, called, plan, plan_version, .. } = record;
    let way = match (direction, harmless(peer)) {
        (Direction::Inbound, peer) => format!("inbound from peer {peer}"),
        (Direction::Outbound, trunk) if trunk.is_empty() => "outbound, straight there".to_owned(),
        (Direction::Outbound, trunk) => format!("outbound through trunk {trunk}"),
    };
    let arrived = record.arrived_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z");
    let answered = record.answered_at.map_or_else(
        || "never answered".to_owned(),
        |at| {
            let after_ms = at.duration_since(record.arrived_at).as_millis();
            format!(
                "answered after {} s, lasted {}",
                tenths(after_ms.try_into().unwrap_or(0)),
                lasted(at, record.ended_at)
            )
        },
    );
    let numbers = format!("{} → {}", number(caller.reveal()), number(called.reveal()));
    let plan = match plan.is_empty() {
        true => "none was chosen".to_owned(),
        false => format!("{}@{}", harmless(plan), harmless(plan_version)),
    };
    let mut text = String::new();
    line(&mut text, &format!("call  {id}, {way}"));
    line(&mut text, &format!("from  {numbers}"));
    line(&mut text, &format!("plan  {plan}"));
    if let Some(language) = &record.language {
        line(&mut text, &format!("lang  {language}"));
    }
    line(&mut text, &format!("when  {arrived}, {answered}"));
    line(&mut text, &format!("end   {}", ending(&record.end, record.result.as_deref())));
    if let Some(reason) = &record.reason {
        line(&mut text, &format!("why   {}", harmless(&reason.to_string())));
    }
    if let Some(call) = &record.made_for {
        line(&mut text, &format!("for   {call}, whose caller was to be sent there"));
    }
    if !record.path.is_empty() {
        line(&mut text, &format!("path  {}", harmless(&record.path.join(" → "))));
    }
    text
}

fn footer(record: &CallRecord) -> String {
    let MediaSummary { packets_in, packets_out, lost, late, refused, jitter_ms, late_ticks, recording, .. } =
        &record.media;
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "media in {packets_in} packets, {lost} lost, {late} late, {refused} refused, jitter {jitter_ms:.1} ms; \
             out {packets_out} packets, {late_ticks} ticks late"
        ),
    );
    if let Some(heard) = quality(&record.media) {
        line(&mut text, &format!("line  {heard}"));
    }
    let recording = match recording {
        Recording::Off => "none".to_owned(),
        Recording::Saved { path } => format!("{} (caller left, bot right)", harmless(&path.to_string_lossy())),
        Recording::Failed { reason } => format!("lost: {}", harmless(reason)),
    };
    let paused = match record.media.recording_paused_ms {
        0 => String::new(),
        paused => format!(", paused for {:.1} s", paused as f64 / 1_000.0),
    };
    line(&mut text, &format!("sound {recording}{paused}"));
    line(&mut text, &format!("sip   Call-ID {}", harmless(&record.sip_call_id)));
    text
}

/// How good the line was, as far as is known; `None` for a call without sound, whatever codec it was offered.
fn quality(media: &MediaSummary) -> Option<String> {
    let MediaSummary { codec, secured, quality, packets_in, packets_out, .. } = media;
    if packets_in + packets_out == 0 {
        return None;
    }
    let mut parts = vec![codec.as_ref()?.name().to_owned()];
    parts.extend(secured.as_ref().map(|suite| format!("encrypted with {}", harmless(suite))));
    parts.extend(quality.mos.map(|mos| format!("MOS {mos:.2} here")));
    parts.extend(quality.mos_there.map(|mos| format!("{mos:.2} there")));
    parts.extend(quality.round_trip_ms.map(|ms| format!("round trip {ms:.1} ms")));
    let bounds = quality.buffer_bounds_ms.map(|bounds| match bounds {
        [least, most] if least == most => " (fixed)".to_owned(),
        [least, most] => format!(" ({least} to {most})"),
    });
    parts.push(format!("buffered {} ms{}", quality.buffer_ms, bounds.unwrap_or_default()));
    parts.extend(quality.drift_ppm.map(|ppm| format!("their clock {ppm:+.0} ppm")));
    Some(parts.join(", "))
}

/// What we said, and how much of it, where that matters.
fn said(prompt: &PromptRecord) -> String {
    let PromptRecord { text, at_ms, played_ms, total_ms, protected, interrupted, .. } = prompt;
    let (played, total) = (tenths(*played_ms), tenths(*total_ms));
    let whole = played_ms >= total_ms;
    let how_much = match (protected, whole) {
        _ if at_ms.is_none() => "  [never began]".to_owned(),
        (true, true) => format!("  [protected: played {played} of {total} s]"),
        (true, false) => format!("  [protected: played only {played} of {total} s]"),
        (false, true) => String::new(),
        (false, false) if *interrupted => format!("  [cut short: played {played} of {total} s]"),
        (false, false) => format!("  [played {played} of {total} s]"),
    };
    format!("{}{how_much}", harmless(text))
}

fn speaker(turn: &TurnRecord) -> &'static str {
    match turn.outcome {
        TurnOutcome::Keys => "keys",
        TurnOutcome::NoInput => "...",
        TurnOutcome::Speech | TurnOutcome::NoMatch | TurnOutcome::Error | TurnOutcome::HungUp => "you",
    }
}

/// What came of one asking: `"my balance" (0.83) → balance, interrupted at 1.2 s`.
fn heard(turn: &TurnRecord) -> String {
    let TurnRecord { step, attempt, outcome, meaning, heard, keys, confidence, barge_in_ms, .. } = turn;
    let mut text = match (keys, heard) {
        (Some(keys), _) => harmless(keys.reveal()),
        (None, Some(heard)) => format!("\"{}\"", harmless(heard.reveal())),
        (None, None) => match outcome {
            TurnOutcome::NoInput => "said nothing".to_owned(),
            TurnOutcome::HungUp => "hung up".to_owned(),
            TurnOutcome::Error => "could not be heard, recognition failed".to_owned(),
            TurnOutcome::Speech if *attempt == 0 => "had said it before".to_owned(),
            TurnOutcome::Speech | TurnOutcome::NoMatch => "(words not kept)".to_owned(),
            TurnOutcome::Keys => "(keys not kept)".to_owned(),
        },
    };
    if let Some(confidence) = confidence {
        write!(text, " ({confidence:.2})").expect("writing to a string");
    }
    match (meaning, outcome) {
        (Some(meaning), _) => write!(text, " → {}", harmless(meaning)).expect("writing to a string"),
        (None, TurnOutcome::NoMatch | TurnOutcome::Keys) => text.push_str(" → not understood"),
        (None, _) => {}
    }
    if let Some(into) = barge_in_ms {
        write!(text, ", interrupted at {} s", tenths(*into)).expect("writing to a string");
    }
    if *attempt > 1 || matches!(outcome, TurnOutcome::NoInput) {
        write!(text, "  [{}, asking {attempt}]", harmless(step)).expect("writing to a string");
    }
    text
}

fn reply(latency: &Latency) -> String {
    let Latency { endpointing_ms, queue_ms, recognition_ms, understanding_ms, first_packet_ms, total_ms } = latency;
    format!(
        "reply after {total_ms:.0} ms: endpointing {endpointing_ms:.0}, queue {queue_ms:.0}, \
         recognition {recognition_ms:.0}, understanding {understanding_ms:.0}, first packet {first_packet_ms:.0}"
    )
}

/// `01:06.9`, cut and not rounded, so that nothing seems to happen before it does.
fn clock(at_ms: u64) -> String {
    format!("{:02}:{:02}.{}", at_ms / 60_000, at_ms / 1_000 % 60, at_ms / 100 % 10)
}

/// Seconds with one digit, cut and not rounded: proof must not gain from rounding.
pub(super) fn tenths(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms / 100 % 10)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}
