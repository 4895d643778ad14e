//! A list as rows of cells: from text with a comma, semicolon, tab or pipe between them, or from a spreadsheet.
//!
//! RFC 4180 and what is really sent: quotes with line ends inside, `""` for a quote, rows that are too short or too
//! long. A quote that is never closed costs one row, not the rest of the file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::sheet;
use super::text::{Lines, Writing, writing};

/// Most columns.
pub const MOST_COLUMNS: usize = 4096;
/// A quoted cell that goes on for more lines, or more bytes, was never closed.
const LONGEST_CELL: (usize, usize) = (100, 64 * 1024);
/// Lines from which the delimiter is known.
const SAMPLE: usize = 50;
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// One row as it stands in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// Line of the text on which it begins, or row of the sheet; from 1.
    pub line: u64,
    /// Its cells; there may be fewer, or more, than the header has.
    pub cells: Vec<String>,
    /// Why it cannot even be taken apart.
    pub trouble: Option<&'static str>,
}

/// A list on disk, looked at but not read.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    kind: Kind,
    /// Names of its columns; those without one, or with that of another, are told apart by a number.
    pub header: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Text { writing: Writing, delimiter: char },
    Sheet(String),
}

/// Why a list cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file.
    #[error("{0}")]
    File(#[from] io::Error),
    /// What is in it.
    #[error("{0}")]
    Content(String),
}

