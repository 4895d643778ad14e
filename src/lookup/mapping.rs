//! From the JSON of somebody else to the typed values of a plan.
//!
//! A plan says for each value where it stands (`order.items[0].title`, or a JSON Pointer such as `/order/items/0/title`,
//! RFC 6901), what it must be, and what to do when it is not there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::failure::Failure;
use crate::value::{Amount, Currency, Sort as Written, Value};

/// Deepest path.
const MAX_STEPS: usize = 32;
/// Longest text that is taken over: minutes of speech. A longer one is cut.
const MAX_TEXT: usize = 4_000;

/// What a plan wants to know of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping(Vec<Wanted>);

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its name in the plan.
    pub name: String,
    /// Where it stands.
    pub path: Path,
    /// What it must be.
    pub sort: Sort,
    /// What is taken where the answer has nothing, or null; `None`: that is a failure.
    pub missing: Option<Value>,
}

/// A way into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Place(usize),
    /// A number in a JSON Pointer: a place in a list, or a key that is a number.
    Either(String, usize),
}

/// What a value must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As JSON has it: text, number, boolean, list or map.
    #[default]
    Any,
    /// Words.
    Text,
    /// A string of digits.
    Digits,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Money in units: 12.50.
    Amount(Currency),
    /// Money in the smallest units: 1250.
    Minor(Currency),
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A moment.
    Moment,
    /// A telephone number.
    Phone,
}

impl Mapping {
    /// All of these.
    pub fn new(wanted: impl IntoIterator<Item = Wanted>) -> Self {
        Self(wanted.into_iter().collect())
    }

