//! Calls as rows and back, exactly.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Error, Row as _};

use crate::call::record::{CallEnd, CallRecord, Latency, PromptRecord, TurnRecord};
use crate::id::CallId;
use crate::media::{MediaSummary, Recording};
use crate::pii::Pii;
use crate::rtp::Quality;
use crate::sip::Reason;
use crate::sip::ladder::Ladder;
use crate::store::{CallFilter, CallSummary};

const INSERT_CALL: &str = "
    insert into calls (id, direction, peer, sip_call_id, caller, called, plan, plan_version,
                       arrived_at_ns, answered_at_ns, ended_at_ns, end_why, end_detail, result, path,
                       packets_in, packets_out, lost, late, refused, jitter_ms, late_ticks,
                       recording, recording_path, recording_fault, disposition, ladder,
                       codec, secured, mos, round_trip_ms, quality, reason, made_for)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (id) do nothing";

const INSERT_TURN: &str = "
    insert into turns (call_id, place, step, attempt, at_ms, outcome, meaning, heard, keys, confidence, barge_in_ms,
                       endpointing_ms, queue_ms, recognition_ms, understanding_ms, first_packet_ms, total_ms)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const INSERT_PROMPT: &str = "
    insert into prompts (call_id, place, step, text, at_ms, played_ms, total_ms, protected, interrupted)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)";

const LIST_CALLS: &str = "
    select id, arrived_at_ns, answered_at_ns, ended_at_ns, caller, called, plan, end_why, end_detail, result,
           (select count(*) from turns where call_id = calls.id) as turns
    from calls where arrived_at_ns >= ? order by arrived_at_ns desc, id desc limit ?";

/// Writes one call and what belongs to it; does nothing when its id is already there.
pub(super) async fn insert(to: &mut SqliteConnection, record: &CallRecord) -> Result<(), Error> {
    let CallRecord { id, direction, peer, sip_call_id, caller, called, plan, plan_version, .. } = record;
    let CallRecord { arrived_at, answered_at, ended_at, end, disposition, result, path, .. } = record;
    let CallRecord { turns, prompts, media, ladder, reason, made_for, .. } = record;
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
        codec,
        secured,
        quality,
    } = media;
    let (end_why, end_detail) = end_columns(end)?;
    let (recording, recording_path, recording_fault) = recording_columns(recording)?;
    let inserted = sqlx::query(INSERT_CALL)
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
        .bind(made_for.as_ref().map(CallId::as_str))
        .execute(&mut *to)
        .await?;
    if inserted.rows_affected() == 0 {
        return Ok(());
    }
    for (place, turn) in (0_i64..).zip(turns) {
        insert_turn(to, id, place, turn).await?;
    }
    for (place, prompt) in (0_i64..).zip(prompts) {
        insert_prompt(to, id, place, prompt).await?;
    }
    Ok(())
}

async fn insert_turn(to: &mut SqliteConnection, call: &CallId, place: i64, turn: &TurnRecord) -> Result<(), Error> {
    let TurnRecord { step, attempt, at_ms, outcome, meaning, heard, keys, confidence, barge_in_ms, latency } = turn;
    let latency = latency.as_ref();
    let part = |of: fn(&Latency) -> f64| latency.map(|latency| finite(of(latency)));
    sqlx::query(INSERT_TURN)
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
        .execute(to)
        .await?;
    Ok(())
}

async fn insert_prompt(to: &mut SqliteConnection, call: &CallId, place: i64, it: &PromptRecord) -> Result<(), Error> {
    let PromptRecord { step, text, at_ms, played_ms, total_ms, protected, interrupted } = it;
    sqlx::query(INSERT_PROMPT)
        .bind(call.as_str())
        .bind(place)
        .bind(step)
        .bind(text)
        .bind(at_ms.map(u64::cast_signed))
        .bind(played_ms.cast_signed())
        .bind(total_ms.cast_signed())
        .bind(protected)
        .bind(interrupted)
        .execute(to)
        .await?;
    Ok(())
}

/// The latest first.
pub(super) async fn list(from: &SqlitePool, filter: &CallFilter) -> Result<Vec<CallSummary>, Error> {
    let since = filter.since.map_or(Ok(i64::MIN), nanos)?;
    let rows = sqlx::query(LIST_CALLS).bind(since).bind(filter.limit).fetch_all(from).await?;
    rows.iter().map(summary).collect()
}

