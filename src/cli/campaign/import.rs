//! `trunkline campaign import`: who in a list can be called, and what is wrong with the others.

use std::fs::File;
use std::io::{self, BufRead as _, BufWriter, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::campaign::file::{self, Campaign};
use crate::campaign::list::columns::{Columns, SAMPLES};
use crate::campaign::list::report::{Quarantine, Report};
use crate::campaign::list::row::{self, Days, Reader};
use crate::campaign::list::table::{Table, Unreadable};
use crate::campaign::list::written::Order;
use crate::cli::{complain, fail, print};
use crate::files;

/// Rows by which columns are guessed.
const LOOKED_AT: usize = 200;
/// Letters of a sample that are shown.
const SHOWN: usize = 24;
/// Rows between two looks at the progress bar.
const STEP: u64 = 1024;

/// `trunkline campaign import`
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The list: CSV, TSV or XLSX
    list: PathBuf,
    /// The campaign that is to call them
    #[arg(long, value_name = "FILE")]
    campaign: PathBuf,
    /// Read and judge every row, and store nothing
    #[arg(long)]
    dry_run: bool,
    /// Which column is what, where the guess is wrong: `phone=Mobile,due=Balance,ignore=Notes`
    #[arg(long, value_name = "WHAT=COLUMN", value_delimiter = ',')]
    map: Vec<String>,
    /// Write the rows in quarantine, with the reason: mend them and import that file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// The sheet of a workbook, if not its first
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Take the columns as they are guessed, without asking
    #[arg(long)]
    yes: bool,
    /// One JSON object, for machines
    #[arg(long)]
    json: bool,
}

/// Reads the list.
pub fn run(args: &ImportArgs) -> ExitCode {
    if !args.dry_run {
        return fail(&"importing into the database is not there yet: add --dry-run to read and judge the list");
    }
    let campaign = match file::load(&args.campaign) {
        Ok(campaign) => campaign,
        Err(found) => {
            complain(&found);
            return ExitCode::FAILURE;
        }
    };
    match import(args, &campaign) {
        Ok(code) => code,
        Err(why) => fail(&why),
    }
}

