//! One row of a list: somebody who can be called, or a sentence that says what to mend.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use jiff::civil::Date;

use super::columns::{Columns, Role};
use super::table::{Raw, Table, Unreadable};
use super::written::{self, Hint, Order};
use crate::campaign::file::Campaign;
use crate::language::Language;
use crate::law::facts::Basis;
use crate::pii::Pii;
use crate::routing::calendar::Calendar;
use crate::routing::dialling;
use crate::routing::region::{LineType, Region, region_of};
use crate::value::{Sort, Value};

/// Rows after which a column that says which number is the day has said it.
const ENOUGH: u64 = 20_000;
/// Places and zones remembered.
const REMEMBERED: usize = 65_536;
/// Longest text that a plan can be given to say.
const LONGEST_TEXT: usize = 1000;

/// Somebody who can be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where they stand in the list.
    pub line: u64,
    /// Their id where the list comes from.
    pub person: Option<Pii<String>>,
    /// In the order of the columns; never empty.
    pub numbers: Vec<Number>,
    /// What the call is to be held in.
    pub language: Language,
    /// What the plan knows of them, those values that are the same for everybody among it.
    pub inputs: BTreeMap<String, Pii<Value>>,
    /// What it is about.
    pub debt: Option<Pii<String>>,
    /// How they agreed.
    pub consent: Option<Agreed>,
    /// Numbers of theirs that cannot be called, and why.
    pub left_out: Vec<String>,
    /// The row where the same person stands with another number, or another debt.
    pub again: Option<u64>,
}

/// One number of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// E.164 with its `+`.
    pub e164: Pii<String>,
    /// ISO 3166 code; empty where several share the prefix.
    pub country: &'static str,
    /// What kind of line it is.
    pub line: LineType,
    /// ISO 3166-2 code, where the list says it.
    pub state: Option<String>,
    /// Where the person may be.
    pub zones: Vec<String>,
    /// How that is known.
    pub placed: Placed,
}

/// How the time zone of a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placed {
    /// The list says it.
    Listed,
    /// The prefix belongs to a place in one zone, and stays there.
    Sure,
    /// The prefix was given out there; the person may have moved.
    Perhaps,
    /// Several are possible.
    Several,
}

/// How somebody agreed to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// On what basis.
    pub basis: Basis,
    /// Where the proof is.
    pub evidence: Pii<String>,
    /// When.
    pub on: Date,
}

/// A row put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where it stands in the list.
    pub line: u64,
    /// What to mend: names columns, never what stands in them.
    pub reason: String,
    /// The row that it repeats.
    pub repeats: Option<u64>,
}

impl Reject {
    /// The whole sentence.
    pub fn told(&self) -> String {
        match self.repeats {
            Some(line) => format!("line {}: {}, line {line}", self.line, self.reason),
            None => format!("line {}: {}", self.line, self.reason),
        }
    }
}

/// Which number is the day in a column of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Days {
    /// Its own dates say so.
    Known(Order),
    /// No date says so: as people of the campaign's region write them.
    Assumed(Order),
    /// Some say the one, some the other: those that can be both are put into quarantine.
    Mixed,
}

/// Looks which number is the day, in every column that holds dates and has some that can be read both ways. Blocking.
///
/// # Errors
///
/// The list cannot be read.
pub fn orders(table: &Table, columns: &Columns, campaign: &Campaign) -> Result<BTreeMap<usize, Days>, Unreadable> {
    let is_date = |role| match role {
        Role::Input(place) => campaign.plan.inputs[place].sort == Sort::Date,
        role => role == Role::Agreed,
    };
    let dated = columns.all.iter().enumerate().filter(|(_, column)| column.role.is_some_and(is_date));
    let mut seen: BTreeMap<usize, [bool; 3]> = dated.map(|(place, _)| (place, [false; 3])).collect();
    let undecided = |[day, month, either]: &[bool; 3]| *either && !day && !month;
    let mut rows = 0;
    table.each(|row, _| {
        rows += 1;
        for (place, found) in &mut seen {
            match row.cells.get(*place).map_or(Hint::Nothing, |cell| written::hint(cell)) {
                Hint::Only(Order::DayFirst) => found[0] = true,
                Hint::Only(Order::MonthFirst) => found[1] = true,
                Hint::Either => found[2] = true,
                Hint::Nothing => {}
            }
        }
        let on = !seen.is_empty() && (rows < ENOUGH || seen.values().any(undecided));
        if on { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
    })?;
    let assumed = Order::of(&campaign.region);
    let decided = seen.into_iter().filter_map(|(place, found)| {
        let days = match found {
            [true, true, _] => Days::Mixed,
            [true, false, _] => Days::Known(Order::DayFirst),
            [false, true, _] => Days::Known(Order::MonthFirst),
            [false, false, true] => Days::Assumed(assumed),
            [false, false, false] => return None,
        };
        Some((place, days))
    });
    Ok(decided.collect())
}

/// Reads rows one after the other, and knows those that came before.
pub struct Reader<'a> {
    campaign: &'a Campaign,
    columns: &'a Columns,
    days: &'a BTreeMap<usize, Days>,
    phones: Vec<usize>,
    single: BTreeMap<Role, usize>,
    /// Numbers: the row, and whose it is.
    numbers: BTreeMap<u64, (u32, u64)>,
    /// Numbers together with a debt.
    debts: BTreeSet<u64>,
    /// People by their id: the row.
    people: BTreeMap<u64, u32>,
    places: BTreeMap<u64, Option<Region>>,
    zones: BTreeMap<String, Option<String>>,
}

