//! Where a telephone number is at home: its country, its area, and what time it may be there.
//!
//! The tables are libphonenumber's (`data/README.md`), looked up by the longest prefix. A prefix tells where a number
//! was given out, not where its owner stands: people take their numbers along, mobile ones above all. So a region says
//! whether it is [`sure`](Region::sure), and names every zone that is possible; who must not disturb anybody's sleep
//! takes them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::language::Language;

/// Most digits of a number (ITU-T E.164).
const MOST_DIGITS: usize = 15;
/// Fewer are no number of anybody.
const FEWEST_DIGITS: usize = 5;

/// Where a number is at home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// ISO 3166 code: `US`. Where several countries share the prefix, the one it is known for, and not sure; empty for
    /// toll-free and the like of several countries.
    pub country: &'static str,
    /// State, province or town, where the tables know it.
    pub area: Option<Area>,
    /// Every time zone it may be in, by its name in the tz database; never empty.
    pub zones: Vec<&'static str>,
    /// What kind of line it is.
    pub line: LineType,
    /// Is the number tied to that place? Only where fixed lines have prefixes of their own.
    pub sure: bool,
}

/// A place inside a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// In English.
    pub english: &'static str,
    /// In Chinese, where the tables have it.
    pub chinese: &'static str,
}

impl Area {
    /// In this language, else in the other.
    pub fn name(&self, language: &Language) -> &'static str {
        let chinese_first = language.primary() == "zh";
        let (first, second) = if chinese_first { (self.chinese, self.english) } else { (self.english, self.chinese) };
        if first.is_empty() { second } else { first }
    }
}

/// What a prefix says of the line behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineType {
    /// Goes where its owner goes.
    Mobile,
    /// In a house.
    Fixed,
    /// One of both: all of North America.
    FixedOrMobile,
    /// Free for the caller: a company.
    TollFree,
    /// Dear to the caller.
    Premium,
    /// Shared cost, or one number for a company everywhere.
    Shared,
    /// On the internet.
    Voip,
    /// The tables do not say.
    Unknown,
}

impl LineType {
    /// As plans write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Fixed => "fixed",
            Self::FixedOrMobile => "fixed_or_mobile",
            Self::TollFree => "toll_free",
            Self::Premium => "premium",
            Self::Shared => "shared",
            Self::Voip => "voip",
            Self::Unknown => "unknown",
        }
    }

    /// A prefix with lines of several kinds tells only that they may be mobile.
    fn read(letters: &str) -> Self {
        match letters {
            "m" => Self::Mobile,
            "f" => Self::Fixed,
            "t" => Self::TollFree,
            "p" => Self::Premium,
            "s" => Self::Shared,
            "v" => Self::Voip,
            _ if letters.bytes().all(|letter| matches!(letter, b'e' | b'f' | b'm')) => Self::FixedOrMobile,
            _ => Self::Unknown,
        }
    }
}

/// Looks `number` up: E.164 with its `+`. `None` when it is none, or of no country.
///
/// The number is personal; what comes back is a place many share.
pub fn region_of(number: &str) -> Option<Region> {
    let digits = number.strip_prefix('+')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if !is_number || !(FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len()) {
        return None;
    }
    let tables = &*TABLES;
    let home = *longest(&tables.homes, digits)?;
    let line = longest(&tables.lines, digits).map_or(LineType::Unknown, |letters| LineType::read(letters));
    let is_shared = home.contains(',');
    let country = match home.split(',').next().unwrap_or_default() {
        _ if is_shared && !(tied(line) || line == LineType::Mobile) => "",
        first => first,
    };
    let area = if country == "CN" && line == LineType::Mobile {
        tables.province(digits)
    } else {
        longest(&tables.areas, digits).copied().filter(|_| tied(line))
    };
    // Whatever is not tied to a place may be anywhere in its country, whoever gave it out.
    let anywhere: BTreeSet<&'static str> = home.split(',').flat_map(zones_of).copied().collect();
    let zones: Vec<&'static str> = match tied(line) || country.is_empty() || anywhere.is_empty() {
        true => longest(&tables.zones, digits)?.split(',').collect(),
        false => anywhere.into_iter().collect(),
    };
    let sure = line == LineType::Fixed && !country.is_empty() && !is_shared && zones.len() == 1;
    Some(Region { country, area, zones, line, sure })
}

/// Does a prefix of this line type say where the line is?
const fn tied(line: LineType) -> bool {
    matches!(line, LineType::Fixed | LineType::FixedOrMobile)
}

/// Every time zone of a country (`US`): where a number may be whose owner has moved. Empty for one that is unknown.
pub fn zones_of(country: &str) -> &'static [&'static str] {
    TABLES.zones_of.get(country).map_or(&[], Vec::as_slice)
}