fn import(args: &ImportArgs, campaign: &Campaign) -> Result<ExitCode, String> {
    let unreadable = |why: Unreadable| format!("{} cannot be read: {why}", args.list.display());
    let table = Table::open(&args.list, args.sheet.as_deref()).map_err(unreadable)?;
    let mut rows = Vec::new();
    table
        .each(|row, _| {
            rows.push(row.cells.clone());
            if rows.len() < LOOKED_AT { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .map_err(unreadable)?;
    if rows.is_empty() {
        return Err(format!("{} names columns and holds nobody", args.list.display()));
    }
    let columns = Columns::of(campaign, &table.header, &rows, &args.map).map_err(|wrong| wrong.join("\n"))?;
    if !args.json {
        complain(&format!("{} is {}", args.list.display(), table.manner()));
        complain(&shown(campaign, &columns));
    }
    if !args.yes && !agreed()? {
        return Ok(ExitCode::FAILURE);
    }
    let days = row::orders(&table, &columns, campaign).map_err(unreadable)?;
    let quarantine = args.rejects.as_deref().map(|path| Rejects::begin(path, &args.list)).transpose()?;
    let mut quarantine = match quarantine {
        Some(rejects) => Some((rejects.part.clone(), rejects.open(&table.header)?, rejects.path)),
        None => None,
    };
    let bar = bar(&table, args.json);
    let (mut report, mut reader) = (Report::default(), Reader::new(campaign, &columns, &days));
    let mut unwritten = None;
    let read = table.each(|row, bytes| {
        let found = reader.read(row);
        if let (Err(reject), Some((_, out, _))) = (&found, quarantine.as_mut())
            && let Err(error) = out.put(row, reject)
        {
            unwritten = Some(error);
            return ControlFlow::Break(());
        }
        report.count(&found);
        if report.rows.is_multiple_of(STEP) {
            bar.set_position(bytes);
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let read = read.map_err(unreadable);
    let written = match unwritten {
        Some(error) => Err(error),
        None => Ok(()),
    };
    if let Some((part, out, path)) = quarantine {
        let ended = written.and_then(|()| finish(out.into_inner(), &part, &path));
        if ended.is_err() || read.is_err() {
            // Half a file of rejects would hide the other half.
            let _ = std::fs::remove_file(&part);
        }
        ended.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    read?;
    Ok(told(args, campaign, &columns, &days, &table, &report))
}

fn told(
    args: &ImportArgs,
    campaign: &Campaign,
    columns: &Columns,
    days: &std::collections::BTreeMap<usize, Days>,
    table: &Table,
    report: &Report,
) -> ExitCode {
    if args.json {
        let named = columns.all.iter().map(|column| {
            let role = column.role.map(|role| Columns::role_name(campaign, role));
            json!({ "column": column.name, "is": role, "how": column.how })
        });
        let named: Vec<_> = named.collect();
        let days: Vec<_> =
            days.iter().map(|(place, days)| json!({ "column": columns.all[*place].name, "days": days })).collect();
        let all = json!({
            "campaign": campaign.name, "list": table.manner(), "columns": named, "dates": days, "report": report,
            "stored": false,
        });
        return print(&format!("{all}\n"));
    }
    let mut text = String::new();
    for (place, days) in days {
        let said = match days {
            Days::Known(Order::DayFirst) => "day first, as its own dates show",
            Days::Known(Order::MonthFirst) => "month first, as its own dates show",
            Days::Assumed(Order::DayFirst) => "day first, as in the campaign's region: no date of it shows which",
            Days::Assumed(Order::MonthFirst) => "month first, as in the campaign's region: no date of it shows which",
            Days::Mixed => "some with the day first and some with the month: write them like 2026-11-22",
        };
        text.push_str(&format!("dates in `{}`: {said}\n", columns.all[*place].name));
    }
    text.push_str(&report.text());
    if let Some(path) = args.rejects.as_deref().filter(|_| report.quarantined > 0) {
        text.push_str(&format!("the rows in quarantine are in {}: mend them and import that file\n", path.display()));
    }
    text.push_str("nothing was stored (--dry-run)\n");
    print(&text)
}

/// A table of what the columns are taken for.
fn shown(campaign: &Campaign, columns: &Columns) -> String {
    let mut rows = vec![["column".to_owned(), "is".to_owned(), "why".to_owned(), "for example".to_owned()]];
    for column in &columns.all {
        let is = column.role.map_or("not used".to_owned(), |role| Columns::role_name(campaign, role));
        let samples = column.samples.iter().take(SAMPLES).map(|sample| short(sample));
        rows.push([short(&column.name), is, column.how.name().to_owned(), samples.collect::<Vec<_>>().join(" · ")]);
    }
    let width = |place: usize| rows.iter().map(|row| columns_of(&row[place])).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(width - columns_of(cell) + 2));
        }
        text.push_str(&row[3]);
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// How many columns of a terminal a text takes; Chinese letters take two.
fn columns_of(text: &str) -> usize {
    text.chars().map(|letter| if letter as u32 >= 0x1100 { 2 } else { 1 }).sum()
}

/// A cell of a list on a terminal: one line, cut, and nothing in it that moves the cursor.
fn short(cell: &str) -> String {
    let clean = crate::cli::harmless(cell);
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Asks whether the columns are right.
fn agreed() -> Result<bool, String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(
            "nobody is there to say whether these columns are right; add --yes, and --map where one is not".to_owned()
        );
    }
    complain(&"Is that right? [y/N] (correct it with --map)");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| format!("the answer cannot be read: {error}"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "好"))
}

fn bar(table: &Table, json: bool) -> ProgressBar {
    if json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}");
    ProgressBar::new(table.bytes()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The file of rejects: private, whole or absent.
struct Rejects {
    path: PathBuf,
    part: PathBuf,
}

impl Rejects {
    fn begin(path: &Path, list: &Path) -> Result<Self, String> {
        let same =
            std::fs::canonicalize(path).ok().is_some_and(|found| std::fs::canonicalize(list).ok() == Some(found));
        if same {
            return Err(format!("{} is the list itself; write the rejects to another file", path.display()));
        }
        let name = path.file_name().ok_or_else(|| format!("{} names no file", path.display()))?;
        let part = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        Ok(Self { path: path.to_owned(), part })
    }

    fn open(&self, header: &[String]) -> Result<Quarantine<BufWriter<File>>, String> {
        let told = |error: io::Error| format!("{} cannot be written: {error}", self.path.display());
        let file = files::create_private_file(&self.part).map_err(told)?;
        Quarantine::new(BufWriter::new(file), header).map_err(told)
    }
}

fn finish(mut out: BufWriter<File>, part: &Path, path: &Path) -> io::Result<()> {
    out.flush()?;
    out.get_ref().sync_all()?;
    std::fs::rename(part, path)
}
