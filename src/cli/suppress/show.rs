//! `trunkline suppress list` and `check`: what closes whom, in words.

use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::calls::parse_since;
use super::super::{call, harmless, print};
use super::{Desk, Halt, Typed, said};
use crate::store::Store as _;
use crate::store::lists::ListState;
use crate::store::spool::Spool;
use crate::store::sqlite::SqliteStore;
use crate::store::suppression::{EVERYWHERE, Suppression, Tally, Which};

/// `trunkline suppress list`
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    which: Wanted,
    /// The numbers themselves, instead of how many
    #[arg(long)]
    numbers: bool,
    /// At most so many of them
    #[arg(long, value_name = "N", default_value_t = 100, requires = "numbers")]
    limit: u32,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Which entries.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// Only those for this plan or campaign, or `global`
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Only those for this reason
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// Only those of this list
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    /// Only those closed since then: `3d`, `today`, `2026-01-31`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

impl Wanted {
    pub(super) fn which(self, desk: &Desk) -> Result<Which, Halt> {
        let since = self.since.as_deref().map(|text| parse_since(text, &desk.zone, desk.now)).transpose();
        let since = since.map_err(|error| error.to_string())?;
        Ok(Which { scope: self.scope, reason: self.reason, list: self.list, since })
    }
}

/// `trunkline suppress check`
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    typed: Typed,
    /// For this plan or campaign
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// For machines: every entry
    #[arg(long)]
    json: bool,
}

/// How many, of which kind; or which.
pub(super) async fn list(desk: &Desk, store: &SqliteStore, args: ListArgs) -> Result<ExitCode, Halt> {
    let which = args.which.which(desk)?;
    let json = |value: serde_json::Value| print(&format!("{value:#}\n"));
    if args.numbers {
        let (entries, _) = store.page(&which, 0, args.limit).await.map_err(said)?;
        desk.explain_hashes();
        return Ok(match args.json {
            true => json(serde_json::json!(entries)),
            false => {
                let line =
                    |one: &Suppression| format!("{}  {}\n", harmless(one.number.reveal()), entry(one, &desk.zone));
                print(&entries.iter().map(line).collect::<String>())
            }
        });
    }
    let tally = store.tally(&which, desk.now).await.map_err(said)?;
    let mut lists = store.lists().await.map_err(said)?;
    lists.retain(|one| {
        let fits = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        fits(&which.list, &one.list.name)
            && fits(&which.scope, &one.list.scope)
            && fits(&which.reason, &one.list.reason)
    });
    Ok(match args.json {
        true => json(serde_json::json!({ "lists": lists, "entries": tally })),
        false => print(&(tables(&lists, &tally, desk))),
    })
}

fn tables(lists: &[ListState], tally: &[Tally], desk: &Desk) -> String {
    if tally.is_empty() && lists.is_empty() {
        return "No number is closed.\n".to_owned();
    }
    let mut rows = vec![["SCOPE", "REASON", "SAYS", "LIST", "CLOSED", "OVER", "LIFTED"].map(str::to_owned)];
    rows.extend(tally.iter().map(|Tally { scope, reason, source, list, open, over, lifted }| {
        let list = list.as_deref().unwrap_or("–");
        let counts = [open, over, lifted].map(u64::to_string);
        let [open, over, lifted] = counts;
        [harmless(scope), harmless(reason), harmless(source), harmless(list), open, over, lifted]
    }));
    let mut text = table(&rows, 4);
    if !lists.is_empty() {
        let mut rows = vec![["LIST", "SAYS", "READ", "BY", "FRESH UNTIL", "NUMBERS"].map(str::to_owned)];
        rows.extend(lists.iter().map(|ListState { list, numbers }| {
            let fresh = list.fresh_until.map_or("–".to_owned(), |end| {
                if end > desk.now { day(end, &desk.zone) } else { format!("{} (stale)", day(end, &desk.zone)) }
            });
            let read = day(list.read_at, &desk.zone);
            [harmless(&list.name), harmless(&list.source), read, harmless(&list.read_by), fresh, numbers.to_string()]
        }));
        text.push('\n');
        text.push_str(&table(&rows, 5));
    }
    text
}