/// What a country (`CN`) is called in this language.
pub fn country_name(country: &str, language: &Language) -> Option<&'static str> {
    let (english, chinese) = *TABLES.countries.get(country)?;
    Some(if language.primary() == "zh" { chinese } else { english })
}

struct Tables {
    countries: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// By prefix, without the `+`.
    areas: BTreeMap<&'static str, Area>,
    zones: BTreeMap<&'static str, &'static str>,
    lines: BTreeMap<&'static str, &'static str>,
    homes: BTreeMap<&'static str, &'static str>,
    zones_of: BTreeMap<&'static str, Vec<&'static str>>,
    /// First and last seven-digit prefix of mobile numbers in China, and their province.
    mobile: Vec<(u32, u32, Area)>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let provinces: BTreeMap<&str, Area> = rows(include_str!("data/provinces.tsv"))
        .map(|[english, chinese]| (english, Area { english, chinese }))
        .collect();
    let mobile = rows(include_str!("data/china-mobile.tsv")).filter_map(|[first, more, province]| {
        let first: u32 = first.parse().ok()?;
        Some((first, first + more.parse::<u32>().ok()?, *provinces.get(province)?))
    });
    let zones: BTreeMap<&str, &str> =
        rows(include_str!("data/zones.tsv")).map(|[prefix, names]| (prefix, names)).collect();
    let homes: BTreeMap<&str, &str> =
        rows(include_str!("data/homes.tsv")).map(|[prefix, code]| (prefix, code)).collect();
    Tables {
        zones_of: by_country(&zones, &homes),
        zones,
        homes,
        countries: rows(include_str!("data/countries.tsv"))
            .map(|[code, english, chinese]| (code, (english, chinese)))
            .collect(),
        areas: rows(include_str!("data/areas.tsv"))
            .map(|[prefix, english, chinese]| (prefix, Area { english, chinese }))
            .collect(),
        lines: rows(include_str!("data/lines.tsv")).map(|[prefix, letters]| (prefix, letters)).collect(),
        mobile: mobile.collect(),
    }
});

impl Tables {
    fn province(&self, digits: &str) -> Option<Area> {
        let segment: u32 = digits.get(2..9)?.parse().ok()?;
        let place = self.mobile.partition_point(|(first, ..)| *first <= segment).checked_sub(1)?;
        let (_, last, area) = self.mobile[place];
        (segment <= last).then_some(area)
    }
}

/// The zones of every country: those of prefixes inside it, and of the prefix that it lies in.
fn by_country(
    zones: &BTreeMap<&'static str, &'static str>,
    homes: &BTreeMap<&'static str, &'static str>,
) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (prefix, names) in zones {
        // A prefix of several countries says nothing of any of them…
        if let Some(home) = longest(homes, prefix).filter(|home| !home.is_empty() && !home.contains(',')) {
            found.entry(home).or_default().extend(names.split(','));
        }
    }
    let known: BTreeSet<&str> = found.keys().copied().collect();
    for (prefix, shared) in homes {
        // …unless nothing else does.
        for home in shared.split(',').filter(|home| !home.is_empty() && !known.contains(home)) {
            found
                .entry(home)
                .or_default()
                .extend(longest(zones, prefix).into_iter().flat_map(|names| names.split(',')));
        }
    }
    found.into_iter().map(|(home, zones)| (home, zones.into_iter().collect())).collect()
}

/// Lines of a table that ours wrote; a test reads them all.
pub(super) fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

