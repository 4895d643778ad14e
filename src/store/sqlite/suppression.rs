//! Closed numbers in and out of their table.

use jiff::Timestamp;
use sqlx::Error;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Row as _, query};

use super::insert::{nanos, unwritable};
use super::rows::{timestamp, unreadable};
use crate::id::CallId;
use crate::pii::Pii;
use crate::store::suppression::{EVERYWHERE, Sought, Suppression};

/// What was said first stays the proof; only a later end replaces it.
const CLOSE: &str = "
    insert into suppression (number, scope, reason, source, call_id, said, created_at_ns, expires_at_ns)
    values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (number, scope) do update set
        reason = excluded.reason, source = excluded.source, call_id = excluded.call_id, said = excluded.said,
        created_at_ns = excluded.created_at_ns, expires_at_ns = excluded.expires_at_ns
    where suppression.expires_at_ns is not null
      and (excluded.expires_at_ns is null or excluded.expires_at_ns > suppression.expires_at_ns)";

const FIND: &str = "
    select number, scope, reason, source, call_id, said, created_at_ns, expires_at_ns from suppression
    where number in (select value from json_each(?)) and scope in (?, ?)
      and (expires_at_ns is null or expires_at_ns > ?)
    order by scope = ? desc, created_at_ns limit 1";

/// Closes them.
pub(super) async fn close(to: &mut SqliteConnection, closed: &[Suppression]) -> Result<(), Error> {
    for Suppression { number, scope, reason, source, call, said, created_at, expires_at } in closed {
        query(CLOSE)
            .bind(number.reveal())
            .bind(scope)
            .bind(reason)
            .bind(source)
            .bind(call.as_ref().map(CallId::as_str))
            .bind(said.as_ref().map(Pii::reveal))
            .bind(nanos(*created_at)?)
            .bind(expires_at.map(nanos).transpose()?)
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}

/// The one that closes this number.
pub(super) async fn find(
    from: &SqlitePool,
    number: &Sought,
    scope: Option<&str>,
    now: Timestamp,
) -> Result<Option<Suppression>, Error> {
    let forms = serde_json::to_string(number.0.reveal()).map_err(unwritable)?;
    let found = query(FIND)
        .bind(forms)
        .bind(EVERYWHERE)
        .bind(scope.unwrap_or(EVERYWHERE))
        .bind(nanos(now)?)
        .bind(EVERYWHERE)
        .fetch_optional(from)
        .await?;
    found.as_ref().map(suppression).transpose()
}

fn suppression(row: &SqliteRow) -> Result<Suppression, Error> {
    let call = row.try_get::<Option<String>, _>("call_id")?;
    Ok(Suppression {
        number: Pii::new(row.try_get("number")?),
        scope: row.try_get("scope")?,
        reason: row.try_get("reason")?,
        source: row.try_get("source")?,
        call: call.map(|id| CallId::parse(&id).ok_or_else(|| unreadable(std::fmt::Error))).transpose()?,
        said: row.try_get::<Option<String>, _>("said")?.map(Pii::new),
        created_at: timestamp(row.try_get("created_at_ns")?)?,
        expires_at: row.try_get::<Option<i64>, _>("expires_at_ns")?.map(timestamp).transpose()?,
    })
}