    /// The values by name. `zone` is the plan's: it decides which day a moment falls on.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] or [`Failure::WrongType`] for the first value that is not as it must be.
    pub fn read(&self, json: &Json, zone: &TimeZone) -> Result<BTreeMap<String, Value>, Failure> {
        let mut values = BTreeMap::new();
        for Wanted { name, path, sort, missing } in &self.0 {
            let value = match (path.find(json), missing) {
                (Some(found), _) => sort
                    .read(found, zone)
                    .ok_or_else(|| Failure::WrongType { path: path.text.clone(), wanted: sort.with_article() })?,
                (None, Some(instead)) => instead.clone(),
                (None, None) => return Err(Failure::Missing { path: path.text.clone() }),
            };
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

impl Path {
    /// Reads `order.items[0].title`, or `/order/items/0/title`. `.` alone is the whole answer.
    ///
    /// # Errors
    ///
    /// A sentence for the plan's author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let steps = match text {
            "." => Vec::new(),
            "" => return Err("a path cannot be empty; `.` is the whole answer".to_owned()),
            pointer if pointer.starts_with('/') => pointer[1..].split('/').map(pointer_step).collect(),
            dotted => dotted_steps(dotted).ok_or_else(|| {
                format!("`{text}` is no path; write it like `order.items[0].title` or `/order/items/0/title`")
            })?,
        };
        if steps.len() > MAX_STEPS {
            return Err(format!("`{text}` is deeper than {MAX_STEPS} steps"));
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands there; `None` for nothing, and for null.
    pub fn find<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        let found = self.steps.iter().try_fold(json, |at, step| match (step, at) {
            (Step::Key(key) | Step::Either(key, _), Json::Object(entries)) => entries.get(key),
            (Step::Place(place) | Step::Either(_, place), Json::Array(items)) => items.get(*place),
            _ => None,
        });
        found.filter(|found| !found.is_null())
    }
}

/// RFC 6901 §4: `~1` is a slash, `~0` a tilde.
fn pointer_step(part: &str) -> Step {
    let key = part.replace("~1", "/").replace("~0", "~");
    match part.parse::<usize>().ok().filter(|_| part.len() == 1 || !part.starts_with(['0', '+'])) {
        Some(place) => Step::Either(key, place),
        None => Step::Key(key),
    }
}

/// `items[0][1].title`, split at dots and brackets.
fn dotted_steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for (count, part) in text.split('.').enumerate() {
        let (key, mut brackets) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        // Only the whole answer may be a list without a name before its bracket.
        if key.is_empty() && (count > 0 || brackets.is_empty()) || key.contains(']') {
            return None;
        }
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        while !brackets.is_empty() {
            let (place, rest) = brackets.strip_prefix('[')?.split_once(']')?;
            if !place.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            steps.push(Step::Place(place.parse().ok()?));
            brackets = rest;
        }
    }
    Some(steps)
}

impl Sort {
    /// Reads `text`, `digits`, `number`, `boolean`, `date`, `time`, `moment`, `phone`, `any`, `amount USD` and
    /// `amount USD in cents`, which is any currency's smallest unit.
    ///
    /// # Errors
    ///
    /// A sentence for the plan's author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let sort = match (words.next(), words.next(), words.next(), words.next(), words.next()) {
            (Some("any"), None, ..) => Self::Any,
            (Some("text"), None, ..) => Self::Text,
            (Some("digits"), None, ..) => Self::Digits,
            (Some("number"), None, ..) => Self::Number,
            (Some("boolean"), None, ..) => Self::Boolean,
            (Some("date"), None, ..) => Self::Date,
            (Some("time"), None, ..) => Self::Time,
            (Some("moment"), None, ..) => Self::Moment,
            (Some("phone"), None, ..) => Self::Phone,
            (Some("amount"), Some(code), None, ..) => Self::Amount(currency(code)?),
            (Some("amount"), Some(code), Some("in"), Some("cents"), None) => Self::Minor(currency(code)?),
            (Some("amount"), ..) => {
                return Err("an amount needs its currency: write `amount USD`, or `amount USD in cents`".to_owned());
            }
            _ => {
                let known = "text, digits, number, boolean, amount USD, date, time, moment, phone or any";
                return Err(format!("`{text}` is no type; it must be {known}"));
            }
        };
        Ok(sort)
    }

    fn with_article(self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Digits => "a string of digits".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Amount(currency) => format!("an amount in {}", currency.code()),
            Self::Minor(currency) => format!("an amount in the smallest unit of {}", currency.code()),
            Self::Date => "a date".to_owned(),
            Self::Time => "a time of day".to_owned(),
            Self::Moment => "a moment".to_owned(),
            Self::Phone => "a telephone number".to_owned(),
        }
    }

    /// `json` as a value of this sort; `None` when it is another. Words are read as those of lists are
    /// ([`Sort::take`](Written::take)); beyond that there is what JSON has of its own, and moments with an offset.
    pub fn read(self, json: &Json, zone: &TimeZone) -> Option<Value> {
        let words = |sort: Written| sort.take(&scalar(json).filter(|_| !json.is_boolean())?).ok();
        match self {
            Self::Any => Some(clean(Value::from_json(json))),
            Self::Boolean => match json {
                Json::Bool(truth) => Some(Value::Boolean(*truth)),
                Json::String(text) => Written::Boolean.take(text).ok(),
                _ => None,
            },
            Self::Text => scalar(json).map(|text| Value::Text(tidy(&text))),
            Self::Digits => words(Written::Digits),
            Self::Phone => words(Written::Phone),
            Self::Number => words(Written::Number),
            Self::Amount(currency) => words(Written::Amount(currency)),
            Self::Minor(currency) => {
                let text = scalar(json).filter(|_| !json.is_boolean())?;
                Some(Value::Amount(Amount { minor: text.trim().parse().ok()?, currency }))
            }
            Self::Date => civil(json, zone)
                .map(|moment| Value::Date(moment.date()))
                .or_else(|| Written::Date.take(json.as_str()?).ok()),
            Self::Time => civil(json, zone)
                .map(|moment| Value::Time(moment.time()))
                .or_else(|| Written::Time.take(json.as_str()?).ok()),
            Self::Moment => civil(json, zone).map(Value::Moment),
        }
    }
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::parse(code).ok_or_else(|| format!("`{code}` is no currency: write its three letters, such as USD"))
}