fn longest<'a, T>(table: &'a BTreeMap<&'static str, T>, digits: &str) -> Option<&'a T> {
    (1..=digits.len()).rev().find_map(|length| table.get(&digits[..length]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: &str) -> String {
        let Some(Region { country, area, zones, line, sure }) = region_of(number) else { return "nowhere".to_owned() };
        let area = area.map_or("-", |area| area.english);
        let sure = if sure { "sure" } else { "perhaps" };
        format!("{country} {area} {} {} {sure}", zones.join("+"), line.name())
    }

    /// Numbers reserved for fiction or made up; places by the numbering plans of their countries.
    #[test]
    fn numbers_are_at_home_where_their_prefix_was_given_out() {
        let rows = [
            ("+12025550143", "US Washington D.C. America/New_York fixed_or_mobile perhaps"),
            ("+12125550143", "US New York, NY America/New_York fixed_or_mobile perhaps"),
            ("+18085550143", "US Hawaii Pacific/Honolulu fixed_or_mobile perhaps"),
            (
                "+19075550143",
                "US Alaska America/Adak+America/Anchorage+America/Juneau+Pacific/Honolulu fixed_or_mobile perhaps",
            ),
            ("+14165550143", "CA Ontario America/Toronto fixed_or_mobile perhaps"),
            ("+861062345678", "CN Beijing Asia/Shanghai fixed sure"),
            ("+862162345678", "CN Shanghai Asia/Shanghai fixed sure"),
            ("+8613900011234", "CN Liaoning Asia/Shanghai mobile perhaps"),
            ("+442079460143", "GB London Europe/London fixed sure"),
            ("+4930901820143", "DE - Europe/Berlin fixed sure"),
            ("+81355550143", "JP - Asia/Tokyo fixed sure"),
        ];
        for (number, expect) in rows {
            assert_eq!(told(number), expect, "{number}");
        }
        let british = region_of("+447700900143").unwrap();
        assert_eq!((british.country, british.line, british.sure), ("GB", LineType::Mobile, false));
        assert!(british.area.is_none() && british.zones.contains(&"Europe/London"), "{british:?}");
        assert_eq!(region_of("+18005550143").map(|region| region.line), Some(LineType::TollFree));
        assert_eq!(region_of("+18005550143").map(|region| region.area), Some(None));
        assert!(region_of("+18005550143").unwrap().zones.len() > 20, "a toll-free number may be anywhere");
    }

    #[test]
    fn an_area_that_lies_in_two_zones_names_both() {
        let idaho = region_of("+12085550143").unwrap();
        assert!(idaho.zones.len() >= 2 && !idaho.sure, "{idaho:?}");
        let mobile = region_of("+61412345678").unwrap();
        assert!(mobile.zones.len() > 5, "a mobile number of Australia may be anywhere there: {mobile:?}");
        let sydney = region_of("+61255501234").unwrap();
        assert!(sydney.zones.contains(&"Australia/Sydney"), "{sydney:?}");
    }

    #[test]
    fn what_is_no_number_is_nowhere() {
        for number in
            ["", "+", "12025550143", "+0123456", "+1", "+1202", "+12025550143x", "+1234567890123456", "+２０２５５５"]
        {
            assert_eq!(region_of(number), None, "{number}");
        }
        // 999 is nobody's calling code.
        assert_eq!(region_of("+99912345678"), None);
    }

    #[test]
    fn places_have_names_in_both_languages() {
        let (english, chinese) = (Language::english(), Language::parse("zh-CN").unwrap());
        let liaoning = region_of("+8613900011234").unwrap().area.unwrap();
        assert_eq!((liaoning.name(&english), liaoning.name(&chinese)), ("Liaoning", "辽宁"));
        let london = region_of("+442079460143").unwrap().area.unwrap();
        assert_eq!(london.name(&chinese), "London", "where one is missing, the other is better than nothing");
        assert_eq!(country_name("CN", &chinese), Some("中国"));
        assert_eq!(country_name("DE", &english), Some("Germany"));
        assert_eq!(country_name("XX", &english), None);
    }

    #[test]
    fn a_country_has_all_its_zones_and_no_other() {
        let us = zones_of("US");
        for zone in ["America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "America/Anchorage"] {
            assert!(us.contains(&zone), "{us:?}");
        }
        assert!(!us.contains(&"America/Jamaica") && !us.contains(&"America/Toronto"), "{us:?}");
        assert_eq!(zones_of("CN"), ["Asia/Shanghai"]);
        assert!(zones_of("XX").is_empty());
    }

    #[test]
    fn every_row_of_every_table_is_read_and_every_zone_is_known() {
        let tables = &*TABLES;
        let count = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(tables.zones.len(), count(include_str!("data/zones.tsv")));
        assert_eq!(tables.areas.len(), count(include_str!("data/areas.tsv")));
        assert_eq!(tables.lines.len(), count(include_str!("data/lines.tsv")));
        assert_eq!(tables.homes.len(), count(include_str!("data/homes.tsv")));
        assert_eq!(tables.countries.len(), count(include_str!("data/countries.tsv")));
        assert_eq!(tables.mobile.len(), count(include_str!("data/china-mobile.tsv")));
        assert!(tables.mobile.is_sorted_by_key(|(first, ..)| *first));
        for zone in tables.zones.values().flat_map(|zones| zones.split(',')) {
            assert!(jiff::tz::TimeZone::get(zone).is_ok(), "{zone}");
        }
        for home in tables.homes.values().flat_map(|homes| homes.split(',')).filter(|home| !home.is_empty()) {
            assert!(tables.countries.contains_key(home), "{home}");
            assert!(!zones_of(home).is_empty(), "{home}");
        }
    }
}
