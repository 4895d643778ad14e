//! English words for values, American or (with "and" inside numbers and the day before its month) British.

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::{Figures, Tongue, days_until};
use crate::language::Language;
use crate::spoken::currencies::{home_currency, names_of, region};
use crate::value::{Amount, Currency};

const BELOW_TWENTY: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(u64, &str); 6] = [
    (1_000_000_000_000_000_000, "quintillion"),
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Ordinals that are not their number with "th".
const ORDINALS: [(&str, &str); 7] = [
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("five", "fifth"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("twelve", "twelfth"),
];

/// One kind of English.
pub struct English {
    british: bool,
    home: Currency,
}

impl English {
    /// As the tag's region speaks it; America where it names none.
    pub fn of(language: &Language) -> Self {
        Self { british: !matches!(region(language), None | Some("US" | "CA")), home: home_currency(language) }
    }

    /// "one thousand two hundred thirty-four"; British with an "and" before the last tens and ones.
    fn cardinal(&self, number: u64) -> String {
        let mut words = Vec::new();
        let mut rest = number;
        for (scale, name) in SCALES {
            if rest >= scale {
                words.push(format!("{} {name}", self.cardinal(rest / scale)));
                rest %= scale;
            }
        }
        if rest >= 100 {
            words.push(format!("{} hundred", BELOW_TWENTY[rest as usize / 100]));
            rest %= 100;
        }
        if rest > 0 || words.is_empty() {
            let and = if self.british && !words.is_empty() { "and " } else { "" };
            words.push(format!("{and}{}", below_hundred(rest as usize)));
        }
        words.join(" ")
    }

    /// "one dollar", "five cents"; a qualified name loses its qualifier at home.
    fn counted(&self, count: u64, one: &str, many: &str, currency: Currency) -> String {
        let name = if count == 1 { one } else { many };
        // "dollars" by itself are those of the caller's country.
        let name = if currency == self.home { name.rsplit(' ').next().unwrap_or(name) } else { name };
        format!("{} {}", self.cardinal(count), name.replace("US ", "U S "))
    }

    /// "twenty twenty-six", "two thousand five", "nineteen oh five".
    fn year(&self, year: i16) -> String {
        let year = u64::from(year.unsigned_abs());
        let (century, rest) = ((year / 100) as usize, (year % 100) as usize);
        match (century, rest) {
            (10..=99, 1..=9) if !century.is_multiple_of(10) => {
                format!("{} oh {}", below_hundred(century), below_hundred(rest))
            }
            (10..=99, 0) if !century.is_multiple_of(10) => format!("{} hundred", below_hundred(century)),
            (10..=99, 10..) => format!("{} {}", below_hundred(century), below_hundred(rest)),
            _ => self.cardinal(year),
        }
    }
}

impl Tongue for English {
    fn number(&self, figures: &Figures) -> String {
        let sign = if figures.negative { "minus " } else { "" };
        let whole = self.cardinal(figures.whole);
        if figures.fraction.is_empty() {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole} point {}", one_by_one(&figures.fraction))
    }

    fn ordinal(&self, place: u64) -> String {
        let cardinal = self.cardinal(place);
        let at = cardinal.rfind([' ', '-']).map_or(0, |at| at + 1);
        let (before, last) = cardinal.split_at(at);
        let last = match ORDINALS.iter().find(|(number, _)| *number == last) {
            Some((_, ordinal)) => (*ordinal).to_owned(),
            None => last.strip_suffix('y').map_or_else(|| format!("{last}th"), |stem| format!("{stem}ieth")),
        };
        format!("{before}{last}")
    }

    fn amount(&self, amount: Amount) -> String {
        let (whole, part) = amount.parts();
        let sign = if amount.minor < 0 { "minus " } else { "" };
        let Some(names) = names_of(amount.currency) else {
            let places = amount.currency.decimals() as usize;
            let fraction = if part == 0 { String::new() } else { format!("{part:0places$}") };
            let number = self.number(&Figures { negative: amount.minor < 0, whole, fraction });
            let letters: Vec<String> = amount.currency.code().chars().map(String::from).collect();
            return format!("{number} {}", letters.join(" "));
        };
        let units = || self.counted(whole, names.one, names.many, amount.currency);
        let small = || self.counted(part, names.small_one, names.small_many, amount.currency);
        match (whole, part) {
            (_, 0) => format!("{sign}{}", units()),
            (0, _) => format!("{sign}{}", small()),
            _ => format!("{sign}{} and {}", units(), small()),
        }
    }

    fn date(&self, date: Date, today: Date) -> String {
        let weekday = weekday(date.weekday());
        let month = MONTHS[date.month() as usize - 1];
        let day = self.ordinal(date.day() as u64);
        let year = if date.year() == today.year() { String::new() } else { format!(", {}", self.year(date.year())) };
        if self.british {
            format!("{weekday} the {day} of {month}{year}")
        } else {
            format!("{weekday}, {month} the {day}{year}")
        }
    }

    fn time(&self, time: Time) -> String {
        let (hour, minute) = (time.hour() as usize, time.minute() as usize);
        let half = if hour < 12 { "a m" } else { "p m" };
        let named = BELOW_TWENTY[if hour.is_multiple_of(12) { 12 } else { hour % 12 }];
        match (hour, minute) {
            (0, 0) => "midnight".to_owned(),
            (12, 0) => "noon".to_owned(),
            (_, 0) => format!("{named} {half}"),
            (_, 1..=9) => format!("{named} oh {} {half}", BELOW_TWENTY[minute]),
            _ => format!("{named} {} {half}", below_hundred(minute)),
        }
    }

    fn moment(&self, moment: DateTime, today: Date) -> String {
        format!("{}, at {}", self.date(moment.date(), today), self.time(moment.time()))
    }

    fn near(&self, moment: DateTime, today: Date) -> String {
        let day = match days_until(today, moment.date()) {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            2..=6 => format!("on {}", weekday(moment.date().weekday())),
            _ => format!("on {}", self.date(moment.date(), today)),
        };
        format!("{day} at {}", self.time(moment.time()))
    }

    fn yes_no(&self, truth: bool) -> String {
        if truth { "yes" } else { "no" }.to_owned()
    }

    /// Capitals, for "a" by itself is read as the article.
    fn letters(&self, text: &str) -> String {
        let named = |c: char| match c.to_digit(10) {
            Some(digit) => BELOW_TWENTY[digit as usize].to_owned(),
            None => c.to_uppercase().to_string(),
        };
        text.chars().filter(|c| c.is_alphanumeric()).map(named).collect::<Vec<_>>().join(", ")
    }

    fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// 0 to 99.
fn below_hundred(number: usize) -> String {
    match (number / 10, number % 10) {
        (0 | 1, _) => BELOW_TWENTY[number].to_owned(),
        (tens, 0) => TENS[tens].to_owned(),
        (tens, ones) => format!("{}-{}", TENS[tens], BELOW_TWENTY[ones]),
    }
}

fn one_by_one(figures: &str) -> String {
    figures.bytes().map(|digit| BELOW_TWENTY[usize::from(digit - b'0')]).collect::<Vec<_>>().join(" ")
}

const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
