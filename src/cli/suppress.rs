//! `trunkline suppress`: whom not to call, and why. Works beside a running `trunkline serve`, whose next look-up already
//! knows what was closed here.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rand::Rng as _;

use self::number::REGIONS;
use super::{Halt, complain, fail, note, print, unwritten};
use crate::config::Config;
use crate::pii::Pii;
use crate::store::numbers::{KeepNumbers, NumberPolicy};
use crate::store::spool::Spool;
use crate::store::sqlite::SqliteStore;
use crate::store::suppression::{BY_HAND, DO_NOT_CALL, EVERYWHERE, Lifted, Lifting, REASONS, Sought, Suppression};
use crate::store::{DATABASE_FILE, Store as _, StoreError};
use crate::time::{Clock as _, SystemClock};

mod export;
mod import;
mod number;
mod read;
mod show;

/// `trunkline suppress`
#[derive(Debug, clap::Args)]
pub struct SuppressArgs {
    #[command(subcommand)]
    what: What,
    /// Settings that say where the data is, and how numbers are kept [default: trunkline.toml, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory itself
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Close every number of a list: a number a line, or CSV or TSV with a column of them
    Import(import::ImportArgs),
    /// Close one number
    Add(AddArgs),
    /// Lift what closes one number; the entry is kept, with who lifted it and why
    Remove(RemoveArgs),
    /// Lists, and how many numbers are closed for which reason
    List(show::ListArgs),
    /// Is this number closed, since when, by what, until when, and what would open it? Ends with 0 when it is open, with
    /// 10 when it is closed
    Check(show::CheckArgs),
    /// Write every entry, those that are over or were lifted too
    Export(export::ExportArgs),
}

/// A number, as a person types it.
#[derive(Debug, clap::Args)]
struct Typed {
    /// The number, with its country: +12025550123
    number: String,
    /// Whose number it is when its country is left out
    #[arg(long, value_name = "COUNTRY", value_parser = REGIONS)]
    region: Option<String>,
}

/// `trunkline suppress add`
#[derive(Debug, clap::Args)]
struct AddArgs {
    #[command(flatten)]
    typed: Typed,
    /// Why, in a word of the rules: do_not_call, opt_out, attorney, deceased, wrong_number, …
    #[arg(long, value_name = "WORD", default_value = DO_NOT_CALL, value_parser = reason)]
    reason: String,
    /// For which plan or campaign
    #[arg(long, value_name = "NAME", default_value = EVERYWHERE, value_parser = named)]
    scope: String,
    /// Who says so
    #[arg(long, value_name = "TEXT", default_value = BY_HAND, value_parser = named)]
    source: String,
    /// What else is to be known: how they asked, where the letter is
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Until the end of that day, or until that moment [default: for good]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

/// `trunkline suppress remove`
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    #[command(flatten)]
    typed: Typed,
    /// Why it is lifted: kept as proof
    #[arg(long, value_name = "TEXT", value_parser = named)]
    note: String,
    /// Only entries for this reason
    #[arg(long, value_name = "WORD", value_parser = reason)]
    reason: Option<String>,
    /// Only entries for this plan or campaign, or `global`
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// The entry of this list instead; the next import of the list closes the number again if it still stands there
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    /// Also what the person asked for themselves
    #[arg(long)]
    lift_opt_out: bool,
}

/// Where it all is, who asks and when.
struct Desk {
    data_dir: PathBuf,
    numbers: NumberPolicy,
    keeps: KeepNumbers,
    now: Timestamp,
    zone: TimeZone,
    by: String,
}

/// Does what was asked.
pub fn run(args: SuppressArgs) -> ExitCode {
    let config = match Config::load_without_passwords(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let done = Desk::open(&config, args.data).and_then(|desk| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        runtime.block_on(desk.answer(args.what))
    });
    match done {
        Ok(code) => code,
        Err(Halt::Failed(why)) => fail(&why),
        Err(Halt::Unwritten(error)) => unwritten(&error),
    }
}

