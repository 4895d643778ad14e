//! What we say is what we hear: seeded random values, said and heard again, for every kind in both languages.

use jiff::ToSpan;
use jiff::civil::{Time, date};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::tests::now;
use super::{Fit, find};
use crate::grammar::builtin::{Kind, say_back};
use crate::language::Language;
use crate::value::{Amount, Currency, Value};

/// Says a value of this kind and hears it again.
fn there_and_back(kind: &str, tag: &str, value: &Value) {
    let (kind, language) = (Kind::parse(kind).unwrap(), Language::parse(tag).unwrap());
    let said = say_back(value, &kind, &language, now().date());
    let found = find(&said, &kind, &language, now());
    let heard = found.first().unwrap_or_else(|| panic!("{tag} {kind:?} {value:?}: `{said}` is not heard"));
    assert_eq!(&heard.value, value, "{tag} {kind:?}: `{said}`");
    assert_eq!(heard.fit, Fit::Full, "{tag} {kind:?}: `{said}`");
}

const TAGS: [&str; 3] = ["en-US", "en-GB", "zh-CN"];

fn magnitude(random: &mut StdRng, most: u32) -> i64 {
    let places = random.random_range(1..=most);
    random.random_range(0..10_i64.pow(places))
}

#[test]
fn sums() {
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..2_000 {
        let code = ["USD", "CNY", "GBP", "EUR", "JPY", "CAD", "HKD"][random.random_range(0..7)];
        let sign = if random.random_bool(0.1) { -1 } else { 1 };
        let currency = Currency::parse(code).unwrap();
        let value = Value::Amount(Amount { minor: sign * magnitude(&mut random, 12), currency });
        for tag in TAGS {
            there_and_back(&format!("amount?currency={code}"), tag, &value);
        }
    }
}

#[test]
fn numbers() {
    let mut random = StdRng::seed_from_u64(2);
    for _ in 0..2_000 {
        let sign = if random.random_bool(0.2) { -1 } else { 1 };
        let whole = magnitude(&mut random, 15);
        let value = match random.random_bool(0.3) {
            true => Value::Number(
                format!("{}.{}", sign * whole.clamp(1, 999_999), random.random_range(0..50) * 2 + 1).parse().unwrap(),
            ),
            false => Value::Integer(sign * whole),
        };
        for tag in TAGS {
            there_and_back("number", tag, &value);
        }
    }
}

#[test]
fn days() {
    for ahead in -400..=800_i64 {
        let day = now().date().checked_add(ahead.days()).unwrap();
        for tag in TAGS {
            there_and_back("date", tag, &Value::Date(day));
        }
    }
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..500 {
        let day = date(random.random_range(1900..2100), random.random_range(1..=12), random.random_range(1..=28));
        for tag in TAGS {
            there_and_back("date", tag, &Value::Date(day));
        }
    }
}

#[test]
fn times_and_moments() {
    for minute in 0..24 * 60_i16 {
        let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).unwrap();
        for tag in TAGS {
            there_and_back("time", tag, &Value::Time(time));
        }
    }
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..1_000 {
        let moment = now().checked_add(random.random_range(1..500_000_i64).minutes()).unwrap();
        for tag in TAGS {
            there_and_back("moment", tag, &Value::Moment(moment));
        }
    }
}

#[test]
fn digits_phones_and_letters() {
    let mut random = StdRng::seed_from_u64(5);
    let digits = |random: &mut StdRng, length: usize| -> String {
        (0..length).map(|_| char::from(b'0' + random.random_range(0..10_u8))).collect()
    };
    for _ in 0..1_000 {
        let length = random.random_range(1..=16);
        let account = digits(&mut random, length);
        let american =
            format!("+1{}{}{}", random.random_range(2..10), digits(&mut random, 2), random.random_range(2..10))
                + &digits(&mut random, 6);
        let chinese = format!("+861{}", random.random_range(3..10)) + &digits(&mut random, 9);
        let british = format!("+447{}", digits(&mut random, 9));
        let letters: String =
            (0..random.random_range(2..=8)).map(|_| char::from(b'A' + random.random_range(0..26_u8))).collect();
        for tag in TAGS {
            there_and_back(&format!("digits?length={length}"), tag, &Value::Digits(account.clone()));
            for number in [&american, &chinese, &british] {
                there_and_back("phone", tag, &Value::Phone(number.clone()));
            }
            there_and_back("spelling", tag, &Value::Text(letters.clone()));
        }
    }
}

