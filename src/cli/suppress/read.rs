//! A file of numbers, line by line, in flat memory: a number a line, or a table with a column of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::number::{Fault, read, tame};
use crate::files;

/// Numbers handed over at once: enough that handing over costs nothing, few enough to fit a processor's cache.
const BATCH: usize = 10_000;
/// Bytes read at once; the first line decides what the file is and has to fit.
const BUFFER_BYTES: usize = 256 * 1024;
/// Lines that one row may fill, as an address in quotes does. A row longer than that has a quote that nobody closed, and
/// would swallow the numbers behind it.
const LONGEST_ROW: u64 = 50;
/// Lines told one by one.
const TOLD: usize = 10;
/// How a column of numbers is called, in lower case and without what stands between words.
const NAMES: [&str; 16] = [
    "phone",
    "phonenumber",
    "number",
    "telephone",
    "telephonenumber",
    "tel",
    "mobile",
    "mobilenumber",
    "mobilephone",
    "cell",
    "cellphone",
    "msisdn",
    "电话",
    "电话号码",
    "手机",
    "手机号",
];

/// What is to be read, and how.
#[derive(Debug)]
pub(super) struct Reading {
    /// The file.
    pub file: PathBuf,
    /// The column, by its heading or its place, where somebody has named it.
    pub column: Option<String>,
    /// Whose numbers they are that leave their country out.
    pub region: Option<String>,
    /// Where lines go that close nobody.
    pub rejects: Option<PathBuf>,
}

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Rows with something in them, the heading not counted.
    pub rows: u64,
    /// How the column is called, where it has a heading.
    pub heading: Option<String>,
    /// Rows that close nobody, by their fault.
    pub refused: BTreeMap<Fault, u64>,
    /// The first of them: line and fault.
    pub first_refused: Vec<(u64, Fault)>,
}

impl Reading {
    /// Reads it all, `take`s numbers in E.164 by the batch until it does not want more, and `tell`s how many rows there
    /// were so far.
    ///
    /// # Errors
    ///
    /// A sentence, when the file is not one of numbers, cannot be read to its end, or has changed meanwhile: then what
    /// was taken is not all.
    pub(super) fn run(
        &self,
        mut take: impl FnMut(Vec<String>) -> bool,
        mut tell: impl FnMut(u64),
    ) -> Result<Found, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{} cannot be read: {error}", self.file.display());
        let file = File::open(&self.file).map_err(|error| failed(&error))?;
        let state = Print::of(&file).map_err(|error| failed(&error))?;
        let watched = file.try_clone().map_err(|error| failed(&error))?;
        let mut rejects = self.rejects.as_deref().map(Rejects::begin).transpose()?;
        let mut rows = self.rows(file)?;
        let mut found = Found::default();
        let (mut record, mut batch) = (ByteRecord::new(), Vec::with_capacity(BATCH));
        let mut column = None;
        while rows.read_byte_record(&mut record).map_err(|error| failed(&error))? {
            let line = record.position().map_or(0, csv::Position::line);
            if rows.position().line().saturating_sub(line) > LONGEST_ROW {
                return Err(format!("{}:{line}  opens a quote that is not closed again", self.file.display()));
            }
            if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            let place = match column {
                Some(place) => place,
                None => {
                    let (place, heading) = self.layout(&record)?;
                    column = Some(place);
                    if heading.is_some() {
                        found.heading = heading;
                        continue;
                    }
                    place
                }
            };
            found.rows += 1;
            let cell = String::from_utf8_lossy(record.get(place).unwrap_or_default());
            match read(&cell, self.region.as_deref()) {
                Ok(number) => batch.push(number),
                Err(fault) => {
                    *found.refused.entry(fault).or_default() += 1;
                    if found.first_refused.len() < TOLD {
                        found.first_refused.push((line, fault));
                    }
                    if let Some(rejects) = &mut rejects {
                        rejects.keep(line, fault, &record)?;
                    }
                }
            }
            if batch.len() == BATCH {
                if !take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) {
                    return Err("it was broken off".to_owned());
                }
                tell(found.rows);
            }
        }
        if Print::of(&watched).map_err(|error| failed(&error))? != state {
            return Err(format!("{} was changed while it was read; read it again", self.file.display()));
        }
        rejects.map_or(Ok(()), Rejects::end)?;
        match batch.is_empty() || take(batch) {
            true => Ok(found),
            false => Err("it was broken off".to_owned()),
        }
    }

    /// Its rows, by the delimiter of its first line; without one a line is a number, whatever quotes stand in it.
    fn rows(&self, file: File) -> Result<Reader<Lines>, String> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
        let begins = input.fill_buf().map_err(|error| format!("{} cannot be read: {error}", self.file.display()))?;
        if begins.starts_with(&[0xff, 0xfe]) || begins.starts_with(&[0xfe, 0xff]) || begins.contains(&0) {
            let file = self.file.display();
            return Err(format!("{file} is no plain text; export it as CSV in UTF-8"));
        }
        let mark = if begins.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let first = begins[mark..].split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty());
        let counts = [b'\t', b',', b';']
            .map(|delimiter| (first.unwrap_or_default().iter().filter(|byte| **byte == delimiter).count(), delimiter));
        let most = counts.into_iter().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 0);
        input.consume(mark);
        let mut layout = ReaderBuilder::new();
        layout.has_headers(false).flexible(true).quoting(most.is_some()).buffer_capacity(BUFFER_BYTES);
        // 0x1f separates units in ASCII, and in nobody's list.
        Ok(layout.delimiter(most.map_or(0x1f, |(_, delimiter)| delimiter)).from_reader(Lines {
            from: input,
            begins: true,
            returned: false,
        }))
    }

    /// Which column holds the numbers, and its heading where this row holds headings.
    fn layout(&self, first: &ByteRecord) -> Result<(usize, Option<String>), String> {
        let cells: Vec<String> = first.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let region = self.region.as_deref();
        let numbers = || cells.iter().position(|cell| read(cell, region).is_ok());
        let heading = |place: usize| Some(cells[place].clone());
        if let Some(wanted) = &self.column {
            if let Some(place) = cells.iter().position(|cell| same(cell) == same(wanted)) {
                return Ok((place, heading(place)));
            }
            let place = wanted.parse::<usize>().ok().filter(|place| (1..=cells.len()).contains(place));
            return match place {
                Some(place) if numbers().is_some() => Ok((place - 1, None)),
                Some(place) => Ok((place - 1, heading(place - 1))),
                None => Err(self.no_column(&format!("has no column `{wanted}`"), &cells)),
            };
        }
        if let Some(place) = numbers() {
            return Ok((place, None));
        }
        if let Some(place) = cells.iter().position(|cell| NAMES.contains(&same(cell).as_str())) {
            return Ok((place, heading(place)));
        }
        match cells.as_slice() {
            // One column of something: its numbers, the first of which is none.
            [only] if only.bytes().any(|byte| byte.is_ascii_digit()) || only.starts_with('=') => Ok((0, None)),
            [_] => Ok((0, heading(0))),
            _ => Err(self.no_column("has no column that is called like one of numbers", &cells)),
        }
    }

    fn no_column(&self, what: &str, cells: &[String]) -> String {
        // What is no heading may be somebody's.
        let harmless = |cell: &&String| cell.bytes().filter(u8::is_ascii_digit).count() < 5 && !cell.contains('@');
        let names: Vec<String> =
            cells.iter().filter(harmless).map(|cell| format!("`{}`", crate::cli::harmless(cell))).collect();
        format!("{} {what}; name it with --column, such as {}", self.file.display(), names.join(", "))
    }
}

