//! Whole lists, good and bad, against a campaign of their own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use super::columns::{Columns, How, REASON, Role};
use super::report::{Quarantine, Report};
use super::row::{self, Days, Entry, Placed, Reader, Reject};
use super::table::{Raw, Table, Unreadable};
use super::written::Order;
use crate::campaign::file::{self, Campaign};
use crate::routing::region::LineType;
use crate::value::Value;

const PLAN: &str = "dialplan: 1\nstart: a\nlanguages: [en-US, zh-CN]\ninputs:\n  name: { type: text, required: true }\n  \
                    due: amount USD\n  since: date\nsteps: { a: { hangup: } }\n";
const PACK: &str = "pack: ours\nversion: \"1\"\ntitle: t\nrules: { a: { ring: 15s, source: house } }\n";

/// A campaign in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    campaign: Campaign,
}

impl Bench {
    fn of(region: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();
        std::fs::write(folder.path().join("rules/ours.yaml"), PACK).unwrap();
        let path = folder.path().join("c.yaml");
        let text = format!("campaign: c\nplan: plan.yaml\npurpose: service\npacks: [ours]\nregion: {region}\n");
        std::fs::write(&path, text).unwrap();
        let campaign = file::load(&path).unwrap_or_else(|found| panic!("{found}"));
        Self { folder, campaign }
    }

    fn table(&self, bytes: &[u8]) -> Result<Table, Unreadable> {
        let path = self.folder.path().join("list");
        std::fs::write(&path, bytes).unwrap();
        Table::open(&path, None)
    }

    fn columns(&self, table: &Table, said: &[&str]) -> Result<Columns, Vec<String>> {
        let said: Vec<String> = said.iter().map(|said| (*said).to_owned()).collect();
        let rows: Vec<Vec<String>> = raw(table).into_iter().map(|row| row.cells).collect();
        Columns::of(&self.campaign, &table.header, &rows, &said)
    }

    /// Every row of a list.
    fn read(&self, bytes: &[u8]) -> Vec<Result<Entry, Reject>> {
        self.read_as(bytes, &[])
    }

    fn read_as(&self, bytes: &[u8], said: &[&str]) -> Vec<Result<Entry, Reject>> {
        let table = self.table(bytes).unwrap();
        let columns = self.columns(&table, said).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let days = row::orders(&table, &columns, &self.campaign).unwrap();
        let mut reader = Reader::new(&self.campaign, &columns, &days);
        raw(&table).iter().map(|row| reader.read(row)).collect()
    }

    /// The reason for which a list of one row has nobody.
    fn why(&self, text: &str) -> String {
        let mut rows = self.read(text.as_bytes());
        rows.pop().unwrap().unwrap_err().told()
    }
}

fn raw(table: &Table) -> Vec<Raw> {
    let mut rows = Vec::new();
    let walked = table.each(|row, _| {
        rows.push(row.clone());
        ControlFlow::Continue(())
    });
    walked.unwrap();
    rows
}

fn reasons(rows: &[Result<Entry, Reject>]) -> Vec<String> {
    rows.iter()
        .map(|row| row.as_ref().map_or_else(Reject::told, |entry| format!("line {}: good", entry.line)))
        .collect()
}

#[test]
fn a_row_becomes_somebody_who_can_be_called() {
    let list = "id;name;mobile;home;due;since;language;timezone;state\n\
                7;Ann Miller;(202) 555-0143;+44 20 7946 0143;$1,234.50;22/11/2026;zh;;dc\n";
    let entry = Bench::of("US").read_as(list.as_bytes(), &["phone=home"]).remove(0).unwrap();
    assert_eq!(entry.person.unwrap().into_inner(), "7");
    let [mobile, home] = &entry.numbers[..] else { panic!("{:?}", entry.numbers) };
    assert_eq!(
        (mobile.e164.reveal().as_str(), mobile.country, mobile.line),
        ("+12025550143", "US", LineType::FixedOrMobile)
    );
    assert_eq!(
        (mobile.state.as_deref(), &mobile.zones[..], mobile.placed),
        (Some("US-DC"), &["America/New_York".to_owned()][..], Placed::Perhaps)
    );
    assert_eq!(
        (home.e164.reveal().as_str(), home.state.as_deref(), home.placed),
        ("+442079460143", None, Placed::Sure)
    );
    assert_eq!(entry.language.as_str(), "zh-CN");
    assert_eq!(entry.inputs["due"].reveal().plain(), "1234.50");
    assert_eq!(*entry.inputs["since"].reveal(), Value::Date(jiff::civil::date(2026, 11, 22)));
}