impl Table {
    /// Looks at the list in `path`; `sheet` is the sheet of a workbook, its first if `None`. Blocking.
    ///
    /// # Errors
    ///
    /// A sentence, when it is no list.
    pub fn open(path: &Path, sheet: Option<&str>) -> Result<Self, Unreadable> {
        let mut magic = Vec::new();
        File::open(path)?.take(8).read_to_end(&mut magic)?;
        let content = |why: &str| Err(Unreadable::Content(why.to_owned()));
        if magic.is_empty() {
            return content("it is empty");
        }
        let kind = if magic.starts_with(b"PK\x03\x04") {
            Kind::Sheet(sheet::pick(path, sheet)?)
        } else if magic.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            return content("it is a workbook of the old kind (.xls); save it as .xlsx or CSV");
        } else if magic.starts_with(b"%PDF") {
            return content("it is a PDF; export the list as CSV or .xlsx");
        } else if sheet.is_some() {
            return content("it is text and has no sheets; leave `--sheet` out");
        } else {
            let writing = writing(File::open(path)?)?;
            Kind::Text { writing, delimiter: delimiter(File::open(path)?, writing)? }
        };
        let mut table = Self { path: path.to_owned(), kind, header: Vec::new() };
        let mut first = None;
        table.walk(&mut |row, _| {
            first = Some(row.clone());
            ControlFlow::Break(())
        })?;
        let Some(first) = first else { return content("it holds no row") };
        if first.trouble.is_some() || first.cells.len() > MOST_COLUMNS {
            return content("its first row names no columns: it is too long, or a quote in it is never closed");
        }
        let is_figure = |cell: &String| cell.chars().filter(char::is_ascii_digit).count() >= 7;
        if first.cells.iter().any(is_figure) {
            return content(
                "its first row has numbers where the names of the columns should stand; put names above it",
            );
        }
        if first.cells.iter().any(|cell| cell.contains('\0')) {
            return content("it is no text; export the list as CSV or .xlsx");
        }
        table.header = told_apart(first.cells);
        Ok(table)
    }

    /// Of which bytes, with what between the cells: `UTF-8, comma`.
    pub fn manner(&self) -> String {
        match &self.kind {
            Kind::Text { writing, delimiter } => {
                let name = match delimiter {
                    ',' => "commas",
                    ';' => "semicolons",
                    '\t' => "tabs",
                    _ => "pipes",
                };
                format!("text in {}, {name} between its cells", writing.name())
            }
            Kind::Sheet(name) => format!("sheet `{name}` of a workbook"),
        }
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Hands every row below the header to `take`, with the bytes read so far, until it has enough. Blank rows are left
    /// out. Blocking.
    ///
    /// # Errors
    ///
    /// The file cannot be read on.
    pub fn each(&self, mut take: impl FnMut(&mut Raw, u64) -> ControlFlow<()>) -> Result<(), Unreadable> {
        let mut header = true;
        self.walk(&mut |row, bytes| {
            if std::mem::take(&mut header) {
                return ControlFlow::Continue(());
            }
            // What a spreadsheet would have counted as a formula was written with a quote before it.
            for cell in row.cells.iter_mut().filter(|cell| cell.starts_with('\'')) {
                if cell[1..].starts_with(super::report::FORMULA) {
                    cell.remove(0);
                }
            }
            take(row, bytes)
        })
    }

    fn walk(&self, take: &mut dyn FnMut(&mut Raw, u64) -> ControlFlow<()>) -> Result<(), Unreadable> {
        match &self.kind {
            Kind::Sheet(name) => sheet::each(&self.path, name, take),
            Kind::Text { writing, delimiter } => {
                let mut rows = Rows::new(Lines::new(File::open(&self.path)?, *writing), *delimiter);
                let mut row = Raw::default();
                while rows.next(&mut row)? {
                    let blank = row.trouble.is_none() && row.cells.iter().all(|cell| cell.trim().is_empty());
                    if !blank && take(&mut row, rows.lines.bytes).is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Every column with a name of its own.
fn told_apart(cells: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(cells.len());
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for (place, cell) in cells.iter().enumerate() {
        let words = cell.trim_start_matches('\u{feff}').split_whitespace().collect::<Vec<_>>().join(" ");
        let name = if words.is_empty() { format!("column {}", place + 1) } else { words };
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        names.push(if *count == 1 { name } else { format!("{name} ({count})") });
    }
    names
}

/// What stands between the cells: the sign that most lines have, and equally often.
fn delimiter(bytes: impl Read, writing: Writing) -> io::Result<char> {
    let mut lines = Lines::new(bytes, writing);
    let mut line = String::new();
    let mut counts: [Vec<usize>; DELIMITERS.len()] = Default::default();
    let mut quoted = false;
    let mut seen = 0;
    while seen < SAMPLE && lines.next(&mut line)?.is_some() {
        // Excel says it outright.
        if let Some(named) = line.strip_prefix("sep=").and_then(|rest| rest.chars().next()).filter(|_| seen == 0) {
            return Ok(named);
        }
        let mut found = [0; DELIMITERS.len()];
        for letter in line.chars() {
            quoted ^= letter == '"';
            if let Some(at) = DELIMITERS.iter().position(|sign| *sign == letter && !quoted) {
                found[at] += 1;
            }
        }
        for (counts, found) in counts.iter_mut().zip(found) {
            counts.push(found);
        }
        seen += usize::from(!line.trim().is_empty());
    }
    let rank = |counts: &[usize]| {
        let first = counts.first().copied().unwrap_or_default();
        // The header decides; that others agree with it, and how often it stands there, weigh less.
        (first > 0, counts.iter().filter(|count| **count == first && first > 0).count(), first)
    };
    let best = (0..DELIMITERS.len()).rev().max_by_key(|at| rank(&counts[*at])).unwrap_or_default();
    Ok(DELIMITERS[best])
}

/// Rows out of lines.
struct Rows<R> {
    lines: Lines<R>,
    delimiter: char,
    /// Lines that were read for a quote that is never closed, and must be read again.
    again: VecDeque<(String, bool)>,
    line: String,
    /// Number of the line read last.
    number: u64,
}

impl<R: Read> Rows<R> {
    fn new(lines: Lines<R>, delimiter: char) -> Self {
        Self { lines, delimiter, again: VecDeque::new(), line: String::new(), number: 0 }
    }

    fn read(&mut self) -> io::Result<Option<bool>> {
        let whole = match self.again.pop_front() {
            Some((line, whole)) => {
                self.line = line;
                Some(whole)
            }
            None => self.lines.next(&mut self.line)?,
        };
        self.number += u64::from(whole.is_some());
        Ok(whole)
    }

    /// Reads the next row into `row`; `false` at the end.
    fn next(&mut self, row: &mut Raw) -> io::Result<bool> {
        row.trouble = None;
        let Some(mut whole) = self.read()? else { return Ok(false) };
        if self.number == 1 && self.line.starts_with("sep=") {
            let Some(more) = self.read()? else { return Ok(false) };
            whole = more;
        }
        row.line = self.number;
        let mut open = cut(&self.line, self.delimiter, &mut row.cells, None);
        if open {
            open = self.gather(row, &mut whole)?;
        }
        if open {
            row.trouble = Some("a quote is opened in it and never closed");
        } else if !whole {
            row.trouble = Some("it is longer than any row of a list");
        } else if row.cells.iter().any(|cell| cell.contains('\u{fffd}')) {
            row.trouble =
                Some("it has letters of another encoding than the rest of the file; save the whole list as UTF-8");
        }
        Ok(true)
    }

    /// Reads on until the quote is closed; `true` when it never is: then the row is its first line alone.
    fn gather(&mut self, row: &mut Raw, whole: &mut bool) -> io::Result<bool> {
        let first = self.line.clone();
        let mut taken: VecDeque<(String, bool)> = VecDeque::new();
        let mut bytes = 0;
        while taken.len() < LONGEST_CELL.0 && bytes < LONGEST_CELL.1 {
            let Some(more) = self.read()? else { break };
            bytes += self.line.len();
            let open = cut(&self.line, self.delimiter, &mut row.cells, Some('\n'));
            taken.push_back((self.line.clone(), more));
            if !open {
                *whole &= taken.iter().all(|(_, whole)| *whole);
                return Ok(false);
            }
        }
        self.number -= taken.len() as u64;
        taken.append(&mut self.again);
        self.again = taken;
        cut(&first, self.delimiter, &mut row.cells, None);
        Ok(true)
    }
}

/// Takes a line apart into `cells`; with `inside`, the last of them goes on after that letter. Is a quote still open?
fn cut(line: &str, delimiter: char, cells: &mut Vec<String>, inside: Option<char>) -> bool {
    let mut place = 0;
    let mut quoted = match inside {
        Some(end) => {
            place = cells.len().saturating_sub(1);
            cells[place].push(end);
            true
        }
        None => {
            renew(cells, 0);
            false
        }
    };
    // A line without a quote, which most are, needs no look at its letters.
    if !quoted && !line.contains('"') {
        for (at, piece) in line.split(delimiter).enumerate() {
            place = at;
            renew(cells, at);
            cells[at].push_str(piece);
        }
        cells.truncate(place + 1);
        return false;
    }
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let cell = &mut cells[place];
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            // A quote opens at the beginning of a cell only: 6" pipe is no quotation.
            '"' if cell.is_empty() => quoted = true,
            _ if letter == delimiter && !quoted => {
                place += 1;
                renew(cells, place);
            }
            _ => cell.push(letter),
        }
    }
    cells.truncate(place + 1);
    quoted
}

/// An empty cell at `place`, in the memory of the one that was there.
fn renew(cells: &mut Vec<String>, place: usize) {
    match cells.get_mut(place) {
        Some(cell) => cell.clear(),
        None => cells.push(String::new()),
    }
}
