//! Lists of closed numbers: read into a table of this connection only, then made to hold in one transaction.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Connection as _, Error, Row as _, query};
use tokio::sync::mpsc;

use super::insert::{nanos, unwritable};
use super::rows::timestamp;
use super::suppression::suppression;
use crate::store::lists::{Batch, ImportEnd, ImportOrder, Imported, ListState, ListVersion};
use crate::store::suppression::{Suppression, Tally, Which};

/// Sorted, so that what is new goes into its index in order; and each number once.
const MAKE_ROOM: &str = "create temp table staged (number text primary key) strict, without rowid";
const LEAVE: &str = "drop table if exists temp.staged";
/// One text for many numbers: binding each by itself takes longer than storing it.
const STAGE: &str = "insert or ignore into temp.staged select value from json_each(?)";

const KEEP_LIST: &str = "
    insert into suppression_lists (name, source, scope, reason, read_at_ns, read_by, fresh_until_ns, expires_at_ns)
    values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (name) do update set
        source = excluded.source, scope = excluded.scope, reason = excluded.reason, read_at_ns = excluded.read_at_ns,
        read_by = excluded.read_by, fresh_until_ns = excluded.fresh_until_ns, expires_at_ns = excluded.expires_at_ns
    returning id";

/// Entries for another reason, or for another scope, are others.
const DROP: &str = "
    update suppression set lifted_at_ns = ?2, lifted_by = ?3, lifted_why = ?4
    where list_id = ?1 and lifted_at_ns = 0
      and (scope <> ?5 or reason <> ?6 or number not in (select number from temp.staged))";

const CHANGE: &str = "
    update suppression set expires_at_ns = ?2
    where list_id = ?1 and lifted_at_ns = 0 and expires_at_ns is not ?2
      and scope = ?3 and reason = ?4 and number in (select number from temp.staged)";

/// `where true` tells SQLite's parser where the selection ends (<https://sqlite.org/lang_upsert.html>, 2.2).
const ADD: &str = "
    insert into suppression (number, scope, reason, source, list_id, closed_by, created_at_ns, expires_at_ns)
    select number, ?2, ?3, '', ?1, ?4, ?5, ?6 from temp.staged where true
    on conflict (number, scope, reason, source, list_id, lifted_at_ns) do nothing";

const LISTS: &str = "
    select list.*, (select count(*) from suppression where list_id = list.id and lifted_at_ns = 0) as numbers
    from suppression_lists as list order by name";

/// Entries that somebody wants to see. `?1` to `?4`: scope, reason, list, since.
macro_rules! wanted {
    () => {
        "from suppression as entry left join suppression_lists as list on list.id = entry.list_id
         where (?1 is null or entry.scope = ?1) and (?2 is null or entry.reason = ?2) and (?3 is null or list.name = ?3)
           and (?4 is null or entry.created_at_ns >= ?4)"
    };
}

const TALLY: &str = concat!(
    "select entry.scope, entry.reason, coalesce(list.source, entry.source) as told_by, list.name as list,
            count(*) filter (where lifted_at_ns = 0 and (entry.expires_at_ns is null or entry.expires_at_ns > ?5)) as open,
            count(*) filter (where lifted_at_ns = 0 and entry.expires_at_ns <= ?5) as over,
            count(*) filter (where lifted_at_ns <> 0) as lifted ",
    wanted!(),
    " group by entry.scope, entry.reason, told_by, list.name order by entry.scope, entry.reason, told_by, list.name"
);

const PAGE: &str = concat!(
    "select entry.*, list.name as list, list.source as list_source ",
    wanted!(),
    " and entry.id > ?5 order by entry.id limit ?6"
);

