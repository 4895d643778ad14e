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
