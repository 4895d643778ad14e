//! What a recogniser makes of a phrase on a bad line, made up beforehand.
//!
//! ```text
//!   lost my card ──▶ lost my cart · last my card · lost card · lost lost my card     words by sound (Double Metaphone)
//!   查我的余额   ──▶ 查我的鱼额 · 差我的余额 · 查我余额 · 查我的余余额               characters by toneless pinyin
//! ```
//!
//! A word is heard as another that everyday speech has and that sounds nearly the same, little words as other little
//! words, two words as one; some are not heard at all, some twice. The same phrase is always misheard in the same ways.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pinyin::ToPinyin as _;

use super::features::characters;
use super::lexicon;
use super::phonetic::Sound;
use super::sparse::hash;
use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;

/// Of so many words, one is misheard…
const WORDS_PER_SLIP: usize = 3;
/// …and never more than these of one phrase: what is left would be nobody's phrase any more.
const MOST_SLIPS: usize = 3;
/// Words of everyday speech that sound like one: so many are looked at.
const MOST_NEIGHBOURS: usize = 12;

/// Little words that stand for one another when nobody hears them well.
const LITTLE: &[&[&str]] = &[
    &["a", "the", "of", "to", "uh"],
    &["my", "the", "by", "might"],
    &["in", "and", "an", "on"],
    &["for", "from", "of", "four"],
    &["is", "his", "its", "as"],
    &["i", "a", "all"],
    &["can", "and", "could"],
    &["you", "your", "to"],
    &["have", "of", "had"],
    &["are", "or", "our"],
    &["do", "to", "the"],
    &["me", "be", "we"],
    &["what", "when", "but"],
    &["it", "that", "at"],
    &["with", "was", "for"],
    &["would", "will", "what"],
    &["not", "now", "out"],
    &["please", "these"],
];

/// Particles that are swallowed.
const PARTICLES: &[&str] = &["的", "了", "吗", "吧", "啊", "呢", "我", "一", "下", "个", "就", "是", "想", "要"];

/// Everyday words by how they roughly sound.
static ENGLISH: LazyLock<BTreeMap<String, Vec<&'static str>>> = LazyLock::new(|| {
    let mut by_sound: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for word in lexicon::everyday_words() {
        let Some(sound) = roughly(word) else { continue };
        let alike = by_sound.entry(sound).or_default();
        if !alike.contains(&word) {
            alike.push(word);
        }
    }
    by_sound
});

/// Everyday characters by their syllable, as far as a telephone tells syllables apart.
static MANDARIN: LazyLock<BTreeMap<String, Vec<&'static str>>> = LazyLock::new(|| {
    let mut by_sound: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for character in lexicon::everyday_characters() {
        let Some(sound) = syllable(character) else { continue };
        let alike = by_sound.entry(sound).or_default();
        if !alike.contains(&character) {
            alike.push(character);
        }
    }
    by_sound
});

/// `many` ways to mishear `text`, fewer when it is too short for that; none of them is `text` itself.
pub fn misheard(text: &str, many: usize, language: &Language) -> Vec<String> {
    let mandarin = is_mandarin(language);
    let units = if mandarin { mandarin_units(text) } else { normalize::words(text, language) };
    let said = join(&units, mandarin);
    let mut ways: Vec<String> = Vec::with_capacity(many);
    // Ears fail differently on the same words: some tries come out as nothing new.
    for attempt in 0..many * 3 {
        if ways.len() == many || units.is_empty() {
            break;
        }
        let mut luck = Luck::of(&said, attempt);
        let mut heard = units.clone();
        let slips = (1 + luck.below(1 + units.len() / WORDS_PER_SLIP)).min(MOST_SLIPS);
        for _ in 0..slips {
            if mandarin { slip_of_characters(&mut heard, &mut luck) } else { slip_of_words(&mut heard, &mut luck) }
        }
        let heard = join(&heard, mandarin);
        if !heard.is_empty() && heard != said && !ways.contains(&heard) {
            ways.push(heard);
        }
    }
    ways
}

fn join(units: &[String], mandarin: bool) -> String {
    units.join(if mandarin { "" } else { " " })
}

