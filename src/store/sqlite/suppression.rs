//! Closed numbers in and out of their table.

use jiff::Timestamp;
use sqlx::Error;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Row as _, query};

use super::insert::{nanos, unwritable};
use super::rows::{timestamp, unreadable};
use crate::id::CallId;
use crate::pii::Pii;
use crate::store::suppression::{EVERYWHERE, Lifted, Lifting, Sought, Suppression};

/// What was said first stays the proof; only a later end replaces it. A call whose entry was lifted has had its say.
const CLOSE: &str = "
    insert into suppression
        (number, scope, reason, source, call_id, said, note, closed_by, created_at_ns, expires_at_ns)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
    where not exists (
        select 1 from suppression as before
        where before.number = ?1 and before.scope = ?2 and before.call_id = ?5 and before.lifted_at_ns <> 0)
    on conflict (number, scope, reason, source, list_id, lifted_at_ns) do update set
        call_id = excluded.call_id, said = excluded.said, note = excluded.note, closed_by = excluded.closed_by,
        created_at_ns = excluded.created_at_ns, expires_at_ns = excluded.expires_at_ns
    where suppression.expires_at_ns is not null
      and (excluded.expires_at_ns is null or excluded.expires_at_ns > suppression.expires_at_ns)";

const FIND: &str = "
    select entry.*, list.name as list, list.source as list_source
    from suppression as entry left join suppression_lists as list on list.id = entry.list_id
    where number in (select value from json_each(?)) and entry.scope in (?, ?) and lifted_at_ns = 0
      and (entry.expires_at_ns is null or entry.expires_at_ns > ?)
    order by entry.scope = ? desc, created_at_ns, entry.id limit 1";

const ENTRIES: &str = "
    select entry.*, list.name as list, list.source as list_source
    from suppression as entry left join suppression_lists as list on list.id = entry.list_id
    where number in (select value from json_each(?))
    order by created_at_ns, entry.id";

const LIFT: &str = "update suppression set lifted_at_ns = ?, lifted_by = ?, lifted_why = ? where id = ?";

/// Closes them.
pub(super) async fn close(to: &mut SqliteConnection, closed: &[Suppression]) -> Result<(), Error> {
    for entry in closed {
        // Entries of a list, and lifted ones, come otherwise.
        let Suppression { number, scope, reason, source, call, said, note, by, created_at, expires_at, .. } = entry;
        query(CLOSE)
            .bind(number.reveal())
            .bind(scope)
            .bind(reason)
            .bind(source)
            .bind(call.as_ref().map(CallId::as_str))
            .bind(said.as_ref().map(Pii::reveal))
            .bind(note.as_ref().map(Pii::reveal))
            .bind(by.as_deref())
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
    let found = query(FIND)
        .bind(forms(number)?)
        .bind(EVERYWHERE)
        .bind(scope.unwrap_or(EVERYWHERE))
        .bind(nanos(now)?)
        .bind(EVERYWHERE)
        .fetch_optional(from)
        .await?;
    found.as_ref().map(suppression).transpose()
}

/// All that is known of this number.
pub(super) async fn entries(from: &SqlitePool, number: &Sought) -> Result<Vec<Suppression>, Error> {
    let rows = query(ENTRIES).bind(forms(number)?).fetch_all(from).await?;
    rows.iter().map(suppression).collect()
}

/// Lifts some of it; which, as they were.
pub(super) async fn lift(
    to: &mut SqliteConnection,
    number: &Sought,
    which: &Lifting,
    Lifted { at, by, why }: &Lifted,
) -> Result<Vec<Suppression>, Error> {
    let rows = query(ENTRIES).bind(forms(number)?).fetch_all(&mut *to).await?;
    let mut lifted = Vec::new();
    for row in &rows {
        let entry = suppression(row)?;
        if !which.takes(&entry, *at) {
            continue;
        }
        let id: i64 = row.try_get("id")?;
        query(LIFT).bind(nanos(*at)?).bind(by).bind(why.reveal()).bind(id).execute(&mut *to).await?;
        lifted.push(entry);
    }
    Ok(lifted)
}

fn forms(number: &Sought) -> Result<String, Error> {
    serde_json::to_string(number.0.reveal()).map_err(unwritable)
}

/// A row of `suppression`, with the name and the source of its list beside it.
pub(super) fn suppression(row: &SqliteRow) -> Result<Suppression, Error> {
    let call = row.try_get::<Option<String>, _>("call_id")?;
    let words = |column| row.try_get::<Option<String>, _>(column).map(|text| text.map(Pii::new));
    let lifted = match row.try_get::<i64, _>("lifted_at_ns")? {
        0 => None,
        at => Some(Lifted {
            at: timestamp(at)?,
            by: row.try_get("lifted_by")?,
            why: Pii::new(row.try_get("lifted_why")?),
        }),
    };
    let source = row.try_get::<Option<String>, _>("list_source")?;
    Ok(Suppression {
        number: Pii::new(row.try_get("number")?),
        scope: row.try_get("scope")?,
        reason: row.try_get("reason")?,
        source: source.map_or_else(|| row.try_get("source"), Ok)?,
        list: row.try_get("list")?,
        call: call.map(|id| CallId::parse(&id).ok_or_else(|| unreadable(std::fmt::Error))).transpose()?,
        said: words("said")?,
        note: words("note")?,
        by: row.try_get("closed_by")?,
        created_at: timestamp(row.try_get("created_at_ns")?)?,
        expires_at: row.try_get::<Option<i64>, _>("expires_at_ns")?.map(timestamp).transpose()?,
        lifted,
    })
}
