//! A sheet of an XLSX workbook as rows of cells.
//!
//! Cells are typed: a number keeps all its digits, a day is written as 2026-11-22 whatever it looks like in the sheet.
//! The texts of a workbook lie in one table that must be in memory; its rows are read one at a time.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, Xlsx};

use super::table::{MOST_COLUMNS, Raw, Unreadable};
use crate::dialplan::diagnostic::{listed, nearest};

/// Larger is no list, or means harm.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// Numbers beyond this have lost digits: a double holds no more.
const EXACT: f64 = 9_007_199_254_740_992.0;

type Book = Xlsx<BufReader<File>>;

fn open(path: &Path) -> Result<Book, Unreadable> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MOST_BYTES {
        return Err(Unreadable::Content("it has more than 512 MB; export the list as CSV".to_owned()));
    }
    Xlsx::new(BufReader::new(file)).map_err(broken)
}

fn broken(error: calamine::XlsxError) -> Unreadable {
    Unreadable::Content(format!("it is no workbook that can be read ({error}); save it again, or export it as CSV"))
}

/// The sheet called so; the first, when none is named.
pub(super) fn pick(path: &Path, name: Option<&str>) -> Result<String, Unreadable> {
    let book = open(path)?;
    let sheets: Vec<&str> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.as_str())
        .collect();
    match name {
        None => sheets.first().map(|name| (*name).to_owned()),
        Some(name) => sheets.iter().find(|sheet| **sheet == name).map(|name| (*name).to_owned()),
    }
    .ok_or_else(|| {
        let wanted = name.unwrap_or_default();
        Unreadable::Content(match nearest(wanted, sheets.iter().copied()) {
            Some(right) => format!("it has no sheet `{wanted}`; did you mean `{right}`?"),
            None if sheets.is_empty() => "it has no sheet".to_owned(),
            None => format!("it has no sheet `{wanted}`, but {}", listed(sheets.iter().copied())),
        })
    })
}

/// Hands over every row that is not blank.
pub(super) fn each(
    path: &Path,
    name: &str,
    take: &mut dyn FnMut(&mut Raw, u64) -> ControlFlow<()>,
) -> Result<(), Unreadable> {
    let mut book = open(path)?;
    let mut cells = book.worksheet_cells_reader(name).map_err(broken)?;
    let mut row = Raw::default();
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (at, column) = cell.get_position();
        let line = u64::from(at) + 1;
        if line != row.line {
            if hand(&mut row, take).is_break() {
                return Ok(());
            }
            row = Raw { line, ..Raw::default() };
        }
        let text = written(cell.get_value());
        let column = column as usize;
        if text.is_empty() {
            continue;
        }
        if column >= MOST_COLUMNS {
            row.trouble = Some("it is longer than any row of a list");
            continue;
        }
        if row.cells.len() <= column {
            row.cells.resize(column + 1, String::new());
        }
        row.cells[column] = text;
    }
    let _ = hand(&mut row, take);
    Ok(())
}

fn hand(row: &mut Raw, take: &mut dyn FnMut(&mut Raw, u64) -> ControlFlow<()>) -> ControlFlow<()> {
    let blank = row.trouble.is_none() && row.cells.iter().all(|cell| cell.trim().is_empty());
    // How far a compressed file has been read says nothing: only lines are counted.
    if blank { ControlFlow::Continue(()) } else { take(row, 0) }
}

/// A cell as text.
fn written(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => figure(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::DateTime(moment) => when(moment),
        // Spreadsheets write #N/A: nobody's number, name or amount.
        DataRef::Error(error) => error.to_string(),
    }
}

/// All digits of a number, without an exponent: telephone numbers are stored so.
fn figure(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < EXACT { format!("{number:.0}") } else { number.to_string() }
}

fn when(moment: &ExcelDateTime) -> String {
    if moment.is_duration() {
        return figure(moment.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second) {
        (0, 0, 0) => date,
        // A time of day alone has the day before all days.
        _ if moment.as_f64() < 1.0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}"),
    }
}