#[test]
fn a_column_of_time_zones_is_believed_and_a_wrong_one_is_told() {
    let bench = Bench::of("US");
    let list =
        "name,phone,time zone\nAnn,2025550143,Pacific\nBen,2025550144,北京时间\nEve,2025550145,Moon\nJoe,9075550146,\n";
    let rows = bench.read(list.as_bytes());
    let zones = |at: usize| rows[at].as_ref().unwrap().numbers[0].zones.clone();
    assert_eq!((zones(0), zones(1)), (vec!["America/Los_Angeles".to_owned()], vec!["Asia/Shanghai".to_owned()]));
    assert!(rows[2].as_ref().unwrap_err().reason.contains("`time zone` holds no time zone"));
    let alaska = &rows[3].as_ref().unwrap().numbers[0];
    assert!(alaska.placed == Placed::Several && alaska.zones.len() > 1, "{alaska:?}");
}

#[test]
fn every_bad_row_says_what_to_mend_and_never_what_stands_in_it() {
    let bench = Bench::of("US");
    for (cells, expect) in [
        (",2025550143,1,2026-01-01", "line 2: `name` is empty, and the plan needs it"),
        ("Ann,,1,2026-01-01", "line 2: it has no telephone number"),
        ("Ann,202-555-CALL,1,2026-01-01", "line 2: `phone`: it has letters or signs"),
        ("Ann,2025550143 x12,1,2026-01-01", "line 2: `phone`: it has an extension"),
        ("Ann,555-0143,1,2026-01-01", "line 2: `phone`: it is too short"),
        ("Ann,911,1,2026-01-01", "line 2: `phone`: it is an emergency number"),
        ("Ann,95588,1,2026-01-01", "line 2: `phone`: it is a short number"),
        ("Ann,8005550143,1,2026-01-01", "line 2: `phone`: it is free for callers"),
        ("Ann,900-555-0143,1,2026-01-01", "line 2: `phone`: it is a premium number"),
        ("Ann,+99912345678,1,2026-01-01", "line 2: `phone`: it begins with the code of no country"),
        ("Ann,2025550143,1,2026-02-30", "line 2: `since` is a day that does not exist"),
        ("Ann,2025550143,1,soon", "line 2: `since` is no date"),
        ("Ann,2025550143,twelve,2026-01-01", "line 2: `due` is no amount"),
        ("Ann,2025550143,€12,2026-01-01", "line 2: `due` is in another currency"),
        ("#N/A,2025550143,1,2026-01-01", "line 2: `name` holds the failure of a formula"),
        ("Ann,2025550143,1,2026-01-01,x", "line 2: it has 5 cells and there are 4 columns"),
        ("\"Ann,2025550143,1,2026-01-01", "line 2: a quote is opened in it and never closed"),
    ] {
        let why = bench.why(&format!("name,phone,due,since\n{cells}\n"));
        assert!(why.starts_with(expect), "{cells}: {why}");
        assert!(!["0143", "Ann", "CALL", "twelve", "soon"].iter().any(|secret| why.contains(secret)), "{why}");
    }
}