fn same(heading: &str) -> String {
    heading.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A file whose lines end with `\n` alone, and of which none is empty: the reader of rows skips empty lines, and would
/// count the lines behind them wrong.
struct Lines {
    from: BufReader<File>,
    /// A line begins here.
    begins: bool,
    /// The last byte was `\r`, and ended a line.
    returned: bool,
}

impl io::Read for Lines {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        // Some bytes become nothing, none become nothing at all: that is the end.
        while written == 0 {
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let mut read = 0;
            for byte in bytes {
                // A byte becomes two at most.
                if written + 2 > to.len() {
                    break;
                }
                read += 1;
                if *byte == b'\n' && std::mem::take(&mut self.returned) {
                    continue;
                }
                self.returned = *byte == b'\r';
                let ends = self.returned || *byte == b'\n';
                if ends && self.begins {
                    to[written] = b' ';
                    written += 1;
                }
                to[written] = if ends { b'\n' } else { *byte };
                written += 1;
                self.begins = ends;
            }
            self.from.consume(read);
            if to.len() < 2 {
                break;
            }
        }
        Ok(written)
    }
}

/// By what a file is seen to have changed.
#[derive(PartialEq, Eq)]
struct Print {
    length: u64,
    written: Option<std::time::SystemTime>,
}

impl Print {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        match found.is_file() {
            true => Ok(Self { length: found.len(), written: found.modified().ok() }),
            // A pipe has neither.
            false => Ok(Self { length: 0, written: None }),
        }
    }
}

/// The file of lines that close nobody: a table to be mended and read again.
struct Rejects {
    file: PathBuf,
    to: csv::Writer<File>,
}

impl Rejects {
    fn begin(file: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{} cannot be written: {error}", file.display());
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let to =
            csv::WriterBuilder::new().flexible(true).from_writer(files::create_private_file(file).map_err(failed)?);
        let mut begun = Self { file: file.to_owned(), to };
        begun.write(&["line".to_owned(), "reason".to_owned(), "original".to_owned()])?;
        Ok(begun)
    }

    fn keep(&mut self, line: u64, fault: Fault, row: &ByteRecord) -> Result<(), String> {
        let mut cells = vec![line.to_string(), fault.sentence().to_owned()];
        cells.extend(row.iter().map(|cell| tame(&String::from_utf8_lossy(cell))));
        self.write(&cells)
    }

    fn write(&mut self, cells: &[String]) -> Result<(), String> {
        self.to.write_record(cells).map_err(|error| format!("{} cannot be written: {error}", self.file.display()))
    }

