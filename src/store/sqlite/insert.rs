//! Calls into rows, many with one statement.
//!
//! Each statement is a trip to the thread that owns the database and back, two wake-ups of the processor; at 1,500 calls
//! a second those cost more than what SQLite does.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Error;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};

use super::rows::call_id;
use super::suppression;
use crate::call::record::{CallEnd, CallRecord, Latency, PromptRecord, TurnRecord};
use crate::dialplan::outcome::Outcome;
use crate::id::CallId;
use crate::media::{MediaSummary, Recording};
use crate::pii::Pii;
use crate::rtp::Quality;
use crate::sip::ladder::Ladder;
use crate::store::suppression::Suppression;

/// Rows in one statement. Few sizes, so that every statement is prepared once and kept.
const ROWS: [usize; 4] = [32, 8, 2, 1];

const KNOWN_CALLS: &str = "select id from calls where id in (select value from json_each(?))";

static CALLS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::into(
        "calls (id, direction, peer, sip_call_id, caller, called, plan, plan_version,
                arrived_at_ns, answered_at_ns, ended_at_ns, end_why, end_detail, result, path,
                packets_in, packets_out, lost, late, refused, jitter_ms, late_ticks,
                recording, recording_path, recording_fault, disposition, ladder,
                codec, secured, mos, round_trip_ms, quality, reason, made_for, language,
                recording_paused_ms)",
    )
});

static TURNS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::into(
        "turns (call_id, place, step, attempt, at_ms, outcome, meaning, heard, keys, confidence, barge_in_ms,
                endpointing_ms, queue_ms, recognition_ms, understanding_ms, first_packet_ms, total_ms, quest, language)",
    )
});

static PROMPTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::into("prompts (call_id, place, step, text, at_ms, played_ms, total_ms, protected, interrupted)")
});

static OUTCOMES: LazyLock<Insert> = LazyLock::new(|| Insert::into("outcomes (call_id, place, step, kind, detail)"));

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Writes calls and what belongs to them; those whose id is already there stay as they are.
pub(super) async fn insert(to: &mut SqliteConnection, records: &[CallRecord]) -> Result<(), Error> {
    let mut known = known(to, records).await?;
    let fresh: Vec<&CallRecord> = records.iter().filter(|record| known.insert(record.id.clone())).collect();
    CALLS.rows(to, &fresh, |query, record| bind_call(query, record)).await?;
    let turns: Vec<_> = fresh.iter().flat_map(|record| numbered(&record.id, &record.turns)).collect();
    TURNS.rows(to, &turns, |query, (call, place, turn)| bind_turn(query, call, *place, turn)).await?;
    let prompts: Vec<_> = fresh.iter().flat_map(|record| numbered(&record.id, &record.prompts)).collect();
    PROMPTS.rows(to, &prompts, |query, (call, place, prompt)| Ok(bind_prompt(query, call, *place, prompt))).await?;
    let outcomes: Vec<_> = fresh.iter().flat_map(|record| numbered(&record.id, &record.outcomes)).collect();
    OUTCOMES.rows(to, &outcomes, |query, (call, place, outcome)| bind_outcome(query, call, *place, outcome)).await?;
    let closed: Vec<_> = fresh.iter().flat_map(|record| Suppression::of_record(record)).collect();
    suppression::close(to, &closed).await
}

/// Which of these are stored.
async fn known(from: &mut SqliteConnection, records: &[CallRecord]) -> Result<BTreeSet<CallId>, Error> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let ids = serde_json::to_string(&ids).map_err(unwritable)?;
    sqlx::query(KNOWN_CALLS).bind(ids).fetch_all(from).await?.iter().map(call_id).collect()
}

fn numbered<'a, T>(call: &'a CallId, parts: &'a [T]) -> impl Iterator<Item = (&'a CallId, i64, &'a T)> {
    (0_i64..).zip(parts).map(move |(place, part)| (call, place, part))
}

