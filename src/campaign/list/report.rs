//! What reading a list came to: for people, for machines, and the rows in quarantine as a list of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::REASON;
use super::row::{Entry, Placed, Reject};
use super::table::Raw;

/// A cell that begins so is taken for a formula by spreadsheets, and may do anything there.
pub const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// First lines told of each reason.
const FIRST: usize = 5;
/// Most reasons told apart.
const MOST_REASONS: usize = 200;

/// Counts of a list that was read. Nothing in it is personal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows below the header that are not blank.
    pub rows: u64,
    /// Rows that can be called.
    pub good: u64,
    /// Rows put into quarantine.
    pub quarantined: u64,
    /// Why, how often, and where first.
    pub reasons: BTreeMap<String, Told>,
    /// Numbers of the good rows by their kind of line.
    pub numbers: BTreeMap<&'static str, u64>,
    /// Numbers of the good rows by their country.
    pub countries: BTreeMap<String, u64>,
    /// Numbers left out of rows that have a good one too.
    pub left_out: BTreeMap<String, Told>,
    /// How the time zones of the good rows' numbers are known.
    pub zones: Zones,
    /// Rows of a person who stands in a row before, with another number or debt.
    pub again: u64,
    /// Rows with a consent.
    pub consent: u64,
}

/// How often, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Rows.
    pub count: u64,
    /// The first of them.
    pub lines: Vec<u64>,
}

/// How time zones are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Zones {
    /// The list says it.
    pub listed: u64,
    /// The number is tied to a place.
    pub sure: u64,
    /// One zone, if the person has not moved.
    pub perhaps: u64,
    /// Several: people are called only while all of them allow it.
    pub several: u64,
}

impl Report {
    /// Counts a row.
    pub fn count(&mut self, read: &Result<Entry, Reject>) {
        self.rows += 1;
        match read {
            Ok(entry) => self.count_good(entry),
            Err(reject) => {
                self.quarantined += 1;
                tell(&mut self.reasons, &reject.reason, reject.line);
            }
        }
    }

    fn count_good(&mut self, entry: &Entry) {
        self.good += 1;
        self.again += u64::from(entry.again.is_some());
        self.consent += u64::from(entry.consent.is_some());
        for number in &entry.numbers {
            *self.numbers.entry(number.line.name()).or_default() += 1;
            match self.countries.get_mut(number.country) {
                Some(count) => *count += 1,
                None => {
                    self.countries.insert(number.country.to_owned(), 1);
                }
            }
            match number.placed {
                Placed::Listed => self.zones.listed += 1,
                Placed::Sure => self.zones.sure += 1,
                Placed::Perhaps => self.zones.perhaps += 1,
                Placed::Several => self.zones.several += 1,
            }
        }
        for why in &entry.left_out {
            tell(&mut self.left_out, why, entry.line);
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        line(format!("{} rows: {} good, {} in quarantine", self.rows, self.good, self.quarantined));
        for (reason, told) in ranked(&self.reasons) {
            line(format!("  {:>7}  {reason} ({})", told.count, lines(told)));
        }
        if !self.left_out.is_empty() {
            line("numbers left out of good rows".to_owned());
        }
        for (reason, told) in ranked(&self.left_out) {
            line(format!("  {:>7}  {reason} ({})", told.count, lines(told)));
        }
        let total: u64 = self.numbers.values().sum();
        if total > 0 {
            let kinds = self.numbers.iter().map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")));
            let countries = self.countries.iter().map(|(country, count)| {
                format!("{count} {}", if country.is_empty() { "of several countries" } else { country })
            });
            line(format!("numbers: {}", kinds.collect::<Vec<_>>().join(", ")));
            line(format!("countries: {}", countries.collect::<Vec<_>>().join(", ")));
            let Zones { listed, sure, perhaps, several } = self.zones;
            line(format!(
                "time zones: {listed} said by the list, {sure} sure, {perhaps} likely by their prefix, {several} unsure \
                 (called only while every zone they may be in allows it)"
            ));
        }
        if self.again > 0 {
            line(format!("rows of a person who stands there before, with another number or debt: {}", self.again));
        }
        line(format!("consent: {} of the good rows", self.consent));
        out
    }
}

fn tell(reasons: &mut BTreeMap<String, Told>, reason: &str, line: u64) {
    // A bound, should every row have a reason of its own.
    let key = if reasons.contains_key(reason) || reasons.len() < MOST_REASONS { reason } else { "other reasons" };
    if !reasons.contains_key(key) {
        reasons.insert(key.to_owned(), Told::default());
    }
    if let Some(told) = reasons.get_mut(key) {
        told.count += 1;
        if told.lines.len() < FIRST {
            told.lines.push(line);
        }
    }
}

fn ranked(reasons: &BTreeMap<String, Told>) -> Vec<(&String, &Told)> {
    let mut ranked: Vec<_> = reasons.iter().collect();
    ranked.sort_by_key(|(_, told)| std::cmp::Reverse(told.count));
    ranked
}

fn lines(told: &Told) -> String {
    let list: Vec<String> = told.lines.iter().map(u64::to_string).collect();
    let more = if told.count > told.lines.len() as u64 { ", …" } else { "" };
    format!("line{} {}{more}", if told.count == 1 { "" } else { "s" }, list.join(", "))
}

/// Rows in quarantine as a list of their own, CSV: the columns as they were, and why. Mended, it can be imported again.
pub struct Quarantine<W> {
    out: W,
    columns: Vec<String>,
    /// Does the list have a column for the reason, from the last time?
    reason: Option<usize>,
}

impl<W: Write> Quarantine<W> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn new(mut out: W, header: &[String]) -> io::Result<Self> {
        let reason = header.iter().position(|name| name == REASON);
        let mut names: Vec<&str> = header.iter().map(String::as_str).collect();
        names.extend(reason.is_none().then_some(REASON));
        // Spreadsheets know by this mark that it is UTF-8.
        out.write_all("\u{feff}".as_bytes())?;
        record(&mut out, names.into_iter())?;
        Ok(Self { out, columns: header.to_vec(), reason })
    }

    /// Writes a row that was put into quarantine.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn put(&mut self, row: &Raw, reject: &Reject) -> io::Result<()> {
        let told = reject.told();
        let width = self.columns.len();
        // What stands beyond the last column is kept in the last one.
        let beyond = row.cells.get(width.saturating_sub(1)..).map(|cells| cells.join(","));
        let cell = |place: usize| match place {
            _ if Some(place) == self.reason => told.as_str(),
            _ if place + 1 == width && row.cells.len() > width => beyond.as_deref().unwrap_or_default(),
            _ => row.cells.get(place).map_or("", String::as_str),
        };
        let last = self.reason.is_none().then_some(told.as_str());
        record(&mut self.out, (0..width).map(cell).chain(last))
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// One line of CSV (RFC 4180), where no cell is a formula.
fn record<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        let guard = if cell.starts_with(FORMULA) { "'" } else { "" };
        if cell.contains(['"', ',', '\n', '\r', ';', '\t']) || cell.starts_with(' ') {
            write!(out, "\"{guard}{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{guard}{cell}")?;
        }
    }
    out.write_all(b"\r\n")
}
