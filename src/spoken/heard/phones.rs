//! From the digits of a telephone number to the number: complete for its country, or not yet.

/// How complete digits are as a telephone number.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialled {
    /// A number, in E.164 where the country is known, and how sure.
    Number(String, f32),
    /// A local number; an area code may be on its way.
    Local(String, f32),
    /// More must come.
    Short,
    /// None.
    No,
}

/// Judges `digits`, which a plus may have opened, as dialled in `region` (`US`, `CN`…).
pub fn dialled(digits: &str, plus: bool, region: &str) -> Dialled {
    let length = digits.len();
    if plus {
        return match length {
            0..8 => Dialled::Short,
            8..=15 => Dialled::Number(format!("+{digits}"), 0.93),
            _ => Dialled::No,
        };
    }
    if length >= 6 && digits.bytes().all(|digit| digit == b'0') {
        return Dialled::No;
    }
    match region {
        "US" | "CA" => north_american(digits),
        "CN" => chinese(digits),
        "GB" => match (digits.strip_prefix('0'), length) {
            (Some(rest), 10 | 11) => Dialled::Number(format!("+44{rest}"), 0.95),
            (Some(_), 0..10) => Dialled::Short,
            (None, 0..6) => Dialled::Short,
            (None, 6..9) => Dialled::Local(digits.to_owned(), 0.5),
            _ => Dialled::No,
        },
        _ => match length {
            0..6 => Dialled::Short,
            6..=15 => Dialled::Number(digits.to_owned(), 0.75),
            _ => Dialled::No,
        },
    }
}

/// Ten digits, whose area and exchange begin with 2 to 9 (North American Numbering Plan); a 1 may stand before them.
fn north_american(digits: &str) -> Dialled {
    let national = if digits.len() == 11 { digits.strip_prefix('1').unwrap_or(digits) } else { digits };
    match national.len() {
        0..7 => Dialled::Short,
        // No exchange begins with 0 or 1; the 1 of a long-distance number may.
        7 if digits.starts_with('0') => Dialled::No,
        7 if digits.starts_with('1') => Dialled::Short,
        7 => Dialled::Local(digits.to_owned(), 0.5),
        8 | 9 => Dialled::Short,
        10 => {
            let good = [0, 3].iter().all(|at| national.as_bytes()[*at] >= b'2');
            Dialled::Number(format!("+1{national}"), if good { 0.95 } else { 0.6 })
        }
        _ => Dialled::No,
    }
}

/// Eleven digits from 13 up for mobiles, an area code with its 0 and seven or eight more for lines, 400 and 800 numbers,
/// and short service numbers.
fn chinese(digits: &str) -> Dialled {
    let bytes = digits.as_bytes();
    let mobile = bytes.first() == Some(&b'1') && bytes.get(1).is_none_or(|second| *second >= b'3');
    match (digits.len(), bytes.first()) {
        (11, Some(b'1')) if mobile => Dialled::Number(format!("+86{digits}"), 0.96),
        (10..=12, Some(b'0')) if bytes.get(1) != Some(&b'0') => Dialled::Number(format!("+86{}", &digits[1..]), 0.93),
        (10, _) if digits.starts_with("400") || digits.starts_with("800") => {
            Dialled::Number(format!("+86{digits}"), 0.93)
        }
        (13, _) if digits.starts_with("861") => Dialled::Number(format!("+{digits}"), 0.93),
        (7 | 8, Some(b'2'..=b'9')) => Dialled::Local(digits.to_owned(), 0.55),
        (5, _) if digits.starts_with("10") || digits.starts_with("95") => Dialled::Local(digits.to_owned(), 0.5),
        (length, _) if length < 11 || (length < 13 && digits.starts_with("861")) => Dialled::Short,
        _ => Dialled::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_complete_as_its_country_counts() {
        let number = |text: &str, sure| Dialled::Number(text.into(), sure);
        for (digits, plus, region, wanted) in [
            ("2025550123", false, "US", number("+12025550123", 0.95)),
            ("12025550123", false, "US", number("+12025550123", 0.95)),
            ("1025550123", false, "US", number("+11025550123", 0.6)),
            ("5550123", false, "US", Dialled::Local("5550123".into(), 0.5)),
            ("202555", false, "US", Dialled::Short),
            ("20255501234", false, "US", Dialled::No),
            ("0000000", false, "US", Dialled::No),
            ("1202555", false, "US", Dialled::Short),
            ("0000000", false, "DE", Dialled::No),
            ("00000000000", false, "CN", Dialled::No),
            ("86138001380", false, "CN", Dialled::Short),
            ("13800138000", false, "CN", number("+8613800138000", 0.96)),
            ("01012345678", false, "CN", number("+861012345678", 0.93)),
            ("4008001234", false, "CN", number("+864008001234", 0.93)),
            ("1380013", false, "CN", Dialled::Short),
            ("07700900123", false, "GB", number("+447700900123", 0.95)),
            ("442079460000", true, "US", number("+442079460000", 0.93)),
            ("0301234567", false, "DE", number("0301234567", 0.75)),
        ] {
            assert_eq!(dialled(digits, plus, region), wanted, "{digits} {region}");
        }
    }
}