impl<'a> Reader<'a> {
    /// For rows of these columns.
    pub fn new(campaign: &'a Campaign, columns: &'a Columns, days: &'a BTreeMap<usize, Days>) -> Self {
        let single = columns.all.iter().enumerate().filter_map(|(place, column)| Some((column.role?, place)));
        Self {
            campaign,
            columns,
            days,
            phones: columns.each(Role::Phone).collect(),
            single: single.filter(|(role, _)| *role != Role::Phone).collect(),
            numbers: BTreeMap::new(),
            debts: BTreeSet::new(),
            people: BTreeMap::new(),
            places: BTreeMap::new(),
            zones: BTreeMap::new(),
        }
    }

    /// Reads the next row.
    ///
    /// # Errors
    ///
    /// What to mend.
    pub fn read(&mut self, row: &Raw) -> Result<Entry, Reject> {
        let found = match row.trouble {
            Some(trouble) => Err(trouble.to_owned()),
            None => self.entry(row),
        };
        let reject = |reason, repeats| Reject { line: row.line, reason, repeats };
        let mut entry = found.map_err(|reason| reject(reason, None))?;
        self.remember(&mut entry).map_err(|(reason, line)| reject(reason, Some(line)))?;
        Ok(entry)
    }

    fn entry(&mut self, row: &Raw) -> Result<Entry, String> {
        let width = self.columns.all.len();
        if row.cells.iter().skip(width).any(|cell| !cell.trim().is_empty()) {
            let (has, are) = (row.cells.len(), width);
            return Err(format!(
                "it has {has} cells and there are {are} columns; a cell with the delimiter in it needs quotes"
            ));
        }
        let language = self.language(row)?;
        let zone = self.zone(row)?;
        let (numbers, left_out) = self.numbers(row, zone.as_deref())?;
        let mut inputs = BTreeMap::new();
        for (place, input) in self.campaign.plan.inputs.iter().enumerate() {
            let value = match self.cell(row, Role::Input(place)) {
                Some((column, text)) => Some(self.value(column, text, input.sort)?),
                None => self.campaign.values.get(&input.name).cloned(),
            };
            match value {
                Some(value) => {
                    inputs.insert(input.name.clone(), Pii::new(value));
                }
                None if input.required => {
                    let name =
                        self.single.get(&Role::Input(place)).map_or(&input.name, |at| &self.columns.all[*at].name);
                    return Err(format!("`{name}` is empty, and the plan needs it"));
                }
                None => {}
            }
        }
        let owned = |role| self.cell(row, role).map(|(_, text)| Pii::new(text.to_owned()));
        let (person, debt) = (owned(Role::Person), owned(Role::Debt));
        let consent = self.consent(row)?;
        Ok(Entry { line: row.line, person, numbers, language, inputs, debt, consent, left_out, again: None })
    }