/// Reads the batches to their end, then makes the list what they held.
pub(super) async fn import(
    pool: &SqlitePool,
    order: &ImportOrder,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<Imported, Error> {
    let mut connection = pool.acquire().await?;
    // One may be left of an import that was given up.
    query(LEAVE).execute(&mut *connection).await?;
    query(MAKE_ROOM).execute(&mut *connection).await?;
    let read = stage(&mut connection, &mut batches).await?;
    let imported = match read {
        Imported { end: ImportEnd::Broken, .. } => read,
        Imported { numbers: 0, .. } => Imported { end: ImportEnd::Empty, ..read },
        _ => apply(&mut connection, order, read).await?,
    };
    query(LEAVE).execute(&mut *connection).await?;
    Ok(imported)
}

async fn stage(connection: &mut SqliteConnection, batches: &mut mpsc::Receiver<Batch>) -> Result<Imported, Error> {
    let mut read = Imported::default();
    // Nobody else sees this table: one transaction saves one for each batch, and holds nobody's lock.
    let mut staging = connection.begin().await?;
    while let Some(batch) = batches.recv().await {
        match batch {
            Batch::Numbers(numbers) => {
                let count = numbers.reveal().len() as u64;
                let json = serde_json::to_string(numbers.reveal()).map_err(unwritable)?;
                let new = query(STAGE).bind(json).execute(&mut *staging).await?.rows_affected();
                read.numbers += new;
                read.repeated += count - new;
            }
            Batch::Whole => {
                // Not `Done` yet: only not broken off.
                read.end = ImportEnd::Tried;
                break;
            }
        }
    }
    staging.commit().await?;
    Ok(read)
}

async fn apply(connection: &mut SqliteConnection, order: &ImportOrder, read: Imported) -> Result<Imported, Error> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let changed = match change(&mut transaction, order, read).await {
        Ok(changed) => changed,
        Err(error) => {
            // Said and awaited: a dropped transaction is rolled back some time later, and holds the lock till then.
            transaction.rollback().await?;
            return Err(error);
        }
    };
    let left = changed.before - changed.dropped + changed.added;
    let end = match () {
        () if left < changed.before.div_ceil(2) && !order.may_shrink => ImportEnd::Shrunk,
        () if order.tries => ImportEnd::Tried,
        () if changed.added + changed.dropped + changed.changed == 0 => ImportEnd::Same,
        () => ImportEnd::Done,
    };
    match end {
        ImportEnd::Done | ImportEnd::Same => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    Ok(Imported { end, ..changed })
}

async fn change(to: &mut SqliteConnection, order: &ImportOrder, read: Imported) -> Result<Imported, Error> {
    let ListVersion { name, source, scope, reason, read_at, read_by, fresh_until, expires_at } = &order.list;
    let (read_at, expires_at) = (nanos(*read_at)?, expires_at.map(nanos).transpose()?);
    let kept = query(KEEP_LIST).bind(name).bind(source).bind(scope).bind(reason).bind(read_at).bind(read_by);
    let id: i64 =
        kept.bind(fresh_until.map(nanos).transpose()?).bind(expires_at).fetch_one(&mut *to).await?.try_get("id")?;
    let before = query("select count(*) as numbers from suppression where list_id = ? and lifted_at_ns = 0").bind(id);
    let before = count(&before.fetch_one(&mut *to).await?, "numbers")?;
    let dropped = match order.replaces {
        true => {
            let gone = query(DROP).bind(id).bind(read_at).bind(read_by).bind("it is no longer on the list");
            gone.bind(scope).bind(reason).execute(&mut *to).await?.rows_affected()
        }
        false => 0,
    };
    let changed = query(CHANGE).bind(id).bind(expires_at).bind(scope).bind(reason);
    let changed = changed.execute(&mut *to).await?.rows_affected();
    let added = query(ADD).bind(id).bind(scope).bind(reason).bind(read_by).bind(read_at).bind(expires_at);
    let added = added.execute(&mut *to).await?.rows_affected();
    Ok(Imported { before, added, dropped, changed, ..read })
}

/// Every list.
pub(super) async fn lists(from: &SqlitePool) -> Result<Vec<ListState>, Error> {
    let rows = query(LISTS).fetch_all(from).await?;
    rows.iter().map(list).collect()
}

fn list(row: &SqliteRow) -> Result<ListState, Error> {
    let moment = |column| row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose();
    let list = ListVersion {
        name: row.try_get("name")?,
        source: row.try_get("source")?,
        scope: row.try_get("scope")?,
        reason: row.try_get("reason")?,
        read_at: timestamp(row.try_get("read_at_ns")?)?,
        read_by: row.try_get("read_by")?,
        fresh_until: moment("fresh_until_ns")?,
        expires_at: moment("expires_at_ns")?,
    };
    Ok(ListState { list, numbers: count(row, "numbers")? })
}

/// How many entries there are of each kind.
pub(super) async fn tally(from: &SqlitePool, which: &Which, now: Timestamp) -> Result<Vec<Tally>, Error> {
    let Which { scope, reason, list, since } = which;
    let counted = query(TALLY).bind(scope).bind(reason).bind(list).bind(since.map(nanos).transpose()?);
    let rows = counted.bind(nanos(now)?).fetch_all(from).await?;
    let kind = |row: &SqliteRow| {
        Ok(Tally {
            scope: row.try_get("scope")?,
            reason: row.try_get("reason")?,
            source: row.try_get("told_by")?,
            list: row.try_get("list")?,
            open: count(row, "open")?,
            over: count(row, "over")?,
            lifted: count(row, "lifted")?,
        })
    };
    rows.iter().map(kind).collect()
}

/// Some entries, and the place of the last.
pub(super) async fn page(
    from: &SqlitePool,
    which: &Which,
    (place, limit): (i64, u32),
) -> Result<(Vec<Suppression>, i64), Error> {
    let Which { scope, reason, list, since } = which;
    let found = query(PAGE).bind(scope).bind(reason).bind(list).bind(since.map(nanos).transpose()?);
    let rows = found.bind(place).bind(limit).fetch_all(from).await?;
    let last = rows.last().map_or(Ok(place), |row| row.try_get("id"))?;
    Ok((rows.iter().map(suppression).collect::<Result<_, _>>()?, last))
}

fn count(row: &SqliteRow, column: &str) -> Result<u64, Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|error| Error::Decode(error.into()))
}