#[test]
fn rows_that_repeat_are_told_with_the_row_they_repeat() {
    let list = "id,name,phone,work phone,account\n\
                1,Ann,2025550143,,A\n\
                1,Ann,(202) 555-0143,,A\n\
                1,Ann,2025550143,,B\n\
                1,Ann,3125550144,,A\n\
                2,Ben,2025550143,,C\n\
                3,Eve,2025550145,+1 202 555 0145,D\n";
    let rows = Bench::of("US").read(list.as_bytes());
    assert_eq!(
        reasons(&rows),
        [
            "line 2: good",
            "line 3: it stands in the list before, line 2",
            "line 4: good",
            "line 5: good",
            "line 6: it has a number that stands under another person before, line 2",
            "line 7: good",
        ]
    );
    let again: Vec<_> = rows.iter().flatten().map(|entry| entry.again).collect();
    assert_eq!(again, [None, Some(2), Some(2), None], "another debt, another number of the same person");
    assert_eq!(rows[5].as_ref().unwrap().numbers.len(), 1, "one number in two columns is one number");
}

#[test]
fn a_bad_number_beside_a_good_one_is_left_out_and_told() {
    let rows = Bench::of("US").read("name,mobile,home phone\nAnn,2025550143,800-555-0144\n".as_bytes());
    let entry = rows[0].as_ref().unwrap();
    assert_eq!((entry.numbers.len(), entry.left_out.len()), (1, 1));
    assert!(entry.left_out[0].starts_with("`home phone`: it is free for callers"), "{:?}", entry.left_out);
}

#[test]
fn consent_has_a_basis_a_proof_and_a_day_or_the_row_waits() {
    let bench = Bench::of("US");
    let read = |cells: &str| {
        let text = format!("name,phone,consent,consent evidence,consent date\nAnn,2025550143,{cells}\n");
        bench.read(text.as_bytes()).remove(0)
    };
    let agreed = read("written,form 7,2026-03-02").unwrap().consent.unwrap();
    assert_eq!((agreed.basis.name(), agreed.on), ("written", jiff::civil::date(2026, 3, 2)));
    assert_eq!(read("书面,form 7,2026-03-02").unwrap().consent.unwrap().basis.name(), "written");
    for none in [",,", "no,,", "否,,"] {
        assert_eq!(read(none).unwrap().consent, None, "{none}");
    }
    for (cells, expect) in [
        ("yes,form 7,2026-03-02", "says not how"),
        ("maybe,form 7,2026-03-02", "is no basis"),
        ("written,,2026-03-02", "where the proof is"),
        ("written,form 7,", "when the person agreed"),
        ("written,form 7,2026-02-30", "does not exist"),
    ] {
        let why = read(cells).unwrap_err().reason;
        assert!(why.contains(expect), "{cells}: {why}");
    }
    let table = bench.table(b"name,phone,consent\nAnn,2025550143,written\n").unwrap();
    let wrong = bench.columns(&table, &[]).unwrap_err();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(bench.columns(&table, &["ignore=consent"]).is_ok());
}

#[test]
fn the_whole_column_decides_which_number_is_the_day() {
    let order = |region: &str, dates: &[&str]| {
        let bench = Bench::of(region);
        let rows: String = dates.iter().enumerate().map(|(at, date)| format!("A,+1202555010{at},{date}\n")).collect();
        let text = format!("name,phone,since\n{rows}");
        let table = bench.table(text.as_bytes()).unwrap();
        let columns = bench.columns(&table, &[]).unwrap();
        let days = row::orders(&table, &columns, &bench.campaign).unwrap();
        (days.get(&2).copied(), reasons(&bench.read(text.as_bytes())))
    };
    assert_eq!(order("US", &["03/04/2026", "22/11/2026"]).0, Some(Days::Known(Order::DayFirst)));
    assert_eq!(order("GB", &["03/04/2026", "11/22/2026"]).0, Some(Days::Known(Order::MonthFirst)));
    assert_eq!(order("US", &["03/04/2026"]).0, Some(Days::Assumed(Order::MonthFirst)));
    assert_eq!(order("GB", &["03/04/2026"]).0, Some(Days::Assumed(Order::DayFirst)));
    assert_eq!(order("US", &["2026-03-04", "5月"]).0, None);
    let (mixed, told) = order("US", &["03/04/2026", "22/11/2026", "11/22/2026"]);
    assert_eq!(mixed, Some(Days::Mixed));
    assert!(told[0].contains("can be two days") && told[1].ends_with("good") && told[2].ends_with("good"), "{told:?}");
}