/// One table's statements, for each of [`ROWS`].
struct Insert([String; ROWS.len()]);

impl Insert {
    /// `columns` is `table (column, column …)`.
    fn into(columns: &str) -> Self {
        let row = format!("({})", vec!["?"; columns.matches(',').count() + 1].join(", "));
        Self(ROWS.map(|rows| format!("insert into {columns} values {}", vec![row.as_str(); rows].join(", "))))
    }

    /// Writes `rows`, each bound by `bind`.
    async fn rows<T>(
        &'static self,
        to: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(Query<'static>, &T) -> Result<Query<'static>, Error>,
    ) -> Result<(), Error> {
        for (statement, most) in self.0.iter().zip(ROWS) {
            while let Some((some, others)) = rows.split_at_checked(most) {
                let query = some.iter().try_fold(sqlx::query(statement.as_str()), &bind)?;
                query.execute(&mut *to).await?;
                rows = others;
            }
        }
        Ok(())
    }
}

fn bind_call(query: Query<'static>, record: &CallRecord) -> Result<Query<'static>, Error> {
    let CallRecord { id, direction, peer, sip_call_id, caller, called, plan, plan_version, .. } = record;
    let CallRecord { arrived_at, answered_at, ended_at, end, disposition, result, path, .. } = record;
    let CallRecord { media, ladder, reason, made_for, language, .. } = record;
    // Taken apart without `..`: a field added to the summary asks here for its column.
    let MediaSummary {
        packets_in,
        packets_out,
        lost,
        late,
        refused,
        jitter_ms,
        late_ticks,
        recording,
        recording_paused_ms,
        codec,
        secured,
        quality,
    } = media;
    let (end_why, end_detail) = end_columns(end)?;
    let (recording, recording_path, recording_fault) = recording_columns(recording)?;
    Ok(query
        .bind(id.as_str())
        .bind(name_of(direction)?)
        .bind(peer)
        .bind(sip_call_id)
        .bind(caller.reveal())
        .bind(called.reveal())
        .bind(plan)
        .bind(plan_version)
        .bind(nanos(*arrived_at)?)
        .bind(answered_at.map(nanos).transpose()?)
        .bind(nanos(*ended_at)?)
        .bind(end_why)
        .bind(end_detail)
        .bind(result)
        .bind(serde_json::to_string(path).map_err(unwritable)?)
        .bind(packets_in.cast_signed())
        .bind(packets_out.cast_signed())
        .bind(lost.cast_signed())
        .bind(late.cast_signed())
        .bind(refused.cast_signed())
        .bind(finite(*jitter_ms))
        .bind(late_ticks.cast_signed())
        .bind(recording)
        .bind(recording_path)
        .bind(recording_fault)
        .bind(disposition.as_ref().map(name_of).transpose()?)
        .bind(ladder_column(ladder)?)
        .bind(codec.as_ref().map(name_of).transpose()?)
        .bind(secured)
        .bind(quality.mos.map(finite))
        .bind(quality.round_trip_ms.map(finite))
        .bind(quality_column(quality)?)
        .bind(reason.as_ref().map(serde_json::to_string).transpose().map_err(unwritable)?)
        .bind(made_for.as_ref().map(|call| call.as_str().to_owned()))
        .bind(language.as_ref().map(|language| language.as_str().to_owned()))
        .bind(recording_paused_ms.cast_signed()))
}

fn bind_turn(query: Query<'static>, call: &CallId, place: i64, turn: &TurnRecord) -> Result<Query<'static>, Error> {
    let TurnRecord { step, quest, language, attempt, at_ms, outcome, meaning, heard, keys, .. } = turn;
    let TurnRecord { confidence, barge_in_ms, latency, .. } = turn;
    let latency = latency.as_ref();
    let part = |of: fn(&Latency) -> f64| latency.map(|latency| finite(of(latency)));
    Ok(query
        .bind(call.as_str())
        .bind(place)
        .bind(step)
        .bind(attempt)
        .bind(at_ms.cast_signed())
        .bind(name_of(outcome)?)
        .bind(meaning)
        .bind(heard.as_ref().map(Pii::reveal))
        .bind(keys.as_ref().map(Pii::reveal))
        .bind(confidence)
        .bind(barge_in_ms.map(u64::cast_signed))
        .bind(part(|latency| latency.endpointing_ms))
        .bind(part(|latency| latency.queue_ms))
        .bind(part(|latency| latency.recognition_ms))
        .bind(part(|latency| latency.understanding_ms))
        .bind(part(|latency| latency.first_packet_ms))
        .bind(part(|latency| latency.total_ms))
        .bind(quest)
        .bind(language.as_ref().map(|language| language.as_str().to_owned())))
}

fn bind_prompt(query: Query<'static>, call: &CallId, place: i64, it: &PromptRecord) -> Query<'static> {
    let PromptRecord { step, text, at_ms, played_ms, total_ms, protected, interrupted } = it;
    query
        .bind(call.as_str())
        .bind(place)
        .bind(step)
        .bind(text)
        .bind(at_ms.map(u64::cast_signed))
        .bind(played_ms.cast_signed())
        .bind(total_ms.cast_signed())
        .bind(protected)
        .bind(interrupted)
}

fn bind_outcome(query: Query<'static>, call: &CallId, place: i64, it: &Outcome) -> Result<Query<'static>, Error> {
    let Outcome { step, kind } = it;
    let mut detail = serde_json::to_value(kind).map_err(unwritable)?;
    let kind = detail.as_object_mut().and_then(|detail| detail.remove("kind"));
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).ok_or_else(|| unwritable("an outcome of no kind"))?;
    Ok(query.bind(call.as_str()).bind(place).bind(step).bind(kind.to_owned()).bind(detail.to_string()))
}

/// Calls without a word of it have no column; the two numbers that are counted stand in columns of their own as well.
fn quality_column(quality: &Quality) -> Result<Option<String>, Error> {
    let is_empty = *quality == Quality::default();
    (!is_empty).then(|| serde_json::to_string(quality)).transpose().map_err(unwritable)
}

fn recording_columns(recording: &Recording) -> Result<(&'static str, Option<&str>, Option<&str>), Error> {
    Ok(match recording {
        Recording::Off => ("off", None, None),
        Recording::Saved { path } => {
            let path = path.to_str().ok_or_else(|| unwritable("the recording's path is not UTF-8"))?;
            ("saved", Some(path), None)
        }
        Recording::Failed { reason } => ("failed", None, Some(reason)),
    })
}

/// Calls of before there were ladders have none, and an empty one needs no room.
fn ladder_column(ladder: &Ladder) -> Result<Option<String>, Error> {
    let is_empty = *ladder == Ladder::default();
    (!is_empty).then(|| serde_json::to_string(ladder)).transpose().map_err(unwritable)
}

/// `end_why` and `end_detail` are the two members of its JSON, the detail still as JSON (`486`, `"why it failed"`).
fn end_columns(end: &CallEnd) -> Result<(String, Option<String>), Error> {
    let json = serde_json::to_value(end).map_err(unwritable)?;
    let why = json["why"].as_str().ok_or_else(|| unwritable("an end without a why"))?;
    Ok((why.to_owned(), json.get("detail").map(ToString::to_string)))
}

/// The name serde gives a variant without data, such as `no_match`.
fn name_of(variant: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_value(variant).map_err(unwritable)?;
    json.as_str().map(str::to_owned).ok_or_else(|| unwritable("a variant with data has no single name"))
}

/// A time as it stands in a column.
pub(super) fn nanos(at: Timestamp) -> Result<i64, Error> {
    i64::try_from(at.as_nanosecond()).map_err(|_| unwritable("a time outside the years 1678 to 2261"))
}

/// SQLite turns NaN into null; a measurement that failed must not cost us the call.
fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

pub(super) fn unwritable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Encode(why.into())
}
