//! How fast a call list is read: a million rows, made here, judged against the campaign that ships.
//!
//! ```sh
//! cargo run --release --example list            # 1,000,000 rows; another number as its argument
//! ```

use std::io::{BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use trunkline::campaign::file;
use trunkline::campaign::list::columns::Columns;
use trunkline::campaign::list::report::Report;
use trunkline::campaign::list::row::{self, Reader};
use trunkline::campaign::list::table::Table;

/// Rows by which columns are guessed.
const LOOKED_AT: usize = 200;

#[expect(clippy::disallowed_methods, reason = "this is what it measures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("list.csv");
    write(&path, rows)?;
    println!("{rows} rows, {} MB", std::fs::metadata(&path)?.len() / 1_000_000);
    let campaign = file::load(Path::new("dialplans/campaigns/collect-us.yaml")).map_err(|found| found.to_string())?;
    let before = peak();
    let begun = Instant::now();
    let table = Table::open(&path, None)?;
    let mut first = Vec::new();
    table.each(|row, _| {
        first.push(row.cells.clone());
        if first.len() < LOOKED_AT { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let columns = Columns::of(&campaign, &table.header, &first, &[]).map_err(|wrong| wrong.join("\n"))?;
    let days = row::orders(&table, &columns, &campaign)?;
    let (mut reader, mut report) = (Reader::new(&campaign, &columns, &days), Report::default());
    table.each(|row, _| {
        report.count(&reader.read(row));
        ControlFlow::Continue(())
    })?;
    let took = begun.elapsed();
    print!("{}", report.text());
    println!(
        "{:.1} s, {:.0} rows/s; memory {before} MB before, {} MB at its peak",
        took.as_secs_f64(),
        rows as f64 / took.as_secs_f64(),
        peak()
    );
    Ok(())
}

/// Rows as they come: every twentieth is wrong, every fiftieth repeats.
fn write(path: &Path, rows: u64) -> std::io::Result<()> {
    const AREAS: [u64; 8] = [202, 212, 312, 415, 617, 702, 303, 206];
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    writeln!(out, "Customer ID,Full Name,Mobile,Amount,Due Date,DOB,Zip,Account No,State")?;
    for at in 0..rows {
        let who = if at % 50 == 49 { at - 1 } else { at };
        let number = AREAS[(who % 8) as usize] * 10_000_000 + 2_000_000 + who / 8 % 7_000_000;
        let wrong = if at % 20 == 7 { "x9" } else { "" };
        writeln!(
            out,
            "C-{who},\"Person {who}\",{number}{wrong},\"$1,{:03}.50\",{:02}/{:02}/2026,1980-01-02,20001,A-{who},DC",
            at % 1000,
            at % 12 + 1,
            at % 28 + 1
        )?;
    }
    out.flush()
}

/// Most memory the process ever had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
}