fn summary(row: &SqliteRow) -> Result<CallSummary, Error> {
    Ok(CallSummary {
        id: call_id(row)?,
        arrived_at: timestamp(row.try_get("arrived_at_ns")?)?,
        answered_at: row.try_get::<Option<i64>, _>("answered_at_ns")?.map(timestamp).transpose()?,
        ended_at: timestamp(row.try_get("ended_at_ns")?)?,
        caller: Pii::new(row.try_get("caller")?),
        called: Pii::new(row.try_get("called")?),
        plan: row.try_get("plan")?,
        end: end_of(row)?,
        result: row.try_get("result")?,
        turns: count(row, "turns")?,
    })
}

/// Ids that begin with `prefix` (upper case), at most two: enough to know whether one is meant.
pub(super) async fn starting_with(from: &mut SqliteConnection, prefix: &str) -> Result<Vec<CallId>, Error> {
    // A range, so that the index answers; `[` follows `Z`, the last letter of an id. What is not of an id's
    // alphabet fits none.
    let query = sqlx::query("select id from calls where id >= ? and id < ? order by id limit 2");
    let rows = match prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => query.bind(prefix).bind(format!("{prefix}[")).fetch_all(from).await?,
        false => Vec::new(),
    };
    rows.iter().map(call_id).collect()
}

/// One call, which is there.
pub(super) async fn read(from: &mut SqliteConnection, id: CallId) -> Result<CallRecord, Error> {
    let row = sqlx::query("select * from calls where id = ?").bind(id.as_str()).fetch_one(&mut *from).await?;
    let turns = sqlx::query("select * from turns where call_id = ? order by place");
    let turns = turns.bind(id.as_str()).fetch_all(&mut *from).await?;
    let prompts = sqlx::query("select * from prompts where call_id = ? order by place");
    let prompts = prompts.bind(id.as_str()).fetch_all(from).await?;
    Ok(CallRecord {
        id,
        direction: named(row.try_get("direction")?)?,
        peer: row.try_get("peer")?,
        sip_call_id: row.try_get("sip_call_id")?,
        caller: Pii::new(row.try_get("caller")?),
        called: Pii::new(row.try_get("called")?),
        plan: row.try_get("plan")?,
        plan_version: row.try_get("plan_version")?,
        arrived_at: timestamp(row.try_get("arrived_at_ns")?)?,
        answered_at: row.try_get::<Option<i64>, _>("answered_at_ns")?.map(timestamp).transpose()?,
        ended_at: timestamp(row.try_get("ended_at_ns")?)?,
        end: end_of(&row)?,
        disposition: row.try_get::<Option<String>, _>("disposition")?.map(named).transpose()?,
        result: row.try_get("result")?,
        path: serde_json::from_str(row.try_get("path")?).map_err(unreadable)?,
        turns: turns.iter().map(turn).collect::<Result<_, _>>()?,
        prompts: prompts.iter().map(prompt).collect::<Result<_, _>>()?,
        media: media(&row)?,
        ladder: ladder(&row)?,
        reason: reason(&row)?,
        made_for: made_for(&row)?,
    })
}

fn turn(row: &SqliteRow) -> Result<TurnRecord, Error> {
    Ok(TurnRecord {
        step: row.try_get("step")?,
        attempt: row.try_get("attempt")?,
        at_ms: count(row, "at_ms")?,
        outcome: named(row.try_get("outcome")?)?,
        meaning: row.try_get("meaning")?,
        heard: row.try_get::<Option<String>, _>("heard")?.map(Pii::new),
        keys: row.try_get::<Option<String>, _>("keys")?.map(Pii::new),
        confidence: row.try_get("confidence")?,
        barge_in_ms: optional_count(row, "barge_in_ms")?,
        latency: latency(row)?,
    })
}

/// All parts or none: they are written together.
fn latency(row: &SqliteRow) -> Result<Option<Latency>, Error> {
    let Some(total_ms) = row.try_get::<Option<f64>, _>("total_ms")? else { return Ok(None) };
    Ok(Some(Latency {
        endpointing_ms: row.try_get("endpointing_ms")?,
        queue_ms: row.try_get("queue_ms")?,
        recognition_ms: row.try_get("recognition_ms")?,
        understanding_ms: row.try_get("understanding_ms")?,
        first_packet_ms: row.try_get("first_packet_ms")?,
        total_ms,
    }))
}

fn prompt(row: &SqliteRow) -> Result<PromptRecord, Error> {
    Ok(PromptRecord {
        step: row.try_get("step")?,
        text: row.try_get("text")?,
        at_ms: optional_count(row, "at_ms")?,
        played_ms: count(row, "played_ms")?,
        total_ms: count(row, "total_ms")?,
        protected: row.try_get("protected")?,
        interrupted: row.try_get("interrupted")?,
    })
}

