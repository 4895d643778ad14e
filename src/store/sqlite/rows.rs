//! Calls out of their rows, exactly as they were; `insert` has put them in.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Error, Row as _};

use super::insert::nanos;
use crate::call::record::{CallEnd, CallRecord, Latency, PromptRecord, TurnRecord};
use crate::dialplan::outcome::Outcome;
use crate::id::CallId;
use crate::media::{MediaSummary, Recording};
use crate::pii::Pii;
use crate::rtp::Quality;
use crate::sip::Reason;
use crate::sip::ladder::Ladder;
use crate::store::{CallFilter, CallSummary};

const LIST_CALLS: &str = "
    select id, arrived_at_ns, answered_at_ns, ended_at_ns, caller, called, plan, end_why, end_detail, result,
           (select count(*) from turns where call_id = calls.id) as turns
    from calls where arrived_at_ns >= ? order by arrived_at_ns desc, id desc limit ?";

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
    let prompts = prompts.bind(id.as_str()).fetch_all(&mut *from).await?;
    let outcomes = sqlx::query("select step, kind, detail from outcomes where call_id = ? order by place");
    let outcomes = outcomes.bind(id.as_str()).fetch_all(from).await?;
    Ok(CallRecord {
        language: row.try_get::<Option<String>, _>("language")?.map(named).transpose()?,
        outcomes: outcomes.iter().map(outcome).collect::<Result<_, _>>()?,
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
        quest: row.try_get("quest")?,
        language: row.try_get::<Option<String>, _>("language")?.map(named).transpose()?,
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

fn outcome(row: &SqliteRow) -> Result<Outcome, Error> {
    let mut kind = serde_json::from_str::<serde_json::Value>(row.try_get("detail")?).map_err(unreadable)?;
    if let Some(kind) = kind.as_object_mut() {
        kind.insert("kind".to_owned(), row.try_get::<String, _>("kind")?.into());
    }
    Ok(Outcome { step: row.try_get("step")?, kind: serde_json::from_value(kind).map_err(unreadable)? })
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
        recording_paused_ms: count(row, "recording_paused_ms")?,
        codec: row.try_get::<Option<String>, _>("codec")?.map(named).transpose()?,
        secured: row.try_get("secured")?,
        quality: Box::new(quality(row)?),
    })
}

fn quality(row: &SqliteRow) -> Result<Quality, Error> {
    let json = row.try_get::<Option<String>, _>("quality")?;
    json.map_or(Ok(Quality::default()), |json| serde_json::from_str(&json).map_err(unreadable))
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

fn end_of(row: &SqliteRow) -> Result<CallEnd, Error> {
    let mut json = serde_json::json!({ "why": row.try_get::<String, _>("end_why")? });
    if let Some(detail) = row.try_get::<Option<String>, _>("end_detail")? {
        json["detail"] = serde_json::from_str(&detail).map_err(unreadable)?;
    }
    serde_json::from_value(json).map_err(unreadable)
}

fn named<T: DeserializeOwned>(name: String) -> Result<T, Error> {
    serde_json::from_value(name.into()).map_err(unreadable)
}

pub(super) fn call_id(row: &SqliteRow) -> Result<CallId, Error> {
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

pub(super) fn timestamp(nanos: i64) -> Result<Timestamp, Error> {
    Timestamp::from_nanosecond(nanos.into()).map_err(unreadable)
}

/// serde's messages quote what they could not read, which may be a person's: only the kind of fault is kept.
pub(super) fn unreadable(_: impl std::error::Error) -> Error {
    Error::Decode("a column holds what this version of trunkline does not know".into())
}