#[test]
fn columns_are_guessed_from_names_in_both_languages() {
    let bench = Bench::of("CN");
    let table = bench.table("客户编号,姓名,手机号码,联系电话,欠款金额,到期日,语言,备注\n1,王小明,13900011234,010-62345678,12,2026-01-02,中文,x\n".as_bytes());
    let columns = bench.columns(&table.unwrap(), &[]).unwrap();
    let found: Vec<String> = columns
        .all
        .iter()
        .map(|column| column.role.map_or("-".to_owned(), |role| Columns::role_name(&bench.campaign, role)))
        .collect();
    assert_eq!(found, ["id", "name", "phone", "phone", "due", "since", "language", "-"]);
    assert_eq!((columns.all[2].how, columns.all[4].how, columns.all[7].how), (How::Named, How::Guessed, How::Unused));
    assert_eq!(columns.all[1].samples, ["王小明"]);
    let table = bench
        .table(b"Full Name,Phone Number 1,Phone 2,Phone type,Due Date,Balance\nAnn,2025550143,2025550144,cell,x,1\n");
    let columns = bench.columns(&table.unwrap(), &[]).unwrap();
    assert_eq!(columns.each(Role::Phone).collect::<Vec<_>>(), [1, 2], "what is called so and holds none is none");
    assert_eq!((columns.all[4].role, columns.all[5].role), (Some(Role::Input(2)), Some(Role::Input(1))));
}

#[test]
fn what_is_said_of_columns_wins_and_a_slip_is_told_with_the_nearest_right_word() {
    let bench = Bench::of("US");
    let table = bench.table(b"who,reach,phone\nAnn,2025550143,2025550144\n").unwrap();
    let columns = bench.columns(&table, &["name=who", "phone=reach", "ignore=phone"]).unwrap();
    assert_eq!(columns.each(Role::Phone).collect::<Vec<_>>(), [1]);
    for (said, expect) in [
        ("name", "write it like `--map phone=Mobile`"),
        ("nam=who", "did you mean `name`?"),
        ("name=whom", "did you mean `who`?"),
    ] {
        let wrong = bench.columns(&table, &[said]).unwrap_err();
        assert!(wrong[0].contains(expect), "{wrong:?}");
    }
    let twice = bench.columns(&table, &["name=who", "name=reach"]).unwrap_err();
    assert!(twice[0].contains("another column"), "{twice:?}");
    let missing = bench.columns(&table, &[]).unwrap_err();
    assert!(missing[0].contains("the plan needs `name`") && missing[0].contains("--map name=…"), "{missing:?}");
    let table = bench.table(b"name,mail\nAnn,a@example.com\n").unwrap();
    assert!(bench.columns(&table, &[]).unwrap_err()[0].contains("no column holds telephone numbers"));
}