impl Desk {
    fn open(config: &Config, data: Option<PathBuf>) -> Result<Self, Halt> {
        let data_dir = data.unwrap_or_else(|| config.data_dir.clone());
        let keeps = config.privacy.numbers;
        let numbers = NumberPolicy::open(keeps, &data_dir, rand::rng().random()).map_err(|error| error.to_string())?;
        let now = SystemClock.now().wall;
        Ok(Self { data_dir, numbers, keeps, now, zone: TimeZone::system(), by: who() })
    }

    async fn answer(&self, what: What) -> Result<ExitCode, Halt> {
        let reads = matches!(what, What::List(_) | What::Check(_) | What::Export(_));
        let store = self.store(reads).await?;
        let done = match what {
            What::Import(args) => import::run(self, &store, args).await,
            What::Add(args) => self.add(&store, args).await,
            What::Remove(args) => self.remove(&store, args).await,
            What::List(args) => show::list(self, &store, args).await,
            What::Check(args) => show::check(self, &store, args).await,
            What::Export(args) => export::run(self, &store, args).await,
        };
        // What was written is folded into the file; it is safe before that.
        store.close().await;
        done
    }

    /// Only to read, where there is something to be read; else made, so that there is.
    async fn store(&self, reads: bool) -> Result<SqliteStore, Halt> {
        let file = self.data_dir.join(DATABASE_FILE);
        if reads {
            let waiting = Spool::of(&self.data_dir).waiting();
            if waiting > 0 {
                let folder = Spool::of(&self.data_dir).folder().display().to_string();
                note(&format!("{waiting} calls or closed numbers wait in {folder} for the database; its log says why"));
            }
            match SqliteStore::open_read_only(&file).await {
                Err(StoreError::Missing { .. }) => {}
                other => return Ok(other.map_err(said)?),
            }
        }
        Ok(SqliteStore::open(&file).await.map_err(said)?)
    }

    fn number(&self, typed: &Typed) -> Result<(Pii<String>, Sought), Halt> {
        let whole = number::read(&typed.number, typed.region.as_deref()).map_err(|fault| match fault {
            number::Fault::Empty => "no number was given".to_owned(),
            fault => format!("what was typed {}", fault.sentence()),
        })?;
        let number = Pii::new(whole);
        let sought = self.numbers.sought(&number, typed.region.as_deref());
        Ok((number, sought))
    }

    async fn add(&self, store: &SqliteStore, args: AddArgs) -> Result<ExitCode, Halt> {
        let (number, sought) = self.number(&args.typed)?;
        let expires_at = args.expires.as_deref().map(|text| self.until(text, "--expires")).transpose()?;
        warn_of_reason(&args.reason);
        let entry = Suppression {
            number: self.numbers.key(&number),
            scope: args.scope,
            reason: args.reason,
            source: args.source,
            list: None,
            call: None,
            said: None,
            note: args.note.filter(|text| !text.trim().is_empty()).map(Pii::new),
            by: Some(self.by.clone()),
            created_at: self.now,
            expires_at,
            lifted: None,
        };
        store.suppress(std::slice::from_ref(&entry)).await.map_err(said)?;
        let entries = store.entries(&sought).await.map_err(said)?;
        let of_kind = |held: &&Suppression| {
            held.holds(self.now)
                && (&held.scope, &held.reason, &held.source) == (&entry.scope, &entry.reason, &entry.source)
                && held.list.is_none()
        };
        let held =
            entries.iter().find(of_kind).ok_or("the entry is not there; this is a bug, please report it".to_owned())?;
        let shown = number.reveal();
        let told = match *held == entry {
            true => format!("{shown} is closed from now on: {}.\n", show::entry(held, &self.zone)),
            false => {
                format!("{shown} was closed already, and nothing has changed: {}.\n", show::entry(held, &self.zone))
            }
        };
        Ok(print(&told))
    }

