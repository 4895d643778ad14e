//! What a field takes: its options, its grammar, or its built-in type.

use std::collections::BTreeMap;

use super::tree::{Element, Node};

/// Phrases at most of one answer: a grammar that says more is better kept as one.
const MOST_PHRASES: usize = 40;
/// Answers at most of one field.
pub(super) const MOST_ANSWERS: usize = 60;
/// Rules within rules.
const DEEPEST: usize = 8;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub value: String,
    pub key: Option<char>,
    pub phrases: Vec<String>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One of these.
    Answers(Vec<Answer>),
    /// Yes or no, by these keys.
    Boolean { yes: char, no: char },
    /// So many digits.
    Digits { min: u32, max: u32 },
    /// A value of a kind that everybody knows, by our word for it.
    Kind(&'static str),
}

/// A built-in type, such as `digits?minlength=4;maxlength=6`.
pub(super) fn builtin(written: &str) -> Option<Wanted> {
    let written = written.trim();
    let written = written.strip_prefix("builtin:").unwrap_or(written);
    let written = written.strip_prefix("grammar/").or_else(|| written.strip_prefix("dtmf/")).unwrap_or(written);
    let (kind, rest) = written.split_once('?').unwrap_or((written, ""));
    let parameter = |name: &str| {
        let found = rest.split([';', '&']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(str::trim)
    };
    let count = |name: &str| parameter(name).and_then(|count| count.parse::<u32>().ok());
    let key = |name: &str, usual: char| parameter(name).and_then(|key| key.chars().next()).unwrap_or(usual);
    let digits = |min: u32, max: u32| {
        let min = min.clamp(1, 40);
        Wanted::Digits { min, max: max.clamp(min, 40) }
    };
    Some(match kind {
        "boolean" => Wanted::Boolean { yes: key("y", '1'), no: key("n", '2') },
        "digits" => match count("length") {
            Some(length) => digits(length, length),
            None => digits(count("minlength").unwrap_or(1), count("maxlength").unwrap_or(40)),
        },
        "number" => Wanted::Kind("number"),
        "currency" => Wanted::Kind("amount"),
        "phone" => Wanted::Kind("phone"),
        "date" => Wanted::Kind("date"),
        "time" => Wanted::Kind("time"),
        _ => return None,
    })
}

/// The `option` elements of a field.
pub(super) fn options(field: &Element) -> Vec<Answer> {
    let one = |option: &Element| {
        let words = option.text();
        let value = option.attribute("value").or(option.attribute("dtmf")).map_or_else(|| words.clone(), str::to_owned);
        Answer { value, key: key_of(option.attribute("dtmf")), phrases: phrases_of(&words) }
    };
    field.named("option").map(one).take(MOST_ANSWERS).collect()
}

/// A `dtmf` attribute that is one key.
pub(super) fn key_of(dtmf: Option<&str>) -> Option<char> {
    let mut keys = dtmf?.chars().filter(|letter| !letter.is_whitespace());
    let key = keys.next().filter(|key| "0123456789*#".contains(*key))?;
    keys.next().is_none().then_some(key)
}

fn phrases_of(words: &str) -> Vec<String> {
    let words = words.trim().trim_end_matches(['.', '?', '!', ',']).to_owned();
    if words.is_empty() { Vec::new() } else { vec![words] }
}

/// Puts more of the same answers together: a key from one grammar, words from another. A phrase that two answers claim
/// stays with the first; such phrases come back.
pub(super) fn merge(all: &mut Vec<Answer>, more: Vec<Answer>) -> Vec<String> {
    for answer in more {
        match all.iter_mut().find(|known| known.value == answer.value) {
            Some(known) => {
                known.key = known.key.or(answer.key);
                known.phrases.extend(answer.phrases);
            }
            None => all.push(answer),
        }
    }
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let mut claimed = Vec::new();
    for (place, answer) in all.iter_mut().enumerate() {
        answer.phrases.retain(|phrase| match owners.get(&phrase.to_lowercase()) {
            None => owners.insert(phrase.to_lowercase(), place).is_none(),
            Some(owner) => {
                claimed.extend((*owner != place).then(|| phrase.clone()));
                false
            }
        });
    }
    claimed
}

/// A grammar in SRGS's XML form, as the answers it takes. `None` where it is more than a list of them.
pub(super) fn grammar(grammar: &Element) -> Option<Wanted> {
    let keys = grammar.attribute("mode") == Some("dtmf");
    let rules: Vec<&Element> = grammar.named("rule").collect();
    let Some(first) = rules.first() else { return listed(&grammar.text(), keys) };
    let root = grammar.attribute("root").and_then(|root| rules.iter().find(|rule| rule.attribute("id") == Some(root)));
    let root = root.unwrap_or(first);
    if keys && let Some((min, max)) = repeated(root, &rules) {
        return Some(Wanted::Digits { min, max });
    }
    let mut answers = Vec::new();
    for said in spoken(root, &rules, 0)? {
        let words = said.words.join(" ");
        let value = said.value.unwrap_or_else(|| words.clone());
        let answer = match keys {
            true => Answer { value, key: Some(key_of(Some(&words))?), phrases: Vec::new() },
            false => Answer { value, key: None, phrases: phrases_of(&words) },
        };
        // A grammar that says two things by the same words leaves it open which of them is meant; here it is the first.
        drop(merge(&mut answers, vec![answer]));
    }
    let sound = !answers.is_empty()
        && answers.len() <= MOST_ANSWERS
        && answers.iter().all(|one| one.phrases.len() <= MOST_PHRASES);
    sound.then_some(Wanted::Answers(answers))
}

/// `[yes yeah no]`, `a | b | c` and `[(one) (two)]`: the plain lists of older grammars.
fn listed(text: &str, keys: bool) -> Option<Wanted> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    let parts: Vec<String> = match (inner.contains('|'), inner.contains('(')) {
        (true, false) => inner.split('|').map(|part| part.trim().to_owned()).collect(),
        (false, true) => {
            inner.split(['(', ')']).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        }
        (false, false) if text.starts_with('[') => inner.split_whitespace().map(str::to_owned).collect(),
        (false, false) => vec![inner.to_owned()],
        (true, true) => return None,
    };
    let plain = |part: &String| !part.is_empty() && !part.contains(['{', '<', '$', '=', '?', '+', '*', ';', '"']);
    if !parts.iter().all(plain) || parts.len() > MOST_ANSWERS {
        return None;
    }
    let answers: Option<Vec<Answer>> = parts
        .iter()
        .map(|part| {
            let key = if keys { Some(key_of(Some(part.trim_start_matches("dtmf-")))?) } else { None };
            Some(Answer { value: part.clone(), key, phrases: if keys { Vec::new() } else { phrases_of(part) } })
        })
        .collect();
    answers.map(Wanted::Answers)
}