#[test]
fn cells_are_taken_apart_whatever_stands_between_them() {
    let bench = Bench::of("US");
    for sign in [",", ";", "\t", "|"] {
        let text = format!(
            "name{sign}phone{sign}note\nAnn{sign}2025550143{sign}\"a{sign} \"\"b\"\"\r\nc\"\nBen{sign}2025550144\n\n\n"
        );
        let table = bench.table(text.as_bytes()).unwrap();
        let rows = raw(&table);
        assert_eq!(rows[0].cells[2], format!("a{sign} \"b\"\nc"), "{sign:?}");
        assert_eq!((rows[0].line, rows[1].line, rows.len()), (2, 4, 2), "lines are counted inside quotes too");
        assert_eq!(rows[1].cells, ["Ann".replace("Ann", "Ben"), "2025550144".to_owned()]);
    }
    let table = bench.table("sep=;\nname;phone, mobile\nAnn;2025550143\n".as_bytes()).unwrap();
    assert_eq!(table.header, ["name", "phone, mobile"]);
    assert_eq!(raw(&table)[0].line, 3);
    // A sign of inches opens no quotation.
    assert_eq!(raw(&bench.table(b"a,b\n6\" pipe,x\ny,z\n").unwrap()).len(), 2);
}

#[test]
fn a_quote_that_is_never_closed_costs_one_row() {
    let mut text = "name,phone\n\"Ann,2025550143\n".to_owned();
    for at in 0..500 {
        text.push_str(&format!("Ben,20255{at:05}\n"));
    }
    let rows = raw(&Bench::of("US").table(text.as_bytes()).unwrap());
    assert_eq!((rows.len(), rows[0].trouble.is_some(), rows[1].line), (501, true, 3));
    assert!(rows[1..].iter().all(|row| row.trouble.is_none() && row.cells.len() == 2));
    // Nor one at the very end.
    let rows = raw(&Bench::of("US").table(b"a,b\nx,\"y\nz,1").unwrap());
    assert_eq!((rows.len(), rows[0].trouble.is_some(), rows[1].cells[0].as_str()), (2, true, "z"));
}

#[test]
fn lists_that_are_none_say_so() {
    let bench = Bench::of("US");
    for (bytes, expect) in [
        (&b""[..], "it is empty"),
        (b"\n\n\n", "it holds no row"),
        (b"Ann,2025550143\n", "put names above it"),
        (b"%PDF-1.7 x", "PDF"),
        (&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1], ".xls"),
        (b"PK\x03\x04 and nothing else", "no workbook"),
        (b"\x7fELF\x02\x01\x01\0\x00\x00,\x00\x01", "no text"),
    ] {
        let why = bench.table(bytes).unwrap_err().to_string();
        assert!(why.contains(expect), "{why}");
    }
    assert!(Table::open(Path::new("none/such.csv"), None).is_err());
    assert!(raw(&bench.table(b"name,phone\n").unwrap()).is_empty(), "headers only");
}

#[test]
fn many_columns_and_those_without_a_name_or_with_the_same_are_told_apart() {
    let bench = Bench::of("US");
    let mut header: Vec<String> = (0..500).map(|at| format!("x{}", "y".repeat(at % 7) + &at.to_string())).collect();
    (header[0], header[1], header[2], header[3]) = ("name".into(), "phone".into(), "phone".into(), String::new());
    let cells: Vec<&str> = ["Ann", "2025550143", "2025550144"].into_iter().chain([""; 497]).collect();
    let text = format!("{}\n{}\n", header.join(","), cells.join(","));
    let table = bench.table(text.as_bytes()).unwrap();
    assert_eq!(
        (table.header.len(), &table.header[1..4]),
        (500, &["phone".to_owned(), "phone (2)".into(), "column 4".into()][..])
    );
    assert_eq!(bench.read(text.as_bytes())[0].as_ref().unwrap().numbers.len(), 2);
}

#[test]
fn a_row_of_another_encoding_waits_and_the_others_do_not() {
    let mut bytes = "name,phone\n王小明,2025550143\n李芳,2025550144\n张伟,2025550145\n".as_bytes().to_vec();
    bytes.extend(b"M\xfcller,2025550146\n");
    let told = reasons(&Bench::of("US").read(&bytes));
    assert!(told[..3].iter().all(|told| told.ends_with("good")) && told[3].contains("another encoding"), "{told:?}");
}

