//! What currencies are called, and which one a region calls just "dollars".

use crate::language::Language;
use crate::value::Currency;

/// The words for one currency.
pub struct Names {
    /// ISO 4217.
    pub code: &'static str,
    /// One of it and several, in English.
    pub one: &'static str,
    /// Several, in English.
    pub many: &'static str,
    /// One of its smallest unit, in English; empty where there is none.
    pub small_one: &'static str,
    /// Several of them.
    pub small_many: &'static str,
    /// Mandarin.
    pub unit: &'static str,
    /// Mandarin for the smallest unit; empty where tenths and hundredths are 角 and 分.
    pub small: &'static str,
}

/// The currencies we can name; amounts in others are said with the letters of their code. A qualified name ("Canadian
/// dollars") is shortened to its last word where it is the [`home_currency`].
#[rustfmt::skip]
const NAMES: &[Names] = &[
    names("USD", ["US dollar", "US dollars", "cent", "cents"], ["美元", "美分"]),
    names("CNY", ["yuan", "yuan", "fen", "fen"], ["元", ""]),
    names("GBP", ["pound", "pounds", "penny", "pence"], ["英镑", "便士"]),
    names("EUR", ["euro", "euros", "cent", "cents"], ["欧元", "欧分"]),
    names("JPY", ["yen", "yen", "", ""], ["日元", ""]),
    names("KRW", ["won", "won", "", ""], ["韩元", ""]),
    names("CAD", ["Canadian dollar", "Canadian dollars", "cent", "cents"], ["加元", "加分"]),
    names("AUD", ["Australian dollar", "Australian dollars", "cent", "cents"], ["澳元", "澳分"]),
    names("NZD", ["New Zealand dollar", "New Zealand dollars", "cent", "cents"], ["新西兰元", "分"]),
    names("HKD", ["Hong Kong dollar", "Hong Kong dollars", "cent", "cents"], ["港元", ""]),
    names("SGD", ["Singapore dollar", "Singapore dollars", "cent", "cents"], ["新加坡元", "分"]),
    names("TWD", ["Taiwan dollar", "Taiwan dollars", "cent", "cents"], ["新台币", ""]),
    names("CHF", ["Swiss franc", "Swiss francs", "centime", "centimes"], ["瑞士法郎", "分"]),
    names("INR", ["rupee", "rupees", "paisa", "paise"], ["卢比", "派沙"]),
    names("MXN", ["peso", "pesos", "centavo", "centavos"], ["比索", "分"]),
    names("ZAR", ["rand", "rand", "cent", "cents"], ["兰特", "分"]),
];

const fn names(code: &'static str, english: [&'static str; 4], mandarin: [&'static str; 2]) -> Names {
    let [one, many, small_one, small_many] = english;
    let [unit, small] = mandarin;
    Names { code, one, many, small_one, small_many, unit, small }
}

/// Every currency that has names.
pub fn all() -> impl Iterator<Item = (Currency, &'static Names)> {
    NAMES.iter().filter_map(|names| Some((Currency::parse(names.code)?, names)))
}

/// What `currency` is called, if we know.
pub fn names_of(currency: Currency) -> Option<&'static Names> {
    NAMES.iter().find(|names| names.code == currency.code())
}

/// The currency meant where none is named: by the region of the tag (`en-GB`: pounds), else renminbi for Chinese, euros
/// for the languages of the euro area and US dollars for the rest.
pub fn home_currency(language: &Language) -> Currency {
    let code = match (language.primary(), region(language)) {
        (_, Some("US")) => "USD",
        (_, Some("GB")) => "GBP",
        (_, Some("CA")) => "CAD",
        (_, Some("AU")) => "AUD",
        (_, Some("NZ")) => "NZD",
        (_, Some("HK")) => "HKD",
        (_, Some("SG")) => "SGD",
        (_, Some("TW")) => "TWD",
        (_, Some("CH")) => "CHF",
        (_, Some("IN")) => "INR",
        (_, Some("MX")) => "MXN",
        (_, Some("ZA")) => "ZAR",
        (_, Some("IE")) | ("de" | "fr" | "it" | "nl" | "fi" | "el" | "pt" | "es", _) => "EUR",
        ("zh" | "cmn", _) => "CNY",
        ("ja", _) => "JPY",
        ("ko", _) => "KRW",
        _ => "USD",
    };
    Currency::parse(code).expect("currency codes above have three letters")
}

/// The country whose telephone numbers are dialled without its code: the region of the tag, else America for English and
/// China for Chinese.
pub fn home_region(language: &Language) -> Option<&str> {
    region(language).or(match language.primary() {
        "en" => Some("US"),
        "zh" | "cmn" => Some("CN"),
        _ => None,
    })
}

/// `GB` of `en-GB`, `CN` of `zh-Hans-CN`.
pub fn region(language: &Language) -> Option<&str> {
    language.as_str().split('-').skip(1).find(|part| part.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_own_money() {
        for (tag, code) in [("en", "USD"), ("en-GB", "GBP"), ("zh-Hans-CN", "CNY"), ("zh-HK", "HKD"), ("de", "EUR")] {
            assert_eq!(home_currency(&Language::parse(tag).unwrap()).code(), code, "{tag}");
        }
    }

    #[test]
    fn every_name_belongs_to_a_real_currency_and_smallest_units_agree_with_its_decimals() {
        for names in NAMES {
            let currency = Currency::parse(names.code).unwrap();
            assert_eq!(currency.decimals() == 0, names.small_one.is_empty(), "{}", names.code);
        }
    }
}