fn slip_of_words(words: &mut Vec<String>, luck: &mut Luck) {
    if words.is_empty() {
        return;
    }
    let at = luck.below(words.len());
    let little = LITTLE.iter().find(|alike| alike[0] == words[at]);
    match (luck.below(10), little) {
        (0..=5, Some(alike)) => words[at] = alike[1 + luck.below(alike.len() - 1)].to_owned(),
        (6..=9, Some(_)) if words.len() > 2 => _ = words.remove(at),
        (0..=5, None) => words[at] = sounding_like(&words[at], luck),
        (6, _) if words.len() > 2 => _ = words.remove(at),
        (7, _) if at + 1 < words.len() => {
            let next = words.remove(at + 1);
            words[at].push_str(&next);
        }
        (8, _) => words.insert(at, words[at].clone()),
        _ => words[at] = worn(&words[at], luck),
    }
}

/// Another word that sounds nearly the same; failing that, the word without its ending.
fn sounding_like(word: &str, luck: &mut Luck) -> String {
    let alike = roughly(word).and_then(|sound| ENGLISH.get(&sound));
    let mut near: Vec<(&str, f64)> = alike
        .into_iter()
        .flatten()
        .filter(|other| **other != word)
        .map(|other| (*other, strsim::jaro_winkler(word, other)))
        .collect();
    near.sort_by(|one, two| two.1.total_cmp(&one.1));
    near.truncate(MOST_NEIGHBOURS);
    match near.as_slice() {
        [] => worn(word, luck),
        some => some[luck.below(some.len())].0.to_owned(),
    }
}

/// The ends of words are spoken softly: "payed", "pay", "pays", and a telephone tells neither `s` from `f` nor `t` from
/// `d`.
fn worn(word: &str, luck: &mut Luck) -> String {
    for ending in ["ing", "ed", "es", "s", "t", "d"] {
        if let Some(rest) = word.strip_suffix(ending)
            && rest.len() > 2
        {
            return rest.to_owned();
        }
    }
    const TAKEN_FOR: [(char, char); 12] = [
        ('p', 'b'),
        ('b', 'p'),
        ('t', 'd'),
        ('d', 't'),
        ('k', 'g'),
        ('c', 'g'),
        ('m', 'n'),
        ('n', 'm'),
        ('f', 's'),
        ('s', 'f'),
        ('v', 'b'),
        ('l', 'r'),
    ];
    let places: Vec<(usize, char)> = word
        .char_indices()
        .filter_map(|(at, letter)| Some((at, TAKEN_FOR.iter().find(|(from, _)| *from == letter)?.1)))
        .collect();
    match places.as_slice() {
        [] => format!("{word}s"),
        some => {
            let (at, letter) = some[luck.below(some.len())];
            format!("{}{letter}{}", &word[..at], &word[at + 1..])
        }
    }
}

/// How a word sounds when hardly more than its consonants come through: Double Metaphone without telling nasals,
/// hisses, or `l` from `r`.
fn roughly(word: &str) -> Option<String> {
    let sound = Sound::of_any(word)?;
    let rough = |letter: char| match letter {
        'N' => 'M',
        'R' => 'L',
        'X' | 'J' | '0' => 'S',
        other => other,
    };
    Some(sound.primary().chars().map(rough).collect())
}

fn mandarin_units(text: &str) -> Vec<String> {
    let plain: String = text.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    characters(&plain)
}

fn slip_of_characters(units: &mut Vec<String>, luck: &mut Luck) {
    if units.is_empty() {
        return;
    }
    let at = luck.below(units.len());
    match luck.below(10) {
        0..=6 => {
            let alike = syllable(&units[at]).and_then(|sound| MANDARIN.get(&sound));
            let others: Vec<&str> = alike.into_iter().flatten().copied().filter(|other| *other != units[at]).collect();
            if !others.is_empty() {
                units[at] = others[luck.below(others.len())].to_owned();
            }
        }
        7 | 8 if units.len() > 2 => {
            let swallowed = units.iter().position(|unit| PARTICLES.contains(&unit.as_str()));
            units.remove(swallowed.unwrap_or(at));
        }
        _ => units.insert(at, units[at].clone()),
    }
}

