//! `trunkline suppress export`: every entry, page by page, for a spreadsheet or another program.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::number::tame;
use super::show::Wanted;
use super::{Desk, Halt, note, said};
use crate::files;
use crate::pii::Pii;
use crate::store::Store as _;
use crate::store::sqlite::SqliteStore;
use crate::store::suppression::Suppression;

/// Entries read at once.
const PAGE: u32 = 5_000;
const HEADINGS: [&str; 15] = [
    "number",
    "scope",
    "reason",
    "source",
    "list",
    "state",
    "since",
    "until",
    "by",
    "note",
    "call",
    "said",
    "lifted_at",
    "lifted_by",
    "lifted_why",
];

/// `trunkline suppress export`
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    which: Wanted,
    /// As what
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = ["csv", "json"])]
    format: String,
    /// Where to, a file for its owner only that is not there yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes it all.
pub(super) async fn run(desk: &Desk, store: &SqliteStore, args: ExportArgs) -> Result<ExitCode, Halt> {
    desk.explain_hashes();
    let which = args.which.which(desk)?;
    let mut sheet = Sheet::begin(args.output.as_deref(), args.format == "json")?;
    let (mut place, mut count) = (0, 0);
    loop {
        let (entries, next) = store.page(&which, place, PAGE).await.map_err(said)?;
        for entry in &entries {
            sheet.put(entry, desk)?;
        }
        count += entries.len();
        if next == place {
            break;
        }
        place = next;
    }
    sheet.end()?;
    if let Some(file) = &args.output {
        note(&format!("{count} entries are in {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

enum Sheet {
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    Json { to: Box<dyn Write>, empty: bool },
}

impl Sheet {
    fn begin(file: Option<&Path>, json: bool) -> Result<Self, Halt> {
        let to: Box<dyn Write> = match file {
            Some(file) => {
                let made: io::Result<File> = files::create_private_file(file);
                Box::new(BufWriter::new(made.map_err(|error| format!("{} cannot be made: {error}", file.display()))?))
            }
            None => Box::new(BufWriter::new(io::stdout())),
        };
        if json {
            return Ok(Self::Json { to, empty: true });
        }
        let mut to = csv::Writer::from_writer(to);
        to.write_record(HEADINGS).map_err(of_csv)?;
        Ok(Self::Csv(Box::new(to)))
    }

    fn put(&mut self, entry: &Suppression, desk: &Desk) -> Result<(), Halt> {
        match self {
            Self::Csv(to) => to.write_record(row(entry, desk).map(|cell| tame(&cell))).map_err(of_csv)?,
            Self::Json { to, empty } => {
                to.write_all(if std::mem::take(empty) { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(to, entry).map_err(io::Error::from)?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), Halt> {
        match self {
            Self::Csv(mut to) => to.flush()?,
            Self::Json { mut to, empty } => {
                to.write_all(if empty { b"[]\n" } else { b"\n]\n" })?;
                to.flush()?;
            }
        }
        Ok(())
    }
}

fn row(entry: &Suppression, desk: &Desk) -> [String; 15] {
    let words = |text: &Option<Pii<String>>| text.as_ref().map(|text| text.reveal().clone()).unwrap_or_default();
    let state = match &entry.lifted {
        Some(_) => "lifted",
        None if entry.holds(desk.now) => "closed",
        None => "over",
    };
    let lifted = entry.lifted.as_ref();
    [
        entry.number.reveal().clone(),
        entry.scope.clone(),
        entry.reason.clone(),
        entry.source.clone(),
        entry.list.clone().unwrap_or_default(),
        state.to_owned(),
        entry.created_at.to_string(),
        entry.expires_at.map(|end| end.to_string()).unwrap_or_default(),
        entry.by.clone().unwrap_or_default(),
        words(&entry.note),
        entry.call.as_ref().map(ToString::to_string).unwrap_or_default(),
        words(&entry.said),
        lifted.map(|lifted| lifted.at.to_string()).unwrap_or_default(),
        lifted.map(|lifted| lifted.by.clone()).unwrap_or_default(),
        lifted.map(|lifted| lifted.why.reveal().clone()).unwrap_or_default(),
    ]
}

fn of_csv(error: csv::Error) -> Halt {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Halt::Unwritten(error),
        other => Halt::Failed(format!("cannot write CSV: {other:?}")),
    }
}