/// Text, number or boolean, as text.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        // Some write every number with a fraction: 300.0 yen are 300.
        Json::Number(number) => Some(number.to_string().trim_end_matches(".0").to_owned()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A moment, as the clock of `zone` shows it: RFC 3339 with an offset, or a civil one that is taken as it stands.
fn civil(json: &Json, zone: &TimeZone) -> Option<DateTime> {
    let text = json.as_str()?.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.to_zoned(zone.clone()).datetime());
    }
    // A date alone is no moment: what its time would be is anybody's guess.
    text.contains([':', 'T', 't']).then(|| text.parse::<DateTime>().ok())?
}

/// Nothing in it that a voice would stumble over: control characters are blanks, blanks come one at a time.
fn tidy(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut tidy = String::new();
    for word in words {
        let room = MAX_TEXT.saturating_sub(tidy.len() + 1);
        if !tidy.is_empty() && room > 0 {
            tidy.push(' ');
        }
        let end = word.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
        tidy.push_str(&word[..end.unwrap_or(0)]);
        if end != Some(word.len()) {
            break;
        }
    }
    tidy
}

fn clean(value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(tidy(&text)),
        Value::List(items) => Value::List(items.into_iter().map(clean).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, value)| (name, clean(value))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> Json {
        json!({
            "order": {
                "items": [{ "title": "Blue\u{7} \n lamp", "price": 12.5 }, { "title": null }],
                "0": "zero", "a/b": 1, "placed": "2026-03-02T23:30:00-05:00", "due": "2026-03-09"
            },
            "account": "0042 1234", "open": true, "cents": 1250, "phone": "+1 (202) 555-0143"
        })
    }

    fn find(path: &str) -> Option<Json> {
        Path::parse(path).unwrap().find(&order()).cloned()
    }

    fn read(path: &str, sort: &str) -> Option<Value> {
        let zone = TimeZone::get("America/New_York").unwrap();
        let found = Path::parse(path).unwrap();
        Sort::parse(sort).unwrap().read(found.find(&order())?, &zone)
    }

    #[test]
    fn a_path_leads_through_names_and_places() {
        assert_eq!(find("order.items[0].price"), Some(json!(12.5)));
        assert_eq!(find("/order/items/0/price"), Some(json!(12.5)));
        assert_eq!(find("/order/0"), Some(json!("zero")));
        assert_eq!(find("/order/a~1b"), Some(json!(1)));
        assert_eq!(find("."), Some(order()));
        for nothing in ["order.items[2]", "order.items.title", "open.closed", "order.items[1].title", "/order/items/-"]
        {
            assert_eq!(find(nothing), None, "{nothing}");
        }
        let list = json!([[1, 2], [3]]);
        assert_eq!(Path::parse("[0][1]").unwrap().find(&list), Some(&json!(2)));
    }

    #[test]
    fn what_is_no_path_says_how_to_write_one() {
        for text in ["", "a..b", ".a", "a.", "a[", "a[x]", "a[0", "a]0[", "a[0]b", "a[-1]", "a.[0]"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse(&"a.".repeat(40)).is_err());
        assert!(Path::parse(&["a"; 33].join(".")).unwrap_err().contains("deeper than 32"));
    }

    #[test]
    fn values_are_what_the_plan_says_they_are() {
        let usd = |minor| Some(Value::Amount(Amount { minor, currency: Currency::USD }));
        assert_eq!(read("order.items[0].price", "amount USD"), usd(1_250));
        assert_eq!(read("cents", "amount USD in cents"), usd(1_250));
        assert_eq!(read("cents", "amount USD"), usd(125_000));
        let yen = Sort::parse("amount JPY").unwrap().read(&json!(300.0), &TimeZone::UTC);
        assert_eq!(yen.unwrap().plain(), "300");
        assert_eq!(read("account", "digits"), Some(Value::Digits("00421234".into())));
        assert_eq!(read("open", "boolean"), Some(Value::Boolean(true)));
        assert_eq!(read("cents", "number"), Some(Value::Integer(1_250)));
        let english = |text: &str, sort: &str| Sort::parse(sort).unwrap().read(&json!(text), &TimeZone::UTC);
        assert_eq!(english("yes", "boolean"), Some(Value::Boolean(true)), "as lists write it");
        assert_eq!(english("$12.50", "amount USD"), usd(1_250));
        assert_eq!(english("call 555", "phone"), None);
        assert_eq!(read("order.items[0].title", "text"), Some(Value::text("Blue lamp")));
        assert_eq!(read("phone", "phone"), Some(Value::Phone("+12025550143".into())));
        assert_eq!(read("order.due", "date"), Some(Value::Date("2026-03-09".parse().unwrap())));
        assert_eq!(read("order.items[0]", "any").map(|value| value.sort()), Some("map"));
    }

    #[test]
    fn a_moment_falls_on_the_day_of_the_plans_zone() {
        let placed = order()["order"]["placed"].clone();
        let in_zone = |name: &str, sort: Sort| sort.read(&placed, &TimeZone::get(name).unwrap()).unwrap().plain();
        assert_eq!(in_zone("America/New_York", Sort::Date), "2026-03-02");
        assert_eq!(in_zone("Asia/Shanghai", Sort::Date), "2026-03-03");
        assert_eq!(in_zone("Asia/Shanghai", Sort::Moment), "2026-03-03T12:30");
        assert_eq!(in_zone("Asia/Shanghai", Sort::Time), "12:30");
    }

    #[test]
    fn another_type_is_a_failure_that_names_the_place_and_not_the_value() {
        for (path, sort) in [
            ("order.items[0].title", "number"),
            ("open", "digits"),
            ("open", "amount USD"),
            ("order.items[0].price", "amount JPY"),
            ("order.items", "text"),
            ("order.due", "moment"),
            ("cents", "date"),
            ("account", "boolean"),
            ("account", "time"),
            ("open", "phone"),
        ] {
            assert_eq!(read(path, sort), None, "{path} {sort}");
        }
        let wanted =
            |missing| Wanted { name: "due".into(), path: Path::parse("account").unwrap(), sort: Sort::Date, missing };
        let failure = Mapping::new([wanted(Some(Value::Nothing))]).read(&order(), &TimeZone::UTC).unwrap_err();
        assert_eq!(failure.to_string(), "what the answer has at `account` is not a date");
    }

    #[test]
    fn what_is_missing_is_a_failure_or_a_default() {
        let wanted = |missing| {
            let path = Path::parse("order.items[1].title").unwrap();
            Mapping::new([Wanted { name: "title".into(), path, sort: Sort::Text, missing }])
        };
        let failure = wanted(None).read(&order(), &TimeZone::UTC).unwrap_err();
        assert_eq!(failure, Failure::Missing { path: "order.items[1].title".into() });
        let read = wanted(Some(Value::text("your order"))).read(&order(), &TimeZone::UTC).unwrap();
        assert_eq!(read["title"], Value::text("your order"));
    }

    #[test]
    fn types_are_written_in_words() {
        assert_eq!(Sort::parse("amount cny"), Ok(Sort::Amount(Currency::CNY)));
        for wrong in ["", "money", "amount", "amount US", "text text", "amount USD in pounds", "amount USD in"] {
            assert!(Sort::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_json_breaks_the_reading() {
        for json in [json!(null), json!(1e308), json!(-0.0), json!("9".repeat(100)), json!([[[]]]), json!("٣")] {
            for sort in ["any", "text", "digits", "number", "boolean", "date", "time", "moment", "phone", "amount USD"]
            {
                let _ = Sort::parse(sort).unwrap().read(&json, &TimeZone::UTC);
            }
        }
        assert!(tidy(&"word ".repeat(10_000)).len() <= MAX_TEXT);
        // A text without any blank is still cut somewhere.
        assert!(tidy(&"字".repeat(10_000)).len() <= MAX_TEXT);
    }
}