/// Toneless pinyin without what a telephone hides: `zh` is `z`, `ng` is `n`, `l` is `n`.
fn syllable(character: &str) -> Option<String> {
    let only = character.chars().next()?;
    let sound = only.to_pinyin()?.plain();
    let sound = ["zh", "ch", "sh"]
        .iter()
        .find_map(|initial| Some(format!("{}{}", &initial[..1], sound.strip_prefix(initial)?)))
        .unwrap_or_else(|| sound.to_owned());
    let sound = match sound.strip_prefix('l') {
        Some(rest) => format!("n{rest}"),
        None => sound,
    };
    Some(sound.strip_suffix('g').filter(|rest| rest.ends_with('n')).map_or(sound.clone(), str::to_owned))
}

/// Chance that the same phrase always has (xorshift).
struct Luck(u64);

impl Luck {
    fn of(text: &str, attempt: usize) -> Self {
        let mut luck = Self((hash(0, &[text]) ^ (attempt as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        luck.below(2);
        luck
    }

    fn below(&mut self, many: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % many.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mandarin() -> Language {
        Language::parse("zh-CN").expect("a tag")
    }

    #[test]
    fn the_same_phrase_is_always_misheard_in_the_same_ways_and_never_rightly() {
        for (text, language) in [("I lost my credit card", Language::english()), ("我想查一下余额", mandarin())]
        {
            let ways = misheard(text, 6, &language);
            assert_eq!(ways, misheard(text, 6, &language));
            assert!(ways.len() >= 5, "{ways:?}");
            let mut apart = ways.clone();
            apart.sort();
            apart.dedup();
            assert_eq!(apart.len(), ways.len(), "{ways:?}");
            let said = text.to_lowercase();
            assert!(ways.iter().all(|way| *way != said && !way.is_empty()), "{ways:?}");
        }
    }

    /// Not every phrase by every try, but most of what recognisers do to phrases is done to one of them.
    #[test]
    fn words_become_others_of_the_same_sound_get_lost_come_twice_or_run_together() {
        let phrases = ["pay my credit card", "what is my balance", "I lost my card", "book a table for two people"];
        let ways: Vec<(usize, String)> = phrases
            .iter()
            .flat_map(|phrase| {
                let words = phrase.split(' ').count();
                misheard(phrase, 12, &Language::english()).into_iter().map(move |way| (words, way))
            })
            .collect();
        let shown = || ways.iter().map(|(_, way)| way.as_str()).collect::<Vec<_>>().join("\n");
        let words = |way: &str| way.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(ways.iter().any(|(many, way)| words(way).len() < *many), "none lost:\n{}", shown());
        assert!(
            ways.iter().any(|(_, way)| words(way).windows(2).any(|two| two[0] == two[1])),
            "none twice:\n{}",
            shown()
        );
        let known = |word: &str| phrases.iter().any(|phrase| phrase.to_lowercase().split(' ').any(|one| one == word));
        let sounds_known = |word: &str| {
            let sound = roughly(word);
            !known(word)
                && sound.is_some()
                && phrases.iter().flat_map(|phrase| phrase.split(' ')).any(|one| roughly(one) == sound)
        };
        let replaced = ways.iter().filter(|(_, way)| words(way).iter().any(|word| sounds_known(word))).count();
        assert!(replaced >= 8, "{replaced}:\n{}", shown());
    }

    #[test]
    fn mandarin_characters_become_others_of_the_same_syllable() {
        let said = "我想还信用卡";
        let ways = misheard(said, 12, &mandarin());
        let syllables = |text: &str| mandarin_units(text).iter().map(|unit| syllable(unit)).collect::<Vec<_>>();
        assert!(ways.iter().any(|way| syllables(way) == syllables(said)), "{ways:?}");
        assert_eq!(syllable("张"), syllable("赞"), "a telephone tells neither zh from z nor ang from an");
        assert_eq!(syllable("蓝"), syllable("南"));
    }

    #[test]
    fn too_little_to_mishear_and_odd_bytes_are_survived() {
        for text in ["", " ", "?!", "a", "是", "\u{0}", "ééé", "🙂 yes", &"word ".repeat(2_000), &"好".repeat(2_000)]
        {
            for language in [Language::english(), mandarin(), Language::parse("fr").expect("a tag")] {
                let ways = misheard(text, 2, &language);
                assert!(ways.len() <= 2 && ways.iter().all(|way| !way.is_empty()), "{text}: {ways:?}");
            }
        }
    }
}