#[test]
fn values_that_trip_people_up() {
    const COUNTS: &[i64] = &[
        0,
        1,
        2,
        10,
        12,
        19,
        20,
        22,
        100,
        101,
        102,
        105,
        110,
        112,
        120,
        200,
        202,
        212,
        220,
        222,
        1_000,
        1_001,
        1_005,
        1_010,
        1_015,
        1_050,
        1_100,
        1_105,
        2_000,
        2_002,
        2_020,
        2_200,
        2_202,
        10_000,
        10_001,
        10_010,
        10_100,
        11_000,
        12_012,
        20_000,
        20_002,
        22_222,
        100_000,
        100_005,
        101_010,
        102_002,
        200_000,
        202_020,
        1_000_000,
        1_000_001,
        2_000_002,
        10_000_000,
        20_020_020,
        100_000_000,
        100_000_001,
        100_010_000,
        102_000_000,
        200_000_000,
        1_000_000_000,
        1_000_000_001,
        2_000_000_002,
        10_000_000_010,
        999_999_999_999,
    ];
    let signed = || COUNTS.iter().flat_map(|count| [*count, -count]);
    for tag in TAGS {
        for count in signed() {
            there_and_back("number", tag, &Value::Integer(count));
        }
        for (code, unit) in [("USD", 100), ("CNY", 100), ("GBP", 100), ("JPY", 1)] {
            let currency = Currency::parse(code).unwrap();
            let kind = format!("amount?currency={code}");
            for minor in signed().flat_map(|count| [count, count * unit]) {
                there_and_back(&kind, tag, &Value::Amount(Amount { minor, currency }));
            }
        }
        for number in [0.05, 0.5, 1.5, 2.02, 2.2, 20.02, 1_005.05, 1_000_000.01] {
            there_and_back("number", tag, &Value::Number(number));
            there_and_back("number", tag, &Value::Number(-number));
        }
        for day in ["2000-02-29", "2024-02-29", "2028-02-29", "1901-01-01", "2005-05-05", "2010-10-10", "2100-02-28"] {
            there_and_back("date", tag, &Value::Date(day.parse().unwrap()));
        }
        for moment in
            ["2026-03-05T00:00", "2026-03-05T12:00", "2026-12-31T23:59", "2027-01-01T00:01", "2028-02-29T12:30"]
        {
            there_and_back("moment", tag, &Value::Moment(moment.parse().unwrap()));
        }
        for digits in ["0", "00", "007", "1005", "2222", "000000", "1111111111", "0123456789012345"] {
            there_and_back(&format!("digits?length={}", digits.len()), tag, &Value::Digits(digits.into()));
        }
        for number in
            ["+12020000000", "+12222222222", "+18005550100", "+861012345678", "+8613800138000", "+442079460000"]
        {
            there_and_back("phone", tag, &Value::Phone(number.into()));
        }
    }
}

#[test]
fn days_that_are_not_in_the_calendar_are_no_days() {
    for (tag, text) in [
        ("en-US", "February the twenty-ninth, twenty twenty-seven"),
        ("en-GB", "the twenty-ninth of February twenty twenty-six"),
        ("en-US", "February 29, 2027"),
        ("zh-CN", "二〇二七年二月二十九号"),
        ("zh-CN", "2026年2月29日"),
    ] {
        let kind = Kind::parse("date").unwrap();
        let found = find(text, &kind, &Language::parse(tag).unwrap(), now());
        let days: Vec<_> =
            found.iter().filter(|found| found.fit == Fit::Full && found.value != Value::Nothing).collect();
        assert!(days.is_empty(), "{tag} `{text}`: {days:?}");
    }
}

#[test]
fn ratings_and_answers() {
    for tag in TAGS {
        for score in 0..=10 {
            there_and_back("rating", tag, &Value::Integer(score));
        }
        for truth in [true, false] {
            there_and_back("boolean", tag, &Value::Boolean(truth));
        }
    }
}