#[test]
fn rejects_are_a_list_that_can_be_mended_and_imported_again() {
    let bench = Bench::of("US");
    let list =
        "name,phone,note\n=cmd|' /C calc'!A0,+1 202 555 CALL,\"a, \"\"b\"\"\"\n@x,+12025550144,-1\nAnn,911,x,y\n";
    let table = bench.table(list.as_bytes()).unwrap();
    let columns = bench.columns(&table, &[]).unwrap();
    let days = BTreeMap::new();
    let mut reader = Reader::new(&bench.campaign, &columns, &days);
    let mut out = Quarantine::new(Vec::new(), &table.header).unwrap();
    let mut report = Report::default();
    for row in &raw(&table) {
        let found = reader.read(row);
        report.count(&found);
        if let Err(reject) = found {
            out.put(row, &reject).unwrap();
        }
    }
    assert_eq!((report.rows, report.good, report.quarantined), (3, 1, 2));
    let text = String::from_utf8(out.into_inner()).unwrap();
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], format!("name,phone,note,{REASON}"));
    assert!(
        lines[1].starts_with("'=cmd|' /C calc'!A0,'+1 202 555 CALL,\"a, \"\"b\"\"\",\"line 2: `phone`: it has letters"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("Ann,911,\"x,y\",\"line 4:"), "{}", lines[2]);
    // Mended as it stands: the reason is no column of the list, and the quote before a sign is gone again.
    let mended = text.replace("CALL", "0143").replace("911", "2025550145");
    let rows = bench.read(mended.as_bytes());
    assert_eq!(rows[0].as_ref().unwrap().inputs["name"].reveal().plain(), "=cmd|' /C calc'!A0");
    assert_eq!(rows[0].as_ref().unwrap().numbers[0].e164.reveal(), "+12025550143");
    assert!(rows[1].is_ok(), "{:?}", rows[1]);
}

#[test]
fn a_report_counts_reasons_and_the_first_rows_of_each() {
    let bench = Bench::of("US");
    let mut text = "name,phone\n".to_owned();
    for _ in 0..9 {
        text.push_str("Ann,911\n");
    }
    text.push_str("Ben,2025550143\nEve,8005550143\n");
    let mut report = Report::default();
    bench.read(text.as_bytes()).iter().for_each(|row| report.count(row));
    let told = report.text();
    assert!(
        told.starts_with("11 rows: 1 good, 10 in quarantine\n        9  `phone`: it is an emergency number"),
        "{told}"
    );
    assert!(told.contains("(lines 2, 3, 4, 5, 6, …)") && told.contains("(line 12)"), "{told}");
    assert!(told.contains("numbers: 1 fixed or mobile\ncountries: 1 US\n"), "{told}");
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("0143") && json.contains("\"count\":9"), "{json}");
}

/// A workbook as spreadsheets write one, by hand: the least that is one.
fn workbook(rows: &str) -> Vec<u8> {
    let files = [
        (
            "[Content_Types].xml",
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#.to_owned(),
        ),
        (
            "_rels/.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned(),
        ),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Leads" sheetId="1" r:id="r1"/></sheets></workbook>"#.to_owned(),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#.to_owned(),
        ),
        (
            "xl/styles.xml",
            r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>"#.to_owned(),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#),
        ),
    ];
    stored(&files)
}