    async fn remove(&self, store: &SqliteStore, args: RemoveArgs) -> Result<ExitCode, Halt> {
        let (number, sought) = self.number(&args.typed)?;
        let which = Lifting { scope: args.scope, reason: args.reason, list: args.list, opt_outs: args.lift_opt_out };
        let lifted = Lifted { at: self.now, by: self.by.clone(), why: Pii::new(args.note) };
        let gone = store.lift(&sought, &which, &lifted).await.map_err(said)?;
        let entries = store.entries(&sought).await.map_err(said)?;
        let shown = number.reveal();
        let mut text = String::new();
        for entry in &gone {
            text.push_str(&format!("Lifted: {}. The entry is kept.\n", show::entry(entry, &self.zone)));
        }
        let mut left = false;
        for entry in entries.iter().filter(|entry| entry.holds(self.now)) {
            left = true;
            text.push_str(&format!(
                "{shown} stays closed: {}; {}.\n",
                show::entry(entry, &self.zone),
                show::opens(entry)
            ));
        }
        match (gone.is_empty(), left) {
            (true, true) => text.push_str("Nothing was lifted.\n"),
            (true, false) => text.push_str(&format!("{shown} is not closed; nothing was lifted.\n")),
            (false, true) => {}
            (false, false) => text.push_str(&format!("{shown} is open.\n")),
        }
        let ended = print(&text);
        Ok(if gone.is_empty() { ExitCode::FAILURE } else { ended })
    }

    /// A day, whole, or a moment; both still to come.
    fn until(&self, text: &str, option: &str) -> Result<Timestamp, Halt> {
        let wrong = || format!("{option} {text:?} is no time; write it like 2027-01-31 or 2027-01-31T18:00");
        let trimmed = text.trim();
        let civil = trimmed.replace(' ', "T");
        let end = if let Ok(moment) = trimmed.parse::<Timestamp>() {
            moment
        } else if civil.contains('T') {
            let moment = civil.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
            moment.to_zoned(self.zone.clone()).map_err(|_| wrong())?.timestamp()
        } else {
            let day = trimmed.parse::<jiff::civil::Date>().map_err(|_| wrong())?;
            let next = day.checked_add(1.day()).map_err(|_| wrong())?;
            next.to_zoned(self.zone.clone()).map_err(|_| wrong())?.timestamp()
        };
        match end > self.now {
            // What a database's time can hold.
            true if i64::try_from(end.as_nanosecond()).is_err() => {
                Err(format!("{option} {text:?} is too far away; leave it out, and it is for good").into())
            }
            true => Ok(end),
            false => Err(format!("{option} {text:?} is over already; nobody would be closed by it").into()),
        }
    }

    /// Why numbers look as they do, where they do not look like numbers.
    fn explain_hashes(&self) {
        let setting = match self.keeps {
            KeepNumbers::Full => return,
            KeepNumbers::Last4 => "last4",
            KeepNumbers::Hashed => "hashed",
        };
        note(&format!(
            "privacy.numbers = \"{setting}\": a number closed since then is kept, and shown, as a hash (#…)"
        ));
    }
}

fn said(error: StoreError) -> String {
    error.to_string()
}

/// A word of the rules, or of the house.
fn reason(text: &str) -> Result<String, String> {
    let word = text.trim();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match word.bytes().all(plain) && word.starts_with(|first: char| first.is_ascii_lowercase()) && word.len() <= 40 {
        true => Ok(word.to_owned()),
        false => Err(format!("a reason is one word like do_not_call; rules know {}", REASONS.join(", "))),
    }
}

/// The number is closed to us whatever the word; but a rule that names reasons may not mean this one.
fn warn_of_reason(reason: &str) {
    if !REASONS.contains(&reason) {
        note(&format!("no rule names the reason `{reason}`; they know {}", REASONS.join(", ")));
    }
}

/// Any text but none.
fn named(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Who asks, as the machine knows them: whoever became root to do it, else whose process it is.
fn who() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let number =
        || std::fs::metadata(Path::new("/proc/self")).map_or_else(|_| "?".to_owned(), |own| own.uid().to_string());
    named.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| format!("user {}", number()))
}