/// Columns from `amounts` on stand at the right.
fn table<const N: usize>(rows: &[[String; N]], amounts: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column >= amounts {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Is it closed, and why.
pub(super) async fn check(desk: &Desk, store: &SqliteStore, args: CheckArgs) -> Result<ExitCode, Halt> {
    let (number, sought) = desk.number(&args.typed)?;
    // What waits for the database closes as well.
    let waiting = Spool::of(&desk.data_dir).closed();
    let waiting = waiting.map_err(|error| format!("what waits for the database cannot be read: {error}"))?;
    let mut entries = store.entries(&sought).await.map_err(said)?;
    entries.extend(waiting.into_iter().filter(|entry| sought.fits(&entry.number)));
    let scopes: Vec<&str> = args.scope.iter().map(String::as_str).collect();
    let holding = |entry: &&Suppression| entry.holds(desk.now);
    let closing: Vec<_> = entries.iter().filter(holding).filter(|entry| entry.concerns(&scopes)).collect();
    let code = if closing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(call::CLOSED) };
    if args.json {
        let told = serde_json::json!({ "closed": !closing.is_empty(), "entries": entries });
        print(&format!("{told:#}\n"));
        return Ok(code);
    }
    let shown = number.reveal();
    let mut text = match (closing.is_empty(), &args.scope) {
        (true, Some(scope)) => format!("{shown} is open: nothing closes it everywhere or for `{}`.\n", harmless(scope)),
        (true, None) => format!("{shown} is open: nothing closes it everywhere.\n"),
        (false, _) => String::new(),
    };
    let stale = store.lists().await.map_err(said)?;
    for one in closing {
        text.push_str(&format!("{shown} is closed {}; {}.\n", entry(one, &desk.zone), opens(one)));
        let list = stale.iter().find(|state| Some(&state.list.name) == one.list.as_ref());
        if let Some(end) = list.and_then(|state| state.list.fresh_until).filter(|end| *end <= desk.now) {
            text.push_str(&format!(
                "  That list was to be relied on until {}: import it again.\n",
                day(end, &desk.zone)
            ));
        }
    }
    for one in entries.iter().filter(holding).filter(|entry| !entry.concerns(&scopes)) {
        text.push_str(&format!("It is closed {}, which does not concern others.\n", entry(one, &desk.zone)));
    }
    for one in entries.iter().filter(|entry| !entry.holds(desk.now)) {
        text.push_str(&format!("It was closed {}{}.\n", entry(one, &desk.zone), ended(one, &desk.zone)));
    }
    print(&text);
    Ok(code)
}

/// `everywhere since 2026-01-05 15:01 (opt_out, says call 01…: “stop”), for good`
pub(super) fn entry(entry: &Suppression, zone: &TimeZone) -> String {
    let scope = match entry.scope.as_str() {
        EVERYWHERE => "everywhere".to_owned(),
        scope => format!("for `{}`", harmless(scope)),
    };
    let mut says = format!("{}, says {}", harmless(&entry.reason), harmless(&entry.source));
    if let Some(list) = &entry.list {
        says.push_str(&format!(" in list `{}`", harmless(list)));
    }
    if let Some(call) = &entry.call {
        says.push_str(&format!(" {call}"));
    }
    if let Some(by) = &entry.by {
        says.push_str(&format!(", closed by {}", harmless(by)));
    }
    for words in entry.said.iter().chain(&entry.note) {
        says.push_str(&format!(": “{}”", harmless(words.reveal())));
    }
    let until = entry.expires_at.map_or("for good".to_owned(), |end| format!("until {}", moment(end, zone)));
    format!("{scope} since {} ({says}), {until}", moment(entry.created_at, zone))
}

/// What would open it.
pub(super) fn opens(entry: &Suppression) -> String {
    let end = if entry.expires_at.is_some() { "it opens by itself then, or when " } else { "it opens when " };
    let how = match &entry.list {
        Some(list) => format!("list `{}` is imported without it", harmless(list)),
        None if entry.is_opt_out() => "`suppress remove` lifts it with --lift-opt-out and a --note".to_owned(),
        None => "`suppress remove` lifts it with a --note".to_owned(),
    };
    format!("{end}{how}")
}

fn ended(entry: &Suppression, zone: &TimeZone) -> String {
    match &entry.lifted {
        Some(lifted) => {
            let (at, by, why) = (moment(lifted.at, zone), harmless(&lifted.by), harmless(lifted.why.reveal()));
            format!("; lifted {at} by {by}: “{why}”")
        }
        None => ", which is over".to_owned(),
    }
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}