    fn end(mut self) -> Result<(), String> {
        self.to.flush().map_err(|error| format!("{} cannot be written: {error}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers and what was found, in a file of these bytes.
    fn reading(bytes: &[u8], column: Option<&str>, region: Option<&str>) -> Result<(Vec<String>, Found), String> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("list");
        std::fs::write(&file, bytes).unwrap();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let reading = Reading { file, column: owned(column), region: owned(region), rejects: None };
        let mut numbers = Vec::new();
        let found = reading.run(
            |batch| {
                numbers.extend(batch);
                true
            },
            |_| {},
        );
        // The place is another each time.
        found.map(|found| (numbers, found)).map_err(|why| why.replace(&home.path().display().to_string(), "…"))
    }

    const BOTH: [&str; 2] = ["+12025550123", "+12025550124"];

    #[test]
    fn every_shape_of_file_is_read() {
        let rows: [(&[u8], Option<&str>); 11] = [
            (b"+12025550123\n+12025550124\n", None),
            (b"\xef\xbb\xbf\r\n+12025550123\r\n\r\n+12025550124", None),
            (b"Phone\n+12025550123\n+12025550124\n", None),
            (b"\xef\xbb\xbfName,Phone\r\nAda,+12025550123\r\nBob,+12025550124\r\n", None),
            (b"Name;Mobile number\nAda;+1 202 555 0123\nBob;+1 202 555 0124\n", None),
            (b"Name\tTelephone\n\"Ada\"\t\"+12025550123\"\nBob\t+12025550124\n", None),
            (b"Ada,+12025550123\nBob,+12025550124\n", None),
            ("姓名,手机号\n阿达,+12025550123\n鲍勃,+12025550124\n".as_bytes(), None),
            (b"a,b\n1,+12025550123\n2,+12025550124\n", Some("B")),
            (b"x,+12025550123\ny,+12025550124\n", Some("2")),
            (b"Name,Phone,Address\nAda,+12025550123,\"1 Main St\nSpringfield\"\nBob,+12025550124,\n", None),
        ];
        for (bytes, column) in rows {
            let (numbers, found) = reading(bytes, column, None).unwrap();
            assert_eq!(numbers, BOTH, "{}", String::from_utf8_lossy(bytes));
            assert_eq!((found.rows, found.refused.len()), (2, 0));
        }
    }

    #[test]
    fn one_bad_line_is_told_by_its_number_and_stops_nothing() {
        let text = "Phone,Note\n+12025550123,\n=HYPERLINK(1),x\n\n2025550199,\n+12025550124,\"a, b\"\n\"+1 2\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n"), text.replace('\n', "\r")] {
            let (numbers, found) = reading(text.as_bytes(), None, None).unwrap();
            assert_eq!(numbers, BOTH);
            let told: Vec<_> = found.first_refused.iter().map(|(line, fault)| (*line, *fault)).collect();
            assert_eq!(told, [(3, Fault::Formula), (5, Fault::NoCountry), (7, Fault::Length)]);
            assert_eq!(found.rows, 5);
        }
    }

    #[test]
    fn a_stray_quote_in_a_plain_list_hides_nobody() {
        let (numbers, found) = reading(b"+12025550123\n\"oops\n+12025550124\n", None, None).unwrap();
        assert_eq!(numbers, BOTH);
        assert_eq!(found.first_refused, [(2, Fault::Words)]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error_and_not_the_end_of_the_list() {
        let mut text = "Phone,Note\n+12025550123,\"oops\n".to_owned();
        (0..200).for_each(|n| text.push_str(&format!("+1202555{n:04},\n")));
        let why = reading(text.as_bytes(), None, None).unwrap_err();
        assert_eq!(why, "…/list:2  opens a quote that is not closed again");
    }

    #[test]
    fn nothing_to_read_is_no_row() {
        for bytes in [b"".as_slice(), b"\n\n", b"Phone\n", b"\xef\xbb\xbf", b"Name,Phone\r\n"] {
            let (numbers, found) = reading(bytes, None, None).unwrap();
            assert_eq!((numbers.len(), found.rows), (0, 0), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_what_to_do() {
        let why = reading(b"\xff\xfe+\x001\x00", None, None).unwrap_err();
        assert_eq!(why, "…/list is no plain text; export it as CSV in UTF-8");
        let why = reading(b"Name,Remark\nAda,+12025550123\n", None, None).unwrap_err();
        assert!(why.ends_with("name it with --column, such as `Name`, `Remark`"), "{why}");
        let why = reading(b"Name,2025550123\nAda,+12025550123\n", Some("Phone"), None).unwrap_err();
        assert!(why.contains("has no column `Phone`") && !why.contains("2025550123"), "{why}");
    }

    #[test]
    fn a_reader_that_wants_no_more_breaks_it_off() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("list");
        std::fs::write(&file, "+12025550123\n").unwrap();
        let reading = Reading { file, column: None, region: None, rejects: None };
        assert!(reading.run(|_| false, |_| {}).is_err());
    }
}
