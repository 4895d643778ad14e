//! `trunkline suppress import`: a list that somebody else keeps, whole or not at all.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::sync::mpsc;

use super::number::REGIONS;
use super::read::{Found, Reading};
use super::{DO_NOT_CALL, Desk, EVERYWHERE, Halt, complain, named, note, print, reason, said, warn_of_reason};
use crate::pii::Pii;
use crate::store::Store as _;
use crate::store::lists::{Batch, ImportEnd, ImportOrder, Imported, ListVersion};
use crate::store::numbers::NumberPolicy;
use crate::store::sqlite::SqliteStore;

/// Batches read ahead of the database: it and the reader need about as long for one.
const READ_AHEAD: usize = 4;

/// `trunkline suppress import`
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// A number a line, or CSV or TSV with a column of them; UTF-8
    file: PathBuf,
    /// What to call the list. An import takes the place of the last one of that name, and touches no other
    #[arg(long, value_name = "NAME", value_parser = named)]
    list: String,
    /// Who keeps it [default: the name of the list]
    #[arg(long, value_name = "TEXT", value_parser = named)]
    source: Option<String>,
    /// Why its numbers are closed, in a word of the rules
    #[arg(long, value_name = "WORD", default_value = DO_NOT_CALL, value_parser = reason)]
    reason: String,
    /// For which plan or campaign
    #[arg(long, value_name = "NAME", default_value = EVERYWHERE, value_parser = named)]
    scope: String,
    /// Until when its numbers are closed [default: as long as they stand on it]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Until when the list may be relied on; `list` and `check` say when it is stale
    #[arg(long, value_name = "WHEN")]
    fresh_until: Option<String>,
    /// Whose numbers they are that leave their country out
    #[arg(long, value_name = "COUNTRY", value_parser = REGIONS)]
    region: Option<String>,
    /// The column with the numbers, by its heading or its place [default: guessed]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    /// Open what is no longer on it (so it is without being said)
    #[arg(long, conflicts_with = "add")]
    replace: bool,
    /// Open nothing: the file holds what is new
    #[arg(long)]
    add: bool,
    /// Also when less than half of the list would be left
    #[arg(long)]
    even_if_shorter: bool,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Where to write lines that close nobody, with their reason, to be mended and imported with --add
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Reads, and makes it hold.
pub(super) async fn run(desk: &Desk, store: &SqliteStore, args: ImportArgs) -> Result<ExitCode, Halt> {
    let moment = |text: &Option<String>, option| text.as_deref().map(|text| desk.until(text, option)).transpose();
    let list = ListVersion {
        source: args.source.unwrap_or_else(|| args.list.clone()),
        name: args.list,
        scope: args.scope,
        reason: args.reason,
        read_at: desk.now,
        read_by: desk.by.clone(),
        fresh_until: moment(&args.fresh_until, "--fresh-until")?,
        expires_at: moment(&args.expires, "--expires")?,
    };
    warn_of_reason(&list.reason);
    let order = ImportOrder { list, replaces: !args.add, tries: args.dry_run, may_shrink: args.even_if_shorter };
    let reading = Reading { file: args.file, column: args.column, region: args.region, rejects: args.rejects };
    let (file, rejects) = (reading.file.display().to_string(), reading.rejects.clone());

    let (send, batches) = mpsc::channel(READ_AHEAD);
    let numbers = desk.numbers.clone();
    let reader = tokio::task::spawn_blocking(move || pump(&reading, &numbers, &send));
    let imported = store.import(&order, batches).await;
    let found = reader.await.map_err(|error| format!("reading failed by a bug of ours: {error}"))?;
    // A reader that was told to stop has nothing to say; why it was does.
    let imported = imported.map_err(said)?;
    let found = found.map_err(|why| format!("{why}; the list stays as it was"))?;

    for (line, fault) in &found.first_refused {
        complain(&format_args!("{file}:{line}  {}", fault.sentence()));
    }
    let refused: u64 = found.refused.values().sum();
    if refused > 0 {
        let more = refused - found.first_refused.len() as u64;
        let more = if more > 0 { format!("{more} more like these; ") } else { String::new() };
        let kept = match &rejects {
            Some(file) => format!("all {refused} are in {}", file.display()),
            None => "--rejects FILE keeps them to be mended".to_owned(),
        };
        note(&format!("{more}{kept}"));
    }
    let told = match args.json {
        true => {
            let all =
                serde_json::json!({ "list": order.list, "imported": imported, "rows": found.rows, "refused": refused });
            print(&format!("{all}\n"))
        }
        false => print(&sentences(&order, &imported, &found)),
    };
    match imported.end {
        ImportEnd::Done | ImportEnd::Same | ImportEnd::Tried => Ok(told),
        ImportEnd::Shrunk | ImportEnd::Empty | ImportEnd::Broken => Ok(ExitCode::FAILURE),
    }
}

/// The reading half: numbers become keys here, so that none leaves this thread as it is where hashes are kept.
fn pump(reading: &Reading, numbers: &NumberPolicy, to: &mpsc::Sender<Batch>) -> Result<Found, String> {
    let shows = io::stderr().is_terminal();
    let take = |batch: Vec<String>| {
        let keys = batch.into_iter().map(|number| numbers.key(&Pii::new(number)).into_inner()).collect();
        to.blocking_send(Batch::Numbers(Pii::new(keys))).is_ok()
    };
    let found = reading.run(take, |rows| {
        if shows {
            // Nobody is left to be told when even this fails.
            let _ = write!(io::stderr(), "\r{rows} rows read ");
        }
    });
    if shows {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let found = found?;
    to.blocking_send(Batch::Whole).map_err(|_| "it was broken off".to_owned())?;
    Ok(found)
}

fn sentences(order: &ImportOrder, imported: &Imported, found: &Found) -> String {
    let Imported { numbers, repeated, before, added, dropped, changed, end } = *imported;
    let name = &order.list.name;
    let column = found
        .heading
        .as_ref()
        .map_or(String::new(), |heading| format!(" in column `{}`", super::super::harmless(heading)));
    let refused: u64 = found.refused.values().sum();
    let mut text = format!(
        "{} rows: {numbers} numbers{column}, {repeated} of them repeated, {refused} rows refused.\n",
        found.rows
    );
    let counts = format!("{added} added, {dropped} lifted, {} kept", before - dropped);
    let now = before - dropped + added;
    text.push_str(&match end {
        ImportEnd::Done if changed > 0 => {
            format!("List `{name}`: {counts}, {changed} of which are closed until another time; {now} numbers are on it now.\n")
        }
        ImportEnd::Done => format!("List `{name}`: {counts}; {now} numbers are on it now.\n"),
        ImportEnd::Same => format!("List `{name}`: nothing has changed; it counts as read now.\n"),
        ImportEnd::Tried => format!("List `{name}` would have {counts}; nothing was written.\n"),
        ImportEnd::Shrunk => format!(
            "List `{name}` would have {counts}: less than half of it would be left, as after a download that broke off. \
             Nothing was written; --even-if-shorter does it.\n"
        ),
        ImportEnd::Empty => format!("There is no number in it; list `{name}` stays as it was.\n"),
        ImportEnd::Broken => format!("It was not read to its end; list `{name}` stays as it was.\n"),
    });
    text
}