fn media(row: &SqliteRow) -> Result<MediaSummary, Error> {
    Ok(MediaSummary {
        packets_in: count(row, "packets_in")?,
        packets_out: count(row, "packets_out")?,
        lost: count(row, "lost")?,
        late: count(row, "late")?,
        refused: count(row, "refused")?,
        jitter_ms: row.try_get("jitter_ms")?,
        late_ticks: count(row, "late_ticks")?,
        recording: match (row.try_get::<Option<String>, _>("recording_path")?, row.try_get("recording_fault")?) {
            (Some(path), _) => Recording::Saved { path: PathBuf::from(path) },
            (None, Some(reason)) => Recording::Failed { reason },
            (None, None) => Recording::Off,
        },
        codec: row.try_get::<Option<String>, _>("codec")?.map(named).transpose()?,
        secured: row.try_get("secured")?,
        quality: Box::new(quality(row)?),
    })
}

/// Calls without a word of it have no column; the two numbers that are counted stand in columns of their own as well.
fn quality_column(quality: &Quality) -> Result<Option<String>, Error> {
    let is_empty = *quality == Quality::default();
    (!is_empty).then(|| serde_json::to_string(quality)).transpose().map_err(unwritable)
}

fn quality(row: &SqliteRow) -> Result<Quality, Error> {
    let json = row.try_get::<Option<String>, _>("quality")?;
    json.map_or(Ok(Quality::default()), |json| serde_json::from_str(&json).map_err(unreadable))
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

fn ladder(row: &SqliteRow) -> Result<Ladder, Error> {
    let json = row.try_get::<Option<String>, _>("ladder")?;
    json.map_or(Ok(Ladder::default()), |json| serde_json::from_str(&json).map_err(unreadable))
}

fn reason(row: &SqliteRow) -> Result<Option<Reason>, Error> {
    let json = row.try_get::<Option<String>, _>("reason")?;
    json.map(|json| serde_json::from_str(&json).map_err(unreadable)).transpose()
}

fn made_for(row: &SqliteRow) -> Result<Option<CallId>, Error> {
    let id = row.try_get::<Option<String>, _>("made_for")?;
    id.map(|id| CallId::parse(&id).ok_or_else(|| unreadable(std::fmt::Error))).transpose()
}

/// `end_why` and `end_detail` are the two members of its JSON, the detail still as JSON (`486`, `"why it failed"`).
fn end_columns(end: &CallEnd) -> Result<(String, Option<String>), Error> {
    let json = serde_json::to_value(end).map_err(unwritable)?;
    let why = json["why"].as_str().ok_or_else(|| unwritable("an end without a why"))?;
    Ok((why.to_owned(), json.get("detail").map(ToString::to_string)))
}

fn end_of(row: &SqliteRow) -> Result<CallEnd, Error> {
    let mut json = serde_json::json!({ "why": row.try_get::<String, _>("end_why")? });
    if let Some(detail) = row.try_get::<Option<String>, _>("end_detail")? {
        json["detail"] = serde_json::from_str(&detail).map_err(unreadable)?;
    }
    serde_json::from_value(json).map_err(unreadable)
}

/// The name serde gives a variant without data, such as `no_match`.
fn name_of(variant: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_value(variant).map_err(unwritable)?;
    json.as_str().map(str::to_owned).ok_or_else(|| unwritable("a variant with data has no single name"))
}

fn named<T: DeserializeOwned>(name: String) -> Result<T, Error> {
    serde_json::from_value(name.into()).map_err(unreadable)
}

fn call_id(row: &SqliteRow) -> Result<CallId, Error> {
    let text = row.try_get::<String, _>("id")?;
    CallId::parse(&text).ok_or_else(|| Error::Decode("a call id is 26 characters of base32".into()))
}

/// Counters are unsigned here and signed in SQLite; the cast and its reverse lose nothing.
fn count(row: &SqliteRow, column: &str) -> Result<u64, Error> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}

fn optional_count(row: &SqliteRow, column: &str) -> Result<Option<u64>, Error> {
    row.try_get::<Option<i64>, _>(column).map(|found| found.map(i64::cast_unsigned))
}

fn nanos(at: Timestamp) -> Result<i64, Error> {
    i64::try_from(at.as_nanosecond()).map_err(|_| unwritable("a time outside the years 1678 to 2261"))
}

fn timestamp(nanos: i64) -> Result<Timestamp, Error> {
    Timestamp::from_nanosecond(nanos.into()).map_err(unreadable)
}

/// SQLite turns NaN into null; a measurement that failed must not cost us the call.
fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

fn unwritable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Encode(why.into())
}

/// serde's messages quote what they could not read, which may be a person's: only the kind of fault is kept.
fn unreadable(_: impl std::error::Error) -> Error {
    Error::Decode("a column holds what this version of trunkline does not know".into())
}