/// A ZIP archive of files that are not compressed (APPNOTE 4.3).
fn stored(files: &[(&str, String)]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let checksum = text.bytes().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
        });
        let offset = out.len() as u32;
        let mut common = Vec::new();
        for number in [20_u16, 0, 0, 0, 0x21] {
            common.extend(number.to_le_bytes());
        }
        for number in [!checksum, text.len() as u32, text.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.write_all(name.as_bytes()).unwrap();
        out.extend(text.as_bytes());
        central.extend(b"PK\x01\x02\x14\x00");
        central.extend(&common);
        central.extend([0; 10]);
        central.extend(offset.to_le_bytes());
        central.extend(name.as_bytes());
    }
    let at = out.len() as u32;
    out.extend(&central);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([(files.len() as u16).to_le_bytes(), (files.len() as u16).to_le_bytes()].concat());
    out.extend((central.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn a_workbook_keeps_its_digits_and_its_days() {
    let text = |at: &str, text: &str| format!(r#"<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>"#);
    let header =
        ["name", "phone", "due", "since"].iter().zip(["A1", "B1", "C1", "D1"]).map(|(name, at)| text(at, name));
    let rows = format!(
        r#"<row r="1">{}</row><row r="2">{}<c r="B2"><v>2025550143</v></c><c r="C2"><v>1234.5</v></c><c r="D2" s="1"><v>46348</v></c></row><row r="5">{}<c r="B5"><v>2025550144</v></c><c r="C5" t="e"><v>#N/A</v></c></row>"#,
        header.collect::<String>(),
        text("A2", "Ann"),
        text("A5", "Ben"),
    );
    let bench = Bench::of("US");
    let bytes = workbook(&rows);
    let table = bench.table(&bytes).unwrap();
    assert_eq!(table.manner(), "sheet `Leads` of a workbook");
    let rows = bench.read(&bytes);
    let ann = rows[0].as_ref().unwrap();
    assert_eq!(
        (ann.numbers[0].e164.reveal().as_str(), ann.inputs["due"].reveal().plain().as_str()),
        ("+12025550143", "1234.50")
    );
    assert_eq!(*ann.inputs["since"].reveal(), Value::Date(jiff::civil::date(2026, 11, 22)));
    assert_eq!(rows[1].as_ref().unwrap_err().told(), "line 5: `due` is no amount: write it in digits, like 1234.50");
    let path = bench.folder.path().join("list");
    let why = Table::open(&path, Some("Lead")).unwrap_err().to_string();
    assert!(why.contains("did you mean `Leads`?"), "{why}");
    // Every cut of it is refused or read, and none makes it fall.
    for length in (0..bytes.len()).step_by(97) {
        if let Ok(table) = bench.table(&bytes[..length]) {
            let _ = table.each(|_, _| ControlFlow::Continue(()));
        }
    }
}

/// SplitMix64: the same lists every time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[test]
fn no_bytes_make_it_fall_and_every_row_is_good_or_told() {
    const PIECES: [&str; 24] = [
        ",",
        "\n",
        "\"",
        ";",
        "\t",
        "\r\n",
        "'",
        "=",
        "+1 202 555 0143",
        "911",
        "2026-02-30",
        "¥1,2",
        "年",
        "１",
        "x12",
        "\0",
        "\u{feff}",
        "22/11/2026",
        " ",
        "é",
        "-",
        "Ann",
        "written",
        "America/New_York",
    ];
    let bench = Bench::of("US");
    let mut seed = 5;
    for _ in 0..400 {
        let mut bytes = b"name,phone,due,since,consent,evidence,agreed,timezone\n".to_vec();
        for _ in 0..next(&mut seed) % 200 {
            match next(&mut seed) % 12 {
                0 => bytes.push(next(&mut seed) as u8),
                _ => bytes.extend(PIECES[next(&mut seed) as usize % PIECES.len()].as_bytes()),
            }
        }
        if next(&mut seed).is_multiple_of(8) {
            bytes.drain(..next(&mut seed) as usize % bytes.len());
        }
        let Ok(table) = bench.table(&bytes) else { continue };
        let rows = raw(&table);
        let Ok(columns) = bench.columns(&table, &[]) else { continue };
        let days = row::orders(&table, &columns, &bench.campaign).unwrap();
        let mut reader = Reader::new(&bench.campaign, &columns, &days);
        let mut out = Quarantine::new(Vec::new(), &table.header).unwrap();
        for row in &rows {
            match reader.read(row) {
                Ok(entry) => assert!(!entry.numbers.is_empty()),
                Err(reject) => out.put(row, &reject).unwrap(),
            }
        }
    }
}