    /// What stands in the column for this, if anything does, and where.
    fn cell<'r>(&self, row: &'r Raw, role: Role) -> Option<(usize, &'r str)> {
        let place = *self.single.get(&role)?;
        let text = row.cells.get(place)?.trim();
        (!text.is_empty()).then_some((place, text))
    }

    fn name(&self, column: usize) -> &str {
        &self.columns.all[column].name
    }

    fn numbers(&mut self, row: &Raw, zone: Option<&str>) -> Result<(Vec<Number>, Vec<String>), String> {
        let state = self.cell(row, Role::State).map(|(_, text)| text);
        let mut numbers: Vec<Number> = Vec::with_capacity(self.phones.len());
        let mut wrong = Vec::new();
        for place in 0..self.phones.len() {
            let column = self.phones[place];
            let text = row.cells.get(column).map_or("", |cell| cell.trim());
            if text.is_empty() {
                continue;
            }
            let number = dialling::parse(text, &self.campaign.region).map_err(|why| why.to_string());
            match number.and_then(|number| self.placed(number, zone, state)) {
                Ok(number) if numbers.iter().any(|other| other.e164 == number.e164) => {}
                Ok(number) => numbers.push(number),
                Err(why) => wrong.push(format!("`{}`: {why}", self.name(column))),
            }
        }
        match (numbers.is_empty(), wrong.is_empty()) {
            (true, false) => Err(wrong.swap_remove(0)),
            (true, true) => Err("it has no telephone number".to_owned()),
            _ => Ok((numbers, wrong)),
        }
    }

    fn placed(&mut self, e164: String, zone: Option<&str>, state: Option<&str>) -> Result<Number, String> {
        let told = |why: &str| Err(why.to_owned());
        let region = self.region(&e164).clone();
        let Some(Region { country, zones, line, sure, .. }) = region else {
            return told("it is no number of any region");
        };
        match line {
            LineType::TollFree => return told("it is free for callers: a company's, and those are never called"),
            LineType::Premium => return told("it is a premium number, and those are never called"),
            LineType::Shared => return told("it is a shared-cost or company number, and those are never called"),
            _ => {}
        }
        let placed = match (zone, sure, zones.len()) {
            (Some(_), ..) => Placed::Listed,
            (None, true, _) => Placed::Sure,
            (None, false, 1) => Placed::Perhaps,
            (None, false, _) => Placed::Several,
        };
        let zones: Vec<String> = match zone {
            Some(zone) => vec![zone.to_owned()],
            None => zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        if zones.is_empty() {
            return told("nobody knows what time it is there; add a column with time zones");
        }
        let state = state.and_then(|text| state_of(text, country));
        Ok(Number { e164: Pii::new(e164), country, line, state, zones, placed })
    }

    /// Where numbers that begin like this one are at home. Asked of the tables once.
    fn region(&mut self, e164: &str) -> &Option<Region> {
        // As many digits as decide: the longest prefixes of the tables, see there.
        let most = match &e164[1..] {
            digits if digits.starts_with('1') => 4,
            digits if digits.starts_with("44") => 7,
            _ => 9,
        };
        let digits = &e164[1..e164.len().min(1 + most)];
        let key = digits.bytes().fold(digits.len() as u64, |key, digit| key * 10 + u64::from(digit - b'0'));
        if self.places.len() >= REMEMBERED {
            self.places.clear();
        }
        self.places.entry(key).or_insert_with(|| region_of(e164))
    }

    fn language(&self, row: &Raw) -> Result<Language, String> {
        let spoken = &self.campaign.languages;
        let Some((column, text)) = self.cell(row, Role::Language) else { return Ok(spoken[0].clone()) };
        let lower = text.to_lowercase();
        let tag = match lower.as_str() {
            "english" | "英语" | "英文" => "en",
            "chinese" | "mandarin" | "中文" | "汉语" | "普通话" | "国语" => "zh",
            "spanish" | "español" | "西班牙语" => "es",
            other => other,
        };
        let wanted = Language::parse(tag).ok();
        let exact = spoken.iter().find(|one| wanted.as_ref() == Some(*one));
        let close =
            || spoken.iter().find(|one| wanted.as_ref().is_some_and(|wanted| one.primary() == wanted.primary()));
        exact.or_else(close).cloned().ok_or_else(|| {
            let known: Vec<&str> = spoken.iter().map(Language::as_str).collect();
            format!("`{}` is no language of the campaign, which speaks {}", self.name(column), known.join(", "))
        })
    }

    fn zone(&mut self, row: &Raw) -> Result<Option<String>, String> {
        let Some((column, text)) = self.cell(row, Role::Zone) else { return Ok(None) };
        let text = text.to_owned();
        if self.zones.len() >= REMEMBERED {
            self.zones.clear();
        }
        let known = self.zones.entry(text).or_insert_with_key(|text| {
            let name = match text.to_lowercase().as_str() {
                "eastern" | "eastern time" | "et" | "est" | "edt" => "America/New_York",
                "central" | "central time" | "ct" | "cdt" => "America/Chicago",
                "mountain" | "mountain time" | "mt" | "mdt" => "America/Denver",
                "pacific" | "pacific time" | "pt" | "pst" | "pdt" => "America/Los_Angeles",
                "beijing" | "beijing time" | "北京时间" | "中国标准时间" => "Asia/Shanghai",
                _ => text,
            };
            Calendar::zone(name).ok().and_then(|zone| zone.iana_name().map(str::to_owned))
        });
        match known {
            Some(zone) => Ok(Some(zone.clone())),
            None => Err(format!("`{}` holds no time zone: write it like America/New_York", self.name(column))),
        }
    }

    fn value(&self, column: usize, text: &str, sort: Sort) -> Result<Value, String> {
        let told = |why: &str| format!("`{}` {why}", self.name(column));
        match sort {
            Sort::Amount(currency) => written::money(text, currency).map(Value::Amount).map_err(told),
            Sort::Date => self.date(column, text).map(Value::Date),
            Sort::Phone => {
                let number = dialling::parse(text, &self.campaign.region);
                number.map(Value::Phone).map_err(|why| format!("`{}`: {why}", self.name(column)))
            }
            Sort::Text if text.chars().count() > LONGEST_TEXT => Err(told("is too long to be said")),
            // What spreadsheets write where a calculation failed.
            Sort::Text if text.starts_with("#N/A") || text.starts_with("#REF!") || text.starts_with("#VALUE!") => {
                Err(told("holds the failure of a formula"))
            }
            sort => sort.take(text).map_err(told),
        }
    }

    fn date(&self, column: usize, text: &str) -> Result<Date, String> {
        let order = match (written::hint(text), self.days.get(&column).copied()) {
            (Hint::Only(order), _) | (_, Some(Days::Known(order) | Days::Assumed(order))) => order,
            (Hint::Either, Some(Days::Mixed)) => {
                let told = "can be two days: some dates of this column begin with the day and some with the month; write \
                            it like 2026-11-22";
                return Err(format!("`{}` {told}", self.name(column)));
            }
            _ => Order::of(&self.campaign.region),
        };
        written::date(text, order).map_err(|why| format!("`{}` {why}", self.name(column)))
    }

    fn consent(&self, row: &Raw) -> Result<Option<Agreed>, String> {
        let Some((column, text)) = self.cell(row, Role::Consent) else { return Ok(None) };
        let name = self.name(column);
        let lower = text.to_lowercase();
        let basis = match lower.as_str() {
            "no" | "n" | "none" | "false" | "0" | "-" | "否" | "无" | "不同意" => return Ok(None),
            "书面" | "书面同意" => Basis::Written,
            "明示" | "口头" | "明示同意" => Basis::Express,
            "合同" | "合同约定" => Basis::Contract,
            "yes" | "y" | "true" | "1" | "是" | "同意" => {
                return Err(format!("`{name}` says not how the person agreed: {}", bases()));
            }
            other => match Basis::ALL.into_iter().find(|basis| basis.name() == other) {
                Some(basis) => basis,
                None => return Err(format!("`{name}` is no basis of consent: {}", bases())),
            },
        };
        let evidence = self.cell(row, Role::Evidence).ok_or_else(|| {
            format!("`{name}` names a basis, and nothing says where the proof is; add it, or leave both empty")
        })?;
        let on = self.cell(row, Role::Agreed).ok_or_else(|| {
            format!("`{name}` names a basis, and nothing says when the person agreed; add it, or leave it empty")
        })?;
        let on = self.date(on.0, on.1)?;
        Ok(Some(Agreed { basis, evidence: Pii::new(evidence.1.to_owned()), on }))
    }

    /// Compares with the rows before; a repetition is told with the row that it repeats.
    fn remember(&mut self, entry: &mut Entry) -> Result<(), (String, u64)> {
        let person = entry.person.as_ref().map_or(0, |person| hash(person.reveal()));
        let mut keys = Vec::with_capacity(entry.numbers.len());
        for number in &entry.numbers {
            let digits: u64 = number.e164.reveal()[1..].parse().unwrap_or_default();
            let about = entry.debt.as_ref().map(|debt| hash(&(digits, debt.reveal())));
            if let Some((line, whose)) = self.numbers.get(&digits) {
                let line = u64::from(*line);
                if *whose != person {
                    return Err(("it has a number that stands under another person before".to_owned(), line));
                }
                if about.is_none_or(|about| self.debts.contains(&about)) {
                    return Err(("it stands in the list before".to_owned(), line));
                }
                entry.again = Some(line);
            }
            keys.push((digits, about));
        }
        let line = u32::try_from(entry.line).unwrap_or(u32::MAX);
        if person != 0 {
            entry.again = entry.again.or_else(|| self.people.get(&person).map(|line| u64::from(*line)));
            self.people.entry(person).or_insert(line);
        }
        for (digits, about) in keys {
            self.numbers.entry(digits).or_insert((line, person));
            self.debts.extend(about);
        }
        Ok(())
    }
}

fn bases() -> String {
    let names: Vec<&str> = Basis::ALL.iter().map(|basis| basis.name()).collect();
    format!("write {}, or nothing", names.join(", "))
}

/// `FL`, `US-FL`. What is written otherwise is not known, and then the rules of every state hold.
fn state_of(text: &str, country: &str) -> Option<String> {
    let letters = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match text.split_once('-') {
        Some((of, rest)) if of.eq_ignore_ascii_case(country) && letters(rest) => Some(text.to_uppercase()),
        None if text.len() == 2 && matches!(country, "US" | "CA") && letters(text) => {
            Some(format!("{country}-{}", text.to_uppercase()))
        }
        _ => None,
    }
}

/// Tells people and debts apart without keeping them.
fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