/// One way to say something.
#[derive(Clone, Debug, Default)]
struct Said {
    words: Vec<String>,
    value: Option<String>,
}

/// Everything a part of a grammar may say; `None` where that is not a short list.
fn spoken(part: &Element, rules: &[&Element], depth: usize) -> Option<Vec<Said>> {
    if depth > DEEPEST {
        return None;
    }
    if part.name == "one-of" {
        let mut all = Vec::new();
        for item in part.named("item") {
            if item.attribute("repeat").is_some_and(|repeat| repeat != "1") {
                return None;
            }
            all.extend(spoken(item, rules, depth + 1)?);
        }
        return (all.len() <= MOST_ANSWERS * 4).then_some(all);
    }
    let mut all = vec![Said::default()];
    for node in &part.children {
        let more = match node {
            Node::Text(text) => {
                let words: Vec<String> =
                    text.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
                vec![Said { words, value: None }]
            }
            Node::Element(element) => match element.name.as_str() {
                "tag" => vec![Said { words: Vec::new(), value: Some(tag(&element.text())?) }],
                "one-of" => spoken(element, rules, depth + 1)?,
                "item" => {
                    let mut said = spoken(element, rules, depth + 1)?;
                    match element.attribute("repeat") {
                        None | Some("1") => {}
                        Some("0-1") => said.push(Said::default()),
                        Some(_) => return None,
                    }
                    said
                }
                "ruleref" => {
                    let id = element.attribute("uri")?.strip_prefix('#')?;
                    let rule = rules.iter().find(|rule| rule.attribute("id") == Some(id))?;
                    spoken(rule, rules, depth + 1)?
                }
                "example" | "metadata" | "meta" => continue,
                _ => return None,
            },
        };
        let mut both = Vec::new();
        for before in &all {
            for after in &more {
                let words = before.words.iter().chain(&after.words).cloned().collect();
                both.push(Said { words, value: after.value.clone().or_else(|| before.value.clone()) });
            }
        }
        if both.len() > MOST_ANSWERS * 4 {
            return None;
        }
        all = both;
    }
    Some(all)
}

/// What a tag gives: a literal, or `out = 'x'`, `out.field = "x"`, `$ = 'x'`.
fn tag(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(';').trim();
    let value = match text.split_once('=') {
        Some((left, right)) if left.trim().starts_with("out") || left.trim().starts_with('$') => right.trim(),
        Some(_) => return None,
        None => text,
    };
    let bare = value.trim_matches(['\'', '"']);
    let plain = !bare.is_empty() && !bare.contains(['(', '{', '\'', '"', '+', ';', '=']);
    plain.then(|| bare.to_owned())
}

/// A rule of one digit, so many times.
fn repeated(rule: &Element, rules: &[&Element]) -> Option<(u32, u32)> {
    let mut items = rule.elements().filter(|element| element.name != "tag");
    let item = items.next().filter(|item| item.name == "item")?;
    let (min, max) = match item.attribute("repeat")?.split_once('-') {
        Some((min, max)) => (min.parse().ok()?, if max.is_empty() { 40 } else { max.parse().ok()? }),
        None => {
            let count = item.attribute("repeat")?.parse().ok()?;
            (count, count)
        }
    };
    let digit = spoken(&Element { attributes: Vec::new(), ..item.clone() }, rules, 0)?;
    let one =
        |said: &Said| said.words.len() == 1 && said.words[0].len() == 1 && said.words[0].as_bytes()[0].is_ascii_digit();
    let sound =
        items.next().is_none() && digit.len() > 5 && digit.iter().all(one) && (1..=40).contains(&max) && min <= max;
    sound.then_some((min.max(1), max))
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    #[test]
    fn a_phrase_that_two_answers_claim_stays_with_the_first_and_is_told() {
        let answer = |value: &str, phrases: &[&str]| Answer {
            value: value.to_owned(),
            key: None,
            phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        };
        let mut all = vec![answer("tea", &["tea", "a cup"])];
        let more = vec![answer("coffee", &["coffee", "A cup"]), answer("tea", &["tea", "green tea"])];
        assert_eq!(merge(&mut all, more), ["A cup"]);
        assert_eq!(all, [answer("tea", &["tea", "a cup", "green tea"]), answer("coffee", &["coffee"])]);
    }

    fn of(text: &str) -> Option<Wanted> {
        grammar(&parse("g", text).unwrap())
    }

    fn answer(value: &str, key: Option<char>, phrases: &[&str]) -> Answer {
        Answer { value: value.into(), key, phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect() }
    }

    #[test]
    fn lists_of_words_become_answers_with_their_values() {
        let text = "<grammar root='top'><rule id='top'><item repeat='0-1'>please</item><ruleref uri='#what'/></rule>\
                    <rule id='what'><one-of><item>sales<tag>out='s';</tag></item><item>new order <tag>s</tag></item>\
                    <item>support</item></one-of></rule></grammar>";
        let sales = answer("s", None, &["please sales", "please new order", "sales", "new order"]);
        let support = ["please support", "support"].map(|words| answer(words, None, &[words]));
        assert_eq!(of(text), Some(Wanted::Answers(vec![sales, support[0].clone(), support[1].clone()])));
        let old = "<grammar type='application/x-gsl'>[yes yeah no]</grammar>";
        assert!(matches!(of(old), Some(Wanted::Answers(answers)) if answers.len() == 3));
        assert!(
            matches!(of("<grammar> big | small </grammar>"), Some(Wanted::Answers(answers)) if answers[0].value == "big")
        );
    }

    #[test]
    fn keys_become_keys_and_repeated_digits_a_number() {
        let keys = "<grammar mode='dtmf' root='r'><rule id='r'><one-of><item>1<tag>out.x='a'</tag></item><item>#</item></one-of></rule></grammar>";
        assert_eq!(of(keys), Some(Wanted::Answers(vec![answer("a", Some('1'), &[]), answer("#", Some('#'), &[])])));
        let digits: String = (0..10).map(|digit| format!("<item>{digit}</item>")).collect();
        let number = format!(
            "<grammar mode='dtmf' root='r'><rule id='r'><item repeat='4-6'><ruleref uri='#d'/></item></rule>\
             <rule id='d'><one-of>{digits}</one-of></rule></grammar>"
        );
        assert_eq!(of(&number), Some(Wanted::Digits { min: 4, max: 6 }));
    }

    #[test]
    fn what_is_more_than_a_list_is_not_guessed_and_bombs_do_not_go_off() {
        let bomb =
            "<grammar root='a'><rule id='a'><item><ruleref uri='#a'/><ruleref uri='#a'/></item></rule></grammar>";
        let wide: String = (0..9).map(|_| "<one-of><item>a</item><item>b</item><item>c</item></one-of>").collect();
        for text in [
            bomb,
            &format!("<grammar root='a'><rule id='a'>{wide}</rule></grammar>"),
            "<grammar root='a'><rule id='a'><item repeat='1-'>word</item></rule></grammar>",
            "<grammar root='a'><rule id='a'><ruleref uri='http://x/y.grxml'/></rule></grammar>",
            "<grammar root='a'><rule id='a'>x<tag>out = f(x)</tag></rule></grammar>",
            "<grammar>$a = (b | c);</grammar>",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn built_in_types_are_read_with_their_bounds() {
        for (written, wanted) in [
            ("digits?length=4", Wanted::Digits { min: 4, max: 4 }),
            ("builtin:dtmf/digits?minlength=4;maxlength=6", Wanted::Digits { min: 4, max: 6 }),
            ("boolean?y=7;n=9", Wanted::Boolean { yes: '7', no: '9' }),
            ("date", Wanted::Kind("date")),
            ("digits?length=900", Wanted::Digits { min: 40, max: 40 }),
        ] {
            assert_eq!(builtin(written), Some(wanted), "{written}");
        }
        assert_eq!(builtin("x-colour"), None);
    }
}
